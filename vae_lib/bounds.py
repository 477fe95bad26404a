"""Lower bounds on log p(x), their gradients, and the losses that training minimises.

Written once, for every model that offers what :class:`vae_lib.models.Latent` lists. Introduced in
chapters 8 (the bound), 9 (gradients), 10 (the loss), 11 and 14 (K samples).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.distributions import standard_normal
from vae_lib.models import Autoencoder, Latent, Posterior


class Bound(NamedTuple):
    """The ELBO and its two terms, each [B] in nats: elbo = log_px_z - β kl."""

    elbo: Tensor
    log_px_z: Tensor
    kl: Tensor


def noise(
    model: Latent, x: Tensor, generator: torch.Generator, samples: int | None = None
) -> Tensor:
    """Draws of N(0, I) for samples of q(z|x): [B, D], or [K, B, D] for K ``samples``.

    In the type of μ: that of x, and float32 at least.

    Raises:
        ValueError: for fewer than 1 of ``samples``, or a ``generator`` that is not where x is.

    Example:
        >>> from vae_lib.models import VAE
        >>> noise(VAE(latent=2), torch.zeros(3, 784), torch.Generator().manual_seed(0), 5).shape
        torch.Size([5, 3, 2])
    """
    if samples is not None and samples < 1:
        raise ValueError(f"samples is {samples}: it must be at least 1, or None for [B, D]")
    shape = (*(() if samples is None else (samples,)), *x.shape[:-1], _latent(model))
    eps = standard_normal(shape, generator, torch.promote_types(x.dtype, torch.float32))
    if eps.device != x.device:
        raise ValueError(
            f"generator lives on {eps.device}, x on {x.device}: make a torch.Generator(x.device)"
        )
    return eps


def elbo(model: Latent, x: Tensor, eps: Tensor, beta: float = 1.0) -> Bound:
    """Estimate of L(x) = E_q[log p_θ(x|z)] - β KL(q_φ(z|x) ‖ p(z)), from one sample or K.

    Unbiased in the noise. The KL is exact where q knows it, and otherwise log q(z|x) - log p(z)
    at the samples. β = 1 gives the bound log p(x) ≥ L(x). Any other β is a different objective
    (Higgins et al., 2017): for β > 1 still below log p(x), for β < 1 perhaps not. Kingma and
    Welling (2014), equation 3.

    Args:
        x: examples, [B, P].
        eps: draws of N(0, I), [B, D], or [K, B, D] for an average over K samples.

    Raises:
        ValueError: for noise of another shape.
        TypeError: for a model without a posterior, such as an autoencoder.

    Example:
        >>> from vae_lib.models import VAE
        >>> model, x = VAE(latent=2), torch.zeros(3, 784)
        >>> bound = elbo(model, x, noise(model, x, torch.Generator().manual_seed(0)))
        >>> torch.allclose(bound.elbo, bound.log_px_z - bound.kl)
        True
    """
    q = _posterior(model, x, eps)
    z = q.sample(eps)
    log_px_z = model.log_likelihood(x, z)
    kl = q.log_prob(z) - model.log_prior(z) if q.kl is None else q.kl.sum(-1)
    if eps.ndim > x.ndim:
        log_px_z, kl = log_px_z.mean(0), kl if q.kl is not None else kl.mean(0)
    return Bound(log_px_z - beta * kl, log_px_z, kl)


def log_weights(model: Latent, x: Tensor, eps: Tensor) -> Tensor:
    """log w = log p(x|z) + log p(z) - log q(z|x) at z ~ q(z|x): noise [K, B, D] -> [K, B], nats.

    The average of w over samples estimates p(x) without bias. Errors as in :func:`elbo`.

    Example:
        Averaged over samples, its expectation is the ELBO:

        >>> from vae_lib.models import VAE
        >>> model, x = VAE(latent=2), torch.zeros(3, 784)
        >>> log_weights(model, x, noise(model, x, torch.Generator().manual_seed(0), 5)).shape
        torch.Size([5, 3])
    """
    q = _posterior(model, x, eps)
    z = q.sample(eps)
    return log_joint(model, x, z) - q.log_prob(z)


def log_joint(model: Latent, x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z) = log p(x|z) + log p(z): x [B, P], z [..., B, D] -> [..., B], nats.

    Example:
        >>> from vae_lib.models import VAE
        >>> log_joint(VAE(latent=2), torch.zeros(3, 784), torch.zeros(5, 3, 2)).shape
        torch.Size([5, 3])
    """
    return model.log_likelihood(x, z) + model.log_prior(z)


def iwae_bound(model: Latent, x: Tensor, eps: Tensor) -> Tensor:
    """log (1 / K) Σ_k w_k, the bound of K samples: noise [K, B, D] -> [B], nats.

    Its expectation is the ELBO for K = 1, and rises to log p(x) with K (Burda et al., 2016).
    Introduced in chapter 11.

    Raises:
        ValueError: also for noise [B, D], whose one sample for each x would be averaged over x.

    Example:
        Never below the average of the same samples' log-weights (Jensen):

        >>> from vae_lib.models import VAE
        >>> model, x = VAE(latent=2), torch.zeros(3, 784)
        >>> eps = noise(model, x, torch.Generator().manual_seed(0), 5)
        >>> bool((iwae_bound(model, x, eps) >= log_weights(model, x, eps).mean(0)).all())
        True
    """
    return _log_mean_exp(log_weights(model, x, eps), x)


# Gradient estimators. Each has the value of a bound, and a gradient with the same expectation as
# that of the reparameterised ``elbo`` or ``iwae_bound``; they differ in variance (chapters 9, 14).


def score_function(model: Latent, x: Tensor, eps: Tensor) -> Tensor:
    """log w at each sample, with REINFORCE's gradient: noise [..., B, D] -> [..., B], nats.

    ∇_φ E_q[log w] = E_q[log w ∇_φ log q(z|x)]: the path from φ to z is cut, so z could be
    discrete (Williams, 1992). Introduced in chapter 9.

    Example:
        >>> from vae_lib.models import VAE
        >>> model, x = VAE(latent=2), torch.zeros(3, 784)
        >>> eps = noise(model, x, torch.Generator().manual_seed(0))
        >>> torch.allclose(score_function(model, x, eps), log_weights(model, x, eps))
        True
    """
    q = _posterior(model, x, eps)
    z = q.sample(eps).detach()
    log_p, log_q = log_joint(model, x, z), q.log_prob(z)
    log_w = (log_p - log_q).detach()
    return log_w + (log_p - log_p.detach()) + log_w * (log_q - log_q.detach())


def path_derivative(model: Latent, x: Tensor, eps: Tensor) -> Tensor:
    """log w at each sample, without its score term: noise [..., B, D] -> [..., B], nats.

    E_q[∇_φ log q(z|x)] = 0 at fixed z, so that part of the gradient is noise; without it the
    variance is 0 where q is the posterior (Roeder et al., 2017: "sticking the landing").
    Introduced in chapter 9.

    Example:
        The values are those of :func:`log_weights`; only the gradient differs:

        >>> from vae_lib.models import VAE
        >>> model, x = VAE(latent=2), torch.zeros(3, 784)
        >>> eps = noise(model, x, torch.Generator().manual_seed(0))
        >>> torch.allclose(path_derivative(model, x, eps), log_weights(model, x, eps))
        True
    """
    q = _posterior(model, x, eps)
    z = q.sample(eps)
    score = q.log_prob(z.detach())
    return log_joint(model, x, z) - q.log_prob(z) + score - score.detach()


def doubly_reparameterised(model: Latent, x: Tensor, eps: Tensor) -> Tensor:
    """The bound of K samples, with DReG's gradient: noise [K, B, D] -> [B], nats.

    With w̃ the normalised weights, θ gets Σ_k w̃_k ∇_θ log w_k and φ gets
    Σ_k w̃_k² (∂ log w_k / ∂z_k) ∂z_k/∂φ, whose signal does not drown as K grows (Tucker et al.,
    2019). Introduced in chapter 14. A hook on z squares the weights, so ``torch.func`` cannot
    trace it. Errors as in :func:`iwae_bound`.
    """
    q = _posterior(model, x, eps)
    z = q.sample(eps)
    score = q.log_prob(z.detach())
    log_w = log_joint(model, x, z) - q.log_prob(z) + score - score.detach()
    share = log_w.detach().softmax(0)  # w̃, [K, B]
    if z.requires_grad:
        z.register_hook(lambda gradient: share[..., None] * gradient)  # type: ignore[no-untyped-call]
    return _log_mean_exp(log_w.detach(), x) + (share * (log_w - log_w.detach())).sum(0)


# What fit minimises.


def elbo_terms(
    model: Latent, x: Tensor, generator: torch.Generator, beta: float = 1.0
) -> dict[str, Tensor]:
    """A loss for :func:`vae_lib.training.fit`, each term [B] in nats.

    "loss" = nll + β kl is minimised; "nll" = -log p(x|z) and "kl" are its terms; "criterion" =
    nll + kl, the negative bound, says which epoch is best, whatever β is or becomes.

    Example:
        >>> from vae_lib.models import VAE
        >>> g = torch.Generator().manual_seed(0)
        >>> terms = elbo_terms(VAE(latent=2), torch.zeros(3, 784), g, beta=4.0)
        >>> torch.allclose(terms["loss"], terms["nll"] + 4 * terms["kl"])
        True
    """
    bound = elbo(model, x, noise(model, x, generator), beta)
    nll, kl = -bound.log_px_z, bound.kl
    return {"loss": -bound.elbo, "nll": nll, "kl": kl, "criterion": nll + kl}


def free_bits_terms(
    model: Latent, x: Tensor, generator: torch.Generator, floor: float = 0.5
) -> dict[str, Tensor]:
    """A loss for :func:`vae_lib.training.fit` under which some nats are free; each term [B].

    "loss" = nll + Σ_j max(floor, mean over the batch of KL_j): below ``floor`` nats, a latent
    dimension pays nothing more (Kingma et al., 2016). The other terms are those of
    :func:`elbo_terms`, floor or not. Introduced in chapter 12.

    Raises:
        ValueError: for a model whose q has no exact KL by dimension.

    Example:
        At a floor that no latent dimension reaches, all of them are charged the floor:

        >>> from vae_lib.models import VAE
        >>> g = torch.Generator().manual_seed(0)
        >>> terms = free_bits_terms(VAE(latent=2), torch.zeros(3, 784), g, floor=9.0)
        >>> torch.allclose(terms["loss"], terms["nll"] + 2 * 9)
        True
    """
    q = _posterior(model, x, eps := noise(model, x, generator))
    if q.kl is None:
        raise ValueError("free bits need the KL of each dimension: this model's prior gives none")
    nll, kl = -model.log_likelihood(x, q.sample(eps)), q.kl.sum(-1)
    free = q.kl.mean(0).clamp(min=floor).sum()
    return {"loss": nll + free, "nll": nll, "kl": kl, "criterion": nll + kl}


def reconstruction_terms(
    model: Autoencoder, x: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """An autoencoder's loss: "loss" = -log p(x|code) under its likelihood; [B], nats.

    ``generator`` is not used: an autoencoder draws nothing.

    Example:
        >>> from vae_lib.models import Autoencoder
        >>> reconstruction_terms(Autoencoder(latent=2), torch.zeros(3, 784))["loss"].shape
        torch.Size([3])
    """
    return {"loss": -model.log_likelihood(x, model.code(x))}


def _log_mean_exp(log_w: Tensor, x: Tensor) -> Tensor:
    if log_w.ndim < x.ndim:
        raise ValueError(
            "eps has one sample for each x, [B, D], but a bound of K samples needs [K, B, D]: "
            "noise(model, x, generator, K) draws them"
        )
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def _latent(model: Latent) -> int:
    if not hasattr(model, "posterior"):
        raise TypeError(
            f"{type(model).__name__} has no posterior(x), so it has no bound: take a VAE, or "
            "train an autoencoder with reconstruction_terms"
        )
    return model.latent


def _posterior(model: Latent, x: Tensor, eps: Tensor) -> Posterior:
    """q(z|x), once it is known that the noise has the shape of its samples."""
    need = [*x.shape[:-1], _latent(model)]
    if list(eps.shape[eps.ndim - x.ndim :]) != need or eps.ndim - x.ndim not in (0, 1):
        raise ValueError(
            f"eps has shape {list(eps.shape)}, but q(z|x) needs {need}, or K such samples"
        )
    return model.posterior(x)
