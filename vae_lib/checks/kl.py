"""Marks the exercises of chapter 6, the KL divergence."""

import math

import torch
from torch import Tensor

from vae_lib import exact
from vae_lib.checks import Wrong, as_tensor, close, exercise, parts


def _doubles(*values) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


@exercise
def discrete_kl(answer) -> str:
    """Exercise 6.1: ``answer(q, p)`` is KL(q ‖ p) of probabilities [K], in nats, zeros included."""
    q, p = _doubles([0.1, 0.2, 0.7], [0.5, 0.3, 0.2])
    kl = (q * (q / p).log()).sum()
    close(answer(q, p), kl, "KL of three letters", hints=_discrete_slips(q, p, kl))
    close(answer(q, q), 0.0, "KL of q from itself, with nothing added", rtol=0, atol=1e-15)
    unseen, both, wide = _doubles(
        [0.0, 0.25, 0.0, 0.0, 0.75], [0.0, 0.5, 0.0, 0.0, 0.5], [0.4, 0.2, 0.05, 0.05, 0.3]
    )
    _no_nan(answer(unseen, wide), "a letter that q never sends: 0 log 0 counts as 0")
    want = 0.25 * math.log(0.25 / 0.2) + 0.75 * math.log(0.75 / 0.3)
    close(answer(unseen, wide), want, "KL where q has zeros")
    _no_nan(answer(unseen, both), "a letter that neither q nor p sends: it counts as 0")
    want = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    close(answer(unseen, both), want, "KL where q and p are zero at the same letters")
    even, rare, one_missing = _doubles([0.5, 0.5], [1e-300, 1.0], [0.0, 1.0])
    want = 0.5 * math.log(0.5 / 1e-300) + 0.5 * math.log(0.5)
    close(answer(even, rare), want, "KL where p is 1e-300: nothing is added in the logarithm")
    # One letter first: the largest float, put for an infinity, stays finite alone.
    for q, p in ((even, one_missing), (wide, unseen)):
        _infinite(answer(q, p))
    return "Zeros of q cost nothing; a zero of p under q costs everything."


def _discrete_slips(q: Tensor, p: Tensor, kl: Tensor) -> dict[str, Tensor]:
    return {
        "that is KL(p ‖ q): the average is over the first argument": (p * (p / q).log()).sum(),
        "the weight should be q, not p": (p * (q / p).log()).sum(),
        "those are bits: use the natural logarithm": kl / math.log(2),
        "the sign is turned round: it is log q - log p": -kl,
        "you averaged over the letters: q is the weight already, so sum": kl / len(q),
        "sum over the letters, so that one number is left": q * (q / p).log(),
        "the weight q is missing": (q / p).log().sum(),
        "that is the cross-entropy: the entropy of q is still to be taken off": -(
            q * p.log()
        ).sum(),
    }


def _no_nan(got, what: str) -> None:
    if as_tensor(got, what).isnan().any():
        raise Wrong(f"{what}; your answer is NaN.")


def _infinite(got) -> None:
    what = "KL where p is 0 and q is not"
    got = as_tensor(got, what)
    if not torch.equal(got, torch.tensor(math.inf, dtype=torch.float64)):
        raise Wrong(
            f"{what}: it is infinite, and yours is {got.tolist()}. No code for p has a word for "
            "that letter: do not clamp the zero, and do not leave the letter out."
        )


# The Gaussians of exercise 6.2, and the slips that made its three numbers.
_GIVEN = ([1.0, -0.5], [0.4, 0.8], [0.0, 0.4], [1.2, 0.3])
_PRINTED = {"f": 0.7162, "b": 0.3248, "e": 1.0277}


@exercise
def slips(answer) -> str:
    """Exercise 6.2: ``answer()`` is three letters, the slips behind the three numbers."""
    letters = answer()
    if isinstance(letters, (tuple, list)):
        letters = "".join(map(str, letters))
    if not isinstance(letters, str) or len(letters) != 3 or not set(letters) <= set("abcdefg"):
        raise Wrong('return three of the letters a to g, as in "gda".')
    made = _slips(*_doubles(*_GIVEN))
    for letter, printed in zip(letters, _PRINTED.values(), strict=True):
        if abs(made[letter] - printed) > 1e-4:
            raise Wrong(f"slip {letter} does not give {printed}: compute what it does give.")
    return "The right value is 0.6497 nats, and each slip is as plausible a number."


def _slips(mu_q: Tensor, lv_q: Tensor, mu_p: Tensor, lv_p: Tensor) -> dict[str, float]:
    square = (mu_q - mu_p) ** 2

    def kl(square, var_q, var_p, under):
        return float(0.5 * (square / under + var_q / var_p - 1 - (var_q / var_p).log()).sum())

    q, p = lv_q.exp(), lv_p.exp()
    right = kl(square, q, p, p)
    return {
        "a": kl(square, p, q, q),
        "b": right / len(mu_q),
        "c": 2 * right,
        "d": kl(square, lv_q, lv_p, lv_p),
        "e": kl(square, q**2, p**2, p**2),
        "f": kl(square, q, p, q),
        "g": right / math.log(2),
    }


_WORDS = ("smaller", "same", "larger")
_CHANGES = ("z + z³", "two draws", "z rounded", "the pair (z, y)", "y alone")
_ASK = (
    "can the change be undone? Then see (6.5)",
    "see (6.4)",
    "can z be got back? Then see the data-processing inequality",
    "what is the last term of the chain rule?",
    "can z be got back? Put y, a Gaussian of variance σ² + 1, into (6.8)",
)


@exercise
def predictions(answer) -> str:
    """Exercise 6.3: ``answer()`` is five words: smaller, same or larger."""
    words = answer()
    if isinstance(words, str):
        words = words.replace(",", " ").split()
    if (
        not isinstance(words, (tuple, list))
        or len(words) != 5
        or any(word not in _WORDS for word in words)
    ):
        raise Wrong(f"return five words, each one of {', '.join(_WORDS)}.")
    values = _changes()
    kl = values[0]
    for word, value, change, ask in zip(words, values, _CHANGES, _ASK, strict=True):
        right = "same" if abs(value - kl) < 1e-6 else "larger" if value > kl else "smaller"
        if word != right:
            raise Wrong(f"{change} is not {word!r}: {ask}.")
    shown = ", ".join(f"{name} {value:.3f}" for name, value in zip(_CHANGES, values, strict=True))
    return f"In nats: {shown}. What throws nothing away leaves KL as it is."


def _changes(mean: float = 0.5, std: float = 0.7) -> list[float]:
    """KL(q ‖ p) after each change, for q = N(mean, std²) and p = N(0, 1)."""
    kl = _gaussian(mean, std**2, 1.0)
    edges = torch.arange(-12, 12, dtype=torch.float64) + 0.5
    # Probabilities of the cells, from below on the left and from above on the right.
    q, p = (
        torch.where(edges[1:] < 0, _cell(edges, m, s), _cell(-edges.flip(0), -m, s).flip(0))
        for m, s in ((mean, std), (0.0, 1.0))
    )
    rounded = float((torch.xlogy(q, q) - torch.xlogy(q, p)).sum())
    alone = _gaussian(mean, std**2 + 1, 2.0)
    return [_cubic(mean, std), 2 * kl, rounded, kl, alone]


def _cubic(mean: float, std: float) -> float:
    """KL of y = z + z³, by quadrature over y; the cubic is undone by a hyperbolic sine."""
    grid = exact.line(-300, 300, 60_001)
    z = 2 / 3**0.5 * ((1.5 * 3**0.5 * grid.nodes[:, 0]).asinh() / 3).sinh()
    slope = (1 + 3 * z**2).log()
    q, p = (
        -0.5 * ((z - m) / s) ** 2 - math.log(s * (2 * math.pi) ** 0.5) - slope
        for m, s in ((mean, std), (0.0, 1.0))
    )
    return float(exact.kl_on_grid(q, p, grid))


def _cell(edges: Tensor, mean: float, std: float) -> Tensor:
    """The mass of N(mean, std²) between one edge and the next."""
    return (0.5 * torch.erfc((mean - edges) / std / 2**0.5)).diff()


def _gaussian(distance: float, var_q: float, var_p: float) -> float:
    return 0.5 * (distance**2 / var_p + var_q / var_p - 1 - math.log(var_q / var_p))


@exercise
def draws(answer) -> str:
    """Exercise 6.4: ``answer(mu, std, error)``: the std of k1, and the draws that it takes.

    k1 = log q - log p under q = N(mu, std²), with p = N(0, 1); a whole number of draws.
    """
    for mu, std, error in (
        (0.7, 0.4, 0.03),
        (-1.5, 2.0, 0.11),
        (0.0, 0.5, 0.013),
        (2.0, 1.0, 0.07),
        (3.0, 1.0, 0.5),  # 36 draws, exactly
    ):
        where = f"at mu = {mu:g}, std = {std:g}"
        got = _pair(answer(mu, std, error), "the standard deviation of k1 and the number of draws")
        line, square = mu * std, 0.5 * (std**2 - 1)
        noise = math.hypot(line, 2**0.5 * square)
        hints = {
            "that is the variance: take its root": noise**2,
            "the variance of ε² is 2, not 1": math.hypot(line, square),
            "the factor ½ of the squares is missing": math.hypot(line, 2**1.5 * square),
            "the term in ε is left out": 2**0.5 * abs(square),
            "the term in ε² is left out": abs(line),
            "-log q is missing: log q adds -ε² / 2": math.hypot(line, 2**0.5 * std**2 / 2),
            "ε has the factor mu std, not mu": math.hypot(mu, 2**0.5 * square),
            "std is σ: its square is the variance": math.hypot(
                mu * std**0.5, 2**0.5 * 0.5 * (std - 1)
            ),
        }
        close(got[0], noise, f"the standard deviation of k1 {where}", hints=hints)
        share = noise / error
        hints = {
            "a standard error falls with √S: square the ratio": math.ceil(share),
            "that is not a whole number: round it up": share**2,
            "rounded down, the error is still too large": math.floor(share**2),
            "one fewer is enough: the error need not be below the bound": math.ceil(share**2) + 1,
        }
        what = f"the number of draws {where}, error = {error:g}"
        close(got[1], math.ceil(share**2), what, hints=hints, rtol=0, atol=1e-9)
    return "Four times as many draws halve the error."


def _pair(result, names: str) -> Tensor:
    return torch.stack([as_tensor(part, names) for part in _two(result, names)])


def _two(result, names: str) -> list:
    return parts(result, 2, f"return two things: {names}.")


@exercise
def best_prior(answer) -> str:
    """Exercise 6.5: ``answer(mu, logvar)``, [N, D]: mean and log-variance [D] of the best p.

    p is the diagonal Gaussian with the smallest average of KL(q_n ‖ p).
    """
    generator = torch.Generator().manual_seed(6)
    for count, latent, size in ((3, 2, 1), (7, 1, 1), (40, 4, 1), (5, 2, 1e-4)):
        mu, logvar = torch.randn(2, count, latent, generator=generator, dtype=torch.float64)
        mu, logvar = 2 * size * mu + 0.5, logvar + 2 * math.log(size)
        where = f"over {count} Gaussians in {latent} dimension{'s' * (latent > 1)}"
        mean, logvar_p = _two(answer(mu, logvar), "the mean and the log-variance of p")
        hints = {
            "the sum over n is to be divided by N": mu.sum(0),
            "keep one value for each dimension: average over n only": mu.mean(),
            "average over n, the first dimension": mu.mean(1),
            "that weighs each mean by its precision, which is right for the other direction": (
                (mu * (-logvar).exp()).sum(0) / (-logvar).exp().sum(0)
            ),
        }
        close(mean, mu.mean(0), f"the mean {where}", hints=hints)
        within, between = logvar.exp().mean(0), ((mu - mu.mean(0)) ** 2).mean(0)
        close(
            logvar_p,
            (within + between).log(),
            f"the log-variance {where}",
            hints=_variance_slips(mu, logvar, within, between),
            rtol=1e-3,
            atol=1e-3,  # near enough for a minimum found by descent
        )
    return "Forward KL from the even mixture of all q_n: its moments are matched."


def _variance_slips(mu: Tensor, logvar: Tensor, within: Tensor, between: Tensor) -> dict:
    count = len(mu)
    return {
        "that is the variance: give its logarithm": within + between,
        "that is log σ: the log-variance is twice that": 0.5 * (within + between).log(),
        "that is the standard deviation: give the log-variance": (within + between).sqrt(),
        "the means differ too: add the variance between them": within.log(),
        "the q_n have widths too: add the variance within them": between.log(),
        "average the variances, not their logarithms": logvar.mean(0),
        "average the variances, not their logarithms, before the spread is added": (
            (logvar.mean(0).exp() + between).log()
        ),
        "average the variances, not the standard deviations": (
            ((0.5 * logvar).exp().mean(0) ** 2 + between).log()
        ),
        "logvar is log σ², not log σ": ((2 * logvar).exp().mean(0) + between).log(),
        "the mean's square is still to be taken off": (within + (mu**2).mean(0)).log(),
        "divide the squared distances by N, not N - 1": (
            (within + between * count / (count - 1)).log()
        ),
        "keep one value for each dimension: average over n only": (within + between).mean().log(),
        "that averages the precisions, which is right for the other direction": (
            -(-logvar).exp().mean(0).log()
        ),
    }
