"""Every network against published totals: written here with their source, and torchvision's own file when present."""

import csv
from pathlib import Path

import pytest

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.system.layers.catalogue import IMAGE_MODELS, image_layers
from edgeopt.system.layers.vit import vit

SHARED = Path(__file__).parents[4] / "shared" / "data" / "models_torchvision" / "torchvision_published_meta.csv"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="torchvision's published numbers are not here")

# Parameters and 10^9 multiply-accumulates: torchvision documentation, "Models and pre-trained weights", columns Params
# and GFLOPS, with the parameters in full from the pages of the models.
PUBLISHED = {
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "resnet101": (44_549_160, 7.80),
    "resnet152": (60_192_808, 11.51),
    "wide_resnet50_2": (68_883_240, 11.40),
    "wide_resnet101_2": (126_886_696, 22.75),
    "resnext50_32x4d": (25_028_904, 4.23),
    "resnext101_32x8d": (88_791_336, 16.41),
    "resnext101_64x4d": (83_455_272, 15.46),
    "vgg11": (132_863_336, 7.61),
    "vgg13": (133_047_848, 11.31),
    "vgg16": (138_357_544, 15.47),
    "vgg19": (143_667_240, 19.63),
    "vgg11_bn": (132_868_840, 7.61),
    "vgg13_bn": (133_053_736, 11.31),
    "vgg16_bn": (138_365_992, 15.47),
    "vgg19_bn": (143_678_248, 19.63),
    # Keras documentation, "Trainable params" of MobileNet; 569 million multiply-adds in table 8 of its paper.
    "mobilenet_v1": (4_231_976, 0.57),
    "mobilenet_v2": (3_504_872, 0.30),
    "mobilenet_v3_large": (5_483_032, 0.22),
    "mobilenet_v3_small": (2_542_856, 0.06),
    "vit_b_16": (86_567_656, 17.56),
    "vit_b_32": (88_224_232, 4.41),
    "vit_l_16": (304_326_632, 61.55),
    "vit_l_32": (306_535_400, 15.38),
    "vit_h_14": (632_045_800, 167.29),  # 167.295 in the file of numbers, cut and not rounded in the table
}


@pytest.mark.parametrize(("name", "parameters", "gmacs"), [(name, *totals) for name, totals in PUBLISHED.items()])
@pytest.mark.parametrize("granularity", ["layer", "block"])
def test_published_totals(name: str, parameters: int, gmacs: float, granularity: str) -> None:
    table = image_layers(name, bits_per_parameter=1, granularity=granularity)
    assert table.total_bits == parameters
    assert table.total_flop_per_sample == pytest.approx(2e9 * gmacs, abs=2e9 * 0.0055)
    assert table.name == name


def test_every_entry_is_checked() -> None:
    assert set(IMAGE_MODELS) == set(PUBLISHED)


def test_counts_of_the_first_papers() -> None:
    """MobileNet V1, table 8: 569 million multiply-adds; MobileNet V3, table 3: 219 and 56 million, V2 300 million."""
    millions = {name: image_layers(name).total_flop_per_sample / 2e6 for name in IMAGE_MODELS if "mobilenet" in name}
    assert millions["mobilenet_v1"] == pytest.approx(569, abs=0.5)
    assert millions["mobilenet_v2"] == pytest.approx(300, rel=0.01)
    assert millions["mobilenet_v3_large"] == pytest.approx(219, rel=0.02)
    assert millions["mobilenet_v3_small"] == pytest.approx(56, rel=0.02)


def published_rows() -> dict[tuple[str, str], dict[str, str]]:
    with SHARED.open(encoding="utf-8", newline="") as file:
        return {(row["model"].lower(), row["weights"]): row for row in csv.DictReader(file)}


@needs_shared
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "mobilenet_v1"])
def test_totals_and_accuracy_of_the_published_file(name: str) -> None:
    weights = "IMAGENET1K_SWAG_LINEAR_V1" if name == "vit_h_14" else "IMAGENET1K_V1"
    row = published_rows()[name, weights]
    table = image_layers(name, bits_per_parameter=1)
    if row["num_params"]:  # left blank for MobileNet V2
        assert table.total_bits == int(row["num_params"])
    assert round(table.total_flop_per_sample / 2e9, 3) == float(row["gmacs_ops"])
    assert IMAGE_MODELS[name].accuracy * 100 == pytest.approx(float(row["acc1"]), abs=1e-9)


@needs_shared
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "mobilenet_v1"])
def test_size_of_the_published_weight_files(name: str) -> None:
    """32 bits a parameter, and 2 % for running statistics, names and rounding (the wide ones are kept in FP16)."""
    weights = "IMAGENET1K_SWAG_LINEAR_V1" if name == "vit_h_14" else "IMAGENET1K_V1"
    megabytes = float(published_rows()[name, weights]["file_size_mb"])
    bits = 16 if name.startswith("wide") else 32
    assert image_layers(name, bits_per_parameter=bits).total_bits / 8 / 2**20 == pytest.approx(megabytes, rel=0.02)


@needs_shared
@pytest.mark.parametrize(
    ("name", "resolution"), [("vit_b_16", 384), ("vit_l_16", 512), ("vit_h_14", 518), ("vit_b_16", 224)]
)
def test_other_resolutions(name: str, resolution: int) -> None:
    weights = "IMAGENET1K_V1" if resolution == 224 else "IMAGENET1K_SWAG_E2E_V1"
    row = published_rows()[name, weights]
    table = image_layers(name, bits_per_parameter=1, resolution=resolution)
    assert table.total_bits == int(row["num_params"])
    assert round(table.total_flop_per_sample / 2e9, 3) == float(row["gmacs_ops"])


@pytest.mark.parametrize("name", [name for name in IMAGE_MODELS if not name.startswith("vit")])
def test_resolution_changes_the_work_of_a_convolutional_network_alone(name: str) -> None:
    small, large = image_layers(name, resolution=224), image_layers(name, resolution=448)
    assert small.bits == large.bits
    before = [layer.macs for layer in IMAGE_MODELS[name].layers(resolution=224)]
    after = [layer.macs for layer in IMAGE_MODELS[name].layers(resolution=448)]
    ratios = {new / old for old, new in zip(before, after, strict=True)}
    assert ratios == {1.0, 4.0}  # what follows the global pooling, or squeezes, stays


def test_names_ignore_case_and_near_ones_are_suggested() -> None:
    assert image_layers("ResNet50") == image_layers("resnet50")
    with pytest.raises(UnknownNameError, match=r"image model 'resnet5' .*did you mean .*resnet50"):
        image_layers("resnet5")


@pytest.mark.parametrize(
    "name", ["resnet18", "vgg11", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "vit_b_16"]
)
@pytest.mark.parametrize("resolution", [16, 0, 32.0, True])
def test_a_bad_resolution_is_refused(name: str, resolution: int) -> None:
    with pytest.raises(InstanceError, match=r"resolution = .*\(pixel\) must be an integer >= 32"):
        image_layers(name, resolution=resolution)


@pytest.mark.parametrize("name", [name for name in IMAGE_MODELS if not name.startswith("vit")])
def test_the_least_resolution_works(name: str) -> None:
    assert all(image_layers(name, resolution=32).flop_per_sample)


def test_patches_must_tile_the_image() -> None:
    with pytest.raises(InstanceError, match=r"resolution = 100 \(pixel\) must be a multiple of patch = 16.*take 112"):
        image_layers("vit_b_16", resolution=100)
    with pytest.raises(InstanceError, match=r"must be a multiple of patch = 128 .*take 128"):
        vit(patch=128, depth=1, hidden=8, mlp=8, resolution=100)
    with pytest.raises(InstanceError, match=r"depth = 0 \(count\)"):
        vit(patch=16, depth=0, hidden=8, mlp=8)
