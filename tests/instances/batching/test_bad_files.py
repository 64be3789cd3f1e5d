"""Bad instance files: each error names the file, the field with its index, the value, the unit and the mend."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.batching import file

GOOD = json.loads(
    file.encode(eo.generate("batching", seed=1, nodes=2, requests=3, model=["bloom-3b", "opt-1.3b"])).decode()
)
Change = Callable[[dict[str, Any]], object]


def put(path: str, value: object) -> Change:
    """Set a field given as ``nodes.0.name``."""

    def change(data: dict[str, Any]) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place: Any = data
        for step in steps:
            place = place[step]
        place[last] = value

    return change


def drop(path: str) -> Change:
    """Remove a field."""

    def change(data: dict[str, Any]) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place: Any = data
        for step in steps:
            place = place[step]
        del place[last]

    return change


BAD_FIELDS: list[tuple[str, Change, list[str]]] = [
    ("missing field", drop("epoch_s"), ["missing required field `epoch_s`"]),
    ("missing in a node", drop("nodes.1.memory_bytes"), ["nodes[1]", "missing required field `memory_bytes`"]),
    ("missing in a request", drop("requests.2.deadline_s"), ["requests[2]", "`deadline_s`"]),
    ("unknown field", put("speed", 1), ["unknown field `speed`"]),
    ("unknown in a node", put("nodes.0.memory_gb", 8), ["nodes[0]", "unknown field `memory_gb`"]),
    ("unknown in a request", put("requests.1.tokens", 8), ["requests[1]", "unknown field `tokens`"]),
    ("text for a number", put("epoch_s", "2 s"), ['epoch_s = "2 s" (s)', "Expected `float`"]),
    ("number for a text", put("nodes.1.name", 7), ["nodes[1].name = 7", "Expected `str`"]),
    ("fraction of a token", put("requests.0.output_tokens", 1.5), ["requests[0].output_tokens = 1.5 (tokens)"]),
    ("truth for a number", put("requests.0.deadline_s", True), ["requests[0].deadline_s = true (s)"]),
    ("object for a list", put("nodes", {}), ["nodes", "Expected `array`"]),
    ("null for a number", put("requests.1.deadline_s", None), ["requests[1].deadline_s = null (s)"]),
    ("null for nodes", put("nodes", None), ["nodes = null"]),
    ("wrong problem", put("edgeopt", "knapsack"), ["edgeopt = 'knapsack'", "batching"]),
    ("problem of another type", put("edgeopt", 3), ["edgeopt = 3", "batching"]),
    ("newer version", put("version", 2), ["version = 2", "reads version 1", "update edgeopt"]),
    ("older version", put("version", 0), ["version = 0", "version 1"]),
    ("empty name", put("name", ""), ["name = ''", "must not be empty"]),
    ("no nodes", put("nodes", []), ["requests[0].uplink_gain has 2 entries: must have 0"]),
    ("same node name", put("nodes.1.name", "server"), ["nodes[1].name = 'server'", "nodes[0]", "must differ"]),
    ("empty node name", put("nodes.0.name", ""), ["nodes[0].name = ''", "must not be empty"]),
    ("negative speed", put("nodes.0.compute_flops", -1.0), ["nodes[0].compute_flops = -1.0", ">= 0", "(FLOP/s)"]),
    ("negative memory", put("nodes.1.memory_bytes", -5), ["nodes[1].memory_bytes = -5.0", "(B)"]),
    ("zero band", put("nodes.1.uplink_bandwidth_hz", 0), ["nodes[1].uplink_bandwidth_hz = 0.0", "> 0 (Hz)"]),
    ("zero downlink", put("nodes.0.downlink_bandwidth_hz", 0), ["nodes[0].downlink_bandwidth_hz = 0.0", "(Hz)"]),
    ("zero power", put("nodes.0.user_power_w", 0), ["nodes[0].user_power_w = 0.0", "> 0 (W)"]),
    ("negative node power", put("nodes.0.node_power_w", -1), ["nodes[0].node_power_w = -1.0", "> 0 (W)"]),
    ("zero noise", put("noise_w_per_hz", 0), ["noise_w_per_hz = 0.0", "> 0 (W/Hz)"]),
    ("zero epoch", put("epoch_s", 0), ["epoch_s = 0.0", "> 0 (s)"]),
    ("zero uplink slot", put("uplink_slot_s", 0), ["uplink_slot_s = 0.0", "> 0 (s)"]),
    ("negative compute slot", put("compute_slot_s", -0.5), ["compute_slot_s = -0.5", ">= 0 (s)"]),
    ("zero bits", put("bits_per_token", 0), ["bits_per_token = 0", "(bit)"]),
    ("zero padding", put("padded_prompt_tokens", 0), ["padded_prompt_tokens = 0", "(tokens)"]),
    ("huge padding", put("padded_prompt_tokens", 10**30), ["padded_prompt_tokens", str(10**30)]),
    ("unknown rule", put("downlink_rule", "best"), ["downlink_rule", "best"]),
    ("unknown model", lambda data: (data["models"].clear(), put("nodes.0.model", "bloom-9b")(data)),
     ["nodes[0].model = 'bloom-9b'", "not in the table", "did you mean"]),
    ("unknown scheme", put("nodes.1.quantization", "w9"), ["nodes[1].quantization = 'w9'", "not in the table"]),
    ("scheme without a value", put("nodes.0.quantization", "w8a8"),
     ["nodes[0].quantization = 'w8a8'", "ppl_differential"]),
    ("scheme with a zero factor", put("nodes.0.quantization.time_factor", 0),
     ["nodes[0].quantization", "time_factor = 0", "> 0"]),
    ("model under another key", lambda data: data["models"].update(x=data["models"]["bloom-3b"])
     or put("nodes.0.model", "x")(data), ["models.x.name = 'bloom-3b'", "must be its key 'x'"]),
    ("model with no layers", put("models.bloom-3b.layers", 0), ["models", "bloom-3b", "layers = 0"]),
    ("too few gains", put("requests.1.uplink_gain", [1.0]), ["requests[1].uplink_gain has 1 entries", "must have 2"]),
    ("too many gains", put("requests.2.downlink_gain", [1.0] * 3), ["requests[2].downlink_gain has 3", "have 2"]),
    ("zero gain", put("requests.1.uplink_gain.1", 0.0), ["requests[1].uplink_gain[1] = 0.0", "power gain > 0"]),
    ("negative gain", put("requests.0.downlink_gain.0", -1e-3), ["requests[0].downlink_gain[0] = -0.001"]),
    ("half a coverage", put("requests.2.downlink_gain.1", None), ["requests[2].downlink_gain[1] = None", "same nodes"]),
    ("zero deadline", put("requests.0.deadline_s", 0), ["requests[0].deadline_s = 0.0", "> 0 (s)"]),
    ("negative deadline", put("requests.2.deadline_s", -1), ["requests[2].deadline_s = -1.0", "> 0 (s)"]),
    ("negative waiting", put("requests.1.waiting_s", -0.1), ["requests[1].waiting_s = -0.1", ">= 0 (s)"]),
    ("accuracy over one", put("requests.1.accuracy", 1.01), ["requests[1].accuracy = 1.01", "from 0 to 1"]),
    ("negative accuracy", put("requests.1.accuracy", -0.01), ["requests[1].accuracy = -0.01", "from 0 to 1"]),
    ("empty prompt", put("requests.0.prompt_tokens", 0), ["requests[0].prompt_tokens = 0", ">= 1 (tokens)"]),
    ("prompt over the padding", put("requests.2.prompt_tokens", 513),
     ["requests[2].prompt_tokens = 513", "padded_prompt_tokens = 512 (tokens)", "raise that or drop"]),
    ("no output", put("requests.0.output_tokens", 0), ["requests[0].output_tokens = 0", "(tokens)"]),
    ("huge output", put("requests.0.output_tokens", 2**24 + 1), ["requests[0].output_tokens = 16777217", "16777216"]),
    ("integer over 64 bits", put("requests.1.output_tokens", 2**63), ["[1].output_tokens = 9223372036854775808"]),
    ("integer over 64 bits below", put("requests.1.prompt_tokens", -(2**63) - 1), ["requests[1].prompt_tokens"]),
    ("accepts a model nobody hosts", put("requests.1.models", ["gpt2"]), ["requests[1].models = 'gpt2'", "hosted"]),
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
    assert len(eo.read(tmp_path / "good.json").requests) == 3


WHOLE = json.dumps(GOOD).encode()
BAD_BYTES: list[tuple[str, bytes, list[str]]] = [
    ("empty", b"", ["the file is empty"]),
    ("blank", b" \n\n", ["the file is empty"]),
    ("not JSON", b"bloom 3b", ["not valid JSON", "line 1, column 1"]),
    ("broken in line 3", b'{\n "edgeopt": "batching",\n "name": \n}', ["not valid JSON", "line 4, column 1"]),
    ("cut short", WHOLE[:200], ["not valid JSON", "line 1, column"]),
    ("trailing comma", WHOLE[:-1] + b",}", ["not valid JSON", "line 1, column"]),
    ("text after the end", WHOLE + b" x", ["not valid JSON", "line 1, column"]),
    ("NaN", WHOLE.replace(b'"epoch_s": 2.0', b'"epoch_s": NaN'), ["not valid JSON"]),
    ("Infinity", WHOLE.replace(b'"epoch_s": 2.0', b'"epoch_s": Infinity'), ["not valid JSON"]),
    ("beyond any float", WHOLE.replace(b'"epoch_s": 2.0', b'"epoch_s": 1e999'), ["epoch_s"]),
    ("a list", b"[1, 2]", ["one JSON object with a field 'edgeopt'", "batching"]),
    ("a text", b'"bloom"', ["one JSON object with a field 'edgeopt'"]),
    ("another file's JSON", b'{"nodes": 3}', ["edgeopt = None", "names its problem there: ", "batching"]),
    ("not UTF-8", WHOLE.replace(b"paper-2nodes", b"caf\xe9-2nodes"), ["not UTF-8 at byte"]),
    ("gzip cut short", gzip.compress(WHOLE)[:-200], ["gzip", "cut short"]),
    ("gzip with damage", gzip.compress(WHOLE)[:50] + b"\0" * 20 + gzip.compress(WHOLE)[70:], ["gzip"]),
    ("gzip of nothing", gzip.compress(b""), ["the file is empty"]),
    ("a zip of something else", b"PK\x03\x04" + b"\0" * 40, ["array form"]),
]


@pytest.mark.parametrize(("content", "texts"), [row[1:] for row in BAD_BYTES], ids=[row[0] for row in BAD_BYTES])
def test_bad_bytes(tmp_path: Path, content: bytes, texts: list[str]) -> None:
    check_refused(tmp_path / "bad.json", content, texts)


def arrays(**changes: Any) -> bytes:
    """The array form of the good instance with arrays replaced (None: left out)."""
    with np.load(io.BytesIO(file.encode_arrays(file.decode(WHOLE, "good.json")))) as archive:
        content = {name: archive[name] for name in archive.files} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in content.items() if array is not None})
    return buffer.getvalue()


def header(**changes: Any) -> np.ndarray[Any, Any]:
    head = {key: value for key, value in GOOD.items() if key != "requests"}
    head["accept_sets"] = [None]
    return np.frombuffer(json.dumps({**head, **changes}).encode(), dtype=np.uint8)


BAD_ARRAYS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no header", {"header": None}, ["array form", "header"]),
    ("no column", {"deadline_s": None}, ["'deadline_s' is missing", "edgeopt.write"]),
    ("unknown column", {"speed": np.zeros(3)}, ["'speed'"]),
    ("wrong dtype", {"prompt_tokens": np.ones(3)}, ["requests.prompt_tokens holds float64", "must be int64"]),
    ("single precision", {"deadline_s": np.ones(3, dtype=np.float32)}, ["requests.deadline_s holds float32"]),
    ("texts", {"accuracy": np.array(["a", "b", "c"])}, ["requests.accuracy holds <U1", "must be float64"]),
    ("wrong length", {"deadline_s": np.ones(4)}, ["requests.deadline_s has the shape (4,)", "must be (3,)"]),
    ("wrong shape", {"uplink_gain": np.ones((3, 2))}, ["requests.uplink_gain has the shape (3, 2)", "(2, 3)"]),
    ("a scalar", {"waiting_s": np.float64(1)}, ["requests.waiting_s has the shape ()"]),
    ("a scalar first", {"prompt_tokens": np.int64(1)}, ["prompt_tokens", "shape ()"]),
    ("pickled", {"waiting_s": np.array([None, 1, "x"], dtype=object)}, ["not a readable array form", "pickle"]),
    ("pickled header", {"header": np.array([{}], dtype=object)}, ["array form"]),
    ("header of another kind", {"header": np.arange(3.0)}, ["not valid JSON"]),
    ("header with an error", {"header": header(epoch_s="x")}, ['epoch_s = "x" (s)']),
    ("header with requests", {"header": header(requests=[])}, ["unknown field `requests`"]),
    ("not a number", {"deadline_s": np.array([1.0, np.nan, 1.0])}, ["requests[1].deadline_s = ", "(s)"]),
    ("infinite", {"deadline_s": np.array([1.0, 1.0, np.inf])}, ["requests[2].deadline_s = inf", "(s)"]),
    ("infinite gain", {"uplink_gain": np.full((2, 3), np.inf)}, ["requests[0].uplink_gain[0] = inf"]),
    ("accuracy not a number", {"accuracy": np.full(3, np.nan)}, ["requests[0].accuracy", "from 0 to 1"]),
    ("set out of range", {"accepts": np.array([0, 0, 9])}, ["requests[2].accepts = 9", "accept_sets"]),
]


@pytest.mark.parametrize(("changes", "texts"), [row[1:] for row in BAD_ARRAYS], ids=[row[0] for row in BAD_ARRAYS])
def test_bad_arrays(tmp_path: Path, changes: dict[str, Any], texts: list[str]) -> None:
    check_refused(tmp_path / "bad.npz", arrays(**changes), texts)


@pytest.mark.parametrize("keep", [100, 700, -30])
def test_array_form_cut_short(tmp_path: Path, keep: int) -> None:
    check_refused(tmp_path / "bad.npz", arrays()[:keep], ["array form"])


def test_array_form_with_damage(tmp_path: Path) -> None:
    content = bytearray(arrays())
    place = content.index(b"deadline_s.npy") + 150
    content[place : place + 8] = b"\xff" * 8
    check_refused(tmp_path / "bad.npz", bytes(content), ["array form"])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match=r"nowhere\.json: No such file"):
        eo.read(tmp_path / "nowhere.json")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="Is a directory"):
        eo.read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_bytes(WHOLE)
    (tmp_path / "secret.json").chmod(0)
    with pytest.raises(InstanceError, match=r"secret\.json: Permission denied"):
        eo.read(tmp_path / "secret.json")


def test_permission_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InstanceError, match=r"secret\.json: Permission denied"):
        eo.read(tmp_path / "secret.json")


def test_an_error_deep_in_json_is_no_crash(tmp_path: Path) -> None:
    check_refused(tmp_path / "bad.json", b'{"edgeopt": ' + b"[" * 100_000, ["bad.json"])


def rezipped(**changes: bytes) -> bytes:
    """The array form of the good instance with whole members replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(arrays())) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name.removesuffix(".npy"), old.read(name)))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["header", "accepts"])
def test_array_form_with_a_member_that_is_no_array(tmp_path: Path, name: str) -> None:
    check_refused(tmp_path / "bad.npz", rezipped(**{name: b"hello"}), ["array form", name])


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99), (6, 200)], ids=["encrypted", "method", "version"])
def test_array_form_that_python_cannot_unpack(tmp_path: Path, offset: int, value: int) -> None:
    content = bytearray(rezipped())
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + offset] = value
        place = content.find(b"PK\x01\x02", place + 1)
    check_refused(tmp_path / "bad.npz", bytes(content), ["array form"])


def test_array_form_larger_than_memory(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3, dtype=np.int64))
    huge = buffer.getvalue().replace(b"(3,), }            ", b"(999999999999,), } ")
    check_refused(tmp_path / "bad.npz", rezipped(accepts=huge), ["array form"])


@pytest.mark.parametrize("field", ["version", "padded_prompt_tokens"])
def test_a_number_of_more_digits_than_python_reads(tmp_path: Path, field: str) -> None:
    content = json.dumps({**GOOD, field: 0}).replace(f'"{field}": 0', f'"{field}": {"1" * 6000}')
    check_refused(tmp_path / "bad.json", content.encode(), [field])
