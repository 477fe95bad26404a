"""The evidence, split: log p(x) = ELBO + KL(q || p(z|x)) as q moves."""

import anywidget
import traitlets
from torch import Tensor

from vae_lib.widgets import _assets
from vae_lib.widgets._weights import pack_floats


class EvidenceSplit(anywidget.AnyWidget):
    """Move q(z) = N(m, s²) over a posterior known on a grid; a bar splits log p(x).

    The page computes ELBO = E_q[log p(x, z) - log q(z)] and KL(q || p(z|x)) by quadrature, in
    nats. ``mean`` and ``std`` of q are synced. Introduced in chapter 8 (its equation for the
    identity); any model with one latent dimension will do, since it is handed over as a table.

    Args:
        nodes: grid [Q] of z, rising.
        log_joint: log p(x, z) [Q] on the nodes.
        log_weights: log of the quadrature weights [Q].
        log_prior: log p(z) [Q], drawn as a thin line if given.
        mean, std: where q starts.
        span: how many nats below log p(x) the bar begins.

    Raises:
        ValueError: for tables of different lengths, NaN, nodes that do not rise, or std <= 0.
    """

    _esm = _assets.module("evidence_split.js")
    _css = _assets.style()

    nodes = traitlets.Bytes().tag(sync=True)  # float64, as all the tables
    log_joint = traitlets.Bytes().tag(sync=True)
    log_weights = traitlets.Bytes().tag(sync=True)
    log_prior = traitlets.Bytes().tag(sync=True)
    mean = traitlets.Float(0.0).tag(sync=True)
    std = traitlets.Float(1.0).tag(sync=True)
    span = traitlets.Float(5.0).tag(sync=True)

    def __init__(
        self,
        nodes: Tensor,
        log_joint: Tensor,
        log_weights: Tensor,
        *,
        log_prior: Tensor | None = None,
        mean: float = 0.0,
        std: float = 1.0,
        span: float = 5.0,
    ):
        if nodes.ndim != 1 or len(nodes) < 2 or not bool((nodes.diff() > 0).all()):
            raise ValueError(f"nodes has shape {list(nodes.shape)}: it must be [Q] and rise")
        for name, value in (("std", std), ("span", span)):
            if not value > 0:
                raise ValueError(f"{name} is {value}: it must be positive")
        shape = tuple(nodes.shape)
        super().__init__(
            nodes=pack_floats(nodes, shape, "nodes"),
            log_joint=pack_floats(log_joint, shape, "log_joint"),
            log_weights=pack_floats(log_weights, shape, "log_weights"),
            log_prior=b"" if log_prior is None else pack_floats(log_prior, shape, "log_prior"),
            mean=mean,
            std=std,
            span=span,
        )
