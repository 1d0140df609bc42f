"""The shape of the code, read from its files."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import victor.agent.coordinators
from victor.config.settings import names
from victor.config.sources import NOT_SETTINGS, PREFIX

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "victor"

FACADE = "agent/orchestrator.py"
FORBIDDEN_WORDS = {"manager", "handler", "helper", "util", "service", "engine", "misc"}

CATCHES_EXCEPTION = {
    "agent/event_bus.py",
    "agent/guard.py",
    "agent/coordinators/analytics_coordinator.py",
    "agent/coordinators/prompt_coordinator.py",
    "agent/coordinators/safety_coordinator.py",
    "agent/strategy_run.py",
    "agent/tool_claims.py",
    "agent/tool_runs.py",
    "cli/app.py",
    "mcp/login.py",
    "mcp/server.py",
    "plugins.py",
}
"""Where code of anybody's is called, and the last place before a person. Nowhere else."""

CATCHES_EVERYTHING = {"agent/bounded.py", "tools/threads.py"}
"""Where whatever is raised on one side is raised again on another."""


@cache
def files() -> dict[str, Path]:
    """Every source file by its path below `src/victor`."""
    return {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def texts() -> dict[str, str]:
    return {name: path.read_text("utf-8") for name, path in files().items()}


def layers() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    return {module.strip() for layer in contract["layers"] for module in layer.split("|")}


def test_no_file_has_more_than_400_lines() -> None:
    lengths = {name: len(text.splitlines()) for name, text in texts().items()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_facade_has_at_most_300_lines() -> None:
    assert len(texts()[FACADE].splitlines()) <= 300


def test_every_module_with_a_function_postpones_its_annotations() -> None:
    hurried = [
        name
        for name, text in texts().items()
        if "def " in text and "from __future__ import annotations" not in text
    ]
    assert hurried == []


def test_no_name_uses_a_word_that_says_nothing() -> None:
    named = [(name, Path(name).stem) for name in files()]
    for name, text in texts().items():
        named += [
            (name, found)
            for found in re.findall(r"^ *(?:async def|def|class) (\w+)", text, re.MULTILINE)
        ]
    offenders = [
        f"{name}: {word}"
        for name, word in named
        if FORBIDDEN_WORDS & {part.lower().rstrip("s") for part in _words(word)}
    ]
    assert offenders == []


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)


def test_only_where_foreign_code_is_called_any_exception_is_caught() -> None:
    offenders = []
    for name, text in texts().items():
        for node in _broad_catches(text):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if "BaseException" in caught:
                if name not in CATCHES_EVERYTHING and not _raises_again(node):
                    offenders.append(f"{name}:{node.lineno} swallows everything")
            elif name not in CATCHES_EXCEPTION:
                offenders.append(f"{name}:{node.lineno} catches Exception")
    assert offenders == []


def _broad_catches(text: str) -> list[ast.ExceptHandler]:
    """Return what catches any exception. Only files that seem to do so are parsed: it is slow."""
    broad = r"\b(Base)?Exception\b"
    if not re.search(rf"except\*?(:|.*{broad})", text):
        return []
    handlers = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)]
    return [node for node in handlers if not node.type or re.search(broad, ast.unparse(node.type))]


def _raises_again(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_cancellation_is_suppressed_only_with_a_reason() -> None:
    offenders = []
    for name, text in texts().items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if re.search(r"suppress\(.*CancelledError", line):
                around = lines[max(0, number - 1) : number + 1]
                offenders += [] if any("#" in near for near in around) else [f"{name}:{number + 1}"]
    assert offenders == []


def test_every_module_has_its_place_in_the_layers() -> None:
    known = layers()
    modules = {
        f"victor.{entry.stem}"
        for entry in SOURCE.iterdir()
        if entry.suffix == ".py" or (entry / "__init__.py").exists()
    }
    agents = {f"victor.agent.{path.stem}" for path in (SOURCE / "agent").glob("*.py")}
    agents |= {"victor.agent.coordinators"}
    apart = {"victor.__init__", "victor.agent", "victor.agent.__init__"}
    assert (modules | agents) - known - apart == set()


def test_every_setting_is_read_by_something() -> None:
    others = [text for name, text in texts().items() if name != "config/settings.py"]
    read = {
        word
        for text in others
        for word in re.findall(r"[\"'](\w+)[\"']|^    (\w+):", text, re.MULTILINE)
    }
    words = {word for pair in read for word in pair}
    switches = {f"enable_{name}" for name in ("analytics", "metrics", "checkpoints")}
    assert set(names()) - words - switches == set()


def test_every_variable_of_the_environment_is_a_setting_or_listed() -> None:
    read = {word for text in texts().values() for word in re.findall(r"\"(VICTOR_[A-Z_]+)\"", text)}
    assert read - {f"{PREFIX}{name.upper()}" for name in names()} == NOT_SETTINGS


def test_there_are_fifteen_coordinators_one_in_each_file() -> None:
    folder = SOURCE / "agent" / "coordinators"
    spelled = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    exported = victor.agent.coordinators.__all__
    assert len(exported) == 15
    assert {"_".join(_words(name)).lower() for name in exported} == spelled


def test_coordinators_are_loaded_one_by_one() -> None:
    for name in victor.agent.coordinators.__all__:
        found = getattr(victor.agent.coordinators, name)
        assert found.__name__ == name
        assert found.__module__.startswith("victor.agent.coordinators.")
    assert dir(victor.agent.coordinators) == sorted(victor.agent.coordinators.__all__)
    assert not hasattr(victor.agent.coordinators, "ChaosCoordinator")


def test_unit_tests_lie_where_their_source_lies() -> None:
    unit = ROOT / "tests" / "unit"
    folders = {path.parent.relative_to(unit).as_posix() for path in unit.rglob("test_*.py")}
    known = {folder for folder in folders if (SOURCE / folder).is_dir()}
    known |= {folder for folder in folders if (SOURCE / f"{folder}.py").exists()}
    assert folders - known == set()


def test_tests_are_no_packages_and_no_two_share_a_name() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    names = [path.name for path in tests]
    assert "__init__.py" not in names
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_module_says_what_is_in_it() -> None:
    assert [name for name, text in texts().items() if text and not text.startswith('"""')] == []


def test_what_a_coordinator_may_have_beside_its_stage_is_told_where_the_stages_are() -> None:
    asked = {
        word
        for name, text in texts().items()
        if re.match(r"agent/(?!coordinators/)", name)
        for word in re.findall(r"""getattr\([^()]*(?:\([^()]*\))?[^()]*, "([a-z_]+)",""", text)
        if not word.startswith("__")
    }
    contracts = "".join(
        text for name, text in texts().items() if re.match(r"agent/stages|protocols/", name)
    )
    assert len(asked) > 20
    assert asked - set(re.findall(r"\w+", contracts)) == set()
