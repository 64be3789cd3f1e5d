"""The layers of a decoder-only language model: embedding, decoder blocks, head."""

import operator
from fractions import Fraction
from typing import SupportsIndex

from edgeopt.system._validation import check_count
from edgeopt.system.layers.table import DEFAULT_BITS_PER_PARAMETER, FLOP_PER_MAC, Layers, size_bits
from edgeopt.system.transformer import TransformerModel


def decoder_layers(
    model: TransformerModel,
    *,
    prompt_tokens: SupportsIndex,
    output_tokens: SupportsIndex = 1,
    bits_per_parameter: int | float | Fraction = DEFAULT_BITS_PER_PARAMETER,
) -> Layers:
    """Return the layers of a language model; a sample is one request, from its prompt to its last token.

    The prompt passes the blocks once, each of them as soon as it is there. A further token needs all of them, so the
    work of the autoregressive stage belongs to the last row. Work is that of eqs. (6) and (7), and that of the
    output matrix, once an output token. A head tied to the embedding brings no weights and belongs to the last block.

    Parameters
    ----------
    model : TransformerModel
        Shape of the model, see `edgeopt.system.catalogue` and `edgeopt.system.config`.
    prompt_tokens : int
        Prompt length ``s'`` (token), >= 1.
    output_tokens : int
        Output length ``n`` (token), >= 1; at 1 the task ends with the first token.
    bits_per_parameter : int, float or Fraction
        Bits a parameter, of all of them alike: 16 for FP16, 4.5 for 4-bit weights with a scale for 32.

    Returns
    -------
    Layers
        The sum of its bits is that of `TransformerModel.parameters`. `TransformerModel` does not keep the final norm
        apart from the positions; both are in the embedding, so the norm is sent earlier than it is needed.

    Raises
    ------
    InstanceError
        If a length is below 1, or `bits_per_parameter` is not finite and positive.
    TypeError
        If a length is not an integer.
    """
    owner = f"layers of {model.name!r}"
    prompt, output = operator.index(prompt_tokens), operator.index(output_tokens)
    check_count(owner, "prompt_tokens", prompt, "token")
    check_count(owner, "output_tokens", output, "token")
    vocabulary = model.vocabulary * model.hidden
    prefill = model.prefill_flops(prompt) // model.layers
    last_work = model.decode_flops(prompt, output) + FLOP_PER_MAC * output * vocabulary
    rows = [("embedding", vocabulary + model.outer_vectors, 0)]
    block = model.matrix_parameters_per_layer + model.layer_vectors
    rows += [(f"block.{index}", block, prefill) for index in range(model.layers)]
    if model.tied_embeddings:
        name, parameters, work = rows[-1]
        rows[-1] = (name, parameters, work + last_work)
    else:
        rows.append(("head", vocabulary, last_work))
    return Layers(
        name=model.name,
        names=tuple(name for name, _, _ in rows),
        bits=tuple(size_bits(owner, parameters, bits_per_parameter) for _, parameters, _ in rows),
        flop_per_sample=tuple(work for _, _, work in rows),
    )
