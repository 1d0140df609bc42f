"""One conversation: its session, whether it has begun, and the turns it has had."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from victor import plans
from victor.agent.assembly import Parts, configure
from victor.agent.fits import ENDPOINT, MODE
from victor.agent.output_type import output_form
from victor.agent.session_budget import SessionBudget
from victor.agent.session_plan import SessionPlan
from victor.agent.stages import ModeStage, ProviderStage
from victor.agent.structured_output import OutputCheck
from victor.agent.turn import Turn
from victor.budget import Budget
from victor.errors import SessionError, SessionNotFound, VictorError
from victor.events import HistoryRepaired, SessionStarted
from victor.history import IMPORTED, in_force, last_number, restored_files
from victor.intents import Unfinished, unfinished
from victor.messages import Context, Message, Response
from victor.plans import Plan
from victor.protocols import (
    Attachment,
    Endpoint,
    Mode,
    PromptContext,
    Record,
    RunTurn,
    SessionInfo,
)
from victor.protocols.workflow import Talk

_RESTORED = (
    "[The user has undone or redone changes of yours in: {}. They are not as you left them.]"
)
"""What the model is told with the next turn, as it could not know."""


class Conversation:
    """Opens the session before the first turn, or goes on with a recorded one."""

    def __init__(
        self, parts: Parts, workspace: Path, session_id: str, budget: Budget | None = None
    ) -> None:
        self.session_id = session_id
        self._workspace = workspace
        self._parts = parts
        self._guard = parts.bus.guard
        self._begun = False
        self._resumed = False
        self._forked_from: tuple[str, ...] = ()
        """The session that it is a copy of, the one that this is a copy of, and so on."""
        self._turns = 0
        self._restored: tuple[str, ...] = ()
        """Files that were taken back or brought back, which the model does not know yet."""
        self._plan = SessionPlan(parts.plans)
        self._unfinished: tuple[tuple[Record, ...], Unfinished] | None = None
        """The record that was resumed, where it broke off in a step of which calls may run again"""
        self._quotes = False
        self.turn_id = ""
        """The id of the last turn; empty before the first."""
        self.turn_budget: Budget | None = None
        """What the last turn draws on, and everything that it starts; None: nothing limits it."""
        self.attached: tuple[Attachment, ...] = ()
        """What goes along with the user's next words."""
        self._budget = SessionBudget(budget, parts.coordinators["config"].get_config())

    @property
    def budget(self) -> Budget | None:
        """What everything in it draws on; None where nothing limits it."""
        return self._budget.current

    def endpoint(self) -> Endpoint:
        """Return where the next model call goes. Raises `CoordinatorError`."""
        provider: ProviderStage = self._parts.coordinators["provider"]
        return self._guard.require(
            "provider",
            "current",
            lambda: provider.current,
            fits=ENDPOINT,
        )

    def mode(self) -> Mode:
        """Return what the agent may do now; the least, where that cannot be told."""
        mode: ModeStage = self._parts.coordinators["mode"]
        return self._guard.read(
            "mode",
            "current",
            lambda: mode.current,
            Mode.PLAN,
            fits=MODE,
        )

    async def begin(self) -> None:
        """Load the configuration and open the session; after the first time, do nothing.

        Raises `ConfigError`, `SessionError` or `CoordinatorError`.
        """
        if self._begun:
            return
        parts = self._parts
        config = await self._load_config()
        configure(parts, config)
        self._budget.configure(config)
        endpoint, now = self.endpoint(), time.time()
        info = SessionInfo(
            id=self.session_id,
            title="",
            workspace=str(self._workspace),
            provider=endpoint.provider.name,
            model=endpoint.model,
            created=now,
            updated=now,
        )
        for name in ("context", "tool", "mode"):
            tell = getattr(parts.coordinators[name], "start_session", None)
            if tell is not None:
                self._guard.require(name, "start_session", partial(tell, self.session_id))
        parts.set_aside.belong_to(self.session_id, *self._forked_from)
        start = parts.coordinators["session"].start
        await self._guard.critical("session", "start", lambda: start(info))
        self._begun = True
        parts.bus.publish(SessionStarted(self.session_id, self._resumed))
        if self._unfinished is not None:
            await self._finish(*self._unfinished)
            self._unfinished = None

    async def reload_config(self) -> None:
        """Adopt what the sources of configuration say now, or leave all as it was and raise.

        Raises `ConfigError` or `CoordinatorError`.
        """
        before = self._parts.coordinators["config"].get_config()
        config = await self._load_config()
        try:
            configure(self._parts, config)
        except VictorError:
            configure(self._parts, before)
            raise
        self._budget.configure(config)

    async def resume(self, session_id: str) -> tuple[Message, ...]:
        """Go on with a recorded session (`last`: the workspace's latest); return its messages.

        Raises `SessionNotFound`, or `SessionError` where a turn was had already.
        """
        if self._begun:
            raise SessionError(
                "A conversation has begun here.", hint="Resume before the first turn."
            )
        session = self._parts.coordinators["session"]
        context = self._parts.coordinators["context"]
        session_id = await session.resolve(session_id, str(self._workspace))
        await session.open(session_id)
        records = await session.load(session_id)
        messages, repairs = session.restore(records)
        if repairs:
            self._parts.bus.publish(HistoryRepaired("resume", repairs))
        context.replace(Context(messages), source="resume", emit=self._parts.bus.publish)
        self._parts.turn_loop.forget_mode()
        self._parts.turn_loop.remember(records)
        self._parts.turn_loop.calibrate(records)
        self.session_id = session_id
        # What a file says of its parents would open what those have set aside.
        imported = any(record.data.get(IMPORTED) for record in records)
        self._forked_from = () if imported else await self._ancestors(session_id)
        for ancestor in self._forked_from:
            with suppress(SessionNotFound):  # A parent may be gone, with all that it set aside.
                self._parts.turn_loop.overhear(await session.load(ancestor))
        self._resumed = True
        self._turns = last_number(records)
        self._restored = restored_files(records)
        await self._plan.restore(session_id, in_force(records))
        self._budget.restore(records)
        left = unfinished(records)
        self._unfinished = None if left is None else (records, left)
        messages_now: tuple[Message, ...] = context.get_context().messages
        return messages_now

    async def plan(self) -> Plan | None:
        """Return the plan as it is now, by its file or else the record. Raises `SessionError`."""
        return await self._plan.current(self.session_id, in_force(await self.records()))

    async def approve(self, plan: Plan) -> None:
        """Let the model be told with the next turn to build the plan. Raises `SessionError`."""
        await self.note(plans.record(plan.text, approved=True))
        self._plan.approve(plan.text)

    def keep_planning(self) -> None:
        """Take the word back that a plan shall be built, where the model was not told of it."""
        self._plan.keep_planning()

    async def _ancestors(self, session_id: str) -> tuple[str, ...]:
        """Return the sessions that it was forked from, as far as they are still on record."""
        session, found = self._parts.coordinators["session"], list[str]()
        with suppress(SessionNotFound):
            while (session_id := (await session.info(session_id)).parent) not in ("", *found):
                found.append(session_id)
        return tuple(found)

    async def _finish(self, records: tuple[Record, ...], left: Unfinished) -> None:
        """Run the calls that a crash interrupted and that may run again; the model sees the rest
        as interrupted.
        """
        budget = self._budget.of_turn()
        turn = Turn(self.session_id, left.turn_id, "", PromptContext(), budget=budget)
        results = await self._parts.turn_loop.run_again(turn, left.calls)
        if not results:
            return
        done = tuple(Record("result", left.turn_id, result=result) for result in results)
        messages = self._parts.coordinators["session"].messages((*records, *done))
        context = self._parts.coordinators["context"]
        context.replace(Context(messages), source="resume", emit=self._parts.bus.publish)

    async def records(self) -> tuple[Record, ...]:
        """Return what is on record of it; nothing before the first turn. Raises `SessionError`."""
        try:
            session = self._parts.coordinators["session"]
            found: tuple[Record, ...] = await session.load(self.session_id)
        except SessionNotFound:
            return ()
        return found

    async def note(self, record: Record) -> None:
        """Put on record what was done to the conversation from outside. Raises `SessionError`."""
        self._restored = restored_files((record,)) or self._restored
        store = self._parts.coordinators["session"].record
        await self._guard.critical("session", "record", lambda: store(self.session_id, record))

    async def rebuild(self) -> None:
        """Let the model see what the record says now. Raises `SessionError`."""
        messages = self._parts.coordinators["session"].messages(await self.records())
        context = self._parts.coordinators["context"]
        context.replace(Context(messages), source="rewind", emit=self._parts.bus.publish)
        self._parts.turn_loop.forget_mode()

    async def fork(self, session_id: str, at_turn: int | None) -> tuple[Message, ...]:
        """Go on with a copy of a recorded session; return its messages. Raises as `resume`."""
        if self._begun:
            raise SessionError("A conversation has begun here.", hint="Fork before the first turn.")
        session = self._parts.coordinators["session"]
        parent = await session.resolve(session_id, str(self._workspace))
        endpoint = self.endpoint()
        await session.fork(
            parent,
            self.session_id,
            at_turn=at_turn,
            provider=endpoint.provider.name,
            model=endpoint.model,
        )
        return await self.resume(self.session_id)

    def turn(self, text: str, told: Mapping[str, Any], output: Any = None) -> Turn:
        """Return the next turn; `told` is what the caller tells the prompt's contributors.

        `output` is what its answer must be, beside words. Raises `ConfigError` where it cannot be.
        """
        check = None if output is None else OutputCheck(output_form(output))
        self._turns += 1
        endpoint = self.endpoint()
        facts = PromptContext(
            {
                "session_id": self.session_id,
                "workspace": str(self._workspace),
                "provider": endpoint.provider.name,
                "model": endpoint.model,
                "mode": str(self.mode()),
                "task": text,
                **told,
            }
        )
        turn_id = self.turn_id = f"{self.session_id}-{self._turns}"
        budget = self.turn_budget = self._budget.of_turn()
        note = self._told() if text else ""
        turn = Turn(self.session_id, turn_id, text, facts, check, note=note, budget=budget)
        turn.number = self._turns
        turn.heard = not self._quotes
        if text:
            turn.attached, self.attached = self.attached, ()
        return turn

    def quoting(self, chat: RunTurn) -> Talk:
        """Return ways to talk for who puts texts together from his own words and from outputs."""

        async def quote(text: str) -> Response:
            self._quotes = True
            try:
                return await chat(text)
            finally:
                self._quotes = False

        return {"chat": quote, "hear": self._parts.turn_loop.hear}

    def _told(self) -> str:
        """Return what the model must know of what was done between the turns."""
        notes: list[str] = []
        # Who goes back to planning after all has taken the word back. What compactions know the
        # plan by is that it comes first.
        if (plan := self._plan.note(self.session_id)) and self.mode() is Mode.BUILD:
            notes.append(plan)
        if self._restored:
            notes.append(_RESTORED.format(", ".join(map(self._name, self._restored))))
        self._restored = ()
        self._plan.settle()
        return "\n\n".join(notes)

    async def aclose(self) -> None:
        """Leave nothing behind that should not stay, an approval that was taken back neither."""
        if self._plan.taken_back:
            with suppress(VictorError):
                await self.note(plans.record(self._plan.taken_back))
        await self._plan.aclose()

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self._workspace}{os.sep}")

    async def _load_config(self) -> Mapping[str, Any]:
        load = self._parts.coordinators["config"].load
        return await self._guard.critical(
            "config",
            "load",
            lambda: load(self.session_id),
            fits=lambda value: isinstance(value, Mapping),
        )
