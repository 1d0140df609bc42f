"""Which words of a workflow count as a person's."""

from __future__ import annotations

from victor.workflow.load import loads
from victor.workflow.own_words import own_words

FLOW = """
name: look
inputs: {who: ""}
steps:
  - id: each
    for_each: "['a.example', 'b.example']"
    steps:
      - id: page
        tool: web_fetch
        arguments: {url: "https://{{ item }}/c.example", how: ["{{ inputs.who }}", 7]}
  - id: told
    prompt: "Tell {{ 'Kim' }} what {{ steps.each }} says{% if inputs.who %} again{% endif %}"
"""


def test_they_are_inputs_and_what_the_templates_say_themselves() -> None:
    said = " ".join(own_words(loads(FLOW), {"who": ["Bob"]}))
    for own in ("Bob", "a.example", "b.example", "/c.example", "7", "Tell", "Kim", "again"):
        assert own in said
    for other in ("inputs", "steps", "item"):
        assert other not in said
