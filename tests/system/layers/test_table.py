"""The table: its checks, bits of any width, and blocks that keep the sums."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import InstanceError
from edgeopt.system.layers.catalogue import IMAGE_MODELS, image_layers
from edgeopt.system.layers.table import MOST_TOTAL, Counts, Layers, tabulate

GOOD: dict[str, Any] = {"name": "toy", "names": ("a", "b"), "bits": (8, 0), "flop_per_sample": (0, 3)}


def test_a_good_table() -> None:
    table = Layers(**GOOD)
    assert (len(table), table.total_bits, table.total_flop_per_sample, table.overhead_s) == (2, 8, 3, ())
    assert {table: "a key"}[Layers(**GOOD)]
    assert Layers(**{**GOOD, "overhead_s": (0.0, 1e-3)}).overhead_s == (0.0, 1e-3)
    assert Layers(**{**GOOD, "bits": (MOST_TOTAL, 0)}).total_bits == MOST_TOTAL


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "name = ' '"),
        ({"names": (), "bits": (), "flop_per_sample": ()}, "'toy': names is empty; give at least one layer"),
        ({"names": ("a", "a")}, r"names\[1\] = 'a' is also names\[0\]; rename"),
        ({"names": ("a", "")}, "layer 1: name = ''"),
        ({"bits": (8,)}, "bits has 1 values for 2 names"),
        ({"flop_per_sample": (1, 2, 3)}, "flop_per_sample has 3 values for 2 names"),
        ({"overhead_s": (1.0,)}, "overhead_s has 1 values for 2 names"),
        ({"bits": (8, -1)}, r"bits\[1\] = -1 \(bit\) must be an integer >= 0; correct"),
        ({"bits": (8.0, 1)}, r"bits\[0\] = 8.0 \(bit\)"),
        ({"bits": (True, 1)}, r"bits\[0\] = True \(bit\)"),
        ({"bits": (0, 0)}, r"all bits are 0 \(bit\)"),
        ({"bits": (MOST_TOTAL, 1)}, rf"bits sums to {2**63} \(bit\)"),
        ({"flop_per_sample": (MOST_TOTAL, 1)}, rf"flop_per_sample sums to {2**63} \(FLOP per sample\)"),
        ({"flop_per_sample": (0, -3)}, r"flop_per_sample\[1\] = -3 \(FLOP per sample\)"),
        ({"overhead_s": (0.0, -1.0)}, r"overhead_s\[1\] = -1.0 \(s\)"),
        ({"overhead_s": (math.nan, 1.0)}, r"overhead_s\[0\] = nan \(s\)"),
        ({"overhead_s": (math.inf, 1.0)}, r"overhead_s\[0\] = inf \(s\)"),
    ],
)
def test_a_bad_table_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        Layers(**{**GOOD, **change})


LAYERS = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**12), st.booleans()), min_size=1, max_size=12
).filter(lambda rows: any(parameters for parameters, _, _ in rows))


@given(rows=LAYERS, bits=st.fractions(Fraction(1, 10), 64))
def test_blocks_keep_the_sums_and_prefixes(rows: list[tuple[int, int, bool]], bits: Fraction) -> None:
    """Blocks are sums of runs of layers; sizes are rounded up, by less than one bit a row."""
    layers, block = [], 0
    for index, (parameters, macs, new) in enumerate(rows):
        block += new
        layers.append(Counts(f"layer {index}", f"block {block}", parameters, macs))
    exact = sum(layer.parameters for layer in layers) * bits
    for granularity in ("layer", "block"):
        table = tabulate("toy", layers, bits_per_parameter=bits, granularity=granularity)
        assert table.total_flop_per_sample == 2 * sum(layer.macs for layer in layers)
        assert exact <= table.total_bits < exact + len(table)
    assert table.names == tuple(dict.fromkeys(layer.block for layer in layers))
    for name, work in zip(table.names, table.flop_per_sample, strict=True):
        assert work == 2 * sum(layer.macs for layer in layers if layer.block == name)


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_blocks_of_every_network(name: str) -> None:
    fine, coarse = image_layers(name), image_layers(name, granularity="block")
    assert 3 <= len(coarse) < len(fine)
    assert (fine.total_bits, fine.total_flop_per_sample) == (coarse.total_bits, coarse.total_flop_per_sample)
    assert all(fine.bits)
    assert all(fine.flop_per_sample)


def test_a_float_of_bits_means_its_decimal() -> None:
    """0.1 * 10 numbers are one bit, though the double 0.1 is a little above 1/10."""
    assert tabulate("toy", [Counts("a", "a", 10, 1)], bits_per_parameter=0.1).bits == (1,)
    assert tabulate("toy", [Counts("a", "a", 3, 1)], bits_per_parameter=4.5).bits == (14,)


@pytest.mark.parametrize("bits", [0, -1, math.nan, math.inf, True, "16", Fraction(0), Fraction(-1, 2)])
def test_bad_bits_are_refused(bits: Any) -> None:
    with pytest.raises(InstanceError, match=r"layers of 'resnet18': bits_per_parameter = .*\(bit\)"):
        image_layers("resnet18", bits_per_parameter=bits)


def test_an_unknown_granularity_is_refused() -> None:
    with pytest.raises(InstanceError, match="granularity = 'stage' is unknown; choose 'layer' or 'block'"):
        image_layers("resnet18", granularity="stage")  # type: ignore[arg-type]


def test_a_scattered_block_is_refused() -> None:
    scattered = [Counts("1", "a", 1, 1), Counts("2", "b", 1, 1), Counts("3", "a", 1, 1)]
    with pytest.raises(InstanceError, match=r"names\[2\] = 'a' is also names\[0\]"):
        tabulate("toy", scattered, granularity="block")
