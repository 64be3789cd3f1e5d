"""Time-varying shares: `time-varying` to proved optimality, `edf-greedy` with a proved gap, `moore-hodgson` (ours).

The band that a finished download frees goes to the others. Serving as many users as possible is NP-hard with two
layers already, strongly with many; with one due time a user Moore and Hodgson's rule is exact.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from fractions import Fraction

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.compiled_check import compiled_violations
from edgeopt.instances.slide.edf import demand
from edgeopt.models.slide.time_varying import Option, TimeVaryingFormulation, allocation
from edgeopt.result import Answer, Termination
from edgeopt.solvers import highs
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.edf_bound import relaxation
from edgeopt.solvers.slide.edf_greedy import best_of

POINT_BITS = 128
"""Running sums are kept with so many binary places of a tick, which nearly always decides."""


def edf_greedy(instance: SlideInstance, control: Control) -> Answer:
    """Insert users in several orders, those of the linear relaxation among them; its exact bound proves the gap.

    Raises
    ------
    AssumptionError
        If the variant is not ``time-varying``.
    """
    formulation = TimeVaryingFormulation(instance)
    relaxed = relaxation(formulation, control)
    chosen = best_of(formulation.options, control, (relaxed.price, -relaxed.value))
    found = allocation([formulation.options[place] for place in sorted(chosen)])
    control.report(len(found), relaxed.bound)
    return Answer(
        solution=found,
        claimed_value=len(found),
        bound=relaxed.bound,
        termination=control.stopped_by() if control.stop() else Termination.COMPLETE,
        effort={"options": len(formulation.options), "due_times": len(formulation.points), "rows": len(relaxed.times)},
    )


def time_varying(instance: SlideInstance, control: Control) -> Answer:
    """`edf_greedy`, and where its gap is not closed HiGHS on the binary program with one row a due time.

    Raises
    ------
    AssumptionError
        If the variant is not ``time-varying``.
    BackendError
        If HiGHS is missing.
    """
    first = edf_greedy(instance, control)
    if first.bound == first.claimed_value or control.stop():
        return first
    given: Allocation | None = control.start
    known = given is not None and not compiled_violations(instance, given)
    if given is None or not known or len(given) < len(first.solution or ()):
        control.start = first.solution
    answer = highs.solve(instance, control, form="time-varying")
    bounds = [bound for bound in (first.bound, answer.bound) if bound is not None]
    return replace(answer, bound=min(bounds), effort={**first.effort, **answer.effort})


def moore_hodgson(instance: SlideInstance, control: Control, *, download_first: bool = False) -> Answer:
    """Take users by due time; on overload, out goes who needs most. Optimal with one due time and one model a user.

    Parameters
    ----------
    download_first : bool
        Download, then infer (DAI): all layers of a user are due with its first one, so each has one due time. What
        comes out is feasible without that, too, but has no bound then.

    Raises
    ------
    AssumptionError
        If the variant is not ``time-varying``, or a user has several due times, or several models of which none is
        the best.
    """
    if instance.variant != "time-varying":
        raise AssumptionError(
            f"moore-hodgson solves the variant 'time-varying', {instance.name} is {instance.variant!r}"
        )
    order = sorted(_single(instance, download_first), key=lambda option: option.demand[0].due)
    kept: list[tuple[int, Fraction, int]] = []  # a heap, largest need first
    low = 0
    for place, option in enumerate(order):
        step = option.demand[0]
        floor = (step.need.numerator << POINT_BITS) // step.need.denominator
        heapq.heappush(kept, (-floor, -step.need, place))
        low += floor
        room = (step.due.numerator << POINT_BITS) // step.due.denominator
        # each need lost less than one unit, and so did the room
        if low > room or (low + len(kept) > room and -sum(need for _, need, _ in kept) > step.due):
            low += heapq.heappop(kept)[0]
    pairs = [order[place] for _, _, place in kept]
    if download_first:
        pairs = [_as_it_is(instance, option) for option in pairs]
    found = allocation(pairs)
    if download_first:
        return Answer(found, claimed_value=len(found), guarantee="0")
    return Answer(found, claimed_value=len(found), bound=len(found))


def _single(instance: SlideInstance, download_first: bool) -> list[Option]:
    """One option a user, with one due time."""
    found = []
    for user in range(len(instance.users)):
        own: list[Option] = []
        for model in instance.compiled.models_of(user).tolist():
            pair = instance.compiled.pair(user, model)
            if download_first:
                pair = replace(pair, bits=(pair.bits[-1],) * len(pair))
            steps = demand(pair)
            if steps is not None and len(steps) > 1:
                raise AssumptionError(
                    f"users[{user}] with the model {instance.models.name[model]} has {len(steps)} due times: "
                    "moore-hodgson is exact with one; take time-varying, or download_first=true"
                )
            own += [] if steps is None else [Option(user, model, steps)]
        if not own:
            continue
        best = min(own, key=lambda option: (option.demand[0].need, -option.demand[0].due))
        if any(option.demand[0].due > best.demand[0].due for option in own):
            raise AssumptionError(
                f"users[{user}] may take several models, of which none is due last and needs least: moore-hodgson is "
                "exact with one model a user; take time-varying"
            )
        found.append(best)
    return found


def _as_it_is(instance: SlideInstance, option: Option) -> Option:
    """The option with every layer due when it must be."""
    steps = demand(instance.compiled.pair(option.user, option.model))
    assert steps is not None  # it needs no more by any time than with all layers due at once
    return Option(option.user, option.model, steps)
