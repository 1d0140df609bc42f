"""The profile that macOS is given, as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.protocols import Launch, Network
from victor.safety.boundaries import Boundaries
from victor.safety.rooms import Outlet, PrivateFolder, Rooms
from victor.safety.seatbelt import Seatbelt, profile

LIMITS = Boundaries(
    writable=(Path("/w"),),
    protected=(Path("/w/.git/hooks"),),
    pinned=(Path("/w/.git"),),
    frozen=(Path("/w/links"),),
    hidden=(Path("/Users/a/.ssh"),),
)


def test_what_is_forbidden_stands_behind_what_is_allowed() -> None:
    lines = profile(LIMITS, Path("/t"), Network.NONE).splitlines()
    assert lines[0] == "(version 1)"
    assert "(deny default)" in lines
    assert lines[-7:] == [
        '(allow file-write* (subpath "/w"))',
        '(allow file-write* (subpath "/t"))',
        '(deny file-write* (subpath "/w/.git/hooks"))',
        '(deny file-write-unlink (literal "/w/.git"))',
        '(deny file-write-unlink (literal "/w"))',
        '(deny file-write-create file-write-unlink (regex #"^/w/links/[^/]+$"))',
        '(deny file-read* file-write* (subpath "/Users/a/.ssh"))',
    ]


def test_the_network_is_none_or_the_proxy_or_all() -> None:
    def network(network: Network, outlet: Outlet | None = None) -> list[str]:
        text = profile(LIMITS, Path("/t"), network, outlet)
        return [line for line in text.splitlines() if "network" in line]

    assert network(Network.NONE) == []
    assert network(Network.HOSTS) == []
    assert network(Network.HOSTS, Outlet(8080)) == [
        '(allow network-outbound (remote ip "localhost:8080"))'
    ]
    assert network(Network.ALL) == ["(allow network* system-socket)"]


def test_a_name_cannot_end_its_quotes() -> None:
    text = profile(Boundaries(writable=(Path('/a"b\\c'),)), Path("/t"), Network.NONE)
    assert '(allow file-write* (subpath "/a\\"b\\\\c"))' in text


def test_a_program_is_started_with_the_profile_and_a_temporary_folder() -> None:
    private = PrivateFolder()
    with Rooms(private) as rooms:
        launch = Launch(("make", "test"), Path("/w"), {"A": "1"})
        start = Seatbelt().start(launch, LIMITS, rooms, Network.NONE, None)
    assert start.argv[:2] == ("/usr/bin/sandbox-exec", "-p")
    assert start.argv[3:] == ("make", "test")
    assert start.environment == {
        "A": "1",
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(private.temporary)),
    }
    private.remove()
    assert not private.path.exists()


def test_it_is_for_macos_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert Seatbelt().missing() == "it is for macOS only"
    assert Seatbelt().places(LIMITS) == ()
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert "sandbox-exec" in Seatbelt().missing()
