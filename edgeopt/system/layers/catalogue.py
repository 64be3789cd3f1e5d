"""Networks by name: image classifiers as torchvision has them, language models as in `edgeopt.system.catalogue`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import SupportsIndex

from edgeopt.system._validation import pick
from edgeopt.system.catalogue import lookup
from edgeopt.system.layers.convolution import PIXELS
from edgeopt.system.layers.mobilenet import mobilenet_v1, mobilenet_v2, mobilenet_v3
from edgeopt.system.layers.resnet import resnet
from edgeopt.system.layers.table import DEFAULT_BITS_PER_PARAMETER, Granularity, Layer, Layers, tabulate
from edgeopt.system.layers.transformer import decoder_layers
from edgeopt.system.layers.vgg import vgg
from edgeopt.system.layers.vit import vit


@dataclass(frozen=True)
class ImageModel:
    """An image classifier on the 1000 classes of ImageNet.

    Parameters
    ----------
    layers : callable
        Takes ``resolution`` (pixel), returns the layers.
    accuracy : float
        Top-1 accuracy on ImageNet at 224 pixels (fraction, no unit): torchvision's ``IMAGENET1K_V1`` weights, the first
        published for each network; MobileNet V1 from its paper, table 8; ViT-H/14 the linear SWAG weights.
    """

    layers: Callable[..., Sequence[Layer]]
    accuracy: float


_18, _34, _50, _101, _152 = (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)
_basic, _deep = partial(resnet, bottleneck=False), partial(resnet, bottleneck=True)
_11, _13, _16, _19 = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
_base = partial(vit, depth=12, hidden=768, mlp=3072)
_large = partial(vit, depth=24, hidden=1024, mlp=4096)

IMAGE_MODELS: dict[str, ImageModel] = {
    "resnet18": ImageModel(partial(_basic, _18), 0.69758),
    "resnet34": ImageModel(partial(_basic, _34), 0.73314),
    "resnet50": ImageModel(partial(_deep, _50), 0.7613),
    "resnet101": ImageModel(partial(_deep, _101), 0.77374),
    "resnet152": ImageModel(partial(_deep, _152), 0.78312),
    "wide_resnet50_2": ImageModel(partial(_deep, _50, group_width=128), 0.78468),
    "wide_resnet101_2": ImageModel(partial(_deep, _101, group_width=128), 0.78848),
    "resnext50_32x4d": ImageModel(partial(_deep, _50, groups=32, group_width=4), 0.77618),
    "resnext101_32x8d": ImageModel(partial(_deep, _101, groups=32, group_width=8), 0.79312),
    "resnext101_64x4d": ImageModel(partial(_deep, _101, groups=64, group_width=4), 0.83246),
    "vgg11": ImageModel(partial(vgg, _11), 0.6902),
    "vgg13": ImageModel(partial(vgg, _13), 0.69928),
    "vgg16": ImageModel(partial(vgg, _16), 0.71592),
    "vgg19": ImageModel(partial(vgg, _19), 0.72376),
    "vgg11_bn": ImageModel(partial(vgg, _11, batch_norm=True), 0.7037),
    "vgg13_bn": ImageModel(partial(vgg, _13, batch_norm=True), 0.71586),
    "vgg16_bn": ImageModel(partial(vgg, _16, batch_norm=True), 0.7336),
    "vgg19_bn": ImageModel(partial(vgg, _19, batch_norm=True), 0.74218),
    "mobilenet_v1": ImageModel(mobilenet_v1, 0.706),
    "mobilenet_v2": ImageModel(mobilenet_v2, 0.71878),
    "mobilenet_v3_large": ImageModel(partial(mobilenet_v3, "large"), 0.74042),
    "mobilenet_v3_small": ImageModel(partial(mobilenet_v3, "small"), 0.67668),
    "vit_b_16": ImageModel(partial(_base, patch=16), 0.81072),
    "vit_b_32": ImageModel(partial(_base, patch=32), 0.75912),
    "vit_l_16": ImageModel(partial(_large, patch=16), 0.79662),
    "vit_l_32": ImageModel(partial(_large, patch=32), 0.76972),
    "vit_h_14": ImageModel(partial(vit, patch=14, depth=32, hidden=1280, mlp=5120), 0.85708),
}
"""The image classifiers by name."""


def image_layers(
    name: str,
    *,
    bits_per_parameter: int | float | Fraction = DEFAULT_BITS_PER_PARAMETER,
    resolution: int = PIXELS,
    granularity: Granularity = "layer",
) -> Layers:
    """Return the layer table of an image classifier; a sample is one image.

    Parameters
    ----------
    name : str
        A key of `IMAGE_MODELS`, ignoring case.
    bits_per_parameter : int, float or Fraction
        Bits a parameter: 32 as published, 16 for FP16, 8 for INT8.
    resolution : int
        Height and width of the image (pixel), >= 32; a vision transformer wants a multiple of its patch.
    granularity : {"layer", "block"}
        Whether a row is a layer or a block.

    Raises
    ------
    UnknownNameError
        If there is no such network; the message suggests near names.
    InstanceError
        If an option is outside its range.
    """
    model = pick("image model", IMAGE_MODELS, name)
    return tabulate(
        name.lower(),
        model.layers(resolution=resolution),
        bits_per_parameter=bits_per_parameter,
        granularity=granularity,
    )


def language_layers(
    name: str,
    *,
    prompt_tokens: SupportsIndex,
    output_tokens: SupportsIndex = 1,
    bits_per_parameter: int | float | Fraction = DEFAULT_BITS_PER_PARAMETER,
) -> Layers:
    """Return the layer table of a built-in language model; a sample is one request.

    Parameters and errors are those of `edgeopt.system.layers.transformer.decoder_layers`, and of
    `edgeopt.system.catalogue.lookup` for the name.
    """
    return decoder_layers(
        lookup(name),
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        bits_per_parameter=bits_per_parameter,
    )
