"""What may import what, and what an import may do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).parents[2]

NOT_ON_IMPORT = {
    *("aiohttp", "anthropic", "httpcore2", "httpx", "httpx2", "mcp", "openai", "requests"),
    *("click", "dotenv", "google", "jinja2", "opentelemetry", "pkg_resources", "platformdirs"),
    *("pydantic", "pydantic_core", "rich", "sqlite3", "urllib3", "xllamacpp", "yaml"),
}

PROBE = """
import {module}, json, sys, threading
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & {banned!r})
adapters = sorted(name for name in sys.modules if name.startswith("victor.providers."))
print(json.dumps([loaded, adapters, threading.active_count()]))
"""


@pytest.mark.slow
def test_the_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    held = lint_imports(str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert held, capsys.readouterr().out


@pytest.mark.slow
def test_a_broken_contract_would_be_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upside_down = tmp_path / "pyproject.toml"
    upside_down.write_text(
        """
        [tool.importlinter]
        root_package = "victor"
        [[tool.importlinter.contracts]]
        name = "Upside down"
        type = "layers"
        layers = ["victor.errors", "victor.protocols", "victor.agent.coordinators"]
        """
    )
    configure()
    assert not lint_imports(str(upside_down), cache_dir=None, no_logo=True)
    assert "Upside down BROKEN" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["victor", "victor.agent.orchestrator", "victor.agent.coordinators"]
)
def test_an_import_loads_nothing_heavy_and_leaves_no_trace(module: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    probe = PROBE.format(module=module, banned=NOT_ON_IMPORT)
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", probe],
        cwd=work,
        env={"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "[[], [], 1]\n"
    assert list(home.iterdir()) == list(work.iterdir()) == []
