"""The stand-alone verifier: with nothing but the standard library, and not to be fooled."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
import edgeopt.certify
from edgeopt.certify.batching_proof import choices
from edgeopt.certify.certificate import Certificate, of_program, write_certificate
from edgeopt.certify.counting import bin_tree
from edgeopt.certify.proofs import program_content
from edgeopt.certify.verify import certificate as verifier
from edgeopt.certify.verify.program import read_program, value_of
from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed
from edgeopt.instances.base import problem
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, Infeasible, Leaf

FOLDER = Path(edgeopt.certify.__file__).parent / "verify"
NAMED = {"problem_name": "none", "instance": {"name": "small", "digest": "0", "file_sha256": None}, "producer": {}}


def run(*arguments: str | Path, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    """The verifier on its own: no site packages, no user's paths, no environment."""
    return subprocess.run([sys.executable, "-S", "-I", folder, *arguments], capture_output=True, text=True, timeout=60)


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content with a seal that fits, as a forger would make it."""
    return content | {"seal": verifier.seal(content)}


def copied(content: Any) -> Any:
    return json.loads(json.dumps(content))


def accepted(content: Any) -> bool:
    """Whether the verifier accepts; anything but its two refusals is a bug and comes through."""
    try:
        verifier.check(parsed(json.dumps(content).encode(), "file"))
    except (Refuted, Unreadable):
        return False
    return True


@pytest.fixture(scope="module")
def instance() -> Any:
    return eo.generate("batching", nodes=1, requests=30, regime="both", seed=0)


@pytest.fixture(scope="module")
def honest(instance: Any) -> dict[str, Any]:
    """A certificate whose bound needs threshold splits, chains and counting, since its prices are crude."""
    family = problem("batching")
    program, best = family.program(instance), eo.solve(instance, "ot")
    unit = best.value / np.maximum(program.capacity[0], 1)
    rows = np.concatenate([np.diag(unit), unit[None] / 4, unit[None] / 2])
    tree = Bins(np.zeros(program.groups), (bin_tree(program, 0, rows, best.value),))
    digest = hashlib.sha256(family.encode(instance)).hexdigest()
    made = of_program(
        program,
        choices(instance, best.solution).tolist(),
        [tree],
        problem_name="batching",
        instance={"name": instance.name, "digest": instance.digest, "file_sha256": digest},
        producer={"solver": "ot", "date": "2025-01-31"},
        guarantee="1",
    )
    content = copied(made.content)
    kinds = {vertex["kind"] for vertex in content["proof"]["vertices"]}
    assert kinds == {"threshold", "chains", "choice", "bins", "leaf"}
    assert content["claim"]["value"] == content["claim"]["bound"] == best.value
    return content


@pytest.fixture(scope="module")
def forest(small: SimpleNamespace) -> list[dict[str, Any]]:
    """Certificates of small programs with random trees, and one of an infeasible program."""
    found = []
    for seed in range(60):
        rng = Random(seed)
        program = small.program(rng, most_choices=6)
        value, solution = small.optimum(program)
        if value is None:
            continue
        trees = [small.tree(rng, program, depth=5) for _ in range(4)]
        found.append(copied(of_program(program, solution, trees, guarantee="1/2", **NAMED).content))
    program = Program(
        "min", True, 2, np.array([0, 1]), np.array([0, 0]), np.array([3, 4]), np.array([[2], [2]]), np.array([[3]])
    )
    ray = Infeasible(np.array([2.0, 2.0]), (np.array([[1.0]]),))
    found.append(copied(of_program(program, None, [ray], **NAMED).content))
    return found


# --- on its own ---------------------------------------------------------------------------------------------------


def test_verdict_lines(honest: dict[str, Any], instance: Any, tmp_path: Path) -> None:
    eo.write(instance, tmp_path / "instance.json.gz")
    write_certificate(Certificate(honest), tmp_path / "c.json")
    alone = run(tmp_path / "c.json")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.splitlines()[-1] == f"VERIFIED  value {honest['claim']['value']} is optimal"
    assert "instance  not checked" in alone.stdout
    assert "guarantee 1 is shown" in alone.stdout
    both = run(tmp_path / "c.json", tmp_path / "instance.json.gz")
    assert both.returncode == 0
    assert "the file is the one that is named" in both.stdout
    assert "not checked" not in both.stdout


def test_another_instance_is_refuted(honest: dict[str, Any], instance: Any, tmp_path: Path) -> None:
    write_certificate(Certificate(honest), tmp_path / "c.json.gz")
    eo.write(instance, tmp_path / "instance.json")
    text = (tmp_path / "instance.json").read_text()
    (tmp_path / "instance.json").write_text(text.replace('"epoch_s": 2.0', '"epoch_s": 2.5'))
    other = run(tmp_path / "c.json.gz", tmp_path / "instance.json")
    assert other.returncode == 1
    assert other.stdout.startswith("REFUTED   instance:")


def test_a_copied_folder_and_the_module(honest: dict[str, Any], tmp_path: Path) -> None:
    write_certificate(Certificate(honest), tmp_path / "c.json")
    folder = tmp_path / "any name"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    moved = run(tmp_path / "c.json", folder=folder)
    assert (moved.returncode, moved.stderr) == (0, "")
    command = [sys.executable, "-m", "edgeopt.certify.verify", str(tmp_path / "c.json")]
    module = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (module.returncode, module.stdout) == (0, moved.stdout)


def test_nothing_but_the_standard_library_is_imported(honest: dict[str, Any], tmp_path: Path) -> None:
    write_certificate(Certificate(honest), tmp_path / "c.json")
    code = (
        "import runpy, sys\n"
        "folder, sys.argv = sys.argv[1], sys.argv[1:]\n"
        "try: runpy.run_path(folder, run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(tops - set(sys.stdlib_module_names) - {'__main__', '__mp_main__'}))\n"
    )
    arguments = [sys.executable, "-S", "-I", "-c", code, FOLDER, tmp_path / "c.json"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['verify']"


def test_the_folder_imports_nothing_of_edgeopt() -> None:
    for path in FOLDER.glob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not words[1].startswith("."):
                assert words[1].partition(".")[0] in sys.stdlib_module_names, f"{path.name}: {line}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"[]", "no object"),
        (b"{}", "exactly"),
        (b"\xff\xfe", "JSON"),
        (b"\x1f\x8b\x08cut", "c.json"),
        (b"[" * 200_000, "JSON"),
        (b'{"edgeopt": 1, "edgeopt": 1}', "twice"),
        (b'{"version": 2, "anything": "new"}', "newer"),
        (b'{"version": 1.0}', "whole"),
        (b'{"version": 1e400}', "whole"),
        (b'{"version": NaN}', "whole"),
        (b'{"version": ' + b"9" * 5000 + b"}", "digits"),
    ],
)
def test_unreadable_files(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(data)
    done = run(tmp_path / "c.json")
    assert done.returncode == 2
    assert done.stdout.startswith("UNREADABLE")
    assert reason in done.stdout
    assert done.stderr == ""


def test_a_file_that_unpacks_to_more_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeopt.certify.verify.reading.MOST_BYTES", 10**6)
    for name, data in (("bomb.gz", gzip.compress(b"0" * 10**7)), ("long", b"0" * 10**7)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Unreadable, match="holds more than 1000000 bytes"):
            verifier.verify(str(tmp_path / name))


def test_no_guarantee_is_more_than_the_optimum(honest: dict[str, Any]) -> None:
    for more in ("2", "3/2"):
        with pytest.raises(Refuted, match=f"guarantee is {more}"):
            verifier.check(sealed({**honest, "claim": {**honest["claim"], "guarantee": more}}))


def test_usage_and_missing_files(tmp_path: Path) -> None:
    assert run().returncode == 2
    assert run("--help").returncode == 0
    assert run(tmp_path / "none.json").returncode == 2
    assert run("a", "b", "c").returncode == 2


# --- not to be fooled ---------------------------------------------------------------------------------------------


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in nested data."""
    if path:
        yield path
    if isinstance(content, dict):
        for key in content:
            yield from places(content[key], (*path, key))
    elif isinstance(content, list):
        for index in range(len(content)):
            yield from places(content[index], (*path, index))


def at(content: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


def mutated(rng: Random, content: dict[str, Any]) -> dict[str, Any]:
    """A copy with one thing changed, anywhere: numbers, texts, entries and fields dropped, doubled or swapped."""
    result = copied(content)
    paths = [path for path in places(result) if path != ("seal",)]
    # Half of the changes outside the long lists of the program.
    short = [path for path in paths if path[0] != "program"]
    path = rng.choice(short if rng.random() < 0.5 else paths)
    holder, key = at(result, path[:-1]), path[-1]
    old = holder[key]
    structural = [lambda: holder.pop(key)]
    if isinstance(holder, list):
        structural.append(lambda: holder.insert(key, copied(old)))
        other = rng.randrange(len(holder))

        def swap() -> None:
            holder[key], holder[other] = holder[other], holder[key]

        structural.append(swap)
    else:
        other_key = rng.choice(sorted(holder))

        def swap_fields() -> None:
            holder[key], holder[other_key] = holder[other_key], holder[key]

        structural += [swap_fields, lambda: holder.update(unknown=1)]
    values: list[Any] = [None, True, 0, 1, -1, "", "x", [], {}, 1.5, float("nan"), 10**30, -(10**30), [old]]
    if isinstance(old, int) and not isinstance(old, bool):
        values += [old + 1, old - 1, 2 * old, -old, old + 2, old // 2, float(old), str(old)] * 3
    if isinstance(old, str):
        values += [old + "0", old[:-1], "max", "min", "leaf", "infeasible", "2/2", "99/100"]
    if isinstance(old, bool):
        values += [not old] * 5
    if rng.random() < 0.3:
        rng.choice(structural)()
    else:
        holder[key] = rng.choice(values)
    return result


def same(a: Any, b: Any) -> bool:
    """Equality that tells 1, True and 1.0 apart."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@given(seed=st.integers(0, 2**32))
def test_any_change_is_rejected_by_the_seal(honest: dict[str, Any], seed: int) -> None:
    content = mutated(Random(seed), honest)
    if not same(content, honest):
        assert not accepted(content)


def program_of(content: dict[str, Any]) -> Program:
    fields = {key: content[key] for key in ("sense", "exactly_one", "groups")}
    arrays = {key: np.array(content[key], dtype=object) for key in ("group", "bin")}
    count = len(content["group"])
    return Program(
        **fields,
        group=arrays["group"].astype(np.int64),
        bin=arrays["bin"].astype(np.int64),
        profit=np.array(content["profit"], dtype=object),
        weight=np.array(content["weight"], dtype=object).T.reshape(count, len(content["weight"])),
        capacity=np.array(content["capacity"], dtype=object).reshape(-1, len(content["weight"])),
        budget=None if content["budget"] is None else np.array(content["budget"], dtype=object),
    )


def is_so(small: SimpleNamespace, content: dict[str, Any]) -> bool:
    """Whether what a certificate says of the program in it is true, by enumeration."""
    program, claim = program_of(content["program"]), content["claim"]
    best, _ = small.optimum(program)
    if claim["bound"] == "infeasible":
        return best is None and content["solution"] is None
    sign = 1 if program.sense == "max" else -1
    if best is not None and sign * best > sign * claim["bound"]:
        return False
    if content["solution"] is None:
        return claim["value"] is None
    chosen = content["solution"]
    return small.feasible(program, sorted(chosen)) and claim["value"] == sum(
        content["program"]["profit"][k] for k in chosen
    )


@given(seed=st.integers(0, 2**32))
def test_a_forged_seal_never_makes_a_false_statement_pass(
    small: SimpleNamespace, forest: list[dict[str, Any]], seed: int
) -> None:
    """Whatever is changed: it is refused, or what it says of the program that it then holds is true."""
    rng = Random(seed)
    for _ in range(25):
        content = mutated(rng, rng.choice(forest))
        for _ in range(rng.choice([0, 0, 1, 2])):
            content = mutated(rng, content)
        content = sealed(content)
        if accepted(content):
            assert is_so(small, content)


def test_forgeries_are_mostly_refused(forest: list[dict[str, Any]]) -> None:
    """The test above would be empty if mutants were never accepted or never refused."""
    rng = Random(1)
    passed = sum(accepted(sealed(mutated(rng, rng.choice(forest)))) for _ in range(600))
    assert 30 < passed < 400


@pytest.mark.parametrize("field", ["value", "bound", "ratio"])
def test_every_change_of_a_claim_is_refuted(honest: dict[str, Any], forest: list[dict[str, Any]], field: str) -> None:
    rng = Random(0)
    for content in [honest, *forest]:
        for new in (None, True, 0, 1, "1", "infeasible", "1/2", 10**30, rng.randint(-50, 50)):
            changed = copied(content)
            changed["claim"][field] = new
            if not same(changed, content):
                assert not accepted(sealed(changed))
        if type(old := content["claim"][field]) is int:
            for step in (-1, 1):
                changed = copied(content)
                changed["claim"][field] = old + step
                assert not accepted(sealed(changed))


@pytest.mark.parametrize("step", [-2, -1, 1, 2])
def test_value_and_bound_moved_together_are_refuted(honest: dict[str, Any], step: int) -> None:
    content = copied(honest)
    for field in ("value", "bound"):
        content["claim"][field] += step
    assert not accepted(sealed(content))
    # ... also with a solution of that size.
    chosen = content["solution"]
    content["solution"] = (
        chosen[:step] if step < 0 else sorted({*chosen, *range(len(chosen) + step)})[: len(chosen) + step]
    )
    assert len(content["solution"]) == content["claim"]["value"]
    assert not accepted(sealed(content))


def _split(content: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(vertex for vertex in content["proof"]["vertices"] if vertex["kind"] == kind)


def _swap(vertex: dict[str, Any], first: str, second: str) -> None:
    vertex[first], vertex[second] = vertex[second], vertex[first]


def _redirect(vertices: list[dict[str, Any]], new: int) -> None:
    vertices[0]["parts"][0] = new


TAMPERED = {
    "split sides swapped": lambda c: _swap(_split(c, "choice"), "without", "with"),
    "threshold sides swapped": lambda c: _swap(_split(c, "threshold"), "late", "early"),
    "another threshold": lambda c: _split(c, "threshold").update(threshold=_split(c, "threshold")["threshold"] // 2),
    "last vertex dropped": lambda c: c["proof"]["vertices"].pop(),
    "first leaf dropped": lambda c: c["proof"]["vertices"].remove(_split(c, "leaf")),
    "a cycle": lambda c: _redirect(c["proof"]["vertices"], 0),
    "a child from nowhere": lambda c: _redirect(c["proof"]["vertices"], 10**6),
    "a child twice": lambda c: _split(c, "choice").update({"with": _split(c, "choice")["without"]}),
    "a vertex too many": lambda c: c["proof"]["vertices"].append(_split(c, "leaf")),
    "no vertices": lambda c: c["proof"]["vertices"].clear(),
    "a chain turned": lambda c: max(_split(c, "chains")["chains"], key=len).reverse(),
    "a split above its chain's end": lambda c: _split(c, "choice").update(choice=True),
    "sense": lambda c: c["program"].update(sense="min"),
    "a choice twice": lambda c: c["solution"].append(c["solution"][0]),
    "a choice that is not there": lambda c: c["solution"].append(10**6),
    "a negative choice": lambda c: c["solution"].append(-1),
    "no solution": lambda c: c.update(solution=None),
    "a choice less": lambda c: c["solution"].pop(),
    "multipliers gone": lambda c: c["proof"]["multipliers"][0].clear(),
    "fewer bits": lambda c: c["proof"].update(bits=c["proof"]["bits"] - 8),
    "more bits": lambda c: c["proof"].update(bits=c["proof"]["bits"] + 8),
    "many bits": lambda c: c["proof"].update(bits=10**9),
    "room for all": lambda c: c["program"].update(capacity=[[10**15] * 4]),
    "no weight": lambda c: c["program"].update(weight=[[0] * len(c["program"]["bin"])] * 4),
    "late budgets": lambda c: c["program"].update(budget=[10**15] * len(c["program"]["budget"])),
    "negative multipliers": lambda c: c["proof"]["multipliers"].__setitem__(0, [[-1, 0, 0, 0]] * 9),
    "negative capacity": lambda c: c["program"].update(capacity=[[-1] * 4]),
    "a newer version": lambda c: c.update(version=2),
    "version true": lambda c: c.update(version=True),
    "an unknown field": lambda c: c.update(note="hello"),
    "an unknown proof": lambda c: c["proof"].update(kind="../certificate"),
    "a solver": lambda c: c["producer"].update(solver="gah\nVERIFIED"),
    "a guarantee": lambda c: c["claim"].update(guarantee="1/0"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_rejected_with_a_seal_that_fits(honest: dict[str, Any], name: str) -> None:
    content = copied(honest)
    TAMPERED[name](content)
    assert not same(content, honest)
    assert not accepted(sealed(content))


@given(seed=st.integers(0, 2**32))
def test_solutions_are_judged_by_the_definition(small: SimpleNamespace, seed: int) -> None:
    rng = Random(seed)
    program = small.program(rng)
    stated = read_program(program_content(program))
    for _ in range(20):
        chosen = [k for k in range(len(program.group)) if rng.random() < rng.choice([0.2, 0.5])]
        if small.feasible(program, chosen):
            assert value_of(stated, chosen) == program.profit[chosen].sum()
            for wrong in ([*chosen, *chosen[:1]], [*chosen, -1], [*chosen, len(program.group)]):
                if wrong != chosen:
                    with pytest.raises(Refuted):
                        value_of(stated, wrong)
        else:
            with pytest.raises(Refuted):
                value_of(stated, chosen)


def by_hand(solution: list[int] | None, bound: int, prices: list[list[int]], vertices: list[Any]) -> dict[str, Any]:
    """A certificate about two choices (profits 1 and 5, weight 1) in one bin of capacity 1, and a third group."""
    program = Program(
        "max", False, 3, np.arange(2), np.zeros(2, np.int64), np.array([1, 5]), np.ones((2, 1), np.int64),
        np.array([[1]]),
    )  # fmt: skip
    content = copied(of_program(program, [1], [Leaf(np.zeros(3), (np.array([[5.0]]),))], **NAMED).content)
    assert content["claim"]["bound"] == 5
    content["proof"] |= {"bits": 0, "prices": prices, "multipliers": [[[5]]], "vertices": vertices}
    value = None if solution is None else sum([1, 5][k] for k in solution)
    ratio = "1" if value == bound else None
    content |= {"solution": solution, "claim": {"value": value, "bound": bound, "ratio": ratio, "guarantee": None}}
    return sealed(content)


LEAF = {"kind": "leaf", "prices": None, "multipliers": [[0]]}


def test_cases_share_no_vertex() -> None:
    split = {"kind": "choice", "choice": 0, "without": 1, "with": 2}
    assert accepted(by_hand([1], 5, [], [split, LEAF, LEAF]))
    # With choice 0 in, nothing else fits: that says nothing of the case without it.
    assert not accepted(by_hand([0], 1, [], [split | {"without": 2}, LEAF, LEAF]))
    assert not accepted(by_hand([0], 1, [], [split | {"without": 1, "with": 1}, LEAF]))


def test_a_negative_price_is_refused_where_a_group_may_stay_empty() -> None:
    assert accepted(by_hand([1], 5, [[0, 0, 0]], [LEAF | {"prices": 0}]))
    assert not accepted(by_hand(None, 1, [[0, 0, -4]], [LEAF | {"prices": 0}]))


@pytest.mark.parametrize("wrong", [-1, True, "1", None])
@pytest.mark.parametrize(
    "path",
    [
        ("program", "group", 1), ("program", "bin", 1), ("program", "weight", 0, 1), ("program", "capacity", 0, 0),
        ("program", "budget", 0), ("proof", "multipliers", 0, 0, 0), ("solution", 0), ("program", "profit", 0),
    ],
    ids=lambda path: path[1] if len(path) > 2 else path[0],
)  # fmt: skip
def test_every_list_holds_whole_numbers_of_its_range(path: tuple[Any, ...], wrong: Any) -> None:
    """Not even where the wrong one would count as the right one, as true does for 1."""
    content = by_hand([1], 5, [], [LEAF])
    content["program"]["budget"] = [1, 1]
    assert accepted(sealed(content))
    at(content, path[:-1])[path[-1]] = wrong
    if (path[-2], wrong) == ("profit", -1):
        assert accepted(sealed(content))
        return
    with pytest.raises(Refuted if (path[0], wrong) == ("solution", -1) else Unreadable):
        verifier.check(sealed(content))


def test_tampering_ends_with_exit_code_1_or_2(honest: dict[str, Any], tmp_path: Path) -> None:
    for name, code in (
        ("a cycle", 1),
        ("sense", 1),
        ("version true", 2),
        ("an unknown field", 2),
        ("a choice less", 1),
    ):
        content = copied(honest)
        TAMPERED[name](content)
        (tmp_path / "c.json").write_text(json.dumps(sealed(content)))
        done = run(tmp_path / "c.json")
        assert (name, done.returncode, done.stderr) == (name, code, "")
        assert done.stdout.startswith("REFUTED" if code == 1 else "UNREADABLE")
        assert "VERIFIED" not in done.stdout


def test_a_weaker_proof_of_the_same_claim_still_passes(honest: dict[str, Any]) -> None:
    """What must be equal is the claim; another proof of it is as good."""
    content = copied(honest)
    content["proof"]["multipliers"][0] = [[y + 1 for y in row] for row in content["proof"]["multipliers"][0]]
    assert accepted(sealed(content))


def test_deep_trees_need_no_recursion() -> None:
    count = 3000
    program = Program(
        "max", False, count, np.arange(count), np.zeros(count, np.int64), np.ones(count, np.int64),
        np.ones((count, 1), np.int64), np.array([[1]]),
    )  # fmt: skip
    content = copied(of_program(program, [7], [Leaf(np.zeros(count), (np.array([[1.0]]),))], **NAMED).content)
    leaf = content["proof"]["vertices"][0]
    vertices: list[dict[str, Any]] = []
    for k in range(500):
        vertices += [{"kind": "choice", "choice": k, "without": 2 * k + 2, "with": 2 * k + 1}, copy.copy(leaf)]
    content["proof"]["vertices"] = [*vertices, leaf]
    assert accepted(sealed(content))


def test_gzip_or_not_is_the_same_certificate(honest: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(gzip.compress(json.dumps(honest).encode()))
    assert run(tmp_path / "c").returncode == 0
