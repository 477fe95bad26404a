"""Code knobs: turn the units of a digit's code by hand."""

import numpy as np
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import inputs, outputs, pack_images, pack_networks, probabilities, run

MOST_UNITS = 16  # more sliders than this is no figure any more


class CodeKnobs(_stills.TouchableFigure):
    """Pick a digit; one slider for each unit of its code; the decoded digit and its loss.

    The loss is the Bernoulli negative log-likelihood of the original, in nats, summed over its
    pixels. ``chosen`` and ``code`` are synced. Introduced in chapter 1.

    Args:
        encoder: network x [B, pixels] -> code [B, D], or (mu | logvar) [B, 2D]: mu is used.
        decoder: network code [B, D] -> logits [B, pixels]; D at most 16.
        images: digits [N, pixels] to pick from, as the encoder takes them.
        codes: codes [M, D] of held-out digits; they set how far each slider goes.

    Raises:
        TypeError: for a network with layers other than Linear and simple activations.
        ValueError: for networks, images or codes of the wrong shapes, or a D over 16.
    """

    _esm = _assets.module("code_knobs.js")

    encoder = traitlets.List().tag(sync=True)
    encoder_weights = traitlets.Bytes().tag(sync=True)
    decoder = traitlets.List().tag(sync=True)
    decoder_weights = traitlets.Bytes().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)
    limits = traitlets.List().tag(sync=True)  # [low, high] of each unit
    chosen = traitlets.Int(0).tag(sync=True)
    code = traitlets.List().tag(sync=True)  # empty: the encoder's own

    def __init__(self, encoder: nn.Module, decoder: nn.Module, images: Tensor, codes: Tensor):
        traits = _networks(encoder, decoder)
        pixels = outputs(traits["decoder"])
        super().__init__(**traits, images=pack_images(images, pixels), limits=[[-1.0, 1.0]])
        units = inputs(self.decoder)
        if codes.ndim != 2 or codes.shape[1] != units or len(codes) < 2:
            raise ValueError(f"codes has shape {list(codes.shape)}, not [M, {units}] with M >= 2")
        self.limits = _limits(codes)

    def update(self, encoder: nn.Module, decoder: nn.Module) -> None:
        """Show the networks as they are now; the code goes back to the encoder's own."""
        with self.hold_sync():
            for name, value in _networks(encoder, decoder).items():
                setattr(self, name, value)
            self.code = []

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        return (
            f"Digit {self.chosen + 1} of the row, the image decoded from its code, and a bar for "
            f"each of the {len(self.limits)} units of that code."
        )

    def _draw(self):
        images = np.frombuffer(self.images, np.uint8).reshape(-1, outputs(self.decoder)) / 255
        x = images[self.chosen]
        units = range(1, len(self.limits) + 1)
        code = self.code or run(self.encoder, self.encoder_weights, x)[: len(units)]
        figure, (left, middle, right) = _stills.panels(1, 1, 1.4, height=210)
        _stills.digit(left, x, "original")
        _stills.digit(middle, probabilities(self.decoder, self.decoder_weights, code), "decoded")
        right.barh(units, code, color=_stills.POSTERIOR)
        right.axvline(0, color="black", linewidth=0.8)
        right.set(title="the code", ylabel="unit", yticks=units)
        right.invert_yaxis()
        return figure


def _networks(encoder: nn.Module, decoder: nn.Module) -> dict:
    traits = pack_networks(encoder, decoder, (1, 2))
    units = inputs(traits["decoder"])
    if units > MOST_UNITS:
        raise ValueError(f"the code has {units} units: this figure has room for {MOST_UNITS}")
    return traits


def _limits(codes: Tensor) -> list[list[float]]:
    """The range of each unit over the codes, and a tenth more on both sides."""
    low, high = codes.detach().float().cpu().aminmax(dim=0)
    margin = ((high - low) / 10).clamp_min(0.1)
    return [
        [round(float(a), 2), round(float(b), 2)]
        for a, b in zip(low - margin, high + margin, strict=True)
    ]
