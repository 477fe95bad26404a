"""Chapter 7's checks accept the solution and name the classic slips."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lib.checks import variational


def sweep(m, mu, precision):
    for j in range(len(m)):
        others = precision[j] @ (m - mu) - precision[j, j] * (m[j] - mu[j])
        m[j] = mu[j] - others / precision[j, j]
    return m


def sweep_at_once(m, mu, precision):
    diagonal = precision.diagonal()
    return mu - (precision @ (m - mu) - diagonal * (m - mu)) / diagonal


def gaussians(m, log_s, mu, covariance):
    q = MultivariateNormal(m, torch.diag((2 * log_s).exp()))
    return q, MultivariateNormal(mu, covariance)


def kl(*parts):
    return kl_divergence(*gaussians(*parts))


def equicorrelated(rho, dimensions):
    return 1 - (dimensions - 1) * rho**2 / (1 + (dimensions - 2) * rho)


RIGHT = {
    "variances": lambda c: 1 / c.inverse().diagonal(),
    "sweep_once": sweep,
    "mean_field_kl": kl,
    "narrow": equicorrelated,
}

WRONG = [
    ("variances", lambda c: c.diagonal(), "forward fit"),
    ("variances", lambda c: c.inverse().diagonal(), "that is the precision"),
    ("variances", lambda c: 1 / c.diagonal(), "invert the matrix first"),
    ("variances", lambda c: c.inverse().diagonal() ** -0.5, "standard deviations"),
    ("sweep_once", sweep_at_once, "newest"),
    ("sweep_once", lambda m, mu, p: mu, "limit"),
    ("mean_field_kl", lambda *a: kl_divergence(*reversed(gaussians(*a))), "other direction"),
    ("mean_field_kl", lambda *a: kl(*a) / math.log(2), "bits"),
    ("mean_field_kl", lambda *a: 2 * kl(*a), "½"),
    ("mean_field_kl", lambda *a: -kl(*a), "other sign"),
    ("mean_field_kl", lambda *a: kl(*a) + 1.5, "take D away"),
    ("mean_field_kl", lambda m, s, mu, c: kl(m, s / 2, mu, c), "not of the variance"),
    ("narrow", lambda rho, d: 1 - rho**2, "two dimensions only"),
    ("narrow", lambda rho, d: 1 / equicorrelated(rho, d), "precision"),
    ("narrow", lambda rho, d: 1.0, "marginal"),
]


globals().update(make_tests(variational, RIGHT, WRONG))
