"""Edge hardware: peak compute rate, memory, memory bandwidth and power.

Rates are dense FP16 peaks of one device; sparse and INT8 marketing figures are converted (a dense
FP16 operation counts for four sparse INT8 ones). Memory is the nominal size in units of 1e9 byte.
"""

import msgspec

from edgeopt.system._validation import check_count, check_name, check_quantity, pick


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One compute device.

    Parameters
    ----------
    name : str
        Name of the device.
    compute_flop_per_s : float
        Dense FP16 peak (FLOP/s), > 0.
    memory_bytes : int
        Memory (byte), >= 1.
    memory_bandwidth_byte_per_s : float
        Memory bandwidth (byte/s), > 0.
    power_w : float
        Power limit (W), > 0.

    Raises
    ------
    InstanceError
        If a value is outside its range.
    """

    name: str
    compute_flop_per_s: float
    memory_bytes: int
    memory_bandwidth_byte_per_s: float
    power_w: float

    def __post_init__(self) -> None:
        check_name("Hardware", self.name)
        owner = f"hardware {self.name!r}"
        check_quantity(owner, "compute_flop_per_s", self.compute_flop_per_s, "FLOP/s")
        check_count(owner, "memory_bytes", self.memory_bytes, "byte")
        check_quantity(owner, "memory_bandwidth_byte_per_s", self.memory_bandwidth_byte_per_s, "byte/s")
        check_quantity(owner, "power_w", self.power_w, "W")

    def gang(self, count: int) -> "Hardware":
        """Return `count` such devices as one node, as the paper pools GPUs (Section V-A).

        Rates, memory and power add up; communication between the devices is not charged.

        Raises
        ------
        InstanceError
            If `count` is not an integer of at least 1.
        """
        check_count(f"hardware {self.name!r}", "count", count, "devices")
        return Hardware(
            f"{count}x {self.name}",
            count * self.compute_flop_per_s,
            count * self.memory_bytes,
            count * self.memory_bandwidth_byte_per_s,
            count * self.power_w,
        )


HARDWARE: dict[str, Hardware] = {
    device.name: device
    for device in (
        # Section V-A: 1.33 TFLOPs and 32 GB (the module itself is sold with 4 or 8 GB; 32 GB is its
        # storage). Bandwidth and power: NVIDIA Jetson TX2 data sheet.
        Hardware("jetson-tx2", 1.33e12, 32_000_000_000, 59.7e9, 15.0),
        # NVIDIA Jetson Nano data sheet: 128 Maxwell cores.
        Hardware("jetson-nano", 0.472e12, 4_000_000_000, 25.6e9, 10.0),
        # NVIDIA Jetson Orin Nano 8GB data sheet: 40 sparse INT8 TOPS.
        Hardware("jetson-orin-nano", 10e12, 8_000_000_000, 68e9, 15.0),
        # NVIDIA Jetson Orin Nano Super: 67 sparse INT8 TOPS, 17 FP16 TFLOPs.
        Hardware("jetson-orin-nano-super", 17e12, 8_000_000_000, 102e9, 25.0),
        # NVIDIA Jetson AGX Orin technical brief, 64 GB module: GPU 170 of the 275 sparse INT8 TOPS.
        Hardware("jetson-agx-orin", 42.5e12, 64_000_000_000, 204.8e9, 60.0),
        # Raspberry Pi 5 product brief: 4 Cortex-A76 at 2.4 GHz, two 128-bit FMA pipes each (32 FP16
        # FLOP a cycle), 32-bit LPDDR4X-4267; power of the board under load.
        Hardware("raspberry-pi-5", 307.2e9, 8_000_000_000, 17.1e9, 12.0),
        # Phones: memory and LPDDR5(X) bandwidth from the vendors; GPU rates and sustained power are
        # not published, these are estimates for the class of 2023 flagships and of mid-range phones.
        Hardware("smartphone-flagship", 5e12, 12_000_000_000, 76.8e9, 5.0),
        Hardware("smartphone-midrange", 1.5e12, 8_000_000_000, 25.6e9, 4.0),
        # NVIDIA T4 data sheet.
        Hardware("t4", 65e12, 16_000_000_000, 320e9, 70.0),
        # NVIDIA L4 data sheet: 242 sparse FP16 TFLOPs.
        Hardware("l4", 121e12, 24_000_000_000, 300e9, 72.0),
        # NVIDIA Ada GPU architecture white paper: FP16 tensor cores with FP32 accumulation.
        Hardware("rtx-4090", 165.2e12, 24_000_000_000, 1008e9, 450.0),
        # NVIDIA A100 data sheet, SXM modules.
        Hardware("a100-40gb", 312e12, 40_000_000_000, 1555e9, 400.0),
        Hardware("a100-80gb", 312e12, 80_000_000_000, 2039e9, 400.0),
        # NVIDIA H100 data sheet, SXM module: 1979 sparse FP16 TFLOPs.
        Hardware("h100", 989.5e12, 80_000_000_000, 3.35e12, 700.0),
    )
}
"""All built-in devices by name."""


def lookup(name: str) -> Hardware:
    """Return the built-in device of that name, ignoring case.

    Raises
    ------
    UnknownNameError
        If there is none; the message suggests near names.
    """
    return pick("hardware", HARDWARE, name)
