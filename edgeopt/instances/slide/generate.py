"""Slide instances from a seed: published networks, phones in a cell, and adversarial corners.

Draws come from numpy's PCG64, whose stream is the same on every machine; every field is rounded to six
significant digits, so that the last bit of a machine's logarithm does not reach the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.corners import CORNERS, full_speed_energy, with_columns
from edgeopt.instances.slide.instance import (
    MOST_SECONDS,
    MULTICAST,
    VARIANTS,
    FloatArray,
    LayerTable,
    Models,
    SlideInstance,
    Users,
    Variant,
)
from edgeopt.system.catalogue import MODELS
from edgeopt.system.layers.catalogue import IMAGE_MODELS, image_layers, language_layers
from edgeopt.system.layers.table import Granularity
from edgeopt.system.path_loss import log_distance_gain
from edgeopt.system.radio import THERMAL_NOISE_DBM_PER_HZ, dbm_to_watt

CELL_M, NEAREST_M = 250.0, 10.0
"""Users are uniform on a ring around the base station with these radii (m)."""
REFERENCE_GAIN, EXPONENT = 1e-3, 3.0
"""Median path loss: 30 dB at 1 m, and its exponent. On top of it is Rayleigh fading."""
CYCLES_PER_FLOP = 0.0625
"""A phone of 1 to 2.5 GHz with 16 FLOP a cycle: 16 to 40 GFLOP/s."""
ENERGY_COEFFICIENT = 1e-28
"""J s^2/cycle^3, of the size usual for phones."""
MOST_USERS, MOST_LAYERS = 10**7, 10**8


def generate(
    *,
    seed: int = 0,
    users: int = 20,
    model: str | Sequence[str] = ("mobilenet_v2", "resnet18", "resnet50", "vit_b_32"),
    layers: int | None = None,
    bandwidth_hz: float = 1e8,
    deadline_s: tuple[float, float] = (1.0, 4.0),
    batch: tuple[int, int] = (1, 4),
    energy: bool | None = None,
    energy_budget: tuple[float, float] = (0.2, 1.2),
    bits_per_parameter: float = 8.0,
    granularity: Granularity = "layer",
    overhead_s: float = 1e-3,
    prompt_tokens: int = 64,
    output_tokens: int = 1,
    variant: Variant = "plain",
    corner: str | None = None,
    name: str | None = None,
) -> SlideInstance:
    """Make a slide instance.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    users : int
        Number of users, uniform in a cell with Rayleigh fading.
    model : str or sequence of str
        Of the catalogue, all image classifiers or all language models. Each user wants the accuracy of one of them,
        drawn, or more; for language models, which have none, and in the variants of multicast, it wants that model.
    layers : int, optional
        Instead of the catalogue, a model of its own for each user, with so many random layers.
    bandwidth_hz : float
        Band (Hz).
    deadline_s : (float, float)
        Least and largest deadline (s), uniform between.
    batch : (int, int)
        Least and largest number of samples of a task, uniform between.
    energy : bool, optional
        Whether users have energy budgets: yes when not given, but for the variant ``time-varying``, which takes none.
    energy_budget : (float, float)
        Budget in parts of what the smallest model that the user may take needs at full speed, uniform between.
    bits_per_parameter : float
        Bits a parameter of the models as sent.
    granularity : {"layer", "block"}
        Whether models are sent layer by layer or block by block.
    overhead_s : float
        Fixed cost of a layer (s).
    prompt_tokens, output_tokens : int
        Tokens of a sample of a language model.
    variant : {"plain", "weighted", "multicast", "multicast-many", "time-varying", "concave"}
        The problem of the paper, or one of those beyond it; weights are drawn from 1 to 9.
    corner : str, optional
        One of `CORNERS`: an adversarial change of the drawn instance.
    name : str, optional

    Raises
    ------
    InstanceError
        If an option is out of range.
    UnknownNameError
        If there is no such model.
    """
    _check_options(seed, users, layers, bandwidth_hz, deadline_s, batch, energy_budget, overhead_s, variant, corner)
    timed = variant == "time-varying"
    _require(not (timed and energy), "energy = True: the variant time-varying takes no energy budgets; leave it out")
    rng = np.random.default_rng(seed)
    names = [name.lower() for name in ([model] if isinstance(model, str) else model)]
    wanted: Sequence[str] | None = None
    if layers is not None:
        models = _drawn(rng, users, layers, overhead_s)
        wanted = models.name
    elif any(known in MODELS for known in names):
        _require(all(known in MODELS for known in names), f"model = {names}: image and language models do not mix")
        tables = [
            language_layers(
                known, prompt_tokens=prompt_tokens, output_tokens=output_tokens, bits_per_parameter=bits_per_parameter
            )
            for known in names
        ]
        models = Models.of([LayerTable.of_layers(table, overhead_s=overhead_s) for table in tables])
        wanted = [names[index] for index in rng.integers(0, len(names), users).tolist()]
    else:
        models = _image_models(names, bits_per_parameter, granularity, overhead_s)
        if variant in MULTICAST:
            wanted = [models.name[index] for index in rng.integers(0, len(models), users).tolist()]
    drawn = SlideInstance(
        name=name or f"{'-'.join(filter(None, [variant, corner]))}-{users}-seed{seed}",
        bandwidth_hz=bandwidth_hz,
        models=models,
        users=_users(rng, users, models, deadline_s, batch, wanted),
        variant=variant,
        noise_w_per_hz=float(f"{float(dbm_to_watt(THERMAL_NOISE_DBM_PER_HZ)):.5e}"),
        source=f"edgeopt generate slide, seed {seed}",
    )
    weights = rng.integers(1, 10, users)
    parts = rng.uniform(*energy_budget, users)
    if variant == "weighted":
        drawn = with_columns(drawn, weight=weights)
    if energy or (energy is None and not timed):
        drawn = with_columns(drawn, energy_j=_rounded(parts * full_speed_energy(drawn)))
    return CORNERS[corner](drawn) if corner else drawn


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"generate slide: {text}")


def _check_options(
    seed: int,
    users: int,
    layers: int | None,
    bandwidth_hz: float,
    deadline_s: tuple[float, float],
    batch: tuple[int, int],
    energy_budget: tuple[float, float],
    overhead_s: float,
    variant: str,
    corner: str | None,
) -> None:
    _require(seed >= 0, f"seed = {seed}: must be 0 or more")
    _require(0 <= users <= MOST_USERS, f"users = {users}: must be from 0 to {MOST_USERS}")
    if layers is not None:
        _require(layers >= 1, f"layers = {layers}: must be 1 or more")
        _require(layers * users <= MOST_LAYERS, f"layers = {layers}, users = {users}: at most {MOST_LAYERS} in all")
        _require(users >= 1, "layers: without users there are no models; leave it out")
    _require(1e-20 <= bandwidth_hz <= 1e20, f"bandwidth_hz = {bandwidth_hz} (Hz): must be from 1e-20 to 1e20")
    good = 0 < deadline_s[0] <= deadline_s[1] <= MOST_SECONDS
    _require(good, f"deadline_s = {deadline_s} (s): must be 0 < least <= largest <= {MOST_SECONDS:g}")
    _require(1 <= batch[0] <= batch[1] <= 10**6, f"batch = {batch} (samples): must be 1 <= least <= largest <= 1e6")
    good = 0 <= energy_budget[0] <= energy_budget[1] <= 1e6
    _require(good, f"energy_budget = {energy_budget}: must be 0 <= least <= largest <= 1e6")
    _require(0 <= overhead_s <= MOST_SECONDS, f"overhead_s = {overhead_s} (s): must be from 0 to {MOST_SECONDS:g}")
    _require(variant in VARIANTS, f"variant = {variant!r}: must be one of {', '.join(VARIANTS)}")
    _require(corner is None or corner in CORNERS, f"corner = {corner!r}: must be one of {', '.join(CORNERS)}")
    good = corner != "energy-tight" or variant != "time-varying"
    _require(good, "corner = 'energy-tight': the variant time-varying takes no energy budgets")


def _rounded(values: FloatArray) -> FloatArray:
    """Six significant digits, so that files are short and the same on every machine."""
    return np.array([float(f"{value:.5e}") for value in values.tolist()], dtype=np.float64)


def _image_models(names: Sequence[str], bits: float, granularity: Granularity, overhead_s: float) -> Models:
    _require(len(names) >= 1, "model = []: must name at least one model")
    tables = [image_layers(name, bits_per_parameter=bits, granularity=granularity) for name in names]
    return Models.of(
        [
            LayerTable.of_layers(table, accuracy=IMAGE_MODELS[table.name].accuracy, overhead_s=overhead_s)
            for table in tables
        ]
    )


def _drawn(rng: np.random.Generator, users: int, layers: int, overhead_s: float) -> Models:
    """A model for each user, of about 100 Mbit and 5 GFLOP."""
    count = users * layers
    return Models(
        name=tuple(f"m{index}" for index in range(users)),
        accuracy=np.ones(users),
        start=np.arange(users + 1, dtype=np.int64) * layers,
        bits=rng.integers(0, 2 * 10**8 // layers + 2, count) + 1,
        flop_per_sample=rng.integers(0, 10**10 // layers + 1, count),
        overhead_s=np.full(count, overhead_s),
    )


def _users(
    rng: np.random.Generator,
    count: int,
    models: Models,
    deadline_s: tuple[float, float],
    batch: tuple[int, int],
    wanted: Sequence[str] | None,
) -> Users:
    distance = np.sqrt(rng.uniform(NEAREST_M**2, CELL_M**2, count))
    gain = log_distance_gain(distance, EXPONENT, REFERENCE_GAIN) * np.maximum(rng.exponential(1.0, count), 1e-9)
    return Users.of(
        deadline_s=_rounded(rng.uniform(*deadline_s, count)),
        frequency_hz=_rounded(rng.uniform(1e9, 2.5e9, count)),
        cycles_per_flop=CYCLES_PER_FLOP,
        batch=rng.integers(batch[0], batch[1] + 1, count),
        energy_coefficient=ENERGY_COEFFICIENT,
        power_w=1.0,
        gain=_rounded(gain),
        min_accuracy=0.0 if wanted is not None else rng.choice(models.accuracy, count),
        models=None if wanted is None else [(name,) for name in wanted],
    )
