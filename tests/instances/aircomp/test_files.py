"""Files: JSON and arrays hold the same instance and results survive; bad ones say what is wrong and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given

import edgeopt as eo
from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.aircomp import AirCompInstance, Devices
from edgeopt.instances.aircomp.file import schema
from edgeopt.instances.aircomp.generate import CORNERS
from edgeopt.instances.base import problem
from edgeopt.testing.aircomp import aircomp_instances

PROBLEM = problem("aircomp")
VALID = jsonschema.Draft202012Validator(schema())
SMALL = {"devices": 2, "server_antennas": 3, "antennas": 2}


@given(aircomp_instances())
def test_both_forms_hold_the_same(instance: AirCompInstance) -> None:
    text, arrays = PROBLEM.encode(instance), PROBLEM.encode_arrays(instance)
    VALID.validate(json.loads(text))
    for content in (text, arrays):
        again = PROBLEM.decode(content, "again")
        assert again.digest == instance.digest
        assert np.array_equal(again.channels, instance.channels)
    assert PROBLEM.encode(PROBLEM.decode(arrays, "again")) == text


@pytest.mark.parametrize("corner", [None, *CORNERS])
def test_a_seed_makes_the_same_instance(corner: str | None) -> None:
    one, same = (eo.generate("aircomp", seed=3, corner=corner) for _ in range(2))
    assert one.digest == same.digest
    assert one.digest != eo.generate("aircomp", seed=4, corner=corner).digest


def test_a_seed_makes_the_same_on_every_machine() -> None:
    """Pinned: change it only with the generator."""
    assert eo.generate("aircomp", seed=1).digest[:16] == PINNED


PINNED = "c39a9bf305649702"


def test_more_draws_begin_with_the_same() -> None:
    few, many = (eo.generate("aircomp", seed=1, draws=count) for count in (2, 5))
    assert np.array_equal(few.channels, many.channels[:2])


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_results_survive_their_file(design: str, tmp_path: Path) -> None:
    instance = eo.generate("aircomp", design=design, draws=2, **SMALL)
    result = eo.solve(instance)
    eo.write(result, tmp_path / "r.json", instance=instance)
    again = eo.read_result(instance, tmp_path / "r.json")
    assert again.solution == result.solution
    assert again.value == result.value


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    content = json.loads(PROBLEM.encode(eo.generate("aircomp", **SMALL)))
    inside = content
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("devices", 1, "power_w"), 0.2, r"devices\[1\]\.power_w = 0\.2: must be more than the .* W that computing"),
        (("devices", 0, "power_w"), -1, r"devices\[0\]\.power_w = -1\.0: must be a number from"),
        (("devices", 0, "w_per_parameter"), -1e-9, r"devices\[0\]\.w_per_parameter = -1e-09: must be"),
        (("devices", 0, "memory_bytes"), 1e9, r"devices\[0\]\.memory_bytes = 1000000000\.0: is not enough"),
        (("devices", 1, "id"), "d0", r"devices\.id = .*must be distinct"),
        (("shares",), [0.5, 0.6], r"shares = \[0\.5, 0\.6\]: must sum to 1, not 1\.1"),
        (("shares",), [1.5, -0.5], r"shares\[0\] = 1\.5: must be from 0 to 1"),
        (("shares",), [1.0], r"shares has the shape \(1,\): must be \(2,\)"),
        (("streams",), 3, r"streams = 3: must be at most the 2 antennas of a device"),
        (("streams",), 0, r"streams = 0: must be a whole number from 1"),
        (("noise_w",), 0.0, r"noise_w = 0\.0: must be a number from .*\(W\)"),
        (("design",), "best", r"design = \"best\": Invalid enum value"),
        (("name",), "", r"name = '': must not be empty"),
        (("version",), 9, r"version = 9: this edgeopt reads version 1"),
        (("channels",), [], r"channels: must hold at least one draw"),
        (("channels", 0, "real"), [[[1.0, 2.0]]], r"channels\[0\]: real has the shape"),
        (("channels", 0, "imag", 0), [[1.0], [1.0, 2.0]], r"channels\[0\]\.imag: the matrices must all have the same"),
        (("devices",), [], r"devices has 0 entries: must have 2"),
        (("more",), 1, r"Object contains unknown field `more`"),
    ],
)
def test_bad_files_say_what_is_wrong(path: tuple[Any, ...], value: Any, words: str) -> None:
    with pytest.raises(InstanceError, match=rf"bad\.json: .*{words}"):
        PROBLEM.decode(changed(path, value), "bad.json")


def made(**fields: Any) -> AirCompInstance:
    whole: dict[str, Any] = {
        "name": "made", "channels": np.ones((1, 1, 2, 1)), "noise_w": 1.0, "devices": Devices.of(power_w=[1.0]),
        "layer_parameters": 1, "vector_length": 1, "streams": 1, "shares": [1.0],
    }  # fmt: skip
    return AirCompInstance(**{**whole, **fields})


@pytest.mark.parametrize("value", ["loud", None, [1.0], float("nan"), -1.0])
def test_noise_that_is_no_number(value: Any) -> None:
    with pytest.raises(InstanceError, match=r"noise_w = .*: must be a number from 1e-30 to 1e\+30 \(W\)"):
        made(noise_w=value)


def test_fewer_server_antennas_than_a_device_has() -> None:
    with pytest.raises(InstanceError, match=r"server antennas = 1: must be at least the 2 antennas of a device"):
        made(channels=np.ones((1, 1, 1, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, complex(0, np.nan)])
def test_a_channel_that_is_no_number(bad: complex) -> None:
    channels = np.ones((2, 1, 2, 1), dtype=complex)
    channels[1, 0, 1, 0] = bad
    with pytest.raises(InstanceError, match=r"channels\[1, 0, 1, 0\] = .*: must be finite"):
        made(channels=channels)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channels": "none"}, "channels: must be an array of numbers"),
        ({"channels": np.ones((1, 2, 1))}, r"channels has the shape \(1, 2, 1\)"),
        ({"channels": np.full((1, 1, 2, 1), 1e40)}, "must be at most"),
        ({"layer_parameters": 1.5}, "layer_parameters = 1.5: must be a whole number"),
        ({"layers": True}, "layers = True: must be a whole number"),
        ({"shares": [0.4]}, "must sum to 1"),
        (
            {"shares": None, "devices": Devices.of(power_w=[1.0], w_per_parameter=[3.0])},
            "together they can hold 0.3333",
        ),
        ({"devices": Devices.of(power_w=[1.0], w_per_parameter=[1.0])}, "must be more than the 1 W"),
        ({"devices": Devices.of(power_w=[1.0], x_m=[np.nan])}, r"devices\[0\]\.x_m = nan"),
    ],
)
def test_bad_instances_say_what_is_wrong(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InstanceError, match=words):
        made(**fields)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": 0}, "devices = 0: must be from 1 to"),
        ({"server_antennas": 3}, "server antennas = 3: must be at least the 4"),
        ({"streams": 5}, "streams = 5: must be at most the 4"),
        ({"fading": "none"}, "fading = 'none': must be one of rician, rayleigh"),
        ({"shares": "all"}, "shares = 'all': must be one of equal, power, open"),
        ({"corner": "none"}, "corner = 'none': must be one of"),
        ({"seed": -1}, "seed = -1"),
        ({"compute_part": 0.9}, "compute_part = 0.9: must be from 0 to 0.6"),
        ({"what": 1}, "unexpected keyword argument 'what'"),
    ],
)
def test_bad_options_say_what_is_wrong(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InstanceError, match=words):
        eo.generate("aircomp", **options)


def test_unknown_models_and_hardware() -> None:
    for options in ({"model": "llama-9"}, {"hardware": "toaster"}):
        with pytest.raises(UnknownNameError):
            eo.generate("aircomp", **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("designs"), "must have the fields shares, and designs"),
        (lambda c: c["shares"].pop("d0"), "solution.shares must name each device"),
        (lambda c: c["shares"].update(d0="half"), "solution.shares: must be lists of numbers"),
        (lambda c: c["designs"].append({}), r"solution.designs\[1\]: must have the field receive"),
        (
            lambda c: c["designs"][0]["receive"].pop("imag"),
            r"designs\[0\]\.receive: must have the fields real and imag",
        ),
        (lambda c: c["designs"][0]["receive"]["real"].pop(), r"real has the shape"),
        (lambda c: c["designs"].pop(), "designs has 0 entries: must have 1"),
    ],
)
def test_bad_solutions_say_what_is_wrong(change: Any, words: str) -> None:
    instance = eo.generate("aircomp", **SMALL)
    content = json.loads(json.dumps(PROBLEM.encode_solution(instance, eo.solve(instance).solution)))
    change(content)
    with pytest.raises(InstanceError, match=words):
        PROBLEM.decode_solution(instance, content, "r.json")
