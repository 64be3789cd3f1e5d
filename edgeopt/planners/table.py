"""The planner that looks plans up: those of an instance, by the words of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.planners.base import Plan, PlannedStep


class TablePlanner:
    """Plans by text.

    Parameters
    ----------
    plans : mapping of str to Plan
    """

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = dict(plans)

    @classmethod
    def of_instance(cls, instance: DecompositionInstance) -> TablePlanner:
        """The largest mode of each task, under its words and under its id."""
        plans: dict[str, Plan] = {}
        for task in instance.tasks:
            mode = max(task.modes, key=lambda mode: len(mode.steps))
            steps = [PlannedStep(s.id, s.id, list(s.after), s.difficulty, s.output_tokens) for s in mode.steps]
            plans[task.id] = Plan(tuple(steps))
            if task.text:
                plans[task.text] = plans[task.id]
        return cls(plans)

    def plan(self, text: str) -> Plan:
        """The plan of a task.

        Raises
        ------
        InstanceError
            If the table has none for it.
        """
        if text not in self.plans:
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            raise InstanceError(f"the table has no plan for {shown!r}; it has {len(self.plans)}")
        return self.plans[text]
