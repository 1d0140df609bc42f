"""The ports that coordinators and plugins meet at. Names starting with I are Protocols."""

from victor.messages import Context
from victor.protocols.analytics import (
    AnalyticsEvent,
    ExportResult,
    IAnalyticsExporter,
    SessionAnalytics,
)
from victor.protocols.config import IConfigProvider
from victor.protocols.context import CompactionRequest, ICompactionStrategy, Summarizer
from victor.protocols.observer import Emit, IObserver
from victor.protocols.prompt import IPromptContributor, PromptContext
from victor.protocols.provider import Endpoint, IProvider, ModelInfo
from victor.protocols.safety import Allow, Ask, CallReview, Deny, IApprover, Mode, Verdict
from victor.protocols.selection import IToolSelectionStrategy, ScoredTool
from victor.protocols.storage import (
    Checkpoint,
    FileImage,
    ICheckpointStore,
    ISessionStore,
    Record,
    SessionInfo,
)
from victor.protocols.tool import Executed, ITool, ToolEnvironment, ToolOutput
from victor.protocols.workflow import RunTool, RunTurn

__all__ = [
    "Allow",
    "AnalyticsEvent",
    "Ask",
    "CallReview",
    "Checkpoint",
    "CompactionRequest",
    "Context",
    "Deny",
    "Emit",
    "Endpoint",
    "Executed",
    "ExportResult",
    "FileImage",
    "IAnalyticsExporter",
    "IApprover",
    "ICheckpointStore",
    "ICompactionStrategy",
    "IConfigProvider",
    "IObserver",
    "IPromptContributor",
    "IProvider",
    "ISessionStore",
    "ITool",
    "IToolSelectionStrategy",
    "Mode",
    "ModelInfo",
    "PromptContext",
    "Record",
    "RunTool",
    "RunTurn",
    "ScoredTool",
    "SessionAnalytics",
    "SessionInfo",
    "Summarizer",
    "ToolEnvironment",
    "ToolOutput",
    "Verdict",
]
