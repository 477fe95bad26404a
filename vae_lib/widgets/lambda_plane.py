"""The λ plane: a mean-field Gaussian over a correlated posterior, and its KL as a landscape."""

from collections.abc import Sequence

import anywidget
import traitlets

from vae_lib.widgets import _assets

MOST_RHO = 0.98  # beyond it the posterior is thinner than a pixel


class LambdaPlane(anywidget.AnyWidget):
    """Move λ = (m, log s) and watch q_λ = N(m, diag s²) over a posterior with correlation ρ.

    The posterior is N(0, [[1, ρ], [ρ, 1]]). The left plane is a slice of λ space, log s_1 against
    log s_2, shaded by KL(q_λ ‖ p); the right one is the latent plane, with the mean m to drag. A
    button goes down the gradient. ``mean``, ``log_std`` and ``rho`` are synced. The divergence
    and its gradient are closed forms. Introduced in chapter 7.

    Raises:
        ValueError: for |ρ| above 0.98, or a mean or log_std that is not two numbers.
    """

    _esm = _assets.module("lambda_plane.js")
    _css = _assets.style()

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
