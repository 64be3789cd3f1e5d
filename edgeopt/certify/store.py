"""A directory of certificates, one an instance and solver, with a log of what was run for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeopt.certify.certificate import write_certificate
from edgeopt.certify.compare import Comparison
from edgeopt.certify.verify import certificate as verifier
from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed, unpacked
from edgeopt.errors import InstanceError
from edgeopt.instances.base import Instance
from edgeopt.result import amount

LOG = "certify.jsonl"
"""A JSON object a line: ``key`` says what was run, ``row`` what came of it. The last one of a key counts."""


class Store:
    """Certificates in a directory, which is made when it is not there.

    Raises
    ------
    InstanceError
        If the directory cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InstanceError(f"{directory}: cannot be made: {error.strerror or error}") from error

    def add(self, instance: Instance, solver: str, comparison: Comparison) -> Path:
        """Write a certificate, verify the file as a stranger would, and say where it is.

        Raises
        ------
        InstanceError
            If the file cannot be written, or does not verify.
        """
        name = re.sub(r"[^\w.+-]", "_", f"{instance.name}.{instance.digest[:8]}.{solver}")
        path = self.directory / f"{name}.json.gz"
        assert comparison.certificate is not None
        write_certificate(comparison.certificate, path)
        try:
            verifier.verify(str(path))
        except (Refuted, Unreadable) as error:
            raise InstanceError(f"{path}: {error}") from error
        return path

    def log(self, record: Mapping[str, Any]) -> None:
        """Remember what a certificate came from. Only one process writes the log.

        Raises
        ------
        InstanceError
            If it cannot be written.
        """
        try:
            with (self.directory / LOG).open("ab+") as file:
                torn = False
                if file.seek(0, 2):  # a line that was being written when the program was killed
                    file.seek(-1, 2)
                    torn = file.read(1) != b"\n"
                file.write((("\n" if torn else "") + json.dumps(record) + "\n").encode())
        except OSError as error:
            raise InstanceError(f"{self.directory / LOG}: {error.strerror or error}") from error

    def kept(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row of an earlier run that need not be repeated, if its certificate still verifies.

        That is one of the same instance, solver and options which either had the same limits or left no gap.
        """
        wanted = json.loads(json.dumps(key))
        same = ("digest", "solver", "options")
        for record in reversed(self._records()):
            found, row = record["key"], record["row"]
            if any(found.get(field) != wanted[field] for field in same):
                continue
            closed = row.get("evidence") == "proved" and row.get("ratio") == 1
            if (closed or found == wanted) and row.get("violations") == [] and self._verifies(row, wanted):
                return dict(row)
        return None

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = (self.directory / LOG).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InstanceError(f"{self.directory / LOG}: {error.strerror or error}") from error
        found = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # a torn line
                continue
            if isinstance(record, dict) and isinstance(record.get("key"), dict) and isinstance(record.get("row"), dict):
                found.append(record)
        return found

    def _verifies(self, row: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
        """Whether the certificate of a row is there, verifies, and says what the row says."""
        path = str(self.directory / Path(str(row.get("certificate"))).name)
        try:
            content = parsed(unpacked(path), path)
            verifier.check(content)
        except (Refuted, Unreadable):
            return False
        claim = content["claim"]
        about = (content["instance"]["digest"], content["producer"].get("solver")) == (key["digest"], key["solver"])
        value, bound = (amount(n, key["digits"]) if isinstance(n, int) else n for n in (claim["value"], claim["bound"]))
        bound_too = row.get("evidence") != "proved" or bound == row.get("bound")
        return about and value == row.get("value") and bound_too
