"""The checks of chapter 6 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from vae_lib import distributions
from vae_lib.checks import kl as checks

LN2 = math.log(2)


def said(capsys) -> str:
    return capsys.readouterr().out


def discrete(q, p):
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum()


def diagonal(mu_q, logvar_q, mu_p, logvar_p):
    ratio = (logvar_q - logvar_p).exp()
    return 0.5 * ((mu_q - mu_p) ** 2 / logvar_p.exp() + ratio - 1 - ratio.log()).sum(-1)


def in_terms_of(var, mu_q, logvar_q, mu_p, logvar_p):
    """The right formula with ``var`` in place of exp(logvar)."""
    return diagonal(mu_q, var(logvar_q).log(), mu_p, var(logvar_p).log())


def estimate(log_q, log_p):
    each = log_q - log_p
    return each.mean(), each.std() / len(each) ** 0.5


def moments(weights, means, stds):
    mean = (weights * means).sum()
    return mean, (weights * (stds**2 + (means - mean) ** 2)).sum().sqrt()


RIGHT = [
    (checks.discrete_kl, discrete),
    (checks.discrete_kl, lambda q, p: kl_divergence(Categorical(q), Categorical(p))),
    (checks.discrete_kl, lambda q, p: float(discrete(q, p))),
    (checks.diagonal_kl, diagonal),
    (checks.diagonal_kl, distributions.kl_diagonal_gaussians),
    (checks.bits_per_pixel, lambda nats, pixels: nats / pixels / LN2),
    (checks.kl_estimate, estimate),
    (checks.kl_estimate, lambda *a: torch.stack(estimate(*a))),
    (
        checks.kl_estimate,
        lambda q, p: (float((q - p).mean()), (q - p).std(correction=0) / 2000**0.5),
    ),
    (checks.moment_match, moments),
    (checks.moment_match, lambda *a: [float(v) for v in moments(*a)]),
]


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_pass(check, answer, capsys):
    assert check(answer) is True
    assert said(capsys).startswith("Correct.")


@pytest.mark.parametrize("check", sorted({c for c, _ in RIGHT}, key=lambda c: c.__name__))
def test_stubs_and_crashes_are_marked_without_an_error(check, capsys):
    assert check(None) is None
    assert check(lambda *a: None) is None
    assert check(lambda *a: 1 / 0) is False
    assert check(lambda *a: "no number") is False
    assert "ZeroDivisionError" in said(capsys)


def plain(q, p):
    return (q * (q / p).log()).sum()


def clamped(q, p):
    return discrete(q, p.clamp(min=1e-12))


def skipped(q, p):
    seen = (q > 0) & (p > 0)
    return discrete(q[seen], p[seen])


WRONG = [
    (checks.discrete_kl, lambda q, p: discrete(p, q), "first argument"),
    (checks.discrete_kl, lambda q, p: discrete(q, p) / LN2, "bits"),
    (checks.discrete_kl, lambda q, p: -discrete(q, p), "sign"),
    (checks.discrete_kl, lambda q, p: (q * (q / p).log()).mean(), "averaged"),
    (checks.discrete_kl, lambda q, p: q * (q / p).log(), "one number"),
    (checks.discrete_kl, lambda q, p: -(q * p.log()).sum(), "cross-entropy"),
    (checks.discrete_kl, lambda q, p: (q / p).log().sum(), "weight q is missing"),
    (checks.discrete_kl, plain, "NaN"),
    (checks.discrete_kl, clamped, "infinite"),
    (checks.discrete_kl, skipped, "infinite"),
    (checks.diagonal_kl, lambda mq, lq, mp, lp: diagonal(mp, lp, mq, lq), "other direction"),
    (checks.diagonal_kl, lambda *a: diagonal(*a) / 3, "do not average"),
    (checks.diagonal_kl, lambda *a: diagonal(*a).sum(), "one value for each example"),
    (checks.diagonal_kl, lambda *a: diagonal(*a).mean(), "one value for each example"),
    (checks.diagonal_kl, lambda *a: -diagonal(*a), "sign"),
    (checks.diagonal_kl, lambda *a: 2 * diagonal(*a), "½"),
    (checks.diagonal_kl, lambda *a: diagonal(*a) / LN2, "bits"),
    (checks.diagonal_kl, lambda *a: in_terms_of(lambda v: v, *a), "taken for the variance"),
    (checks.diagonal_kl, lambda *a: in_terms_of(torch.square, *a), "standard deviation"),
    (checks.diagonal_kl, lambda *a: in_terms_of(lambda v: (2 * v).exp(), *a), "taken for log σ"),
    (checks.diagonal_kl, lambda *a: in_terms_of(lambda v: (v / 2).exp(), *a), "σ stands where σ²"),
    (checks.bits_per_pixel, lambda nats, pixels: nats * LN2 / pixels, "do not multiply"),
    (checks.bits_per_pixel, lambda nats, pixels: nats / LN2, "bits per image"),
    (checks.bits_per_pixel, lambda nats, pixels: nats / pixels, "nats per pixel"),
    (checks.bits_per_pixel, lambda nats, pixels: nats / 784 / LN2, "expected"),
    (checks.kl_estimate, lambda q, p: estimate(p, q), "sign"),
    (checks.kl_estimate, lambda q, p: ((q - p).sum(), 0.0), "not the sum"),
    (checks.kl_estimate, lambda q, p: ((q.exp() * (q - p)).mean(), 0.0), "once more"),
    (checks.kl_estimate, lambda q, p: ((q.exp() * (q - p)).sum(), 0.0), "once more"),
    (checks.kl_estimate, lambda q, p: (-p.mean(), 0.0), "log q(z) is missing"),
    (checks.kl_estimate, lambda q, p: ((q - p).mean(), (q - p).std()), "divide it by √S"),
    (checks.kl_estimate, lambda q, p: ((q - p).mean(), (q - p).std() / len(q)), "not by S"),
    (checks.kl_estimate, lambda q, p: ((q - p).mean(), (q - p).var() / len(q)), "square root"),
    (checks.kl_estimate, lambda q, p: (q - p).mean(), "two numbers"),
    (checks.moment_match, lambda w, m, s: (m.mean(), moments(w, m, s)[1]), "weights"),
    (checks.moment_match, lambda w, m, s: (moments(w, m, s)[0], (w * s).sum()), "do not add"),
    (
        checks.moment_match,
        lambda w, m, s: (moments(w, m, s)[0], (w * s**2).sum().sqrt()),
        "variance between",
    ),
    (
        checks.moment_match,
        lambda w, m, s: (moments(w, m, s)[0], moments(w, m, s)[1] ** 2),
        "square root",
    ),
    (
        checks.moment_match,
        lambda w, m, s: (moments(w, m, s)[0], (w * (s**2 + m**2)).sum().sqrt()),
        "mean's square",
    ),
]


@pytest.mark.parametrize("check, answer, hint", WRONG)
def test_wrong_answers_get_a_hint_that_names_the_slip(check, answer, hint, capsys):
    assert check(answer) is False
    verdict = said(capsys)
    assert verdict.startswith("Not yet:") and hint in verdict
