"""Vision transformers (Dosovitskiy et al. 2021)."""

from edgeopt.errors import InstanceError
from edgeopt.system._validation import check_count
from edgeopt.system.layers.convolution import CLASSES, PIXELS, check_resolution
from edgeopt.system.layers.table import Counts


def vit(*, patch: int, depth: int, hidden: int, mlp: int, resolution: int = PIXELS) -> list[Counts]:
    """Return the layers of a vision transformer; a block is an encoder block.

    Each of the four matrices of an encoder block is a layer; a normalisation goes with the matrix after it, the
    attention products with the matrix before them, the class token and the positions with the patch embedding. The
    number of heads changes neither parameters nor work.

    Parameters
    ----------
    patch : int
        Height and width of a patch (pixel); divides `resolution`.
    depth : int
        Encoder blocks (count).
    hidden, mlp : int
        Widths of the tokens and within the feed-forward network (count).
    resolution : int
        Height and width of the image (pixel), >= 32.

    Raises
    ------
    InstanceError
        If a count is below 1, the image is too small, or the patches do not tile it.
    """
    owner = "network 'vit'"
    for field, value, unit in (("patch", patch, "pixel"), ("depth", depth, "count"), ("hidden", hidden, "count"),
                               ("mlp", mlp, "count")):  # fmt: skip
        check_count(owner, field, value, unit)
    check_resolution("vit", resolution)
    if resolution % patch:
        raise InstanceError(
            f"{owner}: resolution = {resolution} (pixel) must be a multiple of patch = {patch} (pixel); "
            f"take {-(-resolution // patch) * patch}"
        )
    patches = (resolution // patch) ** 2
    tokens = patches + 1  # the class token
    projection = 3 * patch**2 * hidden
    norm = 2 * hidden
    layers = [Counts("conv_proj", "conv_proj", projection + hidden + hidden + tokens * hidden, patches * projection)]
    for index in range(depth):
        block = f"encoder.{index}"
        products = 2 * tokens**2 * hidden  # queries by keys, weights by values
        square, wide = hidden**2, hidden * mlp
        layers += [
            Counts(f"{block}.qkv", block, norm + 3 * (square + hidden), 3 * tokens * square + products),
            Counts(f"{block}.out", block, square + hidden, tokens * square),
            Counts(f"{block}.mlp1", block, norm + wide + mlp, tokens * wide),
            Counts(f"{block}.mlp2", block, wide + hidden, tokens * wide),
        ]
    # The head reads the class token alone.
    return [*layers, Counts("head", "head", norm + hidden * CLASSES + CLASSES, hidden * CLASSES)]
