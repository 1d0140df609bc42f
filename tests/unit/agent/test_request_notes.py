"""What is kept of requests: each part when it changes."""

from __future__ import annotations

import json
from dataclasses import replace

from victor.agent.request_notes import RequestNotes
from victor.messages import Request, ToolChoice, ToolSpec
from victor.protocols import Mode

TOOL = ToolSpec("read", "Read a file.", {"type": "object"})
REQUEST = Request("m-1", (), system="Be kind.", tools=(TOOL,), temperature=0.5)
CONFIG = {"max_tools": 9, "api_key": "secret"}


def test_the_first_request_is_noted_whole_and_without_secrets() -> None:
    noted = RequestNotes().of(REQUEST, "acme", Mode.PLAN, CONFIG)
    assert json.loads(json.dumps(noted)) == {
        "provider": "acme",
        "model": "m-1",
        "mode": "plan",
        "system": "Be kind.",
        "tools": [
            {
                "name": "read",
                "description": "Read a file.",
                "parameters": {"type": "object"},
                "effect": "effectful",
            }
        ],
        "options": {
            "tool_choice": "auto",
            "max_tokens": None,
            "temperature": 0.5,
            "output_schema": None,
        },
        "settings": {"max_tools": 9},
    }


def test_what_stays_is_not_noted_again() -> None:
    notes = RequestNotes()
    notes.of(REQUEST, "acme", Mode.BUILD, CONFIG)
    assert notes.of(replace(REQUEST, system="Be kind."), "acme", Mode.BUILD, dict(CONFIG)) == {}
    last = replace(REQUEST, tool_choice=ToolChoice.NONE, model="m-2")
    noted = notes.of(last, "acme", Mode.BUILD, {"max_tools": 8})
    assert set(noted) == {"model", "options", "settings"}
    assert set(notes.of(REQUEST, "acme", Mode.PLAN, CONFIG)) == {
        *("model", "options", "settings", "mode"),
    }
