"""The strongest bound that the stand-alone verifier confirms, as a certificate with the checked solution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from edgeopt.certify.certificate import Certificate, certificate
from edgeopt.certify.parts import has_parts, parts
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import Instance
from edgeopt.result import Result
from edgeopt.solvers.base import Control


def prove(
    instance: Instance,
    result: Result,
    references: Sequence[Result],
    control: Control,
    *,
    feasible: bool,
    guarantee: str | None = None,
    file: str | os.PathLike[str] | None = None,
) -> tuple[Certificate | None, list[str]]:
    """A verified certificate of a result, from its own proof, those of references, and those of the problem.

    Parameters
    ----------
    instance : Instance
    result : Result
    references : sequence of Result
    control : Control
        Limits for computing proofs.
    feasible : bool
        Whether the result's solution was found feasible; it is left out of the certificate otherwise.
    guarantee : str, optional
        Ratio that theory promises of the result.
    file : path, optional
        The instance's file, to be named by its SHA-256.

    Returns
    -------
    certificate : Certificate or None
        None where the problem or its variant has no proofs, or a proof contradicts the solution.
    refuted : list of str
        What is wrong with the proofs of results, and that contradiction.
    """
    if not has_parts(instance):
        return None, []
    shown = result if feasible else replace(result, solution=None)
    attempt = partial(certificate, instance, control=control, guarantee=guarantee, file=file)
    with suppress(Exception):  # a proof handed out by a solver may be anything
        return attempt(shown, references=references), []
    refuted, sound = [], []
    for known in (shown, *references):
        try:
            if known.proof is not None:
                attempt(replace(known, solution=None))
            sound.append(known)
        except Exception as error:
            refuted.append(f"{known.solver} handed out a proof that is none: {type(error).__name__}: {error}"[:300])
            sound.append(replace(known, proof=None))
    try:
        return attempt(sound[0], references=sound[1:]), refuted
    except AssumptionError:  # the problem has certificates, its variant has none
        return None, []
    except InstanceError as error:
        return None, [*refuted, str(error)]


def solution_of(made: Certificate, instance: Instance) -> Any | None:
    """The solution in a certificate of an instance, as the problem's type; None where it has none."""
    chosen = made.content["solution"]
    return None if chosen is None else parts(instance).solution(instance, chosen)
