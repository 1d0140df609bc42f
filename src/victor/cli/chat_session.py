"""Running `victor chat`: one turn, or a conversation."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from victor.cli.approval import TerminalApprover, YesToAll
from victor.cli.exits import ExitCode, code_for
from victor.cli.json_lines import JsonLines
from victor.cli.start import Choose, Options, Served, Start
from victor.cli.terminal import console, interactive, shown_from_anywhere, silent_keys
from victor.cli.terminal_view import TerminalView
from victor.cli.turn_runner import TurnRunner
from victor.cli.turn_view import JsonView, PipeView, TurnView
from victor.errors import SessionNotFound, VictorError
from victor.protocols import Mode

if TYPE_CHECKING:
    from rich.console import Console

    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import IApprover


class ChatSession:
    """One run of the command."""

    def __init__(
        self,
        options: Options,
        *,
        resume: str | None = None,
        build_plan: bool = False,
        as_json: bool = False,
        plain: bool = False,
        choose: Choose | None = None,
    ) -> None:
        """`choose` picks the model; see `Start`. `build_plan` hands over the plan of the session
        that is resumed."""
        self._choose = choose
        self._options = options
        self._resume = resume
        self._build_plan = build_plan
        self._plain = plain
        self._lines = JsonLines(sys.stdout) if as_json else None
        self._console: Console | None = None
        self._approver: TerminalApprover | None = None

    def run(self, message: str | tuple[str, ...] | None) -> int:
        """Run a turn with `message`, or with each of several, or a conversation for None.

        Returns the exit code.
        """
        runner = TurnRunner()
        try:
            return self._run((message,) if isinstance(message, str) else message, runner)
        except (VictorError, KeyboardInterrupt) as error:
            if self._lines is None:
                raise
            self._lines.error(error, code_for(error))
            return code_for(error)
        finally:
            runner.close()

    def _run(self, messages: tuple[str, ...] | None, runner: TurnRunner) -> int:
        view = self._view(conversing=messages is None)
        start = Start(
            self._options,
            approver=self._person(view),
            progress=shown_from_anywhere(view.progress, runner.loop),
            choose=self._choose,
        )
        try:
            orchestrator = runner.run(self._begin(start, view))
            if messages is None:
                return self._converse(start, orchestrator, runner, view)
            for message in messages:
                self._one_turn(orchestrator, message, runner, view)
            return ExitCode.DONE
        finally:
            runner.heard()
            runner.run(start.close())

    async def _begin(self, start: Start, view: TurnView) -> AgentOrchestrator:
        served = await asyncio.to_thread(start.choose)
        orchestrator = await self._open(start, served)
        if self._lines is not None:
            self._lines.line(
                "model_chosen",
                provider=served.provider.name,
                model=served.model,
                reason=served.reason,
                session_id=orchestrator.session_id,
            )
        for sentence in (served.opening, *start.warnings()):
            view.progress(sentence, 0, 0)
        if self._build_plan:
            plan = await orchestrator.approve_plan()
            view.progress(f"The plan is handed over: {plan.path}", 0, 0)
        return orchestrator

    async def _open(self, start: Start, served: Served) -> AgentOrchestrator:
        """Open the conversation. A word behind --resume that is no session may be the message."""
        try:
            return await start.open(served.provider, served.model, resume=self._resume)
        except SessionNotFound as error:
            word = self._resume or ""
            if word != "last" and not any(sign.isdigit() for sign in word):
                error.hint = f"Or is that the message? Then: victor chat --resume last {word}"
            raise

    def _one_turn(
        self, orchestrator: AgentOrchestrator, message: str, runner: TurnRunner, view: TurnView
    ) -> None:
        from victor.cli.conversation import show_turn

        with silent_keys():
            runner.run(show_turn(orchestrator, message, view))
        kept = not orchestrator.config_coordinator.get_config().get("ephemeral")
        if self._lines is None and kept and orchestrator.mode is Mode.PLAN:
            plan = runner.run(orchestrator.plan())
            if plan is not None and not plan.approved:
                view.progress("`victor chat --resume --build-plan` hands the plan over.", 0, 0)

    def _converse(
        self, start: Start, orchestrator: AgentOrchestrator, runner: TurnRunner, view: TurnView
    ) -> int:
        from victor.cli.conversation import Conversation
        from victor.cli.desk import Desk
        from victor.cli.line_editor import LineEditor
        from victor.cli.slash_commands import COMMANDS
        from victor.cli.slash_sessions import going_on, waiting_plan
        from victor.cli.slash_views import known_names
        from victor.cli.start import history_file

        async def reopen(session_id: str | None) -> AgentOrchestrator:
            current = desk.orchestrator.current
            return await start.open(current.provider, current.model, resume=session_id)

        screen = self._console or console(plain=self._plain)
        desk = Desk(orchestrator, screen, reopen=reopen, connect=start.connect)
        desk.say("/help lists the commands, Ctrl-D leaves.", style="dim")
        if self._resume is not None:
            desk.say(going_on(orchestrator), style="dim")
            if told := runner.run(waiting_plan(orchestrator)):
                desk.say(told, style="dim")
        editor = LineEditor(
            None if start.config.get_config().get("ephemeral") else history_file(),
            completions=tuple(f"/{name}" for name in COMMANDS),
            named=lambda: known_names(desk),
            colour=screen.color_system is not None,
        )
        return Conversation(desk, runner, editor, view).run()

    def _view(self, *, conversing: bool) -> TurnView:
        if self._lines is not None:
            return JsonView(self._lines)
        if not sys.stdout.isatty():
            return PipeView(sys.stdout, sys.stderr)
        from victor.cli.screen import Screen

        self._console = console(plain=self._plain)
        return TerminalView(Screen(self._console), figures=conversing)

    def _person(self, view: TurnView) -> IApprover | None:
        if self._options.yes:
            return YesToAll()
        if self._console is None or not interactive():
            return None
        caught_up = view.caught_up if isinstance(view, TerminalView) else None
        return TerminalApprover(
            self._console, pause=view.pause, caught_up=caught_up, folder=self._options.folder
        )
