"""The hardware table: the paper's numbers, plausible ratios, and refusals."""

from typing import Any

import msgspec
import pytest

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.system.hardware import HARDWARE, Hardware, lookup


def test_the_paper_gpu() -> None:
    device = lookup("Jetson-TX2")
    assert device.compute_flop_per_s == 1.33e12
    assert device.memory_bytes == 32_000_000_000
    assert device.memory_bandwidth_byte_per_s == 59.7e9


@pytest.mark.parametrize("device", HARDWARE.values(), ids=lambda device: str(device.name))
def test_units_are_plausible(device: Hardware) -> None:
    """A slip of a factor 1000 in a unit leaves these ranges."""
    assert HARDWARE[device.name] is device
    assert 1 < device.compute_flop_per_s / device.memory_bandwidth_byte_per_s < 1000
    assert 1e9 <= device.memory_bytes <= 1e12
    assert 5 < device.memory_bandwidth_byte_per_s / 1e9 < 5000
    assert 1e9 < device.compute_flop_per_s / device.power_w < 5e12


def test_gang() -> None:
    server = lookup("jetson-tx2").gang(20)
    assert server.name == "20x jetson-tx2"
    assert server.compute_flop_per_s == pytest.approx(26.6e12)
    assert server.memory_bytes == 640_000_000_000
    assert server.memory_bandwidth_byte_per_s == pytest.approx(1.194e12)
    assert server.power_w == 300.0
    with pytest.raises(InstanceError, match="count"):
        lookup("jetson-tx2").gang(0)


def test_lookup_suggests() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*a100-80gb"):
        lookup("a100")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("compute_flop_per_s", 0.0),
        ("memory_bytes", 8e9),
        ("memory_bytes", 0),
        ("memory_bandwidth_byte_per_s", float("inf")),
        ("power_w", -5.0),
    ],
)
def test_a_bad_device_is_refused_by_field(field: str, value: object) -> None:
    good: dict[str, Any] = msgspec.structs.asdict(lookup("t4"))
    assert Hardware(**good) == lookup("t4")
    with pytest.raises(InstanceError, match=field):
        Hardware(**{**good, field: value})


def test_devices_travel_as_json() -> None:
    for device in HARDWARE.values():
        assert msgspec.json.decode(msgspec.json.encode(device), type=Hardware) == device
