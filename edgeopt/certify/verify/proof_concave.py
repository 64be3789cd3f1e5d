"""Proof by exchange for the slide problem with rates that are concave in the share: power is not split.

A share ``y`` of the band ``B`` has the rate ``B y log2(1 + snr / y)``, which grows with it. So a share of which the
rate, rounded up, is at most what the evidence shows that a user needs (`slide`) is not above its least share; the
proof names one for each user, in units of ``1 / ONE``. Then the exchange argument is that of ``proof_exchange``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .logarithm import log2
from .proof_exchange import counted
from .reading import Refuted, Replay, Unreadable, fields, items, wholes
from .slide import ONE, USER, fit, least_rates, meet, ratio, read_models, read_solution, read_users

BITS = 128
"""Binary digits of logarithms; what they leave open is refused."""
CHANNEL = tuple("snr" if name == "rate" else name for name in USER)


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    variant, hertz, tables, people = fields(program, "program", "variant", "band", "models", "users")
    if variant != "concave":
        raise Unreadable("program.variant must be concave")
    band, models = ratio(hertz, "program.band"), read_models(tables)
    rows = [
        dict(zip(USER, fields(user, f"program.users[{k}]", *CHANNEL), strict=True))
        for k, user in enumerate(items(people, "program.users"))
    ]
    users = read_users(rows, models)  # what is called rate is the ratio of signal to noise in the whole band
    if not band or any(not user.rate for user in users):
        raise Unreadable("program.band and every snr must be positive")
    value = None
    if solution is not None:
        entries = read_solution(users, models, solution)
        for entry in entries:
            low, _ = rates(users[entry.user].rate, entry.share)
            meet(users[entry.user], models[entry.model], band * low, entry)
        fit([entry.share for entry in entries])
        value = len(entries)
    _, bits, evidence, least = fields(proof, "proof", "kind", "bits", "users", "least")
    known = []
    needed = least_rates(users, models, bits, evidence)
    named = wholes(least, "proof.least", len(users), least=0)
    for k, (user, own, share) in enumerate(zip(users, needed, named, strict=True)):
        if not own:
            continue
        if share and band * rates(user.rate, Fraction(share, ONE))[1] > min(rate for _, rate in own):
            raise Refuted(f"proof.least[{k}]: a smaller share has the rate that is shown to be needed")
        known.append(share)
    return counted("concave", len(users), len(models), value, known)


def rates(snr: Fraction, share: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose ``y log2(1 + snr / y)``, the rate (bit/s) a Hz of the whole band; to a relative ``2**-BITS``."""
    part = snr / share
    small = max(0, part.denominator.bit_length() - part.numerator.bit_length() + 1)
    low, high = log2(1 + part, BITS + small)
    return share * low, share * high
