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
from victor.protocols.provider import (
    Ability,
    Endpoint,
    IProvider,
    IRetries,
    LongPromptPrices,
    ModelInfo,
)
from victor.protocols.safety import (
    Access,
    Allow,
    Approval,
    Ask,
    CallReview,
    CommandFacts,
    Deny,
    IApprover,
    Mode,
    Verdict,
)
from victor.protocols.sandbox import (
    Confinement,
    ISandbox,
    Launch,
    Network,
    NoSandbox,
    SandboxPolicy,
)
from victor.protocols.selection import IToolSelectionStrategy, ScoredTool
from victor.protocols.storage import (
    Checkpoint,
    FileImage,
    ICheckpointStore,
    IFileImages,
    Intent,
    ISessionStore,
    Record,
    SessionInfo,
    SessionMatch,
)
from victor.protocols.tool import Executed, ITool, IToolAccess, ToolEnvironment, ToolOutput
from victor.protocols.workflow import RunTool, RunTurn

__all__ = [
    "Ability",
    "Access",
    "Allow",
    "AnalyticsEvent",
    "Approval",
    "Ask",
    "CallReview",
    "Checkpoint",
    "CommandFacts",
    "CompactionRequest",
    "Confinement",
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
    "IFileImages",
    "IObserver",
    "IPromptContributor",
    "IProvider",
    "IRetries",
    "ISandbox",
    "ISessionStore",
    "ITool",
    "IToolAccess",
    "IToolSelectionStrategy",
    "Intent",
    "Launch",
    "LongPromptPrices",
    "Mode",
    "ModelInfo",
    "Network",
    "NoSandbox",
    "PromptContext",
    "Record",
    "RunTool",
    "RunTurn",
    "SandboxPolicy",
    "ScoredTool",
    "SessionAnalytics",
    "SessionInfo",
    "SessionMatch",
    "Summarizer",
    "ToolEnvironment",
    "ToolOutput",
    "Verdict",
]
