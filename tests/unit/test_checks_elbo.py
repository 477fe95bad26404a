"""The checks of chapter 8 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
from torch.distributions import Normal

from vae_lib import distributions
from vae_lib.checks import elbo as checks


def said(capsys) -> str:
    return capsys.readouterr().out


def kl(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)


def estimate(log_joint, mu, logvar, eps):
    std = (0.5 * logvar).exp()
    z = mu + std * eps
    log_w = log_joint(z) - Normal(mu, std).log_prob(z)
    return log_w.mean(), log_w.std() / len(eps) ** 0.5


def best(x, a, b, s):
    precision = 1 + a**2 / s**2
    return a * (x - b) / s**2 / precision, 1 / precision


def bound(log_w):
    return (log_w.logsumexp(-1) - math.log(log_w.shape[-1])).mean()


MOVES = ((0.2, 0.6), (1.7, 1.0))
RIGHT = [
    (checks.kl_to_standard_normal, kl),
    (checks.kl_to_standard_normal, distributions.kl_to_standard_normal),
    (checks.elbo_estimate, estimate),
    (checks.elbo_estimate, lambda *a: torch.stack(estimate(*a))),
    (checks.optimal_q, best),
    (checks.optimal_q, lambda *a: torch.tensor(best(*a))),
    (checks.two_moves, lambda: MOVES),
    (checks.two_moves, lambda: torch.tensor(MOVES)),
    (checks.iwae_bound, bound),
    (checks.iwae_bound, lambda log_w: float(bound(log_w))),
]


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_pass(check, answer, capsys):
    assert check(answer) is True
    assert said(capsys).startswith("Correct.")


@pytest.mark.parametrize("check", {check for check, _ in RIGHT}, ids=lambda c: c.__name__)
def test_stubs_and_crashes_are_marked_without_an_error(check, capsys):
    assert check(None) is None
    assert check(lambda *a: None) is None
    assert said(capsys) == "Not attempted yet.\n" * 2
    assert check(lambda *a: 1 / 0) is False
    assert "ZeroDivisionError" in said(capsys)
    assert check(lambda *a: "words") is False
    assert said(capsys).startswith("Not yet:")


@pytest.mark.parametrize(
    "slip, hint",
    [
        (lambda m, v: -kl(m, v), "sign"),
        (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).mean(-1), "do not average"),
        (lambda m, v: kl(m, v).sum(), "summed over the batch"),
        (lambda m, v: kl(m, v).mean(), "averaged over the batch"),
        (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).mean(), "mean over batch and dimensions"),
        (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v), "sum over the last dimension"),
        (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).sum(0), "sum runs over the batch"),
        (lambda m, v: 2 * kl(m, v), "½ is missing"),
        (lambda m, v: 0.5 * (m**2 + v - 1 - v.log()).sum(-1), "taken for the variance"),
        (lambda m, v: 0.5 * (m**2 + v**2 - 1 - 2 * v.log()).sum(-1), "standard deviation"),
        (lambda m, v: kl(m, 2 * v), "taken for log σ"),
        (lambda m, v: 0.5 * (m**2 + (v / 2).exp() - 1 - v).sum(-1), "σ stands where σ²"),
        (lambda m, v: 0.5 * ((m**2 + 1) / v.exp() - 1 + v).sum(-1), "other direction"),
        (lambda m, v: kl(m, v) / math.log(2), "bits"),
        (lambda m, v: kl(m, v.abs()), "negative logvar"),
    ],
)
def test_kl_slips_are_named(slip, hint, capsys):
    assert checks.kl_to_standard_normal(slip) is False
    assert hint in said(capsys)


def _with(std=lambda v: (0.5 * v).exp(), combine=lambda p, q: (p - q).mean(), q_std=None):
    """An ELBO estimate with one part replaced, and a right standard error."""

    def answer(log_joint, mu, logvar, eps):
        z = mu + std(logvar) * eps
        log_q = Normal(mu, (q_std or std)(logvar)).log_prob(z)
        return combine(log_joint(z), log_q), estimate(log_joint, mu, logvar, eps)[1]

    return answer


def _error(change):
    """A right ELBO estimate with another standard error."""

    def answer(log_joint, mu, logvar, eps):
        value, error = estimate(log_joint, mu, logvar, eps)
        return value, change(error, len(eps))

    return answer


@pytest.mark.parametrize(
    "slip, hint",
    [
        (_with(combine=lambda p, q: p.mean()), "log q(z) is missing"),
        (_with(combine=lambda p, q: (p + q).mean()), "subtracted, not added"),
        (_with(combine=lambda p, q: (q - p).mean()), "sign"),
        (_with(combine=lambda p, q: (p - q).sum()), "an expectation is a mean"),
        (_with(combine=lambda p, q: (p - q).exp().mean().log()), "average the logarithms"),
        (_with(std=torch.exp), "exp(logvar / 2), not exp(logvar)"),
        (_with(std=torch.exp, q_std=lambda v: (0.5 * v).exp()), "drawn from q"),
        (
            lambda j, m, v, e: (j(e) - Normal(m, (v / 2).exp()).log_prob(e)).mean().expand(2),
            "prior",
        ),
        (
            lambda j, m, v, e: (
                (j(m + (v / 2).exp() * e) - Normal(0.0, 1.0).log_prob(e)).mean(),
                0,
            ),
            "log σ is missing",
        ),
        (lambda *a: estimate(*a)[0], "return two numbers"),
        (_error(lambda error, s: error * s**0.5), "divide it by √S"),
        (_error(lambda error, s: error / s**0.5), "not by S"),
        (_error(lambda error, s: error**2), "square root"),
    ],
)
def test_estimate_slips_are_named(slip, hint, capsys):
    assert checks.elbo_estimate(slip) is False
    assert hint in said(capsys)


@pytest.mark.parametrize(
    "slip, hint",
    [
        (lambda *a: (best(*a)[0], best(*a)[1] ** 0.5), "standard deviation"),
        (lambda *a: (best(*a)[0], 1 / best(*a)[1]), "precision"),
        (lambda *a: (best(*a)[0], math.log(best(*a)[1])), "log σ²"),
        (lambda *a: best(*a)[::-1], "variance comes second"),
        (lambda x, a, b, s: ((x - b) / a, s**2 / a**2), "prior is left out"),
        (lambda x, a, b, s: best(x, a, 0, s), "offset b"),
        (lambda x, a, b, s: (b, a**2 + s**2), "not p(z | y)"),
        (lambda x, a, b, s: best(x, a, b, s**0.5), "s is a standard deviation"),
        (lambda *a: best(*a)[0], "two numbers"),
    ],
)
def test_optimal_q_slips_are_named(slip, hint, capsys):
    assert checks.optimal_q(slip) is False
    assert hint in said(capsys)


@pytest.mark.parametrize(
    "moves, hint",
    [
        (((0.6, 0.2), MOVES[1]), "first move the ELBO"),
        ((MOVES[0], (1.0, 1.7)), "second move the ELBO"),
        ((MOVES[1], MOVES[1]), "the gap closes"),
        ((MOVES[0], MOVES[0]), "it must fall"),
        ((0.2, 0.6), "two pairs"),
    ],
)
def test_moves_of_theta_that_show_nothing_are_rejected(moves, hint, capsys):
    assert checks.two_moves(lambda: moves) is False
    assert hint in said(capsys)


@pytest.mark.parametrize("a", [-1.0, 0.0, 0.4, 2.5])
def test_terms_of_the_linear_model_agree_with_the_direct_elbo(a):
    """E_q[log p(x|z)] - KL(q ‖ p(z)) for q = N(½, 1), y = 2, s = 1, written out."""
    elbo = -0.5 * (math.log(2 * math.pi) + (2 - 0.5 * a) ** 2 + a**2) - 0.125
    got = checks._terms(torch.tensor(a, dtype=torch.float64))
    assert float(got[0]) == pytest.approx(elbo, abs=1e-12)


@pytest.mark.parametrize(
    "slip, hint",
    [
        (lambda v: v.mean(), "that is the ELBO"),
        (lambda v: v.flatten().logsumexp(0) - math.log(v.numel()), "average the S logarithms"),
        (lambda v: v.logsumexp(-1).mean(), "subtract log K"),
        (lambda v: (v.logsumexp(0) - math.log(len(v))).mean(), "last dimension"),
        (lambda v: v.logsumexp(-1) - math.log(v.shape[-1]), "one number"),
        (lambda v: (v.logsumexp(-1) - math.log(v.shape[-1])).sum(), "average them"),
        (lambda v: v.exp().mean(-1).log().mean(), "logsumexp"),
    ],
)
def test_iwae_slips_are_named(slip, hint, capsys):
    assert checks.iwae_bound(slip) is False
    assert hint in said(capsys)
