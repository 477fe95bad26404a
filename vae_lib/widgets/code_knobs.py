"""Code knobs: turn the units of a digit's code by hand."""

import anywidget
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets
from vae_lib.widgets._weights import inputs, pack_images, pack_networks

MOST_UNITS = 16  # more sliders than this is no figure any more


class CodeKnobs(anywidget.AnyWidget):
    """Pick a digit; one slider for each unit of its code; the decoded digit and its loss.

    The loss is the Bernoulli negative log-likelihood of the original, in nats, summed over its
    pixels. ``chosen`` and ``code`` are synced. Introduced in chapter 1.

    Args:
        encoder: network x [B, 784] -> code [B, D], or (mu | logvar) [B, 2D], of which mu is used.
        decoder: network code [B, D] -> logits [B, 784]; D at most 16.
        images: digits [N, 784] to pick from, as the encoder takes them.
        codes: codes [M, D] of held-out digits; they set how far each slider goes.

    Raises:
        TypeError: for a network with layers other than Linear and simple activations.
        ValueError: for networks, images or codes of the wrong shapes, or a D over 16.
    """

    _esm = _assets.module("code_knobs.js")
    _css = _assets.style()

    encoder = traitlets.List().tag(sync=True)
    encoder_weights = traitlets.Bytes().tag(sync=True)
    decoder = traitlets.List().tag(sync=True)
    decoder_weights = traitlets.Bytes().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)
    limits = traitlets.List().tag(sync=True)  # [low, high] of each unit
    chosen = traitlets.Int(0).tag(sync=True)
    code = traitlets.List().tag(sync=True)  # empty: the encoder's own

    def __init__(self, encoder: nn.Module, decoder: nn.Module, images: Tensor, codes: Tensor):
        super().__init__(
            **_networks(encoder, decoder), images=pack_images(images), limits=[[-1.0, 1.0]]
        )
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
