"""Chapter 1's checks accept a right answer and name the classic slips."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from exercise_tests import make_tests
from torch.distributions import Bernoulli

from vae_lib.checks import autoencoders as checks
from vae_lib.data import binarise
from vae_lib.distributions import bernoulli_log_prob
from vae_lib.models import Autoencoder


def weights(latent, hidden):
    sizes = [784, *hidden, latent]
    return sum(m * n for m, n in pairwise(sizes))


def encoder_count(latent, hidden):
    return weights(latent, hidden) + sum(hidden) + latent


def count(latent, hidden):
    return 2 * weights(latent, hidden) + 2 * sum(hidden) + latent + 784


def count_as_shown(latent, hidden):
    """Right for hidden layers of 128 and 64 alone."""
    return count(2, (128, 64)) + 129 * (latent - 2)


def count_by_library(latent, hidden):
    return sum(p.numel() for p in Autoencoder(latent, hidden=hidden).parameters())


def layer_by_layer(latent, hidden):
    total, last = 0, 784
    for width in [*hidden, latent, *hidden[::-1], 784]:
        total, last = total + (last + 1) * width, width
    return total


def nll(x, logits):
    return (F.softplus(logits) - x * logits).sum(-1)


def by_probabilities(x, logits, epsilon=0.0):
    p = logits.sigmoid()
    return -(x * (p + epsilon).log() + (1 - x) * (1 - p + epsilon).log()).sum(-1)


def class_means(train, x, labels, *, clamp=1e-3, source=None):
    images, classes = source or train
    means = torch.stack([images[classes == k].mean(0) for k in range(10)])[labels]
    if clamp:
        means = means.clamp(clamp, 1 - clamp)
    return -(x * means.log() + (1 - x) * (1 - means).log()).sum(-1)


def smoothed(train, x, labels):
    between = 0.998 * train.images + 0.001
    return class_means(train, x, labels, clamp=None, source=(between, train.labels))


def drawn(train):
    return binarise(train.images, torch.Generator().manual_seed(4)), train.labels


def mean_logits(train):
    return train.images.mean(0).clamp(1e-3, 1 - 1e-3).logit()


def floor(g):
    return torch.special.entr(g).sum(-1) + torch.special.entr(1 - g).sum(-1)


def with_epsilon(g, epsilon):
    return -(g * (g + epsilon).log() + (1 - g) * (1 - g + epsilon).log()).sum(-1)


def one_draw(g, generator=None):
    return F.binary_cross_entropy(g, torch.bernoulli(g, generator=generator), reduction="none").sum(
        -1
    )


RIGHT = {
    "parameter_count": count,
    "bernoulli_nll": nll,
    "class_baseline": class_means,
    "total_bits": lambda latent, loss, bits: bits * latent + loss / math.log(2),
    "floor": floor,
}

ALSO_RIGHT = [
    ("parameter_count", layer_by_layer),
    ("bernoulli_nll", lambda x, a: -(x * F.logsigmoid(a) + (1 - x) * F.logsigmoid(-a)).sum(1)),
    (
        "class_baseline",
        lambda t, x, y: torch.stack(
            [
                -bernoulli_log_prob(
                    each, t.images[t.labels == k].mean(0).clamp(0.001, 0.999).logit()
                )
                for each, k in zip(x, y, strict=True)
            ]
        ),
    ),
    ("total_bits", lambda d, loss, bits: d * bits + loss * math.log2(math.e)),
    ("floor", lambda g: -(torch.xlogy(g, g) + torch.xlogy(1 - g, 1 - g)).sum(dim=1)),
]

WRONG = [
    ("parameter_count", lambda d, h: 2 * weights(d, h), "biases"),
    ("parameter_count", encoder_count, "encoder alone"),
    ("parameter_count", lambda d, h: count(d, h) - encoder_count(d, h), "decoder alone"),
    ("parameter_count", lambda d, h: 2 * encoder_count(d, h), "counted twice"),
    ("parameter_count", lambda d, h: count(2, h), "D = 16"),
    ("parameter_count", lambda d, h: count(d, h) + 64, "expected"),
    ("parameter_count", count_as_shown, "(256,)"),
    ("parameter_count", count_by_library, "builds or counts"),
    ("bernoulli_nll", lambda x, a: -nll(x, a), "negative"),
    ("bernoulli_nll", lambda x, a: nll(x, a) / 784, "mean over the pixels"),
    ("bernoulli_nll", lambda x, a: nll(x, a).sum(), "batch too"),
    ("bernoulli_nll", lambda x, a: nll(x, a).mean(), "averaged over the batch"),
    ("bernoulli_nll", lambda x, a: nll(x, a).mean() / 784, "digits; sum"),
    ("bernoulli_nll", lambda x, a: (F.softplus(a) - x * a).sum(0), "dim=-1"),
    ("bernoulli_nll", lambda x, a: -(x * F.logsigmoid(a)).sum(-1), "second term"),
    ("bernoulli_nll", lambda x, a: -((1 - x) * F.logsigmoid(-a)).sum(-1), "first term"),
    ("bernoulli_nll", lambda x, a: nll(x, -a), "swapped"),
    ("bernoulli_nll", lambda x, a: nll(x, a.sigmoid()), "twice"),
    ("bernoulli_nll", lambda x, a: nll(x, a) / math.log(2), "bits"),
    (
        "bernoulli_nll",
        lambda x, a: -(x * a.log() + (1 - x) * (1 - a).log()).sum(-1),
        "not probabilities",
    ),
    ("bernoulli_nll", by_probabilities, "softplus"),
    ("bernoulli_nll", lambda x, a: ((1 + a.exp()).log() - x * a).sum(-1), "exp overflows"),
    (
        "bernoulli_nll",
        lambda x, a: F.soft_margin_loss(a, 2 * x - 1, reduction="none").sum(-1),
        "library's cross-entropy",
    ),
    (
        "bernoulli_nll",
        lambda x, a: F.nll_loss(
            torch.stack([torch.zeros_like(a), a], 1).log_softmax(1), x.long(), reduction="none"
        ).sum(-1),
        "library's cross-entropy",
    ),
    ("bernoulli_nll", lambda x, a: by_probabilities(x, a, 1e-9), "caps the cost"),
    ("bernoulli_nll", lambda x, a: nll(x, a.clamp(-30, 30)), "caps the cost"),
    (
        "bernoulli_nll",
        lambda x, a: F.binary_cross_entropy_with_logits(a, x, reduction="none").sum(-1),
        "library's cross-entropy",
    ),
    (
        "bernoulli_nll",
        lambda x, a: torch.nn.BCEWithLogitsLoss(reduction="none")(a, x).sum(-1),
        "library's cross-entropy",
    ),
    ("bernoulli_nll", lambda x, a: -bernoulli_log_prob(x, a), "library's cross-entropy"),
    (
        "bernoulli_nll",
        lambda x, a: -Bernoulli(logits=a).log_prob(x).sum(-1),
        "library's cross-entropy",
    ),
    (
        "bernoulli_nll",
        lambda x, a: F.binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(-1),
        "library's cross-entropy",
    ),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, clamp=None), "Clamp"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, source=(x, y)), "from train"),
    (
        "class_baseline",
        lambda t, x, y: class_means(t, x, y, source=(t.images, torch.arange(4000) % 10)),
        "expected",
    ),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, source=drawn(t)), "grey values"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y.roll(1)), "row k"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, clamp=1e-2), "clamped at 0.01"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, clamp=1e-4), "clamped at 0.0001"),
    ("class_baseline", smoothed, "in another way"),
    ("class_baseline", lambda t, x, y: by_probabilities(x, mean_logits(t)), "own class"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y) / 784, "sum them"),
    ("class_baseline", lambda t, x, y: -class_means(t, x, y), "negative"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y).mean(), "one value a digit"),
    ("total_bits", lambda d, loss, b: b * d + loss, "nats"),
    ("total_bits", lambda d, loss, b: b * d + loss * math.log(2), "not a product"),
    ("total_bits", lambda d, loss, b: b * d, "code alone"),
    ("total_bits", lambda d, loss, b: loss / math.log(2), "leaves the code out"),
    ("total_bits", lambda d, loss, b: d + loss / math.log(2), "not one"),
    ("total_bits", lambda d, loss, b: 32 * d + loss / math.log(2), "not always 32"),
    ("total_bits", lambda d, loss, b: b * d + 784 * loss / math.log(2), "per digit already"),
    ("total_bits", lambda d, loss, b: b * d + loss / math.log10(2), "log base 10"),
    ("total_bits", lambda d, loss, b: 280.4, "expected"),
    ("floor", lambda g: -(g * g.log() + (1 - g) * (1 - g).log()).sum(-1), "NaN"),
    ("floor", lambda g: -floor(g), "positive"),
    ("floor", lambda g: floor(g) / math.log(2), "bits"),
    ("floor", lambda g: floor(g) / 784, "sum them"),
    ("floor", lambda g: floor(g).mean(), "averaged over the digits"),
    ("floor", lambda g: floor(g).sum(), "summed over the digits"),
    ("floor", lambda g: torch.special.entr(g).sum(-1), "only ink"),
    ("floor", lambda g: (g * (1 - g)).sum(-1), "squared error's floor"),
    ("floor", one_draw, "two calls differ"),
    ("floor", lambda g: one_draw(g, torch.Generator().manual_seed(0)), "expected"),
    ("floor", lambda g: floor(g.clamp(1e-3, 1 - 1e-3)), "clamp adds"),
    ("floor", lambda g: with_epsilon(g, 1e-4), "an epsilon of 0.0001"),
    ("floor", lambda g: torch.full((5,), 46.4), "expected"),
]


globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
