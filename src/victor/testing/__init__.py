"""Public doubles for tests: providers, observers and approvers without the network.

provider = ScriptedProvider("Hello", [call("read", path="a.txt")], "Done")
"""

from victor.testing.chaos import Chaos, ChaosProvider
from victor.testing.echo import EchoProvider
from victor.testing.recording import RecordingObserver, ScriptedApprover
from victor.testing.recording_provider import RecordingFile, RecordingProvider
from victor.testing.replay_provider import ReplayProvider
from victor.testing.scripted import ScriptedProvider, ScriptedReply, call, chunks

__all__ = [
    "Chaos",
    "ChaosProvider",
    "EchoProvider",
    "RecordingFile",
    "RecordingObserver",
    "RecordingProvider",
    "ReplayProvider",
    "ScriptedApprover",
    "ScriptedProvider",
    "ScriptedReply",
    "call",
    "chunks",
]
