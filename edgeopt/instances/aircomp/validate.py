"""What an AirComp instance must be; the texts are part of the interface."""

from __future__ import annotations

from fractions import Fraction
from numbers import Integral
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.instance import (
    DESIGNS,
    LEAST,
    MOST,
    MOST_ANTENNAS,
    MOST_COUNT,
    SHARE_TOLERANCE,
    AirCompInstance,
)

UNITS = {
    "power_w": "W",
    "w_per_parameter": "W",
    "memory_bytes": "byte",
    "compute_flops": "FLOP/s",
    "memory_bandwidth_bytes": "byte/s",
    "x_m": "m",
    "y_m": "m",
}


def validate(instance: AirCompInstance) -> None:
    """Check every field.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """
    if not instance.name:
        raise fail("name", instance.name, "must not be empty; give the instance a name")
    if instance.design not in DESIGNS:
        raise fail("design", instance.design, f"must be one of {', '.join(DESIGNS)}")
    for field, unit in (("noise_w", "W"), ("bytes_per_parameter", "byte"), ("bandwidth_hz", "Hz")):
        number = getattr(instance, field)
        if not isinstance(number, float) or not LEAST <= number <= MOST:
            raise fail(field, number, f"must be a number from {LEAST} to {MOST} ({unit})")
    for field, least in (("layer_parameters", 1), ("vector_length", 1), ("layers", 1), ("streams", 1)):
        value = getattr(instance, field)
        if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= MOST_COUNT:
            raise fail(field, value, f"must be a whole number from {least} to {MOST_COUNT}")
        object.__setattr__(instance, field, int(value))
    _channels(instance)
    _devices(instance)
    _shares(instance)


def fail(where: str, value: Any, mend: str) -> InstanceError:
    """The error for a value."""
    shown = value.item() if isinstance(value, np.generic) else value
    return InstanceError(f"{where} = {shown!r}: {mend}")


def _channels(instance: AirCompInstance) -> None:
    shape = instance.channels.shape
    if len(shape) != 4 or 0 in shape:
        raise InstanceError(f"channels has the shape {shape}: must be (draws, devices, server antennas, antennas)")
    _, _, server, device = shape
    if server > MOST_ANTENNAS:
        raise fail("server antennas", server, f"must be at most {MOST_ANTENNAS}")
    if server < device:
        raise fail(
            "server antennas",
            server,
            f"must be at least the {device} antennas of a device; give the server more antennas, or the devices fewer",
        )
    if instance.streams > device:
        raise fail("streams", instance.streams, f"must be at most the {device} antennas of a device")
    wrong = np.argwhere(~np.isfinite(instance.channels))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise fail(f"channels{list(place)}", complex(instance.channels[place]), "must be finite (amplitude, no unit)")
    size = np.abs(instance.channels)
    if size.max() > MOST:
        place = np.unravel_index(int(size.argmax()), shape)
        raise fail(f"channels{[int(i) for i in place]}", complex(instance.channels[place]), f"must be at most {MOST}")


def _devices(instance: AirCompInstance) -> None:
    devices, count = instance.devices, instance.channels.shape[1]
    if len(devices) != count:
        raise InstanceError(f"devices has {len(devices)} entries: must have {count}, as channels")
    if len(set(devices.id)) < len(devices) or "" in devices.id:
        raise InstanceError(f"devices.id = {devices.id}: must be distinct and not empty")
    for name, column in devices.columns().items():
        if column.shape != (count,):
            raise InstanceError(f"devices.{name} has the shape {column.shape}: must be ({count},)")
        if name in ("x_m", "y_m"):
            good, mend = np.abs(column) <= MOST, f"must be a number from {-MOST} to {MOST}"
        elif name == "w_per_parameter":
            good, mend = (column == 0) | ((column >= LEAST) & (column <= MOST)), "must be a number from 0"
        elif name == "memory_bytes":
            good, mend = column > 0, "must be > 0; infinite (null in a file) for no limit"
        else:
            good, mend = (column >= LEAST) & (column <= MOST), f"must be a number from {LEAST} to {MOST}"
        wrong = np.flatnonzero(~good)
        if len(wrong):
            raise fail(f"devices[{wrong[0]}].{name}", column[wrong[0]], f"{mend} ({UNITS[name]})")


def _shares(instance: AirCompInstance) -> None:
    devices = instance.devices
    if instance.shares is None:
        limits = [share_limit(instance, n) for n in range(len(devices))]
        nothing_left = any(limits[n] * compute_power(instance, n) >= _power(instance, n) for n in range(len(devices)))
        if sum(limits) < 1 or (sum(limits) == 1 and nothing_left):
            raise InstanceError(
                f"devices: together they can hold {float(sum(limits)):.4g} of a layer, by power_w (W) over "
                "w_per_parameter and memory_bytes: must be more than 1; give some of them more, or take a smaller model"
            )
        return
    shares = instance.shares
    if shares.shape != (len(devices),):
        raise InstanceError(f"shares has the shape {shares.shape}: must be ({len(devices)},), one a device")
    for n, share in enumerate(shares.tolist()):
        if not 0 <= share <= 1 + SHARE_TOLERANCE:
            raise fail(f"shares[{n}]", share, "must be from 0 to 1, the part of every layer that the device holds")
    whole = sum((Fraction(share) for share in shares.tolist()), Fraction(0))
    if abs(whole - 1) > SHARE_TOLERANCE:
        raise fail("shares", shares.tolist(), f"must sum to 1, not {float(whole)!r}")
    exact = exact_shares(shares)
    for n, share in enumerate(exact):
        need = compute_power(instance, n) * share
        if need >= _power(instance, n):
            raise fail(
                f"devices[{n}].power_w",
                devices.power_w[n],
                f"must be more than the {float(need):.6g} W that computing its share {float(share):.4g} takes; give it "
                "a smaller share or a larger budget",
            )
        if share > memory_limit(instance, n):
            raise fail(
                f"devices[{n}].memory_bytes",
                devices.memory_bytes[n],
                f"is not enough for the share {float(share):.4g} of the weights (byte)",
            )


def exact_shares(shares: Any) -> tuple[Fraction, ...]:
    """Shares that sum to 1 exactly, in the given proportions."""
    given = [Fraction(float(share)) for share in shares]
    total = sum(given, Fraction(0))
    return tuple(share / total for share in given) if total else tuple(given)


def _power(instance: AirCompInstance, n: int) -> Fraction:
    return Fraction(float(instance.devices.power_w[n]))


def compute_power(instance: AirCompInstance, n: int) -> Fraction:
    """``e_n s`` (W): what computing a whole layer would take of the budget."""
    return Fraction(float(instance.devices.w_per_parameter[n])) * instance.layer_parameters


def memory_limit(instance: AirCompInstance, n: int) -> Fraction:
    """Largest share whose weights a device can hold, at most 1."""
    memory = float(instance.devices.memory_bytes[n])
    if memory == np.inf:
        return Fraction(1)
    weights = Fraction(float(instance.bytes_per_parameter)) * instance.layer_parameters * instance.layers
    return min(Fraction(1), Fraction(memory) / weights)


def share_limit(instance: AirCompInstance, n: int) -> Fraction:
    """Largest share of a device by its memory and by its budget, at most 1."""
    whole = compute_power(instance, n)
    limit = memory_limit(instance, n)
    return limit if not whole else min(limit, _power(instance, n) / whole)
