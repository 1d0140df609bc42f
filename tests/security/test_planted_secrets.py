"""Forty planted secrets: none comes out of a conversation, a log, an event, a record, an error."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from victor import AgentOrchestrator, Settings
from victor.cli.app import run
from victor.errors import VictorError
from victor.providers.choose import create_provider
from victor.testing import RecordingObserver, ScriptedProvider, call

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="not on this platform"),
]

IN_ENVIRONMENT = (
    *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY"),
    *("GROQ_API_KEY", "OPENROUTER_API_KEY", "DEEPSEEK_API_KEY", "XAI_API_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN"),
    *("NPM_TOKEN", "PYPI_TOKEN", "TWINE_PASSWORD", "HF_TOKEN", "DATABASE_URL", "PGPASSWORD"),
    *("REDIS_URL", "SLACK_WEBHOOK_URL", "SENTRY_DSN", "STRIPE_KEY", "MY_PASSPHRASE", "HTTP_PROXY"),
    *("VAULT_TOKEN", "KUBE_TOKEN", "CARGO_REGISTRY_TOKEN"),
)
AT_HOME = (
    *(".ssh/id_ed25519", ".netrc", ".aws/credentials", ".docker/config.json", ".npmrc"),
    *(".git-credentials", ".config/gh/hosts.yml", ".bash_history", ".pgpass"),
)
SETTING = "the setting api_key"
COMMANDS = (
    "env",
    "printenv; set; export -p; declare -px",
    "cat /proc/self/environ /proc/$PPID/environ /proc/*/environ",
    "python3 -c 'import os; print(dict(os.environ))'",
    "cat ~/.ssh/* ~/.netrc ~/.aws/* ~/.docker/* ~/.npmrc ~/.git-credentials ~/.pgpass",
    "cat ~/.config/gh/* ~/.bash_history; grep -r . ~ 2>/dev/null | head -c 900000",
    "git config --list; git credential fill </dev/null",
    "curl -sv http://127.0.0.1:1/",
)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The secrets by where they are."""
    names = (*IN_ENVIRONMENT, *AT_HOME, SETTING)
    found = {name: f"planted{secrets.token_hex(12)}" for name in names}
    for name in IN_ENVIRONMENT:
        url = name.endswith(("_URL", "_DSN", "_PROXY"))
        value = f"http://user:{found[name]}@127.0.0.1:9/x" if url else found[name]
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    for name in AT_HOME:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"{found[name]}\n")
    (home / "work").mkdir()
    (home / "work" / "a.txt").write_text("a\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(home / "work")
    return found


@pytest.fixture
async def echoing() -> AsyncIterator[str]:
    """The address of a vendor that tells whoever asks what they sent, key and all."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = json.dumps({"error": {"message": f"Incorrect API key: {asked}", "type": asked}})
        echoed = [line for line in asked.split("\r\n") if "planted" in line]
        head = ["HTTP/1.1 401 No", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        head += [f"x-echo-{line}" for line in echoed]
        writer.write("\r\n".join((*head, "", body)).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


def leaked(planted: dict[str, str], *texts: str) -> set[str]:
    """Return where the secrets are from that stand in one of the texts."""
    return {name for name, value in planted.items() if any(value in text for text in texts)}


def kept(home: Path) -> Iterator[str]:
    """Yield everything that Victor has written."""
    for file in home.rglob("*"):
        if file.is_file():
            yield file.read_bytes().decode("utf-8", "replace")


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what Victor has logged; what libraries log at DEBUG is theirs."""
    own = (one for one in caplog.records if one.name.startswith("victor") or one.levelno > 10)
    return "\n".join(one.getMessage() for one in own)


async def test_there_are_forty(planted: dict[str, str]) -> None:
    assert len(planted) >= 40
    assert len(set(planted.values())) == len(planted)


async def test_none_comes_out_of_a_conversation(
    planted: dict[str, str],
    home_of_its_own: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    calls = [
        *(call("shell", command=line) for line in COMMANDS),
        *(call("read", path=f"../{name}") for name in AT_HOME),
        *(call("read", path=str(Path.home() / name)) for name in AT_HOME),
        call("read", path="/proc/self/environ"),
        call("grep", pattern="planted", path="/"),
    ]
    settings = Settings(api_key=planted[SETTING], permissions={"allow": ("shell",)})
    observer = RecordingObserver()
    provider = ScriptedProvider(calls, "done")
    async with AgentOrchestrator(settings, provider, workspace=Path.cwd()) as agent:
        agent.add_observer(observer)
        await agent.chat("What do you see?")
        session, shown = agent.session_id, repr(agent.config_coordinator.get_config())
    results = provider.requests[1].messages[-1].tool_results
    assert any("PATH=" in result.content for result in results)
    told = [result.content for result in results] + [repr(one) for one in observer.events]
    told += [shown, repr(settings), logged(caplog), repr(provider.requests), *kept(home_of_its_own)]
    assert leaked(planted, *told) == set()
    explained = [["explain", topic] for topic in ("prompt", "context", "tools", "safety", "model")]
    forms = [["sessions", "export", session, "--format", form, "-o", "-"] for form in _FORMS]
    for arguments in (
        *explained,
        *([*one, "--json"] for one in explained),
        *forms,
        ["explain", "config"],
        ["sessions", "show", session],
        ["sessions", "--json"],
        ["context"],
        ["config", "show"],
        ["config", "path"],
        ["doctor"],
        ["doctor", "--json"],
        ["providers"],
        ["tools", "shell"],
        ["replay", session],
    ):
        await asyncio.to_thread(run, arguments)
        captured = capsys.readouterr()
        assert captured.out + captured.err
        assert leaked(planted, captured.out, captured.err) == set(), arguments
    assert leaked(planted, logged(caplog), *kept(home_of_its_own)) == set()


_FORMS = ("markdown", "html", "jsonl")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
async def test_none_comes_back_from_a_vendor_that_repeats_what_it_was_sent(
    planted: dict[str, str],
    home_of_its_own: Path,
    echoing: str,
    provider: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    observer = RecordingObserver()
    for key in (None, planted[SETTING]):
        chosen = create_provider(provider, api_key=key, base_url=echoing)
        settings = Settings(max_retries=0)
        async with AgentOrchestrator(settings, chosen, "m", workspace=Path.cwd()) as agent:
            agent.add_observer(observer)
            with pytest.raises(VictorError) as raised:
                await agent.chat("Hello")
        error = raised.value
        told = [str(error), repr(error), error.hint, *traceback.format_exception(error)]
        told += [repr(vars(one)) for one in (error, error.__cause__ or error)]
        told += [repr(one) for one in observer.events]
        assert leaked(planted, *told) == set()
    monkeypatch.setenv("VICTOR_BASE_URL", echoing)
    options = ["chat", "--provider", provider, "--model", "m", "Hello"]
    for arguments in (options, [*options, "--json"]):
        await asyncio.to_thread(run, arguments)
        captured = capsys.readouterr()
        assert captured.out + captured.err
        assert leaked(planted, captured.out, captured.err) == set(), arguments
    assert leaked(planted, logged(caplog), *kept(home_of_its_own)) == set()
