"""The checks of the page on your own data accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import Independent, Normal, Poisson, TransformedDistribution
from torch.distributions.transforms import AffineTransform

from vae_lib.checks import own_data as checks


def units(nll, scale):
    return nll + scale.log().sum()


def units_by_a_change_of_variables(nll, scale):
    """What torch.distributions says of a normal whose columns are stretched."""
    y = torch.zeros_like(scale)
    standard = Independent(Normal(y, torch.ones_like(y)), 1)
    wide = TransformedDistribution(standard, AffineTransform(0, scale, event_dim=1))
    return nll + standard.log_prob(y) - wide.log_prob(y * scale)


def bits(nll, colours, height, width):
    return (nll / (colours * height * width) + math.log(256)) / math.log(2)


def poisson(k, logits):
    return (k * logits - logits.exp() - (k + 1).lgamma()).sum(-1)


def rated(rate):
    return lambda k, a: (k * rate(a).log() - rate(a) - (k + 1).lgamma()).sum(-1)


RIGHT = {"original_units": units, "bits": bits, "poisson": poisson}
ALSO_RIGHT = [
    ("original_units", units_by_a_change_of_variables),
    ("original_units", lambda n, s: [v + math.log(math.prod(s.tolist())) for v in n.tolist()]),
    ("bits", lambda n, c, h, w: 8 + n / (c * h * w) / math.log(2)),
    (
        "bits",
        lambda n, *s: torch.tensor((n + math.prod(s) * math.log(256)) / math.prod(s)) / math.log(2),
    ),
    ("poisson", lambda k, a: Poisson(a.exp()).log_prob(k).sum(-1)),
    ("poisson", lambda k, a: poisson(k.float(), a.float())),
]
WRONG = [
    ("original_units", lambda n, s: -units(n, s), "the other sign"),
    ("original_units", lambda n, s: n - s.log().sum(), "the sign of log s"),
    ("original_units", lambda n, s: n + s.log().mean(), "not averaged"),
    ("original_units", lambda n, s: n + s.sum(), "changes by log s"),
    ("original_units", lambda n, s: n * s.prod(), "does not scale"),
    ("original_units", lambda n, s: n + (s**2).log().sum(), "counts once"),
    ("original_units", lambda n, s: n + s.log2().sum(), "not bits"),
    ("original_units", lambda n, s: n + s.log().sum() / len(n), "the whole sum"),
    ("original_units", lambda n, s: n + s[0].log(), "expected"),
    ("original_units", lambda n, s: units(n, s).sum(), "the shape"),
    ("original_units", lambda n, s: torch.tensor([5.0149, 9.5149]), "shape"),
    ("original_units", lambda n, s: n, "expected"),
    ("bits", lambda n, *s: n / math.prod(s) / math.log(2), "no probability yet"),
    ("bits", lambda n, *s: (n / math.prod(s) - math.log(256)) / math.log(2), "the bits more"),
    ("bits", lambda n, *s: n / math.prod(s) + math.log(256), "in nats"),
    ("bits", lambda n, c, h, w: bits(n, 1, h, w), "each colour"),
    ("bits", lambda n, *s: (n + math.log(256)) / math.prod(s) / math.log(2), "every dimension"),
    ("bits", lambda n, *s: (n / math.prod(s) + math.log(255)) / math.log(2), "256 levels"),
    ("bits", lambda n, *s: bits(n, *s) * math.prod(s), "whole picture"),
    ("bits", lambda n, *s: bits(n, *s) * math.log(2) ** 2, "divide by it"),
    ("bits", lambda n, *s: bits(n, 3, 16, 16), "expected"),
    ("bits", lambda n, *s: 5.558, "expected"),
    ("poisson", lambda k, a: k * a - a.exp() - (k + 1).lgamma(), "one number for each row"),
    ("poisson", lambda k, a: poisson(k, a) / k.shape[-1], "do not average"),
    ("poisson", lambda k, a: poisson(k, a).sum(), "not over everything"),
    ("poisson", lambda k, a: -poisson(k, a), "turn the sign"),
    ("poisson", lambda k, a: (k * a - a.exp()).sum(-1), "log k! is missing"),
    ("poisson", lambda k, a: (k * a - a.exp() - k.lgamma()).sum(-1), "lgamma"),
    ("poisson", rated(lambda a: a.clamp(min=1e-9)), "not the logits"),
    ("poisson", rated(torch.sigmoid), "not the sigmoid"),
    ("poisson", rated(lambda a: (1 + a.exp()).log()), "not the softplus"),
    ("poisson", lambda k, a: (k * a - (k + 1).lgamma()).sum(-1), "is missing"),
    ("poisson", lambda k, a: poisson(k, a).clamp(min=-5), "expected"),
    ("poisson", lambda k, a: rated(lambda v: v.exp() + 1e-3)(k, a), "expected"),
    ("poisson", lambda k, a: poisson(k[:, :3], a[:, :3]), "expected"),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
