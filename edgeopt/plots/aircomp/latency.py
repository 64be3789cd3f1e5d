"""Time of a token over the number of devices: our model of it beside the published numbers, and other systems.

Two numbers are fitted, to the published time of LLaMA2-7B on one and on two devices: the speed of the memory that
weights are read from, and the band of the sums. The rest is predicted: weights read in parallel, two sums a layer.
"""

from __future__ import annotations

from typing import Any

from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import MARKERS
from edgeopt.solvers.aircomp.systems import digital_s
from edgeopt.system import allreduce
from edgeopt.system.catalogue import lookup

STREAMS = 4
FITTED = "llama-2-7b"
SAME_SHAPE = {"llama-3-70b": "llama-3.1-70b"}
TODAY = ("llama-3.1-8b", "llama-3.2-3b", "qwen2.5-7b")
COLUMNS = ("model", "devices", "air_ms", "published_ms", "digital_ms", "fdma_ms", "tokens_per_s")


def fitted() -> tuple[float, float]:
    """Speed of the memory (byte/s) and band (Hz) that the published times of the fitted model ask for."""
    shape = lookup(FITTED)
    alone, two = allreduce.PUBLISHED_MS[FITTED][:2]
    assert alone is not None
    assert two is not None
    memory = shape.weight_bytes() / (alone / 1e3)
    left = (two - alone / 2) / 1e3
    return memory, allreduce.SUMS_PER_LAYER * shape.layers * shape.hidden / STREAMS / left


def latency(setting: Setting) -> Figure:
    """Time a token of each model by system."""
    memory, band = fitted()
    rows: list[tuple[Any, ...]] = []
    for name in (*allreduce.PUBLISHED_MS, *TODAY):
        shape = lookup(SAME_SHAPE.get(name, name))
        sums = shape.layers * allreduce.SUMS_PER_LAYER
        for place, count in enumerate(allreduce.PUBLISHED_DEVICES):
            published = allreduce.PUBLISHED_MS.get(name, (None,) * 4)[place]
            reading = shape.weight_bytes() / count / memory
            air = fdma = digital = 0.0
            if count > 1:
                air = sums * float(allreduce.air_sum_s(shape.hidden, STREAMS, band))
                fdma = count * air
                options = {**setting.options, "devices": count, "model": shape.name, "bandwidth_hz": band}
                drawn = generate("aircomp", seed=1, draws=setting.seeds, **options)
                digital = sums * digital_s(drawn, drawn.shares)
            times = [1e3 * (reading + own) for own in (air, digital, fdma)]
            rows.append((name, count, times[0], published, times[1], times[2], 1e3 / times[0]))
    return Figure("latency", COLUMNS, rows, lambda axes: _draw(axes, rows), _findings(rows, memory, band))


def _findings(rows: list[tuple[Any, ...]], memory: float, band: float) -> tuple[str, ...]:
    predicted = [row for row in rows if row[3] is not None and (row[0], row[1]) not in ((FITTED, 1), (FITTED, 2))]
    off = [row[2] / row[3] - 1 for row in predicted]
    gain = max((row[4] / row[2], row[0], row[1]) for row in rows if row[1] > 1)
    return (
        f"fitted: memory {memory / 1e9:.1f} GB/s, band {band / 1e6:.2f} MHz; the other {len(off)} published times are "
        f"met within {min(off):+.1%} to {max(off):+.1%}",
        f"with digital sums a token takes up to {gain[0]:.2f} times as long ({gain[1]}, {gain[2]} devices); published: "
        "up to 5",
    )


def _draw(axes: Any, rows: list[tuple[Any, ...]]) -> None:
    for name, marker in zip(allreduce.PUBLISHED_MS, MARKERS, strict=False):
        own = [row for row in rows if row[0] == name]
        (line,) = axes.plot([row[1] for row in own], [row[2] for row in own], marker=marker, markersize=3.5, label=name)
        told = [row for row in own if row[3] is not None]
        style = {"color": line.get_color(), "linestyle": ":", "marker": marker, "markersize": 6, "fillstyle": "none"}
        axes.plot([row[1] for row in told], [row[3] for row in told], **style)
    axes.plot([], [], color="0.4", linestyle=":", marker="o", fillstyle="none", label="published")
    axes.set(xlabel="devices", ylabel="time a token (ms)", yscale="log")
    axes.legend()
