"""Many steps as one, and how often something works.

python examples/09_workflow_and_evaluation.py
"""

from __future__ import annotations

import asyncio

from victor import AgentOrchestrator, Settings
from victor.evaluation.report import table
from victor.evaluation.suite import FunctionCheck, Outcome, RegexCheck, Suite, Task
from victor.testing import ScriptedProvider
from victor.workflow.model import Input, LoopStep, PromptStep, Workflow

REVIEW = Workflow(
    "review",
    (
        LoopStep(
            id="each",
            for_each="inputs.files",
            item="file",
            steps=(PromptStep(id="look", prompt="What is wrong in {{ file }}?"),),
        ),
        PromptStep(id="sum_up", prompt="Sum up: {{ steps.each.output }}", save_as="summary"),
    ),
    inputs=(Input("files"),),
)


def polite(outcome: Outcome) -> bool | str:
    """Pass a friendly answer; otherwise say why not."""
    return "please" in outcome.answer.lower() or "it does not say please"


ASKING = Suite(
    "asking",
    (Task("ask", "Ask me for salt.", checks=(RegexCheck("salt"), FunctionCheck(polite))),),
    tries=4,
)


async def main() -> None:
    settings = Settings(ephemeral=True)
    answers = ScriptedProvider("a.py: nothing.", "b.py: a typo.", "One typo, in b.py.")
    async with AgentOrchestrator(settings, answers) as orchestrator:
        result = await orchestrator.run_workflow(REVIEW, {"files": ["a.py", "b.py"]})
        print(dict(result.outputs), [step.id for step in result.steps])

    answers = ScriptedProvider("The salt, please.", "Salt!", "Please pass the salt.", "Pepper.")
    async with AgentOrchestrator(settings, answers) as orchestrator:
        print(table(await orchestrator.evaluate(ASKING)))


if __name__ == "__main__":
    asyncio.run(main())
