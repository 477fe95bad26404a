"""Chapter 1's checks accept a right answer and name the classic slips."""

import math

import pytest
import torch
import torch.nn.functional as F

from vae_lib.checks import autoencoders as checks
from vae_lib.figures import interpolate


def count(latent):
    encoder = 784 * 128 + 128 + 128 * 64 + 64 + 64 * latent + latent
    decoder = latent * 64 + 64 + 64 * 128 + 128 + 128 * 784 + 784
    return encoder + decoder


def nll(x, logits):
    return (F.softplus(logits) - x * logits).sum(-1)


def naive(x, logits):
    p = logits.sigmoid()
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(-1)


def class_means(train, x, labels, *, clamp=True, source=None):
    images, classes = source or train
    means = torch.stack([images[classes == k].mean(0) for k in range(10)])[labels]
    if clamp:
        means = means.clamp(1e-3, 1 - 1e-3)
    return -(x * means.log() + (1 - x) * (1 - means).log()).sum(-1)


def fade(model, start, end, steps):
    return model.decode(interpolate(model.code(start), model.code(end), steps)).sigmoid()


ACCEPTED = [
    (checks.parameter_count, count),
    (checks.bernoulli_nll, nll),
    (checks.bernoulli_nll, lambda x, a: -(x * F.logsigmoid(a) + (1 - x) * F.logsigmoid(-a)).sum(1)),
    (checks.class_baseline, class_means),
    (checks.total_bits, lambda latent, loss: 32 * latent + loss / math.log(2)),
    (checks.crossfade, fade),
]

REJECTED = [
    (checks.parameter_count, lambda d: 2 * (784 * 128 + 128 * 64 + 64 * d), "biases"),
    (checks.parameter_count, lambda d: 784 * 128 + 128 + 128 * 64 + 64 + 65 * d, "encoder alone"),
    (checks.parameter_count, lambda d: count(2), "D = 16"),
    (checks.bernoulli_nll, lambda x, a: -nll(x, a), "negative"),
    (checks.bernoulli_nll, lambda x, a: nll(x, a) / 784, "mean over the pixels"),
    (checks.bernoulli_nll, lambda x, a: nll(x, a).sum(), "batch too"),
    (checks.bernoulli_nll, lambda x, a: nll(x, a).mean(), "averaged over the batch"),
    (checks.bernoulli_nll, lambda x, a: F.binary_cross_entropy_with_logits(a, x), "digits; sum"),
    (checks.bernoulli_nll, lambda x, a: (F.softplus(a) - x * a).sum(0), "dim=-1"),
    (checks.bernoulli_nll, lambda x, a: -(x * F.logsigmoid(a)).sum(-1), "second term"),
    (checks.bernoulli_nll, lambda x, a: -((1 - x) * F.logsigmoid(-a)).sum(-1), "first term"),
    (checks.bernoulli_nll, lambda x, a: nll(x, -a), "swapped"),
    (checks.bernoulli_nll, lambda x, a: nll(x, a.sigmoid()), "twice"),
    (checks.bernoulli_nll, lambda x, a: nll(x, a) / math.log(2), "bits"),
    (
        checks.bernoulli_nll,
        lambda x, a: -(x * a.log() + (1 - x) * (1 - a).log()).sum(-1),
        "not probabilities",
    ),
    (checks.bernoulli_nll, naive, "softplus"),
    (checks.class_baseline, lambda t, x, y: class_means(t, x, y, clamp=False), "Clamp"),
    (checks.class_baseline, lambda t, x, y: class_means(t, x, y, source=(x, y)), "from train"),
    (
        checks.class_baseline,
        lambda t, x, y: class_means(t, x, y, source=(t.images, torch.arange(4000) % 10)),
        "expected",
    ),
    (checks.class_baseline, lambda t, x, y: naive(x, mean_logits(t)), "own class"),
    (checks.class_baseline, lambda t, x, y: class_means(t, x, y) / 784, "sum them"),
    (checks.class_baseline, lambda t, x, y: -class_means(t, x, y), "negative"),
    (checks.class_baseline, lambda t, x, y: class_means(t, x, y).mean(), "one value a digit"),
    (checks.total_bits, lambda d, loss: 32 * d + loss, "nats"),
    (checks.total_bits, lambda d, loss: 32 * d + loss * math.log(2), "not a product"),
    (checks.total_bits, lambda d, loss: 32 * d, "code alone"),
    (checks.total_bits, lambda d, loss: loss / math.log(2), "leaves the code out"),
    (checks.total_bits, lambda d, loss: d + loss / math.log(2), "32 bits"),
    (checks.crossfade, lambda m, a, b, n: fade(m, a, b, n).logit(), "logits"),
    (checks.crossfade, lambda m, a, b, n: interpolate(a, b, n), "blends the pixels"),
    (
        checks.crossfade,
        lambda m, a, b, n: interpolate(m.reconstruct(a), m.reconstruct(b), n),
        "two decoded digits",
    ),
    (checks.crossfade, lambda m, a, b, n: m.reconstruct(interpolate(a, b, n)), "encodes a blend"),
    (checks.crossfade, lambda m, a, b, n: fade(m, b, a, n), "backwards"),
    (checks.crossfade, lambda m, a, b, n: fade(m, a, b, n + 1), "shape"),
]


def mean_logits(train):
    return train.images.mean(0).clamp(1e-3, 1 - 1e-3).logit()


@pytest.mark.parametrize(("check", "answer"), ACCEPTED)
def test_right_answers_pass(check, answer, capsys):
    assert check(answer) is True
    assert capsys.readouterr().out.startswith("Correct.")


@pytest.mark.parametrize(("check", "answer", "hint"), REJECTED)
def test_classic_slips_are_named(check, answer, hint, capsys):
    assert check(answer) is False
    said = capsys.readouterr().out
    assert said.startswith("Not yet:")
    assert hint in said


@pytest.mark.parametrize("check", sorted({c for c, _ in ACCEPTED}, key=lambda c: c.__name__))
def test_a_stub_is_not_an_error(check, capsys):
    assert check(lambda *_: None) is None
    assert capsys.readouterr().out == "Not attempted yet.\n"
