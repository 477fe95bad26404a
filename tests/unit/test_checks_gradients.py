"""The checks of chapter 9 accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import Normal
from torch.func import grad, vmap

from vae_lib import bounds
from vae_lib.checks import gradients as checks


def variances(mu, std, k, draws, own=3, top=15, cross=6, mean=2):
    """The solution; with a moment or the mean's square changed, its slips."""
    a, b, c = mu**2 + k, 2 * mu * std, std**2
    square = (a**2 + own * b**2 + top * c**2 + cross * a * c) / std**2
    score, path = square - (2 * mu) ** mean, 4 * std**2
    return score, path, draws * score / path


def variances_by_quadrature(mu, std, k, draws):
    """The same by a sum over an even grid of noise."""
    eps = torch.linspace(-12, 12, 2401, dtype=torch.float64)
    weight = Normal(0.0, 1.0).log_prob(eps).exp() * 0.01
    z = mu + std * eps
    rows = torch.stack([(z**2 + k) * eps / std, 2 * z])
    mean = rows @ weight
    score, path = rows**2 @ weight - mean**2
    return score, path, math.ceil(draws * score / path)


def leave_one_out(log_w, score):
    others = (log_w.sum() - log_w) / (len(log_w) - 1)
    return ((log_w - others)[:, None] * score).mean(0)


def covariance(log_w, score):
    """The unbiased sample covariance, which is the same thing where no mean is taken off."""
    return ((log_w - log_w.mean())[:, None] * score).sum(0) / (len(log_w) - 1)


def one_by_one(log_w, score):
    kept = [torch.cat([log_w[:i], log_w[i + 1 :]]).mean() for i in range(len(log_w))]
    return torch.stack([(w - b) * s for w, b, s in zip(log_w, kept, score, strict=True)]).mean(0)


def batch_mean(log_w, score):
    return ((log_w - log_w.mean())[:, None] * score).mean(0)


def path_gradient(mu, logvar, eps, log_joint):
    std = math.exp(0.5 * logvar)
    z = (mu + std * eps).requires_grad_()
    slope = torch.autograd.grad(log_joint(z).sum(), z)[0] + eps / std
    return torch.stack([slope, slope * 0.5 * std * eps], 1)


def by_functional(mu, logvar, eps, log_joint):
    """λ in log q held still, with torch.func."""
    held = Normal(mu, math.exp(0.5 * logvar))

    def log_w(lam, e):
        z = lam[0] + (0.5 * lam[1]).exp() * e
        return log_joint(z) - held.log_prob(z)

    return vmap(grad(log_w), (None, 0))(eps.new_tensor([mu, logvar]), eps)


def by_autograd(mu, logvar, eps, log_joint, hold=True, cut=False, log_q=True):
    """A copy of λ for each draw; ``hold`` λ in log q, ``cut`` the path, leave ``log_q`` in."""
    lam = eps.new_tensor([mu, logvar]).expand(len(eps), 2).clone().requires_grad_()
    z = lam[:, 0] + (0.5 * lam[:, 1]).exp() * eps
    z = z.detach() if cut else z
    seen = lam.detach() if hold else lam
    log_w = log_joint(z)
    if log_q:
        log_w = log_w - Normal(seen[:, 0], (0.5 * seen[:, 1]).exp()).log_prob(z)
    if cut:
        log_w = log_w.detach() * Normal(lam[:, 0], (0.5 * lam[:, 1]).exp()).log_prob(z)
    return torch.autograd.grad(log_w.sum(), lam)[0]


def with_epsilon(mu, logvar, eps, log_joint, power=0):
    """The path derivative with the slope of log q taken as ε / std^power."""
    std = math.exp(0.5 * logvar)
    z = (mu + std * eps).requires_grad_()
    slope = torch.autograd.grad(log_joint(z).sum(), z)[0] + eps / std**power
    return torch.stack([slope, slope * 0.5 * std * eps], 1)


def by_the_chapter(mu, logvar, eps, log_joint):
    return path_derivative(mu, logvar, eps, log_joint)  # noqa: F821, the function of the chapter


def by_the_library(mu, logvar, eps, log_joint):
    return bounds.path_derivative(mu, logvar, eps)


def enumeration(alpha, f, c):
    q = alpha.softmax(0)
    score = torch.eye(len(f), dtype=q.dtype) - q

    def noise(c):
        each = (f - c)[:, None] * score
        return q @ each**2 - (q @ each) ** 2

    weight = q * (score**2).sum(1)
    return q * (f - q @ f), noise(c), noise(weight @ f / weight.sum()).sum()


def enumeration_by_autograd(alpha, f, c):
    gradient = grad(lambda a: a.softmax(0) @ f)(alpha)
    square = torch.zeros_like(f)
    for z in range(len(f)):
        score = grad(lambda a, z=z: a.log_softmax(0)[z])(alpha)
        square += alpha.softmax(0)[z] * ((f[z] - c) * score) ** 2
    sums = [enumeration(alpha, f, c)[1].sum() for c in (-1.0, 0.0, 1.0)]  # a parabola in c
    bend, tilt = (sums[0] + sums[2]) / 2 - sums[1], (sums[2] - sums[0]) / 2
    return gradient, square - gradient**2, sums[1] - tilt**2 / (4 * bend)


def quietest(mu, std, m, P, own=6, line=2):
    g, kappa = P * (m - mu), (1 - P * std**2) / 2
    return line * g**2 + own * kappa**2 / std**2, (P * std) ** 2, (1 / std - P * std) ** 2


def quietest_by_quadrature(mu, std, m, P):
    """The same by a sum over an even grid of noise, with the best baseline of (9.12)."""
    eps = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    weight = Normal(0.0, 1.0).log_prob(eps).exp() * 0.005
    z = mu + std * eps
    log_w = -0.5 * P * (z - m) ** 2 + 0.5 * eps**2
    best = (log_w * eps**2) @ weight
    rows = torch.stack([(log_w - best) * eps / std, P * (m - z), P * (m - z) + eps / std])
    return rows**2 @ weight - (rows @ weight) ** 2


def by_log_variance(mu, std, m, P):
    g, kappa = P * (m - mu), (1 - P * std**2) / 2
    score, _, _ = quietest(mu, std, m, P)
    return score, (g * std) ** 2 / 4 + P**2 * std**4 / 2, (g * std) ** 2 / 4 + 2 * kappa**2


RIGHT = {
    "variances": variances,
    "leave_one_out": leave_one_out,
    "path_gradient": path_gradient,
    "enumeration": enumeration,
    "quietest": quietest,
}
ALSO_RIGHT = [
    ("variances", variances_by_quadrature),
    ("leave_one_out", covariance),
    ("leave_one_out", one_by_one),
    ("leave_one_out", lambda w, s: leave_one_out(w + 5, s)),
    ("path_gradient", by_functional),
    ("path_gradient", by_autograd),
    ("enumeration", enumeration_by_autograd),
    ("quietest", quietest_by_quadrature),
]
WRONG = [
    ("variances", lambda *a: variances(*a)[::-1], "expected"),
    ("variances", lambda *a: (variances(*a)[1], *variances(*a)[1:]), "comes first"),
    ("variances", lambda *a: variances(*a, mean=1), "not the mean"),
    ("variances", lambda *a: variances(*a, top=9), "not 9"),
    ("variances", lambda *a: variances(*a, cross=0), "cross term"),
    ("variances", lambda mu, s, k, n: variances(mu, s, 0, n), "k is left out"),
    ("variances", lambda mu, s, k, n: (variances(mu, s, k, n)[0] + 4 * mu**2, 4, 1), "mean square"),
    ("variances", lambda *a: (variances(*a)[0] ** 0.5, 4.0, 1), "standard deviation"),
    ("variances", lambda *a: (variances(*a)[0], 4.0, 750.0), "4 std²"),
    ("variances", lambda *a: (variances(*a)[0], 2 * a[1] ** 2, 1), "square the 2"),
    ("variances", lambda *a: (*variances(*a)[:2], variances(*a)[2] ** 0.5), "draws needed"),
    ("variances", lambda *a: (*variances(*a)[:2], a[3]), "draws needed"),
    (
        "variances",
        lambda *a: (*variances(*a)[:2], math.floor(variances(*a)[2])),
        "round up",
    ),
    ("variances", lambda *a: variances(*a)[:2], "return 3 values"),
    ("variances", lambda *_: (30.0, 4.0, 750.0), "expected"),
    ("leave_one_out", batch_mean, "knows each draw"),
    ("leave_one_out", lambda w, s: (w[:, None] * s).mean(0), "no baseline"),
    ("leave_one_out", lambda w, s: len(w) * leave_one_out(w, s), "do not sum"),
    ("leave_one_out", lambda w, s: -leave_one_out(w, s), "sign"),
    (
        "leave_one_out",
        lambda w, s: leave_one_out(w, s) * len(w) / (len(w) - 1),
        "only the baseline does",
    ),
    (
        "leave_one_out",
        lambda w, s: ((w - (w.sum() - w) / len(w))[:, None] * s).mean(0),
        "divide their sum by S - 1",
    ),
    ("leave_one_out", lambda w, s: ((2 * w - w.sum())[:, None] * s).mean(0), "not their sum"),
    ("leave_one_out", lambda w, s: leave_one_out(w, s)[:1], "shape"),
    ("leave_one_out", lambda w, s: batch_mean(w, s) * 2, "expected"),
    ("leave_one_out", lambda w, s: leave_one_out((w + 1e-3).exp(), s), "expected"),
    ("path_gradient", lambda *a: by_autograd(*a, hold=False), "held still"),
    ("path_gradient", lambda *a: by_autograd(*a, cut=True), "score function"),
    ("path_gradient", lambda *a: by_autograd(*a, log_q=False), "log q is left out"),
    ("path_gradient", lambda m, v, e, f: path_gradient(m, 2 * v, e, f), "log σ²"),
    ("path_gradient", lambda *a: path_gradient(*a) * torch.tensor([1, 2]), "½ is missing"),
    ("path_gradient", lambda *a: path_gradient(*a).mean(0), "one row a draw"),
    ("path_gradient", lambda *a: path_gradient(*a).T, "is a row"),
    ("path_gradient", with_epsilon, "not ε."),
    ("path_gradient", lambda *a: with_epsilon(*a, power=2), "not ε / std²"),
    ("path_gradient", by_the_chapter, "write what it does"),
    ("path_gradient", by_the_library, "write what it does"),
    ("path_gradient", lambda *a: -path_gradient(*a), "sign"),
    ("path_gradient", lambda *a: path_gradient(*a).flip(1), "comes second"),
    ("path_gradient", lambda m, v, e, f: path_gradient(m, v, e.flip(0), f), "expected"),
    ("path_gradient", lambda m, v, e, f: torch.zeros(len(e), 2), "expected"),
    ("enumeration", lambda a, f, c: (a.softmax(0) * f, *enumeration(a, f, c)[1:]), "normalised"),
    ("enumeration", lambda *a: (enumeration(*a)[1], *enumeration(*a)[1:]), "come second"),
    ("enumeration", lambda *a: (-enumeration(*a)[0], *enumeration(*a)[1:]), "sign"),
    ("enumeration", lambda a, f, c: enumeration(a, f, 0.0), "baseline is left out"),
    ("enumeration", lambda *a: (enumeration(*a)[0], enumeration(*a)[1] ** 0.5, 0), "square them"),
    ("enumeration", lambda *a: (enumeration(*a)[0], sum(enumeration(*a)[1]), 0), "not their sum"),
    (
        "enumeration",
        lambda *a: (enumeration(*a)[0], enumeration(*a)[1] + enumeration(*a)[0] ** 2, 0),
        "mean square",
    ),
    ("enumeration", lambda *a: (*enumeration(*a)[:2], 0.0), "two values only"),
    (
        "enumeration",
        lambda *a: (*enumeration(*a)[:2], enumeration(*a)[1].sum()),
        "at the c given",
    ),
    (
        "enumeration",
        lambda a, f, c: (
            *enumeration(a, f, c)[:2],
            enumeration(a, f, a.softmax(0) @ f)[1].sum(),
        ),
        "is not the best",
    ),
    ("enumeration", lambda *a: enumeration(*a)[:2], "return 3 values"),
    ("enumeration", lambda a, f, c: enumeration(a[:2], f[:2], c), "shape"),
    ("quietest", lambda *a: quietest(*a, own=10), "E log w"),
    ("quietest", lambda *a: quietest(*a, line=3), "squared mean g² off"),
    ("quietest", lambda *a: quietest(*a, line=0), "part of the noise"),
    ("quietest", lambda *a: quietest(*a)[::-1], "the order is"),
    ("quietest", by_log_variance, "by log σ²"),
    ("quietest", lambda *a: (*quietest(*a)[:2], by_log_variance(*a)[2]), "by log σ²"),
    ("quietest", lambda *a: tuple(v**0.5 for v in quietest(*a)), "standard deviation"),
    ("quietest", lambda mu, s, m, P: quietest(mu, s, m, P**0.5), "expected"),
    ("quietest", lambda mu, s, m, P: quietest(mu, s**0.5, m, P), "expected"),
    ("quietest", lambda *_: "path", "return 3 values"),
]


globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
