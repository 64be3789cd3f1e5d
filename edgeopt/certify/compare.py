"""A result against the best bound there is: both sides checked exactly, the ratio labelled with its evidence."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from edgeopt.certify.audit import Audit, audit
from edgeopt.certify.bounds import Bound, agreed, beaten, best, claims, registered
from edgeopt.certify.certificate import Certificate, write_certificate
from edgeopt.certify.proved import prove
from edgeopt.errors import AssumptionError, BackendError, InstanceError
from edgeopt.instances.base import Instance, exact_solver, sense_of
from edgeopt.result import BoundEvidence, Result, Termination, ValueEvidence, amount, number
from edgeopt.solvers.base import Control, Progress, solve, solver


@dataclass(frozen=True, slots=True)
class Comparison:
    """How good a result is, and who says so.

    Attributes
    ----------
    result : Result
        The certified side, as the solver handed it out.
    value, value_evidence
        Its objective as recomputed here, in the units of the result; ``checked`` iff nothing is broken.
    bound, bound_evidence, bound_source
        The tightest bound that no checked solution refutes, with the strongest label it has; all None
        without one.
    ratio : Fraction or None
        Value over bound (bound over value when minimising): the true ratio is at least this, as far as the
        bound's evidence reaches. None without a checked value or a bound.
    reference, reference_solver
        Best checked value on the other side, and whose it is. Not a bound.
    references : tuple of Result
        The results that were compared with.
    guarantee : Fraction or None
        Ratio that theory promises of the solver (1 of an exact one); None where it promises none, or the
        solver was stopped.
    guarantee_holds : bool or None
        Whether the ratio shows the guarantee; None when there is none or the bound is too loose to tell.
    violations : tuple of str
        Claims of either side that exact arithmetic refutes, and a broken guarantee.
    message : str
        What a person should know, e.g. which reference refused the instance.
    interrupted : bool
        Whether the user ended the work before all of it was done.
    certificate : Certificate or None
        What the stand-alone verifier has confirmed: the checked solution and the proved bound (which a claimed one
        may be tighter than). None where the problem has no proofs.
    """

    result: Result
    value: float | None
    value_evidence: ValueEvidence | None
    bound: float | None
    bound_evidence: BoundEvidence | None
    bound_source: str | None
    ratio: Fraction | None
    reference: float | None
    reference_solver: str | None
    references: tuple[Result, ...]
    guarantee: Fraction | None
    guarantee_holds: bool | None
    violations: tuple[str, ...]
    message: str = ""
    interrupted: bool = False
    certificate: Certificate | None = field(default=None, repr=False)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate, for ``edgeopt verify``.

        Raises
        ------
        InstanceError
            If there is none, the ending is not ``.json`` or ``.json.gz``, or the file cannot be written.
        """
        if self.certificate is None:
            raise InstanceError(f"{os.fspath(path)}: there is no proved bound on {self.result.instance} to write")
        write_certificate(self.certificate, path)

    @property
    def evidence(self) -> str | None:
        """Label of the bound, ``checked`` where there is no bound, None where nothing was checked."""
        if self.bound_evidence is not None:
            return str(self.bound_evidence)
        return None if self.value_evidence is None else str(self.value_evidence)

    def __str__(self) -> str:
        solver_name, sense, digits = self.result.solver, self.result.sense, self.result.digits
        if self.value is None:
            text = f"{solver_name}: no solution ({self.result.termination})"
        else:
            text = f"{solver_name} {number(self.value, digits)} ({self.value_evidence})"
        if self.bound is None:
            text += ", no bound"
        elif self.ratio == 1:
            text += f", optimal ({self.bound_evidence})"
        else:
            side = "most" if sense == "max" else "least"
            text += f" of at {side} {number(self.bound, digits)} ({self.bound_evidence})"
        if self.ratio is not None:
            text += f": ratio {'' if self.ratio == 1 else '>= '}{rounded_down(self.ratio)}"
        if self.guarantee is not None and self.guarantee != 1:
            verdict = {True: "holds", False: "is broken", None: "is neither shown nor refuted"}[self.guarantee_holds]
            text += f"; guarantee {self.guarantee} {verdict}"
        if self.result.termination is not Termination.COMPLETE and self.value is not None:
            text += f"; stopped: {self.result.termination}"
        return "; ".join([text, *(f"violated: {item}" for item in self.violations), *filter(None, [self.message])])


def rounded_down(ratio: Fraction, digits: int = 3) -> str:
    """A ratio in decimals, never larger than it is."""
    scale = 10**digits
    return f"{ratio.numerator * scale // ratio.denominator / scale:.{digits}g}" if ratio != 1 else "1"


def certify(
    instance: Instance,
    answer: Result | str,
    *,
    against: str | Result | Sequence[str | Result] | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[Progress], Any] | None = None,
    file: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Check a result exactly and hold it against the best bound that can be had.

    A bound that the stand-alone verifier confirms is tried first. Then come the solvers of `against`: their answers
    are checked like the certified one, their bounds are claims unless a proof comes along that verifies, and two
    independent exact solvers that close the same value agree. No label that a result carries is believed.

    Parameters
    ----------
    instance : Instance
    answer : Result or str
        What to certify, or the solver to run for it.
    against : str, Result, or sequence of these, optional
        Exact solvers to compare with (names, comma separated), or results that they have given. When not
        given, the problem's exact solver, unless the proved bound already meets the value. An empty sequence
        compares with proofs only.
    time_limit : float, optional
        Wall-clock limit of every solver run and of the proof (s).
    seed, workers, progress
        As in `edgeopt.solve`.
    file : path, optional
        The instance's file, to be named in the certificate by its SHA-256.

    Raises
    ------
    UnknownNameError
        If there is no such solver.
    AssumptionError
        If the instance is outside the assumptions of the solver to certify; a reference that refuses is
        named in `message`.
    InstanceError
        If the result is one of another instance.
    """
    settings: dict[str, Any] = {
        "time_limit": time_limit,
        "seed": seed,
        "workers": workers,
        "progress": progress,
    }
    names, references = _sides(instance, against)
    result = solve(instance, answer, **settings) if isinstance(answer, str) else answer
    for known in (result, *references):
        if (known.problem, known.digest) != (instance.problem, instance.digest):
            raise InstanceError(f"the result of {known.solver} is one of {known.instance}, not of {instance.name}")

    # The instance says whether it is maximised, whatever a result says.
    known_results = [replace(known, sense=sense_of(instance)) for known in (result, *references)]
    audits = [(known, audit(instance, known)) for known in known_results]
    announce = progress or (lambda report: None)
    announce(Progress("proof", 0.0, _amount(audits[0][1].checked, result), None))
    proof, interrupted = _proof(instance, audits, time_limit, file)
    if names is None:
        met = proof.certificate is not None and audits[0][1].checked == proof.certificate.bound
        names = () if met or references else (exact_solver(instance),)
    notes: list[str] = []
    known_proofs = len(audits)
    for name in names:
        if interrupted or name in [known.solver for known, _ in audits]:
            continue
        announce(Progress(name, 0.0, None, _amount(proof.bound, result)))
        try:
            reference = solve(instance, name, **settings)
        except (AssumptionError, BackendError) as error:
            notes.append(f"{name} gave no answer: {error}")
            continue
        audits.append((reference, audit(instance, reference)))
        interrupted = reference.termination is Termination.INTERRUPTED
    if not interrupted and any(known.proof is not None for known, _ in audits[known_proofs:]):
        proof, interrupted = _proof(instance, audits, time_limit, file)
    return replace(_compared(audits, proof, notes), interrupted=interrupted)


def _amount(value: float | None, result: Result) -> float | None:
    return None if value is None else amount(value, result.digits)


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the proofs that are known so far show."""

    certificate: Certificate | None = None
    refuted: tuple[str, ...] = ()

    @property
    def bound(self) -> int | None:
        return None if self.certificate is None else self.certificate.bound

    @property
    def infeasible(self) -> bool:
        return self.certificate is not None and self.certificate.bound is None


def _proof(
    instance: Instance,
    audits: Sequence[tuple[Result, Audit]],
    time_limit: float | None,
    file: str | os.PathLike[str] | None,
) -> tuple[_Proof, bool]:
    """The proved bound, and whether the user has interrupted the work, then or before."""
    if any(result.termination is Termination.INTERRUPTED for result, _ in audits):
        return _Proof(), True
    (result, own), others = audits[0], [known for known, _ in audits[1:]]
    promised = _guarantee(result)
    try:
        certificate, refuted = prove(
            instance,
            result,
            others,
            Control(time_limit=time_limit),
            feasible=own.checked is not None,
            guarantee=None if promised is None else str(promised),
            file=file,
        )
    except KeyboardInterrupt:
        return _Proof(), True
    return _Proof(certificate, tuple(refuted)), False


def _compared(audits: Sequence[tuple[Result, Audit]], proof: _Proof, notes: list[str]) -> Comparison:
    """What checked sides (the certified one first) and a proved bound say together."""
    result, own = audits[0]
    sense = result.sense
    bounds, refuted = claims(sense, audits)
    refuted += proof.refuted
    bounds += [bound for bound in agreed(audits) if beaten(sense, bound.value, audits) is None]
    if proof.bound is not None:
        better = beaten(sense, proof.bound, audits)
        if better is None:
            bounds.append(Bound(proof.bound, BoundEvidence.PROVED, "proof"))
        else:
            refuted.append(f"the proof says {number(proof.bound)}, {better}")
    if proof.infeasible:
        bounds = []
        notes.append("there is no solution (proved)")
    bound = best(sense, bounds)
    firmest = best(sense, [item for item in bounds if item.evidence is BoundEvidence.PROVED])
    if bound is not None and firmest is not None and bound.evidence is not BoundEvidence.PROVED:
        notes.append(f"proved: at {'most' if sense == 'max' else 'least'} {number(firmest.value, result.digits)}")
    ratio = None if bound is None or own.checked is None else quality(sense, own.checked, bound.value)
    leader = _leader(sense, audits[1:])
    guarantee = _guarantee(result)
    broken = _broken_guarantee(sense, guarantee, audits)
    own_word = (BoundEvidence.CLAIMED, result.solver)  # shows nothing about the solver
    firm = best(sense, [item for item in bounds if (item.evidence, item.source) != own_word])
    least = None if firm is None or own.checked is None else quality(sense, own.checked, firm.value)
    shown = True if guarantee is not None and least is not None and least >= guarantee else None
    return Comparison(
        result=result,
        value=own.value,
        value_evidence=own.evidence,
        bound=None if bound is None else bound.value,
        bound_evidence=None if bound is None else bound.evidence,
        bound_source=None if bound is None else bound.source,
        ratio=ratio,
        reference=None if leader is None else leader[1].checked,
        reference_solver=None if leader is None else leader[0].solver,
        references=tuple(known for known, _ in audits[1:]),
        guarantee=guarantee,
        guarantee_holds=False if broken else shown,
        violations=(*(item for _, check in audits for item in check.violations), *refuted, *broken),
        message="; ".join(filter(None, ["" if own.violations else result.message, *notes])),
        certificate=proof.certificate,
    )


def _sides(
    instance: Instance, against: str | Result | Sequence[str | Result] | None
) -> tuple[Sequence[str] | None, list[Result]]:
    """Solvers still to run (None: the default), each registered, and results that are there already."""
    if against is None:
        return None, []
    given = [against] if isinstance(against, str | Result) else against
    texts = [item for item in given if isinstance(item, str)]
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    for name in names:
        solver(instance.problem, name)
    return names, [item for item in given if isinstance(item, Result)]


def quality(sense: str, value: float, bound: float) -> Fraction | None:
    """Exact ratio in [0, 1] of a value to a bound on it; 0 to 0 is 1, other signs have no ratio."""
    least, most = (value, bound) if sense == "max" else (bound, value)
    if least == most:
        return Fraction(1)
    return Fraction(least) / Fraction(most) if most > 0 and least >= 0 else None


def _leader(sense: str, audits: Sequence[tuple[Result, Audit]]) -> tuple[Result, Audit] | None:
    sign = 1 if sense == "max" else -1
    checked = [pair for pair in audits if pair[1].checked is not None]
    return max(checked, key=lambda pair: sign * (pair[1].checked or 0), default=None)


def _guarantee(result: Result) -> Fraction | None:
    """The ratio, at most 1, that theory promises of a run that went to its end."""
    info = registered(result)
    if info is None or result.termination is not Termination.COMPLETE:
        return None
    promised = Fraction(result.guarantee or ("1" if info.exact else info.guarantee) or 0)
    return min(promised, 1 / promised) if promised else None


def _broken_guarantee(sense: str, guarantee: Fraction | None, audits: Sequence[tuple[Result, Audit]]) -> list[str]:
    """A guarantee is broken when a checked solution exists that it rules out; no bound is needed for that."""
    result, own = audits[0]
    leader = _leader(sense, audits[1:])
    if guarantee is None or own.checked is None or leader is None or leader[1].checked is None:
        return []
    ratio = quality(sense, own.checked, leader[1].checked)
    better = leader[1].checked > own.checked if sense == "max" else leader[1].checked < own.checked
    if not better or ratio is None or ratio >= guarantee:
        return []
    return [
        f"the guarantee {guarantee} of {result.solver} is broken: it has {number(own.checked)}, "
        f"a checked solution of {leader[0].solver} has {number(leader[1].checked)}"
    ]
