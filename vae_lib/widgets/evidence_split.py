"""The evidence, split: log p(x) = ELBO + KL(q || p(z|x)) as q moves."""

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import pack_floats


class EvidenceSplit(_stills.TouchableFigure):
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

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        elbo, kl = self._split()[2:]
        return (
            f"The posterior p(z|x) and q(z) = N({self.mean:.2f}, {self.std:.2f}²) over z. Below, "
            f"a bar splits log p(x) = {elbo + kl:.3f} nats into the ELBO, {elbo:.3f} nats, and "
            f"KL(q ‖ p(z|x)), {kl:.3f} nats."
        )

    def _split(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """p(z|x) and q(z) on the nodes [Q], the ELBO and the KL, by the given quadrature."""
        tables = (self.nodes, self.log_joint, self.log_weights)
        z, joint, weights = (np.frombuffer(table) for table in tables)
        evidence = np.logaddexp.reduce(joint + weights)
        log_q = -0.5 * ((z - self.mean) / self.std) ** 2
        log_q -= np.logaddexp.reduce(log_q + weights)
        mass = np.exp(log_q + weights)
        # Where q is 0, so is q log q; and there the posterior's logarithm may be -inf.
        some = mass > 0
        kl = float(mass[some] @ (log_q - joint + evidence)[some])
        return np.exp(joint - evidence), np.exp(log_q), float(evidence) - kl, kl

    def _draw(self):
        z = np.frombuffer(self.nodes)
        posterior, q, elbo, kl = self._split()
        figure = Figure(figsize=(6, 2.8), layout="constrained")
        top, bar = figure.subplots(2, 1, height_ratios=[5, 1])
        top.plot(z, posterior, color=_stills.POSTERIOR, label="posterior p(z|x)")
        top.plot(z, q, "--", color=_stills.Q, label="q(z)")
        if self.log_prior:
            prior = np.exp(np.frombuffer(self.log_prior))
            top.plot(z, prior, ":", color=_stills.PRIOR, label="prior p(z)")
        top.set(xlabel="z", yticks=[])
        top.legend(frameon=False)
        wide = min(kl, self.span)
        bar.barh(0, self.span - wide, left=elbo + kl - self.span, color=_stills.ELBO)
        bar.barh(0, wide, left=elbo + kl - wide, color=_stills.KL, hatch="//")
        title = f"log p(x) = {elbo + kl:.3f} = ELBO {elbo:.3f} + KL {kl:.3f} (hatched)"
        bar.set(yticks=[], title=title, xlabel="nats")
        return figure
