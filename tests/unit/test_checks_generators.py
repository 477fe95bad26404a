"""The checks of chapter 3 accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests

from vae_lib.checks import generators as checks


def ring(share, std):
    return std * math.sqrt(-2 * math.log(1 - share))


def ring_by_halving(share, std):
    """The mass inside r, ∫ r exp(-r² / 2) dr by the midpoint rule, until it is the share."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        r = (torch.arange(4000, dtype=torch.float64) + 0.5) * middle / 4000
        inside = (r * (-(r**2) / 2).exp()).sum() * middle / 4000
        low, high = (middle, high) if inside < share else (low, middle)
    return std * low


def yardstick(codes, share):
    apart = torch.cdist(codes, codes).fill_diagonal_(math.inf)
    return apart.min(dim=1).values.quantile(share)


def yardstick_by_sorting(codes, share):
    apart = (codes[:, None] - codes).square().sum(-1).sqrt()
    second = apart.sort(dim=1).values[:, 1].sort().values  # the first is the code itself
    return float(second[round(share * (len(codes) - 1))])


def nearest(codes, share, p=2.0, itself=math.inf):
    apart = torch.cdist(codes, codes, p=p)
    apart.fill_diagonal_(itself)
    return apart.min(dim=1).values.quantile(share)


def no_zeros(codes, share):
    """Every distance of 0 left out, a twin's too."""
    apart = (codes[:, None] - codes).norm(dim=-1)
    return apart.masked_fill(apart == 0, math.inf).min(dim=1).values.quantile(share)


def spoilt(good, other, w):
    return torch.logaddexp(math.log(1 - w) + good, math.log(w) + other)


def spoilt_by_ratio(good, other, w):
    """The odds of the other prior, from whichever side is the larger."""
    gap = other - good + math.log(w / (1 - w))
    return good + math.log(1 - w) + gap.clamp(min=0) + torch.log1p((-gap.abs()).exp())


def doubt(logits):
    return -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)


CASES = (([0.5, 0.5], [0.9, 0.1], 0), ([0.5, 0.5], [0.9, 0.1], 1))
RIGHT = {
    "ring": ring,
    "yardstick": yardstick,
    "spoilt": spoilt,
    "doubt": doubt,
    "two_cases": lambda: CASES,
}
ALSO_RIGHT = [
    ("ring", ring_by_halving),
    ("yardstick", yardstick_by_sorting),
    ("spoilt", spoilt_by_ratio),
    ("doubt", lambda v: torch.distributions.Categorical(logits=v).entropy()),
    ("doubt", lambda v: v.logsumexp(-1) - (v.softmax(-1) * v).sum(-1)),
    ("two_cases", lambda: [([0.5, 0.5], [1e-60, 1e-70], k) for k in (0, 1)]),  # 0 in float32
    ("two_cases", lambda: (([0.5, 0.5], [0.9, 0.0], 0), CASES[1])),
    ("two_cases", lambda: [(torch.tensor([0.2, 0.3, 0.5]), [0.1, 0.2, 0.4], k) for k in (2, 0)]),
]
WRONG = [
    ("ring", lambda s, std: std * math.sqrt(-math.log(1 - s)), "the 2 is missing"),
    ("ring", lambda s, std: ring(s, std) ** 2, "take the root"),
    ("ring", lambda s, std: ring(1 - s, std), "1 - share"),
    ("ring", lambda s, std: ring(s, std**2), "std² is the variance"),
    ("ring", lambda s, std: std * math.sqrt(2) * torch.tensor(s).erfinv(), "interval on a line"),
    ("ring", lambda s, std: ring(s, 1.0), "grows with std"),
    ("ring", lambda s, std: ring(s, 1 / std), "do not multiply"),
    ("ring", lambda *_: 2.4477, "expected"),
    ("ring", lambda *_: 2.448, "rounded"),
    ("yardstick", lambda c, s: nearest(c, s, itself=0.0), "leave it out"),
    ("yardstick", lambda c, s: nearest(c, s) ** 2, "squared"),
    ("yardstick", lambda c, s: nearest(c, s, p=1.0), "absolute differences"),
    ("yardstick", lambda c, s: nearest(c, s, p=math.inf), "largest differences"),
    ("yardstick", lambda c, s: nearest(c, s) / c.shape[1] ** 0.5, "average of the squares"),
    ("yardstick", lambda c, s: nearest(c, 1 - s), "1 - share"),
    ("yardstick", lambda c, s: torch.cdist(c, c).kthvalue(2).values.mean(), "mean distance"),
    ("yardstick", lambda c, s: torch.cdist(c, c).kthvalue(2).values, "one number"),
    ("yardstick", lambda c, s: torch.cdist(c, c).max(1).values.quantile(s), "furthest"),
    ("yardstick", lambda c, s: torch.cdist(c, c).flatten().quantile(s), "all pairs"),
    ("yardstick", lambda c, s: nearest(c, 0.9), "expected"),
    ("yardstick", lambda c, s: nearest(c[:, :2], s), "expected"),
    ("yardstick", no_zeros, "share a code"),
    ("spoilt", lambda g, o, w: (1 - w) * g + w * o, "averaged"),
    ("spoilt", lambda g, o, w: spoilt(g, o, 1 - w), "share of the other"),
    ("spoilt", lambda g, o, w: torch.logaddexp(g, o), "weights are left out"),
    ("spoilt", lambda g, o, w: g + math.log(1 - w), "other prior is left out"),
    ("spoilt", lambda g, o, w: torch.logaddexp((1 - w) * g, w * o), "add their logarithms"),
    ("spoilt", lambda g, o, w: ((1 - w) * g.exp() + w * o.exp()).log(), "underflows"),
    ("spoilt", lambda g, o, w: ((1 - w) * g.exp() + w * o.exp() + 1e-300).log(), "expected"),
    ("spoilt", lambda g, o, w: torch.maximum(g + math.log(1 - w), o + math.log(w)), "larger"),
    ("spoilt", lambda g, o, w: spoilt(g, o, w) - g, "add log_good"),
    ("spoilt", lambda g, o, w: -spoilt(g, o, w), "turn the sign"),
    ("spoilt", lambda g, o, w: spoilt(g, o, w).mean(), "one value a digit"),
    ("spoilt", lambda g, o, w: spoilt(g, o, 0.5), "expected"),
    ("spoilt", lambda g, o, w: spoilt(g.float(), o.float(), w), "precision"),
    ("doubt", lambda v: -doubt(v), "sign"),
    ("doubt", lambda v: doubt(v) / math.log(2), "bits"),
    ("doubt", lambda v: doubt(v).sum(), "one value a picture"),
    ("doubt", lambda v: doubt(v).mean(), "do not average"),
    ("doubt", lambda v: doubt(v) / v.shape[-1], "sum over the classes"),
    ("doubt", lambda v: -v.log_softmax(-1).sum(-1), "not averaged with p"),
    ("doubt", lambda v: doubt(v.T), "Not yet"),
    ("doubt", lambda v: -(v.softmax(0) * v.log_softmax(0)).sum(-1), "not over the pictures"),
    ("doubt", lambda v: -v.softmax(-1).amax(-1).log(), "largest"),
    ("doubt", lambda v: -(v.softmax(-1) * v.softmax(-1).log()).sum(-1), "not finite"),
    ("doubt", lambda v: -(v.softmax(-1) * (v.softmax(-1) + 1e-9).log()).sum(-1), "nothing else"),
    ("doubt", lambda v: torch.full((4,), 0.5), "expected"),
    ("two_cases", lambda: CASES[::-1], "first case the loss"),
    ("two_cases", lambda: (CASES[0], CASES[0]), "second case the loss"),
    ("two_cases", lambda: CASES[0], "two cases"),
    ("two_cases", lambda: (([0.5, 0.6], [0.9, 0.1], 0), CASES[1]), "add up to 1"),
    ("two_cases", lambda: (([0.5, 0.5], [1.4, 0.1], 0), CASES[1]), "is a probability"),
    ("two_cases", lambda: (CASES[0], ([0.5, 0.5], [0.9, 0.0], 1)), "must be above 0"),
    ("two_cases", lambda: (CASES[0], ([1.0, 0.0], [0.9, 0.1], 1)), "must be above 0"),
    ("two_cases", lambda: (([0.5, 0.5], [0.9, 0.1], 2), CASES[1]), "k must be"),
    ("two_cases", lambda: (([0.5, 0.5], [0.9], 0), CASES[1]), "for each code"),
    ("two_cases", lambda: (([1.0], [0.9], 0), CASES[1]), "first case the loss"),
]


globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
