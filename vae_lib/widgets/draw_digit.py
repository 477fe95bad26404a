"""Draw a digit: the whole way from pixels to q(z|x), to z, and back to pixels."""

from collections.abc import Sequence

import numpy as np
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import (
    checked_extent,
    extent_of,
    outputs,
    pack_codes,
    pack_images,
    pack_labels,
    pack_networks,
    probabilities,
    run,
)

PIXELS = 28 * 28  # of the board, which treats a drawing as MNIST's digits were treated


class DrawDigit(_stills.TouchableFigure):
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
        images = pack_images(samples, PIXELS, "samples")
        traits = _networks(encoder, decoder) | _points(codes, extent)
        if labels is not None:
            traits["labels"] = pack_labels(labels, 0 if codes is None else len(codes))
        super().__init__(
            **traits, samples=images, image=images[:PIXELS], binarise=binarise, seed=seed
        )

    def update(self, encoder: nn.Module, decoder: nn.Module, codes: Tensor | None = None) -> None:
        """Show the networks as they are now, e.g. after an epoch; ``codes`` keep their labels."""
        traits = _networks(encoder, decoder)
        if codes is not None:
            if self.labels and len(codes) != len(self.labels):
                raise ValueError(f"{len(codes)} codes for {len(self.labels)} labels")
            traits |= _points(codes, None)
        with self.hold_sync():  # one message, so that no view sees half of it
            for name, value in traits.items():
                setattr(self, name, value)

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        mu, sigma, _ = self._code()
        mean, std = (", ".join(f"{v:.2f}" for v in pair) for pair in (mu, sigma))
        return (
            f"A digit x; q(z|x) on the latent plane, with mean ({mean}) and standard deviations "
            f"({std}), among the codes of other digits; and the image decoded from z."
        )

    def _code(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """μ and σ of q(z|x), and the input x [784], from the image as it is now."""
        x = np.frombuffer(self.image, np.uint8) / 255
        x = np.round(x) if self.binarise else x
        mu, logvar = np.split(run(self.encoder, self.encoder_weights, x), 2)
        return mu, np.exp(logvar / 2), x

    def _draw(self):
        mu, sigma, x = self._code()
        z = mu + sigma * self.eps
        figure, (left, middle, right) = _stills.panels(1, 1.6, 1)
        _stills.digit(left, x, "x")
        _stills.plane(middle, self.extent, ["$z_1$", "$z_2$"], "q(z|x) on the latent plane")
        _stills.codes(middle, self.codes, self.labels)
        _stills.ring(middle)
        _stills.spread(middle, mu, sigma, _stills.RADIUS_95)
        middle.plot(*mu, "+", color="black", markersize=10)
        middle.plot(*z, "o", color=_stills.Q, markersize=4)
        _stills.digit(right, probabilities(self.decoder, self.decoder_weights, z), "decoded")
        return figure


def _networks(encoder: nn.Module, decoder: nn.Module) -> dict:
    traits = pack_networks(encoder, decoder, (2,), latent=2)
    if outputs(traits["decoder"]) != PIXELS:
        raise ValueError(
            f"decoder gives {outputs(traits['decoder'])} values: the board is of {PIXELS} pixels"
        )
    return traits


def _points(codes: Tensor | None, extent: Sequence[float] | None) -> dict:
    return {
        "codes": b"" if codes is None else pack_codes(codes),
        "extent": extent_of(codes, 3.0) if extent is None else checked_extent(extent),
    }
