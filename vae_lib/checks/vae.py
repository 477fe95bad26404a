"""Checks of chapter 10's exercises: the variational autoencoder."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vae_lib.checks import Wrong, close, exercise
from vae_lib.models import VAE

EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)


class _NoAutograd(TorchFunctionMode):
    """Where this is on, no gradient can be asked of PyTorch."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        asked = getattr(function, "__name__", "") == "backward"
        if asked or str(getattr(function, "__module__", "")).startswith("torch.autograd"):
            raise Wrong("that asks autograd: derive the two by the chain rule, and write them out.")
        return function(*args, **(kwargs or {}))


@exercise
def gradient_by_hand(answer) -> str:
    """Exercise 10.1: ``answer(mu, logvar, eps, slope)`` is ∂loss/∂μ and ∂loss/∂log σ², [B, D] each.

    ``slope`` is the derivative of -log p(x|z) with respect to z, [B, D].
    """
    g = torch.Generator().manual_seed(10)
    mu, logvar, eps, slope = torch.randn(4, 3, 5, generator=g, dtype=torch.float64)
    with _NoAutograd():
        got = answer(mu, logvar, eps, slope)
    got = tuple(got) if isinstance(got, Tensor) and got.shape == (2, 3, 5) else got
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
    for e in EPSILONS[:6]:
        hint = f"an epsilon ({e:g}) beside σ² is no part of the derivative"
        hints[hint] = by_likelihood + by_kl + 0.5 * e
    exact = {"rtol": 1e-10, "atol": 1e-10}  # for an epsilon would hide below the usual tolerance
    close(got[1], by_likelihood + by_kl, "the derivative by log σ²", hints=hints, **exact)
    return "What backpropagation would find, for any decoder: the slope is all it has to say."


@exercise
def loss_with_softplus(answer) -> str:
    """Exercise 10.2: ``answer(mu, s, logits, x)`` is -ELBO [B], nats, with σ = softplus(s)."""
    g = torch.Generator().manual_seed(10)
    mu, s = torch.randn(2, 3, 4, generator=g, dtype=torch.float64)
    logits = 2 * torch.randn(3, 784, generator=g, dtype=torch.float64)
    x = torch.bernoulli(torch.full_like(logits, 0.4), generator=g)
    # A σ and a probability so small that an epsilon beside them shows.
    s[0, 1], logits[1, 5], x[1, 5] = -30.0, -30.0, 1.0
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    std = F.softplus(s)
    nll, kl = bce.sum(-1), _kl(mu, std**2, 2 * std.log())
    hints = _reductions(nll, kl, mu.shape[-1]) | _readings(nll, mu, s)
    hints["KL(p ‖ q) is the other direction: the loss has KL(q ‖ p)"] = nll + (
        std.log() + 0.5 * (1 + mu**2) / std**2 - 0.5
    ).sum(-1)
    for e in EPSILONS:
        pi, shut = logits.sigmoid(), logits.sigmoid().clamp(e, 1 - e)
        hint = f"an epsilon ({e:g}) beside a probability forgives a sure mistake: leave it out"
        hints[hint] = kl - (x * (pi + e).log() + (1 - x) * (1 - pi + e).log()).sum(-1)
        hints[hint + " "] = kl - (x * shut.log() + (1 - x) * (1 - shut).log()).sum(-1)
    # log(1 + e^s) loses digits at s = -30, and is right all the same.
    close(answer(mu, s, logits, x), nll + kl, "-ELBO of 3 digits", hints=hints, rtol=1e-5)
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
    for e in EPSILONS:
        hint = f"an epsilon ({e:g}) inside the logarithm tells where σ is small: leave it out"
        found[hint] = nll + _kl(mu, std**2, 2 * (std + e).log())
        found[hint + ", "] = nll + _kl(mu, std**2, (std**2 + e).log())
        found[hint + " "] = nll + _kl(mu, (std + e) ** 2, 2 * (std + e).log())
        hint = f"a floor ({e:g}) under σ tells where σ is small: leave it out"
        found[hint] = nll + _kl(mu, std.clamp(e) ** 2, 2 * std.clamp(e).log())
        found[hint + " "] = nll + _kl(mu, (std**2).clamp(e), (std**2).clamp(e).log())
    return found


@exercise
def accidental_beta(answer) -> str:
    """Exercise 10.3: ``answer(pixels, latent)``, β of mean over pixels + mean over dimensions."""
    if not callable(answer):
        raise Wrong("a function of any shape is wanted, def my_beta(pixels, latent), not a number.")
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
        "784 is her model's number of pixels: take the argument": 784 / latent,
        "20 is her model's number of latent dimensions: take the argument": pixels / 20,
    }
    close(got, pixels / latent, "β for 784 and 20, 3072 and 64, 100 and 100", hints=hints)
    return "39.2 for her model; with as many latent dimensions as pixels the slip would not show."


@exercise
def variation(answer) -> str:
    """Exercise 10.4: ``answer(model, x, generator)``: a new digit by way of q(z|x) for each of x.

    The model is a toy: z_1 is the log-odds of ink in one half of the picture, z_2 in the other;
    q has σ = 0.5 and 1.5, and its means are (-1, 0.5) for a blank and (1, -0.5) for a full digit.
    """
    model, count = _two_halves(), 3000
    x = torch.cat([torch.zeros(count, 784), torch.ones(count, 784)])
    late = torch.Generator().manual_seed(4)
    torch.rand(1000, generator=late)  # the same seed, other draws
    generators = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4), late
    new, again, other = (answer(model, x, generator) for generator in generators)
    if not isinstance(new, Tensor) or new.shape != x.shape:
        shape = list(new.shape) if isinstance(new, Tensor) else type(new).__name__
        raise Wrong(f"for x of shape {list(x.shape)} as many are wanted, yours are {shape}.")
    new, again, other = (each.detach().float() for each in (new, again, other))
    if not bool(((new == 0) | (new == 1)).all()):
        if bool(((new >= 0) & (new <= 1)).all()):
            raise Wrong("those are the probabilities: draw each pixel with torch.bernoulli.")
        raise Wrong("pixels are 0 or 1: turn logits into probabilities by sigmoid, then draw.")
    if not torch.equal(new, again):
        raise Wrong("the same generator gives other digits: take every draw, of z too, from it.")
    if torch.equal(new, other):
        raise Wrong("a generator further on gives the same digits: take the draws from it.")
    new, other = (each.reshape(2, count, 2, 392) for each in (new, other))
    shares = new.mean(-1)  # of ink: [kind of x, digit, half]
    _judge_kind(shares, model)
    _judge_noise(new, other)
    _judge_size(shares, model)
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


def _moments(model: VAE) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and spread of the shares of ink under the model, and the share at μ: [kind, half]."""
    mu, logvar = (v.double() for v in model.encode(torch.tensor([[0.0], [1.0]]).expand(2, 784)))
    eps = torch.linspace(-8, 8, 401, dtype=torch.float64)
    weight = torch.softmax(-0.5 * eps**2, 0)
    pi = (mu[..., None] + (0.5 * logvar).exp()[..., None] * eps).sigmoid()  # [kind, half, 401]
    mean = pi @ weight
    spread = ((pi**2 @ weight - mean**2) + (pi * (1 - pi)) @ weight / 392).sqrt()
    return mean, spread, mu.sigmoid()


def _judge_kind(shares: Tensor, model: VAE) -> None:
    """Refuse what is no draw of z, or no draw of pixels, or knows nothing of x."""
    mean, _, at_mu = _moments(model)
    got, std = shares.mean(1), shares.std(1)  # [kind, half]
    if bool((shares * (1 - shares) < 1e-9).all()):
        if bool(((got - mean).abs() < 0.05).all()):
            raise Wrong("one coin decides a whole picture: draw each pixel by a coin of its own.")
        raise Wrong("every pixel is its likelier value: draw it, do not round the probability.")
    if bool((std < 0.04).all()):
        if bool(((got - at_mu).abs() < 0.005).all()):
            raise Wrong("z does not vary: draw it from q(z|x), μ + σ ε, not μ alone.")
        raise Wrong("one ε serves all digits: draw one for each, of the shape of μ.")
    if bool(((got - 0.5).abs() < 0.03).all()):
        raise Wrong("the new digits know nothing of x: draw z from q(z|x), not from the prior.")
    both = [float(torch.corrcoef(kind.T)[0, 1]) for kind in shares]
    if max(map(abs, both)) > 0.15:
        raise Wrong("the two dimensions of z move together: draw an ε for each of them.")


def _judge_size(shares: Tensor, model: VAE) -> None:
    """Compare mean and spread of the shares of ink with those under the model."""
    mean, spread, _ = _moments(model)
    got, std = shares.mean(1), shares.std(1)  # [kind, half]
    if bool(((got - mean).abs() > 0.03).any()):
        raise Wrong(f"the share of ink is off: {_four(mean)} is right, yours is {_four(got)}.")
    if bool(((std / spread - 1).abs() > 0.06).any()):  # nearly five standard errors
        raise Wrong(
            f"the digits vary by {_four(std)} where q gives {_four(spread)}: σ is exp(logvar / 2)."
        )


def _judge_noise(new: Tensor, other: Tensor) -> None:
    """Refuse noise that two digits have in common, or two runs with one seed.

    The pictures are [kind of x, digit, half, 392 pixels], of a generator and of one further on.
    """
    z, z_other = (each.mean(-1).clamp(0.01, 0.99).logit() for each in (new, other))  # nearly z
    z, z_other = z - z.mean(1, keepdim=True), z_other - z_other.mean(1, keepdim=True)
    coins, coins_other = (
        part - part.mean(-1, keepdim=True) for part in (new[:, :500], other[:, :500])
    )
    if max(_correlation(coins[:, :-1], coins[:, 1:]), _correlation(*coins)) > 0.02:
        raise Wrong("digits share their coins: draw each pixel of each digit by itself.")
    if max(_correlation(z[0, :, k], z[1, :, k]) for k in (0, 1)) > 0.2:
        raise Wrong("two digits of a batch share their ε: draw one for each digit.")
    same = max(_correlation(z[:, :, k], z_other[:, :, k]) for k in (0, 1))
    if max(same, _correlation(coins, coins_other)) > 0.2:
        raise Wrong("draws come from a seed of their own: take all of them from the generator.")


def _correlation(a: Tensor, b: Tensor) -> float:
    """Of all entries, whose means are 0."""
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())


def _four(values: Tensor) -> str:
    return ", ".join(f"{v:.2f}" for v in values.flatten().tolist())


@exercise
def price_of_halving(answer) -> str:
    """Exercise 10.5: ``answer(sigma)``, growth of KL(N(μ, σ²) ‖ N(0, 1)) as σ halves, nats."""
    before = (1.0, 0.1, 2.0, 0.37)
    sigma = torch.tensor(before, dtype=torch.float64)
    got = torch.tensor([float(answer(each)) for each in sigma], dtype=torch.float64)
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
