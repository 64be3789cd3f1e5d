"""Bad instance files: each error names the file, the field with its index, the value, the unit and the mend."""

from __future__ import annotations

import copy
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users, file

GOOD: dict[str, Any] = {
    "edgeopt": "slide",
    "version": 1,
    "name": "good",
    "bandwidth_hz": 1e6,
    "noise_w_per_hz": 4e-21,
    "models": [
        {"name": "small", "accuracy": 0.6, "bits": [1000, 2000], "flop_per_sample": [10, 0], "overhead_s": 0.001},
        {"name": "large", "accuracy": 0.8, "bits": [0, 9000, 1], "flop_per_sample": [5, 6, 7], "overhead_s": [0, 1, 0]},
    ],
    "users": [
        {"id": "ann", "deadline_s": 2.0, "frequency_hz": 1e9, "spectral_efficiency": 3.5, "models": ["small"]},
        {"id": "bob", "deadline_s": 1.5, "frequency_hz": 1e9, "power_w": 1.0, "gain": 1e-9, "energy_j": 0.5,
         "energy_coefficient": 1e-28, "batch": 3},
        {"id": "cyd", "deadline_s": 1.0, "frequency_hz": 2e9, "spectral_efficiency": 1.0, "min_accuracy": 0.7},
    ],
}  # fmt: skip
Change = Callable[[dict[str, Any]], object]


def put(path: str, value: object) -> Change:
    """Set a field given as ``users.0.id``."""

    def change(data: dict[str, Any]) -> None:
        place, last = find(data, path)
        place[last] = value

    return change


def drop(path: str) -> Change:
    """Remove a field."""

    def change(data: dict[str, Any]) -> None:
        place, last = find(data, path)
        del place[last]

    return change


def find(data: Any, path: str) -> tuple[Any, Any]:
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        data = data[step]
    return data, last


BAD_FIELDS: list[tuple[str, Change, list[str]]] = [
    ("missing field", drop("bandwidth_hz"), ["missing required field `bandwidth_hz`"]),
    ("missing users", drop("users"), ["missing required field `users`"]),
    ("missing in a model", drop("models.1.bits"), ["models[1]", "missing required field `bits`"]),
    ("missing in a user", drop("users.2.deadline_s"), ["users[2]", "missing required field `deadline_s`"]),
    ("unknown field", put("speed", 1), ["unknown field `speed`"]),
    ("unknown in a model", put("models.0.size", 1), ["models[0]", "unknown field `size`"]),
    ("unknown in a user", put("users.1.flops", 1),
     ["users[1]", "unknown field `flops`", "its fields are id, deadline_s, frequency_hz"]),
    ("wrong problem", put("edgeopt", "slides"), ["edgeopt = 'slides'", "slide"]),
    ("newer version", put("version", 2), ["version = 2", "reads version 1", "update edgeopt"]),
    ("unknown variant", put("variant", "fair"), ['variant = "fair"', "must be one of concave, multicast,"]),
    ("empty name", put("name", ""), ["name = ''", "must not be empty"]),
    ("text for a number", put("bandwidth_hz", "1 MHz"), ['bandwidth_hz = "1 MHz" (Hz)', "Expected `float`"]),
    ("truth for a number", put("users.0.deadline_s", True), ["users[0].deadline_s = true (s)"]),
    ("null for a number", put("users.0.frequency_hz", None), ["users[0].frequency_hz = null (Hz)"]),
    ("number for a text", put("users.1.id", 7), ["users[1].id = 7", "Expected `str`"]),
    ("number for a list", put("models.0.bits", 7), ["models[0].bits = 7", "Expected `array`"]),
    ("object for a list", put("users", {}), ["users", "Expected `array`"]),
    ("half a bit", put("models.0.bits.1", 0.5), ["models[0].bits[1] = 0.5", "Expected `int`"]),
    ("half a sample", put("users.1.batch", 1.5), ["users[1].batch = 1.5"]),
    ("zero band", put("bandwidth_hz", 0), ["bandwidth_hz = 0.0", "(Hz)"]),
    ("band beyond any", put("bandwidth_hz", 1e41), ["bandwidth_hz = 1e+41", "to 1e+40 (Hz)"]),
    ("negative noise", put("noise_w_per_hz", -1e-21), ["noise_w_per_hz = -1e-21", "(W/Hz)"]),
    ("no noise where it is needed", drop("noise_w_per_hz"), ["noise_w_per_hz is missing", "users[1] has power_w"]),
    ("no models", put("models", []), ["models = []", "at least one model"]),
    ("no layers", put("models.0", {"name": "x", "bits": [], "flop_per_sample": []}),
     ["models[0].bits = []", "at least one layer"]),
    ("no layers but their work", put("models.0.bits", []), ["models[0].bits = []", "at least one layer"]),
    ("no layers in the last", put("models.1", {"name": "x", "bits": [], "flop_per_sample": []}),
     ["models[1].bits = []", "at least one layer"]),
    ("duplicate model", put("models.1.name", "small"), ["models[1].name = 'small'", "models[0]", "must differ"]),
    ("empty model name", put("models.0.name", ""), ["models[0].name = ''", "must not be empty"]),
    ("negative size", put("models.1.bits.1", -5), ["models[1].bits[1] = -5", ">= 0 (bit)"]),
    ("nothing to send", put("models.0.bits", [0, 0]), ["models[0].bits are all 0 (bit)", "something to send"]),
    ("nothing to send in the last", put("models.1.bits", [0, 0, 0]), ["models[1].bits are all 0 (bit)"]),
    ("negative work", put("models.0.flop_per_sample.1", -1), ["models[0].flop_per_sample[1] = -1", "(FLOP per"]),
    ("negative overhead", put("models.1.overhead_s.2", -1e-9), ["models[1].overhead_s[2] = -1e-09", "(s)"]),
    ("negative overhead for all", put("models.0.overhead_s", -1), ["models[0].overhead_s[0] = -1.0", "(s)"]),
    ("endless overhead", put("models.1.overhead_s.0", 2e6), ["models[1].overhead_s[0] = 2000000.0", "to 1e+06 (s)"]),
    ("too few overheads", put("models.1.overhead_s", [0.0]), ["models[1].overhead_s has 1 entries", "must have 3"]),
    ("too much work", put("models.0.flop_per_sample", [1]), ["models[0].flop_per_sample has 1 entries", "have 2"]),
    ("bits beyond the counts", put("models.0.bits", [2**62, 2**62]), ["models[0].bits sums to", "check the units"]),
    ("work beyond the counts", put("models.1.flop_per_sample", [2**62, 2**62, 0]), ["models[1].flop_per_sample sums"]),
    ("integer over 64 bits", put("models.0.bits.1", 2**63), ["models[0].bits[1] = 9223372036854775808", "too large"]),
    ("batch over 64 bits", put("users.2.batch", 2**70), ["users[2].batch = 1180591620717411303424", "too large"]),
    ("accuracy over one", put("models.1.accuracy", 1.1), ["models[1].accuracy = 1.1", "from 0 to 1"]),
    ("duplicate user", put("users.2.id", "ann"), ["users[2].id = 'ann'", "taken by users[0]", "must differ"]),
    ("empty user", put("users.1.id", ""), ["users[1].id = ''", "must not be empty"]),
    ("deadline 0", put("users.1.deadline_s", 0), ["users[1].deadline_s = 0.0", "(s)"]),
    ("negative deadline", put("users.0.deadline_s", -2), ["users[0].deadline_s = -2.0", "(s)"]),
    ("deadline of weeks", put("users.0.deadline_s", 1e7), ["users[0].deadline_s = 10000000.0", "1e+06 (s)"]),
    ("device that stands", put("users.2.frequency_hz", 0), ["users[2].frequency_hz = 0.0", "(cycle/s)"]),
    ("negative cycles", put("users.2.cycles_per_flop", -1), ["users[2].cycles_per_flop = -1.0", "(cycle/FLOP)"]),
    ("batch 0", put("users.1.batch", 0), ["users[1].batch = 0", "whole number from 1"]),
    ("negative weight", put("users.1.weight", -1), ["users[1].weight = -1", "whole number from 0"]),
    ("negative energy", put("users.1.energy_j", -1), ["users[1].energy_j = -1.0", "(J)", "absent for no limit"]),
    ("energy without its cost", drop("users.1.energy_coefficient"),
     ["users[1].energy_coefficient = 0.0", "where energy_j is given"]),
    ("energy where band moves", put("variant", "time-varying"),
     ["users[1].energy_j = 0.5", "the variant time-varying takes no energy budgets", "leave energy_j out"]),
    ("negative coefficient", put("users.0.energy_coefficient", -1e-28), ["users[0].energy_coefficient = -1e-28"]),
    ("rate missing", drop("users.0.spectral_efficiency"),
     ["users[0].power_w = None", "(W) where spectral_efficiency is not given"]),
    ("gain missing", drop("users.1.gain"), ["users[1].gain = None", "where spectral_efficiency is not given"]),
    ("rate given twice", put("users.1.spectral_efficiency", 1), ["users[1].power_w = 1.0", "must be absent"]),
    ("gain beside a rate", put("users.0.gain", 1e-9), ["users[0].gain = 1e-09", "must be absent"]),
    ("zero gain", put("users.1.gain", 0), ["users[1].gain = 0.0", "(power gain)"]),
    ("negative rate", put("users.2.spectral_efficiency", -1), ["users[2].spectral_efficiency = -1.0", "(bit/s/Hz)"]),
    ("rate beyond any", put("users.2.spectral_efficiency", 2000), ["users[2].spectral_efficiency = 2000.0", "1024"]),
    ("rate for a concave channel", put("variant", "concave"), ["users[0].spectral_efficiency = 3.5", "concave"]),
    ("accuracy below zero", put("users.2.min_accuracy", -0.1), ["users[2].min_accuracy = -0.1", "from 0 to 1"]),
    ("unknown model", put("users.0.models", ["small", "huge"]),
     ["users[0].models = 'huge'", "no such model", "small, large"]),
    ("text for models", put("users.0.models", "small"), ["users[0].models", "Expected `array | null`"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "texts"), [row[1:] for row in BAD_FIELDS], ids=[row[0] for row in BAD_FIELDS])
def test_bad_field(tmp_path: Path, change: Change, texts: list[str]) -> None:
    data = copy.deepcopy(GOOD)
    change(data)
    check_refused(tmp_path / "bad.json", json.dumps(data).encode(), texts)


def check_refused(path: Path, content: bytes, texts: list[str]) -> None:
    path.write_bytes(content)
    with pytest.raises(InstanceError) as caught:
        eo.read(path)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    assert message.count(str(path)) == 1, message
    for text in texts:
        assert text in message, f"{text!r} is not in {message!r}"


def test_the_good_file_is_good(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(json.dumps(GOOD).encode())
    instance = eo.read(tmp_path / "good.json")
    assert instance.users.id == ("ann", "bob", "cyd")
    assert instance.compiled.pair_model.tolist() == [0, 0, 1, 1]


WHOLE = json.dumps(GOOD).encode()
BAND = b'"bandwidth_hz": 1000000.0'
BAD_BYTES: list[tuple[str, bytes, list[str]]] = [
    ("empty", b"", ["the file is empty"]),
    ("not JSON", b"resnet 18", ["not valid JSON", "line 1, column 1"]),
    ("cut short", WHOLE[:200], ["not valid JSON", "line 1, column"]),
    ("NaN", WHOLE.replace(BAND, b'"bandwidth_hz": NaN'), ["NaN at line 1, column 68", "finite number"]),
    (
        "NaN after a text of it",
        WHOLE.replace(b'"good"', b'"\\"NaN"').replace(BAND, b'"bandwidth_hz":\n NaN'),
        ["NaN at line 2, column 2"],
    ),
    ("Infinity", WHOLE.replace(BAND, b'"bandwidth_hz": -Infinity'), ["-Infinity at line 1", "finite number"]),
    ("beyond any float", WHOLE.replace(BAND, b'"bandwidth_hz": 1e999'), ["bandwidth_hz"]),
    ("not UTF-8", WHOLE.replace(b'"good"', b'"caf\xe9"'), ["not UTF-8 at byte"]),
    ("gzip cut short", gzip.compress(WHOLE)[:-100], ["gzip", "cut short"]),
    ("a zip of something else", b"PK\x03\x04" + b"\0" * 40, ["array form"]),
]


@pytest.mark.parametrize(("content", "texts"), [row[1:] for row in BAD_BYTES], ids=[row[0] for row in BAD_BYTES])
def test_bad_bytes(tmp_path: Path, content: bytes, texts: list[str]) -> None:
    assert content != WHOLE
    check_refused(tmp_path / "bad.json", content, texts)


def arrays(**changes: Any) -> bytes:
    """The array form of the good instance with arrays replaced (None: left out)."""
    with np.load(io.BytesIO(file.encode_arrays(file.decode(WHOLE, "good.json")))) as archive:
        content = {name: archive[name] for name in archive.files} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in content.items() if array is not None})
    return buffer.getvalue()


BAD_ARRAYS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no header", {"header": None}, ["array form", "header"]),
    ("no column", {"users_deadline_s": None}, ["'users_deadline_s' is missing", "edgeopt.write"]),
    ("unknown column", {"users_speed": np.zeros(3)}, ["'users_speed' is unknown"]),
    ("wrong kind", {"users_batch": np.ones(3)}, ["users.batch holds float64", "must be int64"]),
    ("single precision", {"users_gain": np.ones(3, dtype=np.float32)}, ["users.gain holds float32"]),
    ("texts", {"models_accuracy": np.array(["a", "b"])}, ["models.accuracy holds <U1", "must be float64"]),
    ("wrong length", {"users_deadline_s": np.ones(4)}, ["users.deadline_s has the shape (4,)", "must be (3,)"]),
    ("wrong length of layers", {"models_bits": np.ones(4, dtype=np.int64)}, ["models.bits has the shape (4,)", "(5,)"]),
    ("a table", {"users_weight": np.ones((3, 1), dtype=np.int64)}, ["users.weight has the shape (3, 1)"]),
    ("a scalar", {"users_weight": np.int64(1)}, ["users.weight has the shape ()"]),
    ("a scalar of another kind", {"users_deadline_s": np.int64(1)}, ["users.deadline_s has the shape ()"]),
    ("starts that fall", {"models_start": np.array([0, 7, 5])}, ["models.start must begin with 0 and not fall"]),
    ("starts from 1", {"models_start": np.array([1, 2, 5])}, ["models.start must begin with 0"]),
    ("too few starts", {"models_start": np.array([0, 5])}, ["models.start has the shape (2,)", "(3,)"]),
    ("a model of no layers", {"models_start": np.array([0, 5, 5])}, ["models[1].bits = []"]),
    ("not a number", {"users_deadline_s": np.array([1.0, np.nan, 1.0])}, ["users[1].deadline_s = nan", "(s)"]),
    ("infinite", {"users_deadline_s": np.array([1.0, 1.0, np.inf])}, ["users[2].deadline_s = inf", "(s)"]),
    ("infinite frequency", {"users_frequency_hz": np.full(3, np.inf)}, ["users[0].frequency_hz = inf", "(cycle/s)"]),
    ("energy not a number", {"users_energy_j": np.array([np.inf, np.nan, 1.0])}, ["users[1].energy_j = nan", "(J)"]),
    ("energy below any", {"users_energy_j": np.full(3, -np.inf)}, ["users[0].energy_j = -inf", "(J)"]),
    ("infinite rate", {"users_spectral_efficiency": np.array([1.0, np.nan, np.inf])},
     ["users[2].spectral_efficiency = inf"]),
    ("overhead not a number", {"models_overhead_s": np.array([0, np.nan, 0, 0, 0])}, ["models[0].overhead_s[1] = nan"]),
    ("accuracy not a number", {"models_accuracy": np.full(2, np.nan)}, ["models[0].accuracy = nan"]),
    ("accuracy wanted not a number", {"users_min_accuracy": np.full(3, np.nan)}, ["users[0].min_accuracy = nan"]),
    ("set out of range", {"users_accepts": np.array([0, 0, 9])}, ["users[2].accepts = 9", "accept_sets"]),
    ("pickled", {"users_gain": np.array([None, 1, "x"], dtype=object)}, ["not a readable array form", "pickle"]),
    ("header of another kind", {"header": np.arange(3.0)}, ["not valid JSON"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "texts"), [row[1:] for row in BAD_ARRAYS], ids=[row[0] for row in BAD_ARRAYS])
def test_bad_arrays(tmp_path: Path, changes: dict[str, Any], texts: list[str]) -> None:
    check_refused(tmp_path / "bad.npz", arrays(**changes), texts)


def made(**fields: Any) -> SlideInstance:
    """An instance made in Python."""
    models = Models.of([LayerTable.of("m", bits=[1], flop_per_sample=[1])])
    users = {"deadline_s": [1.0, 2.0], "frequency_hz": 1e9, "spectral_efficiency": 1.0, **fields}
    return SlideInstance("made", 1e6, models, Users.of(**users))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"batch": [1, 2, 3]}, r"users\.batch has the shape \(3,\): must be \(2,\)"),
        ({"batch": 1.5}, r"users\.batch holds float64: must be int64"),
        ({"id": ["only"]}, r"users\.deadline_s has the shape \(2,\): must be \(1,\)"),
        ({"models": [None]}, r"users\.accepts has the shape \(1,\): must be \(2,\)"),
        ({"weight": [10**30, 1]}, r"users\.weight holds object"),
        ({"deadline_s": [True, False]}, r"users\.deadline_s holds bool"),
    ],
)
def test_bad_columns_in_python(fields: dict[str, Any], text: str) -> None:
    assert len(made().users) == 2
    with pytest.raises(InstanceError, match=text):
        made(**fields)


def test_a_table_with_columns_of_two_lengths() -> None:
    table = LayerTable.of("m", bits=[1, 2], flop_per_sample=[1, 2], overhead_s=[0.0, 0.0, 0.0])
    with pytest.raises(InstanceError, match=r"models\[0\]\.overhead_s has 3 entries: must have 2"):
        Models.of([table])
