"""Hypothesis strategies for the slide problem: small instances with all their corners, and allocations of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users
from edgeopt.system.exact import as_fraction

_STEPS_S = (1e-3, 1e-3, 1e-3, 1.0, 1e-6, 1e-9, 1e3)
"""A layer computes for a few steps."""
_BIT_UNITS = (60, 60, 60_000, 1, 60 * 10**12)
"""With 60 more of the shares are finite decimals, which bands can be set to exactly."""
_EFFICIENCIES = (1.0, 1.0, 2.0, 0.5, 4.0, 1.7, 3.0)
_SNRS = (1.0, 3.0, 7.0, 0.3, 2.0)
_DEADLINES = tuple(map(Fraction, ("5/4", "3/2", "2", "2", "3", "3", "4")))
_ROUGH_DEADLINES = (*_DEADLINES, Fraction(1), Fraction(1, 2), Fraction(7, 3))
"""As parts of the time that a model computes; there must be time for the download too."""
_BUDGETS = tuple(map(Fraction, ("1/4", "1", "1/2", "4/9", "9/10", "3/4", "1/4", "1", "2", "1/100", "0")))
"""Energy budgets as parts of what full speed takes: enough for half of the speed, exactly all of it, ..., nothing."""
_BANDS = tuple(map(Fraction, ("1", "1/2", "2/3", "3/4", "1", "1/3", "1/5", "5/4", "2")))
"""Bands as parts of what all users need at full speed."""
_NOISE_W_PER_HZ = 1e-9


@st.composite
def slide_instances(
    draw: DrawFn,
    *,
    min_users: int = 0,
    max_users: int = 5,
    max_models: int = 3,
    max_layers: int = 4,
    energy: bool = True,
) -> SlideInstance:
    """Instances of the variant ``plain`` with all their corners.

    Among them: no users, one layer, layers without work, bits or overhead, users that nothing can serve or that accept
    no model, ties, shares that add up to exactly 1, energy budgets of exactly what full or half speed takes, budgets of
    0, channels by efficiency or by power and gain, and units from nanoseconds and bits to hours and petabits.

    Parameters
    ----------
    min_users, max_users, max_models, max_layers : int
    energy : bool
        Whether some users have energy budgets.
    """
    rough = draw(st.sampled_from((False, False, True)))
    step, bit = draw(st.sampled_from(_STEPS_S)), draw(st.sampled_from(_BIT_UNITS))
    tables = draw(st.lists(_table(rough, step, bit, max_layers), min_size=1, max_size=max_models))
    models = Models.of(
        [LayerTable.of(f"m{index}", accuracy=index % 5 / 4, **table) for index, table in enumerate(tables)]
    )
    # few are drawn more often than their share, so that what comes first should be no corner
    count = draw(
        st.sampled_from((max(min_users, min(2, max_users)), *[max_users] * 8, *range(min_users, max_users + 1)))
    )
    rows = draw(st.lists(_user(rough, energy, len(models)), min_size=count, max_size=count))
    if draw(st.sampled_from((False, False, True))):  # ties: everyone is one of the first two
        rows = [rows[index % 2] for index in range(count)] if count > 1 else rows
    # the rates do not depend on the band, so neither does the band that all users need together
    trial = _instance(1000.0, models, rows, step)
    need = sum((_least_share(trial, user) for user in range(count)), Fraction(0))
    band = float(1000 * need * draw(st.sampled_from(_BANDS)))
    return _instance(band or 1000.0, models, rows, step)


def _table(rough: bool, step: float, bit: int, most: int) -> SearchStrategy[dict[str, list[Any]]]:
    """Columns of a table: a GFLOP/s device computes a layer in a few steps."""
    flop = max(1, round(step * 1e9))
    layer = st.tuples(
        st.sampled_from((1, 2, 3, 5, 0) if rough else (1, 2, 3, 4)),
        st.sampled_from((1, 2, 3, 0) if rough else (1, 2, 4)),
        st.sampled_from((0, 0, 0, 1, 2) if rough else (0, 0, 1)),
    )

    def columns(layers: list[tuple[int, int, int]]) -> dict[str, list[Any]]:
        sizes = [size for size, _, _ in layers]
        sizes[-1] += not any(sizes)
        return {
            "bits": [size * bit for size in sizes],
            "flop_per_sample": [work * flop for _, work, _ in layers],
            "overhead_s": [float(cost * as_fraction(step) / 4) for _, _, cost in layers],
        }

    return st.lists(layer, min_size=1, max_size=most).map(columns)


def _user(rough: bool, energy: bool, models: int) -> SearchStrategy[dict[str, Any]]:
    names = [f"m{index}" for index in range(models)]
    return st.fixed_dictionaries(
        {
            "model": st.integers(0, models - 1),
            "deadline": st.sampled_from(_ROUGH_DEADLINES if rough else _DEADLINES),
            "frequency": st.sampled_from((1e9, 1e9, 2e9, 5e8)),
            "cycles": st.sampled_from((1.0, 1.0, 0.5, 0.3) if rough else (1.0,)),
            "batch": st.sampled_from((1, 1, 2)),
            "coefficient": st.sampled_from((1e-27, 1e-27, 3e-28)),
            "budget": st.none() | st.sampled_from(_BUDGETS if energy else (None,)),
            "efficiency": st.sampled_from(_EFFICIENCIES),
            "snr": st.sampled_from((None, None, None, *_SNRS)),
            "accuracy": st.sampled_from((0.0, 0.0, 0.0, 0.25, 0.3)) if rough else st.sampled_from((0.0, 0.0, 0.25)),
            "models": st.none() | st.lists(st.sampled_from(names), min_size=0 if rough else 1, unique=True),
        }
    )


def _instance(band: float, models: Models, rows: list[dict[str, Any]], step: float) -> SlideInstance:
    """Users with the drawn deadlines and budgets, which are parts of what one of the models takes them."""
    deadlines, budgets, gains = [], [], []
    for row in rows:
        accepted = [
            model
            for model, name in enumerate(models.name)
            if (row["models"] is None or name in row["models"]) and models.accuracy[model] >= row["accuracy"]
        ]
        table = models[accepted[row["model"] % len(accepted)] if accepted else 0]
        frequency = as_fraction(row["frequency"])
        cycles = int(table.flop_per_sample.sum()) * row["batch"] * as_fraction(row["cycles"])
        fixed = sum(map(as_fraction, table.overhead_s.tolist()), Fraction(0))
        deadlines.append(float((fixed + cycles / frequency or as_fraction(step)) * row["deadline"]))
        full = cycles * as_fraction(row["coefficient"]) * frequency**2
        budgets.append(np.inf if row["budget"] is None else float(full * row["budget"]))
        noise = as_fraction(_NOISE_W_PER_HZ) * as_fraction(band)
        gains.append(np.nan if row["snr"] is None else float(as_fraction(row["snr"]) * noise))
    return SlideInstance(
        name="drawn",
        bandwidth_hz=band,
        models=models,
        users=Users.of(
            deadline_s=deadlines,
            frequency_hz=[row["frequency"] for row in rows],
            cycles_per_flop=[row["cycles"] for row in rows],
            batch=np.array([row["batch"] for row in rows], dtype=np.int64),
            energy_coefficient=[row["coefficient"] for row in rows],
            energy_j=budgets,
            spectral_efficiency=[row["efficiency"] if row["snr"] is None else np.nan for row in rows],
            power_w=[np.nan if row["snr"] is None else 1.0 for row in rows],
            gain=gains,
            min_accuracy=[row["accuracy"] for row in rows],
            models=[row["models"] for row in rows],
        ),
        noise_w_per_hz=_NOISE_W_PER_HZ,
        source="edgeopt.testing",
    )


def _least_share(instance: SlideInstance, user: int) -> Fraction:
    """Least share of a user over its models at full speed; 0 where there is none."""
    compiled = instance.compiled
    shares = [compiled.pair(user, model).least_share() for model in compiled.models_of(user).tolist()]
    return min((share for share in shares if share is not None), default=Fraction(0))


def binding_limits(instance: SlideInstance) -> set[str]:
    """What makes an instance harder than handing out the band to everyone.

    Returns
    -------
    set of str
        ``band``: the users that could be served do not fit together. ``energy``: full speed is too much for some user.
        ``overlap``: some user's share is decided by a layer before the last, so download and computing overlap.
        ``models``: some user may not take the model that would need the least share.
    """
    compiled, found, total = instance.compiled, set(), Fraction(0)
    for user in range(compiled.users):
        share, taken = min(
            ((share, model) for model in range(len(instance.models))
             if (share := compiled.pair(user, model).least_share()) is not None and share <= 1),
            default=(None, -1),
        )  # fmt: skip
        if share is None:
            continue
        if taken not in compiled.models_of(user):
            found.add("models")
        for model in compiled.models_of(user).tolist():
            pair = compiled.pair(user, model)
            least = pair.least_share()
            if least is None or least > 1:
                continue
            if pair.energy is not None and pair.energy_used() > pair.energy:
                found.add("energy")
            if pair.download_ticks(least)[-1] < pair.room()[-1]:
                found.add("overlap")
        total += _least_share(instance, user)
    return found | ({"band"} if total > 1 else set())


@st.composite
def allocations(draw: DrawFn, instance: SlideInstance) -> Allocation:
    """Allocations of an instance, feasible or not: any model for some users, any shares and speeds."""
    users, models = len(instance.users), len(instance.models)
    chosen: list[int] = draw(st.lists(st.integers(0, max(0, users - 1)), unique=True, max_size=users))
    model = draw(st.lists(st.integers(0, models - 1), min_size=len(chosen), max_size=len(chosen)))
    numbers = st.sampled_from((0.5, 1.0, 0.25, 0.1, 1 / 3, 0.75))
    share = draw(st.lists(numbers, min_size=len(chosen), max_size=len(chosen)))
    layers = int(instance.models.layers[np.array(model, dtype=np.int64)].sum()) if model else 0
    speed = draw(st.none() | st.lists(numbers, min_size=layers, max_size=layers))
    exact = draw(st.booleans())
    return Allocation(
        np.array(chosen, dtype=np.int64),
        np.array(model, dtype=np.int64),
        tuple(Fraction(str(y)).limit_denominator(12) for y in share) if exact else np.array(share, dtype=np.float64),
        None if speed is None else np.array(speed, dtype=np.float64),
    )
