"""A diffusion, step by step: points run into noise and back, along the score."""

import numpy as np
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import (
    doubles,
    inputs,
    outputs,
    pack,
    pack_codes,
    pack_floats,
    run,
)

MOST_MOVES = 50_000  # points times steps: half a second in a browser
REACH = 2.8  # of the square that is shown
GRID = np.stack(np.meshgrid(*2 * [np.linspace(-2.4, 2.4, 9)]), -1).reshape(-1, 2)


class DiffusionSteps(_stills.TouchableFigure):
    """Move through the steps of a diffusion of points in the plane, in either direction.

    ``t``, ``backwards`` and ``noise_seed`` are synced. Forwards a point is √ᾱ_t x + √(1 - ᾱ_t) ε;
    backwards it takes ancestral steps from N(0, I) with the trained network. Introduced in
    chapter 15.

    Args:
        network: f in ε̂ = √(1 - ᾱ_t) x_t + √ᾱ_t f(x_t, √ᾱ_t, √(1 - ᾱ_t)), from 4 numbers to 2,
            such as ``Denoiser(2, alpha_bar).net``.
        alpha_bar: ᾱ_0 = 1, …, ᾱ_T, [T + 1].
        points: the data, [N, 2]; 200 are enough, and each costs time. N T is at most 50,000, for
            the page works out every step of every point before it shows the last.
        terms: those of the negative bound, [T + 1], as ``Diffusion.bound_terms`` orders them.
        noise_seed: of the noise, forwards and backwards.

    Raises:
        TypeError: for a network with layers other than Linear and simple activations.
        ValueError: for sizes that do not fit each other, or too many points and steps.
        traitlets.TraitError: for a ``t`` that is not 0 to T, or a ``noise_seed`` below 0.

    Example:
        >>> import torch
        >>> from vae_lib.diffusion import Denoiser, cosine_schedule
        >>> shares = cosine_schedule(12)
        >>> network = Denoiser(2, shares, width=16).net
        >>> film = DiffusionSteps(network, shares, torch.randn(5, 2), terms=torch.zeros(13))
    """

    _esm = _assets.module("diffusion_steps.js")

    network = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    alpha_bar = traitlets.Bytes().tag(sync=True)
    points = traitlets.Bytes().tag(sync=True)
    terms = traitlets.Bytes().tag(sync=True)
    t = traitlets.Int(0).tag(sync=True)
    backwards = traitlets.Bool(True).tag(sync=True)
    noise_seed = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor,
        points: Tensor,
        terms: Tensor,
        *,
        noise_seed: int = 0,
    ):
        spec, weights = pack(network, "network")
        if (inputs(spec), outputs(spec)) != (4, 2):
            raise ValueError(
                f"network goes from {inputs(spec)} values to {outputs(spec)}, and here it goes "
                "from x_t [2] and the two roots of ᾱ_t and 1 - ᾱ_t to [2]: hand in Denoiser(2, …)"
                ".net"
            )
        share = doubles(alpha_bar)
        if share.ndim != 1 or len(share) < 3 or share[0] != 1 or not (np.diff(share) < 0).all():
            raise ValueError("alpha_bar must fall from exactly 1, at t = 0, over two steps or more")
        if share[-1] <= 0:
            raise ValueError("the last alpha_bar is 0: the steps divide by it, end above 0")
        packed, most = pack_codes(points, "points"), MOST_MOVES // (len(share) - 1)
        if len(points) > most:
            raise ValueError(
                f"{len(points)} points and {len(share) - 1} steps would keep the page busy: take "
                f"{most} points at most, points[:{most}], or fewer steps"
            )
        super().__init__(
            network=spec,
            weights=weights,
            alpha_bar=pack_floats(alpha_bar, share.shape, "alpha_bar"),
            points=packed,
            terms=pack_floats(terms, share.shape, "terms"),
            t=len(share) // 2,
            noise_seed=noise_seed,
        )

    @traitlets.validate("t")
    def _check_t(self, proposal) -> int:
        last = len(self.alpha_bar) // 8 - 1
        if not 0 <= proposal.value <= last:
            raise traitlets.TraitError(f"t is {proposal.value}: steps are 0 to {last}")
        return proposal.value

    def noise_at(self, x: np.ndarray, t: int) -> np.ndarray:
        """The noise that the network sees in points at step ``t``: [N, 2] -> [N, 2]."""
        share = np.frombuffer(self.alpha_bar)[t]
        roots = np.sqrt([share, 1 - share])
        columns = np.concatenate([x.T, np.repeat(roots[:, None], len(x), 1)])
        return roots[1] * x + roots[0] * run(self.network, self.weights, columns).T

    def step_back(self, x: np.ndarray, t: int, eps: np.ndarray) -> np.ndarray:
        """x_{t-1} from x_t and noise, [N, 2] each; with no noise in the last step."""
        share = np.frombuffer(self.alpha_bar)
        before, now = share[t - 1], share[t]
        beta = 1 - now / before
        x_0 = (x - np.sqrt(1 - now) * self.noise_at(x, t)) / np.sqrt(now)
        mean = np.sqrt(before) * beta * x_0 + np.sqrt(now / before) * (1 - before) * x
        return mean / (1 - now) + (t > 1) * np.sqrt(beta) * eps

    def dots(self) -> np.ndarray:
        """Points as the figure shows them, with noise of Python's own: [N, 2]."""
        data = np.frombuffer(self.points, "<f4").reshape(-1, 2)
        generator = np.random.default_rng(self.noise_seed)
        share, noise = np.frombuffer(self.alpha_bar), generator.normal(size=data.shape)
        if not self.backwards:
            return np.sqrt(share[self.t]) * data + np.sqrt(1 - share[self.t]) * noise
        for t in range(len(share) - 1, self.t, -1):
            noise = self.step_back(noise, t, generator.normal(size=data.shape))
        return noise

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        last, term = len(self.alpha_bar) // 8 - 1, np.frombuffer(self.terms)
        way = "from noise towards the data" if self.backwards else "from the data into noise"
        cost = f"; this step's term of the bound is {term[self.t - 1]:.3f} nats" if self.t else ""
        return (
            f"A cloud of points on its way {way}, at step {self.t} of {last}, with arrows of the "
            f"predicted score, and a bar for each step's term of the bound{cost}."
        )

    def _draw(self):
        figure, (left, right) = _stills.panels(1.2, 1)
        extent = [-REACH, REACH, -REACH, REACH]
        _stills.plane(left, extent, ["$x_1$", "$x_2$"], f"step t = {self.t}")
        left.plot(*self.dots().T, ".", color=_stills.POSTERIOR, ms=3, alpha=0.7)
        if self.t:
            left.quiver(*GRID.T, *-self.noise_at(GRID, self.t).T, color=_stills.Q, width=0.004)
        term = np.frombuffer(self.terms)[1:-1]
        steps = np.arange(2, len(term) + 2)
        hues = [_stills.Q if step == self.t else _stills.PRIOR for step in steps]
        right.bar(steps, term, color=hues)
        right.set(xlabel="step t", title="terms of the bound, nats")
        return figure
