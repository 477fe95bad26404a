"""Chapter 2's checks accept the solution and name the classic slips."""

import torch
from exercise_tests import make_tests

from vae_lib.checks import codes


def keep(x, probability, generator):
    return torch.bernoulli(torch.full_like(x, probability), generator=generator)


RIGHT = {
    "project": lambda g, m, c: m + (g - m) @ c.T @ c,
    "explained": lambda e, k: e[:k].sum() / e.sum(),
    "mask": lambda x, p, gen: x * keep(x, 1 - p, gen),
    "sparse_loss": lambda nll, code, w: nll + w * code.abs().sum(-1),
    "tied_loss": lambda w, g: ((g - g @ w.T @ w) ** 2).sum(-1),
}

WRONG = [
    ("project", lambda g, m, c: (g - m) @ c.T @ c, "added again"),
    ("project", lambda g, m, c: g @ c.T @ c, "take the mean away"),
    ("project", lambda g, m, c: m + g @ c.T @ c, "never taken away"),
    ("project", lambda g, m, c: (g - m) @ c.T, "that is the code"),
    ("explained", lambda e, k: e[:k].sum(), "total variance"),
    ("explained", lambda e, k: e[k:].sum() / e.sum(), "fraction lost"),
    ("explained", lambda e, k: (e[:k] ** 2).sum() / (e**2).sum(), "variances already"),
    ("mask", lambda x, p, gen: (x - keep(x, p, gen)).abs(), "flipping"),
    ("mask", lambda x, p, gen: x * keep(x, p, gen), "should drop a quarter"),
    ("mask", lambda x, p, gen: x * (1 - p), "drop whole pixels"),
    ("mask", lambda x, p, gen: x * keep(x[:1], 1 - p, gen), "draw for each digit"),
    ("mask", lambda x, p, gen: x, "not 75 %"),
    ("mask", lambda x, p, gen: x * torch.bernoulli(torch.full_like(x, 1 - p)), "the generator"),
    ("sparse_loss", lambda nll, code, w: nll + w * code.sum(-1), "absolute"),
    ("sparse_loss", lambda nll, code, w: nll + w * code.abs().mean(-1), "do not average"),
    ("sparse_loss", lambda nll, code, w: nll + w * code.abs().sum(), "over the batch"),
    ("sparse_loss", lambda nll, code, w: nll + w * (code**2).sum(-1), "squares"),
    ("sparse_loss", lambda nll, code, w: nll - w * code.abs().sum(-1), "added"),
    ("tied_loss", lambda w, g: ((g - g @ w.T @ w) ** 2).mean(-1), "do not average"),
    ("tied_loss", lambda w, g: ((g - g @ w.T @ w) ** 2).sum(), "over the batch"),
    ("tied_loss", lambda w, g: (g - g @ w.T @ w).abs().sum(-1), "squared"),
]


globals().update(make_tests(codes, RIGHT, WRONG))
