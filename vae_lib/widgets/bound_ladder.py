"""The bound of K importance samples, for a digit that the reader picks."""

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import pack_floats, pack_images


class BoundLadder(_stills.TouchableFigure):
    """Pick a digit and K: the bound of K samples rises to log p(x) as K grows (chapter 11).

    The page averages the bound, and the effective sample size (Σ w)² / Σ w², over as many groups
    of K as there are weights for. ``chosen``, ``power`` = log2 K and ``run`` are synced.

    Args:
        log_weights: log p(x, z) - log q(z|x) at draws z ~ q(z|x), [K, B] in nats, for any model;
            K is a power of 2.
        log_px: log p(x) [B], where it is known.
        images: the digits [B, P] in [0, 1], square.
        chosen, power: the digit and log2 K to begin with.
        ask: whether the reader is asked for a guess first.

    Raises:
        ValueError: for tables of different sizes, NaN, or a number of samples that is no power
            of 2, at least 4.
    """

    _esm = _assets.module("bound_ladder.js")

    log_weights = traitlets.Bytes().tag(sync=True)  # float32 [B, K]
    log_px = traitlets.Bytes().tag(sync=True)  # float64 [B]
    images = traitlets.Bytes().tag(sync=True)
    count = traitlets.Int().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    power = traitlets.Int(0).tag(sync=True)
    run = traitlets.Int(0).tag(sync=True)
    ask = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        log_weights: Tensor,
        log_px: Tensor,
        images: Tensor,
        *,
        chosen: int = 0,
        power: int = 4,
        ask: bool = False,
    ):
        if log_weights.ndim != 2:
            raise ValueError(f"log_weights has shape {list(log_weights.shape)}, not [K, B]")
        samples, count = log_weights.shape
        if samples < 4 or samples & (samples - 1):
            raise ValueError(f"there are {samples} samples: give a power of 2, at least 4")
        if not (0 <= chosen < count and 0 <= power < samples.bit_length()):
            raise ValueError(
                f"chosen is {chosen} and power {power}: there are {count} digits and {samples} "
                "samples"
            )
        if len(images) != count:
            raise ValueError(f"{len(images)} images for the weights of {count}")
        packed = pack_floats(log_weights.T, (count, samples), "log_weights")
        super().__init__(
            log_weights=np.frombuffer(packed).astype("<f4").tobytes(),
            log_px=pack_floats(log_px, (count,), "log_px"),
            images=pack_images(images, images.shape[-1]),
            count=count,
            chosen=chosen,
            power=power,
            ask=ask,
        )

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        bound, effective = self._ladder(2**self.power)
        return (
            f"A digit x, and the bound of K samples against K. At K = {2**self.power} it is "
            f"{bound:.2f} nats, with {effective:.1f} effective samples; the line above it is "
            f"log p(x) = {np.frombuffer(self.log_px)[self.chosen]:.2f} nats."
        )

    def _own(self) -> np.ndarray:
        """log w of the chosen digit, [K]."""
        return np.frombuffer(self.log_weights, "<f4").reshape(self.count, -1)[self.chosen]

    def _ladder(self, size: int) -> tuple[float, float]:
        """The bound of ``size`` samples and its effective sample size, averaged over groups."""
        own = self._own().astype(float)
        groups = own[: len(own) // size * size].reshape(-1, size)
        total = np.logaddexp.reduce(groups, 1)
        effective = np.exp(2 * total - np.logaddexp.reduce(2 * groups, 1))
        return float((total - np.log(size)).mean()), float(effective.mean())

    def _draw(self):
        figure = Figure(figsize=(6, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 2.6])
        pixels = len(self.images) // self.count
        image = np.frombuffer(self.images, np.uint8)[self.chosen * pixels :][:pixels]
        _stills.digit(left, image / 255, "x")
        sizes = 2 ** np.arange(int(np.log2(len(self._own()))) + 1)
        right.plot(sizes, [self._ladder(int(size))[0] for size in sizes], color=_stills.POSTERIOR)
        level = np.frombuffer(self.log_px)[self.chosen]
        right.axhline(level, ls=":", color=_stills.PRIOR)
        right.plot(2**self.power, self._ladder(2**self.power)[0], "o", color=_stills.Q)
        right.set_xscale("log", base=2)
        right.set(xlabel="K", ylabel="nats", title="bound of K samples; dotted: log p(x)")
        return figure
