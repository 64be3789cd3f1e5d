"""Exchange proofs of the slide problem: whatever the evidence, the bound holds; whatever is changed, it is found."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import matches, read_certificate, schema, sealed
from edgeopt.certify.compare import certify
from edgeopt.certify.slide_proof import PARTS
from edgeopt.certify.verify.proof_exchange import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.slide.generate import CORNERS
from edgeopt.solvers.base import Control
from edgeopt.testing.profiles import few

NAMED = {"problem_name": "slide", "instance": {"name": "x", "digest": "x", "file_sha256": None}, "producer": {}}


def made(seed: int, corner: str | None = None, **options: Any) -> Any:
    options = {"users": 6, "layers": 4, "bandwidth_hz": 2e7, **options}
    return eo.generate("slide", seed=seed, corner=corner, **options)


def parts(instance: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Stated coefficients, solution and proof of an instance, as JSON data that may be changed."""
    result = eo.solve(instance, "slide")
    stated = PARTS.stated(instance)
    chosen = PARTS.chosen(instance, result.solution)
    return copy.deepcopy((stated, chosen, PARTS.proof(instance, stated, chosen, [result], Control())))


@pytest.mark.parametrize("corner", [None, *CORNERS])
@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_is_proved(corner: str | None, seed: int, tmp_path: Any) -> None:
    options = {} if corner in ("one-layer", "even-split") else {"layers": 4}
    instance = eo.generate("slide", seed=seed, corner=corner, users=12, **options)
    found = certify(instance, "slide", against=())
    assert str(found.evidence) == "proved"
    assert found.ratio == 1
    assert found.certificate is not None
    jsonschema.validate(found.certificate.content, schema())
    found.write(tmp_path / "c.json.gz")
    again = read_certificate(tmp_path / "c.json.gz")
    assert matches(again, instance) == []
    assert PARTS.solution(instance, again.content["solution"]) == found.result.solution


def test_results_without_a_proof_get_one() -> None:
    instance = made(1)
    found = certify(instance, "dai", against=())
    best = eo.solve(instance, "slide").value
    assert found.bound == best
    assert str(found.evidence) == "proved"


@few(25)
@given(st.data())
def test_any_evidence_gives_a_bound(data: st.DataObject) -> None:
    """Layers and slopes at random, at random digits: the bound is never below what can be served."""
    instance = made(data.draw(st.integers(0, 40)), data.draw(st.sampled_from([None, "ties", "energy-tight"])))
    stated, chosen, proof = parts(instance)
    optimum = len(chosen)
    proof["bits"] = data.draw(st.integers(0, 12))
    for rows in proof["users"]:
        for place in range(len(rows)):
            kind = data.draw(st.integers(0, 2))
            if kind == 0:
                rows[place] = {"prefix": data.draw(st.integers(0, 3))}
            elif kind == 1:
                slopes = data.draw(st.lists(st.integers(0, 2 << proof["bits"]), min_size=4, max_size=4))
                rows[place] = {"slopes": sorted(slopes)}
    bound = replay(stated, chosen, proof).bound
    assert bound is not None
    assert bound >= optimum


@given(st.integers(0, 60), st.sampled_from([None, "energy-tight", "even-split"]))
def test_a_solution_that_is_none_is_refuted(seed: int, corner: str | None) -> None:
    instance = made(seed, corner, **({"users": 10} if corner == "even-split" else {}))
    stated, chosen, proof = parts(instance)
    assert replay(stated, chosen, proof).value == len(chosen)
    for index, entry in enumerate(chosen):
        top, bottom = entry["share"]
        for change in (
            {"share": [top * (10**3 - 1), bottom * 10**3 * 2]},  # half the share
            {"share": [2 * bottom, bottom]},
            {"share": [0, 1]},
            {"model": 99},
            {"user": chosen[index - 1]["user"] if len(chosen) > 1 else 99},
            {"compute": [[0, 1]] * 4},
            {"compute": [[2, 1]] * 4},
            {"compute": [[1, 1000]] * 4},
        ):
            changed = copy.deepcopy(chosen)
            changed[index].update(change)
            if changed == chosen:
                continue
            with pytest.raises((Refuted, Unreadable)):
                replay(stated, changed, proof)


@pytest.mark.parametrize(
    "evidence",
    [{"prefix": 4}, {"prefix": -1}, {"prefix": True}, {"slopes": [1, 2, 3]}, {"slopes": [3, 2, 1, 0]}, {"late": 1}, 3],
)
def test_evidence_that_is_none_is_refused(evidence: Any) -> None:
    stated, chosen, proof = parts(made(2))
    proof["users"][0][0] = evidence
    with pytest.raises((Refuted, Unreadable)):
        replay(stated, chosen, proof)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("variant",), "weighted"),
        (("models", 0, "bits"), [4, 3, 2, 1]),
        (("models", 0, "bits"), []),
        (("models", 0, "work", 0), -1),
        (("users", 0, "rate"), [1, 0]),
        (("users", 0, "rate"), [-1, 1]),
        (("users", 0, "energy"), [1]),
        (("users", 0, "models"), [0, 0]),
        (("users", 0, "models"), [99]),
        (("users", 0, "deadline"), "1"),
    ],
)
def test_a_program_that_is_none_is_refused(place: tuple[Any, ...], value: Any) -> None:
    stated, chosen, proof = parts(made(3))
    inside: Any = stated
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    with pytest.raises((Refuted, Unreadable)):
        replay(stated, chosen, proof)


def test_a_coordinated_change_of_claim_is_refuted() -> None:
    """Value, bound and ratio changed together, the seal made anew."""
    from edgeopt.certify.verify.certificate import check, seal

    instance = made(4)
    stated, chosen, proof = parts(instance)
    content = dict(sealed(stated, chosen, proof, **NAMED).content)  # type: ignore[arg-type]
    assert check(content)[-1].startswith("VERIFIED")
    content["claim"] = {**content["claim"], "value": len(chosen) + 1, "bound": len(chosen) + 1}
    content["seal"] = seal(content)
    with pytest.raises(Refuted, match=r"claim\.value"):
        check(content)


def test_a_weaker_proof_says_less() -> None:
    stated, chosen, proof = parts(made(5))
    proof["users"] = [[None] * len(rows) for rows in proof["users"]]
    assert replay(stated, chosen, proof).bound == len(stated["users"])
