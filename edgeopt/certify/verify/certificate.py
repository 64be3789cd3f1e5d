"""What a certificate claims, and whether it is so.

A certificate holds a program in integers, a solution of it, a proof of a bound, and the claim that the solution has
a certain value, that no solution is better than a certain bound, and the ratio of the two. The solution's value
and the proof's bound are computed anew here; the claim must say exactly the same. The digest over the whole file
(`seal`) shows accidents early and is no proof of anything.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from .reading import Refuted, Replay, Unreadable, fields, parsed, text, unpacked, whole

VERSION = 1
USAGE = "usage: verify CERTIFICATE [INSTANCE]    exit code 0 verified, 1 refuted, 2 not readable"
INFEASIBLE = "infeasible"


def main(arguments: list[str]) -> int:
    """Print the verdict on a certificate file; 0 verified, 1 refuted, 2 not readable."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may hold what the terminal cannot show
    if len(arguments) not in (1, 2) or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    try:
        for line in verify(*arguments):
            print(line)
    except Refuted as error:
        print(f"REFUTED   {error}")
        return 1
    except Unreadable as error:
        print(f"UNREADABLE  {error}")
        return 2
    return 0


def verify(path: str, instance: str | None = None) -> list[str]:
    """Check a certificate file; the lines of the verdict. Raises Refuted or Unreadable."""
    return check(parsed(unpacked(path), path), instance)


def check(content: Any, instance: str | None = None) -> list[str]:
    """Check a certificate's content; the lines of the verdict. Raises Refuted or Unreadable."""
    version = content.get("version") if type(content) is dict else None
    if type(version) is int and version > VERSION:
        raise Unreadable(f"version {version} is newer than this program, which reads version {VERSION}")
    names = "edgeopt", "version", "problem", "instance", "producer", "program", "solution", "proof", "claim", "seal"
    edgeopt, version, problem, named, producer, program, solution, proof, claim, given = fields(content, "file", *names)
    if edgeopt != "certificate" or whole(version, "version") != VERSION:
        raise Unreadable("the field edgeopt must be 'certificate' and version 1")
    name, digest, file_digest = fields(named, "instance", "name", "digest", "file_sha256")
    if type(producer) is not dict or (file_digest is not None and type(file_digest) is not str):
        raise Unreadable("producer must be an object of texts, instance.file_sha256 text or null")
    made = ", ".join(f"{text(key, 'producer')} {text(value, 'producer')}" for key, value in sorted(producer.items()))
    lines = [f"instance  {text(name, 'instance.name')} ({text(problem, 'problem')}), content {text(digest, 'digest')}"]
    lines.append(f"producer  {made}")
    if given != seal(content):
        raise Refuted("seal: the file is not as it was written")
    found = replay(program, solution, proof)
    lines += found.lines
    lines.append(f"claim     {_claim(claim, found.sense, found.value, found.bound)}")
    lines.append(f"instance  {_instance(file_digest, instance)}")
    return [*lines, f"VERIFIED  {_statement(found.sense, found.value, found.bound)}"]


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew, by the file of the proof's kind."""
    kind = proof.get("kind") if type(proof) is dict else None
    if type(kind) is not str or kind not in kinds():
        raise Unreadable(f"proof.kind must be one of {', '.join(kinds())}")
    # __package__ is edgeopt's when it runs from there, and this folder's own otherwise.
    found: Replay = import_module(f"{__package__}.proof_{kind}").replay(program, solution, proof)
    return found


def seal(content: dict[str, Any]) -> str:
    """SHA-256 of everything but the seal, as JSON with sorted keys and no spaces."""
    rest = {key: value for key, value in content.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def kinds() -> list[str]:
    """The kinds of proof that this folder has a file for."""
    return sorted(path.stem.removeprefix("proof_") for path in Path(__file__).parent.glob("proof_*.py"))


def ratio(sense: str, value: int | None, bound: int | None) -> Fraction | None:
    """Value over bound (bound over value when minimising), where both are of one sign; 0 to 0 is 1."""
    if value is None or bound is None:
        return None
    least, most = (value, bound) if sense == "max" else (bound, value)
    if least == most:
        return Fraction(1)
    return Fraction(least, most) if least >= 0 and most > 0 else None


def _claim(claim: Any, sense: str, value: int | None, bound: int | None) -> str:
    """The claim against what was found."""
    claimed_value, claimed_bound, claimed_ratio, guarantee = fields(
        claim, "claim", "value", "bound", "ratio", "guarantee"
    )
    if value is not None and (bound is None or (value > bound if sense == "max" else value < bound)):
        raise Refuted("the proof excludes the solution: this program has a mistake, please report it")
    said: list[tuple[str, Any, Any]] = [("value", claimed_value, value)]
    said.append(("bound", claimed_bound, INFEASIBLE if bound is None else bound))
    exact = ratio(sense, value, bound)
    said.append(("ratio", claimed_ratio, None if exact is None else str(exact)))
    for field, claimed, so in said:
        if type(claimed) is not type(so) or claimed != so:
            raise Refuted(f"claim.{field} is {claimed!r}, found {so!r}"[:200])
    if guarantee is None:
        return "value, bound and ratio are as claimed"
    given = re.fullmatch(r"([0-9]{1,20})(?:/([1-9][0-9]{0,19}))?", text(guarantee, "claim.guarantee"))
    if given is None:
        raise Unreadable("claim.guarantee must be a fraction such as 1/2")
    promised = Fraction(int(given[1]), int(given[2] or 1))
    if promised > 1:
        raise Refuted(f"claim.guarantee is {promised}, no solver reaches more than the optimum")
    shown = "is shown by the ratio" if exact is not None and exact >= promised else "is not decided by the bound"
    return f"value, bound and ratio are as claimed; the guarantee {promised} {shown}"


def _instance(digest: str | None, path: str | None) -> str:
    """The instance file against its digest."""
    if path is None:
        return "not checked: give the instance file as a second argument"
    found = hashlib.sha256(unpacked(path)).hexdigest()
    if digest != found:
        raise Refuted(f"instance: {path} has the SHA-256 {found}, the certificate is about {digest}"[:400])
    return "the file is the one that is named; that the program is its compiled form, 'edgeopt check' tells"


def _statement(sense: str, value: int | None, bound: int | None) -> str:
    exact = ratio(sense, value, bound)
    if bound is None:
        return "there is no solution"
    side = "most" if sense == "max" else "least"
    if value is None:
        return f"every solution has a value of at {side} {bound}"
    if value == bound:
        return f"value {value} is optimal"
    return f"value {value}, the optimum is at {side} {bound}" + ("" if exact is None else f": ratio at least {exact}")
