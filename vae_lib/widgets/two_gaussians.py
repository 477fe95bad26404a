"""Two Gaussians to drag: both KL divergences, and the integrand that adds up to one of them."""

import math
from collections.abc import Sequence

import anywidget
import traitlets

from vae_lib.widgets import _assets

MEANS = (-4.0, 4.0)  # what the handles and sliders reach; the page has the same numbers
STDS = (0.3, 3.0)


class TwoGaussians(anywidget.AnyWidget):
    """Drag q and p and read KL(q ‖ p) and KL(p ‖ q), in nats and in bits.

    Under the densities stands what is integrated, q log(q/p) or p log(p/q), with its positive and
    its negative area. ``q``, ``p`` (each [mean, std]) and ``shaded`` are synced. Introduced in
    chapter 6.

    Args:
        q: (mean, standard deviation) of q at the start.
        p: the same of p.
        shaded: which integrand is drawn, "q||p" or "p||q".

    Raises:
        ValueError: for a mean outside [-4, 4], a standard deviation outside [0.3, 3], or another
            ``shaded``.
    """

    _esm = _assets.module("two_gaussians.js")
    _css = _assets.style()

    q = traitlets.List([1.0, 0.7]).tag(sync=True)
    p = traitlets.List([0.0, 1.5]).tag(sync=True)
    shaded = traitlets.Unicode("q||p").tag(sync=True)

    def __init__(
        self,
        q: Sequence[float] = (1.0, 0.7),
        p: Sequence[float] = (0.0, 1.5),
        shaded: str = "q||p",
    ):
        super().__init__(q=list(q), p=list(p), shaded=shaded)

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
