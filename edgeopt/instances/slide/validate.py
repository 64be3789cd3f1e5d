"""What a slide instance must be; the texts are part of the interface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.instance import (
    LEAST,
    MOST,
    MOST_COUNT,
    MOST_EFFICIENCY,
    MOST_SECONDS,
    MOST_TOTAL,
    VARIANTS,
    Models,
    SlideInstance,
    Users,
)

_PICOSECONDS = 10**12


def validate(instance: SlideInstance) -> None:
    """Check every field.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """
    if not instance.name:
        raise fail("name", instance.name, "must not be empty; give the instance a name")
    if instance.variant not in VARIANTS:
        raise fail("variant", instance.variant, f"must be one of {', '.join(VARIANTS)}")
    _positive("bandwidth_hz", instance.bandwidth_hz, "Hz")
    if instance.noise_w_per_hz is not None:
        _positive("noise_w_per_hz", instance.noise_w_per_hz, "W/Hz")
    _validate_models(instance.models)
    _validate_users(instance.users, instance.models)
    _validate_channels(instance)
    if instance.variant == "time-varying":
        _validate_no_energy(instance.users)


def fail(where: str, value: object, mend: str) -> InstanceError:
    """The error for a value."""
    shown = value.item() if isinstance(value, np.generic) else value
    return InstanceError(f"{where} = {shown!r}: {mend}")


def _positive(where: str, value: float, unit: str) -> None:
    if not LEAST <= value <= MOST:
        raise fail(where, value, f"must be a number from {LEAST} to {MOST} ({unit})")


def _distinct(names: tuple[str, ...], where: str, field: str) -> None:
    if len(set(names)) == len(names) and "" not in names:
        return
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            raise fail(f"{where}[{index}].{field}", name, "must not be empty")
        if name in seen:
            raise fail(f"{where}[{index}].{field}", name, f"is taken by {where}[{seen[name]}]; they must differ")
        seen[name] = index


def _shape(where: str, column: NDArray[np.int64] | NDArray[np.float64], size: int) -> None:
    if column.shape != (size,):
        raise InstanceError(f"{where} has the shape {column.shape}: must be ({size},)")


def _validate_models(models: Models) -> None:
    if not models.name:
        raise InstanceError("models = []: must hold at least one model")
    _distinct(models.name, "models", "name")
    _shape("models.accuracy", models.accuracy, len(models))
    _shape("models.start", models.start, len(models) + 1)
    layers = models.layers
    if models.start[0] != 0 or (layers < 0).any():
        raise InstanceError("models.start must begin with 0 and not fall")
    for name in ("bits", "flop_per_sample", "overhead_s"):
        _shape(f"models.{name}", getattr(models, name), int(models.start[-1]))
    empty = np.flatnonzero(layers == 0)
    if len(empty):
        raise InstanceError(f"models[{empty[0]}].bits = []: must hold at least one layer")
    wrong = np.flatnonzero(~((models.accuracy >= 0) & (models.accuracy <= 1)))
    if len(wrong):
        raise fail(f"models[{wrong[0]}].accuracy", models.accuracy[wrong[0]], "must be from 0 to 1 (fraction)")
    costs = models.overhead_s
    for name, good, mend in (
        ("bits", models.bits >= 0, "must be a whole number >= 0 (bit)"),
        ("flop_per_sample", models.flop_per_sample >= 0, "must be a whole number >= 0 (FLOP per sample)"),
        ("overhead_s", (costs >= 0) & (costs <= MOST_SECONDS), f"must be a number from 0 to {MOST_SECONDS:g} (s)"),
    ):
        wrong = np.flatnonzero(~good)
        if len(wrong):
            model = int(np.searchsorted(models.start, wrong[0], side="right")) - 1
            where = f"models[{model}].{name}[{wrong[0] - models.start[model]}]"
            raise fail(where, getattr(models, name)[wrong[0]], mend)
    for name, unit in (("bits", "bit"), ("flop_per_sample", "FLOP per sample"), ("overhead_s", "s")):
        total = np.add.reduceat(getattr(models, name).astype(np.float64), models.start[:-1])
        most = MOST_TOTAL / _PICOSECONDS if name == "overhead_s" else MOST_TOTAL
        large = np.flatnonzero(total > most * (1 - 1e-6))  # room for what a sum of floats may lose
        if len(large):
            text = f"models[{large[0]}].{name} sums to {total[large[0]]:g} ({unit})"
            raise InstanceError(f"{text}: must be at most {most:g}; check the units")
        if name == "bits" and not (total > 0).all():
            nothing = int(np.flatnonzero(total <= 0)[0])
            raise InstanceError(f"models[{nothing}].bits are all 0 (bit): there must be something to send")


def _validate_users(users: Users, models: Models) -> None:
    _distinct(users.id, "users", "id")
    for name, column in users.columns().items():
        _shape(f"users.{name}", column, len(users))

    def first(bad: NDArray[np.bool_], field: str, mend: str) -> None:
        place = np.flatnonzero(bad)
        if len(place):
            raise fail(f"users[{place[0]}].{field}", getattr(users, field)[place[0]], mend)

    def outside(field: str, least: float, most: float, unit: str, *, zero: bool = False) -> None:
        column = getattr(users, field)
        good = (column >= least) & (column <= most)
        text = f"must be a number from {least:g} to {most:g} ({unit})"
        first(~(good | (column == 0) if zero else good), field, f"{text}, or 0" if zero else text)

    outside("deadline_s", LEAST, MOST_SECONDS, "s")
    outside("frequency_hz", LEAST, MOST, "cycle/s")
    outside("cycles_per_flop", LEAST, MOST, "cycle/FLOP")
    outside("energy_coefficient", LEAST, MOST, "J s^2/cycle^3", zero=True)
    limited = ~np.isposinf(users.energy_j)
    bad = ~((users.energy_j == 0) | ((users.energy_j >= LEAST) & (users.energy_j <= MOST)))
    first(limited & bad, "energy_j", f"must be 0 or a number from {LEAST} to {MOST} (J); null or absent for no limit")
    first(
        limited & (users.energy_coefficient == 0),
        "energy_coefficient",
        "must be > 0 (J s^2/cycle^3) where energy_j is given",
    )
    for field, least in (("batch", 1), ("weight", 0)):
        column = getattr(users, field)
        first((column < least) | (column > MOST_COUNT), field, f"must be a whole number from {least} to {MOST_COUNT}")
    first(~((users.min_accuracy >= 0) & (users.min_accuracy <= 1)), "min_accuracy", "must be from 0 to 1 (fraction)")
    sets = len(users.accept_sets)
    first((users.accepts < 0) | (users.accepts >= sets), "accepts", f"must index accept_sets, 0 to {sets - 1}")
    known = set(models.name)
    for position, names in enumerate(users.accept_sets):
        for name in names or ():
            if name not in known:
                row = np.flatnonzero(users.accepts == position)
                where = f"users[{row[0]}].models" if len(row) else f"accept_sets[{position}]"
                shown = ", ".join(models.name[:20]) + (", ..." if len(known) > 20 else "")
                raise fail(where, name, f"no such model; there are: {shown}")


def _validate_no_energy(users: Users) -> None:
    """With budgets the due times were decisions, and whether users fit a convex program."""
    limited = np.flatnonzero(~np.isposinf(users.energy_j))
    if len(limited):
        mend = "(J): the variant time-varying takes no energy budgets; leave energy_j out"
        raise InstanceError(f"users[{limited[0]}].energy_j = {users.energy_j[limited[0]].item()} {mend}")


def _validate_channels(instance: SlideInstance) -> None:
    users = instance.users
    given = ~np.isnan(users.spectral_efficiency)
    for field, unit in (("power_w", "W"), ("gain", "power gain")):
        column = getattr(users, field)
        twice = np.flatnonzero(given & ~np.isnan(column))
        if len(twice):
            mend = "must be absent where spectral_efficiency is given"
            raise fail(f"users[{twice[0]}].{field}", column[twice[0]], mend)
        bad = np.flatnonzero(~given & ~((column >= LEAST) & (column <= MOST)))
        if len(bad):
            value = None if np.isnan(column[bad[0]]) else column[bad[0]]
            mend = f"must be a number from {LEAST} to {MOST} ({unit}) where spectral_efficiency is not given"
            raise fail(f"users[{bad[0]}].{field}", value, mend)
    efficiency = users.spectral_efficiency
    bad = np.flatnonzero(given & ~((efficiency >= LEAST) & (efficiency <= MOST_EFFICIENCY)))
    if len(bad):
        mend = f"must be a number from {LEAST} to {MOST_EFFICIENCY:g} (bit/s/Hz)"
        raise fail(f"users[{bad[0]}].spectral_efficiency", efficiency[bad[0]], mend)
    if instance.noise_w_per_hz is None and not given.all():
        where = int(np.flatnonzero(~given)[0])
        raise InstanceError(f"noise_w_per_hz is missing: users[{where}] has power_w and gain (W/Hz)")
    if instance.variant == "concave" and given.any():
        where = int(np.flatnonzero(given)[0])
        mend = "the variant concave needs power_w and gain instead"
        raise fail(f"users[{where}].spectral_efficiency", efficiency[where], mend)
