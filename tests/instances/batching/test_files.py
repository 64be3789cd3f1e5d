"""Instance files: round trips in all forms, the JSON Schema, and writes that are killed or fail."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.batching import PROBLEM, BatchingInstance, Schedule, file
from edgeopt.instances.io import write_bytes
from edgeopt.testing import batching_instances

ENDINGS = (".json", ".json.gz", ".npz")


def assert_same(one: BatchingInstance, other: BatchingInstance) -> None:
    assert one.digest == other.digest
    for name, column in one.requests.columns().items():
        np.testing.assert_array_equal(other.requests.columns()[name], column, err_msg=name, strict=True)
    assert one.requests.accept_sets == other.requests.accept_sets
    assert one.nodes == other.nodes


@given(batching_instances())
def test_bytes_round_trip(instance: BatchingInstance) -> None:
    assert_same(instance, file.decode(file.encode(instance), "x.json"))
    assert_same(instance, file.decode(file.encode_arrays(instance), "x.npz"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("corner", [None, "no-requests", "uncovered", "huge-units", "tiny-units"])
def test_file_round_trip(tmp_path: Path, ending: str, corner: str | None) -> None:
    instance = eo.generate("batching", seed=4, requests=20, model=["bloom-3b", "opt-1.3b"], corner=corner)
    path = tmp_path / f"instance{ending}"
    eo.write(instance, path)
    assert_same(instance, eo.read(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@given(batching_instances(max_requests=3))
def test_json_fits_the_schema(instance: BatchingInstance) -> None:
    jsonschema.validate(json.loads(file.encode(instance)), PROBLEM.schema())


def test_schema_refuses_what_is_no_instance() -> None:
    data = json.loads(file.encode(eo.generate("batching", requests=2)))
    jsonschema.Draft202012Validator.check_schema(PROBLEM.schema())
    for bad in ({"epoch_s": "2"}, {"nodes": None}, {"surprise": 1}, {"downlink_rule": "best"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, **bad}, PROBLEM.schema())


def test_same_instance_gives_the_same_bytes(tmp_path: Path) -> None:
    instance = eo.generate("batching", seed=1, requests=5)
    for ending in (".json", ".json.gz"):
        eo.write(instance, tmp_path / f"a{ending}")
        eo.write(instance, tmp_path / f"b{ending}")
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    instance = eo.generate("batching", requests=3)
    (tmp_path / "plain-name.json").write_bytes(gzip.compress(file.encode(instance)))
    assert_same(instance, eo.read(tmp_path / "plain-name.json"))


def test_models_of_one_name_must_be_one_model() -> None:
    """The file keeps a model by its name, so two shapes under one name could not be read back."""
    instance = eo.generate("batching", nodes=2, requests=2)
    other = msgspec.structs.replace(instance.nodes[1].model, layers=1)
    with pytest.raises(InstanceError, match=r"nodes\[1\]\.model.*bloom-3b.*nodes\[0\]"):
        replace(instance, nodes=(instance.nodes[0], replace(instance.nodes[1], model=other)))


def test_unused_and_unsorted_sets_of_models_do_not_count() -> None:
    instance = eo.generate("batching", nodes=2, requests=2, model=["bloom-3b", "opt-1.3b"])
    sets = (("opt-1.3b",), ("opt-1.3b", "bloom-3b"), (), None)
    one, other = (
        replace(instance, requests=replace(instance.requests, accepts=np.array(accepts), accept_sets=sets[:length]))
        for accepts, length in (([0, 1], 2), ([0, 1], 4))
    )
    assert one.requests.accept_sets == (("bloom-3b", "opt-1.3b"), ("opt-1.3b",))
    assert one.digest == other.digest
    none_and_empty = replace(instance.requests, accepts=np.array([0, 1]), accept_sets=sets[2:])
    assert replace(instance, requests=none_and_empty).requests.accept_sets == (None, ())


def test_digest_sees_every_field() -> None:
    instance = eo.generate("batching", seed=1, requests=3)
    seen = {instance.digest}
    changes = {"name": "x", "source": "x", "epoch_s": 3.0, "noise_w_per_hz": 1e-9, "bits_per_token": 8,
               "uplink_slot_s": 0.1, "compute_slot_s": 1.0, "downlink_slot_s": 0.1, "padded_prompt_tokens": 600,
               "downlink_rule": "per-user"}  # fmt: skip
    for field, value in changes.items():
        seen.add(replace(instance, **{field: value}).digest)  # type: ignore[arg-type]
    for name, column in instance.requests.columns().items():
        if name != "accepts":
            changed = column.copy()
            changed[..., 0] = changed[..., 0] / 2 if column.dtype == np.float64 and name != "waiting_s" else 1
            requests = replace(instance.requests, **{name: changed})
            seen.add(replace(instance, requests=requests).digest)
    assert len(seen) == 1 + len(changes) + len(instance.requests.columns()) - 1


KILLED = """
import os, signal, sys
from edgeopt.instances.io import write_bytes
def kill(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], kill)
write_bytes(b"new" * 100000, sys.argv[1])
"""


@pytest.mark.child
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("moment", ["fdopen", "fsync", "chmod", "replace"])
def test_killed_write_leaves_the_old_file(tmp_path: Path, moment: str) -> None:
    target = tmp_path / "instance.json"
    target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(target), moment], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("moment", ["fsync", "chmod", "replace"])
def test_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    target = tmp_path / "instance.json"
    target.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, moment, full)
    with pytest.raises(InstanceError, match=r"instance\.json: cannot write: No space left"):
        write_bytes(b"new", target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(b"new", tmp_path / "instance.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("instance.yaml", r"instance\.yaml: the ending must be \.json, \.json\.gz or \.npz"),
        ("nowhere/instance.json", r"nowhere/instance\.json: cannot write: No such file"),
    ],
)
def test_write_where_it_cannot(tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        eo.write(eo.generate("batching", requests=1), tmp_path / path)


def test_write_onto_a_directory(tmp_path: Path) -> None:
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(InstanceError, match=r"taken\.json: cannot write"):
        eo.write(eo.generate("batching", requests=1), tmp_path / "taken.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.json"]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    eo.write(eo.generate("batching", requests=1), tmp_path / "instance.json")
    assert (tmp_path / "instance.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_many_requests_as_arrays(tmp_path: Path) -> None:
    instance = eo.generate("batching", seed=3, nodes=1, requests=200_000)
    eo.write(instance, tmp_path / "many.npz")
    again = eo.read(tmp_path / "many.npz")
    assert again.digest == instance.digest
    assert len(again.requests) == 200_000


def test_columns_of_other_kinds_become_those_of_the_file(tmp_path: Path) -> None:
    instance = eo.generate("batching", nodes=2, requests=4, seed=1)
    requests = replace(
        instance.requests,
        prompt_tokens=instance.requests.prompt_tokens.astype(np.int32),
        waiting_s=np.zeros(4, dtype=np.int64),
    )
    other = replace(instance, requests=requests)
    assert other.digest == instance.digest
    eo.write(other, tmp_path / "x.npz")
    assert eo.read(tmp_path / "x.npz").digest == instance.digest
    with pytest.raises(InstanceError, match="prompt_tokens holds float64"):
        replace(instance, requests=replace(requests, prompt_tokens=np.ones(4)))


def test_pipes_are_written_to_and_links_kept(tmp_path: Path) -> None:
    """As root, ``-o /dev/null`` would otherwise replace the device."""
    os.mkfifo(tmp_path / "pipe.json")
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe.json").read_bytes()))
    reader.start()
    write_bytes(b"hello", tmp_path / "pipe.json")
    reader.join()
    assert heard == [b"hello"]
    assert not (tmp_path / "pipe.json").is_file()
    (tmp_path / "file.json").write_bytes(b"old")
    (tmp_path / "link.json").symlink_to(tmp_path / "file.json")
    write_bytes(b"new", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "file.json").read_bytes() == b"new"


@pytest.mark.parametrize("batch", [[0, 1], np.array([0.5]), np.array([[0]]), np.array([True])])
def test_a_schedule_of_something_else_is_refused(batch: Any) -> None:
    with pytest.raises(InstanceError, match="1-D int64"):
        Schedule((batch,))


def test_numbers_of_numpy_are_numbers() -> None:
    plain = eo.generate("batching", nodes=1, requests=3)
    node = plain.nodes[0]
    other = replace(
        plain, epoch_s=np.float64(plain.epoch_s), nodes=(replace(node, compute_flops=np.float64(node.compute_flops)),)
    )
    assert other.digest == plain.digest
