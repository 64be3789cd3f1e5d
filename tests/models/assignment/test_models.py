"""Formulations of the assignment problem: values and solutions, cuts, and model files for other solvers."""

from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

import highspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.assignment import PROBLEM, Assignment, AssignmentInstance
from edgeopt.models.assignment.formulation import AssignmentFormulation
from edgeopt.models.assignment.pyomo_choice import PyomoChoice
from edgeopt.models.export import write_model
from edgeopt.testing.assignment import assignment_instances


@given(assignment_instances(picks=["at-most-one"]))
def test_start_and_extract_are_inverse(instance: AssignmentInstance) -> None:
    formulation = AssignmentFormulation(instance)
    solution = edgeopt.solve(instance, "brute-force").solution
    assert formulation.extract(formulation.start(solution)) == solution


@given(assignment_instances(max_groups=4, max_choices=3, picks=["at-most-one"]), st.data())
def test_cuts_refute_exactly_what_breaks_and_keep_every_feasible_solution(
    instance: AssignmentInstance, data: st.DataObject
) -> None:
    formulation = AssignmentFormulation(instance)
    drawn = data.draw(st.lists(st.booleans(), min_size=instance.choices, max_size=instance.choices))
    values = np.array(drawn, dtype=np.float64)
    cuts = formulation.cuts(values)
    load = np.zeros_like(instance.capacity)
    np.add.at(load, instance.bin[values > 0.5], instance.weight[values > 0.5])
    once = all(values[group].sum() <= 1 for group in instance.by_group)
    assert (not cuts) == (once and bool((load <= instance.capacity).all()))
    for cut in cuts:
        assert values[cut.positions].sum() > cut.at_most
    for combination in product(*([-1, *group.tolist()] for group in instance.by_group)):
        solution = Assignment(np.array(combination, dtype=np.int64))
        if not PROBLEM.compiled_violations(instance, solution):
            chosen = formulation.start(solution)
            assert all(chosen[cut.positions].sum() <= cut.at_most for cut in cuts)


@pytest.mark.parametrize("ending", [".mps", ".lp", ".mps.gz"])
@pytest.mark.parametrize("name", ["gap-a-5x40", "mmkp-5x20"])
def test_model_files_have_the_same_optimum_elsewhere(tmp_path: Path, name: str, ending: str) -> None:
    instance = edgeopt.read(Path(__file__).parents[3] / "instances" / "assignment" / f"{name}.json")
    path = tmp_path / f"model{ending}"
    write_model(instance, path)
    if ending.endswith(".gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path = path.with_suffix("")
    other = highspy.Highs()
    other.setOptionValue("output_flag", False)
    other.setOptionValue("mip_rel_gap", 0.0)
    other.readModel(str(path))
    other.run()
    ours = edgeopt.solve(instance, "cpsat")
    assert ours.closed
    # MPS knows no sense; Pyomo states it, and readers may minimise the negative
    assert abs(round(other.getInfo().objective_function_value)) == ours.value


def test_a_model_file_needs_a_known_ending(tmp_path: Path) -> None:
    instance = edgeopt.generate("assignment")
    with pytest.raises(InstanceError, match=r"model.txt: the ending of a model must be .mps, .lp"):
        write_model(instance, tmp_path / "model.txt")
    with pytest.raises(UnknownNameError, match="no form 'flow'"):
        write_model(instance, tmp_path / "model.lp", form="flow")


@given(assignment_instances())
def test_variables_come_in_the_order_of_the_choices(instance: AssignmentInstance) -> None:
    built = PyomoChoice(instance).build()
    assert len(built.variables) == instance.choices + AssignmentFormulation(instance).hopeless
    assert [v.index() for v in built.variables[: instance.choices]] == list(range(instance.choices))
