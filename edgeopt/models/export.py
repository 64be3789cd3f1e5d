"""Models as files for any other solver: MPS and LP, written by Pyomo."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edgeopt.errors import InstanceError
from edgeopt.instances.base import Instance
from edgeopt.instances.io import write_bytes
from edgeopt.models.base import find, form_of, load

ENDINGS = (".mps", ".lp", ".mps.gz", ".lp.gz")


def write_model(instance: Instance, path: str | os.PathLike[str], form: str | None = None) -> None:
    """Write an instance's Pyomo formulation; the file appears whole or not at all.

    Variables are named ``x1, x2, ...`` in the order of the formulation's variables.

    Parameters
    ----------
    instance : Instance
        Of any problem that has a Pyomo formulation.
    path : str or path
        Ends in ``.mps``, ``.lp``, or one of these and ``.gz``.
    form : str, optional
        Formulation; the problem's default when not given.

    Raises
    ------
    InstanceError
        If the ending is another, or the file cannot be written.
    UnknownNameError
        If the problem has no such form.
    """
    name = os.fspath(path)
    if not name.endswith(ENDINGS):
        raise InstanceError(f"{name}: the ending of a model must be {', '.join(ENDINGS)}")
    built = load(find(instance.problem, form_of(instance, form), "pyomo"))(instance).build()
    with tempfile.TemporaryDirectory() as directory:
        plain = Path(directory) / Path(name.removesuffix(".gz")).name
        built.model.write(str(plain))
        write_bytes(plain.read_bytes(), path)
