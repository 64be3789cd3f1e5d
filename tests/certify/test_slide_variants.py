"""Proofs of slide's variants: they close, whatever they are made of what they say holds, and changes are found."""

from __future__ import annotations

import copy
import random
from fractions import Fraction
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import matches, read_certificate, schema
from edgeopt.certify.compare import certify
from edgeopt.certify.slide_proof import PARTS
from edgeopt.certify.verify import proof_multicast, proof_weighted
from edgeopt.certify.verify.certificate import check, replay, seal
from edgeopt.certify.verify.logarithm import log2
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.certify.verify.slide import ONE
from edgeopt.instances.base import problem
from edgeopt.instances.slide.instance import MULTICAST
from edgeopt.solvers.base import Control
from edgeopt.system.exact import log2_enclosure
from edgeopt.testing.profiles import few

VARIANTS = ("weighted", "multicast", "multicast-many", "time-varying", "concave")


def made(variant: str, seed: int, corner: str | None = None, **options: Any) -> Any:
    drawn = {"users": 6, "layers": 3, "bandwidth_hz": 4e7} if corner != "even-split" else {"users": 12}
    if variant in MULTICAST and corner != "even-split":
        drawn = {"users": 8, "model": ["mobilenet_v2", "resnet18"], "granularity": "block", "bandwidth_hz": 5e6}
    return eo.generate("slide", variant=variant, seed=seed, corner=corner, **(drawn | options))


def parts(instance: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Stated coefficients, solution and proof of an instance, as JSON data that may be changed."""
    result = eo.solve(instance)
    assert result.closed
    stated = PARTS.stated(instance)
    chosen = PARTS.chosen(instance, result.solution)
    return copy.deepcopy((stated, chosen, PARTS.proof(instance, stated, chosen, [result], Control())))


@pytest.mark.parametrize("corner", [None, "ties", "energy-tight", "infeasible-users", "even-split", "no-users"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_optimum_is_proved(variant: str, corner: str | None, tmp_path: Any) -> None:
    if (variant, corner) in (("time-varying", "energy-tight"), ("concave", "even-split")):
        pytest.skip("there are none")
    instance = made(variant, 2, corner, **({} if corner == "even-split" else {"users": 12}))
    result = eo.solve(instance)
    assert not eo.violations(instance, result.solution)
    found = certify(instance, result, against=())
    assert str(found.evidence) == "proved"
    assert found.ratio == 1
    assert found.certificate is not None
    jsonschema.validate(found.certificate.content, schema())
    found.write(tmp_path / "c.json.gz")
    again = read_certificate(tmp_path / "c.json.gz")
    assert matches(again, instance) == []
    assert PARTS.solution(instance, again.content["solution"]) == result.solution
    assert matches(again, made("plain", 2, corner)) != []


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bandwidth_hz", [2e7, 1e9])
def test_users_of_several_models_and_all_who_can_be_served(variant: str, bandwidth_hz: float) -> None:
    """Little band and plenty; in the variants of multicast users of the generator take one model each."""
    instance = eo.generate("slide", seed=1, users=12, variant=variant, granularity="block", bandwidth_hz=bandwidth_hz)
    found = certify(instance, eo.solve(instance), against=())
    assert str(found.evidence) == "proved"
    assert found.ratio == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_results_without_a_proof_get_one(variant: str) -> None:
    instance = made(variant, 3)
    stated = PARTS.stated(instance)
    best = eo.solve(instance).value
    assert replay(stated, None, PARTS.proof(instance, stated, None, [], Control())).bound == best


def lines(data: st.DataObject, user: dict[str, Any], stated: dict[str, Any], bits: int) -> list[Any]:
    """Any evidence for a user."""
    found: list[Any] = []
    for model in user["models"]:
        layers = len(stated["models"][model]["bits"])
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            found.append(None)
        elif kind == 1:
            slopes = data.draw(st.lists(st.integers(0, 2 << bits), min_size=layers, max_size=layers))
            found.append({"slopes": sorted(slopes)})
        else:
            found.append({"prefix": data.draw(st.integers(0, layers - 1))})
    return found


@few(40)
@given(st.data())
def test_whatever_a_proof_is_made_of_its_bound_holds(data: st.DataObject) -> None:
    """Evidence, prices, shares and trees at random: the verifier refuses, or its bound is not below the optimum."""
    variant = data.draw(st.sampled_from(VARIANTS))
    corner = data.draw(st.sampled_from([None, "ties", "infeasible-users"]))
    stated, chosen, proof = parts(made(variant, data.draw(st.integers(0, 9)), corner))
    optimum = replay(stated, chosen, proof).value
    assert optimum is not None
    bits = data.draw(st.integers(0, 12))
    if variant != "time-varying":
        proof["bits"] = bits
        if data.draw(st.booleans()):
            proof["users"] = [lines(data, user, stated, bits) for user in stated["users"]]
        else:
            proof["users"] = [[line and (line if "prefix" in line else None) for line in row] for row in proof["users"]]
    if variant == "weighted":
        proof["price"] = [data.draw(st.integers(0, 50)), data.draw(st.integers(1, 2**256))]
        proof["most"] = data.draw(st.integers(0, optimum + 3))
    elif variant == "concave":
        proof["least"] = [
            share * data.draw(st.sampled_from([1, 1, 1, 2])) // data.draw(st.sampled_from([1, 1, 3]))
            for share in proof["least"]
        ]
    elif variant in MULTICAST and data.draw(st.booleans()):
        prices = st.lists(st.integers(0, 2 << bits), min_size=len(stated["users"]), max_size=len(stated["users"]))
        proof |= {"prices": data.draw(prices), "band": data.draw(st.integers(0, 8 << bits))}
    elif variant == "time-varying":
        proof["times"] = [[time[0] * data.draw(st.integers(1, 3)), time[1] * 2] for time in proof["times"]]
        scale = data.draw(st.sampled_from([1, 2, 5]))
        proof["multipliers"] = [[[y * scale // 2 for y in row] for row in rows] for rows in proof["multipliers"]]
    try:
        bound = replay(stated, None, proof).bound
    except (Refuted, Unreadable):
        return
    assert bound is not None
    assert bound >= optimum


@few(40)
@given(st.data())
def test_a_changed_solution_is_refused_or_feasible(data: st.DataObject) -> None:
    """The verifier and the check of every solve share no code: what one takes, the other finds nothing wrong with."""
    variant = data.draw(st.sampled_from(("plain", *VARIANTS)))
    corner = data.draw(st.sampled_from([None, "ties", "energy-tight" if variant != "time-varying" else "ties"]))
    instance = made(variant, data.draw(st.integers(0, 9)), corner)
    stated, chosen, proof = parts(instance)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(rng.randint(1, 2)):
        change(chosen, rng, len(stated["users"]), len(stated["models"]))
    try:
        value = replay(stated, chosen, proof).value
    except (Refuted, Unreadable):
        return
    solution = PARTS.solution(instance, chosen)
    assert problem("slide").compiled_violations(instance, solution) == []
    assert problem("slide").value(instance, solution) == value


def change(chosen: list[dict[str, Any]], rng: random.Random, users: int, models: int) -> None:
    """Change an entry, take one out, or add one."""
    kind = rng.choice(["share", "share", "user", "model", "compute", "drop", "add", "twice"])
    if not chosen:
        kind = "add"
    entry = rng.choice(chosen) if chosen else {"share": [1, 1], "model": 0, "compute": None, "user": 0}
    if kind == "share":
        top, bottom = entry["share"]
        entry["share"] = rng.choice(
            [[top * 999, bottom * 1000], [top * 1001, bottom * 1000], [top, 2 * bottom], [1, 1]]
        )
    elif kind == "user":
        entry["user"] = rng.randrange(users)
    elif kind == "model":
        entry["model"] = rng.randrange(models)
    elif kind == "compute" and entry["compute"] is not None:
        place = rng.randrange(len(entry["compute"]))
        top, bottom = entry["compute"][place]
        entry["compute"][place] = rng.choice([[top * 999, bottom * 1000], [top * 1001, bottom * 1000], [1, 1]])
    elif kind == "compute":
        entry["compute"] = [[1, rng.choice([1, 2])]] * 3
    elif kind == "drop":
        chosen.remove(entry)
    elif kind == "add":
        chosen.append({**copy.deepcopy(entry), "user": rng.randrange(users), "model": rng.randrange(models)})
    else:
        chosen.append(copy.deepcopy(entry))


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_field_may_be_other_than_it_is(variant: str) -> None:
    """Each field of program and proof replaced by what is none; a field more, a field less."""
    stated, chosen, proof = parts(made(variant, 4, "ties"))
    replay(stated, chosen, proof)
    for place, content in enumerate((stated, proof)):
        for holder in (content, *(content["users"][:1] if content is stated else [])):
            for name in list(holder):
                kept = holder[name]
                for other in ("x", -1, [-1], {}, True, [[0, 0]], 1.5):
                    if other == kept:
                        continue
                    holder[name] = other
                    with pytest.raises((Refuted, Unreadable)):
                        replay(*((stated, chosen, proof)))
                del holder[name]
                with pytest.raises((Refuted, Unreadable)):
                    replay(stated, chosen, proof)
                holder[name] = kept
            holder["more"] = 1
            with pytest.raises((Refuted, Unreadable)):
                replay(stated, chosen, proof)
            del holder["more"]
        assert place < 2
    replay(stated, chosen, proof)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_coordinated_change_of_claim_is_refuted(variant: str) -> None:
    """Value, bound and ratio changed together, the seal made anew; and a program with one more user, likewise."""
    instance = made(variant, 5)
    found = certify(instance, eo.solve(instance), against=()).certificate
    assert found is not None
    content = copy.deepcopy(dict(found.content))
    assert check(content)[-1].startswith("VERIFIED")
    content["claim"] |= {"value": found.value + 1, "bound": found.value + 1}
    content["seal"] = seal(content)
    with pytest.raises(Refuted, match=r"claim\.value"):
        check(content)
    content = copy.deepcopy(dict(found.content))
    content["program"]["users"].append(content["program"]["users"][0])
    content["seal"] = seal(content)
    with pytest.raises((Refuted, Unreadable)):
        check(content)


def test_a_knapsack_bound_below_the_optimum_is_refuted() -> None:
    """At any price, and where sets are searched: users of sizes 3, 4, 5 in a band of 8 weigh 9 at most."""
    third = ONE // 8
    known = [(4, 3 * third), (5, 4 * third), (5, 5 * third)]
    for price in range(30):
        for most in range(12):
            if most >= 9:
                proof_weighted.heaviest(known, price, third, most)
            else:
                with pytest.raises(Refuted):
                    proof_weighted.heaviest(known, price, third, most)


def test_what_the_cheapest_broadcasts_cost() -> None:
    """One broadcast to all three takes 10/20; one to the first and one to the others 1/20 + 10/40."""
    group = [(1 * ONE, Fraction(20), 0), (4 * ONE, Fraction(40), 1), (10 * ONE, Fraction(50), 2)]
    assert [round(share / ONE, 6) for share in proof_multicast.cheapest(group, many=False)] == [0, 0.05, 0.2, 0.5]
    several = proof_multicast.cheapest(group, many=True)
    assert [round(share / ONE, 6) for share in several] == [0, 0.05, 0.15, 0.3]


@given(
    st.fractions(min_value=1, max_value=10**9) | st.integers(0, 80).map(lambda power: Fraction(2) ** power),
    st.integers(1, 90),
)
def test_logarithms_are_enclosed(argument: Fraction, bits: int) -> None:
    low, high = log2(argument, bits)
    known_low, known_high = log2_enclosure(argument, 300)
    assert low <= known_high
    assert high >= known_low
    assert high - low <= Fraction(2, 2**bits)
    if argument.denominator == 1 and argument.numerator & (argument.numerator - 1) == 0:
        assert low == high


@pytest.mark.parametrize("bits", [8, 40, 120])
def test_logarithms_next_to_where_digits_change(bits: int) -> None:
    """Square roots of powers of two, as near as rationals come: their digits cannot be told, the enclosure holds."""
    for near in (-1, 0, 1):
        argument = Fraction(14142135623730950488016887242096980785696718753769480731766797379907 + near, 10**67)
        low, high = log2(argument, bits)
        known_low, known_high = log2_enclosure(argument, 600)
        assert low <= known_high
        assert high >= known_low
        assert high - low <= Fraction(2, 2**bits)
