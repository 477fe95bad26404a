"""The evidence lower bound and the losses that training minimises.

Introduced in chapters 8 (the bound) and 10 (the loss); Kingma and Welling (2014), equation 3.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.distributions import (
    bernoulli_log_prob,
    kl_to_standard_normal,
    reparameterise,
    standard_normal,
)
from vae_lib.models import VAE, Autoencoder


class Bound(NamedTuple):
    """The ELBO and its two terms, each [B] in nats: elbo = log_px_z - β kl."""

    elbo: Tensor
    log_px_z: Tensor
    kl: Tensor


def elbo(model: VAE, x: Tensor, eps: Tensor, beta: float = 1.0) -> Bound:
    """One-sample estimate of L(x) = E_q[log p_θ(x|z)] - β KL(q_φ(z|x) ‖ p(z)).

    Unbiased in the noise; the KL term is exact. β = 1 gives the bound log p(x) ≥ L(x). Any
    other β is a different objective (Higgins et al., 2017): for β > 1 still below log p(x), for
    β < 1 perhaps not.

    Args:
        x: pixels in [0, 1], [B, 784].
        eps: draws of N(0, I), [B, D], on the device of ``x``.

    Raises:
        ValueError: for other shapes, or pixels outside [0, 1].
    """
    mu, logvar = model.encode(x)
    if eps.shape != mu.shape:
        raise ValueError(f"eps has shape {list(eps.shape)}, but q(z|x) needs {list(mu.shape)}")
    log_px_z = bernoulli_log_prob(x, model.decode(reparameterise(mu, logvar, eps)))
    kl = kl_to_standard_normal(mu, logvar)
    return Bound(log_px_z - beta * kl, log_px_z, kl)


def elbo_terms(
    model: VAE, x: Tensor, generator: torch.Generator, beta: float = 1.0
) -> dict[str, Tensor]:
    """A VAE's loss for :func:`vae_lib.training.fit`: "loss" = -ELBO, with "nll" and "kl"; [B]."""
    bound = elbo(model, x, standard_normal((len(x), model.latent), generator), beta)
    return {"loss": -bound.elbo, "nll": -bound.log_px_z, "kl": bound.kl}


def reconstruction_terms(
    model: Autoencoder, x: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """An autoencoder's loss: "loss" = -log p(x|code), the Bernoulli NLL; [B], nats.

    ``generator`` is not used: an autoencoder draws nothing.
    """
    return {"loss": -bernoulli_log_prob(x, model(x))}
