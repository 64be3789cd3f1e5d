"""Time-varying shares in the exact check: whether downloads fit one after another, earliest due first (EDF).

All start at 0 and the rate is linear in the share, so shares may as well be all or nothing: at any time the whole
band sends what is due first. Layer ``l`` of user ``k`` is due at ``u_kl = T_k - sum_{m >= l} T_km`` and the band is
needed for ``S_{1:l} / (B R_k)`` until then. A set of users can be served iff at every due time ``t`` these
*band-seconds* of all users add up to at most ``t`` (ours; necessary since the band has only ``t`` seconds to give,
sufficient since EDF meets it).

Of a solution only users and models count; `share` is the part of the band that a user has **on average** until its
last bits are due, ``S_{1:L} / (B R_k u_k)``, or more. These need not add up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from edgeopt.errors import EdgeoptError
from edgeopt.instances.base import Violation

DIGITS = (60, 120, 240, 480, 960, 1920, 3840)
"""Digits of logarithms in rates, tried one after another until an inequality is decided."""
POINT_BITS = 300
"""Band-seconds are first added with so many binary places, which nearly always decides."""


@dataclass(frozen=True, slots=True)
class Download:
    """What a user is sent: the first ``sent[l]`` bits by the time ``due[l]`` (s); `share` is the one it carries."""

    user: int
    where: str
    sent: list[int]
    due: list[Fraction]
    share: Fraction

    @classmethod
    def of(
        cls, user: int, where: str, bits: Sequence[int], times: Sequence[Fraction], deadline: Fraction, share: Fraction
    ) -> Download:
        """The download for layers of these sizes (bit) and computing times (s)."""
        left = list(accumulate(reversed(times)))[::-1]
        return cls(user, where, list(accumulate(bits)), [deadline - rest for rest in left], share)


def edf_violations(
    downloads: Sequence[Download], rate: Callable[[int, int], tuple[Fraction, Fraction]]
) -> list[Violation]:
    """Due times that cannot be met: of a user alone, or the first one of all together.

    Parameters
    ----------
    downloads : sequence of Download
    rate : callable
        User and digits to an enclosure of ``B R_k`` (bit/s).
    """
    found = []
    for own in downloads:
        soonest = min(own.due)
        if soonest < 0 or any(sent and due <= 0 for sent, due in zip(own.sent, own.due, strict=True)):
            late = f"a layer due at {float(soonest):.17g} s"
            found.append(Violation("deadline t_L <= T", own.where, late, "the start"))
    if found:
        return found
    points = sorted({due for own in downloads for due in own.due})
    for digits in DIGITS:
        ends = [rate(own.user, digits) for own in downloads]
        verdict = _decided(downloads, points, ends)
        if verdict is not None:
            return verdict
    raise EdgeoptError(f"cannot decide the due times of {len(downloads)} users with {DIGITS[-1]} digits")


def _decided(
    downloads: Sequence[Download], points: Sequence[Fraction], ends: Sequence[tuple[Fraction, Fraction]]
) -> list[Violation] | None:
    """What is violated; None if these enclosures of the rates cannot tell."""
    if any(slow == 0 for slow, _ in ends):
        return None
    one = 1 << POINT_BITS
    events = sorted(
        (due, place, layer)
        for place, own in enumerate(downloads)
        for layer, due in enumerate(own.due)
        if own.sent[layer]
    )
    sent = [0] * len(downloads)
    low = [0] * len(downloads)
    high = [0] * len(downloads)
    low_sum = high_sum = at = 0
    doubtful = False
    for point in points:
        while at < len(events) and events[at][0] == point:
            _, place, layer = events[at]
            at += 1
            sent[place] = max(sent[place], downloads[place].sent[layer])
            slow, fast = ends[place]
            low_sum, high_sum = low_sum - low[place], high_sum - high[place]
            low[place] = sent[place] * one * fast.denominator // fast.numerator
            high[place] = -(-sent[place] * one * slow.denominator // slow.numerator)
            low_sum, high_sum = low_sum + low[place], high_sum + high[place]
        room = point * one
        late = low_sum > room
        if not late and high_sum > room:
            # exactly, for these ends: rates that are no logarithms leave no doubt
            late = sum((bits / fast for bits, (_, fast) in zip(sent, ends, strict=True)), Fraction(0)) > point
            most = sum((bits / slow for bits, (slow, _) in zip(sent, ends, strict=True)), Fraction(0))
            doubtful = doubtful or (not late and most > point)
        if late:
            text = f"{float(Fraction(low_sum, one)):.17g} band-seconds due"
            return [Violation("time: EDF", f"{float(point):.17g} s", text, f"{float(point):.17g} band-seconds")]
    return None if doubtful else _shares(downloads, ends)


def _shares(downloads: Sequence[Download], ends: Sequence[tuple[Fraction, Fraction]]) -> list[Violation] | None:
    """Shares below the average that the download needs."""
    found = []
    for own, (slow, fast) in zip(downloads, ends, strict=True):
        last = own.sent[-1]
        due = min(time for sent, time in zip(own.sent, own.due, strict=True) if sent == last)
        if own.share * fast * due < last:
            text = f"{float(own.share):.17g} of the band"
            need = f"the average {float(last / (fast * due)):.17g} until {float(due):.17g} s"
            found.append(Violation("share: average until the last bits are due", own.where, need, text))
        elif own.share * slow * due < last:
            return None
    return found
