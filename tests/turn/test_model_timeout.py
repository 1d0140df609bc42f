"""A model that does not come to an end."""

from __future__ import annotations

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import ProviderUnavailable
from victor.testing import Chaos, ChaosProvider

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("chaos", "arrived"), [(Chaos.HANGS, ""), (Chaos.HANGS_MIDWAY, "It was a dark ")]
)
async def test_a_model_that_hangs_is_named_with_its_setting_and_what_had_arrived(
    chaos: Chaos, arrived: str
) -> None:
    settings = Settings(ephemeral=True, model_call_timeout=0.05, max_retries=0)
    async with AgentOrchestrator(settings, ChaosProvider(chaos), "m") as agent:
        with pytest.raises(ProviderUnavailable, match="model_call_timeout") as failed:
            await agent.chat("Tell me a story.")
    assert failed.value.partial == arrived
