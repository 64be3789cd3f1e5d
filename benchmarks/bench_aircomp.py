"""How good and how fast over-the-air designs are, against proved bounds and against a general cone solver.

    python benchmarks/bench_aircomp.py ratios [--draws 35] [--csv FILE]
    python benchmarks/bench_aircomp.py speed [--draws 15] [--csv FILE]
    python benchmarks/bench_aircomp.py shares [--draws 8] [--fresh 100] [--cases 4x0 8x20] [--csv FILE]

`ratios`: the paper's antennas (20 at the server, 4 a device), 4 and 8 devices, Rician (K = 5) and Rayleigh fading, mean
gains spread over 0, 10 and 20 dB, `--draws` of each. Squared error over a bound that the stand-alone verifier has
replayed: `paper` is sdr-eigen with randomisation, `paper-truncation` with truncation; `truncation`, `randomisation` and
`descent` start from the trace-inverse relaxation, and `optimal` counts the draws whose relaxed rank is at most 4.
`mmse` is against the bound over all linear designs, at 20 and at 0 dB. All values are exact.

`speed`: seconds of the processor, one thread, on one draw after another of 8 devices: one warm SCS solve of the
trace-inverse relaxation alone (parametrised, compiled before), the whole of ours (relaxation, bound, descent), and ours
along a slowly changing channel, cold and started from the draw before. Medians, and their ratio to SCS.

`shares`: joint, sca (with its own and with the published surrogate), equal and proportional split, chosen on `--draws`
and judged on `--fresh` draws by the relaxed error with Student's intervals; and an interval for the optimum over all
channels. A case is the number of devices and the spread of their gains (dB).
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import edgeopt
from edgeopt.certify.aircomp_proof import encoded, stated
from edgeopt.certify.verify.proof_semidefinite import lower_bound, read_program
from edgeopt.instances.aircomp import AirCompInstance, Design, Plan
from edgeopt.instances.aircomp.plan import evaluate
from edgeopt.models.aircomp import cones
from edgeopt.solvers.aircomp.design import designed, proof_of
from edgeopt.solvers.aircomp.recover import recovered
from edgeopt.solvers.aircomp.relaxed import powers_left, relax, scaled
from edgeopt.solvers.base import Control

FADINGS = (
    ("rician", 0.0),
    ("rician", 10.0),
    ("rician", 20.0),
    ("rayleigh", 0.0),
    ("rayleigh", 10.0),
    ("rayleigh", 20.0),
)

CASES = ("4x0", "4x10", "8x0", "8x10", "8x20")
"""Devices and spread of the gains (dB) of `shares`."""


def exact(instance: AirCompInstance, plan: Plan) -> Fraction:
    """Squared error of a plan that keeps every constraint."""
    error, broken = evaluate(instance, plan)
    if broken or error is None:
        raise SystemExit(f"{instance.name}: {broken[:3]}")
    return error


def proved(instance: AirCompInstance, proof: Any) -> Fraction:
    """Bound that the verifier replays."""
    content = stated(instance)
    return lower_bound(read_program(content), encoded(instance, content, proof))


def zero_forcing_ratios(instance: AirCompInstance, seed: int) -> dict[str, float]:
    """Ratios of the zero-forcing designs of one draw."""
    shares = np.asarray(instance.shares)
    left = powers_left(instance, shares)
    relaxation = relax(instance, 0, left, np.random.default_rng([0, seed]))
    bound = proved(instance, proof_of(instance, shares, [relaxation]))
    own = scaled(instance, 0, left)
    found: dict[str, float] = {}

    def ratio(directions: Any) -> float:
        return float(exact(instance, Plan(shares.copy(), (Design(directions),))) / bound)

    for recovery in ("truncation", "randomisation", "descent"):
        found[recovery] = ratio(
            recovered(
                own, relaxation.factor, instance.streams, recovery, np.random.default_rng([1, seed]),  # type: ignore[arg-type]
                bound=relaxation.bound * own.size**2, starts=3,
            )
        )  # fmt: skip
    program = cones.program("eigen", own.channels.shape)
    matrix = program.solve(own.channels, "scs").matrix
    values, vectors = np.linalg.eigh(matrix)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    for name, recovery in (("paper", "randomisation"), ("paper-truncation", "truncation")):
        found[name] = ratio(recovered(own, factor, instance.streams, recovery, np.random.default_rng([2, seed])))  # type: ignore[arg-type]
    strengths = np.linalg.svd(relaxation.factor, compute_uv=False)
    found["rank"] = float((strengths > 1e-3 * strengths[0]).sum())
    return found


def linear_ratios(instance: AirCompInstance, seed: int) -> dict[str, float]:
    """Ratios of `mmse` on one draw, and of zero forcing to it."""
    shares = np.asarray(instance.shares)
    control = Control(seed=seed)
    plan, relaxations, _ = designed(instance, shares, control, solver="mmse", linear=True)
    forced, _, _ = designed(
        instance, shares, control, solver="sdr-trace-inverse", linear=False, warm=relaxations, kind="error"
    )
    bound = proved(instance, proof_of(instance, shares, relaxations))
    error = exact(instance, plan)
    return {"mmse": float(error / bound), "zero-forcing over mmse": float(exact(instance, forced) / error)}


def ratios(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line a design and number of devices."""
    for devices in (4, 8):
        columns: dict[str, list[float]] = {}
        for fading, spread in FADINGS:
            for seed in range(options.draws):
                settings = {"devices": devices, "fading": fading, "gain_spread_db": spread, "seed": seed}
                instance = edgeopt.generate("aircomp", **settings)
                for name, value in zero_forcing_ratios(instance, seed).items():
                    columns.setdefault(name, []).append(value)
                for snr in (20.0, 0.0):
                    linear = edgeopt.generate("aircomp", design="linear", snr_db=snr, **settings)
                    for name, value in linear_ratios(linear, seed).items():
                        columns.setdefault(f"{name} at {snr:g} dB", []).append(value)
        ranks = columns.pop("rank")
        met = [own for own, rank in zip(columns["descent"], ranks, strict=True) if rank <= 4]
        if met:
            columns["optimal"] = met
        for name, values in columns.items():
            yield {
                "devices": devices, "design": name, "draws": len(values), "least": min(values),
                "median": statistics.median(values), "p95": float(np.quantile(values, 0.95)), "worst": max(values),
            }  # fmt: skip


def seconds(function: Callable[[], object]) -> float:
    """Time of the processor of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def speed(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line a way of solving."""
    columns: dict[str, list[float]] = {}
    instance = edgeopt.generate("aircomp", devices=8, draws=options.draws + 1, seed=1)
    shares = np.asarray(instance.shares)
    left = powers_left(instance, shares)
    program = cones.program("trace-inverse", scaled(instance, 0, left).channels.shape)
    program.solve(scaled(instance, 0, left).channels, "scs")
    walk, before = edgeopt.generate("aircomp", devices=8, draws=2, seed=2), None
    for draw in range(1, instance.draws):
        own = scaled(instance, draw, left)
        one = instance.with_channels(instance.channels[draw])
        columns.setdefault("scs alone", []).append(seconds(lambda c=own.channels: program.solve(c, "scs")))  # type: ignore[misc]
        columns.setdefault("relaxation and bound", []).append(
            seconds(lambda i=one: relax(i, 0, left, np.random.default_rng(0)))  # type: ignore[misc]
        )
        for starts in (1, 3):
            columns.setdefault(f"whole design, {starts} starts", []).append(
                seconds(lambda i=one, s=starts: designed(i, shares, Control(), solver="x", linear=False, starts=s))  # type: ignore[misc]
            )
        # a channel that changes by a hundredth of its power from draw to draw
        moved = np.sqrt(0.99) * walk.channels[0] + 0.1 * walk.channels[1]
        other = edgeopt.generate("aircomp", devices=8, seed=100 + draw).channels[0]
        walk = walk.with_channels(np.stack([moved, other]))
        columns.setdefault("slow channel, cold", []).append(
            seconds(lambda w=walk: relax(w, 0, left, np.random.default_rng(0)))  # type: ignore[misc]
        )
        kept = before or relax(walk, 0, left, np.random.default_rng(0))
        columns.setdefault("slow channel, from the draw before", []).append(
            seconds(lambda w=walk, b=kept: relax(w, 0, left, np.random.default_rng(0), warm=b))  # type: ignore[misc]
        )
        before = relax(walk, 0, left, np.random.default_rng(0), warm=kept)
    base = statistics.median(columns["scs alone"])
    for name, values in columns.items():
        yield {"way": name, "draws": len(values), "median_s": statistics.median(values), "worst_s": max(values),
               "ratio": statistics.median(values) / base}  # fmt: skip


def shares(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line an assignment."""
    from edgeopt.solvers.aircomp.joint import best_shares
    from edgeopt.solvers.aircomp.sampling import interval, optimum_interval, relaxed_errors
    from edgeopt.solvers.aircomp.sca import trace

    count = options.draws
    for case in options.cases:
        devices, spread = int(case.split("x")[0]), float(case.split("x")[1])
        drawn = edgeopt.generate(
            "aircomp",
            devices=devices,
            gain_spread_db=spread,
            seed=1,
            draws=4 * count + options.fresh,
            shares="open",
            power_spread=0.15,
        )
        sample = drawn.with_channels(drawn.channels[:count])
        others = [drawn.with_channels(drawn.channels[count * k : count * (k + 1)]) for k in range(1, 4)]
        new = drawn.with_channels(drawn.channels[4 * count :])
        power = drawn.devices.power_w / drawn.devices.power_w.sum()
        chosen = {
            "joint": best_shares(sample, Control()).shares,
            "sca": trace(sample, Control()).shares[-1],
            "sca, published surrogate": trace(sample, Control(), surrogate="proximal").shares[-1],
            "equal-split": np.full(devices, 1 / devices),
            "power-split": power,
        }
        errors = {name: relaxed_errors(new, own) for name, own in chosen.items()}
        inside = {name: float(relaxed_errors(sample, own).mean()) for name, own in chosen.items()}
        least = optimum_interval([sample, *others])
        for name, values in errors.items():
            own, more = interval(values.tolist()), interval((values - errors["joint"]).tolist())
            yield {
                "devices": devices, "spread_db": spread, "shares": name, "in_sample": inside[name] / inside["joint"],
                "fresh": own.mean, "low": own.low, "high": own.high, "above_joint": more.mean,
                "above_low": more.low, "above_high": more.high, "optimum_low": least.low,
            }  # fmt: skip


def shown(value: Any) -> str:
    """A cell, to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print a Markdown table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ratios", "speed", "shares"))
    parser.add_argument("--draws", type=int, help="35 of ratios, 15 of speed and 8 of shares when not given")
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--cases", nargs="+", default=CASES, help="of shares: devices x spread of the gains (dB)")
    parser.add_argument("--csv", metavar="FILE")
    options = parser.parse_args()
    options.draws = options.draws or {"ratios": 35, "speed": 15, "shares": 8}[options.what]
    rows: list[dict[str, Any]] = []
    for row in {"ratios": ratios, "speed": speed, "shares": shares}[options.what](options):
        if not rows:
            print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
        rows.append(row)
        print(f"| {' | '.join(shown(value) for value in row.values())} |", flush=True)
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: shown(value) for name, value in row.items()} for row in rows)


if __name__ == "__main__":
    main()
