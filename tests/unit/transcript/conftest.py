from __future__ import annotations

import pytest

from victor.messages import (
    Document,
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from victor.protocols import Record, SessionInfo

HOSTILE = (
    '<script>alert(1)</script> <img src="http://evil.invalid/a.png" onerror=x>'
    " ![pic](http://evil.invalid/b.png) [click](javascript:alert(1)) [me](http://evil.invalid/c)"
    " \u202egnp.exe\u202c zero\u200bwidth \x1b[31mred </pre></details></main>"
    " <http://evil.invalid/d> &amp; </style><style>@import 'http://evil.invalid/e.css'"
)

READ = ToolCall("c1", "read", {"path": "src/totals.py"})
EDIT = ToolCall("c2", "edit", {"path": "src/totals.py", "old": "a = 1\nb", "new": "a = 2\nb"})
ODD = ToolCall("c3", "shell", {"command": HOSTILE, HOSTILE: [HOSTILE]})
BROKEN = ToolCall("c4", "edit", {}, invalid='{"path": ')

FIGURES = {"input_tokens": 1200, "output_tokens": 34, "cost_usd": 0.0125, "seconds": 75.0}


@pytest.fixture
def info() -> SessionInfo:
    return SessionInfo(
        "5e55",
        "Why does test_totals fail?",
        "/home/ada/shop",
        "anthropic",
        "claude-sonnet-4-6",
        created=1_767_225_600.0,
        updated=1_767_229_200.0,
        turns=2,
        input_tokens=1200,
        output_tokens=34,
        cost_usd=0.0125,
        seconds=75.0,
        tags=("bug",),
        parent="4f2a",
        parent_turn=3,
    )


@pytest.fixture
def records() -> tuple[Record, ...]:
    thinking = Thinking("I look first.")
    mode = Text("\n\nMode: plan.")
    parts = (Text("Please fix it."), mode, Image(b"png", "image/png"), Image(b"<", "image/svg+xml"))
    return (
        Record("user", "s-1", Message(Role.USER, (*parts, Document(b"%", name="plan.pdf")))),
        Record(
            "reply",
            "s-1",
            Message(Role.ASSISTANT, (thinking, Text("Two **files**."), READ, EDIT)),
            calls=(READ, EDIT),
        ),
        Record("result", "s-1", result=ToolResult("c1", "1\ta = 1\n```\nfenced\n```")),
        Record("result", "s-1", result=ToolResult("c2", "No such text.", is_error=True)),
        Record("tool", "s-9", result=ToolResult("w1", "of a workflow")),
        Record("compacted", "s-1", context=(user("short"),)),
        Record("reply", "s-1", assistant("# Done\n\n| a | b |\n|---|---|\n| 1 | 2 |")),
        Record("ended", "s-1", data={"model": "claude-sonnet-4-6", **FIGURES}),
        Record("user", "s-2", user(HOSTILE)),
        Record("reply", "s-2", assistant(HOSTILE, ODD, BROKEN), calls=(ODD, BROKEN)),
        Record("result", "s-2", result=ToolResult("c3", HOSTILE)),
        Record("failed", "s-2", data={"error": f"It broke. {HOSTILE}"}),
    )
