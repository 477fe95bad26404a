"""Checks of chapter 10's exercises: the variational autoencoder."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lib.checks import Wrong, close, exercise
from vae_lib.models import VAE


@exercise
def gradient_by_hand(answer) -> str:
    """Exercise 10.1: ``answer(mu, logvar, eps, slope)`` is ∂loss/∂μ and ∂loss/∂log σ², [B, D] each.

    ``slope`` is the derivative of -log p(x|z) with respect to z, [B, D].
    """
    g = torch.Generator().manual_seed(10)
    mu, logvar, eps, slope = torch.randn(4, 3, 5, generator=g, dtype=torch.float64)
    got = answer(mu, logvar, eps, slope)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise Wrong("two results are wanted: the derivatives with respect to mu and to logvar.")
    std = (0.5 * logvar).exp()
    by_likelihood, by_kl = 0.5 * slope * std * eps, 0.5 * (std**2 - 1)
    hints = {
        "the KL depends on μ too: its derivative is μ itself": slope,
        "the likelihood is missing: z moves with μ one for one": mu,
        "the KL is part of the loss with a plus sign": slope - mu,
        "the sign of the slope is turned round: it belongs to -log p(x|z) already": mu - slope,
        "the KL has ½ μ², whose derivative is μ": slope + 2 * mu,
        "that is divided by the batch size: one row for each digit is wanted": (slope + mu) / 3,
    }
    close(got[0], slope + mu, "the derivative by μ", hints=hints)
    hints = {
        "the KL depends on log σ² too": by_likelihood,
        "the likelihood is missing: z = μ + σ ε moves with σ": by_kl,
        "that is the derivative by log σ: log σ² is twice as large": 2 * (by_likelihood + by_kl),
        "the ½ in σ = exp(½ log σ²) is missing": 2 * by_likelihood + by_kl,
        "the ½ of the KL is missing": by_likelihood + 2 * by_kl,
        "the sign of the KL is turned round": by_likelihood - by_kl,
        "∂z/∂log σ² has the factor ε": 0.5 * slope * std + by_kl,
        "∂z/∂log σ² has the factor σ": 0.5 * slope * eps + by_kl,
        "∂z/∂log σ² has σ, not σ²": 0.5 * slope * std**2 * eps + by_kl,
        "that is the derivative by σ²: multiply by σ²": (by_likelihood + by_kl) / std**2,
        "that is the derivative by σ: multiply by σ / 2": 2 * (by_likelihood + by_kl) / std,
        "-½ log σ² has the derivative -½": by_likelihood + 0.5 * std**2,
    }
    close(got[1], by_likelihood + by_kl, "the derivative by log σ²", hints=hints)
    return "What backpropagation would find, for any decoder: the slope is all it has to say."


@exercise
def loss_with_softplus(answer) -> str:
    """Exercise 10.2: ``answer(mu, s, logits, x)`` is -ELBO [B], nats, with σ = softplus(s)."""
    g = torch.Generator().manual_seed(10)
    mu, s = torch.randn(2, 3, 4, generator=g, dtype=torch.float64)
    s[0, 1] = -25.0  # a σ so small that an epsilon beside it shows
    logits = 2 * torch.randn(3, 784, generator=g, dtype=torch.float64)
    x = torch.bernoulli(torch.full_like(logits, 0.4), generator=g)
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    std = F.softplus(s)
    nll, kl = bce.sum(-1), _kl(mu, std**2, 2 * std.log())
    hints = _reductions(nll, kl, mu.shape[-1]) | _readings(nll, mu, s)
    close(answer(mu, s, logits, x), nll + kl, "-ELBO of 3 digits", hints=hints, rtol=1e-6)
    return "Another convention, kept throughout: the same bound, in nats, for each digit."


def _kl(mu: Tensor, variance: Tensor, log_variance: Tensor) -> Tensor:
    return 0.5 * (mu**2 + variance - 1 - log_variance).sum(-1)


def _reductions(nll: Tensor, kl: Tensor, latent: int) -> dict[str, Tensor]:
    """Slips in signs, sums and means."""
    return {
        "the sign of the KL is turned round: it is a cost, so it is added to the loss": nll - kl,
        "that is the ELBO: the loss is its negative": -nll - kl,
        "the sign of the likelihood is turned round: the loss has -log p(x|z)": kl - nll,
        "sum over the pixels, do not average: that is a β-VAE with β = 784": nll / 784 + kl,
        "the mean over pixels and batch is this chapter's slip, a β-VAE with β = 784": (
            nll.mean() / 784 + kl
        ),
        "that is this chapter's slip: mean over pixels and batch, plus the mean KL": (
            nll.mean() / 784 + kl.mean()
        ),
        "sum over the latent dimensions, do not average": nll + kl / latent,
        "sum over pixels and over latent dimensions, do not average": nll / 784 + kl / latent,
        "those are means over everything: sum over pixels and dimensions, keep the batch": (
            nll.mean() / 784 + kl.mean() / latent
        ),
        "one value for each digit is wanted: you averaged over the batch": (nll + kl).mean(),
        "one value for each digit is wanted: you summed over the batch": (nll + kl).sum(),
        "the factor ½ of the KL is missing": nll + 2 * kl,
        "the KL is missing": nll,
        "the likelihood is missing": kl,
        "those are bits: use the natural logarithm": (nll + kl) / math.log(2),
    }


def _readings(nll: Tensor, mu: Tensor, s: Tensor) -> dict[str, Tensor]:
    """Slips in what the second head returns."""
    std = F.softplus(s)
    slips = {
        "s was taken for log σ², as in the chapter: here σ = softplus(s)": (s.exp(), s),
        "s was taken for log σ: here σ = softplus(s)": ((2 * s).exp(), 2 * s),
        "s was taken for σ itself: σ = softplus(s)": (s**2, (s**2).log()),
        "softplus(s) was taken for log σ²: it is σ": (std.exp(), std),
        "softplus(s) was taken for the variance: it is σ, so σ² is its square": (std, std.log()),
        "σ stands where σ² should": (std, 2 * std.log()),
        "the KL has log σ², which is 2 log σ": (std**2, std.log()),
    }
    found = {hint: nll + _kl(mu, *read) for hint, read in slips.items()}
    for eps in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12):
        hint = f"an epsilon ({eps:g}) inside the logarithm tells where σ is small: leave it out"
        found[hint] = nll + _kl(mu, std**2, 2 * (std + eps).log())
        found[hint + ", "] = nll + _kl(mu, std**2, (std**2 + eps).log())
        found[hint + " "] = nll + _kl(mu, (std + eps) ** 2, 2 * (std + eps).log())
    return found


@exercise
def accidental_beta(answer) -> str:
    """Exercise 10.3: ``answer(pixels, latent)``, β of mean over pixels + mean over dimensions."""
    shapes = ((784, 20), (3072, 64), (100, 100))
    got = torch.tensor([float(answer(*shape)) for shape in shapes], dtype=torch.float64)
    pixels, latent = torch.tensor(shapes, dtype=torch.float64).T
    hints = {
        "the KL is averaged too, over the latent dimensions": pixels,
        "turn it round: the likelihood is divided by more than the KL": latent / pixels,
        "the factors divide: nll / pixels + kl / latent": pixels * latent,
        "that is the factor of the likelihood; β is the KL's weight once the likelihood's is 1": (
            1 / pixels
        ),
        "that is the factor of the KL; bring the likelihood's to 1 as well": 1 / latent,
        "the sum over pixels is nowhere restored: multiply the whole loss by it": latent,
        "two different means do not cancel": torch.ones(3),
        "that is β for 784 and 20 alone: compute it from the arguments": torch.full((3,), 39.2),
    }
    close(got, pixels / latent, "β for 784 and 20, 3072 and 64, 100 and 100", hints=hints)
    return "39.2 for her model; with as many latent dimensions as pixels the slip would not show."


@exercise
def variation(answer) -> str:
    """Exercise 10.4: ``answer(model, x, generator)``: a new digit by way of q(z|x) for each of x.

    The model is a toy: z_1 is the log-odds of ink in one half of the picture, z_2 in the other;
    q has σ = 0.5 and 1.5, and its means are (-1, 0.5) for a blank and (1, -0.5) for a full digit.
    """
    model, count = _two_halves(), 1500
    x = torch.cat([torch.zeros(count, 784), torch.ones(count, 784)])
    new, again, other = (answer(model, x, torch.Generator().manual_seed(s)) for s in (4, 4, 5))
    if not isinstance(new, Tensor) or new.shape != x.shape:
        shape = list(new.shape) if isinstance(new, Tensor) else type(new).__name__
        raise Wrong(f"for x of shape {list(x.shape)} as many are wanted, yours are {shape}.")
    new = new.detach().double()
    if not bool(((new == 0) | (new == 1)).all()):
        if bool(((new >= 0) & (new <= 1)).all()):
            raise Wrong("those are the probabilities: draw each pixel with torch.bernoulli.")
        raise Wrong("pixels are 0 or 1: turn logits into probabilities by sigmoid, then draw.")
    if not torch.equal(new, again.detach().double()):
        raise Wrong("the same generator gives other digits: take every draw, of z too, from it.")
    if torch.equal(new, other.detach().double()):
        raise Wrong("another generator gives the same digits: take the draws from it.")
    shares = new.reshape(2, count, 2, 392).mean(-1)  # of ink: [kind of x, digit, half]
    _judge(shares, model)
    return "z from q(z|x), pixels from p(x|z): new digits, each like the one it came from."


def _two_halves() -> VAE:
    """The toy of exercise 10.4."""
    model = VAE(latent=2)
    model.encoder, model.decoder = nn.Linear(784, 4), nn.Linear(2, 784)
    model.encoder.weight.data = torch.tensor([2.0, -1, 0, 0])[:, None].expand(4, 784) / 784
    model.encoder.bias.data = torch.tensor([-1.0, 0.5, 2 * math.log(0.5), 2 * math.log(1.5)])
    weight = torch.zeros(784, 2)
    weight[:392, 0], weight[392:, 1] = 1.0, 1.0
    model.decoder.weight.data, model.decoder.bias.data = weight, torch.zeros(784)
    return model.requires_grad_(False)


def _judge(shares: Tensor, model: VAE) -> None:
    """Compare mean and spread of the shares of ink with those under the model."""
    mu, logvar = (v.double() for v in model.encode(torch.tensor([[0.0], [1.0]]).expand(2, 784)))
    eps = torch.linspace(-8, 8, 401, dtype=torch.float64)
    weight = torch.softmax(-0.5 * eps**2, 0)
    pi = (mu[..., None] + (0.5 * logvar).exp()[..., None] * eps).sigmoid()  # [kind, half, 401]
    mean = pi @ weight
    spread = ((pi**2 @ weight - mean**2) + (pi * (1 - pi)) @ weight / 392).sqrt()
    got, std = shares.mean(1), shares.std(1)  # [kind, half]
    if bool((shares * (1 - shares) < 1e-9).all()):
        raise Wrong("every pixel is its likelier value: draw it, do not round the probability.")
    if bool((std < 0.04).all()):
        raise Wrong("z hardly varies: draw one from q(z|x) for each digit, μ + σ ε, not μ alone.")
    if bool(((got - 0.5).abs() < 0.03).all()):
        raise Wrong("the new digits know nothing of x: draw z from q(z|x), not from the prior.")
    both = [float(torch.corrcoef(kind.T)[0, 1]) for kind in shares]
    if max(map(abs, both)) > 0.15:
        raise Wrong("the two dimensions of z move together: draw an ε for each of them.")
    if bool(((got - mean).abs() > 0.03).any()):
        raise Wrong(f"the share of ink is off: {_four(mean)} is right, yours is {_four(got)}.")
    if bool(((std - spread).abs() > 0.015).any()):
        raise Wrong(
            f"the digits vary by {_four(std)} where q gives {_four(spread)}: σ is exp(logvar / 2)."
        )


def _four(values: Tensor) -> str:
    return ", ".join(f"{v:.2f}" for v in values.flatten().tolist())


@exercise
def price_of_halving(answer) -> str:
    """Exercise 10.5: ``answer(sigma)``, growth of KL(N(μ, σ²) ‖ N(0, 1)) as σ halves, nats."""
    before = (1.0, 0.1, 2.0, 0.37)
    got = torch.tensor([float(answer(each)) for each in before], dtype=torch.float64)
    sigma = torch.tensor(before, dtype=torch.float64)
    price = math.log(2) - 0.375 * sigma**2
    flat = torch.ones_like(sigma)
    hints = {
        "that is the limit for small σ: the term ½ σ² shrinks too": flat * math.log(2),
        "that halves the variance: σ shrinks to half, σ² to a quarter": (
            0.5 * math.log(2) - 0.25 * sigma**2
        ),
        "sigma was taken for the variance": 0.5 * math.log(2) - 0.25 * sigma,
        "the factor ½ is missing": 2 * price,
        "those are bits: use the natural logarithm": price / math.log(2),
        "the growth is wanted, the KL after less the KL before": -price,
        "½ σ² is smaller than before, so it is taken off": math.log(2) + 0.375 * sigma**2,
        "½ (σ / 2)² is σ² / 8: the halved σ is squared": math.log(2) - 0.25 * sigma**2,
        "that doubles σ": 1.5 * sigma**2 - math.log(2),
        "that holds for σ = 1 alone": flat * (math.log(2) - 0.375),
        "that holds for σ = 0.1 alone": flat * (math.log(2) - 0.00375),
    }
    close(got, price, "the price at σ = 1, 0.1, 2 and 0.37", hints=hints, rtol=0, atol=5e-4)
    return "0.318 from 1 to ½, nearly log 2 for small σ, and negative above 1.36."
