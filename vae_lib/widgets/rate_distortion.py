"""The rate-distortion curve: one small decoder for each β, run in the page."""

from collections.abc import Mapping

import numpy as np
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import (
    inputs,
    outputs,
    pack_decoder,
    pack_floats,
    pack_images,
    probabilities,
)


class RateDistortion(_stills.TouchableFigure):
    """Move β over trained models: where each stands on the curve, and what it draws.

    The page draws z = μ + σ ε for each digit's reconstruction and z ~ N(0, I) for each sample, and
    decodes them. ``chosen`` (the place of β in ``models``, rising) and ``seed`` are synced.
    Introduced in chapter 12.

    Args:
        decoders: for each β, the network z [B, D] -> logits [B, side²].
        points: for each β, the rate and the distortion, nats.
        posteriors: for each β, μ and log σ² [N, D] of the digits.
        images: the digits [N, side²], N from 1 to 12.
        beta: which one to start with, by default the one nearest 1.
        ask: whether the reader is asked for a guess first.

    Raises:
        TypeError: for a decoder with layers other than Linear and simple activations.
        ValueError: for fewer than two β, other β in ``points`` or ``posteriors``, a point that is
            negative or NaN, or shapes that do not match.
    """

    _esm = _assets.module("rate_distortion.js")

    # beta, spec, weights, rate, distortion, mu, logvar
    models = traitlets.List().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    ask = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        decoders: Mapping[float, nn.Module],
        points: Mapping[float, tuple[float, float]],
        posteriors: Mapping[float, tuple[Tensor, Tensor]],
        images: Tensor,
        *,
        beta: float | None = None,
        seed: int = 0,
        ask: bool = False,
    ):
        betas = sorted(decoders)
        if len(betas) < 2:
            raise ValueError(f"there are decoders for β = {betas}: a curve takes at least two")
        for name, given in (("points", points), ("posteriors", posteriors)):
            if sorted(given) != betas:
                raise ValueError(f"{name} are of β = {sorted(given)}, decoders of {betas}")
        if images.ndim != 2 or not 1 <= len(images) <= 12:
            raise ValueError(f"images has shape {list(images.shape)}, not [N, side²] with N <= 12")
        start = min(betas, key=lambda b: abs(b - 1)) if beta is None else beta
        if start not in betas:
            raise ValueError(f"beta is {beta}: there are {betas}")
        count = len(images)
        models = [_model(b, decoders[b], points[b], posteriors[b], count) for b in betas]
        pixels = {outputs(model["spec"]) for model in models}
        if len(pixels) > 1:
            raise ValueError(f"the decoders draw images of {sorted(pixels)} pixels: take one size")
        super().__init__(
            models=models,
            images=pack_images(images, pixels.pop()),
            chosen=betas.index(start),
            seed=seed,
            ask=ask,
        )

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        now = self.models[self.chosen]
        return (
            f"A falling curve of distortion over rate, a point for each of {len(self.models)} "
            f"values of β. At β = {now['beta']:g} the rate is {now['rate']:.2f} nats, the "
            f"distortion {now['distortion']:.2f} nats. Beside it digits, their reconstructions, "
            "and samples from the prior."
        )

    def _draw(self):
        now = self.models[self.chosen]
        figure, (left, right) = _stills.panels(1, 1.35, height=250)
        rate, distortion = ([m[name] for m in self.models] for name in ("rate", "distortion"))
        left.plot(rate, distortion, "o-", color=_stills.PRIOR, markersize=4)
        _tangent(left, now, rate, distortion)
        _stills.handle(left, (now["rate"], now["distortion"]))
        left.set(xlabel="rate, nats", ylabel="distortion, nats", title=f"β = {now['beta']:g}")
        right.imshow(_sheet(self, now), vmin=0, vmax=1)
        side = round(outputs(now["spec"]) ** 0.5)
        names = ("digits", "decoded", "samples")
        right.set(xticks=[], yticks=[(side + 2) * (k + 0.5) for k in range(3)])
        right.set_yticklabels(names)
        right.spines[:].set_visible(False)
        return figure


def _model(beta, decoder, point, posterior, count) -> dict:
    spec, weights = pack_decoder(decoder, f"the decoder of β = {beta:g}")
    rate, distortion = (float(value) for value in point)
    if not (rate >= 0 and abs(distortion) < np.inf and rate < np.inf):
        raise ValueError(f"the point of β = {beta:g} is ({rate}, {distortion}): nats are wanted")
    shape = (count, inputs(spec))
    mu, logvar = (
        pack_floats(part, shape, f"{name} of β = {beta:g}")
        for part, name in zip(posterior, ("mu", "logvar"), strict=True)
    )
    return {
        "beta": float(beta),
        "spec": spec,
        "weights": weights,
        "rate": rate,
        "distortion": distortion,
        "mu": mu,
        "logvar": logvar,
    }


def _tangent(ax, now: dict, rate: list[float], distortion: list[float]) -> None:
    """The line D + β R = const through the chosen point."""
    limits = (min(distortion) - 2, max(distortion) + 2)
    ends = np.array([-0.5, max(rate) + 0.5])
    line = now["distortion"] - now["beta"] * (ends - now["rate"])
    ax.plot(ends, line, "--", color=_stills.Q, linewidth=1.2)
    ax.set(xlim=ends, ylim=limits)


def _sheet(widget: RateDistortion, now: dict) -> np.ndarray:
    """Digits, reconstructions and samples, a row each, two pixels apart."""
    images = np.frombuffer(widget.images, np.uint8).reshape(-1, outputs(now["spec"])) / 255
    size = (len(images), inputs(now["spec"]))
    mu, logvar = (np.frombuffer(now[name]).reshape(size) for name in ("mu", "logvar"))
    eps, z = np.random.default_rng(widget.seed).standard_normal((2, *size))
    rows = [images]
    for latents in (mu + np.exp(0.5 * logvar) * eps, z):
        rows.append(np.stack([probabilities(now["spec"], now["weights"], one) for one in latents]))
    side = round(images.shape[1] ** 0.5)
    cell = side + 2
    sheet = np.zeros((3 * cell, len(images) * cell))
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            sheet[r * cell : r * cell + side, c * cell : c * cell + side] = image.reshape(side, -1)
    return sheet
