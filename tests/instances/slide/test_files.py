"""Instance files: round trips in all forms, the JSON Schema, digests, and columns of other kinds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide import PROBLEM, LayerTable, Models, SlideInstance, Users, file
from edgeopt.instances.slide.generate import CORNERS
from edgeopt.system.layers.catalogue import image_layers
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

VALIDATOR = jsonschema.Draft202012Validator(PROBLEM.schema())
ENDINGS = (".json", ".json.gz", ".npz")


def assert_same(one: SlideInstance, other: SlideInstance) -> None:
    assert one.digest == other.digest
    for mine, theirs in ((one.models, other.models), (one.users, other.users)):
        for name, column in mine.columns().items():
            np.testing.assert_array_equal(theirs.columns()[name], column, err_msg=name, strict=True)
    assert (one.models.name, one.users.id) == (other.models.name, other.users.id)
    assert one.users.accept_sets == other.users.accept_sets
    for field in ("name", "bandwidth_hz", "variant", "noise_w_per_hz", "source"):
        assert getattr(one, field) == getattr(other, field)


@few(25)
@given(slide_instances())
def test_bytes_round_trip(instance: SlideInstance) -> None:
    assert_same(instance, file.decode(file.encode(instance), "x.json"))
    assert_same(instance, file.decode(file.encode_arrays(instance), "x.npz"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("corner", [None, *sorted(CORNERS)])
def test_file_round_trip(tmp_path: Path, ending: str, corner: str | None) -> None:
    instance = eo.generate("slide", seed=4, users=12, corner=corner, variant="weighted")
    path = tmp_path / f"instance{ending}"
    eo.write(instance, path)
    assert_same(instance, eo.read(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@few(20)
@given(slide_instances(max_users=3))
def test_json_fits_the_schema(instance: SlideInstance) -> None:
    VALIDATOR.validate(json.loads(file.encode(instance)))


def test_schema_refuses_what_is_no_instance() -> None:
    data = json.loads(file.encode(eo.generate("slide", users=2)))
    jsonschema.Draft202012Validator.check_schema(PROBLEM.schema())
    for bad in ({"bandwidth_hz": "2"}, {"users": None}, {"surprise": 1}, {"variant": "best"}, {"models": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, **bad}, PROBLEM.schema())


def test_a_file_with_an_error_is_not_written(tmp_path: Path) -> None:
    instance = eo.generate("slide", users=2)
    for name in ("instance.yaml", "nowhere/instance.json"):
        with pytest.raises(InstanceError, match=name):
            eo.write(instance, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_many_users_as_arrays(tmp_path: Path) -> None:
    instance = eo.generate("slide", seed=3, users=100_000)
    eo.write(instance, tmp_path / "many.npz")
    assert eo.read(tmp_path / "many.npz").digest == instance.digest


@pytest.mark.parametrize("power", [True, False])
def test_digest_sees_every_field(power: bool) -> None:
    instance = eo.generate("slide", seed=1, users=3, corner=None if power else "even-split")
    seen = {instance.digest}
    fields = {"name": "x", "source": "x", "bandwidth_hz": 3.0, "noise_w_per_hz": 1e-9, "variant": "weighted"}
    for field, value in fields.items():
        seen.add(replace(instance, **{field: value}).digest)  # type: ignore[arg-type]
    changed = 0
    for owner, columns in (("users", instance.users.columns()), ("models", instance.models.columns())):
        for name, column in columns.items():
            if name in ("accepts", "start") or np.isnan(column).all():
                continue
            other = column.copy()
            other[0] = other[0] / 2 if column.dtype == np.float64 and 0 < other[0] < np.inf else 1
            if name == "energy_j" and not power:
                continue  # needs a coefficient too
            if (other == column).all():
                other[0] = 3
            seen.add(replace(instance, **{owner: replace(getattr(instance, owner), **{name: other})}).digest)
            changed += 1
    for owner, names in (("users", "id"), ("models", "name")):
        renamed = replace(getattr(instance, owner), **{names: ("x", *getattr(getattr(instance, owner), names)[1:])})
        seen.add(replace(instance, **{owner: renamed}).digest)  # type: ignore[arg-type]
    wanted = replace(instance.users, accept_sets=(instance.models.name[:1],))
    seen.add(replace(instance, users=wanted).digest)
    assert len(seen) == 1 + len(fields) + changed + 3


def test_unused_and_unsorted_sets_of_models_do_not_count() -> None:
    models = [LayerTable.of(name, bits=[8], flop_per_sample=[1]) for name in ("b", "a")]
    users = Users.of(deadline_s=[1.0, 1.0], frequency_hz=1e9, spectral_efficiency=1.0)
    sets = (("b",), ("b", "a"), (), None)
    one, other = (
        SlideInstance("x", 1e6, Models.of(models), replace(users, accepts=np.array(accepts), accept_sets=sets[:length]))
        for accepts, length in (([0, 1], 2), ([0, 1], 4))
    )
    assert one.users.accept_sets == (("a", "b"), ("b",))
    assert one.digest == other.digest
    neither = replace(users, accepts=np.array([0, 1]), accept_sets=sets[2:])
    pairs = SlideInstance("x", 1e6, Models.of(models), neither).compiled
    assert (pairs.pair_start.tolist(), pairs.pair_model.tolist()) == ([0, 0, 2], [0, 1])


def test_signs_of_zero_and_kinds_of_nan_do_not_count() -> None:
    plain = eo.generate("slide", seed=1, users=3)
    other_nan = np.frombuffer(np.full(3, 0x7FF8_0000_0000_0007, dtype="<u8").tobytes(), dtype="<f8").copy()
    users = replace(plain.users, min_accuracy=-plain.users.min_accuracy * 0.0, spectral_efficiency=other_nan)
    assert (
        replace(plain, users=users).digest
        == replace(plain, users=replace(plain.users, min_accuracy=np.zeros(3))).digest
    )


def test_columns_of_other_kinds_become_those_of_the_file(tmp_path: Path) -> None:
    instance = eo.generate("slide", seed=1, users=4, corner="even-split")
    users = replace(
        instance.users,
        batch=instance.users.batch.astype(np.int32),
        frequency_hz=np.full(10, 10**9),
        spectral_efficiency=np.ones(20)[::2],
    )
    other = replace(instance, users=users, bandwidth_hz=np.float64(1e7))
    assert other.digest == instance.digest
    assert replace(instance, bandwidth_hz=10**7).digest == instance.digest
    eo.write(other, tmp_path / "x.npz")
    assert eo.read(tmp_path / "x.npz").digest == instance.digest


def test_columns_cannot_be_written_to() -> None:
    instance = eo.generate("slide", users=3)
    for owner in (instance.models, instance.users):
        for name, column in owner.columns().items():
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 1
            assert not column.flags.writeable, name


def test_models_from_published_tables() -> None:
    layers = image_layers("resnet18", granularity="block")
    table = LayerTable.of_layers(layers, accuracy=0.7, overhead_s=1e-3)
    models = Models.of([table, LayerTable.of("other", bits=[1, 2], flop_per_sample=[3, 4])])
    assert models.layers.tolist() == [len(layers), 2]
    assert models[0].bits.tolist() == list(layers.bits)
    assert models[0].flop_per_sample.tolist() == list(layers.flop_per_sample)
    assert set(models[0].overhead_s.tolist()) == {1e-3}
    assert (models[1].name, models[1].bits.tolist(), models[1].accuracy) == ("other", [1, 2], 1.0)
    measured = replace(layers, overhead_s=tuple(range(len(layers))))
    assert LayerTable.of_layers(measured, overhead_s=7.0).overhead_s.tolist() == list(range(len(layers)))
