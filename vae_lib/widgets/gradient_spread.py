"""Two estimators of one gradient: how wide their means of S draws scatter."""

import numpy as np
import traitlets
from matplotlib.figure import Figure

from vae_lib.widgets import _assets, _stills

REPEATS = 200  # dots of each cloud; the page has the same numbers
SAMPLES, DIMENSIONS = 256, 8
TRUTH = 2.0


class GradientSpread(_stills.TouchableFigure):
    """Choose S, and see how far means of S gradients lie from the exact one.

    f(z) = ‖z‖² and q = N(μ, I) in D dimensions with every μ_j = 1: the gradient by μ_1 is 2. The
    score function gives (f - c) ε_1 for a draw, the reparameterised one 2 z_1. Their variances
    per draw are Δ² + 4Δ + 12 + 6D, where Δ = 2D - c, and 4. ``samples``, ``dimension``,
    ``baseline`` (c = E f, or 0) and ``seed`` are synced. Introduced in chapter 9.

    Args:
        samples: S, a power of two up to 256.
        dimension: D, 1 to 8.
        baseline: whether E f is taken off.
        ask: whether the reader is asked for a guess first.

    Raises:
        ValueError: for ``samples`` or ``dimension`` outside these ranges.
    """

    _esm = _assets.module("gradient_spread.js")

    samples = traitlets.Int(16).tag(sync=True)
    dimension = traitlets.Int(1).tag(sync=True)
    baseline = traitlets.Bool(False).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    ask = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        samples: int = 16,
        dimension: int = 1,
        *,
        baseline: bool = False,
        ask: bool = False,
    ):
        super().__init__(samples=samples, dimension=dimension, baseline=baseline, ask=ask)

    @traitlets.validate("samples")
    def _a_power_of_two(self, proposal):
        value = proposal["value"]
        if not 1 <= value <= SAMPLES or value & (value - 1):
            raise ValueError(f"samples is {value}: it must be 1, 2, 4, … or {SAMPLES}")
        return value

    @traitlets.validate("dimension")
    def _few_dimensions(self, proposal):
        value = proposal["value"]
        if not 1 <= value <= DIMENSIONS:
            raise ValueError(f"dimension is {value}: it must be 1 to {DIMENSIONS}")
        return value

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        score, path = np.sqrt(np.array(self._variances()) / self.samples)
        taken = "with" if self.baseline else "without"
        return (
            f"Two clouds of {REPEATS} gradients, each the mean of S = {self.samples} draws in "
            f"D = {self.dimension}, {taken} the baseline E f. Below, standard deviation against "
            f"S, two parallel lines: {score:.3f} for the score function and {path:.3f} for the "
            "reparameterised gradient at this S. The exact gradient is 2."
        )

    def _variances(self) -> tuple[float, float]:
        """Per draw: of the score function, of the reparameterised gradient."""
        excess = 0.0 if self.baseline else 2.0 * self.dimension
        return excess**2 + 4 * excess + 12 + 6 * self.dimension, 4.0

    def _means(self) -> tuple[np.ndarray, np.ndarray]:
        """Means of S gradients by either way: [REPEATS] each."""
        eps = np.random.default_rng(self.seed).standard_normal(
            (REPEATS, self.samples, self.dimension)
        )
        f = ((1 + eps) ** 2).sum(-1) - (2 * self.dimension if self.baseline else 0)
        return (f * eps[..., 0]).mean(1), 2 * (1 + eps[..., 0]).mean(1)

    def _draw(self):
        figure = Figure(figsize=(6, 3.2), layout="constrained")
        clouds, spread = figure.subplots(2, 1, height_ratios=[1, 1.3])
        names, hues = ("score function", "reparameterised"), (_stills.Q, _stills.POSTERIOR)
        samples = 2.0 ** np.arange(9)
        jitter = np.random.default_rng(1).uniform(-0.3, 0.3, REPEATS)
        for k, (means, variance) in enumerate(zip(self._means(), self._variances(), strict=True)):
            clouds.plot(means, 1 - k + jitter, ".", color=hues[k], ms=3)
            spread.loglog(samples, np.sqrt(variance / samples), color=hues[k], label=names[k])
            spread.loglog(self.samples, means.std(ddof=1), "o", color=hues[k])
        clouds.axvline(TRUTH, color="black", lw=1)
        clouds.set(xlim=(TRUTH - 20, TRUTH + 20), ylim=(-0.5, 1.5), yticks=[1, 0])
        clouds.set(yticklabels=names, title=f"means of S = {self.samples} gradients by μ₁")
        spread.set(xlabel="S", title="standard deviation; lines: variance per draw, divided by S")
        spread.set_xticks(samples, [f"{int(s)}" for s in samples], minor=False)
        spread.set_yticks([0.1, 1, 10], ["0.1", "1", "10"], minor=False)
        spread.minorticks_off()
        spread.set(ylim=(0.1, 30))
        spread.legend(frameon=False, loc="upper right")
        return figure
