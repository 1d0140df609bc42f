"""Whole turns of a real orchestrator; only the model is scripted."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import Effect
from victor.protocols import IProvider
from victor.testing import ScriptedProvider
from victor.tools.decorator import tool

if TYPE_CHECKING:
    from victor.testing.loopback import OpenAILoopback

New = Callable[..., AgentOrchestrator]
Said = Callable[..., tuple[int, str, str]]
Serve = Callable[..., AbstractContextManager["OpenAILoopback"]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "hello.txt").write_text("hello\n")
    return tmp_path


@pytest.fixture
def new(workspace: Path) -> New:
    """Return a maker of orchestrators: of scripted replies, settings and other parts by name."""

    def make(*replies: Any, provider: IProvider | None = None, **more: Any) -> AgentOrchestrator:
        given = {name: more.pop(name) for name in tuple(more) if name in Settings.model_fields}
        settings = Settings(**{"ephemeral": True, "approve": "always", "max_retries": 0, **given})
        more.setdefault("workspace", workspace)
        return AgentOrchestrator(settings, provider or ScriptedProvider(*replies), "m", **more)

    return make


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Runs a server of OpenAI's protocol, which the command line finds by the environment."""
    from victor.testing.loopback import OpenAILoopback

    @contextmanager
    def running(**how: Any) -> Iterator[OpenAILoopback]:
        with OpenAILoopback(**how) as server:
            monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback-secret")
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            yield server

    return running


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Runs the command line in this process: what it exits with, says, and says to stderr.

    Nobody is at its standard input.
    """
    from victor.cli.app import run

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


@tool(effect=Effect.READ_ONLY)
async def look(at: str = "") -> str:
    """Look at something.

    Args:
        at: What to look at.
    """
    return f"saw {at}"


@tool(effect=Effect.EFFECTFUL)
async def poke(at: str = "") -> str:
    """Poke something.

    Args:
        at: What to poke.
    """
    return f"poked {at}"


@pytest.fixture
def tools() -> tuple[Any, ...]:
    return (look, poke)
