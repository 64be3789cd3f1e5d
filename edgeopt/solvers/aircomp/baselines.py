"""Baselines for the shares: equal, or proportional to the budgets; the transceivers are ours."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.generate import Sharing, split
from edgeopt.result import Answer
from edgeopt.solvers.aircomp.design import STARTS, answer, designed, proof_of, require_invertible
from edgeopt.solvers.aircomp.joint import most_shares
from edgeopt.solvers.aircomp.sca import require_open
from edgeopt.solvers.base import Control


def equal_split(instance: AirCompInstance, control: Control, *, starts: int = STARTS) -> Answer:
    """Every device holds the same part of every layer.

    Raises
    ------
    AssumptionError
        If shares are given, a device cannot hold its share, or a channel cannot be inverted.
    """
    return _split(instance, control, "equal", starts)


def power_split(instance: AirCompInstance, control: Control, *, starts: int = STARTS) -> Answer:
    """Parts in proportion to the budgets ``P_n``.

    Raises
    ------
    AssumptionError
        If shares are given, a device cannot hold its share, or a channel cannot be inverted.
    """
    return _split(instance, control, "power", starts)


def _split(instance: AirCompInstance, control: Control, sharing: Sharing, starts: int) -> Answer:
    solver = f"{sharing}-split"
    require_open(instance, solver)
    linear = instance.design == "linear"
    if not linear:
        require_invertible(instance, solver)
    assert sharing != "open"
    shares = split(instance, sharing)
    wrong = np.flatnonzero(shares > most_shares(instance))
    if len(wrong):
        n = int(wrong[0])
        raise AssumptionError(
            f"{solver}: device {instance.devices.id[n]} cannot hold the share {shares[n]:.4g}, at most "
            f"{most_shares(instance)[n]:.4g} by its memory and budget; choose shares by joint"
        )
    plan, relaxations, stopped = designed(instance, shares, control, solver=solver, linear=linear, starts=starts)
    return answer(instance, plan, proof_of(instance, shares, relaxations), control=control, stopped=stopped)
