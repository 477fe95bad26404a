"""Two Gaussians to drag: both KL divergences, and the integrand that adds up to one of them."""

import math
from collections.abc import Sequence

import numpy as np
import traitlets
from matplotlib.figure import Figure

from vae_lib.widgets import _assets, _stills

MEANS = (-4.0, 4.0)  # what the handles and sliders reach; the page has the same numbers
STDS = (0.3, 3.0)


class TwoGaussians(_stills.TouchableFigure):
    """Drag q and p and read KL(q ‖ p) and KL(p ‖ q), in nats and in bits.

    Under the densities stands what is integrated, q log(q/p) or p log(p/q), with its positive and
    its negative area. ``q``, ``p`` (each [mean, std]) and ``shaded`` are synced. Introduced in
    chapter 6.

    Args:
        q: (mean, standard deviation) of q at the start.
        p: the same of p.
        shaded: which integrand is drawn, "q||p" or "p||q".
        ask: whether the reader is asked for a guess first.

    Raises:
        ValueError: for a mean outside [-4, 4], a standard deviation outside [0.3, 3], or another
            ``shaded``.

    Example:
        >>> figure = TwoGaussians(q=(1.0, 1.0), p=(0.0, 1.0))
        >>> "KL(q ‖ p) = 0.500 nats" in figure.alt  # ½ · 1²; alt is for who cannot see it
        True
    """

    _esm = _assets.module("two_gaussians.js")

    q = traitlets.List([1.0, 0.7]).tag(sync=True)
    p = traitlets.List([0.0, 1.5]).tag(sync=True)
    shaded = traitlets.Unicode("q||p").tag(sync=True)
    ask = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        q: Sequence[float] = (1.0, 0.7),
        p: Sequence[float] = (0.0, 1.5),
        shaded: str = "q||p",
        *,
        ask: bool = False,
    ):
        super().__init__(q=list(q), p=list(p), shaded=shaded, ask=ask)

    @traitlets.validate("q", "p")
    def _gaussian(self, proposal):
        name, value = proposal["trait"].name, [float(v) for v in proposal["value"]]
        if len(value) != 2 or not all(map(math.isfinite, value)):
            raise ValueError(f"{name} is {value}: it must be a mean and a standard deviation")
        for what, number, (low, high) in zip(
            ("mean", "standard deviation"), value, (MEANS, STDS), strict=True
        ):
            if not low <= number <= high:
                raise ValueError(f"the {what} of {name} is {number}: keep it in [{low}, {high}]")
        return value

    @traitlets.validate("shaded")
    def _direction(self, proposal):
        if proposal["value"] not in ("q||p", "p||q"):
            raise ValueError(f'shaded is {proposal["value"]!r}: it must be "q||p" or "p||q"')
        return proposal["value"]

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        (m, s), (n, t) = self.q, self.p
        return (
            f"Above, the densities of q = N({m:.2f}, {s:.2f}²) and p = N({n:.2f}, {t:.2f}²). "
            f"Below, what is integrated. KL(q ‖ p) = {_kl(self.q, self.p):.3f} nats and "
            f"KL(p ‖ q) = {_kl(self.p, self.q):.3f} nats."
        )

    def _draw(self):
        z = np.linspace(-8, 8, 801)
        figure = Figure(figsize=(6, 3), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True)
        top.plot(z, np.exp(_log_density(z, self.p)), color=_stills.POSTERIOR, label="p")
        top.plot(z, np.exp(_log_density(z, self.q)), "--", color=_stills.Q, label="q")
        top.set(yticks=[], title=f"KL(q ‖ p) = {_kl(self.q, self.p):.3f} nats")
        top.legend(frameon=False)
        over, under = (self.q, self.p) if self.shaded == "q||p" else (self.p, self.q)
        log_over = _log_density(z, over)
        value = np.exp(log_over) * (log_over - _log_density(z, under))
        hue = _stills.Q if self.shaded == "q||p" else _stills.POSTERIOR
        below.fill_between(z, value, where=value > 0, color=hue, alpha=0.45, linewidth=0)
        below.fill_between(z, value, where=value < 0, facecolor="none", hatch="///", linewidth=0)
        below.plot(z, value, color="black", linewidth=1)
        a, b = self.shaded.split("||")
        below.set(yticks=[0], xlabel="z", title=f"{a} log({a}/{b}): shaded above 0, hatched below")
        return figure


def _log_density(z: np.ndarray, gaussian: Sequence[float]) -> np.ndarray:
    mean, std = gaussian
    return -0.5 * (np.log(2 * np.pi) + ((z - mean) / std) ** 2) - np.log(std)


def _kl(a: Sequence[float], b: Sequence[float]) -> float:
    """KL(N(a) ‖ N(b)) in nats, for pairs of a mean and a standard deviation."""
    ratio = (a[1] / b[1]) ** 2
    return 0.5 * (((a[0] - b[0]) / b[1]) ** 2 + ratio - 1 - math.log(ratio))
