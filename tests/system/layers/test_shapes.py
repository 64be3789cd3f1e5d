"""Layers one by one against the shapes that simulators of accelerators publish; skipped where the files are absent."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from edgeopt.errors import InstanceError
from edgeopt.system.catalogue import lookup
from edgeopt.system.layers.catalogue import image_layers
from edgeopt.system.layers.convolution import Convolution
from edgeopt.system.layers.mobilenet import mobilenet_v1
from edgeopt.system.layers.resnet import resnet
from edgeopt.system.layers.transformer import decoder_layers
from edgeopt.system.layers.vgg import vgg

SHARED = Path(__file__).parents[4] / "shared" / "data" / "layers"
SCALESIM, MAESTRO = SHARED / "scalesim", SHARED / "maestro"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the published layer shapes are not here")

BLOCKS_50 = (3, 4, 6, 3)


class Shape(NamedTuple):
    size: int
    kernel: int
    channels: int
    filters: int
    stride: int


def scalesim(file: str) -> dict[str, Shape]:
    """Shapes by name: square input, square filter, channels, filters (1 where depthwise), stride."""
    with (SCALESIM / file).open(encoding="utf-8-sig", newline="") as lines:
        rows = [[field.strip() for field in row] for row in csv.reader(lines)][1:]
    found = {}
    for name, *fields in rows:
        if name:
            height, width, kernel, kernel_width, channels, filters, stride = map(int, fields[:7])
            assert (height, kernel) == (width, kernel_width)
            found[name] = Shape(height, kernel, channels, filters, stride)
    return found


def maestro(file: str) -> dict[str, tuple[Shape, int]]:
    """Shape and groups by name, without the additions of residual blocks."""
    text = (MAESTRO / file).read_text(encoding="utf-8")
    found = {}
    for name, body in re.findall(r"Layer\s+(\w+)\s*\{(.*?)\n\s*\}", text, flags=re.DOTALL):
        if name.endswith("Residual"):
            continue
        stride = re.search(r"Stride\s*\{\s*X:\s*(\d+)", body)
        numbers = re.search(r"Dimensions\s*\{(.*?)\}", body)
        assert numbers is not None
        d = {key: int(value) for key, value in re.findall(r"([A-Z]):?\s*(\d+)", numbers[1])}
        assert (d["R"], d["Y"]) == (d["S"], d["X"])
        assert name not in found
        shape = Shape(d["Y"], d["R"], d["C"], d["K"], int(stride[1]) if stride else 1)
        found[name] = (shape, d.get("G", 1))
    return found


def shape(layer: Convolution) -> Shape:
    filters = 1 if layer.groups == layer.channels > 1 else layer.filters
    return Shape(layer.size, layer.kernel, layer.channels, filters, layer.stride)


def macs(shape: Shape, *, depthwise: bool = False) -> int:
    """Multiply-accumulates, from the shape alone."""
    filters = 1 if depthwise else shape.filters
    output = (shape.size + 2 * (shape.kernel // 2) - shape.kernel) // shape.stride + 1
    return output**2 * shape.kernel**2 * shape.channels * filters


@needs_shared
@pytest.mark.parametrize(
    ("file", "build"),
    [
        ("Resnet18.csv", lambda: resnet((2, 2, 2, 2), bottleneck=False)),
        ("Resnet50.csv", lambda: resnet(BLOCKS_50, bottleneck=True, stride_first=True)),
    ],
)
def test_residual_networks_of_scalesim(file: str, build: Callable[[], Sequence[Convolution]]) -> None:
    """Layer by layer, in order. The file's ResNet-50 has the stride in the first convolution, as the paper of 2016."""
    published, layers = list(scalesim(file).values()), build()
    assert [shape(layer) for layer in layers] == published
    assert [layer.macs for layer in layers] == [macs(row) for row in published]
    assert [layer.weights for layer in layers] == [row.kernel**2 * row.channels * row.filters for row in published]


@needs_shared
def test_torchvisions_resnet50_in_scalesim() -> None:
    """`transformer_fwd.csv` is, in spite of its name, a ResNet-50 with the stride in the 3 x 3 convolution.

    Its shortcuts come first in their block, and all its strides say 1, though the sizes of the next inputs shrink.
    """
    published = scalesim("transformer_fwd.csv")
    names = list(published)
    for name in [name for name in names if name.endswith("_1_conv4")]:
        names.remove(name)
        names.insert(names.index(name.replace("conv4", "conv3")) + 1, name)
    layers = resnet(BLOCKS_50, bottleneck=True)
    assert [shape(layer)[:4] for layer in layers] == [published[name][:4] for name in names]
    assert {row.stride for row in published.values()} == {1}


@needs_shared
def test_mobilenet_v1_of_scalesim() -> None:
    """Conv26 repeats the slip of the paper's table 1: stride 2, though its 7 x 7 output is the next one's input."""
    published = list(scalesim("mobilenet.csv").values())
    assert (published[25].size, published[25].stride, published[26].size) == (7, 2, 7)
    published[25] = published[25]._replace(stride=1)
    layers = mobilenet_v1()[:-1]
    assert [shape(layer) for layer in layers] == published
    assert [layer.macs for layer in layers] == [macs(row, depthwise=row.filters == 1) for row in published]


@needs_shared
def test_vgg16_of_maestro() -> None:
    published = [row for row, _ in maestro("vgg16_model.m").values()]
    layers = vgg((2, 2, 3, 3, 3))[:-3]  # the file ends with the convolutions
    assert [shape(layer) for layer in layers] == published
    assert [layer.macs for layer in layers] == [macs(row) for row in published]


@needs_shared
@pytest.mark.parametrize(("file", "groups", "width"), [("Resnet50_model.m", 1, 64), ("ResNeXt50_model.m", 32, 4)])
def test_residual_networks_of_maestro(file: str, groups: int, width: int) -> None:
    """Layer by layer without the shortcuts, which the files count as additions, and with their slips named."""
    layers = resnet(BLOCKS_50, bottleneck=True, groups=groups, group_width=width, stride_first=True)
    layers = [layer for layer in layers if not layer.name.endswith("downsample")]
    published = maestro(file)
    slips = {f"CONV3_{block}_1": {"channels": 256} for block in (2, 3, 4)}  # the block before has 512 filters
    if groups > 1:
        slips["CONV1"] = {"kernel": 1}  # 7 in the paper, as in the other file
    slips["FC1000"] = {"size": 7, "kernel": 7}  # written as a convolution of what the average pooling takes in
    for layer, (name, (row, of)) in zip(layers, published.items(), strict=True):
        own = shape(layer)._replace(filters=layer.filters // layer.groups)
        assert (layer.groups, own._replace(**slips.get(name, {}))) == (of, row), name


@needs_shared
def test_a_block_of_gpt2_xl_in_scalesim() -> None:
    """The products of one block at 1,024 tokens; the file's feed-forward network is 3,072 wide and not 6,400."""
    with (SCALESIM / "gpt2.csv").open(encoding="utf-8", newline="") as lines:
        rows = {row[0]: [int(field) for field in row[1:4]] for row in list(csv.reader(lines))[1:]}
    model = lookup("gpt2-xl")
    work = {name: m * n * k for name, (m, n, k) in rows.items()}
    heads = model.heads * (work["QKT"] + work["QKTV"])
    matrices = sum(work[name] for name in ("Linear1", "Linear2", "PW-FF-L1", "PW-FF-L2"))
    narrow = msgspec.structs.replace(model, ffn=3072)
    assert decoder_layers(narrow, prompt_tokens=1024).flop_per_sample[1] == 2 * (heads + matrices)


def test_blocks_of_resnet18() -> None:
    table = image_layers("resnet18", granularity="block")
    assert table.names == (
        "conv1", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1", "fc",
    )  # fmt: skip
    # two 3 x 3 convolutions, the shortcut, and two numbers a channel in each normalisation
    assert table.bits[3] == 16 * (9 * 64 * 128 + 9 * 128 * 128 + 64 * 128 + 3 * 2 * 128)


def test_shortcuts_follow_the_main_path() -> None:
    names = image_layers("resnet50").names
    assert names[1:6] == ("layer1.0.conv1", "layer1.0.conv2", "layer1.0.conv3", "layer1.0.downsample", "layer1.1.conv1")
    assert sum(name.endswith("downsample") for name in names) == 4
    assert sum(name.endswith("downsample") for name in image_layers("resnet18").names) == 3


@pytest.mark.parametrize(
    ("name", "blocks", "first"),
    [
        ("mobilenet_v1", 13, ("features.1.depthwise", "features.1.project", "features.2.depthwise")),
        ("mobilenet_v2", 17, ("features.1.depthwise", "features.1.project", "features.2.expand")),
        ("mobilenet_v3_large", 15, ("features.1.depthwise", "features.1.project", "features.2.expand")),
        ("mobilenet_v3_small", 11, ("features.1.depthwise", "features.1.squeeze", "features.1.excite")),
    ],
)
def test_names_of_the_mobile_networks(name: str, blocks: int, first: tuple[str, ...]) -> None:
    assert image_layers(name).names[1:4] == first
    tail = ("classifier",) if name == "mobilenet_v1" else ("last", "classifier")
    if "v3" in name:
        tail = ("last", "classifier.0", "classifier.1")
    expected = ("stem", *(f"features.{index}" for index in range(1, blocks + 1)), *tail)
    assert image_layers(name, granularity="block").names == expected


def test_names_of_vgg() -> None:
    assert image_layers("vgg11").names[:4] == ("conv1_1", "conv2_1", "conv3_1", "conv3_2")
    stages = tuple(f"conv{stage}" for stage in range(1, 6))
    assert image_layers("vgg19_bn", granularity="block").names == (*stages, "fc1", "fc2", "fc3")
    with pytest.raises(InstanceError, match=r"convolutions = \(1, 1\) \(count\) has 2 stages; give 5"):
        vgg((1, 1))
