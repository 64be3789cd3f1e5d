"""Bad input: every error names field, value and unit, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition import DecompositionInstance, Mode, Node, Step, Task, file


def data() -> dict[str, Any]:
    """A small instance as plain data: two nodes, a task in two modes."""
    ap = {
        "name": "ap", "kind": "ap", "parameters": 7e9, "flop_per_s": 1e14, "bandwidth_byte_per_s": 1e12,
        "capability": 1.0,
    }  # fmt: skip
    ue = {**ap, "name": "ue", "kind": "device"}
    steps = [
        {"id": "a", "output_tokens": 5},
        {"id": "b", "output_tokens": 5, "after": ["a"]},
        {"id": "c", "output_tokens": 5, "after": ["b"]},
    ]
    modes = [{"name": "whole", "steps": [{"id": "w"}]}, {"name": "split", "steps": steps, "aggregator": "c"}]
    return {
        "edgeopt": "decomposition", "version": 1, "name": "x",
        "nodes": [ap, ue],
        "channels": [{"name": "air"}],
        "links": [{"a": "ue", "b": "ap", "rate_bit_per_s": 1e8, "channel": "air"}],
        "tasks": [{"id": "t", "device": "ue", "modes": modes}],
    }  # fmt: skip


def steps(content: dict[str, Any]) -> Any:
    return content["tasks"][0]["modes"][1]["steps"]


def test_the_data_is_good() -> None:
    assert len(file.decode(json.dumps(data()).encode(), "x.json").tasks) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: steps(d)[0].update(after=["c"]), r"modes\[1\].steps: .* circle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"),  # noqa: E501
        (lambda d: steps(d)[0].update(after=["a"]), "circle: a -> a"),
        (lambda d: steps(d)[1].update(after=["z"]), r"steps\[1\].after\[0\] = 'z': no such step; there are: a, b, c"),
        (lambda d: steps(d)[1].update(after=["a", "a"]), "must differ"),
        (lambda d: steps(d)[0].update(output_tokens=-3), r"output_tokens = -3: must be a whole .*\(tokens\)"),
        (lambda d: steps(d)[0].update(input_tokens=1.5), r"input_tokens = 1.5"),
        (lambda d: steps(d)[0].update(input_bytes=-1), r"input_bytes = -1.*\(byte\)"),
        (lambda d: steps(d)[0].update(nodes=[]), r"nodes = \[\]: no node may run the step"),
        (lambda d: steps(d)[0].update(nodes=["x"]), r"nodes\[0\] = 'x': no such node; there are: ap, ue"),
        (lambda d: steps(d)[0].update(difficulty=1e9), r"difficulty = 1000000000.0: must be .*\(logit\)"),
        (lambda d: steps(d)[0].update(weight=0), r"weight = 0.0: must be"),
        (lambda d: steps(d)[0].update(correctness={"ap": 2}), r"correctness\['ap'\] = 2.0: must be .* from 0 to 1"),
        (lambda d: steps(d)[0].update(correctness={"q": 1}), r"correctness = 'q': no such node"),
        (lambda d: steps(d)[0].update(time_s={"ap": -1}), r"time_s\['ap'\] = -1.0: must be .*\(s\)"),
        (lambda d: steps(d)[0].update(context={"step": "b"}), r"context.step = 'b': must be one of the steps in after"),
        (lambda d: steps(d)[1].update(context={"step": "a", "tokens": 9}), r"context.tokens = 9: must be from 0 to"),
        (lambda d: steps(d)[1].update(id="a"), r"steps\[1\].id = 'a': is taken by"),
        (lambda d: steps(d)[0].update(actual={"output_tokens": -1}), r"actual.output_tokens = -1"),
        (lambda d: d["tasks"][0]["modes"][1].update(aggregator="a"), r"aggregator = 'a': must be the one step"),
        (lambda d: d["tasks"][0]["modes"][1].update(aggregator="q"), r"aggregator = 'q': no such step"),
        (lambda d: d["tasks"][0]["modes"][1].update(steps=[]), r"steps = \[\]: must hold at least one step"),
        (lambda d: d["tasks"][0].update(modes=[]), r"tasks\[0\].modes = \[\]"),
        (lambda d: d["tasks"][0].update(device="q"), r"tasks\[0\].device = 'q': no such node"),
        (lambda d: d["tasks"][0].update(arrival_s=-1), r"arrival_s = -1.0: must be .*\(s\)"),
        (lambda d: d["tasks"][0].update(deadline_s=-1), r"deadline_s = -1.0: must be .*\(s\)"),
        (lambda d: d.update(objective="on-time"), r"tasks\[0\].deadline_s is missing"),
        (lambda d: d.update(links=[]) or steps(d)[0].update(nodes=["ap"]), r"'ap': cannot be reached: .*add a link"),
        (lambda d: d["links"][0].update(b="q"), r"links\[0\].b = 'q': no such node"),
        (lambda d: d["links"][0].update(b="ue"), r"links\[0\].b = 'ue': must be another node"),
        (lambda d: d["links"][0].update(channel="q"), r"links\[0\].channel = 'q': no such channel"),
        (lambda d: d["links"][0].update(rate_bit_per_s=0), r"rate_bit_per_s = 0.0: must be .*\(bit/s\)"),
        (lambda d: d["links"][0].update(rate_bit_per_s=1e-9), r"rate_bit_per_s = 1e-09: a frame or a byte takes more"),
        (lambda d: d["links"][0].update(overhead_s=-1), r"overhead_s = -1.0: must be .*\(s\)"),
        (lambda d: d["links"].append({**d["links"][0], "a": "ap", "b": "ue"}), r"is already links\[0\]"),
        (lambda d: d["nodes"][0].update(slots=0), r"nodes\[0\].slots = 0: must be .*\(slots\)"),
        (lambda d: d["nodes"][0].update(flop_per_s=0), r"flop_per_s = 0.0: must be .*\(FLOP/s\)"),
        (lambda d: d["nodes"][0].update(bandwidth_byte_per_s=-1), r"bandwidth_byte_per_s = -1.0: .*\(byte/s\)"),
        (lambda d: d["nodes"][0].update(parameters=1e29) or steps(d)[0].update(output_tokens=9), "check the units"),
        (lambda d: d["nodes"][1].update(name="ap"), r"nodes\[1\].name = 'ap': is taken by nodes\[0\]"),
        (lambda d: d["nodes"][1].update(kind="phone"), r"nodes\[1\].kind = .phone."),
        (lambda d: d.update(nodes=[]), r"nodes = \[\]: must hold at least one node"),
        (lambda d: d.update(tick_s=0), r"tick_s = 0.0: must be .*\(s\)"),
        (lambda d: d.update(correctness_floor=0.5), "correctness_floor = 0.5: is for the objective latency only"),
        (lambda d: d.update(accuracy_weight=-1), "accuracy_weight = -1.0"),
        (lambda d: d.update(version=2), "version = 2: this edgeopt reads version 1"),
        (lambda d: d.update(surprise=2), "surprise"),
        (lambda d: d.update(name=""), "name = '': must not be empty"),
    ],
)  # fmt: skip
def test_refused(change: Any, words: str) -> None:
    content = data()
    change(content)
    with pytest.raises(InstanceError, match=words) as caught:
        file.decode(json.dumps(content).encode(), "bad.json")
    assert "bad.json" in str(caught.value)


def test_weights_that_no_integers_hold() -> None:
    instance = eo.generate(
        "decomposition", tasks=1, delay_weight_per_s=0.1234567890123, accuracy_weight=0.98765432109876
    )
    with pytest.raises(InstanceError, match="round them to fewer digits"):
        _ = instance.compiled


def test_weights_that_no_integers_hold_are_named_in_a_few_words() -> None:
    """The integer was printed with its hundreds of digits, and no value of a field beside it."""
    instance = eo.generate("decomposition", tasks=1, accuracy_weight=0.7, delay_weight_per_s=1e-300, tick_s=0.1)
    words = r"accuracy_weight = 0.7, delay_weight_per_s = 1e-300 \(1/s\), tick_s = 0.1 \(s\): .* up to 7.0e\+294: round"
    with pytest.raises(InstanceError, match=words) as caught:
        _ = instance.compiled
    assert len(str(caught.value)) < 250


def test_step_weights_that_no_integers_hold() -> None:
    steps = [Step("a", weight=0.123456789012), Step("b", weight=0.3)]
    node = Node("n", "device", 1.0, 1.0, 1.0)
    with pytest.raises(InstanceError, match=r"weight: .* round them to fewer digits"):
        _ = DecompositionInstance("x", (node,), (Task("t", "n", [Mode("m", steps)]),)).compiled


def test_wrong_types_in_memory() -> None:
    with pytest.raises(InstanceError, match=r"nodes\[0\].slots: Expected `int`"):
        DecompositionInstance("x", (Node("n", "device", 1.0, 1.0, 1.0, slots="3"),), ())  # type: ignore[arg-type]
