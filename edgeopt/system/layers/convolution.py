"""A convolution or fully connected layer: its parameters and multiply-accumulates from its shape."""

from dataclasses import dataclass

from edgeopt.system._validation import check_count

PIXELS = 224
"""Height and width of the images of ImageNet that published counts are for."""
CLASSES = 1000
"""Classes of ImageNet."""
LEAST_RESOLUTION = 32
"""The networks halve an image five times."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A square convolution with its bias or normalisation, padded so that only the stride shrinks the image.

    A fully connected layer is the 1 x 1 convolution of a 1 x 1 image.

    Parameters
    ----------
    name, block : str
        Name of the layer and of its block.
    size : int
        Height and width of the input (pixel).
    channels, filters : int
        Input and output channels (count).
    kernel : int
        Height and width of the kernel (pixel), odd.
    stride : int
        Step (pixel).
    groups : int
        Groups of channels that do not mix; divides `channels` and `filters`. All of them: depthwise.
    vectors : int
        Numbers a filter beside the kernel: 2 with a batch normalisation, 1 with a bias, 3 with both.
    """

    name: str
    block: str
    size: int
    channels: int
    filters: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    vectors: int = 2

    @property
    def output_size(self) -> int:
        """Height and width of the output (pixel)."""
        return shrunk(self.size, self.stride)

    @property
    def weights(self) -> int:
        """Entries of the kernels (count)."""
        return self.kernel**2 * (self.channels // self.groups) * self.filters

    @property
    def parameters(self) -> int:
        """Numbers to be sent (count)."""
        return self.weights + self.vectors * self.filters

    @property
    def macs(self) -> int:
        """Work (multiply-accumulates per sample)."""
        return self.weights * self.output_size**2


def shrunk(size: int, stride: int) -> int:
    """Return the height (pixel) that an odd, padded window leaves of an image at this stride."""
    return -(-size // stride)


def fully_connected(name: str, channels: int, filters: int) -> Convolution:
    """Return a fully connected layer with bias, a block of its own."""
    return Convolution(name=name, block=name, size=1, channels=channels, filters=filters, vectors=1)


def check_resolution(network: str, resolution: int) -> None:
    """Raise ``InstanceError`` unless the image is large enough for the network (pixel)."""
    check_count(f"network {network!r}", "resolution", resolution, "pixel", least=LEAST_RESOLUTION)
