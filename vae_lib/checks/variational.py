"""Checks of chapter 7: mean-field variances, coordinate ascent, and the divergence they lower."""

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lib.checks import close, exercise


def _target() -> tuple[Tensor, Tensor]:
    """Mean and covariance of a correlated Gaussian with three coordinates."""
    root = torch.tensor([[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.4, 0.7]], dtype=torch.float64)
    return torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64), root @ root.T


@exercise
def variances(answer) -> str:
    """Exercise 7.1: 1 / diag(Σ^-1), the variance of each coordinate given the others; [D]."""
    _, covariance = _target()
    precision = covariance.inverse()
    close(
        answer(covariance),
        1 / precision.diagonal(),
        "the variances",
        hints={
            "those are the posterior's own: the forward fit has them": covariance.diagonal(),
            "that is the precision; a variance is one over it": precision.diagonal(),
            "invert the matrix first, then take one over its diagonal": 1 / covariance.diagonal(),
            "variances, not standard deviations": precision.diagonal() ** -0.5,
        },
    )
    return "Each is the variance of a coordinate when the others are known."


@exercise
def sweep_once(answer) -> str:
    """Exercise 7.2: m_j = μ_j - Σ_{k≠j} Λ_jk (m_k - μ_k) / Λ_jj, for each j in turn; [D]."""
    mu, covariance = _target()
    precision, start = covariance.inverse(), torch.tensor([2.0, 1.0, -1.0], dtype=torch.float64)
    close(
        answer(start.clone(), mu, precision),
        _sweep(start, mu, precision),
        "the means after one sweep",
        hints={
            "use the newest values of the other means, not those of the start": _sweep(
                start, mu, precision, newest=False
            ),
            "the sign of the correction is turned": _sweep(start, mu, precision, sign=1.0),
            "divide by the precision's diagonal": _sweep(start, mu, precision, divide=False),
            "leave out the coordinate's own term": _sweep(start, mu, precision, own=True),
            "that is the limit of many sweeps; make one": mu,
        },
    )
    return "Sweep on, and the means come to the posterior's."


def _sweep(m, mu, precision, newest=True, sign=-1.0, divide=True, own=False) -> Tensor:
    """One sweep, with the slips that a reader may make."""
    old, m = m, m.clone()
    for j in range(len(m)):
        away = (m if newest else old) - mu
        total = precision[j] @ away - (0.0 if own else precision[j, j] * away[j])
        m[j] = mu[j] + sign * total / (precision[j, j] if divide else 1.0)
    return m


@exercise
def mean_field_kl(answer) -> str:
    """Exercise 7.3: KL(N(m, diag s²) ‖ N(μ, Σ)) in nats."""
    mu, covariance = _target()
    m = torch.tensor([0.1, -0.4, 0.9], dtype=torch.float64)
    log_s = torch.tensor([-0.5, -0.2, 0.3], dtype=torch.float64)
    p, q = (
        MultivariateNormal(mu, covariance),
        MultivariateNormal(m, torch.diag((2 * log_s).exp())),
    )
    kl = kl_divergence(q, p)
    as_variance = MultivariateNormal(m, torch.diag(log_s.exp()))
    close(
        answer(m, log_s, mu, covariance),
        kl,
        "the divergence",
        hints={
            "that is the other direction, KL(p‖q)": kl_divergence(p, q),
            "that is in bits": kl / math.log(2),
            "the factor ½ is missing": 2 * kl,
            "the divergence has the other sign": -kl,
            "take D away: it is zero when the two agree": kl + 1.5,
            "log_s is the log of the standard deviation, not of the variance": kl_divergence(
                as_variance, p
            ),
        },
    )
    return "It agrees with torch.distributions."


@exercise
def narrow(answer) -> str:
    """Exercise 7.4: 1 / (Σ^-1)_jj for Σ with ones on the diagonal and ρ elsewhere."""
    for rho, dimensions in ((0.8, 2), (0.5, 10)):
        covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64)
        covariance.fill_diagonal_(1.0)
        precision = covariance.inverse()[0, 0]
        close(
            answer(rho, dimensions),
            1 / precision,
            f"the variance for ρ = {rho} in {dimensions} dimensions",
            hints={
                "that is right for two dimensions only: more neighbours tell more": 1 - rho**2,
                "that is the precision; a variance is one over it": precision,
                "that is the marginal variance, which mean-field does not see": 1.0,
            },
        )
    return "It falls to 1 - ρ as the dimensions grow: never to 0, and never near 1."
