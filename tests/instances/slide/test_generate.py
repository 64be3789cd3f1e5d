"""The generator: pinned content, corners that are what they say, and bad options."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import EdgeoptError, InstanceError
from edgeopt.instances.slide import SlideInstance, file
from edgeopt.instances.slide.generate import CORNERS
from edgeopt.instances.slide.instance import VARIANTS, Variant
from edgeopt.system.layers.catalogue import IMAGE_MODELS, image_layers, language_layers

PINNED: list[tuple[dict[str, Any], str]] = [
    ({"seed": 0}, "2d72f2f96936e44b866c9350894a53b0513f7028b6752558c15472769e96314a"),
    ({"seed": 1}, "3407228244c47232299ceaa1077f81895b0ea49c675aa0568ca2f7ae253ee7fb"),
    (
        {"seed": 2**63, "users": 7, "energy": False, "granularity": "block"},
        "5ce8cca442cfb5b9ad2ea85397bb54dc38d80fc55244ac04d264b7350d159b21",
    ),
    (
        {"seed": 1, "users": 50, "variant": "weighted", "model": ["vgg11", "vit_b_16"], "bits_per_parameter": 4.5},
        "b25c7eb24f0274eee3f8a61b6d8e8c35a7b3347c3839f2cbb444b20d29f42e95",
    ),
    (
        {"seed": 3, "users": 9, "model": ["opt-125m", "gpt2"], "prompt_tokens": 16, "output_tokens": 4},
        "76734c0011efd690b753a5c1eeec07beeabd07b541709699e226d38646e9de5b",
    ),
    (
        {
            "seed": 3,
            "users": 30,
            "layers": 8,
            "bandwidth_hz": 30000000.0,
            "deadline_s": (0.1, 9.0),
            "batch": (2, 9),
            "energy_budget": (0.5, 0.5),
            "overhead_s": 0.0,
        },
        "6da688b029220b3ebdf4f21f2fc0e33e5e882ffb3da0b144ac0cb0bfff57f045",
    ),
]
PINNED_CORNERS = {
    "no-users": "b4e2741fbc7e89989b452d48fb5faea9983d6eceef0f47e3082cb97427a3f33f",
    "identical-users": "695f2168e448e7d662502729eed633db4fd2194f4d32aa5e00943730bf15f772",
    "ties": "6f17c9157bd696019757cddcccce5e3db0ab1e6fffda2b3330b9c4ab27c51673",
    "even-split": "1982a0403ad37da6c5a0f3154bc4fe38b2b7469f8e09aa273fa3487c4a687e14",
    "no-energy": "b11542f5a0d773a9f1f443e8991df4dff07ad538acd8db89b4a7235c84366434",
    "energy-tight": "f0a76545312b06de237ced91b7412471b74ca6e1c3e4c2d55e846eff4eec92cc",
    "zero-overheads": "227673ca68420897c14f46b7658d61b7ee55dd17e54a9880a986756cdfa87345",
    "one-layer": "c749466ba6b4e468aeade4c058543054ffd65a3b1a1865ec5733fbacb6e65646",
    "infeasible-users": "73ef7982f96b7f63a2e0e5d8be56d11b343e556bac6c9da7e8c46ebc4f03dc1c",
    "huge-units": "ae554afa2cf5073c7cf9ead7b801b675d62548e8f670c73f1df325bbbda8e3fa",
    "tiny-units": "2f915137ca88abb98827c28c32a5734c24f721bbc055f8dcf78860e81545aadd",
}


@pytest.mark.parametrize(("options", "digest"), PINNED)
def test_pinned_digest(options: dict[str, Any], digest: str) -> None:
    """Another machine or another numpy that gives other instances shows here."""
    assert eo.generate("slide", **options).digest == digest


def test_every_corner_is_pinned() -> None:
    assert {name: corner(name).digest for name in CORNERS} == PINNED_CORNERS


def corner(name: str, users: int = 20) -> SlideInstance:
    instance: SlideInstance = eo.generate("slide", seed=1, corner=name, users=users)
    return instance


@pytest.mark.parametrize("name", sorted(CORNERS))
@pytest.mark.parametrize("users", [0, 1, 5])
@pytest.mark.parametrize("energy", [True, False])
def test_corners_compile_and_round_trip(name: str, users: int, energy: bool) -> None:
    instance = eo.generate("slide", corner=name, users=users, energy=energy)
    assert instance.compiled.users == len(instance.users)
    assert file.decode(file.encode(instance), "x").digest == instance.digest
    assert file.decode(file.encode_arrays(instance), "x").digest == instance.digest
    assert eo.solve(instance, "slide").closed


def test_even_split_is_a_tenth_of_the_band_for_each_of_ten() -> None:
    """Exactly: a tenth as a double is too much ten times over."""
    for users in (0, 10, 20):
        instance = corner("even-split", users)
        compiled = instance.compiled
        least = [compiled.pair(user, 0).least_share() for user in range(compiled.users)]
        assert least[:10] == [Fraction(1, 10)] * 10
        assert len(least) == max(10, users)
        assert all(share is not None and Fraction(1, 10) < share < Fraction(1, 10) + 10**-10 for share in least[10:])
        result = eo.solve(instance, "slide")
        assert (result.value, result.bound) == (10, 10)
        assert sum(result.solution.exact_share(place) for place in range(10)) == 1
        assert not eo.violations(instance, result.solution)


def test_corners_are_what_they_say() -> None:
    assert len(corner("no-users").users) == 0
    for name, distinct in (("identical-users", 1), ("ties", 3)):
        users = corner(name).users
        for column in users.columns().values():
            assert len(set(map(repr, column.tolist()))) <= distinct
        assert len(set(users.gain.tolist())) == distinct
        assert len(set(users.id)) == 20
    assert np.isinf(corner("no-energy").users.energy_j).all()
    assert not corner("zero-overheads").models.overhead_s.any()
    one, plain = corner("one-layer").models, eo.generate("slide", seed=1).models
    assert (one.layers == 1).all()
    assert one.bits.tolist() == [plain[index].bits.sum() for index in range(len(plain))]
    assert one.flop_per_sample.tolist() == [plain[index].flop_per_sample.sum() for index in range(len(plain))]


def test_tight_budgets_are_at_the_border() -> None:
    compiled = corner("energy-tight").compiled
    for user in range(compiled.users):
        used = min(compiled.pair(user, model).energy_used() for model in compiled.models_of(user).tolist())
        excess = used / Fraction(float(compiled.energy[user])) - 1
        expected = Fraction(1, 10**12) if user % 2 else Fraction(0)
        assert abs(excess - expected) < Fraction(1, 10**14)


def test_hopeless_users_are_hopeless() -> None:
    instance = corner("infeasible-users")
    served = eo.solve(instance, "slide").solution.user.tolist()
    assert served
    assert {user % 4 for user in served} == {3}


@pytest.mark.parametrize("name", ["huge-units", "tiny-units"])
def test_other_units_change_little(name: str) -> None:
    """Rates and work are scaled alike, so least shares stay; in the tiny ones a layer is a bit or more."""
    scaled, plain = corner(name).compiled, eo.generate("slide", seed=1).compiled
    for user in range(plain.users):
        model = int(plain.models_of(user)[0])
        one, other = (form.pair(user, model).least_share() for form in (scaled, plain))
        if one is None or other is None:
            assert one == other
            continue
        assert float(one) >= float(other) * (1 - 1e-6)
        assert name == "tiny-units" or float(one) <= float(other) * (1 + 1e-6)


def test_models_are_the_published_ones() -> None:
    names = ["MobileNet_V2", "vit_b_32"]
    instance = eo.generate("slide", model=names, bits_per_parameter=32, granularity="block", overhead_s=0.25)
    assert instance.models.name == ("mobilenet_v2", "vit_b_32")
    for index, name in enumerate(instance.models.name):
        table, layers = instance.models[index], image_layers(name, bits_per_parameter=32, granularity="block")
        assert table.bits.tolist() == list(layers.bits)
        assert table.flop_per_sample.tolist() == list(layers.flop_per_sample)
        assert set(table.overhead_s.tolist()) == {0.25}
        assert table.accuracy == IMAGE_MODELS[name].accuracy
    assert set(instance.users.min_accuracy.tolist()) == set(instance.models.accuracy.tolist())
    assert eo.generate("slide", model="vgg11").models.name == ("vgg11",)


def test_language_models_are_wanted_by_name() -> None:
    names = ["opt-125m", "gpt2"]
    instance = eo.generate("slide", model=names, users=30, prompt_tokens=7, output_tokens=3)
    assert instance.models.name == ("opt-125m", "gpt2")
    layers = language_layers("gpt2", prompt_tokens=7, output_tokens=3, bits_per_parameter=8.0)
    assert instance.models[1].flop_per_sample.tolist() == list(layers.flop_per_sample)
    compiled = instance.compiled
    assert {tuple(compiled.models_of(user).tolist()) for user in range(30)} == {(0,), (1,)}


def test_models_of_ones_own() -> None:
    instance = eo.generate("slide", users=6, layers=4)
    assert instance.models.layers.tolist() == [4] * 6
    assert instance.compiled.pair_model.tolist() == list(range(6))


def test_options_are_used() -> None:
    users = eo.generate("slide", users=500, deadline_s=(2.0, 3.0), batch=(3, 5), variant="weighted").users
    assert 2 <= users.deadline_s.min() < 2.1 < 2.9 < users.deadline_s.max() <= 3
    assert set(users.batch.tolist()) == {3, 4, 5}
    assert set(users.weight.tolist()) == set(range(1, 10))
    assert set(eo.generate("slide", users=50).users.weight.tolist()) == {1}
    compiled = eo.generate("slide", seed=2, users=50, energy_budget=(0.5, 0.5)).compiled
    for user in range(50):
        used = min(compiled.pair(user, model).energy_used() for model in compiled.models_of(user).tolist())
        assert float(compiled.energy[user] / float(used)) == pytest.approx(0.5, rel=1e-4)


def test_the_default_is_a_contest() -> None:
    """Some users cannot be served, and energy makes shares larger for some who are."""
    for seed in range(5):
        instance = eo.generate("slide", seed=seed, users=100)
        served = eo.solve(instance, "slide").value
        assert 30 <= served <= 90
        assert served > eo.solve(instance, "full-speed").value


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"seed": -1}, "seed = -1"),
    ({"users": -1}, "users = -1: must be from 0 to 10000000"),
    ({"users": 10**7 + 1}, "users = 10000001"),
    ({"layers": 0}, "layers = 0: must be 1 or more"),
    ({"layers": 10**8, "users": 2}, "layers = 100000000, users = 2"),
    ({"layers": 3, "users": 0}, "layers: without users there are no models"),
    ({"bandwidth_hz": 0.0}, "bandwidth_hz = 0.0 (Hz)"),
    ({"bandwidth_hz": float("nan")}, "bandwidth_hz = nan (Hz)"),
    ({"deadline_s": (2.0, 1.0)}, "deadline_s = (2.0, 1.0) (s)"),
    ({"deadline_s": (0.0, 1.0)}, "deadline_s = (0.0, 1.0) (s)"),
    ({"deadline_s": (1.0, float("inf"))}, "deadline_s = (1.0, inf) (s)"),
    ({"batch": (0, 3)}, "batch = (0, 3) (samples)"),
    ({"batch": (4, 3)}, "batch = (4, 3) (samples)"),
    ({"energy_budget": (-1.0, 1.0)}, "energy_budget = (-1.0, 1.0)"),
    ({"overhead_s": -1.0}, "overhead_s = -1.0 (s)"),
    ({"overhead_s": 2e6}, "overhead_s = 2000000.0 (s)"),
    ({"bits_per_parameter": 0.0}, "bits_per_parameter"),
    ({"granularity": "byte"}, "byte"),
    ({"prompt_tokens": 0, "model": "gpt2"}, "prompt_tokens"),
    ({"variant": "fair"}, "variant = 'fair': must be one of plain"),
    ({"corner": "odd"}, "corner = 'odd': must be one of no-users"),
    ({"model": "resnet17"}, "resnet17"),
    ({"model": []}, "model = []: must name at least one model"),
    ({"model": ["resnet18", "gpt2"]}, "image and language models do not mix"),
    ({"model": ["resnet18", "resnet18"]}, "models[1].name = 'resnet18'"),
    ({"speed": 3}, "speed"),
]


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS, ids=[str(row[0]) for row in BAD_OPTIONS])
def test_bad_option(options: dict[str, Any], text: str) -> None:
    with pytest.raises(EdgeoptError) as caught:
        eo.generate("slide", **options)
    assert text in str(caught.value)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_generated_without_options_is_solved_without_options(variant: Variant) -> None:
    """Each variant has a default solver, and it takes the default instances of it."""
    instance = eo.generate("slide", seed=1, variant=variant)
    result = eo.solve(instance)
    assert result.closed
    assert eo.violations(instance, result.solution) == []
    assert result.value is not None
    assert 1 < result.value <= 20 or variant == "weighted"


def test_time_varying_shares_take_no_energy_budgets() -> None:
    assert np.isinf(eo.generate("slide", variant="time-varying", corner="infeasible-users").users.energy_j).all()
    with pytest.raises(InstanceError, match="energy"):
        eo.generate("slide", variant="time-varying", energy=True)
    with pytest.raises(InstanceError, match="energy-tight"):
        eo.generate("slide", variant="time-varying", corner="energy-tight")
