"""The planner that has learned nothing: a line a step, one after the other, all alike."""

from __future__ import annotations

from edgeopt.errors import InstanceError
from edgeopt.planners.base import Plan, PlannedStep


class UntrainedPlanner:
    """A chain of equal steps, one for each line of the text after the first.

    Parameters
    ----------
    difficulty : float
        Of every step (logit).
    output_tokens : int
        Of every step.
    """

    def __init__(self, difficulty: float = 0.0, output_tokens: int = 100) -> None:
        self.difficulty, self.output_tokens = difficulty, output_tokens

    def plan(self, text: str) -> Plan:
        """The chain of the lines.

        Raises
        ------
        InstanceError
            If the text has no lines.
        """
        lines = step_lines(text)
        return Plan(
            tuple(
                PlannedStep(str(n), line, [str(n - 1)] if n > 1 else [], self.difficulty, self.output_tokens)
                for n, line in enumerate(lines, 1)
            )
        )


def step_lines(text: str) -> list[str]:
    """The steps in a task's text: the lines after the title, without their numbers; the title if it is all there is.

    Raises
    ------
    InstanceError
        If there is nothing.
    """
    lines = [line.strip().lstrip("0123456789.)-* ").strip() for line in text.strip().splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise InstanceError("the task's text is empty: give a title, and a line for each step")
    return lines[1:] or lines
