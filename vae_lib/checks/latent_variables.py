"""Checks of chapter 4: what a shared cause does, likelihoods, noise, and ancestral sampling."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli, ContinuousBernoulli

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def covariance(answer) -> str:
    """Exercise 4.1: prior [Z], ink [Z, P] -> covariances [P, P] of binary pixels, z unseen."""
    prior = torch.tensor([0.5, 0.2, 0.3])
    ink = torch.tensor([[0.1, 0.6, 0.3, 0.5], [0.8, 0.1, 0.1, 0.4], [0.3, 0.3, 0.9, 0.7]])
    for what, p, pi in (
        ("four pixels and three values of z", prior, ink),
        ("two pixels and a coin", torch.tensor([0.25, 0.75]), ink[:2, 1:3]),
    ):
        want, hints = _covariances(p, pi)
        close(answer(p, pi), want, what, hints=hints)
    return "Off the diagonal stands the spread of π(z), on it the whole variance of a coin."


def _covariances(prior: Tensor, ink: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """What is right, and what the slips give."""
    mean = prior @ ink
    spread = (prior[:, None] * ink).T @ ink - mean[:, None] * mean
    own = (mean * (1 - mean)).diag()
    within = (prior @ (ink * (1 - ink))).diag()
    right = spread - spread.diag().diag() + own
    even = torch.cov(ink.T, correction=0)
    hints = {
        "the diagonal is the variance of a pixel, x² = x, and not that of π(z) alone": spread,
        "the diagonal lacks what π(z) adds: a pixel's whole variance is m (1 - m)": spread
        - spread.diag().diag()
        + within,
        "that holds given z; with z unseen the pixels depend on each other": own,
        "that is the mean of the products; subtract the product of the means": right
        + mean[:, None] * mean,
        "weigh the values of z by the prior, not evenly": even - even.diag().diag() + own,
        "the values of z need their weights, the prior": even,
        "that is the correlation; do not divide by standard deviations": right
        / (mean * (1 - mean)).outer(mean * (1 - mean)).sqrt(),
    }
    return right, hints


@exercise
def price_of_noise(answer) -> str:
    """Exercise 4.2: mse, pixels, std -> nats by which the Gaussian's NLL is above its least."""
    for mse, pixels, std in (
        (0.04, 784, 0.5**0.5),
        (0.04, 784, 0.15),
        (0.09, 3, 0.5),
        (0.0205**2, 100, 0.03),
    ):
        ratio = mse / std**2
        right = pixels / 2 * (ratio - 1 - math.log(ratio))
        nll = pixels / 2 * (ratio + math.log(2 * math.pi * std**2))
        hints = {
            "that is the negative log-likelihood; subtract its least value, at σ² = mse": nll,
            "the noise enters as a variance, σ²; std is σ": pixels
            / 2
            * (mse / std - 1 - math.log(mse / std)),
            "the factor ½ is missing": 2 * right,
            "nats per digit: the pixels are summed, not averaged": right / pixels,
            "the constant is missing: the least value has its misfit, ½ a pixel": right
            + pixels / 2,
            "the logarithm is missing: the normaliser depends on σ": pixels / 2 * (ratio - 1),
            "the sign is turned: a price is positive": -right,
            "the ratio is upside down, σ² / mse": pixels / 2 * (1 / ratio - 1 + math.log(ratio)),
        }
        what = f"mse {mse}, {pixels} pixels, σ = {std:.2f}"
        close(answer(mse, pixels, std), right, what, hints=hints)
    close(answer(0.04, 784, 0.2), 0.0, "σ² = mse", atol=1e-4)
    return "At σ² = ½ a mean squared error of 0.04 costs 629 nats per digit too many."


@exercise
def continuous_bernoulli(answer) -> str:
    """Exercise 4.3: log p(g) of grey images under the continuous Bernoulli; [B], nats."""
    g = torch.tensor([[0.2, 0.8, 0.5], [1.0, 0.0, 0.3]], dtype=torch.float64)
    pi = torch.tensor([[0.3, 0.9, 0.6], [0.8, 0.1, 0.4]], dtype=torch.float64)
    _continuous(answer, g, pi, "the log-density of two images")
    _continuous(answer, g.T[:, :1], pi.T[:, :1], "three images of one pixel")
    sure = torch.tensor([[1e-9, 0.2]], dtype=torch.float64)
    _continuous(answer, g[:1, :2], sure, "a probability of 1e-9")
    return "What the score leaves out depends on π, so no constant makes up for it."


def _continuous(answer, g: Tensor, pi: Tensor, what: str) -> None:
    right = ContinuousBernoulli(probs=pi).log_prob(g).sum(-1)
    score = (g * pi.log() + (1 - g) * (1 - pi).log()).sum(-1)
    hints = {
        "that is the score; divide each pixel's by its integral": score,
        "divide by the integral: its logarithm is subtracted, not added": 2 * score - right,
        "that is the negative log-likelihood; the sign is turned": -right,
        "sum over the pixels, do not average": right / g.shape[-1],
        "keep one value an image": right.sum(),
    }
    close(answer(g, pi), right, what, hints=hints)


@exercise
def draw_chain(answer) -> str:
    """Exercise 4.4: a, then b given a, then c given b; [count, 3]."""
    first = (0.3, torch.tensor([0.2, 0.9]), torch.tensor([0.6, 0.1]))
    second = (0.65, torch.tensor([0.5, 0.15]), torch.tensor([0.3, 0.8]))
    for chances, count in ((first, 100_000), (second, 80_001)):
        one, other = (torch.Generator().manual_seed(seed) for seed in (0, 0))
        draws = _draw(answer, chances, count, one)
        _follows_the_arrows(draws, *chances)
        if not torch.equal(_draw(answer, chances, count, other), draws):
            raise Wrong("the same generator must give the same draws: hand it to every call.")
        if torch.equal(_draw(answer, chances, count, one), draws):
            raise Wrong("called again, the generator must give other draws: never seed it anew.")
    return "Given b, c knows nothing more of a: that is what the missing arrow says."


def _draw(answer, chances, count: int, generator: torch.Generator) -> Tensor:
    draws = as_tensor(answer(*chances, count, generator), "the draws")
    if draws.shape != (count, 3):
        raise Wrong(f"the shape should be [{count}, 3], yours is {list(draws.shape)}.")
    if not torch.isin(draws, torch.tensor([0.0, 1.0], dtype=draws.dtype)).all():
        raise Wrong("the variables are binary: draw 0 or 1, do not return probabilities.")
    return draws


def _follows_the_arrows(draws: Tensor, p_a: float, p_b: Tensor, p_c: Tensor) -> None:
    """Shares of 1 given the parents, and draws that are independent of each other."""
    a, b, c = draws.bool().unbind(1)
    tests = {
        "p(a = 1)": (a, p_a),
        "p(b = 1 | a = 0)": (b[~a], float(p_b[0])),
        "p(b = 1 | a = 1)": (b[a], float(p_b[1])),
        "p(c = 1 | b = 0)": (c[~b], float(p_c[0])),
        "p(c = 1 | b = 1)": (c[b], float(p_c[1])),
    }
    for name, (values, want) in tests.items():
        got = float(values.double().mean()) if len(values) else math.nan
        if not abs(got - want) < 5 * math.sqrt(want * (1 - want) / max(len(values), 1)):
            child = "|" in name
            hint = " Each child is drawn given the value that its parent took." if child else ""
            raise Wrong(f"{name} should be {want:.2f}, your draws have {got:.3f}.{hint}")
    given = [float(c[b & (a == v)].double().mean()) for v in (False, True)]
    if abs(given[0] - given[1]) > 0.05:
        raise Wrong("given b, c still depends on a: there is no arrow from a to c.")
    power = torch.fft.rfft(draws - draws.mean(0), dim=0).abs() ** 2
    lags = torch.fft.irfft(power, n=len(draws), dim=0)  # the autocovariance at every lag
    if (lags[1:].abs() > 0.05 * lags[0]).any():  # over ten standard errors
        raise Wrong("the rows depend on each other: draw each of them anew.")


@exercise
def turned_pixel(answer) -> str:
    """Exercise 4.5: x, logits [B, P], i -> change of log p(x|z), pixel i turned over; [B]."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 5, generator=generator)
    x = torch.bernoulli(torch.full((6, 5), 0.5), generator=generator)
    x[:2, 3] = torch.tensor([0.0, 1.0])
    for i in (3, 0):
        law = Bernoulli(logits=logits[:, i])
        right = law.log_prob(1 - x[:, i]) - law.log_prob(x[:, i])
        pi = logits.sigmoid()[:, i]
        hints = {
            "the sign is turned: ink where the logit is positive is likelier": -right,
            "ink that becomes paper takes its logit away: mind the sign where x is 1": logits[:, i],
            "that is the change of the probability; in nats it is the logit": (1 - 2 * x[:, i])
            * pi,
            "that is the log-probability of the new pixel; subtract the old one's": law.log_prob(
                1 - x[:, i]
            ),
            "that is its size; say also in which direction": right.abs(),
        }
        close(answer(x, logits, i), right, f"pixel {i} turned over", hints=hints, rtol=1e-3)
    sharp = torch.tensor([[200.0, -200.0]])
    want = torch.tensor([200.0])
    close(answer(torch.zeros(1, 2), sharp, 0), want, "a logit of 200")
    beside = torch.tensor([[2.0, torch.inf]])  # a likelihood of the whole digit is not a number
    what = "a pixel beside one whose logit is inf (no likelihood of the digit is needed)"
    close(answer(torch.zeros(1, 2), beside, 0), torch.tensor([2.0]), what)
    return "A logit is the number of nats by which ink is likelier than paper."
