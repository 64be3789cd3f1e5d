"""How long `slide` takes, against reading its input once and sorting once, and against general solvers.

    python benchmarks/bench_slide.py [--csv FILE] [--sizes 100,1000,...] [--layers 50]

Users with a model of their own each, 50 random layers, with and without energy budgets, in two cells: `cell` is the
generator's default, whose 100 MHz serve some dozens; `wide` grows with the users, 5 MHz and 0.05 W each as the default
has for its 20, and serves nearly all. All in one process, on the compiled instance, call by call in turn; medians of
warm calls, in seconds of the processor, which other work on the machine disturbs little (one thread):

- `read`: one pass, the sum of every array that the solver reads;
- `sort`: `numpy.argsort` of the least shares;
- `slide`: the whole solver; `served` of `bound` says what it proved within the limit;
- `cone`: the least share of one user as a cone program in cvxpy on Clarabel, its building included, median over a few
  users; `cone_all` multiplies it by the users, it is not measured;
- `milp`: HiGHS on the model that is given exact least shares, building included, up to a size; wall-clock seconds.

`ratio` is `slide` over `read` + `sort`.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import edgeopt
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.corners import with_columns
from edgeopt.result import Answer
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.least_share import least_shares
from edgeopt.solvers.slide.slide import slide

COLUMNS = (
    "users", "layers", "cell", "energy", "served", "bound", "compile_s", "read_s", "sort_s", "slide_s", "ratio",
    "hulls_a_user", "cone_s", "cone_all_s", "milp_s",
)  # fmt: skip
READ = ("bits", "work_left", "overhead_left", "start", "deadline", "rate", "flop_ticks", "energy", "pair_model")
BAND_A_USER_HZ = 5e6
POWER_A_HZ = 1e-8
"""W/Hz, as 1 W in the default band of 100 MHz."""


def seconds(function: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Time of one call."""
    start = clock()
    function()
    return clock() - start


def instance_of(users: int, layers: int, energy: bool, cell: str = "cell") -> SlideInstance:
    """The instance of a line."""
    if cell == "cell":
        return edgeopt.generate("slide", seed=1, users=users, layers=layers, energy=energy)
    band = BAND_A_USER_HZ * users
    drawn = edgeopt.generate("slide", seed=1, users=users, layers=layers, energy=energy, bandwidth_hz=band)
    return with_columns(replace(drawn, name=f"bench-{users}"), power_w=np.full(users, POWER_A_HZ * band))


def read_once(compiled: CompiledSlide) -> float:
    """One pass over what the solver reads."""
    return float(sum(float(getattr(compiled, name).sum()) for name in READ))


def cone_seconds(instance: SlideInstance, users: int) -> float | None:
    """Median time of a cone program, over the first users that one term alone does not rule out."""
    from edgeopt.models.slide.joint_cone import least_share_by_cone
    from edgeopt.models.slide.scaled import hopeless, scaled

    compiled = instance.compiled
    pairs = [compiled.pair(user, int(compiled.models_of(user)[0])) for user in range(min(20 * users, compiled.users))]
    found = [scaled(pair) for pair in pairs if not hopeless(pair)][: users + 1]
    times = [seconds(lambda p=pair: least_share_by_cone(p)) for pair in found]  # type: ignore[misc]
    return statistics.median(times[1:]) if len(times) > 1 else None


def milp_seconds(instance: SlideInstance, value: float) -> float:
    """Time of HiGHS, whose value must be the same."""
    from edgeopt.solvers import highs

    found: list[Any] = []
    taken = seconds(lambda: found.append(highs.solve(instance, Control("highs"))), time.perf_counter)
    if found[0].claimed_value != value:
        raise SystemExit(f"{instance.name}: HiGHS found {found[0].claimed_value}, slide {value}")
    return taken


def run(instance: SlideInstance, limit: float) -> Answer:
    """The solver on a compiled instance."""
    return slide(instance, Control("slide", time_limit=limit))


def line(options: argparse.Namespace, users: int, cell: str, energy: bool) -> dict[str, Any]:
    """One line of the table."""
    instance = instance_of(users, options.layers, energy, cell)
    compile_s = seconds(lambda: instance.compiled)
    compiled = instance.compiled
    answer = run(instance, options.limit)
    broken = edgeopt.violations(instance, answer.solution) if users <= 10**4 else []
    if broken:
        raise SystemExit(f"{instance.name}: {broken[:3]}")
    shares = least_shares(compiled).user_high
    closed = answer.claimed_value == answer.bound
    repeats = 1 if not closed else 25 if users <= 10**4 else 9 if users <= 10**5 else 3
    times = [
        (
            seconds(lambda: read_once(compiled)),
            seconds(lambda: np.argsort(shares)),
            seconds(lambda: run(instance, options.limit)),
        )
        for _ in range(repeats)
    ]
    read_s, sort_s, slide_s = (statistics.median(column) for column in zip(*times, strict=True))
    cone_s = cone_seconds(instance, options.cone_users) if options.cone_users else None
    milp = closed and users <= options.milp_most
    return {
        "users": users,
        "layers": options.layers,
        "cell": cell,
        "energy": "yes" if energy else "no",
        "served": answer.claimed_value,
        "bound": answer.bound,
        "compile_s": compile_s,
        "read_s": read_s,
        "sort_s": sort_s,
        "slide_s": slide_s,
        "ratio": slide_s / (read_s + sort_s),
        "hulls_a_user": answer.effort["hulls"] / users,
        "cone_s": cone_s,
        "cone_all_s": None if cone_s is None else cone_s * users,
        "milp_s": milp_seconds(instance, answer.claimed_value or 0) if milp else None,
    }


def lines(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All lines, smallest problems first."""
    for users in [int(size) for size in options.sizes.split(",")]:
        for cell in ("cell", "wide"):
            for energy in (False, True):
                yield line(options, users, cell, energy)


def shown(value: Any) -> str:
    """A cell: floats with three digits, nothing where nothing was measured."""
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print a Markdown table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", metavar="FILE", help="also write the table to FILE")
    parser.add_argument("--sizes", default="100,1000,10000,100000", help="10^6 users take several GB, minutes to draw")
    parser.add_argument("--layers", type=int, default=50)
    parser.add_argument("--cone-users", type=int, default=5, help="cone programs a line; 0 leaves them out")
    parser.add_argument("--milp-most", type=int, default=300, help="most users for HiGHS")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a run of slide")
    options = parser.parse_args()
    run(instance_of(20, options.layers, True), options.limit)
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    rows = []
    for row in lines(options):
        rows.append(row)
        print(f"| {' | '.join(shown(row[name]) for name in COLUMNS)} |", flush=True)
    print(f"\npeak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: shown(value) for name, value in row.items()} for row in rows)


if __name__ == "__main__":
    main()
