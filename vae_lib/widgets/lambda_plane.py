"""The λ plane: a mean-field Gaussian over a correlated posterior, and its KL as a landscape."""

from collections.abc import Sequence

import numpy as np
import traitlets

from vae_lib.widgets import _assets, _stills

MOST_RHO = 0.98  # beyond it the posterior is thinner than a pixel
LOG_STDS = (-2.6, 0.9)  # what the plane of log s shows; the page has the same numbers


class LambdaPlane(_stills.TouchableFigure):
    """Move λ = (m, log s) and watch q_λ = N(m, diag s²) over a posterior with correlation ρ.

    The posterior is N(0, [[1, ρ], [ρ, 1]]). The left plane is a slice of λ space, log s_1 against
    log s_2, shaded by KL(q_λ ‖ p); the right one is the latent plane, with the mean m to drag. A
    button goes down the gradient. ``mean``, ``log_std`` and ``rho`` are synced. The divergence
    and its gradient are closed forms. Introduced in chapter 7.

    Raises:
        ValueError: for ``|ρ|`` above 0.98, or a mean or log_std that is not two numbers.
    """

    _esm = _assets.module("lambda_plane.js")

    rho = traitlets.Float(0.9).tag(sync=True)
    mean = traitlets.List().tag(sync=True)
    log_std = traitlets.List().tag(sync=True)
    path = traitlets.List([]).tag(sync=True)  # of λ = [m_1, m_2, log s_1, log s_2], step by step

    def __init__(
        self,
        rho: float = 0.9,
        mean: Sequence[float] = (-1.5, 1.0),
        log_std: Sequence[float] = (0.4, -1.8),
    ):
        if abs(rho) > MOST_RHO:
            raise ValueError(f"rho is {rho}: it must lie in [-{MOST_RHO}, {MOST_RHO}]")
        for name, pair in (("mean", mean), ("log_std", log_std)):
            if len(pair) != 2:
                raise ValueError(f"{name} has {len(pair)} numbers: the plane needs two")
        super().__init__(
            rho=float(rho), mean=[float(v) for v in mean], log_std=[float(v) for v in log_std]
        )

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        pairs = (self.mean, np.exp(self.log_std))
        mean, std = (", ".join(f"{v:.2f}" for v in pair) for pair in pairs)
        return (
            f"Left, KL(q ‖ p) over log s₁ and log s₂. Right, q with mean ({mean}) and standard "
            f"deviations ({std}), over contours of p with correlation {self.rho:.2f}; "
            f"KL(q ‖ p) = {self._kl(*self.log_std):.3f} nats."
        )

    def _kl(self, log_s1, log_s2):
        """KL(N(m, diag s²) ‖ N(0, [[1, ρ], [ρ, 1]])) in nats; log s may be arrays."""
        (m1, m2), left = self.mean, 1 - self.rho**2
        squares = np.exp(2 * log_s1) + np.exp(2 * log_s2) + m1**2 + m2**2 - 2 * self.rho * m1 * m2
        return 0.5 * (squares / left - 2 + np.log(left)) - log_s1 - log_s2

    def _draw(self):
        figure, (left, right) = _stills.panels(1, 1, height=280)
        _stills.plane(left, LOG_STDS * 2, ["$\\log s_1$", "$\\log s_2$"], "λ: shaded by KL(q ‖ p)")
        along = np.linspace(*LOG_STDS, 80)
        kl = self._kl(along[None, :], along[:, None])
        bands = kl.min() + np.arange(0, 8, 0.5)
        left.contourf(along, along, kl, bands, cmap="Blues_r", extend="max")
        _stills.handle(left, self.log_std)
        _stills.plane(right, [-3, 3, -3, 3], ["$z_1$", "$z_2$"], "q (filled) over p (lines)")
        turn = np.linspace(0, 2 * np.pi, 90)
        lean = self.rho * np.cos(turn) + (1 - self.rho**2) ** 0.5 * np.sin(turn)
        for radius in (1, 2):
            right.plot(radius * np.cos(turn), radius * lean, color=_stills.POSTERIOR)
            _stills.spread(right, self.mean, np.exp(self.log_std), radius)
        _stills.handle(right, self.mean)
        return figure
