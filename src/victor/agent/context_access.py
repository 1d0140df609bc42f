"""The part of the facade that tells what the model sees and why, and makes it smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from victor.agent.attachment_access import AttachmentAccess
from victor.agent.request_notes import known_model
from victor.compactions import UNDONE, before_last
from victor.context_picture import ContextPicture, picture
from victor.errors import UnknownNameError
from victor.events import ContextCompacted
from victor.explanations import Explanation, Part, Topic
from victor.explanations.parts import message_parts, model_facts, prompt_parts, tool_parts
from victor.explanations.record import from_record
from victor.permissions import rule_places
from victor.protocols import Endpoint, Mode, Record

if TYPE_CHECKING:
    from victor.agent.coordinators.config_coordinator import Explanation as SettingExplained
    from victor.agent.event_bus import EventBus
    from victor.agent.turn_loop import TurnLoop


class ContextAccess(AttachmentAccess):
    """Compaction on request, the picture of the window, and explanations."""

    prompt_context: dict[str, Any]
    _turns: TurnLoop
    _bus: EventBus

    @property
    def session_id(self) -> str:
        """The id that the conversation is recorded under."""
        raise NotImplementedError

    @property
    def current(self) -> Endpoint:
        """The provider and model that the next model call goes to."""
        raise NotImplementedError

    @property
    def mode(self) -> Mode:
        """What the agent may do now."""
        raise NotImplementedError

    async def compact(self, focus: str = "") -> ContextCompacted | None:
        """Make the context smaller now; return the receipt, None where nothing could be left out.

        `focus` says what to keep above all: relevance and summaries go by it. The record keeps
        everything, and `undo_compaction` takes it back. Raises `CompactionError`, `ProviderError`,
        `BudgetExceeded` or `SessionError`.
        """
        self._enter()
        if not self.context_coordinator.get_context().messages:
            return None
        await self._conversation.begin()
        turn = self._conversation.turn("", self.prompt_context)
        done = await self._turns.compact(turn, focus)
        await self._bus.flush()
        return done

    async def undo_compaction(self) -> bool:
        """Let the model see again what the last compaction left out; return whether there was one.

        What no longer fits is compacted again with the next turn. Raises `SessionError`.
        """
        self._enter()
        messages = before_last(await self._conversation.records())
        if messages is None:
            return False
        await self._conversation.begin()
        record = Record("compacted", "", context=messages, data={UNDONE: True})
        await self._conversation.note(record)
        await self._conversation.rebuild()
        return True

    async def context_picture(self) -> ContextPicture:
        """Return what fills the window now, as the next request would send it."""
        self._enter()
        room = await self._turns.room(self._conversation.turn("", self.prompt_context))
        threshold = self.config_coordinator.get_config().get("context_compaction_threshold", 1.0)
        return picture(
            self.context_coordinator.get_context().messages,
            provider=room.endpoint.provider.name,
            model=room.endpoint.model,
            system=room.system,
            tools=room.tools,
            window=room.window,
            reserve=room.reserve,
            threshold=threshold,
            fit=room.fit,
            vocabulary=room.vocabulary,
        )

    async def explain(
        self, topic: Topic | str, *, turn: int | None = None, session_id: str | None = None
    ) -> Explanation:
        """Return why something is as it is: `prompt`, `context`, `tools`, `config`, `safety` or
        `model`.

        Of this conversation, or of the recorded one `session_id` (`last`, or how an id begins); of
        the turn with this number, by default the last one. Where there is no turn yet, of the next
        one. Rules are told as they are now; so are settings, but for those that shaped the requests
        of a turn that is asked for. Raises `UnknownNameError`, `SessionNotFound` or `SessionError`.
        """
        self._enter()
        if topic not in tuple(Topic):
            raise UnknownNameError("topic", str(topic), tuple(one.value for one in Topic))
        topic = Topic(topic)
        if topic is Topic.CONFIG and turn is None:
            return self._config_explained()
        name, records = self.session_id, await self._conversation.records()
        if session_id is not None:
            name = await self.session_coordinator.resolve(session_id, str(self.workspace))
            records = await self.session_coordinator.load(name)
        if turn is None and not any(record.kind == "user" for record in records):
            found = await self._next_explained(topic)
        else:
            found = from_record(topic, name, records, turn)
        if topic is Topic.SAFETY:
            return replace(found, parts=(*self._rules(), *found.parts))
        if topic is Topic.MODEL and session_id is None:
            return replace(found, facts={**self._model_facts(), **found.facts})
        return found

    async def _next_explained(self, topic: Topic) -> Explanation:
        room = await self._turns.room(self._conversation.turn("", self.prompt_context))
        known = known_model(self.provider_coordinator.model_info(room.endpoint))
        parts: tuple[Part, ...] = ()
        facts: Mapping[str, Any] = {}
        match topic:
            case Topic.PROMPT:
                told: Any = getattr(self.prompt_coordinator, "explain", tuple)()
                noted = ((one.contributor, one.priority, one.tokens, len(one.text)) for one in told)
                parts = prompt_parts(room.system, noted, known=known)
            case Topic.TOOLS:
                parts = tool_parts(room.tools, self.tool_coordinator.specs)
                facts = {
                    "candidates": len(parts),
                    "not offered": len(parts) - len(room.tools),
                    "strategy": self.tool_selection_coordinator.strategy,
                }
            case Topic.CONTEXT:
                messages = self.context_coordinator.get_context().messages
                parts = message_parts(messages, known=known)
            case Topic.SAFETY:
                facts = {"mode": self.mode}
        return Explanation(topic, "the next turn", facts, parts)

    def _config_explained(self) -> Explanation:
        found = map(self._setting_explained, self.config_coordinator.get_config())
        parts = tuple(
            Part(one.key, one.source, {"value": one.value, "overrode": one.overrode})
            for one in found
        )
        return Explanation(Topic.CONFIG, "the settings in force", parts=parts)

    def _setting_explained(self, name: str) -> SettingExplained:
        from victor.agent.coordinators.config_coordinator import Explanation as SettingExplained
        from victor.agent.coordinators.config_coordinator import masked

        coordinator = self.config_coordinator
        explain = getattr(coordinator, "explain", None)
        if explain is None:  # A coordinator of the application's own need not know more than this.
            source = type(coordinator).__name__
            value = masked(name, coordinator.get_config().get(name))
            return SettingExplained(name, value, source)
        found: SettingExplained = explain(name)
        return found

    def _rules(self) -> tuple[Part, ...]:
        """Return the rules in force, each with where it stands."""
        told = self._setting_explained("permissions")
        places = rule_places(told.source, told.value, told.overrode)
        kept = tuple(
            Part(f"rule {name} {text}", place, {"rule": text, "list": name})
            for name, rules in places.items()
            for text, place in rules.items()
        )
        granted = getattr(self.safety_coordinator, "granted", ())
        allowed = {"list": "allow"}
        asked = tuple(
            Part(f"rule allow {rule}", "you allowed it for this session", {"rule": rule, **allowed})
            for rule in granted
        )
        return (*kept, *asked)

    def _model_facts(self) -> Mapping[str, Any]:
        """Return what is known of the model that serves now."""
        current = self.current
        info = self.provider_coordinator.model_info(current)
        window = self.config_coordinator.get_config().get("context_window") or info.context_window
        known = known_model(replace(info, context_window=window))
        return {"now": f"{current.provider.name}:{current.model}", **model_facts(known)}
