"""Evidence and posterior by quadrature, for latents of one or two dimensions.

A sum over an even grid (the trapezium rule) is all it takes: for a smooth integrand that has
vanished at the edges, the error falls faster than any power of the step (Trefethen and Weideman,
2014). Everything runs in float64. Introduced in chapters 5 (evidence) and 8 (the identity).
"""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.data import check_images
from vae_lib.distributions import standard_normal_log_prob
from vae_lib.models import VAE


class Grid(NamedTuple):
    """``nodes`` [Q, D] and ``log_weights`` [Q]: ∫ f(z) dz ≈ Σ exp(log_weights) f(nodes)."""

    nodes: Tensor
    log_weights: Tensor


def line(low: float, high: float, points: int, device: torch.device | str = "cpu") -> Grid:
    """An even grid of ``points`` nodes on [low, high], for a 1-D latent."""
    return _box([low], [high], points, device)


def plane(
    low: tuple[float, float],
    high: tuple[float, float],
    points: int,
    device: torch.device | str = "cpu",
) -> Grid:
    """An even grid of ``points`` × ``points`` nodes on a rectangle, for a 2-D latent."""
    return _box(low, high, points, device)


def _box(low, high, points: int, device) -> Grid:
    if points < 3:
        raise ValueError(f"points is {points}: a grid needs at least 3 nodes a side")
    if any(a >= b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"low {low} is not below high {high}: swap them")
    axes, log_weights = [], torch.zeros(1, dtype=torch.float64, device=device)
    for a, b in zip(low, high, strict=True):
        axis = torch.linspace(a, b, points, dtype=torch.float64, device=device)
        weight = torch.full_like(axis, math.log((b - a) / (points - 1)))
        weight[[0, -1]] -= math.log(2)  # the trapezium rule halves the edges
        log_weights = (log_weights[:, None] + weight).flatten()
        axes.append(axis)
    return Grid(torch.cartesian_prod(*axes).reshape(-1, len(axes)), log_weights)


@torch.no_grad()
def log_joint(model: VAE, x: Tensor, grid: Grid, chunk: int = 5_000) -> Tensor:
    """log p(x, z) = log p_θ(x|z) + log p(z) at every node: x [B, 784] -> [B, Q], nats.

    Runs a copy of the decoder in float64, ``chunk`` nodes at a time. Uses
    log p(x|z) = x·logits - Σ softplus(logits), so that one pass serves every x.
    """
    decoder = copy.deepcopy(model.decoder).to(grid.nodes)
    x = check_images(x, "x").to(grid.nodes)
    # Filled in place: small results kept between large pieces fragment the memory (2.5 GB seen).
    joint = x.new_empty(*x.shape[:-1], len(grid.nodes))
    for start in range(0, len(grid.nodes), chunk):
        piece = slice(start, start + chunk)
        nodes = grid.nodes[piece]
        logits = decoder(nodes)  # [q, 784]
        log_px_z = x @ logits.T - torch.nn.functional.softplus(logits).sum(-1)
        joint[..., piece] = log_px_z + standard_normal_log_prob(nodes)
    return joint


def log_evidence(log_joint: Tensor, grid: Grid) -> Tensor:
    """log p(x) = log ∫ p(x, z) dz ≈ log Σ_i w_i p(x, z_i): [..., Q] -> [...], nats."""
    _fits(log_joint, grid)
    return torch.logsumexp(log_joint + grid.log_weights, dim=-1)


def log_posterior(log_joint: Tensor, grid: Grid) -> Tensor:
    """log p(z|x) = log p(x, z) - log p(x) at every node: [..., Q] -> [..., Q]."""
    return log_joint - log_evidence(log_joint, grid).unsqueeze(-1)


def expectation_on_grid(log_q: Tensor, f: Tensor, grid: Grid) -> Tensor:
    """E_q[f] ≈ Σ_i w_i q(z_i) f(z_i): log_q, f [..., Q] -> [...]. Where q is 0, f is not seen."""
    _fits(log_q, grid)
    weight = (log_q + grid.log_weights).exp()
    return torch.where(weight > 0, weight * f, torch.zeros_like(weight)).sum(-1)


def kl_on_grid(log_q: Tensor, log_p: Tensor, grid: Grid) -> Tensor:
    """KL(q ‖ p) = E_q[log q - log p] by quadrature: [..., Q] -> [...], nats."""
    return expectation_on_grid(log_q, log_q - log_p, grid)


def _fits(values: Tensor, grid: Grid) -> None:
    if values.shape[-1] != len(grid.nodes):
        raise ValueError(
            f"values have shape {list(values.shape)}, but the grid has {len(grid.nodes)} nodes: "
            "tabulate them at grid.nodes, last dimension Q"
        )
