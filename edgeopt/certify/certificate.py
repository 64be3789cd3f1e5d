"""Certificates: a solution, a bound with its proof, and the claim about both, as a file that needs no solver.

Docs: ``docs/certificates.md``. The verifier is `edgeopt.certify.verify`; it alone is believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeopt import __version__
from edgeopt.certify.parts import best_tree, parts
from edgeopt.certify.proofs import program_content
from edgeopt.certify.verify import certificate as verifier
from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed, unpacked
from edgeopt.errors import InstanceError
from edgeopt.instances.base import Instance, problem
from edgeopt.instances.io import read_bytes, write_bytes
from edgeopt.instances.program import Program
from edgeopt.proof import Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control

COMMON = "certificate.json"
"""The part of the JSON Schema that all certificates share, in the folder ``schemas``."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate's content, as its file holds it."""

    content: Mapping[str, Any]

    @property
    def value(self) -> int | None:
        """Claimed value of the solution; None without one."""
        value: int | None = self.content["claim"]["value"]
        return value

    @property
    def bound(self) -> int | None:
        """Claimed bound; None where the claim is that there is no solution."""
        bound = self.content["claim"]["bound"]
        return None if bound == verifier.INFEASIBLE else int(bound)

    def verify(self) -> list[str]:
        """The verdict of the stand-alone verifier, line by line.

        Raises
        ------
        InstanceError
            If it refutes the certificate.
        """
        try:
            return verifier.check(self.content)
        except (Refuted, Unreadable) as error:
            raise InstanceError(f"certificate of {self.content['instance']['name']}: {error}") from error


def certificate(
    instance: Instance,
    result: Result,
    *,
    references: Iterable[Result] = (),
    control: Control | None = None,
    guarantee: str | None = None,
    date: str = "",
    file: str | os.PathLike[str] | None = None,
) -> Certificate:
    """Certify a result: its solution, and the best bound that the problem's proofs give.

    Parameters
    ----------
    instance : Instance
        Of a problem with proofs in ``edgeopt.certify.<problem>_proof``.
    result : Result
        Its solution is the certified one; its proof is tried first.
    references : iterable of Result, optional
        Proofs of these are tried too.
    control : Control, optional
        Limits for computing proofs.
    guarantee : str, optional
        Ratio that theory promises of the solver, as a fraction such as ``1/2``.
    date : str, optional
        To be named in the certificate.
    file : path, optional
        The instance's file; the certificate then names its SHA-256 (unpacked), else that of the file that
        `edgeopt.write` makes as ``.json``.

    Raises
    ------
    InstanceError
        If the problem has no proofs, or the solution is not feasible.
    """
    family = parts(instance)
    stated = family.stated(instance)
    try:
        chosen = None if result.solution is None else family.chosen(instance, result.solution)
        proof = family.proof(instance, stated, chosen, [result, *references], control or Control())
    except (Refuted, Unreadable) as error:
        raise InstanceError(f"certificate of {instance.name}: {error}") from error
    named = {"name": instance.name, "digest": instance.digest, "file_sha256": _file_digest(instance, file)}
    producer = {"software": f"edgeopt {__version__}", "solver": result.solver}
    return sealed(
        stated,
        chosen,
        proof,
        problem_name=instance.problem,
        instance=named,
        producer=producer | ({"date": date} if date else {}),
        guarantee=guarantee,
    )


def sealed(
    stated: dict[str, Any],
    chosen: Any,
    proof: dict[str, Any],
    *,
    problem_name: str,
    instance: Mapping[str, str | None],
    producer: Mapping[str, str],
    guarantee: str | None = None,
) -> Certificate:
    """A certificate of these parts, with the claim that follows from them.

    Raises
    ------
    InstanceError
        If the verifier refuses the proof or the solution.
    """
    content: dict[str, Any] = {
        "edgeopt": "certificate",
        "version": verifier.VERSION,
        "problem": problem_name,
        "instance": dict(instance),
        "producer": dict(producer),
        "program": stated,
        "solution": chosen,
        "proof": proof,
    }
    try:
        found = verifier.replay(stated, chosen, proof)
    except (Refuted, Unreadable) as error:
        raise InstanceError(f"certificate of {instance['name']}: {error}") from error
    ratio = verifier.ratio(found.sense, found.value, found.bound)
    content["claim"] = {
        "value": found.value,
        "bound": verifier.INFEASIBLE if found.bound is None else found.bound,
        "ratio": None if ratio is None else str(ratio),
        "guarantee": guarantee,
    }
    content["seal"] = verifier.seal(content)
    made = Certificate(content)
    made.verify()
    return made


def of_program(program: Program, solution: list[int] | None, trees: Iterable[Tree], **named: Any) -> Certificate:
    """A certificate about a program: the best of the proofs, and the claim that follows.

    Parameters
    ----------
    program : Program
    solution : list of int or None
        Chosen choices, ascending.
    trees : iterable of Tree
        At least one; one that the verifier refuses is left out, unless all are.
    **named
        As in `sealed`.

    Raises
    ------
    InstanceError
        If no proof replays, or the solution is not one of the program.
    """
    stated = program_content(program)
    try:
        proof = best_tree(program, stated, solution, trees)
    except (Refuted, Unreadable) as error:
        raise InstanceError(f"certificate of {named['instance']['name']}: {error}") from error
    return sealed(stated, solution, proof, **named)


def _file_digest(instance: Instance, file: str | os.PathLike[str] | None) -> str:
    data = problem(instance.problem).encode(instance) if file is None else read_bytes(file)
    return hashlib.sha256(data).hexdigest()


def write_certificate(made: Certificate, path: str | os.PathLike[str]) -> None:
    """Write a certificate; the file appears whole or not at all.

    Raises
    ------
    InstanceError
        If the name does not end in ``.json`` or ``.json.gz``, or the file cannot be written.
    """
    name = os.fspath(path)
    if not name.endswith((".json", ".json.gz")):
        raise InstanceError(f"{name}: the ending of a certificate must be .json or .json.gz")
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in made.content.items()]
    write_bytes(("{\n" + ",\n".join(lines) + "\n}\n").encode(), path)


def read_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Read a certificate and verify it.

    Raises
    ------
    InstanceError
        If it is not readable, or refuted.
    """
    where = os.fspath(path)
    try:
        content = parsed(unpacked(where), where)
        verifier.check(content)
    except (Refuted, Unreadable) as error:
        raise InstanceError(f"{where}: {error}") from error
    return Certificate(content)


def matches(made: Certificate, instance: Instance) -> list[str]:
    """What a certificate says otherwise than its instance, compiled anew; empty if it is about this instance."""
    content = made.content
    found = []
    named = {"problem": content["problem"], **{key: content["instance"][key] for key in ("name", "digest")}}
    own = {"problem": instance.problem, "name": instance.name, "digest": instance.digest}
    found += [f"{key} is {named[key]!r}, the instance's is {own[key]!r}" for key in own if named[key] != own[key]]
    if instance.problem != content["problem"]:
        return found
    compiled = parts(instance).stated(instance)
    for field, value in compiled.items():
        stated = content["program"].get(field)
        if stated != value:
            found.append(f"program.{field} is not what the instance compiles to{_place(stated, value)}")
    return found


def schema() -> dict[str, Any]:
    """JSON Schema of the certificate file: the common part, and what each file beside it adds for its proofs."""
    folder = Path(__file__).with_name("schemas")
    found: dict[str, Any] = json.loads((folder / COMMON).read_bytes())
    for path in sorted(folder.glob("*.json")):
        if path.name != COMMON:
            part = json.loads(path.read_bytes())
            for field in ("program", "solution", "proof"):
                found["properties"][field]["anyOf"] += [{"$ref": f"#/$defs/{name}"} for name in part[field]]
            found["$defs"] |= part["$defs"]
    return found


def _place(stated: Any, compiled: Any) -> str:
    """Where two nested lists first differ, in words."""
    path = ""
    while isinstance(stated, list) and isinstance(compiled, list) and len(stated) == len(compiled):
        index = next(i for i, (a, b) in enumerate(zip(stated, compiled, strict=True)) if a != b)
        path, stated, compiled = f"{path}[{index}]", stated[index], compiled[index]
    if isinstance(stated, list) and isinstance(compiled, list):
        return f": {path} has {len(stated)} entries, not {len(compiled)}"
    return f": {path} is {stated}, not {compiled}"
