"""Instances of the offloading problem: files, errors that say what to mend, generators, traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.base import violations
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.trace import from_trace
from edgeopt.testing.offloading import offloading_instances

DATA = Path(__file__).parents[4] / "shared" / "data"


def plain(**changes: Any) -> OffloadingInstance:
    """Two tasks, a device, two servers."""
    fields: dict[str, Any] = {
        "task_device": [0, 0], "arrival_s": [0.0, 0.1], "bits": 1e6, "cycles": 1e9, "deadline_s": 1.0,
        "device_hz": [1e9], "server_hz": [1e10, 2e10], "rate_bit_per_s": 1e7,
    }  # fmt: skip
    return OffloadingInstance.of("plain", **(fields | changes))


@given(instance=offloading_instances())
def test_both_file_forms_give_the_same_instance(instance: OffloadingInstance, tmp_path_factory: Any) -> None:
    for ending in (".json", ".npz"):
        path = tmp_path_factory.getbasetemp() / f"offloading{ending}"
        eo.write(instance, path)
        assert eo.read(path).digest == instance.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"task_device": []}, "tasks = []: the horizon is empty"),
        ({"task_device": [0, 1]}, "tasks[1].device = 1: must index the devices, 0 to 0"),
        ({"arrival_s": [0.1, 0.0]}, "tasks[1].arrival_s = 0.0: must not be before"),
        ({"arrival_s": [float("nan"), 0.0]}, "tasks[0].arrival_s = nan: must be a number from 0 to 1e12 (s)"),
        ({"bits": [1.0, -1.0]}, "tasks[1].bits = -1.0: must be a number >= 0 (bit)"),
        ({"cycles": [0.0, 1.0]}, "tasks[0].cycles = 0.0"),
        ({"cycles": [float("inf"), 1.0]}, "tasks[0].cycles = inf"),
        ({"deadline_s": 0.0}, "tasks[0].deadline_s = 0.0: must be a number > 0, up to 1e12 (s)"),
        ({"deadline_s": 1e-4}, "tasks[0].deadline_s = 0.0001: must be at least a tick of 0.001 s"),
        ({"device_hz": [float("nan")]}, "devices[0].frequency_hz = nan: must be a number > 0 (cycle/s), or 0"),
        ({"server_hz": [0.0, 1.0]}, "servers[0].frequency_hz = 0.0"),
        (
            {"rate_bit_per_s": -1.0},
            "channel[0].rate_bit_per_s[0][0] = -1.0: must be a number > 0, up to 1e+40 (bit/s), or 0",
        ),
        ({"rate_bit_per_s": float("nan")}, "channel[0].rate_bit_per_s[0][0] = nan"),
        ({"rate_bit_per_s": [[[1.0, 0.0]]]}, "servers[1] (s2) is reached by no device"),
        ({"rate_bit_per_s": np.ones((1, 2, 2))}, "rate_bit_per_s has the shape (1, 2, 2): must be (1, 1, 2)"),
        ({"channel_start_s": [1.0]}, "channel[0].start_s = 1.0: must be 0 (s)"),
        ({"channel_start_s": [0.0, 0.0]}, "channel[1].start_s = 0.0: must be later"),
        ({"server_id": ["a", "a"]}, "servers[1].id = 'a': is taken by servers[0]"),
        ({"server_id": ["a", "local"]}, "servers[1].id = 'local'"),
        ({"discipline": "lifo"}, "discipline = 'lifo': must be one of fifo, ps"),
        ({"drop_penalty_s": -1.0}, "drop_penalty_s = -1.0: must be a number from 0 to 1e9 (s)"),
        ({"tick_s": 0.0}, "tick_s = 0.0"),
        ({"tick_s": 1e-12, "deadline_s": 1e6}, "are too long for tick_s = 1e-12 (s)"),
        ({"slot_s": "1"}, "slot_s = '1'"),
    ],
)
def test_bad_fields_are_named(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError) as caught:
        plain(**change)
    assert text in str(caught.value)


def test_a_task_with_nowhere_to_go_is_named() -> None:
    with pytest.raises(InstanceError, match=r"tasks\[1\] has nowhere to go: its device d0 has frequency_hz = 0"):
        plain(device_hz=[0.0], channel_start_s=[0.0, 0.1], rate_bit_per_s=[[[1e6, 1e6]], [[0.0, 0.0]]])


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (("tasks", 1, "device"), "d9", "tasks[1].device = 'd9': no such device; there are: d0"),
        (("tasks", 0, "bits"), "many", "tasks[0].bits"),
        (("channel", 0, "rate_bit_per_s"), [], "channel[0].rate_bit_per_s has 0 rows: must have 1"),
        (("channel", 0, "rate_bit_per_s", 0), [1.0], "channel[0].rate_bit_per_s[0] has 1 entries: must have 2"),
        (("channel",), [], "channel = []"),
        (("devices",), [], "channel[0].rate_bit_per_s has 1 rows: must have 0, one a device"),
        (("version",), 2, "version = 2"),
        (("colour",), "red", "unknown field"),
    ],
)
def test_bad_files_are_named(place: tuple[Any, ...], value: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    eo.write(plain(), path)
    content = json.loads(path.read_text())
    inside = content
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(InstanceError) as caught:
        eo.read(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_plans_that_are_none_are_named() -> None:
    instance = plain(device_hz=[0.0])
    for place, text in (([0, 1], "computes"), ([1, 3], "known place"), ([1], "one place a task")):
        plan = Plan(np.array(place, dtype=np.int64))
        assert text in str(violations(instance, plan)[0])
        from edgeopt.instances.offloading.plan import compiled_violations

        assert compiled_violations(instance, plan)
    with pytest.raises(InstanceError, match="place"):
        Plan(np.array([0.5]))


def test_the_published_setting() -> None:
    """6 devices, 0.3 tasks a slot, 2 to 5 Mbit, 0.297 Gcycle/Mbit, servers of 20 to 48 GHz: about 9 % of capacity."""
    loads = []
    for seed in range(30):
        instance = eo.generate("offloading", seed=seed)
        assert (len(instance.device_id), len(instance.server_id)) == (6, 6)
        assert ((instance.bits >= 2e6) & (instance.bits <= 5e6)).all()
        assert ((instance.server_hz >= 20e9) & (instance.server_hz <= 48e9)).all()
        loads.append(instance.cycles.sum() / 10 / instance.server_hz.sum())
    assert 0.08 < np.mean(loads) < 0.105
    compiled = instance.compiled
    assert compiled.slot == 100
    assert (compiled.due - compiled.arrival == 1000).all()


@pytest.mark.parametrize("load", [0.3, 0.9])
def test_the_load_is_the_one_that_is_asked_for(load: float) -> None:
    found = []
    for seed in range(30):
        instance = eo.generate("offloading", seed=seed, load=load)
        found.append(instance.cycles.sum() / 10 / instance.server_hz.sum())
    assert np.mean(found) == pytest.approx(load, rel=0.1)


def test_fading_keeps_the_mean_rate() -> None:
    instance = eo.generate("offloading", seed=1, channel="fading", slots=2000, coherence_slots=1)
    assert instance.rate_bit_per_s.mean() == pytest.approx(14e6, rel=0.02)
    assert len(instance.channel_start_s) == 2000


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"devices": 0}, "devices = 0"),
        ({"slots": 0}, "slots = 0"),
        ({"arrival_probability": 0.0}, "arrival_probability = 0.0"),
        ({"size_bit": (2.0, 1.0)}, "size_bit = (2.0, 1.0) (bit)"),
        ({"load": float("nan")}, "load = nan"),
        ({"channel": "copper"}, "channel = 'copper'"),
        ({"sites": "a.csv"}, "sites and users: give both files or none"),
        ({"device_hz": 0.0, "servers": 0}, "nowhere to go"),
        ({"servers": -1}, "servers = -1"),
        ({"devises": 1}, "devises"),
        ({"slots": 10**7, "devices": 10**5}, "times of tasks at places: must be at most 100,000,000"),
        (
            {"slots": 10**6, "devices": 100, "arrival_probability": 1e-3, "channel": "fading", "coherence_slots": 1},
            "rates of the channel: must be at most 100,000,000",
        ),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError) as caught:
        eo.generate("offloading", **options)
    assert text in str(caught.value)


TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,480,10\n2023-11-16 18:17:04.5,100,3\n"


def test_a_trace_of_requests(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    instance = from_trace(path, bits_per_token=10, cycles_per_context_token=1e6, cycles_per_generated_token=1e7)
    assert instance.arrival_s.tolist() == pytest.approx([0.0, 0.52004])
    assert instance.bits.tolist() == [4800, 1000]
    assert instance.cycles.tolist() == [5.8e8, 1.3e8]


def test_a_trace_of_tasks(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,bits,cycles,deadline_s,device\n5,1e6,1e9,2,b\n6,1e6,2e9,3,a\n")
    instance = from_trace(path)
    assert instance.task_device.tolist() == [1, 0]
    assert instance.deadline_s.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "the column 'arrival_s' is missing; its header is empty"),
        ("arrival_s,bits\n1,2\n", "the column 'cycles' is missing"),
        ("arrival_s,bits,cycles\n", "has no rows"),
        ("arrival_s,bits,cycles\n1,2\n", "row 2 has 2 entries, the header has 3"),
        ("arrival_s,bits,cycles\n1,2,3,4\n", "row 2 has 4 entries, the header has 3"),
        ("arrival_s,bits,bits,cycles\n1,2,3,4\n", "the column 'bits' comes twice"),
        ("arrival_s,bits,cycles\n1,x,3\n", "row 2: bits = 'x': must be a finite number (bit)"),
        ("arrival_s,bits,cycles\n1,nan,3\n", "row 2: bits = 'nan'"),
        ("arrival_s,bits,cycles\n1,-2,3\n", "row 2: bits = -2 (bit): must be 0 or more"),
        ("arrival_s,bits,cycles\n2,2,3\n1,2,3\n", "row 3: the time falls"),
        ("arrival_s,bits,cycles\n1,2,0\n", "cycles"),
        (TRACE.replace("2023-11-16 18:17:04.5", "soon"), "row 3: timestamp = 'soon': must be a date and time"),
    ],
)
def test_bad_traces_are_named(content: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(content)
    with pytest.raises(InstanceError) as caught:
        from_trace(path)
    assert text in str(caught.value)


def test_a_window_without_tasks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    with pytest.raises(InstanceError, match="no task comes from 99 s on for 1 s"):
        from_trace(path, start_s=99, window_s=1)
    for option in ("start_s", "window_s", "rate_scale"):
        for value in (float("inf"), float("nan"), -1.0):
            with pytest.raises(InstanceError, match=f"{option} = {value}"):
                from_trace(path, **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "holds no rate > 0"),
        ("0 0\n1 0\n", "holds no rate > 0 (Mbit/s)"),
        ("0 1 2\n", "line 1 = '0 1 2': must be 'time Mbit/s'"),
        ("0 -1\n", "line 1: rate = -1 (Mbit/s)"),
        ("1 1\n1 2\n", "line 2: time = 1 (s): must be later"),
        ("0 fast\n", "line 1: rate = 'fast'"),
    ],
)
def test_bad_rates_are_named(content: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "rates.txt"
    path.write_text(content)
    with pytest.raises(InstanceError) as caught:
        eo.generate("offloading", throughput=str(path))
    assert text in str(caught.value)


def test_measured_rates(tmp_path: Path) -> None:
    path = tmp_path / "rates.txt"
    path.write_text("0 8\n0.5,16\n1 0\n")
    instance = eo.generate("offloading", throughput=str(path), slots=40, seed=2)
    assert set(np.unique(instance.rate_bit_per_s)) == {0.0, 8e6, 16e6}
    assert (instance.rate_bit_per_s == instance.rate_bit_per_s[:, :, :1]).all()


def test_sites_and_users(tmp_path: Path) -> None:
    users, sites = tmp_path / "users.csv", tmp_path / "sites.csv"
    users.write_text("Latitude,Longitude\n" + "".join(f"-37.81,{144.96 + n * 1e-3}\n" for n in range(20)))
    sites.write_text("LATITUDE,LONGITUDE\n" + "".join(f"-37.811,{144.96 + n * 3e-3}\n" for n in range(7)))
    instance = eo.generate("offloading", sites=str(sites), users=str(users), seed=1)
    assert (instance.rate_bit_per_s > 0).any(axis=(0, 2)).all()
    with pytest.raises(InstanceError, match="has 7 positions, 9 are needed"):
        eo.generate("offloading", sites=str(sites), users=str(users), servers=9)
    users.write_text("Latitude,Longitude\n95,0\n")
    with pytest.raises(InstanceError, match="are no latitude and longitude"):
        eo.generate("offloading", sites=str(sites), users=str(users))


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_real_data() -> None:
    sites, users = DATA / "eua" / "site-optus-melbCBD.csv", DATA / "eua" / "users-melbcbd-generated.csv"
    instance = eo.generate("offloading", sites=str(sites), users=str(users), servers=11)
    assert instance.rate_bit_per_s.shape == (1, 6, 11)
    traced = from_trace(DATA / "llm_traces" / "azure2023_code.csv", rate_scale=4)
    assert len(traced) > 20
