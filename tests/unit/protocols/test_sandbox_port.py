"""No sandbox is one, too: it starts what it is given, and says that it confines nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.protocols import Confinement, ISandbox, Launch, Network, NoSandbox, SandboxPolicy

pytestmark = pytest.mark.anyio


async def test_no_sandbox_starts_what_it_is_given_and_says_why() -> None:
    sandbox: ISandbox = NoSandbox("it is switched off")
    launch = Launch(("true",), Path("/"), {"A": "1"})
    async with sandbox.confine(launch, SandboxPolicy(network=Network.HOSTS)) as start:
        assert start is launch
    found = await sandbox.confinement()
    assert found == Confinement("none", confines=False, reason="it is switched off")


def test_a_policy_allows_nothing_unless_told() -> None:
    policy = SandboxPolicy()
    assert (policy.writable, policy.network, policy.hosts) == ((), Network.NONE, ())
