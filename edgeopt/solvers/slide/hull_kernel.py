"""Compiled kernel: least shares of pairs of a user and a model, enclosed by floats with proved rounding errors (ours).

Times in ticks; ``x = 1 / y`` is the reciprocal of the share, ``R_l = D - sum_{m >= l} V_m`` the room of layer ``l``,
``u_l = sum_{m >= l} w_m`` the work from it on, and ``b_l(x) = R_l - A_l x / rho`` the time for that work.

Without an energy limit ``y = max_l A_l / (rho (R_l - u_l))``. With one, the least energy at ``x`` is reached at the
slopes of the greatest convex minorant of the points ``(u_l, b_l(x))`` and the origin, taken from the last layer back
(speed scaling with release times and one deadline: Yao, Demers, Shenker 1995); ``du / db`` is the speed, which never
falls from layer to layer. For speeds ``s`` that never fall, ``s_0 = 0``, weak duality bounds the energy at every ``x``:

    energy(x) >= 3 sum_l w_l s_l^2 - 2 sum_l (s_l^3 - s_{l-1}^3) b_l(x) = 3 P - 2 Q(x),

and scaling them by the best factor gives ``P^3 / Q(x)^2``. As ``Q`` is linear, ``Q(x) = P^1.5 / G^0.5`` is solved at
once: a Newton step on ``energy^-0.5``, which is concave in ``x`` (homogeneous of degree 1 and quasiconcave in ``b``).
So the steps come down to the largest feasible ``x`` from the infeasible side, each with a proof of its bound.

Relative errors: conversions, products and quotients lose 2^-53 each, sums of ``n`` positive numbers ``n 2^-53``.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from edgeopt.solvers.jit import compiled, kernel

ULP = 2.0**-52
TICKS_PER_S = 1e12
MOST_STEPS = 60
"""Newton steps; 2 to 4 are usual."""
CLOSE = 1e-7
"""Relative excess of energy at which one more Newton step is right to the last digits."""


@compiled
def minorant(bits, work_left, overhead_left, begin, end, deadline, tick, price, x, left, bs, vertex, speed):
    """Greatest convex minorant at `x`: vertices from the last layer back, and the speed of the segment before each.

    At an `x` where full speed meets the deadline. Work is subtracted in integers: where little of it is left to a slow
    segment, the difference of two floats would be mostly rounding. Returns the number of vertices after the origin, the
    last of which is the first layer, the energy ``P`` and the fall ``-dQ/dx``.
    """
    top = 0
    left[0], bs[0], vertex[0] = 0, 0.0, end
    for layer in range(end - 1, begin - 1, -1):
        b = float(deadline - overhead_left[layer]) - bits[layer] * (x * tick)
        while top > 0 and (bs[top] - bs[top - 1]) * (work_left[layer] - left[top - 1]) >= (b - bs[top - 1]) * (
            left[top] - left[top - 1]
        ):
            top -= 1
        top += 1
        left[top], bs[top], vertex[top] = work_left[layer], b, layer
    energy = 0.0
    for i in range(1, top + 1):
        gap, own = bs[i] - bs[i - 1], (left[i] - left[i - 1]) * price
        speed[i] = own / gap if gap > 0.0 else np.inf
        if i > 1:
            speed[i] = min(speed[i], speed[i - 1])  # rounding must not let speeds fall from layer to layer
        energy += own * speed[i] * speed[i]
    fall = 0.0
    for i in range(1, top + 1):
        below = speed[i + 1] if i < top else 0.0
        fall += _cubes(speed[i], below) * bits[vertex[i]]
    return top, energy, fall * tick


@compiled
def _cubes(larger, smaller):
    """``larger^3 - smaller^3`` without cancellation but in the one difference, which is exact to 2^-53."""
    return (larger - smaller) * (larger * larger + larger * smaller + smaller * smaller)


@compiled
def dual_bound(bits, work_left, overhead_left, end, deadline, tick, price, budget, factor, top, vertex, speed):
    """A share below which ``factor`` times these speeds prove that the energy exceeds the budget, rounded down."""
    power, fixed, fall = 0.0, 0.0, 0.0
    for i in range(1, top + 1):
        own = factor * speed[i]
        below = factor * speed[i + 1] if i < top else 0.0
        later = work_left[vertex[i - 1]] if vertex[i - 1] < end else 0
        power += (work_left[vertex[i]] - later) * price * own * own
        step = _cubes(own, below)
        fixed += step * float(deadline - overhead_left[vertex[i]])
        fall += step * bits[vertex[i]] * tick
    doubt = (top + 20) * ULP
    most = fixed - 1.5 * power + 0.5 * budget
    most = (most + doubt * (fixed + 1.5 * power + 0.5 * budget)) / fall  # infinite where the share does not matter
    if not most > 0.0:
        return np.inf if most == most else 0.0
    return (1.0 - doubt) / (most * (1.0 + doubt))


@compiled
def fit_speeds(
    bits, work_left, overhead_left, begin, end, deadline, tick, price, budget, share, more, top, vertex, speed, out
):
    """Give each layer its speed, a little `more`, and say whether floats prove that deadline and budget hold.

    `out` gets one speed a layer.
    """
    doubt = (end - begin + 16) * ULP
    busy, energy = 0.0, 0.0
    i, later = 1, 0
    for layer in range(end - 1, begin - 1, -1):
        while layer < vertex[i]:
            i += 1
        own = (work_left[layer] - later) * price
        later = work_left[layer]
        z = 1.0
        if own > 0.0:
            z = min(1.0, speed[i] * more)
        out[layer - begin] = z
        if own > 0.0:
            busy += own / z
            energy += own * z * z
        room = float(deadline - overhead_left[layer])
        if not (busy + bits[layer] * (tick / share)) * (1.0 + doubt) <= room * (1.0 - ULP):
            return False
    return energy * (1.0 + doubt) <= budget


@compiled
def full_speed(bits, work_left, overhead_left, begin, end, deadline, tick, price):
    """Enclose the least share at full speed; also the layer whose prefix proves the lower end.

    The bracket ``R_l - u_l`` errs by less than ``2^-51 D``, and the upper end leaves room for the roundings of a check.
    Fractions are compared crosswise, without divisions.
    """
    top, bottom, tight, edge, sharp = 0.0, 1.0, begin, 0.0, -1
    guard = (end - begin + 16) * ULP * float(deadline)
    for layer in range(begin, end):
        size = bits[layer]
        bracket = float(deadline - overhead_left[layer]) - work_left[layer] * price - guard
        if bracket <= 0.0:
            if bracket + 2.0 * guard < 0.0:  # surely too late, whatever the share
                return np.inf, np.inf, layer
            if sharp < 0 or size / (bracket + 2.0 * guard) > edge:  # too close to tell, but surely a large share
                edge, sharp = size / (bracket + 2.0 * guard), layer
        elif size * bottom > top * bracket:
            top, bottom, tight = float(size), bracket, layer
    low, high = top / (bottom + 2.0 * guard), top / bottom * tick * (1.0 + 8.0 * ULP)
    if sharp >= 0:
        high = np.inf
        if edge > low:
            low, tight = edge, sharp
    return low * tick * (1.0 - 8.0 * ULP), high, tight


@kernel
def least_shares(
    start, bits, work_left, overhead_left, deadline, rate, flop_ticks, energy, pair_start, pair_model,
    first_user, last_user, low, high, prefix, tangent, factor, inside,
):  # fmt: skip
    """Enclose the least share of every pair of some users, ``low <= y <= high``; columns as in `LeastShares`.

    `tangent`, `factor` and `inside` come in as for full speed: NaN, 1 and NaN.

    Returns the number of hulls.
    """
    longest = 0
    for model in range(len(start) - 1):
        longest = max(longest, start[model + 1] - start[model])
    left, bs, speed = np.empty(longest + 2), np.empty(longest + 2), np.empty(longest + 2)
    out = np.empty(longest + 2)
    left, vertex = np.empty(longest + 2, dtype=np.int64), np.empty(longest + 2, dtype=np.int64)
    hulls = 0
    for user in range(first_user, last_user):
        last, tick, price, budget = deadline[user], TICKS_PER_S / rate[user], flop_ticks[user], energy[user]
        best = np.inf
        for pair in range(pair_start[user], pair_start[user + 1]):
            begin, end = start[pair_model[pair]], start[pair_model[pair] + 1]
            least, most, tight = full_speed(bits, work_left, overhead_left, begin, end, last, tick, price)
            low[pair], high[pair], prefix[pair] = least, most, tight
            if work_left[begin] * price * (1.0 + 2.0 * ULP) <= budget:
                best = min(best, most)
                continue
            high[pair] = np.inf
            if least > min(1.0, best):  # the whole band is not enough, or another model is surely cheaper
                continue
            more = 1.0 + (8 * (end - begin) + 200) * ULP
            x, back, found = 1.0 / most, 0.0, False
            for _ in range(MOST_STEPS):
                hulls += 1
                top, spent, fall = minorant(
                    bits, work_left, overhead_left, begin, end, last, tick, price, x, left, bs, vertex, speed
                )
                back = 2.5 * spent / fall if fall > 0.0 else 0.0
                # without a fall or a budget it is infinite, where the budget is met without a fall no number
                ahead = x - spent * (math.sqrt(spent / budget) - 1.0) / fall
                scale = math.sqrt(budget / spent) if ahead >= 1.0 else spent / (spent + fall * (x - 1.0))
                bound = dual_bound(
                    bits, work_left, overhead_left, end, last, tick, price, budget, scale, top, vertex, speed
                )
                if bound > low[pair]:
                    low[pair], tangent[pair], factor[pair] = bound, x, scale
                if not ahead >= 1.0 - 1e-9:
                    break
                close = spent <= budget * (1.0 + CLOSE)
                if ahead >= x or close:
                    x, found = min(x, ahead), True
                    break
                x = ahead
            x -= (more - 1.0) * (back + x)  # from the border so far inside that floats prove that speeds fit
            if not (found and x > 0.0):
                continue
            hulls += 1
            top, spent, fall = minorant(
                bits, work_left, overhead_left, begin, end, last, tick, price, x, left, bs, vertex, speed
            )
            if fit_speeds(
                bits, work_left, overhead_left, begin, end, last, tick, price, budget,
                more / x, more, top, vertex, speed, out,
            ):  # fmt: skip
                high[pair], inside[pair] = more / x, x
            best = min(best, high[pair])
    return hulls


@kernel
def speeds_of(
    start, bits, work_left, overhead_left, deadline, rate, flop_ticks, energy, user, model, inside, first, out
):
    """Speeds ``z`` of users with their models at the point `inside`, or 1 where that is NaN.

    Those of the n-th user go to ``out[first[n]:]``. The same steps as in `least_shares`, so the same numbers.
    """
    longest = 0
    for at in range(len(user)):
        longest = max(longest, start[model[at] + 1] - start[model[at]])
    left, bs, speed = np.empty(longest + 2), np.empty(longest + 2), np.empty(longest + 2)
    left, vertex = np.empty(longest + 2, dtype=np.int64), np.empty(longest + 2, dtype=np.int64)
    for at in range(len(user)):
        begin, end = start[model[at]], start[model[at] + 1]
        row = out[first[at] : first[at] + end - begin]
        if inside[at] != inside[at]:
            row[:] = 1.0
            continue
        k = user[at]
        last, tick, price = deadline[k], TICKS_PER_S / rate[k], flop_ticks[k]
        more = 1.0 + (8 * (end - begin) + 200) * ULP
        top, _, _ = minorant(
            bits, work_left, overhead_left, begin, end, last, tick, price, inside[at], left, bs, vertex, speed
        )
        fit_speeds(
            bits, work_left, overhead_left, begin, end, last, tick, price, energy[k],
            more / inside[at], more, top, vertex, speed, row,
        )  # fmt: skip


@kernel
def slopes_of(
    start, bits, work_left, overhead_left, deadline, rate, flop_ticks, energy, user, model, tangent, factor, first, out
):
    """Slopes that prove the lower ends of pairs whose `tangent` is no NaN; those of the n-th go to ``out[first[n]:]``.

    The same steps as in `least_shares`, so the same numbers.
    """
    longest = 0
    for at in range(len(user)):
        longest = max(longest, start[model[at] + 1] - start[model[at]])
    left, bs, speed = np.empty(longest + 2), np.empty(longest + 2), np.empty(longest + 2)
    left, vertex = np.empty(longest + 2, dtype=np.int64), np.empty(longest + 2, dtype=np.int64)
    for at in range(len(user)):
        begin, end, k = start[model[at]], start[model[at] + 1], user[at]
        minorant(
            bits, work_left, overhead_left, begin, end, deadline[k], TICKS_PER_S / rate[k], flop_ticks[k],
            tangent[at], left, bs, vertex, speed,
        )  # fmt: skip
        i = 1
        for layer in range(end - 1, begin - 1, -1):
            while layer < vertex[i]:
                i += 1
            out[first[at] + layer - begin] = factor[at] * speed[i]
