"""VGG (Simonyan and Zisserman 2015)."""

from collections.abc import Sequence

from edgeopt.errors import InstanceError
from edgeopt.system.layers.convolution import CLASSES, PIXELS, Convolution, check_resolution, fully_connected

_WIDTHS = (64, 128, 256, 512, 512)
_POOLED = 7  # an adaptive pooling gives the classifier 7 x 7 pixels at every resolution
_HIDDEN = 4096


def vgg(convolutions: Sequence[int], *, batch_norm: bool = False, resolution: int = PIXELS) -> list[Convolution]:
    """Return the layers of a VGG network; a block is a stage between two poolings, or a fully connected layer.

    Parameters
    ----------
    convolutions : (5,) sequence of int
        3 x 3 convolutions in each stage (count).
    batch_norm : bool
        Whether a batch normalisation follows each convolution (and its bias).
    resolution : int
        Height and width of the image (pixel), >= 32.

    Raises
    ------
    InstanceError
        If the image is too small, or there are not five stages.
    """
    check_resolution("vgg", resolution)
    if len(convolutions) != len(_WIDTHS):
        raise InstanceError(
            f"network 'vgg': convolutions = {tuple(convolutions)} (count) has {len(convolutions)} stages; "
            f"give {len(_WIDTHS)}"
        )
    layers: list[Convolution] = []
    size, channels = resolution, 3
    for stage, (count, width) in enumerate(zip(convolutions, _WIDTHS, strict=True), start=1):
        for index in range(1, count + 1):
            layers.append(
                Convolution(
                    name=f"conv{stage}_{index}", block=f"conv{stage}", size=size, channels=channels, filters=width,
                    kernel=3, vectors=3 if batch_norm else 1,
                )
            )  # fmt: skip
            channels = width
        size //= 2
    return [
        *layers,
        fully_connected("fc1", channels * _POOLED**2, _HIDDEN),
        fully_connected("fc2", _HIDDEN, _HIDDEN),
        fully_connected("fc3", _HIDDEN, CLASSES),
    ]
