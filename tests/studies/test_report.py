"""Ratios, performance profiles, the page and the tables of a store."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.verify.certificate import check
from edgeopt.studies.quality import profile, rated, share_within
from edgeopt.studies.report import certificate_of, report
from edgeopt.studies.runner import run_study
from edgeopt.studies.store import Store
from edgeopt.studies.study import read_study
from edgeopt.studies.table import by_run, by_solver
from edgeopt.studies.task import Task, execute


def row(
    solver: str, value: float | None, bound: float | None = None, sense: str = "max", **more: Any
) -> dict[str, Any]:
    base = {
        "kind": "solve", "status": "done", "problem": "p", "digest": "d", "solver": solver, "options": "{}",
        "value": value, "value_evidence": None if value is None else "checked", "bound": bound, "sense": sense,
        "termination": "complete",
    }  # fmt: skip
    return base | more


def test_ratios_against_the_best_of_all_runs() -> None:
    found = {
        one.label: one
        for one in rated([row("a", 8, 12), row("b", 10, 11), row("c", None), row("d", 12, value_evidence="claimed")])
    }
    assert set(found) == {"a", "b"}
    assert (found["a"].ratio, found["b"].ratio) == (0.8, 1.0)
    assert (found["a"].bound, found["a"].proved) == (11, 8 / 11)
    cheap = {one.label: one for one in rated([row("a", 8, 4, "min"), row("b", 5, 5, "min"), row("e", 6, 7, "min")])}
    assert (cheap["a"].ratio, cheap["b"].ratio, cheap["b"].proved) == (5 / 8, 1.0, 1.0)
    assert cheap["a"].bound == 5  # the bound of `e` is refuted by `b`
    assert [one.ratio for one in rated([row("a", 0, 0), row("b", 0)])] == [1.0, 1.0]
    assert [one.reached for one in rated([row("a", 1.0), row("b", 1.0 - 1e-12), row("c", 0.999)])] == [
        True,
        True,
        False,
    ]


COSTS = st.dictionaries(
    st.sampled_from("abc"),
    st.dictionaries(st.integers(0, 5), st.none() | st.floats(0.1, 10), max_size=6),
    min_size=1,
)


@given(COSTS, st.floats(1, 50))
def test_profiles_count_what_they_say(costs: dict[str, dict[int, float | None]], tau: float) -> None:
    steps = profile(costs)
    tasks = {task for own in costs.values() for task, cost in own.items() if cost is not None}
    for solver, own in costs.items():
        within = 0
        for task in tasks:
            least = min(cost for other in costs.values() if (cost := other.get(task)) is not None)
            cost = own.get(task)
            within += cost is not None and cost / least <= tau
        assert share_within(steps[solver], tau) == (pytest.approx(within / len(tasks)) if tasks else 0.0)


class Here:
    """A pool without processes."""

    room = 1

    def submit(self, number: int, task: Task) -> None:
        self.job = number, task

    def outcomes(self, timeout_s: float) -> Any:
        number, task = self.job
        yield number, execute(task)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("report")
    (folder / "s.toml").write_text(
        """
        name = "gah <against> exact"
        seeds = 3
        [[instances]]
        generate = "batching"
        set = { nodes = 2, regime = "all" }
        vary = { requests = [10, 20] }
        [[solvers]]
        name = "gah"
        [[solvers]]
        name = "close"
        [[solvers]]
        name = "ot"
        [[simulations]]
        policies = ["gah", "static"]
        set = { epochs = 2, warmup = 0, rate = 3.0 }
        """
    )
    with Store(folder / "s.sqlite", create=True) as kept:
        run_study(read_study(folder / "s.toml"), kept, Here(), environment={"edgeopt": "1.2.3"})
        yield kept


class Page(HTMLParser):
    """Collects what a browser would fetch, and checks that tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.fetched += [str(found[name]) for name in ("src", "data") if name in found]
        if tag == "link":
            self.fetched.append(str(found.get("href")))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag not in ("meta", "br", "path", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "br", "path", "use"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "br", "path", "use"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_opens_offline(store: Store) -> None:
    pytest.importorskip("matplotlib")
    text = report(store, worst=2, say=lambda words: None)
    page = Page()
    page.feed(text)
    assert not page.open
    assert not page.fetched
    assert "script" not in page.tags
    assert not re.search(r"url\((?!#)|@import", text)
    assert "gah &lt;against&gt; exact" in text
    assert "1.2.3" in text
    assert text.count("<svg") == 4
    assert "only one node" not in text
    assert "the instance all-2nodes-10-seed1 has 2" in text  # why `ot` refused
    assert "rate 3.0" in text
    certificates = [link for link in page.links if link.startswith("data:application/gzip;base64,")]
    assert len(certificates) == 2
    for link in certificates:
        content = json.loads(gzip.decompress(base64.b64decode(link.partition(",")[2])))
        check(content)


def test_an_empty_store_has_a_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with Store(tmp_path / "empty.sqlite", create=True) as store:
        assert "0 runs" in report(store)


def test_a_study_counts_the_runs_that_another_one_made(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    text = (
        "seeds = {}\n[[instances]]\ngenerate = 'batching'\nset = {{nodes = 1, requests = 4}}\n[[solvers]]\nname = 'gah'"
    )
    with Store(tmp_path / "s.sqlite", create=True) as kept:
        for name, seeds in (("one", 2), ("two", 3)):
            (tmp_path / "s.toml").write_text(f"name = '{name}'\n{text.format(seeds)}")
            run_study(read_study(tmp_path / "s.toml"), kept, Here())
        page = report(kept, worst=0)
        assert '<td class="text">one</td><td>2</td><td>2</td><td>2</td>' in page
        assert '<td class="text">two</td><td>3</td><td>3</td><td>3</td>' in page
        kept.connection.execute("drop table asked")  # as in stores made before it
        assert '<td class="text">one</td><td>2</td><td>2</td><td>2</td>' in report(kept, worst=0)


def test_an_instance_that_changed_since_its_run_is_not_certified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    text = "name = 'x'\n[[instances]]\nfiles = ['one.json']\n[[solvers]]\nname = 'gah'"
    (folder / "s.toml").write_text(text)
    file = folder / "one.json"
    eo.write(eo.generate("batching", nodes=1, requests=4, seed=1), file)
    monkeypatch.chdir(tmp_path)
    with Store(Path("s.sqlite"), create=True) as kept:
        run_study(read_study(Path("studies/s.toml")), kept, Here())
    monkeypatch.chdir("/")  # the files of a study are found from everywhere
    with Store(tmp_path / "s.sqlite") as kept:
        (one,) = rated(kept.rows())
        where = kept.folder("x")
    assert "data:application/gzip" in certificate_of(one, 5.0, where)[1]
    file.write_text(json.dumps(json.loads(file.read_text()), indent=4))  # the same content
    assert "data:application/gzip" in certificate_of(one, 5.0, where)[1]
    eo.write(eo.generate("batching", nodes=1, requests=4, seed=2), file)
    assert certificate_of(one, 5.0, where) == (
        "one.json: the file has changed since the run; run the study again",
        "-",
    )


def test_tables_of_the_terminal(store: Store) -> None:
    assert by_solver(store).row_count == 5
    assert by_run(store).row_count == len(list(store.rows())) == 6 * 3 + 3 * 2
