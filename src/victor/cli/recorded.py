"""`victor chat --record` and `--replay`: model calls written down, and played again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.cli.json_lines import secrets_of
from victor.cli.start import Choose, ReportProgress, Served

if TYPE_CHECKING:
    from victor.testing import RecordingFile


def recording(path: Path, choose: Choose) -> Choose:
    """Return what chooses as `choose` does, with every call of the chosen written to `path`."""

    @cache
    def file(key: str) -> RecordingFile:
        from victor.testing import RecordingFile

        return RecordingFile(path, secrets=(*secrets_of(), key))

    def chosen(
        config: Mapping[str, Any], name: str | None, model: str | None, progress: ReportProgress
    ) -> Served:
        from victor.testing import RecordingProvider

        served = choose(config, name, model, progress)
        key = config.get("api_key")
        reveal = getattr(key, "get_secret_value", None)
        into = file(str(reveal() if reveal else key or ""))
        reason = f"{served.reason}; recorded to {path}"
        return replace(served, provider=RecordingProvider(served.provider, into), reason=reason)

    return chosen


def replaying(path: Path) -> Choose:
    """Return what always chooses the recording at `path`, whatever is asked for.

    The system prompt may differ from the recorded one: it holds the date and the folder.
    """

    def chosen(
        config: Mapping[str, Any], name: str | None, model: str | None, progress: ReportProgress
    ) -> Served:
        from victor.testing import ReplayProvider

        key = config.get("api_key")
        reveal = getattr(key, "get_secret_value", None)
        secrets = (*secrets_of(), str(reveal() if reveal else key or ""))
        provider = ReplayProvider(path, ignore=("system",), secrets=secrets)
        return Served(provider, provider.model, f"replayed from {path}")

    return chosen
