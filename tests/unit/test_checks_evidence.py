"""The checks of chapter 5 accept the solution and name the classic slips."""

import math

import pytest
import torch

from vae_lib.checks import evidence as check


def causes(prior, likelihood):
    return prior * likelihood / (prior * likelihood).sum()


def lme(log_w):
    return torch.logsumexp(log_w, -1) - math.log(log_w.shape[-1])


def ess(log_w):
    return 1 / (log_w.softmax(-1) ** 2).sum(-1)


def importance(log_px_z, log_pz, log_qz):
    return lme(log_px_z + log_pz - log_qz)


def log_normal(variance):
    return -0.5 * (math.log(2 * math.pi * variance) + 25 / variance)


@pytest.mark.parametrize(
    ("checker", "solution"),
    [
        (check.posterior_of_causes, causes),
        (check.linear_gaussian_evidence, log_normal(13)),
        (check.linear_gaussian_evidence, torch.tensor(log_normal(13))),
        (check.linear_gaussian_evidence, -3.163),
        (check.log_mean_exp, lme),
        (check.importance_estimate, importance),
        (check.effective_sample_size, ess),
    ],
)
def test_solution_passes_and_stub_is_not_an_attempt(checker, solution, capsys):
    assert checker(solution) is True
    assert checker(None) is None
    assert "Not attempted" in capsys.readouterr().out
    if callable(solution):
        assert checker(lambda *_: None) is None


def rejects(checker, answer, words, capsys):
    assert checker(answer) is False
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, lik: p * lik, "divide it by its sum"),
        (lambda p, lik: lik / lik.sum(), "where is the prior"),
        (lambda p, lik: p * lik / lik.sum(), "not of the likelihood"),
        (lambda p, lik: p * lik / (p * lik).max(), "largest"),
        (lambda p, lik: p, "that is the prior"),
        (lambda p, lik: (p.log() + lik.log()).softmax(0)[:2], "shape"),
    ],
)
def test_posterior_of_causes(answer, words, capsys):
    rejects(check.posterior_of_causes, answer, words, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (log_normal(4), "spread of z"),
        (log_normal(25), "standard deviations do not"),
        (log_normal(7), "3²"),
        (log_normal(11), "2²"),
        (log_normal(5), "before it is multiplied"),
        (math.exp(log_normal(13)), "logarithm"),
        (log_normal(13) / math.log(2), "bits"),
        (-log_normal(13), "sign"),
        (log_normal(13) + 0.5 * math.log(2 * math.pi), "2π"),
        (0.0, "expected"),
    ],
)
def test_linear_gaussian_evidence(answer, words, capsys):
    rejects(check.linear_gaussian_evidence, answer, words, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda w: torch.logsumexp(w, -1), "log K"),
        (lambda w: w.mean(-1), "Jensen"),
        (lambda w: torch.logsumexp(w, -1) / 8, "divided by K"),
        (lambda w: w.max(-1).values, "largest weight"),
        (lambda w: torch.logsumexp(w.flatten(), 0) - math.log(40), "last dimension"),
        (lambda w: w.exp().mean(-1), "logarithm"),
        (lambda w: w.exp().mean(-1).log(), "-2,000: exp turned the weights to 0"),
    ],
)
def test_log_mean_exp(answer, words, capsys):
    rejects(check.log_mean_exp, answer, words, capsys)


def test_log_mean_exp_that_only_guards_against_underflow(capsys):
    def shifted_by_the_smallest(log_w):
        low = log_w.min(-1, keepdim=True).values.clamp(max=0)
        return (log_w - low).exp().mean(-1).log() + low[..., 0]

    rejects(check.log_mean_exp, shifted_by_the_smallest, "infinity", capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b, c: lme(c - a - b), "upside down"),
        (lambda a, b, c: lme(a - c), "prior is missing"),
        (lambda a, b, c: lme(a + b), "q is missing"),
        (lambda a, b, c: lme(a), "samples from the prior"),
        (lambda a, b, c: lme(b - c), "likelihood is missing"),
        (lambda a, b, c: torch.logsumexp(a + b - c, -1), "log K"),
        (lambda a, b, c: a + b - c, "average the weights"),
        (lambda a, b, c: (a + b - c).exp().mean(-1).log(), "-inf"),
        # right for equal weights only, so that the exact posterior does not show it:
        (lambda a, b, c: (a + b - c).mean(-1), "a bound (chapter 8)"),
        (lambda a, b, c: (a + b - c)[..., 0], "wider proposal"),
    ],
)
def test_importance_estimate(answer, words, capsys):
    rejects(check.importance_estimate, answer, words, capsys)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda w: w.exp().sum(-1) / (2 * w).exp().sum(-1), "square the sum"),
        (lambda w: 1 / (2 * w).exp().sum(-1), "sum to one"),
        (lambda w: (w.softmax(-1) ** 2).sum(-1), "inverse"),
        (lambda w: ess(w) / 9, "multiply by K"),
        (lambda w: w.sum(-1) ** 2 / (w**2).sum(-1), "log weights"),
        (lambda w: w.exp().sum(-1) ** 2 / (w.exp() ** 2).sum(-1), "softmax"),
        (lambda w: torch.ones(w.shape[:-1]), "not the sum twice"),
    ],
)
def test_effective_sample_size(answer, words, capsys):
    rejects(check.effective_sample_size, answer, words, capsys)


def test_answers_that_raise_or_are_no_tensor_do_not_raise(capsys):
    assert check.log_mean_exp(lambda w: 1 / 0) is False
    assert check.posterior_of_causes(lambda p, lik: "0.5") is False
    assert check.linear_gaussian_evidence("three") is False
