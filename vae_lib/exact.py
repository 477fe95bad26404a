"""Evidence and posterior by quadrature, for latents of one or two dimensions.

A sum over an even grid (the trapezium rule) is all it takes: for a smooth integrand that has
vanished at the edges, the error falls faster than any power of the step (Trefethen and Weideman,
2014). On a grid too coarse for what it finds, the functions warn and say by how much. Everything
runs in float64. Introduced in chapters 5 (evidence) and 8 (the identity).
"""

import copy
import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lib.data import check_images
from vae_lib.models import Autoencoder, Latent


class Grid(NamedTuple):
    """``nodes`` [Q, D] and ``log_weights`` [Q]: ∫ f(z) dz ≈ Σ exp(log_weights) f(nodes)."""

    nodes: Tensor
    log_weights: Tensor


def line(low: float, high: float, points: int, device: torch.device | str = "cpu") -> Grid:
    """An even grid of ``points`` nodes on [low, high], for a 1-D latent.

    Example:
        >>> grid = line(-1, 1, 201)
        >>> round(float((grid.log_weights.exp() * grid.nodes[:, 0] ** 2).sum()), 3)  # ∫ z² dz
        0.667
    """
    return _box([low], [high], points, device)


def plane(
    low: tuple[float, float],
    high: tuple[float, float],
    points: int,
    device: torch.device | str = "cpu",
) -> Grid:
    """An even grid of ``points`` × ``points`` nodes on a rectangle, for a 2-D latent.

    Example:
        >>> grid = plane((-1, -1), (1, 1), 101)
        >>> grid.nodes.shape, round(float(grid.log_weights.exp().sum()), 6)  # the area
        (torch.Size([10201, 2]), 4.0)
    """
    return _box(low, high, points, device)


def _box(
    low: Sequence[float], high: Sequence[float], points: int, device: torch.device | str
) -> Grid:
    if points < 3:
        raise ValueError(f"points is {points}: a grid needs at least 3 nodes a side")
    sides = tuple(zip(low, high, strict=True))
    if not all(-math.inf < a < b < math.inf for a, b in sides):
        raise ValueError(f"low {low} is not below high {high}: swap them, if both are finite")
    axes, log_weights = [], torch.zeros(1, dtype=torch.float64, device=device)
    for a, b in sides:
        axis = torch.linspace(a, b, points, dtype=torch.float64, device=device)
        weight = torch.full_like(axis, math.log((b - a) / (points - 1)))
        weight[[0, -1]] -= math.log(2)  # the trapezium rule halves the edges
        log_weights = (log_weights[:, None] + weight).flatten()
        axes.append(axis)
    return Grid(torch.cartesian_prod(*axes).reshape(-1, len(axes)), log_weights)


@torch.no_grad()
def log_joint(model: Latent | Autoencoder, x: Tensor, grid: Grid, chunk: int = 5_000) -> Tensor:
    """log p(x, z) = log p_θ(x|z) + log p(z) at every node: x [..., P] -> [..., Q], nats.

    Needs ``log_prior`` and ``log_likelihood`` of the model, no posterior. A module runs as a copy
    in float64, in pieces of ``chunk`` pairs of a node and an example, which bounds the memory.

    Raises:
        ValueError: for a grid of another dimension than z, or x of another size than the model's;
            for an autoencoder or VAE also for gaps, and for pixels outside [0, 1].
    """
    if grid.nodes.shape[-1] != model.latent:
        raise ValueError(
            f"the grid has {grid.nodes.shape[-1]} dimensions and the model's z {model.latent}: "
            "line() is for one, plane() for two"
        )
    if isinstance(model, Autoencoder):
        check_images(x, "x", bounded=model.bounded)
    if isinstance(model, nn.Module):
        model = copy.deepcopy(model).to(grid.nodes)
    rows = x.reshape(-1, x.shape[-1]).to(grid.nodes)  # [B, P]
    # Filled in place: small results kept between large pieces fragment the memory (2.5 GB seen).
    joint = rows.new_empty(len(rows), len(grid.nodes))
    count = max(1, chunk // max(1, len(rows)))
    for start in range(0, len(grid.nodes), count):
        z = grid.nodes[start : start + count, None]  # [q, 1, D]
        log_pxz = model.log_likelihood(rows, z) + model.log_prior(z)  # [q, B]
        joint[:, start : start + count] = log_pxz.T
    return joint.reshape(*x.shape[:-1], len(grid.nodes))


def log_evidence(log_joint: Tensor, grid: Grid) -> Tensor:
    """log p(x) = log ∫ p(x, z) dz ≈ log Σ_i w_i p(x, z_i): [..., Q] -> [...], nats.

    Warns:
        RuntimeWarning: if the grid is too coarse for the integrand.

    Example:
        z ~ N(0, 1) and x|z ~ N(z, 1) give x ~ N(0, 2); here at x = 0:

        >>> from vae_lib.distributions import gaussian_log_prob, standard_normal_log_prob
        >>> grid = line(-10, 10, 401)
        >>> zero = torch.zeros(1, dtype=grid.nodes.dtype)
        >>> joint = gaussian_log_prob(zero, grid.nodes, zero) + standard_normal_log_prob(grid.nodes)
        >>> round(float(log_evidence(joint, grid)), 4), round(-0.5 * math.log(4 * math.pi), 4)
        (-1.2655, -1.2655)
    """
    _fits(log_joint, grid)
    _warn_if_coarse(log_joint, grid)
    return torch.logsumexp(log_joint + grid.log_weights, dim=-1)


def log_posterior(log_joint: Tensor, grid: Grid) -> Tensor:
    """log p(z|x) = log p(x, z) - log p(x) at every node: [..., Q] -> [..., Q]."""
    return log_joint - log_evidence(log_joint, grid).unsqueeze(-1)


def expectation_on_grid(log_q: Tensor, f: Tensor, grid: Grid) -> Tensor:
    """E_q[f] ≈ Σ_i w_i q(z_i) f(z_i): log_q, f [..., Q] -> [...]. Where q is 0, f is not seen.

    Warns:
        RuntimeWarning: if the grid is too coarse for q.

    Example:
        >>> from vae_lib.distributions import standard_normal_log_prob
        >>> grid = line(-10, 10, 401)
        >>> log_q, square = standard_normal_log_prob(grid.nodes), grid.nodes[:, 0] ** 2
        >>> round(float(expectation_on_grid(log_q, square, grid)), 6)  # the variance of N(0, 1)
        1.0
    """
    _fits(log_q, grid)
    _warn_if_coarse(log_q, grid)
    weight = (log_q + grid.log_weights).exp()
    return torch.where(weight > 0, weight * f, torch.zeros_like(weight)).sum(-1)


def kl_on_grid(log_q: Tensor, log_p: Tensor, grid: Grid) -> Tensor:
    """KL(q ‖ p) = E_q[log q - log p] by quadrature: [..., Q] -> [...], nats.

    Example:
        >>> from vae_lib.distributions import gaussian_log_prob
        >>> z = (grid := line(-10, 10, 401)).nodes
        >>> zero = torch.zeros(1, dtype=z.dtype)
        >>> log_q, log_p = gaussian_log_prob(z, zero + 1, zero), gaussian_log_prob(z, zero, zero)
        >>> round(float(kl_on_grid(log_q, log_p, grid)), 6)  # ½ · 1²
        0.5
    """
    return expectation_on_grid(log_q, log_q - log_p, grid)


def _fits(values: Tensor, grid: Grid) -> None:
    if values.shape[-1] != len(grid.nodes):
        raise ValueError(
            f"values have shape {list(values.shape)}, but the grid has {len(grid.nodes)} nodes: "
            "tabulate them at grid.nodes, last dimension Q"
        )


@torch.no_grad()
def _warn_if_coarse(log_f: Tensor, grid: Grid) -> None:
    """Warn if thirds of the grid, every third node along an axis, disagree on log ∫ f by a nat.

    For a Gaussian the three then stand for an error below 0.001 nats in the whole grid, wherever
    it lies between the nodes; two halves would agree on one that lies midway.
    """
    dims = grid.nodes.shape[-1]
    side = round(len(grid.nodes) ** (1 / dims))
    if side**dims != len(grid.nodes):
        return  # not an even grid of this module
    table = (log_f + grid.log_weights).reshape(-1, *[side] * dims)
    for axis in range(dims):
        along = table.movedim(axis + 1, 1)
        thirds = torch.stack([along[:, k::3].flatten(1).logsumexp(1) for k in range(3)])
        apart = (thirds.amax(0) - thirds.amin(0)).nan_to_num(nan=0.0, posinf=math.inf)
        if (apart > 1).any():
            nodes = grid.nodes[:, axis]
            step = float(nodes.max() - nodes.min()) / (side - 1)
            warnings.warn(
                f"the grid is too coarse: {int((apart > 1).sum())} of {len(apart)} integrals "
                f"differ by up to {float(apart.max()):.2g} nats between thirds of the nodes along "
                f"axis {axis}, where the step is {step:.3g}: take more points, or a smaller box",
                RuntimeWarning,
                stacklevel=3,
            )
