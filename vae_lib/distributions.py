"""Log-likelihoods, KL divergences and reparameterised samples.

One value per example, shape [B], in nats: sums run over the last dimension, never over the
batch. ``logvar`` is log σ², not log σ. Introduced in chapters 4 (likelihoods), 6 (KL) and
9 (reparameterisation).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lib.data import check_images

LOG_2PI = math.log(2 * math.pi)


def _same_last(**tensors: Tensor) -> None:
    if len({tensor.shape[-1:] for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {list(t.shape)}" for name, t in tensors.items())
        raise ValueError(f"last dimensions differ: {shapes}; they must describe the same variables")


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) = Σ_i x_i log π_i + (1 - x_i) log(1 - π_i), with π = sigmoid(logits).

    The negative of binary cross-entropy, summed over pixels. It is a log-probability only
    where x is 0 or 1; for grey x it is a score (chapter 4).

    Args:
        x: pixels in [0, 1], [..., 784].
        logits: log-odds of a white pixel, a shape that broadcasts with ``x``.

    Returns:
        nats, [...].

    Raises:
        ValueError: for another shape, or pixels outside [0, 1].
    """
    _same_last(x=x, logits=logits)
    check_images(x, "x")
    x, logits = torch.broadcast_tensors(x, logits)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def gaussian_log_prob(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; μ, diag σ²) = -½ Σ_i [log 2π + log σ_i² + (x_i - μ_i)² / σ_i²]; nats, [...].

    Raises:
        ValueError: if the last dimensions differ.
    """
    _same_last(x=x, mu=mu, logvar=logvar)
    return -0.5 * (LOG_2PI + logvar + ((x - mu) * (-0.5 * logvar).exp()) ** 2).sum(-1)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) = -½ Σ_j [log 2π + z_j²]; the VAE's prior, nats, [...]."""
    return -0.5 * (LOG_2PI + z**2).sum(-1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_j [μ_j² + σ_j² - 1 - log σ_j²]; nats, [...].

    Kingma and Welling (2014), appendix B, with the sign of a divergence. Derived in chapter 6.

    Raises:
        ValueError: if the last dimensions differ.
    """
    _same_last(mu=mu, logvar=logvar)
    return 0.5 * (mu**2 + logvar.expm1() - logvar).sum(-1)  # expm1: exact near σ = 1


def kl_diagonal_gaussians(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL(q ‖ p) between diagonal Gaussians; nats, [...].

    ½ Σ_j [(μ_q - μ_p)² / σ_p² + σ_q² / σ_p² - 1 - log(σ_q² / σ_p²)]. Derived in chapter 6.

    Raises:
        ValueError: if the last dimensions differ.
    """
    _same_last(mu_q=mu_q, logvar_q=logvar_q, mu_p=mu_p, logvar_p=logvar_p)
    return kl_to_standard_normal((mu_q - mu_p) * (-0.5 * logvar_p).exp(), logvar_q - logvar_p)


def standard_normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw ε ~ N(0, I) of ``shape``, on the device where ``generator`` lives."""
    return torch.randn(*shape, generator=generator, device=generator.device)


def reparameterise(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """z = μ + σ ε with ε ~ N(0, I): a sample of N(μ, diag σ²) that gradients pass through.

    Kingma and Welling (2014), section 2.4. Introduced in chapter 9, used from chapter 10 on.

    Raises:
        ValueError: if the last dimensions differ.
    """
    _same_last(mu=mu, logvar=logvar, eps=eps)
    return mu + (0.5 * logvar).exp() * eps
