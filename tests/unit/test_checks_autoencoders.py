"""Chapter 1's checks accept a right answer and name the classic slips."""

import math

import torch
import torch.nn.functional as F
from exercise_tests import make_tests
from torch.distributions import Bernoulli

from vae_lib.checks import autoencoders as checks
from vae_lib.data import binarise
from vae_lib.distributions import bernoulli_log_prob
from vae_lib.models import Autoencoder


def count(latent):
    encoder = 784 * 128 + 128 + 128 * 64 + 64 + 64 * latent + latent
    decoder = latent * 64 + 64 + 64 * 128 + 128 + 128 * 784 + 784
    return encoder + decoder


def nll(x, logits):
    return (F.softplus(logits) - x * logits).sum(-1)


def by_probabilities(x, logits, epsilon=0.0):
    p = logits.sigmoid()
    return -(x * (p + epsilon).log() + (1 - x) * (1 - p + epsilon).log()).sum(-1)


def class_means(train, x, labels, *, clamp=True, source=None):
    images, classes = source or train
    means = torch.stack([images[classes == k].mean(0) for k in range(10)])[labels]
    if clamp:
        means = means.clamp(1e-3, 1 - 1e-3)
    return -(x * means.log() + (1 - x) * (1 - means).log()).sum(-1)


def drawn(train):
    return binarise(train.images, torch.Generator().manual_seed(4)), train.labels


def mean_logits(train):
    return train.images.mean(0).clamp(1e-3, 1 - 1e-3).logit()


def floor(g):
    return torch.special.entr(g).sum(-1) + torch.special.entr(1 - g).sum(-1)


def one_draw(g, generator=None):
    return F.binary_cross_entropy(g, torch.bernoulli(g, generator=generator), reduction="none").sum(
        -1
    )


RIGHT = {
    "parameter_count": count,
    "bernoulli_nll": nll,
    "class_baseline": class_means,
    "total_bits": lambda latent, loss: 32 * latent + loss / math.log(2),
    "floor": floor,
}

ALSO_RIGHT = [
    ("parameter_count", lambda d: sum(p.numel() for p in Autoencoder(d).parameters())),
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
    ("total_bits", lambda d, loss: d * 4 * 8 + loss * math.log2(math.e)),
    ("floor", lambda g: -(torch.xlogy(g, g) + torch.xlogy(1 - g, 1 - g)).sum(dim=1)),
]

WRONG = [
    ("parameter_count", lambda d: 2 * (784 * 128 + 128 * 64 + 64 * d), "biases"),
    ("parameter_count", lambda d: 784 * 128 + 128 + 128 * 64 + 64 + 65 * d, "encoder alone"),
    ("parameter_count", lambda d: count(d) - (784 * 128 + 128 + 8256 + 65 * d), "decoder alone"),
    ("parameter_count", lambda d: 2 * (784 * 128 + 128 + 8256 + 65 * d), "counted twice"),
    ("parameter_count", lambda d: count(2), "D = 16"),
    ("parameter_count", lambda d: count(d) + 64, "expected"),
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
    ("class_baseline", lambda t, x, y: class_means(t, x, y, clamp=False), "Clamp"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, source=(x, y)), "from train"),
    (
        "class_baseline",
        lambda t, x, y: class_means(t, x, y, source=(t.images, torch.arange(4000) % 10)),
        "expected",
    ),
    ("class_baseline", lambda t, x, y: class_means(t, x, y, source=drawn(t)), "grey values"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y.roll(1)), "row k"),
    ("class_baseline", lambda t, x, y: by_probabilities(x, mean_logits(t)), "own class"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y) / 784, "sum them"),
    ("class_baseline", lambda t, x, y: -class_means(t, x, y), "negative"),
    ("class_baseline", lambda t, x, y: class_means(t, x, y).mean(), "one value a digit"),
    ("total_bits", lambda d, loss: 32 * d + loss, "nats"),
    ("total_bits", lambda d, loss: 32 * d + loss * math.log(2), "not a product"),
    ("total_bits", lambda d, loss: 32 * d, "code alone"),
    ("total_bits", lambda d, loss: loss / math.log(2), "leaves the code out"),
    ("total_bits", lambda d, loss: d + loss / math.log(2), "32 bits"),
    ("total_bits", lambda d, loss: 32 * d + 784 * loss / math.log(2), "per digit already"),
    ("total_bits", lambda d, loss: 32 * d + loss / math.log10(2), "log base 10"),
    ("total_bits", lambda d, loss: 280.4, "expected"),
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
    ("floor", lambda g: torch.full((5,), 46.4), "expected"),
]


globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
