"""What the pages say is true: their code runs, their links lead somewhere, their commands exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.docs.conftest import (
    DOCS,
    PAGES,
    ROOT,
    Program,
    anchors,
    blocks,
    languages,
    links,
    name_of,
    prose,
    text_of,
)

from victor.cli.app import victor
from victor.cli.slash_commands import COMMANDS
from victor.testing.loopback import AnthropicLoopback

OUR_ADDRESS = "https://github.com/your-org/victor"

KINDS_OF_CHANGE = {"added", "changed", "fixed", "removed", "security"}

WITH_PYTHON = [page for page in PAGES if "python" in languages(page)]
_MENTION = re.compile(r"`(victor(?: [^`\n]+)?)`")


@pytest.fixture(scope="module")
def vendor() -> Iterator[AnthropicLoopback]:
    with AnthropicLoopback(otherwise="Each does one thing.") as server:
        yield server


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: AnthropicLoopback) -> Path:
    """An empty folder, where what is sent to the vendor comes to a server on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", vendor.url)
    return tmp_path


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_blocks_of_a_page_run_in_order(page: Path, somewhere: Path) -> None:
    program = Program(name_of(page))
    try:
        for block in blocks(page, "python"):
            program.run(block)
    finally:
        program.close()


def test_a_block_says_what_it_is_made_of() -> None:
    known = {"python", "console", "sh", "text", "toml", "yaml", "json"}
    assert {
        name_of(page): languages(page) - known for page in PAGES if languages(page) - known
    } == {}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_pages_and_sections_that_exist(page: Path) -> None:
    broken = [link for link in links(page) if not _leads_somewhere(page, link)]
    assert broken == []


def _leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith(("http://", "https://")):
        return link.startswith(OUR_ADDRESS) or not link.startswith("https://github.com/")
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target)


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        paths = [link.partition("#")[0] for link in links(page) if "://" not in link]
        targets = [(page.parent / path).resolve() for path in paths if path.endswith(".md")]
        waiting += [target for target in targets if target.is_relative_to(DOCS)]
    assert set(DOCS.rglob("*.md")) - reached == set()


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of every `victor ...` that the page shows."""
    for block in blocks(page, "console", "sh"):
        for line in block.splitlines():
            for part in re.split(r"[|;]|&&", line.removeprefix("$ ").partition(" #")[0]):
                words = part.strip()
                if words == "victor" or words.startswith("victor "):
                    yield _words(words)
    for mention in _MENTION.findall(prose(page)):
        yield _words(mention)


def _words(command: str) -> list[str]:
    return shlex.split(command)[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    wrong = [" ".join(given) for given in commands(page) if not _exists(given)]
    assert wrong == []


def _exists(arguments: list[str]) -> bool:
    command: click.Command = victor
    context = click.Context(command)
    options = set(_options(command))
    for word in arguments:
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in options:
                return False
            continue
        if isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                # A group may be used alone, but then what follows is no command of it.
                return bool(command.params) and command.invoke_without_command
            command = below
            options |= set(_options(command))
    return True


def _options(command: click.Command) -> Iterator[str]:
    yield from ("-h", "--help")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from parameter.opts


def test_every_command_is_on_the_page_of_the_command_line() -> None:
    page = text_of(DOCS / "cli.md")
    for name, command in sorted(_below(victor)):
        assert re.search(rf"`victor {name}[ `]", page), name
        for inner, _ in _below(command):
            assert re.search(rf"`(?:victor {name} )?{inner}[ `]", page), f"{name} {inner}"


def test_every_slash_command_is_on_the_page_of_the_command_line() -> None:
    page = text_of(DOCS / "cli.md")
    assert [name for name in COMMANDS if not re.search(rf"`/{name}[ `]", page)] == []


def test_every_option_is_told_on_some_page() -> None:
    told = "\n".join(text_of(page) for page in DOCS.rglob("*.md"))
    commands = dict(_below(victor))
    commands |= {f"{n} {m}": c for n, group in _below(victor) for m, c in _below(group)}
    missing = [
        f"victor {name} {option}"
        for name, command in commands.items()
        for option in _options(command)
        if option.startswith("--") and not re.search(rf"{option}(?![\w-])", told)
    ]
    assert missing == []


def _below(group: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        return []
    context = click.Context(group)
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, command) for name, command in found if command is not None]


def test_the_check_of_commands_tells_wrong_ones() -> None:
    assert _exists(["chat", "--mode", "plan", "Look"])
    assert _exists(["sessions", "show", "ID"])
    assert not _exists(["talk"])
    assert not _exists(["chat", "--fast"])
    assert not _exists(["config", "frobnicate"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = "\n".join([*blocks(page, "console", "sh"), *re.findall(r"`([^`\n]+)`", prose(page))])
    named = set(re.findall(r"(?:^|\$ )make ([a-z-]+)", code, re.MULTILINE))
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_source_file_that_is_named_exists(page: Path) -> None:
    paths = re.findall(r"`((?:src|tests|examples|docs)/[\w./-]+)`", prose(page))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_readmes_program_prints_what_the_vendor_says(
    somewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks(ROOT / "README.md", "python")
    program = Program("README.md")
    program.run(block)
    program.close()
    assert capsys.readouterr().out == "Each does one thing."


def test_the_readme_fits_one_screen() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 60


def test_the_contributors_page_for_agents_stays_short() -> None:
    assert len(text_of(ROOT / "AGENTS.md").splitlines()) < 100


def test_pictures_are_small_and_plain() -> None:
    for picture in (DOCS / "images").glob("*.svg"):
        assert picture.stat().st_size < 150_000
        assert "<script" not in picture.read_text("utf-8")


def test_a_fragment_of_the_changelog_says_its_kind() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    kinds = {path.name: path.name.split(".")[1:] for path in fragments}
    assert {
        name for name, kind in kinds.items() if kind[:-1] and kind[0] not in KINDS_OF_CHANGE
    } == (set())
    assert all(kind[-1] == "md" and len(kind) == 2 for kind in kinds.values())
