"""The checks of "When it does not train" accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests

from vae_lib.checks import symptoms as checks

LOG_2, FULL = math.log(2), math.log(1 + math.exp(-1))


def limit(dtype):
    return math.log(torch.finfo(dtype).max)


def limit_by_search(dtype):
    """The largest whose exponential is finite, by halving."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        fits = math.log(torch.finfo(dtype).max) >= middle if middle > 700 else None
        if fits is None:
            fits = bool(torch.tensor(math.exp(middle), dtype=torch.float64).to(dtype).isfinite())
        low, high = (middle, high) if fits else (low, middle)
    return low


def floor(ink):
    return (1 - ink) * LOG_2 + ink * FULL


def floor_by_search(ink):
    """The least over a grid of what the first sigmoid may return."""
    a = torch.linspace(0, 1, 1001, dtype=torch.float64)
    score = torch.nn.functional.binary_cross_entropy_with_logits
    cost = [score(a, torch.full_like(a, x), reduction="none").min() for x in (0.0, 1.0)]
    return (1 - ink) * cost[0] + ink * cost[1]


def dead(hidden):
    return (hidden == 0).all(0).float().mean()


RIGHT = {"largest_log_variance": limit, "double_sigmoid_floor": floor, "dead_units": dead}
ALSO_RIGHT = [
    ("largest_log_variance", limit_by_search),
    ("double_sigmoid_floor", floor_by_search),
    ("dead_units", lambda h: sum(float(unit.max()) == 0 for unit in h.T) / h.shape[1]),
    ("dead_units", lambda h: (h == 0).all(0).half().mean()),
]
WRONG = [
    ("largest_log_variance", lambda d: torch.finfo(d).max, "its logarithm is wanted"),
    ("largest_log_variance", lambda d: math.log2(torch.finfo(d).max), "base 2"),
    ("largest_log_variance", lambda d: math.log10(torch.finfo(d).max), "base 10"),
    ("largest_log_variance", lambda d: 2 * limit(d), "the KL has exp(logvar)"),
    ("largest_log_variance", lambda d: 0.5 * limit(d), "half of it"),
    ("largest_log_variance", lambda d: math.log(torch.finfo(d).tiny), "smallest normal"),
    ("largest_log_variance", lambda d: math.log(torch.finfo(d).eps), "distance from 1"),
    ("largest_log_variance", lambda d: 88.7228, "ask torch.finfo"),
    ("largest_log_variance", lambda d: 11.0899, "float16's for every"),
    ("largest_log_variance", lambda d: limit(d) - 1, "expected"),
    ("largest_log_variance", lambda d: round(limit(d), 1), "expected"),
    ("largest_log_variance", lambda d: -math.log(torch.finfo(d).tiny), "exp(-logvar)"),
    (
        "largest_log_variance",
        lambda d: torch.tensor(torch.finfo(d).max, dtype=d).log(),
        "a Python float",
    ),
    ("double_sigmoid_floor", lambda ink: LOG_2, "better than ½"),
    ("double_sigmoid_floor", lambda ink: floor(1 - ink), "swapped"),
    ("double_sigmoid_floor", lambda ink: 784 * floor(ink), "for one pixel"),
    ("double_sigmoid_floor", lambda ink: 0, "a single sigmoid"),
    (
        "double_sigmoid_floor",
        lambda ink: -sum(p * math.log(p) for p in (ink, 1 - ink) if p),
        "single sigmoid that does not",
    ),
    ("double_sigmoid_floor", lambda ink: LOG_2 if ink <= 0.5 else FULL, "has two"),
    ("double_sigmoid_floor", lambda ink: ink * FULL, "blank pixels cost too"),
    ("double_sigmoid_floor", lambda ink: floor(ink) / LOG_2, "bits"),
    ("double_sigmoid_floor", lambda ink: -floor(ink), "is its negative"),
    (
        "double_sigmoid_floor",
        lambda ink: (1 - ink) * LOG_2 + ink / (1 + math.exp(-1)),
        "negative logarithm",
    ),
    (
        "double_sigmoid_floor",
        lambda ink: (1 - ink) * math.log(1 + math.e) + ink * FULL,
        "logit of 0",
    ),
    ("double_sigmoid_floor", lambda ink: 0.64376, "13 % of ink alone"),
    ("double_sigmoid_floor", lambda ink: floor(ink) + 1e-3, "expected"),
    ("dead_units", lambda h: (h == 0).float().mean(), "the share of zeros"),
    ("dead_units", lambda h: (h == 0).any(0).float().mean(), "for some digit"),
    ("dead_units", lambda h: (h == 0).all(1).float().mean(), "along the batch"),
    ("dead_units", lambda h: 1 - dead(h), "that live"),
    ("dead_units", lambda h: (h == 0).all(0).sum(), "the share is wanted"),
    ("dead_units", lambda h: (h == 0).all(0).float(), "not one for each unit"),
    ("dead_units", lambda h: (h < 1e-3).all(0).float().mean(), "small but not 0"),
    ("dead_units", lambda h: (h < 1e-8).all(0).float().mean(), "small but not 0"),
    ("dead_units", lambda h: dead(h[1:]), "the first digit"),
    ("dead_units", lambda h: (h.std(0) == 0).float().mean(), "the same for every digit"),
    ("dead_units", lambda h: dead(h) + 0.01, "expected"),
    ("dead_units", lambda h: 0.25, "expected"),
]

globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
