"""Planners: from a task in words to steps with dependencies, difficulty and output tokens.

`table` looks a plan up, `chat` asks a language model, `distilled` learns from the plans of a teacher, `untrained` knows
nothing. What any of them says is validated like an instance before it becomes a mode of a task.
"""

from edgeopt.planners.base import Plan, PlannedStep, Planner, mode_of

__all__ = ["Plan", "PlannedStep", "Planner", "mode_of"]
