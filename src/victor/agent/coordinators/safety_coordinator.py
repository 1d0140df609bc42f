"""Whether a tool call may run. Fails closed: what is not understood is asked for or denied.

In this order: the mode, deny rules, what a person allowed for the session, what foreign words
must not bring about unasked, ask rules, allow rules, and then what the tool declares.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from victor.errors import ConfigError
from victor.messages import Effect, ToolCall, ToolResult
from victor.permissions import Rules, narrowest, protected_path
from victor.protocols import (
    Allow,
    Approval,
    Ask,
    CallReview,
    CommandFacts,
    Confinement,
    Deny,
    IApprover,
    IRememberingApprover,
    IRuleStore,
    ISandbox,
    Mode,
    Rewrite,
    Verdict,
)
from victor.questions import question
from victor.taint import Taint

Analyze: TypeAlias = Callable[[str], CommandFacts]
"""Says what a shell command is, without running it."""

_BEFOREHAND = "A rule in the setting permissions can allow it beforehand."
_WITHOUT = "The option --no-sandbox lets commands run without one."
_APPROVALS = ("ask", "always", "never")


class SafetyCoordinator:
    """Decides by rules, modes and declared effects, and lets a person decide the rest.

    `rules` are as the setting `permissions`, and hold beside it. Without `approver` nobody
    can be asked. Without `analyze` no command counts as harmless. `trusted` names the tools that
    the application itself handed over: they run unasked unless a rule says otherwise. `store`
    keeps what is allowed for good. `sandbox` is what commands run in; None where none is wanted.
    """

    def __init__(
        self,
        rules: Mapping[str, tuple[str, ...]] | None = None,
        approver: IApprover | None = None,
        *,
        analyze: Analyze | None = None,
        trusted: tuple[str, ...] = (),
        store: IRuleStore | None = None,
        sandbox: ISandbox | None = None,
    ) -> None:
        self._approver = approver
        self._analyze = analyze or (lambda command: CommandFacts((command,)))
        self._trusted = frozenset(trusted)
        self._store = store
        self._sandbox = sandbox
        self._confinement = Confinement("none", confines=False, reason="", waived=True)
        self._own_rules = self._rules = Rules.of(rules or {})
        self._approve = "ask"
        self._granted: dict[str, bool] = {}
        self.taint = Taint()
        """What the conversation has read that is foreign."""

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `permissions` and `approve`. Raises `ConfigError` and then keeps what holds."""
        configured = Rules.of(config.get("permissions") or {})
        approve = str(config.get("approve") or self._approve)
        if approve not in _APPROVALS:
            raise ConfigError(f"approve must be one of {', '.join(_APPROVALS)}, not {approve!r}.")
        self._rules = self._own_rules + configured
        self._approve = approve

    def locate_rules(self, places: Mapping[str, Mapping[str, str]]) -> None:
        """Say with each rule of the settings where it stands: by list, then by the rule's text."""
        self._rules = self._rules.located(places)

    @property
    def rules(self) -> Rules:
        """The rules that hold now."""
        return self._rules

    def inherit(self, rules: Rules) -> None:
        """Hold these rules as well, whatever the settings say."""
        self._own_rules += rules
        self._rules += rules

    def hear(self, words: str) -> None:
        """Take note of what the person said: the hosts that they name are no new ones."""
        self.taint.hear(words)

    def vouch(self, values: tuple[str, ...]) -> None:
        """Let calls be aimed at these values as if the person had named them, such as their own
        address. It is not recorded: a resumed conversation is to be told again.
        """
        self.taint.vouch(values)

    def learn(self, results: tuple[ToolResult, ...]) -> None:
        """Take note of what the conversation has read, also in what was resumed."""
        self.taint.learn(results)

    @property
    def granted(self) -> tuple[str, ...]:
        """What a person has allowed for the rest of the session, as rules."""
        return tuple(self._granted)

    def forget_granted(self) -> None:
        """Take back what was allowed for the session."""
        self._granted.clear()

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        """Return one verdict for each call, in order.

        What a rule keeps from being read is hidden from calls that may run, such as a search.
        """
        if self._sandbox is not None and any(review.access.command for review in reviews):
            self._confinement = await self._sandbox.confinement()
        return tuple(self._verdict(review, mode) for review in reviews)

    async def ask(self, call: ToolCall, verdict: Ask) -> Allow | Deny | Rewrite:
        """Let a person decide; without one, or when asking fails, deny."""
        answer, hidden = await self._answer(call, verdict), verdict.hidden
        if not isinstance(answer, Allow):
            return answer
        return Allow(
            answer.reason, self._rules.hidden_from(call.name) if hidden is None else hidden
        )

    async def _answer(self, call: ToolCall, verdict: Ask) -> Allow | Deny | Rewrite:
        approver = self._approver
        if approver is None:
            always = self._approve == "always"
            return Allow("approve = always") if always else self._unasked(verdict.reason)
        try:
            if isinstance(approver, IRememberingApprover):
                return self._answered(call, verdict, await approver.decide(call, verdict))
            return self._answered(call, verdict, await approver.approve(call, verdict.question))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Deny("the question was not answered")
        except Exception as error:  # noqa: BLE001  # an approver of anybody's; then nothing runs
            return Deny(f"the question could not be asked: {type(error).__name__}: {error}")

    def _answered(self, call: ToolCall, verdict: Ask, answer: object) -> Allow | Deny | Rewrite:
        match answer:
            case Approval.REFUSED:
                return Deny("the person refused it")
            case Approval() if verdict.rules and answer is not Approval.ONCE:
                return self._remember(call, verdict, answer)
            case True | Approval():
                return Allow("you allowed it")
            case Rewrite() if answer.call.id == call.id:
                return answer
            case _:
                return Deny("the person refused it")

    def _remember(self, call: ToolCall, verdict: Ask, place: Approval) -> Allow:
        rules = (call.name,) if place is Approval.TOOL else verdict.rules
        self._granted |= dict.fromkeys(rules, bool(self.taint.source))
        named = ", ".join(rules)
        session = f"you allowed {named} for this session"
        if place not in (Approval.PROJECT, Approval.USER) or not verdict.lasting or not self._store:
            return Allow(session)
        try:
            where = self._store.keep(verdict.rules, place)
        except ConfigError as error:
            return Allow(f"{session}; it could not be kept: {error}")
        return Allow(f"you allowed {named} for good (in {where})")

    def _unasked(self, reason: str) -> Deny:
        way_out = _WITHOUT if reason == self._confinement.objection else _BEFOREHAND
        return Deny(f"{reason}, and there is nobody to ask. {way_out}")

    def _verdict(self, review: CallReview, mode: Mode) -> Verdict:
        if not review.known:
            return Deny("there is no such tool")
        planning = mode is Mode.PLAN and review.plan
        if mode is not Mode.BUILD and not planning and not self._keeps(review):
            without = " without a sandbox" if review.access.command and self._sandbox else ""
            return Deny(f"{review.call.name} changes things{without}, and the mode is {mode}")
        facts = self._analyze(review.access.command) if review.access.command else None
        for rule in self._rules.deny:
            if rule.touches(review, facts):
                return Deny(f"rule deny {rule}")
        if planning:
            return Allow("it is the session's plan")
        if review.plan:
            return Deny("the plan is changed in plan mode only")
        grave = self.taint.objection(review, facts, masked=self._confinement.masks)
        keys = narrowest(review, facts)[0] if self._granted else ()
        granted = (key in self._granted and self._granted[key] >= bool(grave) for key in keys)
        if keys and all(granted):
            asked = self._hidden(review, facts, asked=True)
            return Allow(f"you allowed {', '.join(keys)} for this session", asked)
        found = self._by_rules(review, facts, grave)
        if isinstance(found, Deny | Rewrite):
            return found
        hidden = self._hidden(review, facts, asked=isinstance(found, Ask))
        return found if hidden == found.hidden else replace(found, hidden=hidden)

    def _by_rules(self, review: CallReview, facts: CommandFacts | None, grave: str) -> Verdict:
        if grave:
            return self._ask(review, facts, grave, told=True, always=False)
        for rule in self._rules.ask:
            if rule.touches(review, facts):
                return self._ask(review, facts, f"rule ask {rule}", told=True)
        if facts is None and review.call.name in self._granted and not protected_path(review):
            return Allow(f"you allowed {review.call.name} for this session")
        rules = self._rules.allowing(review, facts, reading=self._may_read(facts))
        if rules:
            if facts is not None and (reason := self._confinement.objection):
                return self._ask(review, facts, reason, told=True)
            return Allow(f"rule allow {', '.join(dict.fromkeys(map(str, rules)))}")
        return self._by_nature(review, facts)

    def _keeps(self, review: CallReview) -> bool:
        """Return whether the call changes nothing, by its nature or because of the sandbox."""
        if review.effect is Effect.READ_ONLY:
            return True
        command = bool(review.access.command) and review.access.known
        return command and self._confinement.confines

    def _by_nature(self, review: CallReview, facts: CommandFacts | None) -> Verdict:
        """Decide by what the tool declares, where no rule does."""
        if review.effect is Effect.READ_ONLY and not review.access.hosts:
            return Allow("it only reads")
        if kept := protected_path(review):
            return self._ask(review, facts, f"{kept} is protected", always=False)
        if review.call.name in self._trusted:
            return Allow("the application's own tool")
        if facts is None:
            hosts = ", ".join(review.access.hosts)
            return self._ask(
                review, facts, f"it talks to {hosts}" if hosts else "it changes things"
            )
        if facts.harmless and self._may_read(facts):
            return Allow("a command that only reads")
        reason = facts.caution or self._confinement.objection
        return self._ask(review, facts, reason or "it runs a command", told=bool(reason))

    def _may_read(self, facts: CommandFacts | None) -> bool:
        """Return whether commands that only read may run unasked, for all that rules say."""
        return facts is None or self._rules.let_read(facts, masked=self._confinement.masks)

    def _hidden(
        self, review: CallReview, facts: CommandFacts | None, *, asked: bool
    ) -> tuple[re.Pattern[str], ...]:
        """Return the files that must not be shown by the call, which a person was `asked` about."""
        if facts is None:
            hidden = self._rules.hidden_from(review.call.name)
        else:
            hidden = self._rules.hidden_from("grep", asked=asked)
        return hidden if asked else (*hidden, *self.taint.unseen(review, facts))

    def _ask(
        self,
        review: CallReview,
        facts: CommandFacts | None,
        reason: str,
        *,
        told: bool = False,
        always: bool = True,
    ) -> Verdict:
        """Return the question; `told` says why in it, `always` lets the setting answer it."""
        if self._approve == "always" and always:
            return Allow(f"approve = always ({reason})")
        if self._approve == "never":
            return Deny(f"{reason}, and approve = never")
        if self._approver is None:
            return self._unasked(reason)
        rules, lasting = narrowest(review, facts)
        asked = question(review, reason if told else "")
        return Ask(asked, reason, rules, lasting=lasting and always)
