"""Chapter 3's checks accept the solution and name the classic slips."""

import math

import torch
from exercise_tests import make_tests

from vae_lib.checks import generators


def nearest(z, codes):
    return torch.cdist(z, codes).min(dim=1).values


def entropy(logits):
    return -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)


def points(start, end, steps):
    weight = torch.linspace(0, 1, steps)[:, None]
    return (1 - weight) * start + weight * end


RIGHT = {
    "confidence_of": lambda logits: logits.softmax(-1).max(-1).values,
    "holes_share": lambda z, codes, r: (nearest(z, codes) > r).float().mean(),
    "line": points,
    "doubt": entropy,
}

WRONG = [
    ("confidence_of", lambda v: v.max(-1).values, "those are logits"),
    ("confidence_of", lambda v: v.softmax(0).max(-1).values, "over the classes"),
    ("confidence_of", lambda v: v.softmax(-1).max(0).values, "largest over the classes"),
    ("confidence_of", lambda v: v.softmax(-1).max(-1).values.mean(), "one value a picture"),
    ("confidence_of", lambda v: v.argmax(-1), "not its probability"),
    ("holes_share", lambda z, c, r: (nearest(z, c) <= r).float().mean(), "covered"),
    ("holes_share", lambda z, c, r: (nearest(c, z) > r).float().mean(), "share of codes"),
    ("holes_share", lambda z, c, r: (torch.cdist(z, c) > r).float().mean(), "all pairs"),
    ("holes_share", lambda z, c, r: (nearest(z, c) > r).sum(), "count"),
    ("line", lambda a, b, n: points(b, a, n), "from end to start"),
    ("line", lambda a, b, n: points(a, b, n + 2)[1:-1], "both ends"),
    ("line", lambda a, b, n: points(a, b, n + 1)[:-1], "one step before"),
    ("line", lambda a, b, n: a + torch.linspace(0, 1, n)[:, None] * b, "add up to 1"),
    ("doubt", lambda v: -entropy(v), "sign"),
    ("doubt", lambda v: entropy(v) / math.log(2), "bits"),
    ("doubt", lambda v: entropy(v).sum(), "one value a picture"),
    ("doubt", lambda v: entropy(v) / v.shape[-1], "do not average"),
    ("doubt", lambda v: -(v.softmax(-1) * v.softmax(-1).log()).sum(-1), "not finite"),
]


globals().update(make_tests(generators, RIGHT, WRONG))
