"""Published formats: every layout read right, guessed from content, and explained where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.assignment import AssignmentInstance

GAP = """ 2 3
 11 12 13
 21 22 23
 1 2 3
 4 5 6
 7 8
"""
OTHER_GAP = "1 2\n5 6\n1 1\n1\n"
MKNAP = """ 3 2 24.5
 10 14.5 7
 1 2 3
 2.25 1 4
 4 5
"""
OTHER_MKNAP = "2 1 0\n3 4\n1 2\n2\n"
KHAN = """2 2 3
5 6 7
1
10 1 2 3
20 2 3 4
2
30 0 1 2
40 5 5 5
Solutions by Moser: 1 0 50
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "example.txt"


def rows(instance: AssignmentInstance) -> list[tuple[int, ...]]:
    columns = np.column_stack([instance.group, instance.bin, instance.profit, instance.weight])
    return [tuple(row) for row in columns.tolist()]


def test_gap(path: Path) -> None:
    path.write_text(GAP)
    instance = edgeopt.read(path)
    assert rows(instance) == [(0, 0, 11, 1), (0, 1, 21, 4), (1, 0, 12, 2), (1, 1, 22, 5), (2, 0, 13, 3), (2, 1, 23, 6)]
    assert instance.capacity.tolist() == [[7], [8]]
    assert (instance.sense, instance.pick, instance.groups) == ("min", "exactly-one", 3)
    other = edgeopt.read(path, format="orlib-gap", sense="max", pick="at-most-one")
    assert (other.sense, other.pick) == ("max", "at-most-one")


def test_a_file_with_several_problems(path: Path) -> None:
    path.write_text(f"2\n{GAP}{OTHER_GAP}")
    with pytest.raises(InstanceError, match=r"holds 2 problems: choose one with problem = 1 to 2"):
        edgeopt.read(path)
    with pytest.raises(InstanceError, match=r"problem = 3: must be from 1 to 2"):
        edgeopt.read(path, problem=3)
    assert rows(edgeopt.read(path, problem=2)) == [(0, 0, 5, 1), (1, 0, 6, 1)]
    assert edgeopt.read(path, problem=1).name == "example-1"
    path.write_text(f"2\n{MKNAP}{OTHER_MKNAP}")
    assert edgeopt.read(path, problem=2).capacity.tolist() == [[2]]
    path.write_text(f"1\n{OTHER_MKNAP}")
    assert edgeopt.read(path, format="orlib-mknap").groups == 2


def test_mknap_with_decimals(path: Path) -> None:
    path.write_text(MKNAP)
    instance = edgeopt.read(path)
    assert rows(instance) == [(0, 0, 100, 100, 225), (1, 0, 145, 200, 100), (2, 0, 70, 300, 400)]
    assert instance.capacity.tolist() == [[400, 500]]
    assert (instance.profit_digits, instance.weight_digits) == (1, 2)
    assert (instance.sense, instance.pick) == ("max", "at-most-one")
    assert "published optimum 24.5" in instance.source
    best = edgeopt.solve(instance, "brute-force")
    assert best.value == 245  # in tenths


def test_khan(path: Path) -> None:
    path.write_text(KHAN)
    instance = edgeopt.read(path)
    assert rows(instance) == [
        (0, 0, 10, 1, 2, 3),
        (0, 0, 20, 2, 3, 4),
        (1, 0, 30, 0, 1, 2),
        (1, 0, 40, 5, 5, 5),
    ]
    assert instance.capacity.tolist() == [[5, 6, 7]]
    assert (instance.sense, instance.pick) == ("max", "exactly-one")


@pytest.mark.parametrize(
    ("form", "content", "text"),
    [
        ("orlib-gap", "", "the file is empty"),
        ("orlib-gap", GAP.replace("22", "2x"), r"line 3, token 7: '2x': must be a number \(costs"),
        ("orlib-gap", GAP.replace("22", "1/2"), r"line 3, token 7: '1/2': must be a number"),
        ("orlib-gap", GAP.replace(" 2 3\n", " 2 x\n", 1), r"line 1, token 2: 'x': must be a whole number from 1"),
        ("orlib-gap", GAP.replace("7 8", "7"), r"ends after 15 numbers, at line 6: 1 of the next 2 are missing \(capa"),
        ("orlib-gap", GAP + "9\n", r"line 7, token 17: '9': 1 numbers more than the file announces"),
        ("orlib-gap", "2\n" + GAP, r"ends after 17 numbers.*\(first size of problem 2 of 2\)"),
        ("orlib-gap", GAP.replace("4 5 6", "-4 5 6"), r"choices\[1\].weight\[0\] = -4: must be from 0"),
        ("orlib-mknap", MKNAP.replace("24.5", "-"), r"line 1, token 3: '-': must be a number \(published optimum"),
        ("orlib-mknap", MKNAP.replace("4 5\n", "4 1e-30\n"), r"30 decimal digits; at most 15"),
        ("orlib-mknap", MKNAP.replace("10 14.5", "1e70 14.5"), r"leaves 64 bits"),
        ("khan-mmkp", KHAN.replace("\n2\n", "\n3\n"), r"line 6, token 16: '3': must be 2, the number of the group"),
        ("khan-mmkp", KHAN.replace("Solutions", "77"), r"token 25: '77'.*more than the file announces"),
        ("khan-mmkp", "2 2 3\n5 6 7\n1\n10 1", r"missing \(value and demands of item 1 of group 1\)"),
    ],
)
def test_a_bad_file_is_explained(path: Path, form: str, content: str, text: str) -> None:
    path.write_text(content)
    with pytest.raises(InstanceError, match=text) as caught:
        edgeopt.read(path, format=form)
    assert str(caught.value).startswith(str(path))


def test_what_cannot_be_guessed(path: Path) -> None:
    path.write_text("1 2 3 4 5\n")
    with pytest.raises(InstanceError, match="in none of the formats orlib-gap, orlib-mknap, khan-mmkp"):
        edgeopt.read(path)
    path.write_text("1 1 1\n1\n1\n1 1\n")
    with pytest.raises(InstanceError, match=r"may be .* or .*; say which"):
        edgeopt.read(path)
    with pytest.raises(UnknownNameError, match="no format 'excel'"):
        edgeopt.read(path, format="excel")
    path.write_text(GAP)
    with pytest.raises(InstanceError, match="orlib-gap has no option 'colour'; it has: sense, pick, problem"):
        edgeopt.read(path, colour="red")


def test_own_files_take_no_options(tmp_path: Path) -> None:
    edgeopt.write(edgeopt.generate("assignment"), tmp_path / "a.json")
    with pytest.raises(InstanceError, match="sense: edgeopt's own files take no options"):
        edgeopt.read(tmp_path / "a.json", sense="min")


@pytest.mark.parametrize("content", [GAP, MKNAP, KHAN, f"2\n{GAP}{OTHER_GAP}"], ids=["gap", "mknap", "khan", "several"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n") + "\x1a",
        lambda text: f"# from a paper, 3 of 5\n{text}",
        lambda text: text.replace("\n", "\n  // 1 2 3\n", 1),
    ],
    ids=["byte-order mark", "Ctrl-Z of DOS", "comment first", "comment inside"],
)
def test_marks_and_comments_are_no_numbers(path: Path, content: str, change: Callable[[str], str]) -> None:
    options = {"problem": 2} if content.startswith("2\n") else {}
    path.write_text(content)
    plain = edgeopt.read(path, **options)
    path.write_text(change(content))
    assert rows(edgeopt.read(path, **options)) == rows(plain)


def test_lines_are_counted_with_comments(path: Path) -> None:
    path.write_text("# sizes\n" + GAP.replace("22", "x"))
    with pytest.raises(InstanceError, match="line 4, token 7: 'x'"):
        edgeopt.read(path, format="orlib-gap")
    path.write_text("# sizes\n" + GAP + "9")
    with pytest.raises(InstanceError, match="in none of the formats"):
        edgeopt.read(path)
