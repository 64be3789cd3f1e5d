"""By how much overlapping download and inference shortens a task at equal shares and full speed.

With a share ``y`` the download takes ``D = A_L / (B R y)`` and computing ``C = sum_l T_l``. Download-then-infer ends at
``D + C``; overlapping ends at the recursion's ``t_L >= max(D, C)``, so it saves at most ``min(D, C) / (D + C)``, which
is never more than one half (ours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from edgeopt.instances.base import generate
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import draw_lines
from edgeopt.plots.slide.served import BAND
from edgeopt.plots.statistics import Mean, mean_of

PUBLISHED_GAIN = 0.325
"""Lower end-to-end latency than download-then-infer, as published."""
BANDS_MHZ = (*BAND.values, 1000.0, 3000.0, 10000.0)
COLUMNS = ("bandwidth_mhz", "model", "seeds", "latency_saved", "low", "high", "most_possible")
ALL = "all models"


class Saved(NamedTuple):
    """Part of the latency that overlapping saves, and the most that it could."""

    part: float
    most: float


def saved(instance: SlideInstance) -> dict[str, list[Saved]]:
    """What each user saves with each model that it may take, by model; everyone has the share ``1 / K``."""
    compiled = instance.compiled
    found: dict[str, list[Saved]] = {}
    for user in range(compiled.users):
        tick = TICKS_PER_S * compiled.users / float(compiled.rate[user])
        for model in compiled.models_of(user).tolist():
            rows = slice(int(compiled.start[model]), int(compiled.start[model + 1]))
            arrival = compiled.bits[rows] * tick
            left = compiled.overhead_left[rows] + compiled.work_left[rows] * float(compiled.flop_ticks[user])
            download, busy = float(arrival[-1]), float(left[0])
            together = download + busy
            own = Saved(1 - float(np.max(arrival + left)) / together, min(download, busy) / together)
            found.setdefault(instance.models.name[model], []).append(own)
    return found


def latency(setting: Setting) -> Figure:
    """Latency saved by model over the band; the mean over users, then over seeds."""
    rows: list[tuple[Any, ...]] = []
    lines: dict[str, list[Mean]] = {}
    default: Mean | None = None
    for mhz in BANDS_MHZ:
        by_model: dict[str, list[Saved]] = {}
        for seed in range(1, setting.seeds + 1):
            options = {**setting.options, **BAND.options(mhz)}
            drawn = saved(generate("slide", seed=seed, **options))
            drawn[ALL] = [own for model in sorted(drawn) for own in drawn[model]]
            for model, owns in drawn.items():
                if owns:
                    mean = Saved(*np.mean(owns, axis=0).tolist())
                    by_model.setdefault(model, []).append(mean)
        for model in sorted(by_model, key=lambda name: (name == ALL, name)):
            means = mean_of([own.part for own in by_model[model]], least=0, most=1)
            most = float(np.mean([own.most for own in by_model[model]]))
            rows.append((mhz, model, len(by_model[model]), *means, most))
            lines.setdefault(model, []).append(means)
            if model == ALL and mhz == BAND.default:
                default = means
    return Figure("latency", COLUMNS, rows, lambda axes: _draw(axes, lines), _findings(rows, default))


def _draw(axes: Any, lines: dict[str, list[Mean]]) -> None:
    whole = {model: means for model, means in lines.items() if len(means) == len(BANDS_MHZ)}
    axes.axhline(PUBLISHED_GAIN, color="0.4", linestyle="--", linewidth=0.8, label=f"published: {PUBLISHED_GAIN:.1%}")
    draw_lines(axes, BANDS_MHZ, whole, xlabel="band (MHz)", ylabel="part of the latency saved")
    axes.set_xscale("log")


def _findings(rows: list[tuple[Any, ...]], default: Mean | None) -> tuple[str, ...]:
    if default is None:
        return ()
    largest = max((row for row in rows if row[1] == ALL), key=lambda row: float(row[3]))
    return (
        f"latency saved by slide over dai at equal shares, full speed: {default.mean:.1%} at {BAND.default:g} MHz (the "
        f"default), at most {largest[3]:.1%} on the mean, at {largest[0]:g} MHz; published {PUBLISHED_GAIN:.1%}",
    )
