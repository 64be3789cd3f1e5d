"""Built-in models, from their published configurations.

``published_parameters`` is the total on the model card or in its weight files; the tests hold
`TransformerModel.parameters` against it, number for number.
"""

from edgeopt.system._validation import pick
from edgeopt.system.families import build
from edgeopt.system.transformer import TransformerModel


def _bloom(name: str, layers: int, hidden: int, heads: int, published: int) -> TransformerModel:
    return build(
        "bloom", name, layers=layers, hidden=hidden, heads=heads, vocabulary=250_880,
        published_parameters=published,
    )  # fmt: skip


def _opt(name: str, layers: int, hidden: int, heads: int, published: int) -> TransformerModel:
    return build(
        "opt", name, layers=layers, hidden=hidden, heads=heads, vocabulary=50_272, context=2048,
        published_parameters=published,
    )  # fmt: skip


def _gpt2(name: str, layers: int, hidden: int, heads: int, published: int) -> TransformerModel:
    return build(
        "gpt2", name, layers=layers, hidden=hidden, heads=heads, vocabulary=50_257, context=1024,
        published_parameters=published,
    )  # fmt: skip


def _modern(
    family: str, name: str, layers: int, hidden: int, heads: int, kv_heads: int, ffn: int,
    vocabulary: int, published: int, *, tied: bool | None = None, head_dim: int | None = None,
) -> TransformerModel:  # fmt: skip
    return build(
        family, name, layers=layers, hidden=hidden, heads=heads, kv_heads=kv_heads, ffn=ffn,
        vocabulary=vocabulary, tied_embeddings=tied, head_dim=head_dim, published_parameters=published,
    )  # fmt: skip


# fmt: off
_ENTRIES = (
    # Table I of the paper is bloom-3b, bloom-7b1 and opt-13b.
    _bloom("bloom-560m", 24, 1024, 16, 559_214_592),
    _bloom("bloom-1b1", 24, 1536, 16, 1_065_314_304),
    _bloom("bloom-1b7", 24, 2048, 16, 1_722_408_960),
    _bloom("bloom-3b", 30, 2560, 32, 3_002_557_440),
    _bloom("bloom-7b1", 30, 4096, 32, 7_069_016_064),
    _opt("opt-125m", 12, 768, 12, 125_239_296),
    _opt("opt-1.3b", 24, 2048, 32, 1_315_758_080),
    _opt("opt-2.7b", 32, 2560, 32, 2_651_596_800),
    _opt("opt-6.7b", 32, 4096, 32, 6_658_473_984),
    _opt("opt-13b", 40, 5120, 40, 12_853_473_280),
    _gpt2("gpt2", 12, 768, 12, 124_439_808),
    _gpt2("gpt2-medium", 24, 1024, 16, 354_823_168),
    _gpt2("gpt2-large", 36, 1280, 20, 774_030_080),
    _gpt2("gpt2-xl", 48, 1600, 25, 1_557_611_200),
    _modern("llama", "llama-2-7b", 32, 4096, 32, 32, 11008, 32_000, 6_738_415_616),
    _modern("llama", "llama-2-13b", 40, 5120, 40, 40, 13824, 32_000, 13_015_864_320),
    _modern("llama", "llama-2-70b", 80, 8192, 64, 8, 28672, 32_000, 68_976_648_192),
    _modern("llama", "llama-3.1-8b", 32, 4096, 32, 8, 14336, 128_256, 8_030_261_248),
    _modern("llama", "llama-3.1-70b", 80, 8192, 64, 8, 28672, 128_256, 70_553_706_496),
    _modern("llama", "llama-3.2-1b", 16, 2048, 32, 8, 8192, 128_256, 1_235_814_400, tied=True),
    _modern("llama", "llama-3.2-3b", 28, 3072, 24, 8, 8192, 128_256, 3_212_749_824, tied=True),
    _modern("llama", "tinyllama-1.1b", 22, 2048, 32, 4, 5632, 32_000, 1_100_048_384),
    _modern("mistral", "mistral-7b", 32, 4096, 32, 8, 14336, 32_000, 7_241_732_096),
    _modern("qwen2", "qwen2.5-0.5b", 24, 896, 14, 2, 4864, 151_936, 494_032_768, tied=True),
    _modern("qwen2", "qwen2.5-1.5b", 28, 1536, 12, 2, 8960, 151_936, 1_543_714_304, tied=True),
    _modern("qwen2", "qwen2.5-3b", 36, 2048, 16, 2, 11008, 151_936, 3_085_938_688, tied=True),
    _modern("qwen2", "qwen2.5-7b", 28, 3584, 28, 4, 18944, 152_064, 7_615_616_512),
    _modern("qwen2", "qwen2.5-14b", 48, 5120, 40, 8, 13824, 152_064, 14_770_033_664),
    _modern("qwen2", "qwen2.5-32b", 64, 5120, 40, 8, 27648, 152_064, 32_763_876_352),
    _modern("phi3", "phi-3-mini", 32, 3072, 32, 32, 8192, 32_064, 3_821_079_552),
    _modern("gemma2", "gemma-2-2b", 26, 2304, 8, 4, 9216, 256_000, 2_614_341_888, head_dim=256),
    _modern("gemma3_text", "gemma-3-1b", 26, 1152, 4, 1, 6912, 262_144, 999_885_952, head_dim=256),
)
# fmt: on

MODELS: dict[str, TransformerModel] = {model.name: model for model in _ENTRIES}
"""All built-in models by name."""


def lookup(name: str) -> TransformerModel:
    """Return the built-in model of that name, ignoring case.

    Raises
    ------
    UnknownNameError
        If there is none; the message suggests near names.
    """
    return pick("model", MODELS, name)
