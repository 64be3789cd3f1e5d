"""Array arguments of the radio functions: conversion and checks."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def finite(field: str, value: ArrayLike, unit: str) -> Array:
    """Return `value` as a float array; raise ``ValueError`` where an entry is not finite."""
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{field} = {value!r} ({unit}) must be finite; correct {field}")
    return array


def positive(field: str, value: ArrayLike, unit: str) -> Array:
    """Return `value` as a float array; raise ``ValueError`` where an entry is not finite and positive."""
    array = finite(field, value, unit)
    if not (array > 0.0).all():
        raise ValueError(f"{field} = {array.min()!r} ({unit}) must be > 0; correct {field}")
    return array
