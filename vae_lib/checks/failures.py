"""Checks of chapter 12's exercises: when VAEs fail."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.checks import Wrong, close, exercise

LOG_2 = math.log(2)


class Linear(NamedTuple):
    """A linear β-VAE, as exercise 12.1 describes it."""

    eigenvalues: Tensor
    variance: float
    beta: float
    latent: int


def _linear_models() -> list[Linear]:
    """Two by hand, and one in no order with more directions alive than z has dimensions."""
    few = torch.tensor([4.0, 0.25], dtype=torch.float64)
    many = torch.tensor([0.3, 2.0, 0.05, 5.0, 1.1, 0.9, 3.0], dtype=torch.float64)
    return [Linear(few, 1.0, 1.0, 2), Linear(few, 0.1, 4.0, 1), Linear(many, 0.5, 2.0, 3)]


def _half_logs(model: Linear, noise: float) -> Tensor:
    kept = model.eigenvalues.sort(descending=True).values[: model.latent]
    return 0.5 * (kept / noise).log()


def _lengths(model: Linear) -> Tensor:
    """λ - βσ² of the directions that z has room for: (12.8)'s squares, where they are positive."""
    kept = model.eigenvalues.sort(descending=True).values[: model.latent]
    return kept - model.beta * model.variance


@exercise
def linear_rate(answer) -> str:
    """Exercise 12.1: ``answer(eigenvalues, variance, beta, latent)`` is the total KL, nats."""
    models = _linear_models()
    got = torch.stack([_number(answer(*model), "the rate") for model in models])

    def rates(of):
        return torch.stack([of(model) for model in models])

    def alive(model, noise):
        return _half_logs(model, noise).clamp(min=0).sum()

    want = rates(lambda m: alive(m, m.beta * m.variance))
    hints = {
        "β is left out: the noise variance that counts is β σ²": rates(
            lambda m: alive(m, m.variance)
        ),
        "β multiplies the variance, it does not divide it": rates(
            lambda m: alive(m, m.variance / m.beta)
        ),
        "a unit below the noise has no negative rate, it has none": rates(
            lambda m: _half_logs(m, m.beta * m.variance).sum()
        ),
        "the factor ½ is missing": 2 * want,
        "those are bits: use the natural logarithm": want / LOG_2,
        "z has only so many dimensions: the largest eigenvalues alone count": rates(
            lambda m: alive(m._replace(latent=len(m.eigenvalues)), m.beta * m.variance)
        ),
        "the eigenvalues come in any order: sort them": rates(
            lambda m: (
                (0.5 * (m.eigenvalues[: m.latent] / (m.beta * m.variance)).log()).clamp(min=0).sum()
            )
        ),
        "that is β times the rate": rates(lambda m: m.beta * alive(m, m.beta * m.variance)),
        "a sum over units is wanted, not their mean": rates(
            lambda m: alive(m, m.beta * m.variance) / m.latent
        ),
        "λ - βσ² is the squared length of a column of W, (12.8): the rate is (12.9)": rates(
            lambda m: _lengths(m).clamp(min=0).sum()
        ),
        "(12.9) has the ratio λ / (βσ²), not the difference of (12.8)": rates(
            lambda m: 0.5 * _lengths(m).clamp(min=0).sum()
        ),
        "σ² is the variance already: do not square it": rates(
            lambda m: alive(m, m.beta * m.variance**2)
        ),
    }
    close(got, want, "the rate of three models", hints=hints, rtol=1e-5)
    return (
        "Each doubling of β takes ½ log 2 from every unit that stays alive, and less of the rest."
    )


@exercise
def which_beta(answer) -> str:
    """Exercise 12.2: ``answer(loss, batch, pixels, latent)`` is the β of a linear loss."""
    B, P, D = 12, 30, 5
    slips = {
        "the plain loss": (lambda n, k: n.sum(1).mean() + k.sum(1).mean(), 1.0),
        "a mean over the pixels": (lambda n, k: n.mean() + k.sum(1).mean(), P),
        "a mean over the latents": (lambda n, k: n.sum(1).mean() + k.mean(), 1 / D),
        "a sum over the batch": (lambda n, k: n.sum(1).mean() + k.sum(), B),
        "a factor of 3 in front and a constant": (
            lambda n, k: 3 * (n.sum() + 2.5 * k.sum()) / B + 7.0,
            2.5,
        ),
    }
    for name, (loss, want) in slips.items():
        got = _number(answer(loss, B, P, D), "β")
        zero, one = torch.zeros(B, P), torch.zeros(B, D)
        base = float(loss(zero, one))
        by_kl = float(loss(zero, one + 1)) - base
        by_nll = float(loss(zero + 1, one)) - base
        of_one = [float(loss(zero[:1] + n, one[:1] + k)) for n, k in ((0, 0), (0, 1), (1, 0))]
        batch_of_one = (of_one[1] - of_one[0]) / D / ((of_one[2] - of_one[0]) / P)
        hints = {
            "that is β for a batch of one: use the batch size that is given": batch_of_one,
            "turn it round: the rise with the KL over the rise with the nll": 1 / want,
            "a nat in every entry of both: there are P pixels and D latents, so this is β D / P": (
                want * D / P
            ),
            "that is the rise with the KL: divide by the rise with the nll": by_kl,
            "that is the rise with one entry of the KL: divide by that of the nll": by_kl / (B * D),
            "the loss has a constant: take differences, not values": (by_kl + base)
            / (by_nll + base),
            "the loss has a constant: subtract it before you divide": (by_kl / (B * D) + base)
            / (by_nll / (B * P) + base),
            "that is 1 for every loss": 1.0,
        }
        close(got, want, f"β of the loss with {name}", hints=hints, rtol=1e-3)
    return "A number to report beside every result, whatever the code says it is."


@exercise
def free_bits(answer) -> str:
    """Exercise 12.3: ``answer(nll, kl, floor)``, the loss with free bits, one number."""
    g = torch.Generator().manual_seed(12)
    nll = 40 + 5 * torch.randn(6, generator=g, dtype=torch.float64)
    kl = 0.8 * torch.rand(6, 4, generator=g, dtype=torch.float64) ** 2
    kl[:, 0] += 0.9  # one unit above the floor for all, the others on either side
    floor, mean = 0.5, kl.mean(0)
    base = nll.mean()
    want = base + mean.clamp(min=floor).sum()
    hints = {
        "the floor is for the mean over the batch, not for each digit": (
            base + kl.clamp(min=floor).sum(1).mean()
        ),
        "the floor is for each dimension, not for their sum": (
            base + mean.sum().clamp(min=4 * floor)
        ),
        "the larger of the two counts, not the smaller": base + mean.clamp(max=floor).sum(),
        "that is what lies above the floor: max(λ, KL), not max(0, KL - λ)": (
            base + (mean - floor).clamp(min=0).sum()
        ),
        "the floor does nothing here: it is for each dimension, not for their sum": base
        + mean.sum(),
        "the likelihood is missing": want - base,
        "sum over the dimensions, do not average": base + mean.clamp(min=floor).mean(),
        "average the nll over the batch, do not sum it": nll.sum() + want - base,
        "one number is wanted: average the nll over the batch": nll + want - base,
        "the mean over the batch comes before the floor, its sum does not": (
            base + kl.sum(0).clamp(min=floor).sum()
        ),
        "the sign of the KL is turned round": base - mean.clamp(min=floor).sum(),
    }
    _loss_and_gradient(answer, nll, kl, floor, hints)
    for other in (0.0, 0.2):
        _loss_and_gradient(answer, nll, kl, other, {})
    return "Some digits may leave a unit alone, as long as the batch uses it."


def _loss_and_gradient(answer, nll: Tensor, kl: Tensor, floor: float, hints: dict) -> None:
    """Free bits as a value, and as what moves the weights: 0 for a unit below the floor."""
    leaf = kl.clone().requires_grad_()
    got, mean = answer(nll, leaf, floor), kl.mean(0)
    want = nll.mean() + mean.clamp(min=floor).sum()
    close(got, want, f"the loss of 6 digits, floor {floor:g}", hints=hints, rtol=1e-6)
    if not (isinstance(got, Tensor) and got.requires_grad):
        raise Wrong("a loss is trained on: keep it a tensor with a gradient, without .item().")
    close(
        torch.autograd.grad(got, leaf, allow_unused=True)[0],
        (mean > floor).expand(kl.shape) / len(kl),
        f"the gradient by kl, floor {floor:g}",
        hints={"below the floor it is zero, a unit there is not pushed": torch.ones_like(kl) / 6},
    )


@exercise
def gain_of_shrinking(answer) -> str:
    """Exercise 12.4: ``answer(residual, old, new)``, growth of log N(r; 0, σ²), nats."""
    cases = ((0.0, 0.1, 0.001), (0.02, 0.1, 0.001), (0.3, 0.4, 0.2), (-0.1, 0.05, 0.3))
    got = torch.stack([_number(answer(*case), "the gain") for case in cases])
    r, old, new = torch.tensor(cases, dtype=torch.float64).T
    narrower, bill = (old / new).log(), 0.5 * r**2 * (1 / new**2 - 1 / old**2)
    hints = {
        "the residual is left out: it is divided by a smaller σ²": narrower,
        "the sharper density is higher where it is hit: log σ counts with the other sign": (
            -narrower - bill
        ),
        "that is how much it fell: the new log-density less the old": bill - narrower,
        "the bill is taken off, not added": narrower + bill,
        "the residual's term has the factor ½": narrower - 2 * bill,
        "log σ stands without a ½: ½ belongs to log σ²": 0.5 * narrower - bill,
        "log σ stands once: ½ log σ² is log σ": 2 * narrower - bill,
        "the residual is squared": narrower - 0.5 * r.abs() * (1 / new**2 - 1 / old**2),
        "the residual is divided by σ², not by σ": narrower - 0.5 * r**2 * (1 / new - 1 / old),
        "the residual is divided by the new σ² and was by the old one: take the difference": (
            narrower - 0.5 * r**2 / new**2
        ),
        "a difference of two squares, (r/new)² - (r/old)², not the square of a difference": (
            narrower - 0.5 * (r / new - r / old) ** 2
        ),
        "those are bits: use the natural logarithm": (narrower - bill) / LOG_2,
        "that is the first case alone: compute it from the arguments": torch.full_like(
            r, math.log(100)
        ),
    }
    close(got, narrower - bill, "the gain of four pixels", hints=hints, rtol=1e-4)
    return "From 0.1 to 0.001: 4.6 nats gained for a residual of 0, 195 lost for one of 0.02."


@exercise
def blur_threshold(answer) -> str:
    """Exercise 12.5: ``answer(a, b)``, the β from which on one mean beats two pictures."""
    g = torch.Generator().manual_seed(12)
    a, b = torch.rand(2, 40, generator=g, dtype=torch.float64)
    a[:6], b[:6] = 0.0, torch.tensor([0.0, 0.0, 0.0, 1.0, 0.5, 0.2], dtype=torch.float64)
    got = _number(answer(a, b), "the threshold")
    if not bool(got.isfinite()):
        raise Wrong("where a pixel is exactly 0 or 1, 0 log 0 is 0: torch.xlogy knows it.")
    mean = (a + b) / 2
    saving = (_entropy(mean) - 0.5 * _entropy(a) - 0.5 * _entropy(b)).sum()
    want = saving / LOG_2
    mine = torch.xlogy(mean, mean) - 0.5 * torch.xlogy(a, a) - 0.5 * torch.xlogy(b, b)
    hints = {
        "those are the nats saved: β is their number over log 2": saving,
        "the saving of one digit is half of the two digits' together": 2 * want,
        "turn it round: β log 2 equals the saving": LOG_2 / saving,
        "that multiplies by log 2: β is the saving over it": saving * LOG_2,
        "a sum over pixels is wanted, not a mean": want / 40,
        "the entropies of the two pictures are still to be taken off": _entropy(mean).sum() / LOG_2,
        "each of the two pictures counts half": (_entropy(mean) - _entropy(a) - _entropy(b)).sum()
        / LOG_2,
        "white pixels count too: the term with 1 - π is missing": -mine.sum() / LOG_2,
        "the sign is turned round: the mean's entropy is the larger": -want,
    }
    if 1e-5 < abs(float(got / want) - 1) < 1e-2:
        raise Wrong(
            "off by under 1 %: an ε in the logarithm, or a clamp, does that; xlogy needs none."
        )
    close(got, want, "the threshold", hints=hints, rtol=1e-5)
    same = _number(answer(a, a), "the threshold of a picture and itself")
    close(same, 0.0, "the threshold of a picture and itself", atol=1e-9)
    return "Below that β two pictures pay; above it the mean beats them."


def _entropy(pi: Tensor) -> Tensor:
    return -torch.xlogy(pi, pi) - torch.xlogy(1 - pi, 1 - pi)


def _number(value, what: str) -> Tensor:
    """One number as a float64 tensor, or Wrong."""
    if not isinstance(value, Tensor | float | int) or isinstance(value, bool):
        raise Wrong(f"{what}: a number is wanted, not {type(value).__name__}.")
    value = torch.as_tensor(value).detach().double()
    if value.numel() != 1:
        raise Wrong(f"{what}: one number is wanted, yours has shape {list(value.shape)}.")
    return value.reshape(())
