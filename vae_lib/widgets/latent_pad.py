"""The latent pad: decoders side by side, each with a handle on its latent plane."""

from collections.abc import Mapping, Sequence

import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import (
    checked_extent,
    extent_of,
    pack_codes,
    pack_decoder,
    pack_labels,
    probabilities,
)


class LatentPad(_stills.TouchableFigure):
    """Drag z over the latent plane of one or several decoders and see each decode it.

    ``positions`` is synced: ``pad.positions["VAE"]`` is where the reader left that handle.

    Args:
        decoders: networks z [B, 2] -> logits [B, side²], by the name that the page shows.
        codes: for each name, codes [N, 2] of held-out digits, drawn as faint points.
        labels: classes [N] of those digits, which colour the points.
        extents: for each name, (x_min, x_max, y_min, y_max); worked out from the codes if absent.
        prior: names of the decoders that get a ring around 95 % of p(z) = N(0, I).
        seed: of the button that draws z from N(0, I).

    Raises:
        TypeError: for a decoder with layers other than Linear and simple activations.
        ValueError: for a decoder that does not go from 2 to a square number, or for codes and
            labels that do not match.

    Example:
        >>> import torch
        >>> from vae_lib.models import VAE
        >>> vae, codes, labels = VAE(latent=2), torch.randn(5, 2), torch.arange(5)
        >>> pad = LatentPad({"VAE": vae.decoder}, {"VAE": codes}, labels, prior=["VAE"])
        >>> pad.update("VAE", decoder=vae.decoder)  # for instance after each epoch of fit
    """

    _esm = _assets.module("latent_pad.js")

    pads = traitlets.List().tag(sync=True)  # name, spec, weights, codes, extent, prior
    labels = traitlets.Bytes().tag(sync=True)
    positions = traitlets.Dict().tag(sync=True)  # name -> [z1, z2]
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        decoders: Mapping[str, nn.Module],
        codes: Mapping[str, Tensor] | None = None,
        labels: Tensor | None = None,
        *,
        extents: Mapping[str, Sequence[float]] | None = None,
        prior: Sequence[str] = (),
        seed: int = 0,
    ):
        codes, extents = codes or {}, extents or {}
        if not decoders:
            raise ValueError("decoders is empty: give at least one, as {name: network}")
        for name in (*codes, *extents, *prior):
            if name not in decoders:
                raise ValueError(f"no decoder is called {name!r}: there are {sorted(decoders)}")
        counts = {len(c) for c in codes.values()}
        if labels is not None and len(counts) != 1:
            raise ValueError(f"labels belong to the codes, and there are {sorted(counts)} codes")
        pads = [
            _pad(name, decoder, codes.get(name), extents.get(name), name in prior)
            for name, decoder in decoders.items()
        ]
        super().__init__(
            pads=pads,
            labels=b"" if labels is None else pack_labels(labels, counts.pop()),
            positions={name: [0.0, 0.0] for name in decoders},
            seed=seed,
        )

    def update(
        self,
        name: str,
        decoder: nn.Module | None = None,
        codes: Tensor | None = None,
        extent: Sequence[float] | None = None,
    ) -> None:
        """Show the decoder ``name`` as it is now; what is not given stays as it was.

        New ``codes`` need as many rows as before, since they keep their labels.
        """
        names = [pad["name"] for pad in self.pads]
        if name not in names:
            raise ValueError(f"no decoder is called {name!r}: there are {names}")
        old = self.pads[names.index(name)]
        new = dict(old)
        if decoder is not None:
            new["spec"], new["weights"] = pack_decoder(decoder, name, latent=2)
        if codes is not None:
            new["codes"] = pack_codes(codes, f"codes of {name}")
            if self.labels and len(codes) != len(self.labels):
                raise ValueError(f"{len(codes)} codes of {name} for {len(self.labels)} labels")
            new["extent"] = extent_of(codes, 3.0 if old["prior"] else 1.0)
        if extent is not None:
            new["extent"] = checked_extent(extent)
        self.pads = [new if pad is old else pad for pad in self.pads]

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        said = (
            f"{name} at z = ({z[0]:.2f}, {z[1]:.2f})" for name, z in sorted(self.positions.items())
        )
        return (
            "A latent plane with the codes of held-out digits, and beside it the image decoded "
            f"at the handle: {'; '.join(said)}."
        )

    def _draw(self):
        figure, axes = _stills.panels(*[2, 1] * len(self.pads))
        for pad, left, right in zip(self.pads, axes[::2], axes[1::2], strict=True):
            z = self.positions.get(pad["name"], [0.0, 0.0])
            _stills.plane(left, pad["extent"], ["$z_1$", "$z_2$"], pad["name"])
            _stills.codes(left, pad["codes"], self.labels)
            if pad["prior"]:
                _stills.ring(left)
            _stills.handle(left, z)
            _stills.digit(right, probabilities(pad["spec"], pad["weights"], z), "decoded")
        return figure


def _pad(name, decoder, codes, extent, prior) -> dict:
    spec, weights = pack_decoder(decoder, name, latent=2)
    reach = 3.0 if prior or codes is None else 1.0
    return {
        "name": name,
        "spec": spec,
        "weights": weights,
        "codes": b"" if codes is None else pack_codes(codes, f"codes of {name}"),
        "extent": extent_of(codes, reach) if extent is None else checked_extent(extent),
        "prior": prior,
    }
