"""Draw a digit: the whole way from pixels to q(z|x), to z, and back to pixels."""

from collections.abc import Sequence

import anywidget
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets
from vae_lib.widgets._weights import (
    checked_extent,
    extent_of,
    pack_codes,
    pack_images,
    pack_labels,
    pack_networks,
)


class DrawDigit(anywidget.AnyWidget):
    """The reader draws x; the page shows μ and σ of q(z|x), a z = μ + σ ε, and what z decodes to.

    The drawing is fitted and centred as MNIST's digits were. ``image`` (784 bytes), ``eps``,
    ``mu``, ``logvar`` and ``z`` are synced, so Python can read them. Introduced in chapter 10.

    Args:
        encoder: network x [B, 784] -> (mu | logvar) [B, 4].
        decoder: network z [B, 2] -> logits [B, 784].
        samples: grey digits [N, 784] that the reader can load instead of drawing.
        codes: means [M, 2] of held-out digits, drawn as faint points.
        labels: classes [M] of those, which colour the points.
        extent: (x_min, x_max, y_min, y_max) of the latent plane; from the codes if absent.
        binarise: pixels become 0 or 1 at one half, as for a model of black-and-white digits.
        seed: of the draws of ε, which are the same at each reading of the page.

    Raises:
        TypeError: for a network with layers other than Linear and simple activations.
        ValueError: for networks, images, codes or labels of the wrong shapes.
    """

    _esm = _assets.module("draw_digit.js")
    _css = _assets.style()

    encoder = traitlets.List().tag(sync=True)
    encoder_weights = traitlets.Bytes().tag(sync=True)
    decoder = traitlets.List().tag(sync=True)
    decoder_weights = traitlets.Bytes().tag(sync=True)
    samples = traitlets.Bytes().tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
    extent = traitlets.List().tag(sync=True)
    binarise = traitlets.Bool(True).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    image = traitlets.Bytes().tag(sync=True)  # grey levels before binarisation
    eps = traitlets.List([0.0, 0.0]).tag(sync=True)
    mu = traitlets.List().tag(sync=True)
    logvar = traitlets.List().tag(sync=True)
    z = traitlets.List().tag(sync=True)

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        samples: Tensor,
        *,
        codes: Tensor | None = None,
        labels: Tensor | None = None,
        extent: Sequence[float] | None = None,
        binarise: bool = True,
        seed: int = 0,
    ):
        images = pack_images(samples, "samples")
        traits = pack_networks(encoder, decoder, (2,), latent=2) | _points(codes, extent)
        if labels is not None:
            traits["labels"] = pack_labels(labels, 0 if codes is None else len(codes))
        super().__init__(**traits, samples=images, image=images[:784], binarise=binarise, seed=seed)

    def update(self, encoder: nn.Module, decoder: nn.Module, codes: Tensor | None = None) -> None:
        """Show the networks as they are now, e.g. after an epoch; ``codes`` keep their labels."""
        traits = pack_networks(encoder, decoder, (2,), latent=2)
        if codes is not None:
            if self.labels and len(codes) != len(self.labels):
                raise ValueError(f"{len(codes)} codes for {len(self.labels)} labels")
            traits |= _points(codes, None)
        with self.hold_sync():  # one message, so that no view sees half of it
            for name, value in traits.items():
                setattr(self, name, value)


def _points(codes: Tensor | None, extent: Sequence[float] | None) -> dict:
    return {
        "codes": b"" if codes is None else pack_codes(codes),
        "extent": extent_of(codes, 3.0) if extent is None else checked_extent(extent),
    }
