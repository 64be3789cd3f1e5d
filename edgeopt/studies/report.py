"""One HTML page about a store: self-contained, opens offline, pictures and certificates inside."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from edgeopt import __version__
from edgeopt.errors import EdgeoptError, InstanceError
from edgeopt.studies import pictures
from edgeopt.studies.quality import Rated, label, profile, rated, share_within
from edgeopt.studies.store import Store
from edgeopt.studies.task import DONE, instance_of, sha256_of

WORST = 5
"""Instances that are named as the worst ones of a problem, unless told otherwise."""
CERTIFY_S = 20.0
"""Limit of a certificate (s)."""
TAUS = (1.0, 2.0, 10.0, 100.0)

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2.2rem;border-bottom:1px solid #c8d0da}h3{margin-top:1.6rem}
table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem;display:block;overflow-x:auto}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e3e8ee;white-space:nowrap}
th{background:#f2f5f9}td:first-child,th:first-child{text-align:left}td.text{text-align:left}
figure{margin:.6rem 0;display:inline-block;vertical-align:top}figcaption{font-size:.85rem;color:#4d5a68;max-width:29rem}
svg{max-width:100%;height:auto}pre{background:#f2f5f9;padding:.6rem;overflow-x:auto;font-size:.85rem}
details{margin:.4rem 0}.note{color:#4d5a68}
@media print{body{max-width:none}details{display:none}}
"""


def report(
    store: Store, *, worst: int = WORST, certify_s: float = CERTIFY_S, say: Callable[[str], None] = print
) -> str:
    """The page.

    Parameters
    ----------
    store : Store
    worst : int
        How many of the worst instances of each problem are shown, each certified anew for its link; 0 leaves them out.
    certify_s : float
        Limit of each certificate (s).
    say : callable
        Hears what takes long.

    Raises
    ------
    BackendError
        If matplotlib is not installed.
    """
    from edgeopt.plots.base import require_matplotlib

    require_matplotlib()
    rows = list(store.rows())
    parts = [_head(store, rows), _what(store, rows)]
    found = rated(rows)
    solved = [row for row in rows if row["kind"] == "solve"]
    for problem in sorted({row["problem"] for row in solved if row["problem"]}):
        own = [one for one in found if one.row["problem"] == problem]
        parts.append(_problem(problem, [row for row in solved if row["problem"] == problem], own))
        if worst and own:
            parts.append(_worst(store, problem, own, worst, certify_s, say))
    parts.append(_simulations([row for row in rows if row["kind"] == "simulate" and row["status"] == DONE]))
    parts.append(_without_answer([row for row in rows if row["status"] != DONE]))
    body = "\n".join(part for part in parts if part)
    title = escape(", ".join(name for name, *_ in store.studies()) or store.path.name)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def table(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """An HTML table; text cells are escaped, cells that are `Raw` are not."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "\n".join("<tr>" + "".join(_cell(value) for value in line) + "</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table>"


class Raw(str):
    """HTML that is put into a table as it is."""


def _cell(value: Any) -> str:
    if isinstance(value, Raw):
        return f'<td class="text">{value}</td>'
    if value is None:
        return "<td>-</td>"
    if isinstance(value, float):
        return f"<td>{value:.4g}</td>"
    kind = "" if isinstance(value, int) else ' class="text"'
    return f"<td{kind}>{escape(str(value))}</td>"


def _head(store: Store, rows: Sequence[dict[str, Any]]) -> str:
    names = ", ".join(name for name, *_ in store.studies())
    last = max((row["finished"] for row in rows), default="-")
    return (
        f"<h1>{escape(names or store.path.name)}</h1>"
        f'<p class="note">{len(rows)} runs, the last one finished {escape(last)}; '
        f"page made by edgeopt {__version__}.</p>"
    )


def _what(store: Store, rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for name, _, total, begun in store.studies():
        asked = store.asked(name)
        own = [row for row in rows if row["study"] == name or row["key"] in asked]
        answered = sum(row["status"] == DONE for row in own)
        lines.append((name, total, len(own), answered, Raw(escape(begun))))
    text = "<h2>What was run</h2>" + table(("study", "asked for", "runs kept", "with an answer", "last begun"), lines)
    for name, content, *_ in store.studies():
        text += f"<details><summary>{escape(name)}, as asked for</summary><pre>{escape(content)}</pre></details>"
    used = {row["environment"] for row in rows}
    for number, versions in store.environments().items():
        if number in used:
            count = sum(row["environment"] == number for row in rows)
            text += f"<h3>Versions of {count} runs</h3>" + table(("part", "version"), list(versions.items()))
    return text


def _problem(problem: str, rows: Sequence[dict[str, Any]], own: Sequence[Rated]) -> str:
    labels = sorted({label(row) for row in rows})
    seconds = {name: _costs(own, name) for name in labels}
    fast = profile(seconds)
    lines = []
    for name in labels:
        mine = [one for one in own if one.label == name]
        all_runs = [row for row in rows if label(row) == name]
        ratios = [one.ratio for one in mine if one.ratio is not None]
        proved = [one.proved for one in mine if one.proved is not None]
        times = [one.row["seconds"] for one in mine]
        lines.append(
            (
                name, len(all_runs), len(mine), sum(one.reached for one in mine),
                float(np.mean(ratios)) if ratios else None, min(ratios, default=None),
                float(np.mean(proved)) if proved else None, median(times) if times else None,
                max(times, default=None), *(share_within(fast[name], tau) for tau in TAUS),
            )
        )  # fmt: skip
    head = (
        "solver", "runs", "answers", "best known", "mean of best", "least of best", "mean of bound", "median s",
        "longest s", *(f"within {tau:g}x" for tau in TAUS),
    )  # fmt: skip
    text = f"<h2>{escape(problem)}</h2>" + table(head, lines)
    text += (
        '<p class="note">"of best": value against the best checked value of all runs on the instance; "of bound": '
        "against the tightest bound of all runs, one solver's word unless a certificate below says more; both the "
        'other way round where the problem minimises. "within": share of the instances answered as well as the best '
        "is known in at most so many times the least time that anyone took for that.</p>"
    )
    pictures_ = [
        (pictures.profiles(fast), "Performance profiles of time: how often the best known value is reached within "
         "so many times the least time that anyone took for it."),
        (pictures.ratios({name: _values(own, name, "ratio") for name in labels}),
         "Ratio to the best known value: share of the runs that are at least so good."),
        (pictures.ratios({name: [1 - v for v in _values(own, name, "proved")] for name in labels}, gap=True),
         "Gap to the tightest bound: share of the runs with at most this gap."),
        (pictures.scaling({name: _scaling(own, name) for name in labels}), "Time over size; lines join medians."),
    ]  # fmt: skip
    text += "".join(
        f"<figure>{picture}<figcaption>{escape(words)}</figcaption></figure>" for picture, words in pictures_ if picture
    )
    return text


def _task(one: Rated) -> tuple[Any, ...]:
    return one.row["digest"], one.row["seed"], one.row["time_limit_s"]


def _costs(own: Sequence[Rated], name: str) -> dict[Any, float | None]:
    """Seconds to a value as good as the best known; None where it is not reached."""
    return {_task(one): max(one.row["seconds"], 1e-6) if one.reached else None for one in own if one.label == name}


def _values(own: Sequence[Rated], name: str, what: str) -> list[float]:
    return [value for one in own if one.label == name and (value := getattr(one, what)) is not None]


def _scaling(own: Sequence[Rated], name: str) -> list[tuple[float, float]]:
    return [
        (float(one.row["size"]), max(one.row["seconds"], 1e-6)) for one in own if one.label == name and one.row["size"]
    ]


def _worst(
    store: Store, problem: str, own: Sequence[Rated], count: int, certify_s: float, say: Callable[[str], None]
) -> str:
    """The instances on which some solver is furthest from the best known value or bound."""
    ranked = sorted(
        (one for one in own if one.ratio is not None),
        key=lambda one: (one.ratio, one.proved if one.proved is not None else 1.0, one.row["key"]),
    )
    chosen: dict[str, Rated] = {}
    for one in ranked:
        chosen.setdefault(one.row["digest"], one)
        if len(chosen) == count:
            break
    lines = []
    for one in chosen.values():
        say(f"certifying {one.label} on {one.row['instance']} ...")
        words, link = certificate_of(one, certify_s, store.folder(one.row["study"]))
        lines.append((one.row["instance"], one.label, one.row["value"], one.best, one.bound, one.ratio, words, link))
    head = ("instance", "solver", "value", "best known", "tightest bound", "of best", "certified now", "certificate")
    return f"<h3>Worst instances of {escape(problem)}</h3>" + table(head, lines)


def certificate_of(one: Rated, limit_s: float, folder: str = "") -> tuple[str, Raw]:
    """What certifying a run again says, and a link to the certificate, which is inside the page.

    The files of the run's study are named from `folder`.
    """
    from edgeopt.certify.compare import certify
    from edgeopt.solvers.base import solve

    row = one.row
    try:
        instance = _same_instance(row, folder)
        result = solve(instance, row["solver"], time_limit=limit_s, seed=row["seed"], **json.loads(row["options"]))
        found = certify(instance, result, time_limit=limit_s)
        if found.interrupted:
            raise KeyboardInterrupt
    except (EdgeoptError, OSError) as error:
        return str(error)[:200], Raw("-")
    if found.certificate is None:
        return str(found), Raw("none: no proof")
    data = gzip.compress(json.dumps(found.certificate.content, separators=(",", ":")).encode(), mtime=0)
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{row['instance']}-{row['solver']}")
    href = f"data:application/gzip;base64,{base64.b64encode(data).decode()}"
    return str(found), Raw(f'<a download="{name}.json.gz" href="{href}">{escape(name)}.json.gz</a>')


def _same_instance(row: Mapping[str, Any], folder: str) -> Any:
    """The instance of a run, which must have the content that was solved then; how its file is laid out is free."""
    source = json.loads(row["source"])
    if "file" in source:
        source["sha256"] = sha256_of(Path(folder) / source["file"])
    instance = instance_of(source, folder)
    if instance.digest != row["digest"]:
        what = f"{source['file']}: the file has" if "file" in source else "what is generated has"
        raise InstanceError(f"{what} changed since the run; run the study again")
    return instance


def _simulations(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        source = json.loads(row["source"])
        text = ", ".join(f"{name} {value}" for name, value in sorted(source["scenario"].items())) or "default"
        if "trace_sha256" in source:  # a trace that was edited between runs is another scenario
            text += f" ({source['trace_sha256'][:8]})"
        groups[text, row["solver"]].append(json.loads(row["metrics"]))
    lines = [
        (scenario, policy, len(found), sum(one["arrivals"] for one in found), *_mean(found, "completion_rate"),
         *(sum(one[state] for one in found) for state in ("expired", "late", "refused")))
        for (scenario, policy), found in sorted(groups.items())
    ]  # fmt: skip
    head = ("scenario", "policy", "runs", "requests", "completion rate", "least", "most", "expired", "late", "refused")
    return "<h2>Simulations</h2>" + table(head, lines)


def _mean(found: Sequence[dict[str, Any]], name: str) -> tuple[float | None, float | None, float | None]:
    values = [one[name] for one in found if one[name] is not None]
    return (float(np.mean(values)), min(values), max(values)) if values else (None, None, None)


def _without_answer(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    shown = rows[:200]
    lines = [(row["instance"][:60], label(row), row["status"], (row["message"] or "")[:200]) for row in shown]
    more = f"<p>... and {len(rows) - len(shown)} more.</p>" if len(rows) > len(shown) else ""
    return "<h2>Runs without an answer</h2>" + table(("instance", "solver", "how it ended", "message"), lines) + more
