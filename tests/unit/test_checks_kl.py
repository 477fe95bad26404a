"""The checks of chapter 6 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
from exercise_tests import make_tests
from torch.distributions import Categorical, Normal, kl_divergence

from vae_lib.checks import kl as checks

LN2 = math.log(2)


def discrete(q, p):
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum()


def where(q, p):
    """Zeros of q left out before any logarithm is taken."""
    sent = q > 0
    return float((q[sent] * (q[sent].log() - p[sent].log())).sum())


def plain(q, p):
    return (q * (q / p).log()).sum()


def skipped(q, p):
    seen = (q > 0) & (p > 0)
    return discrete(q[seen], p[seen])


def added_beside_q(q, p):
    return (torch.xlogy(q, q + 1e-12) - torch.xlogy(q, p)).sum()


def added_beside_both(q, p):
    """A tiny number in both logarithms, and infinity by an explicit branch."""
    if ((q > 0) & (p == 0)).any():
        return math.inf
    return plain(q + 1e-34, p + 1e-34)


WORDS = ("same", "larger", "smaller", "same", "smaller")


def changed(place, word):
    return (*WORDS[:place], word, *WORDS[place + 1 :])


def draws(mu, std, error, line=1.0, square=0.5, two=2, own=1):
    """The solution; with its constants changed, its slips."""
    variance = (line * mu * std) ** 2 + two * (square * (std**2 - own)) ** 2
    return variance**0.5, math.ceil(variance / error**2)


def one_more(mu, std, error):
    noise, _ = draws(mu, std, error)
    return noise, math.floor((noise / error) ** 2) + 1


def by_sampling(mu, std, error):
    eps = torch.randn(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = (mu * std * eps + 0.5 * (std**2 - 1) * eps**2).std()
    return noise, math.ceil((noise / error) ** 2)


def best(mu, logvar):
    within, between = logvar.exp().mean(0), mu.var(0, correction=0)
    return mu.mean(0), (within + between).log()


def best_by_second_moment(mu, logvar):
    """The mean square, less the square of the mean."""
    mean = mu.mean(0)
    return torch.stack([mean, ((mu**2 + logvar.exp()).mean(0) - mean**2).log()])


def best_by_descent(mu, logvar):
    """Newton's method for the log-variance on the averaged divergence."""
    mean, answer = mu.mean(0), torch.zeros_like(mu[0])
    square = ((mu - mean) ** 2 + logvar.exp()).mean(0)
    for _ in range(60):
        ratio = square * (-answer).exp()
        answer = answer - (1 - ratio) / ratio.clamp(min=1.0)
    return mean, answer


def with_logvar(make):
    """The right mean, and what ``make(mu, logvar, right)`` makes of the log-variance."""
    return lambda mu, logvar: (mu.mean(0), make(mu, logvar, best(mu, logvar)[1]))


def one_coordinate(mu, logvar):
    mean, answer = best(mu, logvar)
    answer[-1] += 0.01
    return mean, answer


def precision_mean(mu, logvar):
    weight = (-logvar).exp()
    return (weight * mu).sum(0) / weight.sum(0), best(mu, logvar)[1]


RIGHT = {
    "discrete_kl": discrete,
    "slips": lambda: "fbe",
    "predictions": lambda: WORDS,
    "draws": draws,
    "best_prior": best,
}
ALSO_RIGHT = [
    ("discrete_kl", where),
    ("slips", lambda: ("f", "b", "e")),
    ("predictions", lambda: list(WORDS)),
    ("predictions", lambda: ", ".join(WORDS)),
    ("draws", lambda *a: tuple(float(v) for v in draws(*a))),
    ("best_prior", best_by_second_moment),
    ("best_prior", best_by_descent),
    ("best_prior", with_logvar(lambda m, v, right: right + 3e-4)),
]
WRONG = [
    ("discrete_kl", lambda q, p: discrete(p, q), "first argument"),
    ("discrete_kl", lambda q, p: discrete(q, p) / LN2, "bits"),
    ("discrete_kl", lambda q, p: -discrete(q, p), "sign"),
    ("discrete_kl", lambda q, p: (q * (q / p).log()).mean(), "averaged"),
    ("discrete_kl", lambda q, p: q * (q / p).log(), "one number"),
    ("discrete_kl", lambda q, p: -(q * p.log()).sum(), "cross-entropy"),
    ("discrete_kl", lambda q, p: (q / p).log().sum(), "weight q is missing"),
    ("discrete_kl", plain, "NaN"),
    ("discrete_kl", lambda q, p: plain(q, p).nan_to_num(0.0), "Not yet"),
    ("discrete_kl", lambda q, p: discrete(q, p.clamp(min=1e-12)), "1e-300"),
    ("discrete_kl", lambda q, p: plain(q + 1e-12, p + 1e-12), "1e-300"),
    ("discrete_kl", lambda q, p: discrete(q, p.clamp(min=1e-305)), "infinite"),
    # PyTorch's own clamps small probabilities at the machine's precision.
    ("discrete_kl", lambda q, p: kl_divergence(Categorical(q), Categorical(p)), "1e-300"),
    ("discrete_kl", skipped, "infinite"),
    ("discrete_kl", lambda q, p: (q * (q / p).log()).nan_to_num(0.0), "one number"),
    ("discrete_kl", lambda q, p: (q * (q / p).log()).nan_to_num(0.0).sum(), "infinite"),
    ("discrete_kl", added_beside_q, "nothing added"),
    ("discrete_kl", added_beside_both, "1e-300"),
    ("discrete_kl", lambda q, p: 0.5328, "expected"),
    ("discrete_kl", lambda q, p: discrete(q[:3], p[:3]), "Not yet"),
    ("slips", lambda: "gda", "slip g does not give 0.7162: compute"),
    ("slips", lambda: "feb", "slip e does not give 0.3248"),
    ("slips", lambda: "fbd", "slip d does not give 1.0277"),
    ("slips", lambda: "fbc", "slip c does not give 1.0277"),
    ("slips", lambda: "abe", "slip a does not give 0.7162"),
    ("slips", lambda: "fb", "three of the letters"),
    ("slips", lambda: "xyz", "three of the letters"),
    ("slips", lambda: 0.6497, "three of the letters"),
    ("predictions", lambda: changed(0, "larger"), "undone"),
    ("predictions", lambda: changed(1, "same"), "(6.4)"),
    ("predictions", lambda: changed(2, "same"), "z rounded is not"),
    ("predictions", lambda: changed(2, "larger"), "data-processing"),
    ("predictions", lambda: changed(3, "larger"), "chain rule"),
    ("predictions", lambda: changed(4, "same"), "a Gaussian"),
    ("predictions", lambda: WORDS[:4], "five words"),
    ("predictions", lambda: "same", "five words"),
    ("predictions", lambda: changed(0, "equal"), "each one of"),
    ("draws", lambda m, s, e: (draws(m, s, e)[0] ** 2, draws(m, s, e)[1]), "take its root"),
    ("draws", lambda *a: draws(*a, two=1), "is 2, not 1"),
    ("draws", lambda *a: draws(*a, square=1.0), "½"),
    ("draws", lambda *a: draws(*a, line=0.0), "term in ε is left out"),
    ("draws", lambda *a: draws(*a, square=0.0), "term in ε² is left out"),
    ("draws", lambda *a: draws(*a, own=0), "log q"),
    ("draws", lambda m, s, e: draws(m, s**0.5, e), "its square is the variance"),
    ("draws", lambda m, s, e: (draws(m, s, e)[0], draws(m, s, e)[0] / e), "expected"),
    ("draws", lambda m, s, e: (draws(m, s, e)[0], math.ceil(draws(m, s, e)[0] / e)), "square"),
    ("draws", lambda m, s, e: (draws(m, s, e)[0], draws(m, s, e)[1] - 1), "rounded down"),
    ("draws", lambda m, s, e: (draws(m, s, e)[0], (draws(m, s, e)[0] / e) ** 2), "whole number"),
    ("draws", one_more, "one fewer"),
    ("draws", lambda *a: draws(*a)[0], "two things"),
    ("draws", lambda *a: (0.5436, 5041), "expected"),
    ("draws", by_sampling, "expected"),
    ("best_prior", lambda m, v: (m.mean(), best(m, v)[1]), "each dimension"),
    ("best_prior", lambda m, v: (m.mean(1), best(m, v)[1]), "first dimension"),
    ("best_prior", lambda m, v: (m.sum(0), best(m, v)[1]), "divided by N"),
    ("best_prior", precision_mean, "other direction"),
    ("best_prior", with_logvar(lambda m, v, right: right.exp()), "give its logarithm"),
    ("best_prior", with_logvar(lambda m, v, right: right / 2), "log σ"),
    ("best_prior", with_logvar(lambda m, v, right: (right / 2).exp()), "standard deviation"),
    ("best_prior", with_logvar(lambda m, v, right: v.exp().mean(0).log()), "variance between"),
    ("best_prior", with_logvar(lambda m, v, right: m.var(0, correction=0).log()), "within"),
    ("best_prior", with_logvar(lambda m, v, right: v.mean(0)), "not their logarithms"),
    (
        "best_prior",
        with_logvar(lambda m, v, right: best(m, 2 * v)[1]),
        "logvar is log σ², not log σ",
    ),
    (
        "best_prior",
        with_logvar(lambda m, v, right: (v.exp() + m**2).mean(0).log()),
        "mean's square",
    ),
    (
        "best_prior",
        with_logvar(lambda m, v, right: (v.exp().mean(0) + m.var(0)).log()),
        "not N - 1",
    ),
    ("best_prior", one_coordinate, "expected"),
    ("best_prior", with_logvar(lambda m, v, right: (right.exp() + 1e-4).log()), "expected"),
    ("best_prior", lambda m, v: m.mean(0), "shape"),
    ("best_prior", lambda m, v: best(m[:3], v[:3]), "expected"),
    ("best_prior", lambda m, v: (0 * m[0], 0 * m[0]), "expected"),
]

globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))


def test_the_numbers_of_exercise_2_are_made_by_their_slips_and_by_no_other():
    made = checks._slips(*checks._doubles(*checks._GIVEN))
    for letter, printed in checks._PRINTED.items():
        near = [slip for slip, value in made.items() if abs(value - printed) < 0.02]
        assert near == [letter]
        assert made[letter] == pytest.approx(printed, abs=5e-5)


def test_rounding_and_forgetting_agree_with_draws():
    """Exercise 6.3: rounded z and y alone, from 400,000 draws counted or averaged."""
    generator = torch.Generator().manual_seed(0)
    z = 0.5 + 0.7 * torch.randn(400_000, generator=generator, dtype=torch.float64)
    *_, rounded, _, alone = checks._changes()
    cells = z.round()

    def mass(cell, mean, std):
        at = Normal(torch.tensor(mean, dtype=torch.float64), std)
        return at.cdf(cell + 0.5) - at.cdf(cell - 0.5)

    ratio = (mass(cells, 0.5, 0.7) / mass(cells, 0.0, 1.0)).log()
    assert float(ratio.mean()) == pytest.approx(rounded, abs=5 * float(ratio.std()) / 632)
    q, p = Normal(0.5, (0.49 + 1) ** 0.5), Normal(0.0, 2**0.5)
    assert float(kl_divergence(q, p)) == pytest.approx(alone, abs=1e-6)
