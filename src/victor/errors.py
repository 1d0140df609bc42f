"""Every exception that Victor raises.

    VictorError
    ├── ConfigError                a setting is unknown, ill-typed or unreadable; names source, key
    │   └── UnknownNameError       a name that is not registered; lists the known ones
    ├── ProviderError              the model could not answer
    │   ├── AuthenticationError    the key is missing, wrong or not allowed to do this
    │   ├── RateLimitError         the vendor asks to wait
    │   ├── ProviderUnavailable    unreachable, overloaded or answering with 5xx
    │   ├── ContextExceeded        the request does not fit the model's window
    │   ├── InvalidRequest         the vendor refuses the request as it stands
    │   │   └── ReplayDiverged     what is asked is not what was recorded; shows where it parts
    │   ├── BadReply               the answer is broken: cut, not JSON, or against the protocol
    │   └── ModelMissing           the model, or what it needs to run here, is not installed
    ├── OutputError                the answer does not have the form that was asked for
    ├── ToolError                  a tool failed; the text is what the model is told
    │   ├── WorkspaceError         a path leads outside the workspace, or cannot be read or written
    │   └── SandboxError           a process cannot be confined as it must be, so it is not started
    ├── SafetyError                the safety check itself failed
    ├── SessionError               the record cannot be opened, read or written
    │   └── SessionNotFound
    ├── CheckpointError            a restorable point cannot be kept or restored
    ├── CompactionError            no strategy could make the context fit
    ├── BudgetExceeded             what may be spent is spent; says which setting raises it
    ├── CoordinatorError           a coordinator that the turn cannot do without failed
    ├── TurnInProgress             chat was called while a turn runs on the same orchestrator
    ├── WrongEventLoop             the orchestrator is used from another loop or thread
    ├── WorkflowError              a workflow is ill-formed or a step of it failed
    └── EvaluationError            a suite is ill-formed

Each says what happened, where, and what to do. None carries a secret.
"""

from __future__ import annotations

import difflib


class VictorError(Exception):
    """Base of every exception that Victor raises on purpose."""

    hint: str = ""
    """What the reader can do about it, or empty."""

    retryable: bool = False
    """Whether the same call may succeed later without a change."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or type(self).hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class ConfigError(VictorError):
    """A setting is unknown, ill-typed or unreadable. The text names the source and the key."""


_MOST_LISTED = 30
"""Names that are listed where one is not known; of more, only those that are near."""


class UnknownNameError(ConfigError):
    """A name that nothing is registered under."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...], *, hint: str = "") -> None:
        """Say which `kind` of thing (a noun) has no `name`, suggesting the nearest of `known`."""
        super().__init__(f"There is no {kind} {name!r}.{_near(name, known)}", hint=hint)
        self.name = name
        self.known = known


def _near(name: str, known: tuple[str, ...]) -> str:
    """Return what may have been meant: of a few names all, of many the nearest."""
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
    if len(known) <= _MOST_LISTED:
        return f"{meant} Known: {', '.join(sorted(known)) or 'none'}."
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    return f"{meant} Nearest of {len(known)}: {', '.join(near)}." if near else meant


class ProviderError(VictorError):
    """The model could not answer.

    `provider` and `model` say which, `status` is the HTTP status where there was one, and
    `retry_after` the seconds that the vendor asks to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
    ) -> None:
        where = ", ".join(name for name in (provider, model) if name)
        super().__init__(f"{message} ({where})" if where else message, hint=hint)
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after = retry_after
        self.partial = ""
        """The text that had arrived when the call failed; filled in by the chat coordinator."""


class AuthenticationError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""


class RateLimitError(ProviderError):
    """The vendor asks to wait."""

    retryable = True


class ProviderUnavailable(ProviderError):
    """The vendor is unreachable, overloaded, or answers with a server error."""

    retryable = True


class ContextExceeded(ProviderError):
    """The request does not fit the model's context window."""


class InvalidRequest(ProviderError):
    """The vendor refuses the request as it stands."""


class ReplayDiverged(InvalidRequest):
    """What is asked of a recording is not what was recorded. The text shows where it parts."""

    hint = "Record it again, or let the replay ignore that field."


class BadReply(ProviderError):
    """The answer is broken: cut off, not JSON, or against the vendor's own protocol."""

    retryable = True


class ModelMissing(ProviderError):
    """The model, or what it needs to run here, is not installed."""


class OutputError(VictorError):
    """The model's answer does not have the form that was asked for, also after it was told so."""

    def __init__(self, message: str, *, problem: str = "", content: str = "") -> None:
        super().__init__(message, hint="Ask for a simpler form, or choose another model.")
        self.problem = problem
        """What did not fit in the last answer."""
        self.content = content
        """The last answer."""


class ToolError(VictorError):
    """A tool failed. The text is what the model is told, so it says what to do next."""

    source = ""
    """Where foreign words in it come from; empty where there are none."""


class WorkspaceError(ToolError):
    """A path leads outside the workspace, or cannot be read or written."""


class SandboxError(ToolError):
    """A process cannot be confined as it must be, so it is not started."""


class SafetyError(VictorError):
    """The safety check itself failed; effects are denied."""


class SessionError(VictorError):
    """The session record cannot be opened, read or written."""


class SessionNotFound(SessionError):
    """No session has this id."""

    def __init__(self, session_id: str, *, hint: str = "") -> None:
        super().__init__(
            f"There is no session {session_id!r}.",
            hint=hint or "`victor sessions` lists the recorded ones.",
        )
        self.session_id = session_id


class CheckpointError(VictorError):
    """A restorable point cannot be kept or restored."""


class CompactionError(VictorError):
    """Not even the fallback could make the context fit the model's window."""


class BudgetExceeded(VictorError):
    """What may be spent is spent, or the next call could take more than what is left.

    `budget` names the setting that holds, `limit` what it allows, `spent` what was taken of it,
    and `wanted` what the next call could have taken; all of them in `unit`.
    """

    def __init__(
        self, budget: str, *, limit: float, spent: float, wanted: float, unit: str
    ) -> None:
        wish = f", and the next call may take {wanted:,.6g}" if wanted else ""
        super().__init__(
            f"The budget {budget} is used up: {spent:,.6g} of {limit:,.6g} {unit} are taken{wish}.",
            hint=f"Raise it with the setting {budget}, or remove it there."
            if budget.startswith(("budget_turn_", "budget_session_"))
            else "Raise the limit where this budget is made.",
        )
        self.budget = budget
        self.limit = limit
        self.spent = spent
        self.wanted = wanted
        self.unit = unit


class CoordinatorError(VictorError):
    """A coordinator that the turn cannot do without failed."""

    def __init__(self, coordinator: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"The {coordinator} coordinator failed: {message}", hint=hint)
        self.coordinator = coordinator


class TurnInProgress(VictorError):
    """`chat` was called while a turn runs on the same orchestrator."""

    hint = "Await the running turn first, or use one orchestrator per conversation."


class WrongEventLoop(VictorError):
    """The orchestrator is used from another event loop or thread than the one it started in."""

    hint = "Create one orchestrator per event loop."


class WorkflowError(VictorError):
    """A workflow is ill-formed, or a step of it failed.

    `step` is the id of the step where there is one, and `result` what the step, or the whole run,
    had given up to then.
    """

    def __init__(
        self, message: str, *, step: str = "", result: object = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.result = result


class EvaluationError(VictorError):
    """An evaluation suite is ill-formed."""
