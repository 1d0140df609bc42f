"""What is kept of requests: each part when it changes."""

from __future__ import annotations

import json
from dataclasses import replace

from victor.agent.request_notes import RequestNotes
from victor.messages import Request, ToolChoice, ToolSpec
from victor.protocols import Mode, ModelInfo

TOOL = ToolSpec("read", "Read a file.", {"type": "object"})
REQUEST = Request("m-1", (), system="Be kind.", tools=(TOOL,), temperature=0.5)
KNOWN = ModelInfo("m-1", 1_000, 100, 5.0)
CONFIG = {"max_tools": 9, "api_key": "secret"}


def test_the_first_request_is_noted_whole_and_without_secrets() -> None:
    notes = RequestNotes()
    notes.configure(CONFIG)
    noted = notes.of(REQUEST, "acme", Mode.PLAN, KNOWN)
    assert json.loads(json.dumps(noted)) == {
        "provider": "acme",
        "model": "m-1",
        "known_model": {
            "window": 1_000,
            "max_output": 100,
            "input_price": 5.0,
            "output_price": None,
            "cache_read_price": None,
            "abilities": ["tools"],
            "known": True,
        },
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
    notes.configure(CONFIG)
    notes.of(REQUEST, "acme", Mode.BUILD, KNOWN)
    notes.configure(dict(CONFIG))
    assert notes.of(replace(REQUEST, system="Be kind."), "acme", Mode.BUILD, KNOWN) == {}
    last = replace(REQUEST, tool_choice=ToolChoice.NONE, model="m-2")
    notes.configure({"max_tools": 8})
    noted = notes.of(last, "acme", Mode.BUILD, KNOWN)
    assert set(noted) == {"model", "options", "settings"}
    notes.configure(CONFIG)
    assert set(notes.of(REQUEST, "acme", Mode.PLAN, KNOWN)) == {
        *("model", "options", "settings", "mode"),
    }
