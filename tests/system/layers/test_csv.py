"""Layer tables from CSV: every spelling of the columns, exact numbers, and every complaint."""

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import InstanceError
from edgeopt.system.layers.catalogue import image_layers
from edgeopt.system.layers.csv import read_layers

GOOD = "layer,bits,flop_per_sample\nstem,8,100\nhead,16,0\n"


def write(folder: Path, text: str, name: str = "net.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plain_table(tmp_path: Path) -> None:
    table = read_layers(write(tmp_path, GOOD))
    assert (table.name, table.names, table.bits, table.flop_per_sample) == ("net", ("stem", "head"), (8, 16), (100, 0))
    assert table.overhead_s == ()
    assert read_layers(str(write(tmp_path, GOOD)), "mine").name == "mine"


@pytest.mark.parametrize(
    ("text", "bits", "flop"),
    [
        ("layer,bytes,flop_per_sample\na,3,5\n", 24, 5),
        ("layer,parameters,flop_per_sample\na,3,5\n", 12, 5),
        ("layer,bits,mac_per_sample\na,3,5\n", 3, 10),
        ("mac_per_sample,bits,layer\n2.25,1.5,a\n", 2, 5),
        ('layer, "bits",flop_per_sample\na, "3",5\n', 3, 5),
        ("layer,bits,flop_per_sample\na,1.6e3,1.2E9\n", 1600, 1_200_000_000),
        ("layer,bytes,flop_per_sample\na,.3,+7.\n", 3, 7),
        ('\ufeff# a remark, with "quotes"\n\n layer , bits,flop_per_sample\r\n\n"a", 3 ,5\n#end\n,,\n', 3, 5),
    ],
)
def test_spellings(tmp_path: Path, text: str, bits: int, flop: int) -> None:
    table = read_layers(write(tmp_path, text), bits_per_parameter=4)
    assert (table.names, table.bits, table.flop_per_sample) == (("a",), (bits,), (flop,))


def test_overheads(tmp_path: Path) -> None:
    table = read_layers(write(tmp_path, "layer,bits,flop_per_sample,overhead_s\na,1,2,0.1\nb,1,2,1e-6\n"))
    assert table.overhead_s == (0.1, 1e-6)


@pytest.mark.parametrize("bits", [16, 4.5])
def test_a_written_table_reads_back(tmp_path: Path, bits: float) -> None:
    table = image_layers("mobilenet_v3_small", bits_per_parameter=bits)
    rows = zip(table.names, table.bits, table.flop_per_sample, strict=True)
    text = "layer,bits,flop_per_sample\n" + "".join(f"{name},{size},{work}\n" for name, size, work in rows)
    assert read_layers(write(tmp_path, text), table.name) == table


@given(
    numbers=st.lists(
        st.tuples(
            st.decimals(0, 10**12, places=3, allow_nan=False).filter(bool),
            st.decimals(0, 10**15, places=5, allow_nan=False),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_numbers_are_exact_and_rounded_up(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[Decimal, Decimal]]
) -> None:
    text = "layer,bytes,mac_per_sample\n" + "".join(
        f"{index},{size:f},{work:E}\n" for index, (size, work) in enumerate(numbers)
    )
    table = read_layers(write(tmp_path_factory.mktemp("csv"), text))
    assert table.bits == tuple(math.ceil(8 * Fraction(size)) for size, _ in numbers)
    assert table.flop_per_sample == tuple(math.ceil(2 * Fraction(work)) for _, work in numbers)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; give a header"),
        ("\n# only a remark\n", "the file is empty"),
        ("\nlayer,bits,flop_per_sample\n", "no layer below the header of line 2; give a row a layer"),
        ("a,8,100\nb,16,0\n", "line 1: column 1 is 'a'; known columns: layer, bits, bytes"),
        ("layer,bits,flop_per_sample,\na,1,1,\n", "line 1: column 4 is ''"),
        ("layer,bits,flop_per_sample,bits\na,1,1,1\n", "line 1: column 4 is 'bits' once more"),
        ("bits,flop_per_sample\n1,1\n", "line 1: the column 'layer' is missing"),
        ("layer,flop_per_sample\na,1\n", "has none of the columns bits, bytes, parameters; give exactly one"),
        ("layer,bits,bytes,flop_per_sample\na,1,1,1\n", "has bits and bytes of the columns .* exactly one"),
        ("layer,bits\na,1\n", "has none of the columns flop_per_sample, mac_per_sample"),
        ("layer,bits,flop_per_sample\na,1\n", "line 2 has 2 fields, the header 3; give one a column"),
        ("layer,bits,flop_per_sample\na,1,2,3\n", "line 2 has 4 fields"),
        ("layer,bits,flop_per_sample\n\n,1,2\n", "line 3: layer = '' is empty; name the layer"),
        ("layer,bits,flop_per_sample\na,1,2\nb,1,2\na,1,2\n", "line 4: layer = 'a' is also on line 2; rename"),
        ("layer,bits,flop_per_sample\na,-1,2\n", r"line 2: bits = '-1' \(bit\) must be a number >= 0, .* correct bits"),
        ("layer,bytes,flop_per_sample\na,x,2\n", r"line 2: bytes = 'x' \(byte\)"),
        ("layer,bits,flop_per_sample\na,1,nan\n", r"line 2: flop_per_sample = 'nan' \(FLOP per sample\)"),
        ("layer,bits,mac_per_sample\na,1,inf\n", r"line 2: mac_per_sample = 'inf' \(MAC per sample\)"),
        ("layer,bits,flop_per_sample\na,,2\n", "line 2: bits = ''"),
        ("layer,bits,flop_per_sample\na,1e100,2\n", "line 2: bits = '1e100'"),
        ("layer,bits,flop_per_sample\na,1_0,2\n", "line 2: bits = '1_0'"),
        ("layer,bits,flop_per_sample\na,٣,2\n", "line 2: bits = '٣'"),
        ("layer,bits,flop_per_sample,overhead_s\na,1,2,-0.5\n", r"line 2: overhead_s = '-0.5' \(s\)"),
        ("layer,parameters,flop_per_sample\na,1.5,2\n", r"line 2: parameters = '1.5' \(count\) must be whole"),
        ("layer,bits,flop_per_sample\na,0,2\n", r"all bits are 0 \(bit\)"),
        ("layer,bits,flop_per_sample\na,1e19,2\n", r"bits sums to 1\d* \(bit\)"),
        ('layer,bits,flop_per_sample\n"a"b,1,2\n', "line 2: not CSV"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InstanceError, match=message) as caught:
        read_layers(path)
    assert str(path) in str(caught.value)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_bytes(GOOD.replace("stem", "st\xe4m").encode("latin-1"))
    with pytest.raises(InstanceError, match=r"net.csv: not UTF-8 at byte 29; save the table as UTF-8"):
        read_layers(path)


def test_an_absent_file_is_no_instance_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_layers(tmp_path / "absent.csv")


def test_bad_bits_per_parameter_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "layer,parameters,flop_per_sample\na,3,5\n")
    with pytest.raises(InstanceError, match="bits_per_parameter = 0"):
        read_layers(path, bits_per_parameter=0)
