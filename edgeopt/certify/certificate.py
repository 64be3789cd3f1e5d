"""Certificates: a solution, a bound with its proof, and the claim about both, as a file that needs no solver.

Docs: ``docs/certificates.md``. The verifier is `edgeopt.certify.verify`; it alone is believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.certify.proofs import program_content, replayed
from edgeopt.certify.verify import certificate as verifier
from edgeopt.certify.verify import program as verifier_program
from edgeopt.certify.verify.proof_tree import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed, unpacked
from edgeopt.errors import EdgeoptError, InstanceError
from edgeopt.instances.base import Instance, problem
from edgeopt.instances.io import read_bytes, write_bytes
from edgeopt.instances.program import Program
from edgeopt.proof import Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control


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
        Of a problem with a common form, and proofs in ``edgeopt.certify.<problem>_proof``.
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
    from edgeopt import __version__

    family, home = problem(instance.problem), f"edgeopt.certify.{instance.problem}_proof"
    if family.program is None:
        raise InstanceError(f"{instance.problem} has no common form for proofs")
    proofs = import_module(home)
    program = family.program(instance)
    known = [result, *references]
    trees = proofs.trees(instance, program, known, control or Control())
    chosen = None if result.solution is None else proofs.choices(instance, result.solution)
    producer = {"software": f"edgeopt {__version__}", "solver": result.solver}
    return of_program(
        program,
        None if chosen is None else sorted(chosen.tolist()),
        trees,
        problem_name=instance.problem,
        instance={"name": instance.name, "digest": instance.digest, "file_sha256": _file_digest(instance, file)},
        producer=producer | ({"date": date} if date else {}),
        guarantee=guarantee,
    )


def of_program(
    program: Program,
    solution: list[int] | None,
    trees: Iterable[Tree],
    *,
    problem_name: str,
    instance: Mapping[str, str | None],
    producer: Mapping[str, str],
    guarantee: str | None = None,
) -> Certificate:
    """A certificate about a program: the best of the proofs, and the claim that follows.

    Parameters
    ----------
    program : Program
    solution : list of int or None
        Chosen choices, ascending.
    trees : iterable of Tree
        At least one; the one with the best replayed bound is kept. A proof that the verifier refuses is
        left out, unless all are.

    Raises
    ------
    InstanceError
        If no proof replays, or the solution is not one of the program.
    """
    content: dict[str, Any] = {
        "edgeopt": "certificate",
        "version": verifier.VERSION,
        "problem": problem_name,
        "instance": dict(instance),
        "producer": dict(producer),
        "program": program_content(program),
        "solution": solution,
    }
    try:
        stated = verifier_program.read_program(content["program"])
        proof = _best(program, trees, None if solution is None else verifier_program.value_of(stated, solution))
        found = replay(content["program"], solution, proof)
    except (Refuted, Unreadable) as error:
        raise InstanceError(f"certificate of {instance['name']}: {error}") from error
    ratio = verifier.ratio(found.sense, found.value, found.bound)
    content["proof"] = proof
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


def _best(program: Program, trees: Iterable[Tree], value: int | None) -> dict[str, Any]:
    best: tuple[float, dict[str, Any]] | None = None
    sign = 1 if program.sense == "max" else -1
    refused: Refuted | None = None
    for tree in trees:
        try:
            proof, bound = replayed(program, tree, value)
        except Refuted as error:
            refused = error
            continue
        rank = -np.inf if bound is None else sign * bound
        if best is None or rank < best[0]:
            best = (rank, proof)
        if value is not None and bound == value:
            break
    if best is None:
        raise refused or Refuted("there is no proof")
    return best[1]


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
    compile_program = problem(instance.problem).program
    if compile_program is None:
        raise EdgeoptError(f"{instance.problem} has no common form to compare with")
    compiled = program_content(compile_program(instance))
    for field, value in compiled.items():
        stated = content["program"][field]
        if stated != value:
            found.append(f"program.{field} is not what the instance compiles to{_place(stated, value)}")
    return found


def schema() -> dict[str, Any]:
    """JSON Schema of the certificate file."""
    found: dict[str, Any] = json.loads(Path(__file__).with_suffix(".schema.json").read_bytes())
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
