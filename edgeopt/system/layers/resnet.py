"""ResNet, Wide ResNet and ResNeXt (He et al. 2016; Zagoruyko and Komodakis 2016; Xie et al. 2017)."""

from collections.abc import Iterator, Sequence

from edgeopt.system.layers.convolution import CLASSES, PIXELS, Convolution, check_resolution, fully_connected, shrunk

_STEM = 64
_BOTTLENECK_EXPANSION = 4


def resnet(
    blocks: Sequence[int],
    *,
    bottleneck: bool,
    groups: int = 1,
    group_width: int = 64,
    stride_first: bool = False,
    resolution: int = PIXELS,
) -> list[Convolution]:
    """Return the layers of a residual network; the shortcut of a block comes after its main path.

    Parameters
    ----------
    blocks : sequence of int
        Residual blocks in each of the stages (count).
    bottleneck : bool
        Whether a block is 1 x 1, 3 x 3, 1 x 1 instead of 3 x 3, 3 x 3.
    groups, group_width : int
        Groups of the 3 x 3 convolutions of bottlenecks and channels of a group in the first stage (ResNeXt); a wide
        network has one group of twice the width.
    stride_first : bool
        Whether the first 1 x 1 convolution of a bottleneck has the stride, as in the paper of 2016, and not the 3 x 3
        one, as in torchvision.
    resolution : int
        Height and width of the image (pixel), >= 32.

    Raises
    ------
    InstanceError
        If the image is too small.
    """
    check_resolution("resnet", resolution)
    stem = Convolution(name="conv1", block="conv1", size=resolution, channels=3, filters=_STEM, kernel=7, stride=2)
    layers = [stem]
    size, channels = shrunk(stem.output_size, 2), _STEM  # a 3 x 3 maximum pooling of stride 2
    for stage, count in enumerate(blocks):
        planes = _STEM << stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            name = f"layer{stage + 1}.{index}"
            if bottleneck:
                width = planes * group_width // _STEM * groups
                strides = (stride, 1) if stride_first else (1, stride)
                layers += _bottleneck(name, size, channels, width, planes * _BOTTLENECK_EXPANSION, strides, groups)
            else:
                layers += _basic(name, size, channels, planes, stride)
            filters = layers[-1].filters
            if channels != filters:  # so it is wherever the stride is 2
                layers.append(
                    Convolution(
                        name=f"{name}.downsample",
                        block=name,
                        size=size,
                        channels=channels,
                        filters=filters,
                        stride=stride,
                    )
                )
            size, channels = shrunk(size, stride), filters
    return [*layers, fully_connected("fc", channels, CLASSES)]


def _basic(block: str, size: int, channels: int, planes: int, stride: int) -> Iterator[Convolution]:
    first = Convolution(
        name=f"{block}.conv1", block=block, size=size, channels=channels, filters=planes, kernel=3, stride=stride
    )
    yield first
    yield Convolution(
        name=f"{block}.conv2", block=block, size=first.output_size, channels=planes, filters=planes, kernel=3
    )


def _bottleneck(
    block: str, size: int, channels: int, width: int, filters: int, strides: tuple[int, int], groups: int
) -> Iterator[Convolution]:
    reduce = Convolution(
        name=f"{block}.conv1", block=block, size=size, channels=channels, filters=width, stride=strides[0]
    )
    middle = Convolution(
        name=f"{block}.conv2", block=block, size=reduce.output_size, channels=width, filters=width, kernel=3,
        stride=strides[1], groups=groups,
    )  # fmt: skip
    yield from (reduce, middle)
    yield Convolution(name=f"{block}.conv3", block=block, size=middle.output_size, channels=width, filters=filters)
