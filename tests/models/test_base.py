"""Formulations are found by problem, form and language, and every name that is not there is answered."""

from __future__ import annotations

import pytest

from edgeopt.errors import UnknownNameError
from edgeopt.models.base import find, forms, load


def test_the_first_form_is_the_default() -> None:
    assert next(iter(forms("batching"))) == "threshold"
    assert find("batching", None, "pyomo") == find("batching", "threshold", "pyomo")


@pytest.mark.parametrize("form", ["threshold", "big-m"])
@pytest.mark.parametrize("language", ["pyomo", "cpsat"])
def test_every_form_of_the_table_can_be_loaded(form: str, language: str) -> None:
    path = find("batching", form, language)  # type: ignore[arg-type]
    assert load(path).__name__ == path.rpartition(":")[2]


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no form 'huge-m' of batching for cpsat; there are: threshold, big-m"):
        find("batching", "huge-m", "cpsat")
    with pytest.raises(UnknownNameError, match="problem 'baking' has no formulations"):
        find("baking", None, "pyomo")
