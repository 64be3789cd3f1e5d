"""How many examples a property is tried on."""

from __future__ import annotations

from hypothesis import settings

EVERYDAY = 100
"""Profiles of at most so many examples are for runs of every day."""


def few(examples: int) -> settings:
    """Settings for a slow property: at most so many examples in a run of every day, else those of the profile."""
    most = settings().max_examples
    return settings(max_examples=min(examples, most) if most <= EVERYDAY else most)
