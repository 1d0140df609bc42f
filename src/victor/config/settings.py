"""Every setting, documented and checked: `Settings`, and `validate` for values from elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from victor.config.tables import McpServer, ModelFacts, Permissions
from victor.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LIST = "docs/settings.md lists all settings."
_SECRETS = frozenset({"api_key", "session_store_password"})

TABLES = frozenset({"mcp_servers", "models", "permissions"})
"""Settings that are tables; in the environment they are written as JSON."""


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseModel):
    """What can be chosen about an agent. Values that are not given keep their default.

    Raises `ConfigError` for unknown names and for values that do not fit, saying which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    provider: str | None = None
    """Who serves: a name that `victor providers` lists, such as `anthropic`, `ollama` or `local`.
    None chooses by the keys that are set, then a running Ollama, then the embedded model."""

    model: str | None = None
    """The model's name, as the vendor spells it. None chooses the provider's default."""

    fallbacks: tuple[Annotated[str, Field(pattern=r"^[\w.-]+(:.+)?$")], ...] = ()
    """The endpoints that take over, in this order, when the first one cannot answer: each as
    `provider:model`, or `provider` alone for its default model."""

    models: dict[Annotated[str, Field(pattern=r"^[\w.-]+:.+$")], ModelFacts] = Field(
        default_factory=dict
    )
    """What you know better of models, as a table by `provider:model`: `context_window`,
    `max_output`, `abilities`, and prices in USD for a million tokens."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Address of a server that speaks the provider's protocol, such as Ollama's or vLLM's."""

    api_key: SecretStr | None = None
    """The provider's key. None takes the vendor's own environment variable. Never shown."""

    profile: str | None = None
    """Name of a YAML file in the folder `profiles` beside the user's `config.toml`."""

    mode: Annotated[Literal["build", "plan", "explore"], BeforeValidator(_lowered)] = "build"
    """What the agent may do at the start: `build` changes things; `plan` and `explore` only read.
    In capitals it means the same."""

    instructions: str = ""
    """Your own words, added to the system prompt."""

    skill_folders: tuple[str, ...] = ()
    """Folders with skills: each a folder with a `SKILL.md`. At the terminal, `skills` in your
    folder of settings, and in `.victor` of a trusted project, where there are some."""

    system_prompt_template: str = "default"
    """Name of the template of the system prompt, or the path of one of your own."""

    enable_task_hints: bool = True
    """Whether the system prompt gets a hint for the kind of task at hand."""

    max_tool_iterations: int = Field(default=50, ge=1)
    """Model calls that one turn may make at most."""

    tool_calling_timeout: float = Field(default=120.0, gt=0)
    """Seconds that one tool call may take."""

    command_memory_limit: int | None = Field(default=None, ge=64)
    """MB that each process of a command may fill. None is three quarters of the machine's."""

    command_process_limit: int | None = Field(default=2_000, ge=1)
    """Processes and threads that a command may have at once, on Linux. The system does not hold
    root to it: a control group does, or where root can make none, a command is ended soon after it
    has more. None is as many as the system allows."""

    tool_output_limit: int = Field(default=8_000, ge=100)
    """Tokens of one tool result that the model is shown; the rest goes to a file."""

    subagent_depth: int = Field(default=1, ge=0)
    """How deep agents may start agents of their own by the tool `task`; 0: not at all."""

    tool_repeat_limit: int = Field(default=6, ge=0)
    """A turn ends when the same tool call has given the same result so often; 0: never."""

    tool_selection_strategy: str = "hybrid"
    """How tools are ranked where they are too many to send all: `keyword`, `semantic` (with the
    extra `embeddings`), `hybrid` or a registered one. `all` sends all, up to `max_tools`."""

    max_tools: int = Field(default=128, ge=1)
    """Tools that are sent to the model at most: by default as many as OpenAI takes."""

    tool_window_share: float = Field(default=0.1, gt=0, le=1)
    """What part of the model's whole window the descriptions of all tools may take together, by
    estimate. Beyond it, those that are not essential are deferred: the model finds them by
    `find_tools`."""

    essential_tools: tuple[str, ...] = ()
    """Names of tools that are sent in any case, with `*` for anything, such as `mcp__tickets__*`;
    beside `read`, `edit`, `shell` and the like, which always are."""

    max_output_tokens: int | None = Field(default=None, ge=1)
    """Tokens of one reply at most. None takes the model's own limit."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """How freely the model chooses its words. None leaves it to the vendor."""

    model_call_timeout: float = Field(default=600.0, gt=0)
    """Seconds that one model call may take, the tries that failed included."""

    connect_timeout: float = Field(default=10.0, gt=0)
    """Seconds to wait for a connection to the provider."""

    first_event_timeout: float = Field(default=120.0, gt=0)
    """Seconds to wait for the first piece of a streamed reply."""

    idle_timeout: float = Field(default=90.0, gt=0)
    """Seconds to wait for the next piece of a streamed reply. Signs of life are no pieces."""

    streaming: bool = True
    """Whether replies are streamed. Off is for servers that cannot."""

    max_retries: int = Field(default=3, ge=0)
    """How often a model call that failed in a way that may pass is made again."""

    max_retry_wait: float = Field(default=60.0, ge=0)
    """Seconds to wait at most before a model call is made again. A provider that asks to wait
    longer fails at once, and so does a call for which its rate limits have no room for longer."""

    max_concurrent_calls: int | None = Field(default=None, ge=1)
    """Model calls that may run at once at one endpoint, whoever makes them in this process; others
    wait in order. None leaves it to the provider: the embedded model answers one at a time, and
    vendors are held to the rate limits that they tell of."""

    budget_turn_tokens: int | None = Field(default=None, ge=1)
    """Tokens that one turn may take, sent and generated, cached or not. What a model call can take
    at most is set aside before it is made, in this and in every other budget."""

    budget_turn_usd: float | None = Field(default=None, gt=0)
    """US dollars that one turn may cost, by list price. A model whose price is not known is
    refused; the setting `models` can say it."""

    budget_turn_seconds: float | None = Field(default=None, gt=0)
    """Seconds that one turn may take, waiting for a person included."""

    budget_turn_model_calls: int | None = Field(default=None, ge=1)
    """Model calls that one turn may make, repeated ones and summaries included."""

    budget_turn_tool_calls: int | None = Field(default=None, ge=1)
    """Tool calls that one turn may run."""

    budget_session_tokens: int | None = Field(default=None, ge=1)
    """Tokens that all turns of a session may take together, what its workflows and evaluations
    run included; also after it was resumed. The same holds for the other budgets of a session."""

    budget_session_usd: float | None = Field(default=None, gt=0)
    """US dollars that a session may cost, by list price."""

    budget_session_seconds: float | None = Field(default=None, gt=0)
    """Seconds that the turns of a session may take together; the time between them is free."""

    budget_session_model_calls: int | None = Field(default=None, ge=1)
    """Model calls that a session may make."""

    budget_session_tool_calls: int | None = Field(default=None, ge=1)
    """Tool calls that a session may run."""

    context_window: int | None = Field(default=None, ge=1_000)
    """Tokens that the model can hold. None takes what is known of the model."""

    context_compaction_strategy: str = "hybrid"
    """How a context that grew too large is made smaller: `truncation`, `summarization`, `semantic`,
    `hybrid`, `native` (the vendor's own summary where it writes one, else `hybrid`),
    `tool_results`, or `custom` and other names once registered."""

    context_compaction_threshold: float = Field(default=0.8, gt=0, le=1)
    """Share of the room for messages from which they are compacted; above 0, at most 1. The room is
    the window without prompt, tools and what is kept for the answer."""

    summary_model: str | None = None
    """The model that summarizes, on the same provider. None takes the one that serves."""

    permissions: Permissions = Field(default_factory=Permissions)
    """Rules on tool calls: a table of the lists `allow`, `ask` and `deny`. The lists of all
    sources are joined, so that a rule of yours is never lost to a project's."""

    approve: Literal["ask", "always", "never"] = "ask"
    """What becomes of calls that need approval: a person is asked, they run, or they do not."""

    mcp_servers: dict[str, McpServer] = Field(default_factory=dict)
    """Servers of tools, as a table by name: `command`, `args`, `env`, `sandbox`, `writable` and
    `network`, or `url`, `headers` and `oauth`; `read_only` and `targets`. Needs the extra `mcp`."""

    mcp_wait: float = Field(default=5.0, ge=0)
    """Seconds that the first turn waits for them at most; who is later joins a later turn."""

    sandbox: Literal["auto", "bubblewrap", "landlock", "seatbelt", "none"] = "auto"
    """What confines the commands that tools run. `auto` takes the first kind that is seen to hold
    here; `victor doctor` tells which. `none` lets them do whatever you can do."""

    sandbox_hosts: tuple[str, ...] = ()
    """Hosts that confined commands may talk to, such as `pypi.org`, `*.npmjs.org` or `10.0.0.5:22`,
    through a proxy; `*` for all, without one. A host whose address is private is refused unless
    that address is in the list, too."""

    git_hooks: bool = False
    """Whether the hooks of repositories run when a command of the agent uses git. They came with
    the folder and run what they like, in the sandbox: say so where you know them."""

    enable_analytics: bool = True
    """Whether usage is recorded, on this machine only unless an exporter sends it elsewhere."""

    analytics_export_interval: float = Field(default=60.0, gt=0)
    """Seconds between exports."""

    analytics_file: str | None = None
    """Path of a file that usage events are appended to, one JSON object a line."""

    enable_metrics: bool = True
    """Whether calls, tokens, latencies and cost are counted."""

    enable_checkpoints: bool = True
    """Whether files are kept before a call that may change them, so that it can be undone."""

    checkpoint_days: float = Field(default=30.0, gt=0)
    """For how many days what an undo needs is kept, and outputs that were set aside."""

    checkpoint_limit_mb: float = Field(default=1024.0, gt=0)
    """Megabytes that checkpoints may take together; beyond it the oldest are let go."""

    ephemeral: bool = False
    """Whether the session is kept in memory only, and lost at the end."""

    session_store: str | None = None
    """Path of the database of sessions, or the address of a PostgreSQL server without its password:
    `postgresql://USER@HOST:PORT/DATABASE`. None takes the file in the user's data folder."""

    session_store_password: SecretStr | None = None
    """Password of the PostgreSQL server. None leaves it to PGPASSWORD and ~/.pgpass."""

    ollama_num_ctx: int | None = Field(default=None, ge=1_000)
    """Tokens of context that Ollama is asked for. None takes what the conversation needs, from
    8,192 in doublings."""

    small_model: Literal["auto", "on", "off"] = "auto"
    """Whether the model is held to valid tool calls by a grammar. `auto` does so for the embedded
    model; `on` is for other small models behind an OpenAI-compatible server."""

    local_model: str | None = None
    """The embedded model: path of a `.gguf` file, or `1.5b` or `0.5b`. None chooses by the memory
    that is free."""

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise _refusal(error, dict.fromkeys(values, "Settings(...)")) from None

        def __setattr__(self, name: str, value: Any) -> None:
            raise ConfigError(
                f"Settings cannot be changed, so {name!r} cannot be set.",
                hint=f"Make others with settings.changed({name}=...).",
            )

    def changed(self, **values: Any) -> Settings:
        """Return the same settings but for `values`. Raises `ConfigError`."""
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return Settings(**(kept | values))


def validate(
    values: Mapping[str, Any], origins: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """Return all settings, read-only: `values` where they are given, defaults elsewhere.

    `origins` says where each value comes from. Raises `ConfigError` that names all that is wrong,
    each with its origin and what would be right.
    """
    try:
        # Not by keyword, because the constructor would name itself as the origin.
        settings = Settings.__pydantic_validator__.validate_python(
            dict(values), self_instance=Settings.__new__(Settings)
        )
    except ValidationError as error:
        raise _refusal(error, origins or {}) from None
    return as_mapping(settings)


def as_mapping(settings: Settings) -> Mapping[str, Any]:
    """Return every setting by name, read-only, defaults included."""
    return MappingProxyType({name: value_of(settings, name) for name in Settings.model_fields})


def value_of(settings: Settings, name: str) -> Any:
    """Return one setting as coordinators see it: a table is a read-only mapping."""
    value = getattr(settings, name)
    return MappingProxyType(dict(value)) if isinstance(value, dict) else value


def names() -> tuple[str, ...]:
    """Return the names of all settings, in the order in which they are documented."""
    return tuple(Settings.model_fields)


def nearest(name: str) -> str:
    """Return the setting that `name` may be a slip of, or an empty string."""
    letters = sorted(name)
    swapped = [known for known in Settings.model_fields if sorted(known) == letters]
    return next(iter(swapped or difflib.get_close_matches(name, Settings.model_fields, n=1)), "")


def unknown(name: str, origin: str, *, meant: str = "") -> ConfigError:
    """Return the error for a setting that does not exist; `meant` is the nearest one's spelling."""
    guess = meant or nearest(name)
    suggestion = f" Did you mean {guess!r}?" if guess else ""
    return ConfigError(f"{origin}: there is no setting {name!r}.{suggestion}", hint=_LIST)


def _refusal(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """Return one error for everything that is wrong. No secret is in it."""
    faults = [_fault(details, origins) for details in error.errors(include_url=False)]
    if len(faults) == 1:
        return ConfigError(faults[0], hint=_LIST)
    listed = "\n".join(f"  {fault}" for fault in faults)
    return ConfigError(f"{len(faults)} settings are wrong:\n{listed}\n", hint=_LIST)


def _fault(details: ErrorDetails, origins: Mapping[str, str]) -> str:
    location = details["loc"]
    key = str(location[0]) if location else ""
    path = ".".join(str(step) for step in location)
    origin = origins.get(key, "settings")
    if details["type"] == "extra_forbidden":
        guess = nearest(key) if len(location) == 1 else ""
        suggestion = f" Did you mean {guess!r}?" if guess else ""
        return f"{origin}: there is no setting {path!r}.{suggestion}"
    shown = "" if key in _SECRETS else f" is {_short(details['input'])}, but"
    return f"{origin}: {path}{shown} {_expected(details)}"


def _expected(details: ErrorDetails) -> str:
    """Return what would be right, from pydantic's wording."""
    if details["type"] == "string_pattern_mismatch":
        pattern = details["ctx"]["pattern"]
        return (
            "should start with http:// or https://."
            if "http" in pattern
            else ("should be written as provider:model.")
        )
    message = details["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}.".replace("input should", "should")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
