"""Price and branch: an anytime exact solver for programs of one choice a group, with a proof tree.

Prices of the groups take the bins apart; prices of a bin's capacities bound it at every deadline threshold at once
(`edgeopt.proof`). Ascent in the prices gives the root bound (`kernel`), small MIPs at the thresholds that the
relaxation likes give solutions (`primal`), and branching on thresholds, then on choices, closes the rest (`tree`).
Where every bin has one capacity and no deadlines, exact knapsacks bound it instead (`lagrange`, `knapsack_tree`).
"""

from edgeopt.solvers.pricebranch.solve import Outcome, solve

__all__ = ["Outcome", "solve"]
