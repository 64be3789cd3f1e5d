"""Semidefinite proofs of the AirComp problem: whatever the multipliers, the bound holds; what is changed is found."""

from __future__ import annotations

import copy
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.aircomp_proof import PARTS, encoded
from edgeopt.certify.certificate import matches, read_certificate, schema, sealed
from edgeopt.certify.compare import certify
from edgeopt.certify.verify.certificate import check, seal
from edgeopt.certify.verify.hermitian import is_semidefinite, product, trace_of_inverse
from edgeopt.certify.verify.proof_semidefinite import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.generate import CORNERS
from edgeopt.solvers.aircomp.proof import Cut, SemidefiniteProof
from edgeopt.solvers.base import Control

NAMED = {"problem_name": "aircomp", "instance": {"name": "x", "digest": "x", "file_sha256": None}, "producer": {}}
SMALL = {"devices": 2, "server_antennas": 3, "antennas": 2}


def made(seed: int = 1, **options: Any) -> AirCompInstance:
    return eo.generate("aircomp", seed=seed, **{**SMALL, **options})  # type: ignore[no-any-return]


def parts(instance: AirCompInstance) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Exact numbers, solution and proof of an instance, as JSON data that may be changed."""
    result = eo.solve(instance)
    stated = PARTS.stated(instance)
    chosen = PARTS.chosen(instance, result.solution)
    return copy.deepcopy((stated, chosen, PARTS.proof(instance, stated, chosen, [result], Control())))


@pytest.mark.parametrize("corner", [None, *CORNERS])
@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_a_design_is_proved_good(corner: str | None, design: str, tmp_path: Path) -> None:
    instance = made(corner=corner, design=design)
    found = certify(instance, "joint", against=())
    assert str(found.evidence) == "proved"
    assert not found.violations
    assert found.ratio is not None
    assert found.ratio > Fraction(9, 10)
    assert found.certificate is not None
    jsonschema.validate(found.certificate.content, schema())
    found.write(tmp_path / "c.json.gz")
    again = read_certificate(tmp_path / "c.json.gz")
    assert matches(again, instance) == []
    assert PARTS.solution(instance, again.content["solution"]) == found.result.solution


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_open_shares_and_several_draws(design: str) -> None:
    instance = made(shares="open", draws=2, design=design)
    found = certify(instance, "joint", against=())
    assert found.ratio is not None
    assert found.ratio > Fraction(98, 100)
    jsonschema.validate(found.certificate.content, schema())
    weaker = certify(instance, "equal-split", against=())
    assert weaker.value > found.value
    assert weaker.bound <= found.value
    assert PARTS.solution(instance, found.certificate.content["solution"]) == found.result.solution


def test_a_result_without_a_proof_gets_one() -> None:
    instance = made()
    found = certify(instance, "sdr-eigen", against=())
    assert str(found.evidence) == "proved"
    assert found.bound <= eo.solve(instance).value


@settings(max_examples=max(8, settings.default.max_examples // 5))
@given(st.integers(0, 10**6), st.sampled_from(["zero-forcing", "linear"]), st.booleans(), st.integers(1, 2))
def test_any_multipliers_give_a_bound(seed: int, design: str, opened: bool, streams: int) -> None:
    """Weights, matrices, levels and mixtures at random: never above what is reached."""
    instance = made(seed % 10, design=design, shares="open" if opened else "equal", draws=1, streams=streams)
    value = VALUES.setdefault(instance.digest, eo.solve(instance).value)
    rng = np.random.default_rng(seed)
    cuts = []
    for _ in range(int(rng.integers(1, 3))):
        entries = rng.standard_normal((1, 2, 2, 2)) + 1j * rng.standard_normal((1, 2, 2, 2))
        square = entries @ entries.conj().transpose(0, 1, 3, 2)
        weights = rng.dirichlet(np.ones(2), 1) * (1 if design == "zero-forcing" else 10 ** rng.uniform(-2, 2))
        cuts.append(Cut(weights, square * 10 ** rng.uniform(-2, 2), rng.uniform(0.1, 1, 2)))
    inequality = "inverse" if design == "zero-forcing" and rng.random() < 0.7 else "error"
    proof = SemidefiniteProof(inequality, tuple(cuts), rng.uniform(0.1, 1, len(cuts)))  # type: ignore[arg-type]
    stated = PARTS.stated(instance)
    found = replay(stated, None, encoded(instance, stated, proof))
    assert 0 <= found.bound <= value
    claimed = proof.claim(instance)
    assert claimed is None or claimed <= value


VALUES: dict[str, int] = {}


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("parts",), [1, 0], "not the shares that are given"),
        (("parts",), [0, 0], "sum to 0"),
        (("parts",), [1], "must be a list of 2"),
        (("designs", 0, "exponent"), 9999, "exponent must be from"),
        (("designs", 0, "real", 0), [1], "must be a list of 1"),
        (("designs",), [], "must be a list of 1"),
        (("designs", 0, "transmit"), {"exponent": 0, "real": [[[9, 0], [0, 9]]] * 2, "imag": [[[0, 0], [0, 0]]] * 2},
         "sends more than its budget leaves"),
        (("designs", 0, "transmit"), {"exponent": -60, "real": [[[9, 0], [0, 9]]] * 2, "imag": [[[0, 0], [0, 0]]] * 2},
         "not received without error"),
    ],
)  # fmt: skip
def test_a_solution_that_is_none_is_refuted(place: tuple[Any, ...], value: Any, words: str) -> None:
    stated, chosen, proof = parts(made())
    change(chosen, place, value)
    with pytest.raises((Refuted, Unreadable), match=words):
        replay(stated, chosen, proof)


def test_directions_that_cannot_invert_are_refuted() -> None:
    stated, chosen, proof = parts(made())
    design = chosen["designs"][0]
    for name in ("real", "imag"):
        design[name] = [[row[0], row[0]] for row in design[name]]
    with pytest.raises(Refuted, match="cannot be inverted"):
        replay(stated, chosen, proof)


def change(content: Any, place: tuple[Any, ...], value: Any) -> None:
    for step in place[:-1]:
        content = content[step]
    content[place[-1]] = value(content[place[-1]]) if callable(value) else value


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("inequality",), "hope", "inequality must be"),
        (("mix",), [0], "less than 1"),
        (("mix",), [], "must be a list"),
        (("cuts",), [], "must be a list"),
        (("cuts", 0, "levels", "values"), [0, 1], "less than 1"),
        (("cuts", 0, "draws"), [], "must be a list of 1"),
        (("cuts", 0, "draws", 0, "most", "value"), lambda n: n * 9 // 10, "not positive semidefinite"),
        (("cuts", 0, "draws", 0, "most"), None, "is no object"),
        (("cuts", 0, "draws", 0, "weights", "values", 0), lambda n: 2 * n, "not positive semidefinite|too large"),
        (("cuts", 0, "draws", 0, "weights", "values", 0), -1, "less than 0"),
        (("cuts", 0, "draws", 0, "matrices", "real", 0, 0, 0), lambda n: 3 * n, "not positive semidefinite"),
        (("cuts", 0, "draws", 0, "matrices", "real"), [], "must be a list of 2"),
    ],
)
def test_a_proof_that_is_none_is_refused(place: tuple[Any, ...], value: Any, words: str) -> None:
    stated, chosen, proof = parts(made())
    change(proof, place, value)
    with pytest.raises((Refuted, Unreadable), match=words):
        replay(stated, chosen, proof)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("sense",), "max"),
        (("design",), "any"),
        (("streams",), 3),
        (("streams",), 0),
        (("places",), 10**6),
        (("noise",), [0, 1]),
        (("repeats",), [1, 0]),
        (("power",), []),
        (("power", 0), [-1, 1]),
        (("shares",), [[1, 2], [1, 3]]),
        (("real",), []),
        (("real", 0, 0), [[1, 2], [3]]),
        (("imag", 0, 0, 0), [0]),
        (("exponent",), 5000),
    ],
)
def test_a_program_that_is_none_is_refused(place: tuple[Any, ...], value: Any) -> None:
    stated, chosen, proof = parts(made())
    change(stated, place, value)
    with pytest.raises((Refuted, Unreadable)):
        replay(stated, chosen, proof)


def test_the_tighter_inequality_is_for_zero_forcing_only() -> None:
    """Else the bound on zero forcing would be sold as one on all linear designs."""
    stated, chosen, proof = parts(made())
    stated["design"] = "linear"
    with pytest.raises(Refuted, match="this inequality is for zero forcing"):
        replay(stated, chosen, proof)
    stated, chosen, proof = parts(made(design="linear", snr_db=0.0))
    forced, _, other = parts(made(snr_db=0.0))
    assert replay(stated, chosen, proof).value < replay(forced, None, other).bound


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_fewer_streams_than_antennas_are_proved_good(design: str) -> None:
    """With a direct path antennas differ much in what they are received with; still nothing is lost by streams."""
    found = certify(made(3, server_antennas=6, antennas=3, streams=2, devices=3, design=design), "joint", against=())
    assert found.ratio is not None
    assert found.ratio > Fraction(95, 100)
    jsonschema.validate(found.certificate.content, schema())


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("matrices", "real", 0, 0, 1), lambda n: n + 1, "must be Hermitian"),
        (("matrices", "imag", 0, 0, 0), 1, "must be Hermitian"),
        (("tops", "values", 0), lambda n: n - n // 10**6, "an eigenvalue is above its top"),
        (("tops", "values", 0), 0, "an eigenvalue is above its top"),
        (("tops", "values", 0), -1, "less than 0"),
        (("tops", "values"), [1], "must be a list of 2"),
        (("tops",), None, "is no object"),
    ],
)
def test_fewer_streams_need_hermitian_matrices_below_their_tops(
    design: str, place: tuple[Any, ...], value: Any, words: str
) -> None:
    stated, chosen, proof = parts(made(streams=1, design=design))
    change(proof["cuts"][0]["draws"][0], place, value)
    with pytest.raises((Refuted, Unreadable), match=words):
        replay(stated, chosen, proof)


def test_tops_are_for_fewer_streams_only() -> None:
    stated, chosen, proof = parts(made(streams=1))
    del proof["cuts"][0]["draws"][0]["tops"]
    with pytest.raises(Unreadable, match="tops"):
        replay(stated, chosen, proof)
    stated, chosen, proof = parts(made())
    proof["cuts"][0]["draws"][0]["tops"] = {"exponent": 0, "values": [0, 0]}
    with pytest.raises(Unreadable, match="tops"):
        replay(stated, chosen, proof)


def test_a_draw_of_which_nothing_is_shown() -> None:
    stated, chosen, proof = parts(made(draws=2))
    whole = replay(stated, chosen, proof).bound
    proof["cuts"][0]["draws"][1] = None
    half = replay(stated, chosen, proof).bound
    assert 0 < half < whole


def test_a_coordinated_change_of_claim_is_refuted() -> None:
    """Bound, value and ratio changed together, the seal made anew."""
    stated, chosen, proof = parts(made())
    content = dict(sealed(stated, chosen, proof, **NAMED).content)  # type: ignore[arg-type]
    assert check(content)[-1].startswith("VERIFIED")
    value = content["claim"]["value"]
    content["claim"] = {**content["claim"], "bound": value, "ratio": "1"}
    content["seal"] = seal(content)
    with pytest.raises(Refuted, match=r"claim\.bound"):
        check(content)


def test_another_channel_is_another_instance() -> None:
    instance = made()
    certificate = certify(instance, "joint", against=()).certificate
    assert certificate is not None
    other = instance.with_channels(instance.channels * 2)
    told = matches(certificate, other)
    assert any("digest" in line for line in told)
    assert any("program.real" in line or "program.exponent" in line for line in told)


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(0, 200))
def test_elimination_knows_semidefinite_matrices(seed: int, size: int, bits: int) -> None:
    """Gram matrices are, of any rank; minus a little more than the smallest eigenvalue they are not."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, size + 2))
    entries = rng.integers(-9, 10, (size, rank)) + 1j * rng.integers(-9, 10, (size, rank))
    rows = [[(int(z.real), int(z.imag)) for z in row] for row in entries]
    conjugated = [[(a, -b) for a, b in column] for column in zip(*rows, strict=True)]
    gram = product(rows, conjugated)
    assert is_semidefinite(gram)
    least = float(np.linalg.eigvalsh(entries @ entries.conj().T)[0])
    shift = int(least) + 1
    lower = [[(a - shift * (i == j), b) for j, (a, b) in enumerate(row)] for i, row in enumerate(gram)]
    assert not is_semidefinite(lower)
    large = [[(a << bits, b << bits) for a, b in row] for row in lower]
    assert not is_semidefinite(large)
    room = [[((a + (i == j)) << bits, b << bits) for j, (a, b) in enumerate(row)] for i, row in enumerate(gram)]
    assert is_semidefinite(room)
    if size > 1:
        gram[0][1] = (gram[0][1][0] + 1, gram[0][1][1])
        assert not is_semidefinite(gram)  # not Hermitian


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_trace_of_the_inverse_in_integers(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    entries = rng.integers(-6, 7, (size, size)) + 1j * rng.integers(-6, 7, (size, size))
    rows = [[(int(z.real), int(z.imag)) for z in row] for row in entries]
    conjugated = [[(a, -b) for a, b in column] for column in zip(*rows, strict=True)]
    found = trace_of_inverse(product(rows, conjugated))
    if abs(np.linalg.det(entries)) < 0.5:
        assert found is None
    else:
        assert float(found) == pytest.approx(float(np.trace(np.linalg.inv(entries @ entries.conj().T)).real), rel=1e-7)
