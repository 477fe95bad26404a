"""Chapter 2's checks accept the solution and name the classic slips."""

import torch
from exercise_tests import make_tests

from vae_lib.checks import codes


def decoder(encoder, covariance):
    cross = covariance @ encoder.T
    return torch.linalg.solve(encoder @ cross, cross.T).T


def by_regression(encoder, covariance):
    """A regression of 'pixels' with that very covariance on their codes."""
    values, vectors = torch.linalg.eigh(covariance.double())
    pixels = (vectors * values.clamp_min(0).sqrt()).T
    return torch.linalg.lstsq(pixels @ encoder.double().T, pixels).solution.T


def with_one_wrong(encoder, covariance):
    result = decoder(encoder, covariance).clone()
    result[1, 0] += 0.1
    return result


def keep(x, probability, generator):
    return torch.bernoulli(torch.full_like(x, probability), generator=generator)


def exactly(x, probability, generator):
    """Drops a fixed number of pixels from each digit."""
    order = torch.rand(x.shape, generator=generator).argsort(1)
    return x * (order >= round(probability * x.shape[1]))


def rows_together(x, probability, generator):
    """Neighbouring pixels share their fate, in blocks of 28."""
    blocks = keep(x[:, ::28], 1 - probability, generator)
    return x * blocks.repeat_interleave(28, dim=1)


def moved(code, decoder):
    """Each unit in units of its column's length."""
    return code * decoder.norm(dim=0)


def orthogonal(A):
    return bool((A.T @ A - torch.eye(len(A))).abs().max() < 1e-4)


def det_is_one(A):
    return abs(float(A.det().abs()) - 1) < 1e-4


RIGHT = {
    "best_decoder": decoder,
    "pca_error": lambda e, k, v: e[k:].sum() + k * v,
    "mask": lambda x, p, gen: x * keep(x, 1 - p, gen),
    "sparse_loss": lambda nll, code, dec, w: nll + w * (code.abs() * dec.norm(dim=0)).sum(-1),
    "same_copies": orthogonal,
}

ALSO_RIGHT = [
    ("best_decoder", by_regression),
    ("pca_error", lambda e, k, v: sum([*[v] * k, *e[k:].tolist()])),
    ("mask", lambda x, p, gen: torch.where(torch.rand(x.shape, generator=gen) < p, 0.0, x)),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * code.abs() @ (dec.T @ dec).diag().sqrt()),
    ("same_copies", lambda A: (torch.linalg.svdvals(A) - 1).abs().max() < 1e-4),
    ("same_copies", lambda A: torch.allclose(A.T @ A, torch.eye(len(A)))),
]

WRONG = [
    ("best_decoder", lambda w, c: w.pinverse(), "pseudo-inverse"),
    ("best_decoder", lambda w, c: w.T, "ties"),
    ("best_decoder", lambda w, c: decoder(w, c).T, "upside down"),
    ("best_decoder", lambda w, c: c @ w.T, "alone"),
    ("best_decoder", lambda w, c: c @ w.T @ (w @ w.T).inverse(), "not W Wᵀ"),
    ("best_decoder", lambda w, c: w.T @ (w @ c @ w.T).inverse(), "in front"),
    (
        "best_decoder",
        lambda w, c: c @ w.T @ (w @ c @ w.T + 0.01 * torch.eye(len(w))).inverse(),
        "expected",
    ),
    ("best_decoder", with_one_wrong, "expected"),
    ("best_decoder", lambda w, c: torch.zeros(7, 3), "expected"),
    ("pca_error", lambda e, k, v: e[k:].sum(), "noise out"),
    ("pca_error", lambda e, k, v: k * v, "clean digit"),
    ("pca_error", lambda e, k, v: e[k:].sum() + (len(e) - k) * v, "inside stays"),
    ("pca_error", lambda e, k, v: (e[k:] + v).sum() + k * v, "D directions"),
    ("pca_error", lambda e, k, v: e[k:].sum() + v, "its own noise"),
    ("pca_error", lambda e, k, v: e[k:].sum() + k * v**0.5, "standard deviation"),
    ("pca_error", lambda e, k, v: e[k:].sum() + k * v**2, "do not square"),
    ("pca_error", lambda e, k, v: e[:k].sum() + k * v, "others are lost"),
    ("pca_error", lambda e, k, v: e[k:].sum() - k * v, "not a saving"),
    ("pca_error", lambda e, k, v: e[k + 1 :].sum() + k * v, "expected"),
    ("pca_error", lambda e, k, v: 3.1, "expected"),
    ("mask", lambda x, p, gen: (x - keep(x, p, gen)).abs(), "flipping"),
    ("mask", lambda x, p, gen: x * keep(x, p, gen), "should drop 25%"),
    ("mask", lambda x, p, gen: x * (1 - p), "drop whole pixels"),
    ("mask", lambda x, p, gen: x * keep(x[:1], 1 - p, gen), "draw for each digit"),
    ("mask", lambda x, p, gen: x * keep(x[:, :1], 1 - p, gen), "go together"),
    ("mask", rows_together, "go together"),
    ("mask", exactly, "same number"),
    ("mask", lambda x, p, gen: x, "not 75%"),
    ("mask", lambda x, p, gen: x * keep(x, 1 - p / 2, gen), "not 75%"),
    ("mask", lambda x, p, gen: x * keep(x, 0.75, gen), "with probability 0.6"),
    ("mask", lambda x, p, gen: x * keep(x, 1 - min(4 * p * p, 1), gen), "with probability 0.6"),
    ("mask", lambda x, p, gen: x * torch.bernoulli(torch.full_like(x, 1 - p)), "passed in"),
    (
        "mask",
        lambda x, p, gen: x * keep(x, 1 - p, torch.Generator().manual_seed(3)),
        "every call",
    ),
    (
        "mask",
        lambda x, p, gen: x * keep(x, 1 - p, torch.Generator().manual_seed(gen.initial_seed())),
        "every call",
    ),
    ("mask", lambda x, p, gen: (x * keep(x, 1 - p, gen))[:200], "shape"),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * code.abs().sum(-1), "are missing"),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * (code.abs() * (dec**2).sum(0)).sum(-1),
        "not squared",
    ),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * (code.abs() * dec.abs().sum(0)).sum(-1),
        "its length is wanted",
    ),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * code.abs().sum(-1) * dec.norm(),
        "its own column",
    ),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * (code.abs() / dec.norm(dim=0)).sum(-1),
        "not cheaper",
    ),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * moved(code, dec).sum(-1), "absolute"),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * moved(code, dec).abs().mean(-1),
        "do not average",
    ),
    (
        "sparse_loss",
        lambda nll, code, dec, w: nll + w * moved(code, dec).abs().sum(),
        "over the batch",
    ),
    (
        "sparse_loss",
        lambda nll, code, dec, w: (nll + w * moved(code, dec).abs().sum(-1)).mean(),
        "caller",
    ),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * (moved(code, dec) ** 2).sum(-1), "squares"),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * (code @ dec.T).norm(dim=-1), "expected"),
    ("sparse_loss", lambda nll, code, dec, w: nll + w * moved(code, dec).norm(dim=-1), "alike"),
    ("sparse_loss", lambda nll, code, dec, w: nll - w * moved(code, dec).abs().sum(-1), "added"),
    ("sparse_loss", lambda nll, code, dec, w: nll + moved(code, dec).abs().sum(-1), "missing"),
    (
        "sparse_loss",
        lambda nll, code, dec, w: w * nll + moved(code, dec).abs().sum(-1),
        "belongs to the code",
    ),
    ("sparse_loss", lambda nll, code, dec, w: torch.tensor([101.5, 91.0]), "expected"),
    ("same_copies", lambda A: True, "stretch by 2"),
    ("same_copies", lambda A: False, "identity"),
    ("same_copies", det_is_one, "shear"),
    ("same_copies", lambda A: abs(float(A.det()) - 1) < 1e-4, "reflection"),
    ("same_copies", lambda A: orthogonal(A) and A.det() > 0, "reflection"),
    (
        "same_copies",
        lambda A: orthogonal(A) or bool((A @ A - torch.eye(len(A))).abs().max() < 1e-4),
        "own inverse",
    ),
    ("same_copies", lambda A: orthogonal(A) and bool((A == A.T).all()), "rotation"),
    (
        "same_copies",
        lambda A: bool((A.norm(dim=1) - 1).abs().max() < 1e-4),
        "not at right angles",
    ),
    (
        "same_copies",
        lambda A: bool((A.norm(dim=0) - 1).abs().max() < 1e-4),
        "columns of length 1",
    ),
    (
        "same_copies",
        lambda A: bool(((A.T @ A).diag() - 1).abs().max() < 1e-4),
        "columns of length 1",
    ),
    (
        "same_copies",
        lambda A: abs(float((A.T @ A).sum()) - len(A)) < 1e-4,
        "columns of length 1",
    ),
    (
        "same_copies",
        lambda A: abs(float((A**2).sum()) - len(A)) < 1e-4,
        "columns of length 1",
    ),
    (
        "same_copies",
        lambda A: orthogonal(A / A.norm(dim=1, keepdim=True)) and A[0].norm() != 2,
        "the answer should be False",
    ),
    ("same_copies", lambda A: A.T @ A, "True or False"),
]


globals().update(make_tests(codes, RIGHT, WRONG, ALSO_RIGHT))
