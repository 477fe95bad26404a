"""Ancestral sampling, step by step: draw z, decode it, draw the pixels."""

import numpy as np
import traitlets
from torch import nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import pack_decoder, probabilities


class AncestralSampling(_stills.TouchableFigure):
    """Walk down the graph z -> x: a point from p(z), its pixel probabilities, a digit from p(x|z).

    ``z`` and ``step`` (1: z is drawn, 2: decoded, 3: pixels drawn) are synced. Beside the pictures
    stand log p(z), log p(x|z) and their sum log p(x, z), in nats. Introduced in chapter 4.

    Args:
        decoder: network z [B, 2] -> logits [B, side²] of a square image.
        seed: of the draws of z and of the pixels.

    Raises:
        TypeError: for a decoder with layers other than Linear and simple activations.
        ValueError: for a decoder that does not go from 2 to a square number.
    """

    _esm = _assets.module("ancestral_sampling.js")

    decoder = traitlets.List().tag(sync=True)
    decoder_weights = traitlets.Bytes().tag(sync=True)
    z = traitlets.List([0.0, 0.0]).tag(sync=True)
    step = traitlets.Int(1).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    pixel_seed = traitlets.Int(0).tag(sync=True)

    def __init__(self, decoder: nn.Module, seed: int = 0):
        spec, weights = pack_decoder(decoder, "decoder", latent=2)
        super().__init__(decoder=spec, decoder_weights=weights, seed=seed, pixel_seed=seed)

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        told = ["z is drawn", "z is drawn and decoded", "z is drawn, decoded, and pixels are drawn"]
        where = "(" + ", ".join(f"{v:.2f}" for v in self.z) + ")"
        return (
            "Ancestral sampling in three steps: a point z from p(z), the probability of ink in "
            f"each pixel, black-and-white pixels. Here {told[self.step - 1]}; z = {where}."
        )

    def _draw(self):
        pi = probabilities(self.decoder, self.decoder_weights, self.z)
        x = np.random.default_rng(self.pixel_seed).random(len(pi)) < pi
        figure, (left, middle, right) = _stills.panels(1, 1, 1, height=210)
        _stills.plane(left, [-3.5, 3.5, -3.5, 3.5], ["$z_1$", "$z_2$"], "1. z from p(z)")
        _stills.ring(left)
        _stills.handle(left, self.z)
        _stills.digit(middle, pi * (self.step > 1), "2. decode to π")
        _stills.digit(right, x * (self.step > 2), "3. x from p(x|z)")
        return figure
