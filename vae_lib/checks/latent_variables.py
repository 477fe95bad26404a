"""Checks of chapter 4: joint densities, ancestral sampling, likelihoods and their units."""

import math

import torch
from torch.distributions import ContinuousBernoulli

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def joint_table(answer) -> str:
    """Exercise 4.1: p(x, z) = p(z) p(x|z), a table [Z, X]."""
    prior = torch.tensor([0.5, 0.2, 0.3])
    likelihood = torch.tensor([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4]])
    joint = prior[:, None] * likelihood
    close(
        answer(prior, likelihood),
        joint,
        "the table",
        hints={
            "the prior belongs to the rows, one for each z; yours runs along x": prior * likelihood,
            "that is p(x), with z summed out": joint.sum(0),
            "that is the posterior p(z|x); do not divide by p(x)": joint / joint.sum(0),
        },
    )
    return "It adds up to 1, and its columns add up to p(x)."


@exercise
def gaussian_nll(answer) -> str:
    """Exercise 4.2: ‖x - μ‖² / (2σ²) + (P/2) log(2πσ²), for each image; [B], nats."""
    x = torch.tensor([[0.2, 0.8, 0.5], [1.0, 0.0, 0.3]])
    mu = torch.tensor([[0.1, 0.9, 0.9], [0.6, 0.3, 0.3]])
    sigma = 0.3
    error = ((x - mu) ** 2).sum(-1)
    scaled, constant = error / (2 * sigma**2), 1.5 * math.log(2 * math.pi * sigma**2)
    per_pixel = 0.5 * math.log(2 * math.pi * sigma**2)
    close(
        answer(x, mu, sigma),
        scaled + constant,
        "the negative log-likelihood of two images",
        hints={
            "the constant is missing, and it depends on sigma": scaled,
            "the constant counts once for each pixel": scaled + per_pixel,
            "that is the log-likelihood; the sign is turned": -scaled - constant,
            "sum over the pixels, do not average": (scaled + constant) / 3,
            "the factor ½ before the squared error is missing": 2 * scaled + constant,
            "sigma is a standard deviation: square it": error / (2 * sigma)
            + 1.5 * math.log(2 * math.pi * sigma),
            "keep one value an image": (scaled + constant).sum(),
        },
    )
    return "With σ² = ½ it is squared error plus a constant."


@exercise
def continuous_bernoulli(answer) -> str:
    """Exercise 4.3: log p(g) of grey images under the continuous Bernoulli; [B], nats."""
    g = torch.tensor([[0.2, 0.8, 0.5], [1.0, 0.0, 0.3]], dtype=torch.float64)
    pi = torch.tensor([[0.3, 0.9, 0.6], [0.8, 0.1, 0.4]], dtype=torch.float64)
    right = ContinuousBernoulli(probs=pi).log_prob(g).sum(-1)
    score = (g * pi.log() + (1 - g) * (1 - pi).log()).sum(-1)
    close(
        answer(g, pi),
        right,
        "the log-density of two images",
        hints={
            "that is the score; divide each pixel's by its integral": score,
            "divide by the integral: its logarithm is subtracted, not added": 2 * score - right,
            "that is the negative log-likelihood; the sign is turned": -right,
            "sum over the pixels, do not average": right / 3,
            "keep one value an image": right.sum(),
        },
    )
    return "What the score leaves out depends on π, so no constant makes up for it."


@exercise
def draw_chain(answer) -> str:
    """Exercise 4.4: a, then b given a, then c given b; [count, 3]."""
    p_a, p_b, p_c = 0.3, torch.tensor([0.2, 0.9]), torch.tensor([0.6, 0.1])
    count = 40_000
    draws = as_tensor(answer(p_a, p_b, p_c, count, torch.Generator().manual_seed(0)), "the draws")
    if draws.shape != (count, 3):
        raise Wrong(f"the shape should be [{count}, 3], yours is {list(draws.shape)}.")
    if not torch.isin(draws, torch.tensor([0.0, 1.0], dtype=draws.dtype)).all():
        raise Wrong("the variables are binary: draw 0 or 1, do not return probabilities.")
    a, b, c = draws.bool().unbind(1)
    tests = {
        "p(a = 1)": (a, p_a),
        "p(b = 1 | a = 0)": (b[~a], 0.2),
        "p(b = 1 | a = 1)": (b[a], 0.9),
        "p(c = 1 | b = 0)": (c[~b], 0.6),
        "p(c = 1 | b = 1)": (c[b], 0.1),
    }
    for name, (values, want) in tests.items():
        got = float(values.double().mean()) if len(values) else math.nan
        if not abs(got - want) < 0.03:  # over five standard errors of each
            hint = (
                " Each child is drawn given the value that its parent took." if "|" in name else ""
            )
            raise Wrong(f"{name} should be {want}, your draws have {got:.2f}.{hint}")
    given = [float(c[b & (a == v)].double().mean()) for v in (False, True)]
    if abs(given[0] - given[1]) > 0.05:
        raise Wrong("given b, c still depends on a: there is no arrow from a to c.")
    return "Given b, c knows nothing more of a: that is what the missing arrow says."
