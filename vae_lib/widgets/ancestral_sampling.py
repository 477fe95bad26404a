"""Ancestral sampling, step by step: draw z, decode it, draw the pixels."""

import anywidget
import traitlets
from torch import nn

from vae_lib.widgets import _assets
from vae_lib.widgets._weights import pack_decoder


class AncestralSampling(anywidget.AnyWidget):
    """Walk down the graph z -> x: a point from p(z), its pixel probabilities, a digit from p(x|z).

    ``z`` and ``step`` (1: z is drawn, 2: decoded, 3: pixels drawn) are synced. Beside the pictures
    stand log p(z), log p(x|z) and their sum log p(x, z), in nats. Introduced in chapter 4.

    Args:
        decoder: network z [B, 2] -> logits [B, 784].
        seed: of the draws of z and of the pixels.

    Raises:
        TypeError: for a decoder with layers other than Linear and simple activations.
        ValueError: for a decoder that is not 2 -> 784.
    """

    _esm = _assets.module("ancestral_sampling.js")
    _css = _assets.style()

    decoder = traitlets.List().tag(sync=True)
    decoder_weights = traitlets.Bytes().tag(sync=True)
    z = traitlets.List([0.0, 0.0]).tag(sync=True)
    step = traitlets.Int(1).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    pixel_seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: nn.Module, seed: int = 0):
        spec, weights = pack_decoder(decoder, "decoder", latent=2)
        super().__init__(decoder=spec, decoder_weights=weights, seed=seed, pixel_seed=seed)
