"""Chapter 7's checks accept the solution and name the classic slips."""

import math

import torch
from exercise_tests import make_tests

from vae_lib.checks import variational


def turned(turn, large, small):
    c, s = math.cos(turn) ** 2, math.sin(turn) ** 2
    return 1 / (c / large + s / small), 1 / (s / large + c / small)


def turned_by_matrix(turn, large, small):
    c, s = math.cos(turn), math.sin(turn)
    axes = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    covariance = axes @ torch.tensor([large, small], dtype=torch.float64).diag() @ axes.T
    return covariance.det() / covariance.diagonal().flip(0)


def marginals(turn, large, small):
    c, s = math.cos(turn) ** 2, math.sin(turn) ** 2
    return c * large + s * small, s * large + c * small


def sweep(m, h, precision):
    for j in range(len(m)):
        others = precision[j] @ m - precision[j, j] * m[j]
        m[j] = (h[j] - others) / precision[j, j]
    return m


def sweep_as_gauss_seidel(m, h, precision):
    """The same by one triangular system: (lower triangle) m' = h - (strict upper triangle) m."""
    right = h - torch.triu(precision, 1) @ m
    return torch.linalg.solve_triangular(torch.tril(precision), right[:, None], upper=False)[:, 0]


def sweep_at_once(m, h, precision):
    diagonal = precision.diagonal()
    return (h - precision @ m + diagonal * m) / diagonal


def sweep_with(change):
    """A sweep in which ``change(h_j, others, own, Λ_jj)`` gives the new mean."""

    def answer(m, h, precision):
        for j in range(len(m)):
            own = precision[j, j] * m[j]
            m[j] = change(h[j], precision[j] @ m - own, own, precision[j, j])
        return m

    return answer


def sweep_with_marginal_variances(m, h, precision):
    for j, variance in enumerate(precision.inverse().diagonal()):
        m[j] = (h[j] - precision[j] @ m + precision[j, j] * m[j]) * variance
    return m


def first_only(m, h, precision):
    return torch.cat([sweep(m.clone(), h, precision)[:1], m[1:]])


def last_first(m, h, precision):
    return sweep(m.flip(0), h.flip(0), precision.flip(0, 1)).flip(0)


def noise(y, design, m, s):
    return ((y - design @ m) ** 2 + design**2 @ s**2).mean()


def noise_by_covariance(y, design, m, s):
    inner = design @ torch.diag(s**2) @ design.T
    return float(((y - design @ m).square().sum() + inner.trace()) / len(y))


def error(y, design, m, s):
    return ((y - design @ m) ** 2).mean()


def best_line(y, design):
    return torch.linalg.lstsq(design, y).solution


def equicorrelated(rho, dimensions):
    return 1 - (dimensions - 1) * rho**2 / (1 + (dimensions - 2) * rho)


def by_cholesky(rho, dimensions):
    covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64)
    covariance.fill_diagonal_(1.0)
    return 1 / torch.cholesky_inverse(torch.linalg.cholesky(covariance))[-1, -1]


RIGHT = {
    "turned": turned,
    "sweep_once": sweep,
    "noise_variance": noise,
    "narrow": equicorrelated,
}
ALSO_RIGHT = [
    ("turned", turned_by_matrix),
    ("sweep_once", sweep_as_gauss_seidel),
    ("noise_variance", noise_by_covariance),
    ("narrow", by_cholesky),
]
WRONG = [
    ("turned", marginals, "forward fit"),
    ("turned", lambda *a: [1 / v for v in turned(*a)], "that is the precision"),
    ("turned", lambda *a: turned(*a)[::-1], "z1 comes first"),
    ("turned", lambda *a: [v**0.5 for v in turned(*a)], "standard deviations"),
    ("turned", lambda turn, *a: turned(math.radians(turn), *a), "radians"),
    ("turned", lambda turn, large, small: (large, small), "the axes turn"),
    ("turned", lambda t, large, small: turned(t, small, large), "along the turned axis"),
    ("turned", lambda t, large, small: turned(t, large**2, small**2), "do not square"),
    ("turned", lambda *a: turned(*a)[0], "two numbers"),
    ("turned", lambda *a: (turned(*a)[0],) * 2, "expected"),
    ("turned", lambda turn, *a: turned(math.pi / 4, *a), "expected"),
    ("turned", lambda *a: (1.742, 0.273), "expected"),
    ("sweep_once", sweep_at_once, "newest"),
    ("sweep_once", lambda m, h, p: torch.linalg.solve(p, h), "limit"),
    ("sweep_once", sweep_with(lambda h, others, own, d: (h + others) / d), "taken away"),
    ("sweep_once", sweep_with(lambda h, others, own, d: h - others), "diagonal"),
    ("sweep_once", sweep_with(lambda h, others, own, d: (h - others - own) / d), "own term"),
    ("sweep_once", first_only, "only the first"),
    ("sweep_once", last_first, "1 first"),
    ("sweep_once", lambda m, h, p: sweep(sweep(m, h, p), h, p), "two sweeps"),
    ("sweep_once", sweep_with_marginal_variances, "not Σ_jj"),
    ("sweep_once", lambda m, h, p: torch.cat([sweep(m, h, p)[:-1], m[-1:] + 1]), "expected"),
    ("noise_variance", error, "how unsure"),
    ("noise_variance", lambda y, a, m, s: noise(y, a, m, s) - error(y, a, m, s), "only the spread"),
    ("noise_variance", lambda *a: noise(*a).sqrt(), "not τ"),
    ("noise_variance", lambda *a: noise(*a) * len(a[0]), "do not add"),
    ("noise_variance", lambda y, a, m, s: noise(y, a, m, s.sqrt()), "square it"),
    (
        "noise_variance",
        lambda y, a, m, s: error(y, a, m, s) + (a @ s**2).mean(),
        "the design was not",
    ),
    ("noise_variance", lambda *a: noise(*a) / 2, "½"),
    (
        "noise_variance",
        lambda y, a, m, s: noise(y, a, m, s) * len(y) / (len(y) - len(m)),
        "whatever D",
    ),
    ("noise_variance", lambda *a: noise(*a).log(), "logarithm"),
    ("noise_variance", lambda y, a, m, s: noise(y, a, best_line(y, a), s), "it is m"),
    ("noise_variance", lambda y, a, m, s: error(y, a, best_line(y, a), s), "knows m and s only"),
    (
        "noise_variance",
        lambda y, a, m, s: error(y, a, m, s) + ((a @ s) ** 2).mean(),
        "square before adding",
    ),
    ("noise_variance", lambda *a: 0.25, "expected"),
    ("noise_variance", lambda y, a, m, s: noise(y, a[:, :2], m[:2], s[:2]), "expected"),
    ("narrow", lambda rho, d: 1 - rho**2, "two dimensions only"),
    ("narrow", lambda rho, d: 1 / equicorrelated(rho, d), "precision"),
    ("narrow", lambda rho, d: 1.0, "marginal"),
    ("narrow", lambda rho, d: 1 - rho, "limit"),
    ("narrow", lambda rho, d: equicorrelated(rho, d) ** 0.5, "standard deviation"),
    ("narrow", lambda rho, d: (1 - rho**2) ** (d - 1), "do not multiply"),
    ("narrow", lambda rho, d: equicorrelated(rho, min(d, 10)), "expected"),
    ("narrow", lambda rho, d: equicorrelated(0.5, d), "expected"),
]


globals().update(make_tests(variational, RIGHT, WRONG, ALSO_RIGHT))
