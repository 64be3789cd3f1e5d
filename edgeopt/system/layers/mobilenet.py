"""MobileNet V1, V2 and V3 (Howard et al. 2017; Sandler et al. 2018; Howard et al. 2019)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edgeopt.system.layers.convolution import CLASSES, PIXELS, Convolution, check_resolution, fully_connected


class Bottleneck(NamedTuple):
    """An inverted residual block: expand 1 x 1, depthwise, (squeeze and excite), project 1 x 1."""

    kernel: int
    expanded: int
    filters: int
    squeeze: bool
    stride: int


_V1_POINTWISE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip

# Expansion factor, output channels, repeats, stride of the first: Table 2 of the paper.
_V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_V2_LAST = 1280

# Tables 1 and 2 of the paper; the classifier's hidden width comes with the first name.
_V3_BLOCKS = {
    "large": (
        Bottleneck(3, 16, 16, False, 1),
        Bottleneck(3, 64, 24, False, 2),
        Bottleneck(3, 72, 24, False, 1),
        Bottleneck(5, 72, 40, True, 2),
        Bottleneck(5, 120, 40, True, 1),
        Bottleneck(5, 120, 40, True, 1),
        Bottleneck(3, 240, 80, False, 2),
        Bottleneck(3, 200, 80, False, 1),
        Bottleneck(3, 184, 80, False, 1),
        Bottleneck(3, 184, 80, False, 1),
        Bottleneck(3, 480, 112, True, 1),
        Bottleneck(3, 672, 112, True, 1),
        Bottleneck(5, 672, 160, True, 2),
        Bottleneck(5, 960, 160, True, 1),
        Bottleneck(5, 960, 160, True, 1),
    ),
    "small": (
        Bottleneck(3, 16, 16, True, 2),
        Bottleneck(3, 72, 24, False, 2),
        Bottleneck(3, 88, 24, False, 1),
        Bottleneck(5, 96, 40, True, 2),
        Bottleneck(5, 240, 40, True, 1),
        Bottleneck(5, 240, 40, True, 1),
        Bottleneck(5, 120, 48, True, 1),
        Bottleneck(5, 144, 48, True, 1),
        Bottleneck(5, 288, 96, True, 2),
        Bottleneck(5, 576, 96, True, 1),
        Bottleneck(5, 576, 96, True, 1),
    ),
}
_V3_HIDDEN = {"large": 1280, "small": 1024}
_V3_STEM = 16


def mobilenet_v1(*, resolution: int = PIXELS) -> list[Convolution]:
    """Return the layers of MobileNet V1; a block is a depthwise convolution and the pointwise one after it.

    Parameters
    ----------
    resolution : int
        Height and width of the image (pixel), >= 32.

    Raises
    ------
    InstanceError
        If the image is too small.
    """
    layers = _stem("mobilenet_v1", resolution, 32)
    for index, (filters, stride) in enumerate(_V1_POINTWISE, start=1):
        layers += _residual(f"features.{index}", layers[-1], Bottleneck(3, layers[-1].filters, filters, False, stride))
    return [*layers, fully_connected("classifier", layers[-1].filters, CLASSES)]


def mobilenet_v2(*, resolution: int = PIXELS) -> list[Convolution]:
    """Return the layers of MobileNet V2 at width 1; a block is an inverted residual.

    Parameters and errors are those of `mobilenet_v1`.
    """
    layers = _stem("mobilenet_v2", resolution, 32)
    block = 0
    for factor, filters, repeats, first_stride in _V2_STAGES:
        for repeat in range(repeats):
            block += 1
            stride = 1 if repeat else first_stride
            shape = Bottleneck(3, layers[-1].filters * factor, filters, False, stride)
            layers += _residual(f"features.{block}", layers[-1], shape)
    layers.append(_pointwise("last", "last", layers[-1], _V2_LAST))
    return [*layers, fully_connected("classifier", _V2_LAST, CLASSES)]


def mobilenet_v3(variant: Literal["large", "small"], *, resolution: int = PIXELS) -> list[Convolution]:
    """Return the layers of MobileNet V3 at width 1; a block is an inverted residual.

    Parameters
    ----------
    variant : {"large", "small"}
        Which of the two networks.
    resolution : int
        Height and width of the image (pixel), >= 32.

    Raises
    ------
    InstanceError
        If the image is too small.
    """
    layers = _stem(f"mobilenet_v3_{variant}", resolution, _V3_STEM)
    for index, shape in enumerate(_V3_BLOCKS[variant], start=1):
        layers += _residual(f"features.{index}", layers[-1], shape)
    last = _pointwise("last", "last", layers[-1], _V3_BLOCKS[variant][-1].expanded)
    hidden = _V3_HIDDEN[variant]
    classifier = (
        fully_connected("classifier.0", last.filters, hidden),
        fully_connected("classifier.1", hidden, CLASSES),
    )
    return [*layers, last, *classifier]


def _stem(network: str, resolution: int, filters: int) -> list[Convolution]:
    check_resolution(network, resolution)
    return [Convolution(name="stem", block="stem", size=resolution, channels=3, filters=filters, kernel=3, stride=2)]


def _pointwise(name: str, block: str, before: Convolution, filters: int) -> Convolution:
    return Convolution(name=name, block=block, size=before.output_size, channels=before.filters, filters=filters)


def _residual(block: str, before: Convolution, shape: Bottleneck) -> Sequence[Convolution]:
    """The layers of a block; nothing is expanded where the width stays."""
    layers = []
    if shape.expanded != before.filters:
        before = _pointwise(f"{block}.expand", block, before, shape.expanded)
        layers.append(before)
    width = shape.expanded
    depthwise = Convolution(
        name=f"{block}.depthwise", block=block, size=before.output_size, channels=width, filters=width,
        kernel=shape.kernel, stride=shape.stride, groups=width,
    )  # fmt: skip
    layers.append(depthwise)
    if shape.squeeze:
        squeezed = _multiple_of_8(width // 4)
        layers += [
            Convolution(name=f"{block}.squeeze", block=block, size=1, channels=width, filters=squeezed, vectors=1),
            Convolution(name=f"{block}.excite", block=block, size=1, channels=squeezed, filters=width, vectors=1),
        ]
    return [*layers, _pointwise(f"{block}.project", block, depthwise, shape.filters)]


def _multiple_of_8(width: int) -> int:
    """The nearest multiple of 8, one more where that loses over a tenth (as in the published code)."""
    near = max(8, (width + 4) // 8 * 8)
    return near + 8 if 10 * near < 9 * width else near
