"""Checks of chapter 10's exercises: the variational autoencoder."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lib.checks import Wrong, close, exercise
from vae_lib.models import VAE


@exercise
def reparameterise(answer) -> str:
    """Exercise 10.1: ``answer(mu, logvar, eps)`` is μ + σ ε, differentiable in μ and log σ²."""
    mu = torch.tensor([[0.5, -1.0], [2.0, 0.3]], requires_grad=True)
    logvar = torch.tensor([[0.4, -1.2], [0.9, 0.6]], requires_grad=True)
    eps = torch.tensor([[1.0, -0.5], [0.7, 2.0]])
    z = answer(mu, logvar, eps)
    std = (0.5 * logvar).exp()
    hints = {
        "logvar was taken for the standard deviation: σ is exp(logvar / 2)": mu + logvar * eps,
        "exp(logvar) is the variance: the standard deviation is exp(logvar / 2)": (
            mu + logvar.exp() * eps
        ),
        "the sign in the exponent is turned round: σ is exp(+logvar / 2)": mu + eps / std,
        "μ is missing": std * eps,
        "σ is missing: that has variance 1 whatever logvar says": mu + eps,
        "ε is missing: that is not a draw": mu + std,
        "ε is missing: that is the mean": mu,
        "ε is multiplied by σ, not added to it": mu + std + eps,
        "μ is added, not scaled: z = μ + σ ε": (mu + eps) * std,
    }
    close(z, mu + std * eps, "z for given μ, log σ² and ε", hints=hints)
    if not (isinstance(z, Tensor) and z.requires_grad):
        raise Wrong("no gradient reaches mu: leave out .detach(), .item() and no_grad().")
    slopes = torch.autograd.grad(z.sum(), (mu, logvar), allow_unused=True)
    wanted = torch.ones_like(mu), 0.5 * std * eps
    for name, slope, want in zip(("mu", "logvar"), slopes, wanted, strict=True):
        if slope is None:
            raise Wrong(f"no gradient reaches {name}: compute σ from logvar without .detach().")
        close(slope, want, f"the gradient of z with respect to {name}")
    return "z moves with ε, and gradients pass to μ and log σ²."


@exercise
def negative_elbo(answer) -> str:
    """Exercise 10.2: ``answer(mu, logvar, logits, x)`` is -ELBO of each digit, [B] in nats."""
    g = torch.Generator().manual_seed(10)
    mu, logvar = torch.randn(2, 3, 4, generator=g).abs().add(0.2)  # its log exists, for a slip
    logits = 2 * torch.randn(3, 784, generator=g)
    x = torch.bernoulli(torch.full((3, 784), 0.4), generator=g)
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    half = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    nll, kl = bce.sum(-1), half.sum(-1)
    close(
        answer(mu, logvar, logits, x),
        nll + kl,
        "-ELBO of 3 digits",
        hints=_slips(nll, kl, mu, logvar),
    )
    return "Summed over pixels and dimensions, in nats, for each digit."


def _slips(nll: Tensor, kl: Tensor, mu: Tensor, logvar: Tensor) -> dict[str, Tensor]:
    def with_variance(variance: Tensor, log_variance: Tensor) -> Tensor:
        return nll + 0.5 * (mu**2 + variance - 1 - log_variance).sum(-1)

    return {
        "the sign of the KL is turned round: it is a cost, so it is added to the loss": nll - kl,
        "that is the ELBO: the loss is its negative": -nll - kl,
        "the sign of the likelihood is turned round: the loss has -log p(x|z)": kl - nll,
        "sum over the pixels, do not average: that is a β-VAE with β = 784": nll / 784 + kl,
        "sum over the latent dimensions, do not average": nll + kl / mu.shape[-1],
        "sum over pixels and over latent dimensions, do not average": (
            nll / 784 + kl / mu.shape[-1]
        ),
        "one value for each digit is wanted: you averaged over the batch": (nll + kl).mean(),
        "one value for each digit is wanted: you summed over the batch": (nll + kl).sum(),
        "those are means over everything: sum over pixels and dimensions, keep the batch": (
            nll.mean() / 784 + kl.mean() / mu.shape[-1]
        ),
        "the mean runs over pixels and batch: sum over the pixels, keep the batch": (
            nll.mean() / 784 + kl.mean()
        ),
        "the factor ½ of the KL is missing": nll + 2 * kl,
        "the KL is missing": nll,
        "the likelihood is missing": kl,
        "logvar was taken for σ: it is log σ²": with_variance(logvar**2, (logvar**2).log()),
        "logvar was taken for the variance: it is log σ²": with_variance(logvar, logvar.log()),
        "logvar was taken for log σ: it is log σ², so σ² is exp(logvar)": with_variance(
            (2 * logvar).exp(), 2 * logvar
        ),
        "σ stands where σ² should: σ² is exp(logvar)": with_variance((logvar / 2).exp(), logvar),
        "those are bits: use the natural logarithm": (nll + kl) / math.log(2),
    }


@exercise
def accidental_beta(answer) -> str:
    """Exercise 10.3: the β of mean over 784 pixels + mean over D = 20 dimensions."""
    hints = {
        "the KL is averaged too, over D = 20": 784.0,
        "turn it round: the likelihood is divided by more than the KL": 20 / 784,
        "the factors divide: nll / 784 + kl / 20": 784.0 * 20,
        "that is the factor of the likelihood; β is the KL's weight once the likelihood's is 1": (
            1 / 784
        ),
        "that is the factor of the KL; bring the likelihood's to 1 as well": 1 / 20,
        "the sum over pixels is nowhere restored: multiply the whole loss by 784": 20.0,
        "two different means do not cancel": 1.0,
    }
    close(answer, 784 / 20, "β", hints=hints, rtol=1e-3)
    return "784 times the loss is nll + (784 / 20) KL."


@exercise
def ancestral_sample(answer) -> str:
    """Exercise 10.4: ``answer(model, count, generator)`` draws digits [count, 784] from a VAE."""
    model, count = _two_halves(), 2000
    x = answer(model, count, torch.Generator().manual_seed(4))
    if not isinstance(x, Tensor) or x.shape != (count, 784):
        shape = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise Wrong(f"{count} digits are [{count}, 784], yours are {shape}.")
    x = x.detach().double()
    if not bool(((x == 0) | (x == 1)).all()):
        if bool(((x >= 0) & (x <= 1)).all()):
            raise Wrong("those are the probabilities: draw each pixel with torch.bernoulli.")
        raise Wrong("pixels are 0 or 1: turn logits into probabilities by sigmoid, then draw.")
    _judge(x[:, :392].mean(1), x[:, 392:].mean(1))
    return "z from the prior, pixels from p(x|z): black-and-white draws from the model."


def _two_halves() -> VAE:
    """A VAE whose logits are z_1 in one half of the picture and 3 z_2 in the other."""
    model = VAE(latent=2)
    model.decoder = nn.Linear(2, 784)
    weight = torch.zeros(784, 2)
    weight[:392, 0], weight[392:, 1] = 1.0, 3.0
    model.decoder.weight.data, model.decoder.bias.data = weight, torch.zeros(784)
    return model.requires_grad_(False)


def _judge(first: Tensor, second: Tensor) -> None:
    """Share of ink in each half, digit by digit; under the model a mean of sigmoid(a z)."""
    if ((first * (1 - first)).mean() + (second * (1 - second)).mean()) < 0.01:
        raise Wrong("every pixel is its likelier value: draw it, do not round the probability.")
    spread = float(first.std())
    if spread < 0.05:
        raise Wrong("all digits have the same z: draw one z from N(0, I) for each of them.")
    if abs(float(first.mean()) - 0.5) > 0.03:
        raise Wrong("the z have not mean 0: the prior is N(0, I), so torch.randn, not torch.rand.")
    if abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) > 0.15:
        raise Wrong("the two dimensions of z move together: draw each on its own.")
    if abs(spread - 0.2100) > 0.02:  # of sigmoid(z) + the noise of 392 pixels, z ~ N(0, 1)
        more = "more" if spread > 0.21 else "less"
        raise Wrong(f"the z spread {more} than the prior N(0, I), or the probabilities are off.")


@exercise
def price_of_precision(answer) -> str:
    """Exercise 10.5: growth of KL(N(μ, σ²) ‖ N(0, 1)) as σ goes from 0.1 to 0.05, nats."""
    price = math.log(2) + 0.5 * (0.05**2 - 0.1**2)
    hints = {
        "that takes 0.1 and 0.05 for variances": 0.5 * math.log(2) + 0.5 * (0.05 - 0.1),
        "the factor ½ is missing": 2 * price,
        "those are bits: use the natural logarithm": price / math.log(2),
        "it grows: the sign is turned round": -price,
        "nearly: that is log 2, and the term ½σ² gives a little back": math.log(2),
        "the variance shrinks, so ½σ² is less than before: it is taken off": (
            math.log(2) + 0.5 * (0.1**2 - 0.05**2)
        ),
    }
    close(answer, price, "the price", hints=hints, rtol=0, atol=6e-4)
    return "Nearly log 2, one bit: every halving of σ costs about the same."
