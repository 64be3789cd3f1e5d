"""Batching over time: epochs of live traffic (section III of the OT-GAH paper), driven by any registered solver.

>>> from edgeopt.simulation import scenario, simulate
>>> live = scenario(rate=20, epochs=5, warmup=1, seed=1)
>>> ours, static = (simulate(live, policy) for policy in ("gah", "static"))
>>> ours.completion_rate > static.completion_rate
True
"""

from edgeopt.simulation.outcome import Outcome, State
from edgeopt.simulation.policies import policy_names
from edgeopt.simulation.scenario import Scenario, Slots, scenario
from edgeopt.simulation.simulator import simulate
from edgeopt.simulation.traffic import Traffic

__all__ = ["Outcome", "Scenario", "Slots", "State", "Traffic", "policy_names", "scenario", "simulate"]
