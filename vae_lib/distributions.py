"""Log-likelihoods, KL divergences, reparameterised samples, and the Gaussian q(z|x).

One value per example, shape [B], in nats: sums run over the last dimension, never over the
batch. ``logvar`` is log σ², not log σ. Results are in float32 at least, also for inputs in half
precision. Shapes and types are checked here; pixel values are checked where data enters, since
a look at numbers stops ``torch.func``, ``torch.compile`` and ``torch.export``. Introduced in
chapters 4 (likelihoods), 6 (KL) and 9 (reparameterisation).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def wide(tensor: Tensor) -> Tensor:
    """``tensor`` in float32 if it is of half precision, else as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _tensors(**values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} is a {type(value).__name__}: torch.as_tensor({name}) makes it a tensor"
            )


def _same_last(**tensors: Tensor) -> None:
    _tensors(**tensors)
    if len({tensor.shape[-1:] for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {list(t.shape)}" for name, t in tensors.items())
        raise ValueError(f"last dimensions differ: {shapes}; they must describe the same variables")


def _check_pixels(x: Tensor, logits: Tensor) -> None:
    _same_last(x=x, logits=logits)
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}: convert it with .float()")


def _is_table(x: Tensor, logits: Tensor) -> bool:
    """Every x [B, P] for all logits [Q, 1, P]: one matrix product, in float64 exact enough."""
    both = x.dtype == logits.dtype == torch.float64
    return both and x.ndim == 2 and logits.ndim == 3 and logits.shape[1] == 1


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) = Σ_i x_i log π_i + (1 - x_i) log(1 - π_i), with π = sigmoid(logits).

    The negative of binary cross-entropy, summed over pixels. It is a log-probability only
    where x is 0 or 1; for grey x it is a score (chapter 4). Written with l = logits as
    ``Σ_i (x_i - ½) l_i - ½|l_i| - log(1 + exp(-|l_i|))``, which never overflows. log(1 + e) is
    several times faster than log1p(e); a pixel's error stays within one rounding of 1. A second
    derivative is wrong where a logit is exactly 0.

    Args:
        x: pixels, [..., P].
        logits: log-odds that a pixel is 1, a shape that broadcasts with ``x``.

    Returns:
        nats, [...].

    Raises:
        ValueError: for last dimensions that differ, or pixels that are no floats.
        TypeError: for an ``x`` or ``logits`` that is no tensor.

    Example:
        A fair coin for each of two pixels, 2 log ½:

        >>> bernoulli_log_prob(torch.tensor([1.0, 0.0]), torch.zeros(2))
        tensor(-1.3863)
    """
    _check_pixels(x, logits)
    x, logits = wide(x), wide(logits)
    size = logits.abs()
    rest = (1 + (-size).exp()).log()
    if _is_table(x, logits):
        return logits[:, 0] @ (x - 0.5).T - (0.5 * size + rest).sum(-1)
    return ((x - 0.5) * logits - 0.5 * size - rest).sum(-1)  # in this order: a sure pixel is exact


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) = Σ_i x_i l_i - log ∫_0^1 exp(l_i t) dt, l = logits: a density on [0, 1]^P.

    The Bernoulli score with the constant that makes it integrate to 1 over grey values
    (Loaiza-Ganem and Cunningham, 2019). With h = l / 2 the integral is exp(h) sinh(h) / h; near
    l = 0 its logarithm is taken from its series. Introduced in chapter 12.

    Args and errors are those of :func:`bernoulli_log_prob`; nats, [...], may be positive.

    Example:
        At l = 0 the density is 1 on all of [0, 1]:

        >>> continuous_bernoulli_log_prob(torch.tensor([0.3]), torch.zeros(1)).abs()
        tensor(0.)
    """
    _check_pixels(x, logits)
    x, logits, rest = wide(x), wide(logits), _log_sinhc(0.5 * wide(logits))
    if _is_table(x, logits):
        return logits[:, 0] @ (x - 0.5).T - rest.sum(-1)
    return ((x - 0.5) * logits - rest).sum(-1)


def _log_sinhc(h: Tensor) -> Tensor:
    """log(sinh(h) / h), whose value and gradient are right for any h, 0 included."""
    near = h.abs() < 0.3
    square = torch.where(near, h, 0) ** 2
    series = 1 / 2835 + square * (-1 / 37800 + square * (1 / 467775 - square * 691 / 3831077250))
    series = square * (1 / 6 + square * (-1 / 180 + square * series))
    size = torch.where(near, 1, h).abs()
    return torch.where(near, series, size + (-(-2 * size).expm1() / (2 * size)).log())


def continuous_bernoulli_sample(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Draw x in [0, 1] by inverting its distribution function: logits [...] -> x [...].

    Example:
        Near a logit of 0 it is uniform, with mean ½:

        >>> g = torch.Generator().manual_seed(0)
        >>> draws = continuous_bernoulli_sample(torch.zeros(10_000), g)
        >>> round(float(draws.mean()), 1)
        0.5
    """
    logits = wide(logits)
    u = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    size = -logits.abs()  # the density falls with x; for l > 0 it is turned round
    falling = torch.where(size < 0, (u * size.expm1()).log1p() / size.clamp(max=-1e-30), u)
    return torch.where(logits > 0, 1 - falling, falling).clamp(0, 1)


def gaussian_log_prob(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; μ, diag σ²) = -½ Σ_i [log 2π + log σ_i² + (x_i - μ_i)² / σ_i²]; nats, [...].

    Raises:
        ValueError: if the last dimensions differ.

    Example:
        >>> one = torch.ones(1)
        >>> gaussian_log_prob(one, mu=one, logvar=0 * one)  # -½ log 2π
        tensor(-0.9189)
    """
    _same_last(x=x, mu=mu, logvar=logvar)
    x, mu, logvar = wide(x), wide(mu), wide(logvar)
    return -0.5 * (LOG_2PI + logvar + ((x - mu) * (-0.5 * logvar).exp()) ** 2).sum(-1)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) = -½ Σ_j [log 2π + z_j²]; the VAE's prior, nats, [...].

    Example:
        >>> standard_normal_log_prob(torch.zeros(2))  # -log 2π
        tensor(-1.8379)
    """
    _same_last(z=z)
    return -0.5 * (LOG_2PI + wide(z) ** 2).sum(-1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_j [μ_j² + σ_j² - 1 - log σ_j²]; nats, [...].

    Kingma and Welling (2014), appendix B, with the sign of a divergence. Derived in chapter 6.

    Raises:
        ValueError: if the last dimensions differ.

    Example:
        A mean of 1 costs half a nat:

        >>> kl_to_standard_normal(torch.tensor([1.0, 0.0]), torch.zeros(2))
        tensor(0.5000)
    """
    _same_last(mu=mu, logvar=logvar)
    mu, logvar = wide(mu), wide(logvar)
    return 0.5 * (mu**2 + logvar.expm1() - logvar).sum(-1)  # expm1: accurate near σ = 1


def kl_diagonal_gaussians(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL(q ‖ p) between diagonal Gaussians; nats, [...].

    ½ Σ_j [(μ_q - μ_p)² / σ_p² + σ_q² / σ_p² - 1 - log(σ_q² / σ_p²)]. Derived in chapter 6.

    Raises:
        ValueError: if the last dimensions differ.

    Example:
        >>> one, zero = torch.ones(1), torch.zeros(1)
        >>> kl_diagonal_gaussians(one, zero, -one, zero)  # two apart: ½ · 2²
        tensor(2.)
    """
    _same_last(mu_q=mu_q, logvar_q=logvar_q, mu_p=mu_p, logvar_p=logvar_p)
    mu_q, logvar_q, mu_p, logvar_p = map(wide, (mu_q, logvar_q, mu_p, logvar_p))
    return kl_to_standard_normal((mu_q - mu_p) * (-0.5 * logvar_p).exp(), logvar_q - logvar_p)


def standard_normal(
    shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype | None = None
) -> Tensor:
    """Draw ε ~ N(0, I) of ``shape``, on the device where ``generator`` lives.

    Raises:
        TypeError: if ``generator`` is none, a seed for instance.

    Example:
        >>> standard_normal((2, 3), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 3])
    """
    if not hasattr(generator, "device"):
        raise TypeError(
            f"generator is a {type(generator).__name__}: pass torch.Generator().manual_seed(0)"
        )
    return torch.randn(*shape, generator=generator, device=generator.device, dtype=dtype)


def reparameterise(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """z = μ + σ ε with ε ~ N(0, I): a sample of N(μ, diag σ²) that gradients pass through.

    Kingma and Welling (2014), section 2.4. Introduced in chapter 9, used from chapter 10 on.

    Raises:
        ValueError: if the last dimensions differ.

    Example:
        >>> reparameterise(mu=torch.tensor([1.0]), logvar=torch.zeros(1), eps=torch.tensor([-2.0]))
        tensor([-1.])
    """
    _same_last(mu=mu, logvar=logvar, eps=eps)
    return mu + (0.5 * logvar).exp() * eps


class DiagonalGaussian(NamedTuple):
    """q(z|x) = N(μ, diag σ²): ``mu`` and ``logvar`` [B, D].

    ``kl`` is the exact KL(q ‖ prior) for each latent dimension, [B, D], or None where the model's
    prior allows no closed form. Introduced in chapter 10.

    Example:
        >>> q = DiagonalGaussian(mu=torch.ones(1, 2), logvar=torch.zeros(1, 2))
        >>> q.log_prob(torch.ones(1, 2))  # -log 2π at the mean
        tensor([-1.8379])
    """

    mu: Tensor
    logvar: Tensor
    kl: Tensor | None = None

    def sample(self, eps: Tensor) -> Tensor:
        """z = μ + σ ε: noise [B, D] or [K, B, D] -> the same shape, with gradients."""
        return reparameterise(self.mu, self.logvar, eps)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x): [..., B, D] -> [..., B], nats."""
        return gaussian_log_prob(z, self.mu, self.logvar)
