"""The checks of chapter 14 accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import (
    AffineTransform,
    Categorical,
    ComposeTransform,
    Independent,
    MixtureSameFamily,
    Normal,
)

from vae_lib.checks import families as checks
from vae_lib.distributions import gaussian_log_prob, standard_normal_log_prob


def log_q(eps, layers):
    return standard_normal_log_prob(eps) - sum(s.sum() for s, _ in layers)


def log_q_by_torch(eps, layers):
    """Layer by layer with torch's transforms, whose determinants are its own."""
    total, z = Normal(0.0, 1.0).log_prob(eps).sum(-1), eps
    for s, t in layers:
        layer = ComposeTransform([AffineTransform(t, s.exp(), event_dim=1)])
        after = layer(z)
        total = total - layer.log_abs_det_jacobian(z, after)
        z = after.flip(-1)
    return total


def pushed(e, layers):
    for s, t in layers:
        e = (e * s.exp() + t).flip(-1)
    return e


def pushed_without_swaps(e, layers):
    for s, t in layers:
        e = e * s.exp() + t
    return e


def one_coordinate(eps, layers, j):
    return standard_normal_log_prob(eps) - sum(s[j] for s, _ in layers)


FIRST = []  # what the first call returned


def typed_in(eps, layers):
    if len(eps) == 4:
        FIRST[:] = [log_q(eps, layers)]
    return FIRST[0]


def log_q_by_jacobian(eps, layers):
    jacobian = torch.func.vmap(torch.func.jacrev(lambda e: pushed(e, layers)))(eps)
    return standard_normal_log_prob(eps) - torch.linalg.slogdet(jacobian).logabsdet


def weights(log_w):
    share = log_w.softmax(0)
    return share, share**2


def weights_by_hand(log_w):
    w = (log_w - log_w.amax(0)).exp()
    return w / w.sum(0), (w / w.sum(0)).square()


def weights_stacked(log_w):
    return torch.stack(weights(log_w))


def weights_in_single(log_w):
    return weights(log_w.float())


def weights_underflown(log_w, floor):
    share = log_w.exp() / (log_w.exp().sum(0) + floor)
    return share, share**2


def weights_by_one_maximum(log_w, floor):
    w = (log_w - log_w.max()).exp()
    share = w / (w.sum(0) + floor)
    return share, share**2


def estimates(ratio, K, wanted):
    count = K * (wanted / ratio) ** 2
    return count, K * count


def estimates_by_steps(ratio, K, wanted):
    at_k = ratio / math.sqrt(K)
    count = (wanted / at_k) ** 2
    return torch.tensor(count), torch.tensor(K * count)


def estimates_in_one_tensor(ratio, K, wanted):
    return torch.tensor(estimates(ratio, K, wanted), dtype=torch.float64)


def winnings(z, mu, logvar):
    each = gaussian_log_prob(z[:, None], mu, logvar)
    return (each.logsumexp(1) - math.log(len(mu)) - standard_normal_log_prob(z)).mean()


def winnings_by_torch(z, mu, logvar):
    parts = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(len(mu)).to(mu)), parts)
    return (mixture.log_prob(z) - Normal(0.0, 1.0).log_prob(z).sum(-1)).mean()


def winnings_without_logsumexp(z, mu, logvar):
    density = gaussian_log_prob(z[:, None], mu, logvar).exp().mean(1)
    return ((density + 1e-8).log() - standard_normal_log_prob(z)).mean()


def winnings_over_draws(z, mu, logvar, count):
    each = gaussian_log_prob(z[:, None], mu, logvar)
    return each.logsumexp(0).mean() - math.log(count) - standard_normal_log_prob(z).mean()


def scale(layers):
    return sum(s.sum() for s, _ in layers)


def aggregate(z, mu, logvar):
    return gaussian_log_prob(z[:, None], mu, logvar).logsumexp(1) - math.log(len(mu))


RIGHT = {
    "flow_density": log_q,
    "dreg_weights": weights,
    "estimates_needed": estimates,
    "prior_winnings": winnings,
}
ALSO_RIGHT = [
    ("flow_density", log_q_by_torch),
    ("flow_density", log_q_by_jacobian),
    ("dreg_weights", weights_by_hand),
    ("dreg_weights", weights_stacked),
    ("dreg_weights", weights_in_single),
    ("estimates_needed", estimates_by_steps),
    ("estimates_needed", estimates_in_one_tensor),
    ("prior_winnings", winnings_by_torch),
]
WRONG = [
    ("flow_density", lambda e, k: log_q(e, k) + 2 * scale(k), "is subtracted"),
    ("flow_density", lambda e, k: standard_normal_log_prob(e), "change of volume is missing"),
    ("flow_density", lambda e, k: log_q(e, k[:1]), "one layer's"),
    ("flow_density", lambda e, k: log_q(e, k[1:]), "other layer's"),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(e) - sum(s.exp().sum() for s, _ in k),
        "not Σ exp(s)",
    ),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(e) - sum(s.exp().prod() for s, _ in k),
        "off their logarithms",
    ),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(e) - scale(k).exp(),
        "off its logarithm",
    ),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(pushed_without_swaps(e, k)) - scale(k),
        "at ε, not at z (which",
    ),
    ("flow_density", lambda e, k: log_q(e, k) - sum(t.sum() for _, t in k), "a shift changes"),
    ("flow_density", lambda e, k: standard_normal_log_prob(e) - 0.5 * scale(k), "no factor ½"),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(e) - sum(s.mean() for s, _ in k),
        "sum s over both",
    ),
    ("flow_density", lambda e, k: log_q(e, k) / math.log(2), "bits"),
    ("flow_density", lambda e, k: log_q(e, k) + math.log(2 * math.pi), "constant"),
    ("flow_density", lambda e, k: log_q(e, k).mean(), "the shape should be"),
    ("flow_density", lambda e, k: standard_normal_log_prob(pushed(e, k)), "N(0, I) at z"),
    (
        "flow_density",
        lambda e, k: standard_normal_log_prob(pushed(e, k)) + scale(k),
        "and the change of volume is subtracted",
    ),
    ("flow_density", typed_in, "three draws of another flow"),
    ("flow_density", lambda e, k: one_coordinate(e, k, 0), "second coordinate"),
    ("flow_density", lambda e, k: one_coordinate(e, k, 1), "first coordinate"),
    ("dreg_weights", lambda a: a.softmax(0), "return two tensors"),
    ("dreg_weights", lambda a: (a.softmax(1), a.softmax(1) ** 2), "over the K samples"),
    ("dreg_weights", lambda a: (a.exp(), a.exp() ** 2), "exp of −800 is 0"),
    ("dreg_weights", lambda a: weights_underflown(a, 1e-8), "exp of −800 is 0"),
    ("dreg_weights", lambda a: weights_underflown(a, 0), "exp of −800 is 0"),
    ("dreg_weights", lambda a: ((a - a.amax(0)).exp(),) * 2, "normalise: the weights"),
    ("dreg_weights", lambda a: (a.log_softmax(0), a), "log-weights"),
    ("dreg_weights", lambda a: weights_by_one_maximum(a, 0), "each column's maximum"),
    ("dreg_weights", lambda a: weights_by_one_maximum(a, 1e-30), "each column's maximum"),
    ("dreg_weights", lambda a: weights_underflown(a + 800, 0), "each column's maximum"),
    ("dreg_weights", lambda a: weights(a)[::-1], "that is the square"),
    ("dreg_weights", lambda a: (a.softmax(0), a.softmax(0)), "has its square"),
    ("dreg_weights", lambda a: (a.softmax(0), a.softmax(0) * (1 - a.softmax(0))), "w̃² remains"),
    ("dreg_weights", lambda a: (a.softmax(0), (2 * a).softmax(0)), "not normalised again"),
    ("dreg_weights", lambda a: (a.softmax(0), 2 * a.softmax(0)), "not its square"),
    ("estimates_needed", lambda r, K, w: K * (w / r) ** 2, "return two numbers"),
    ("estimates_needed", lambda r, K, w: (K**0.5 * w / r, 1.0), "square the ratio"),
    ("estimates_needed", lambda r, K, w: (K * w / r, 1.0), "square wanted over ratio"),
    ("estimates_needed", lambda r, K, w: ((w / r) ** 2, 1.0), "K times as many"),
    ("estimates_needed", lambda r, K, w: ((w / r) ** 2 / K, 1.0), "not fewer"),
    ("estimates_needed", lambda r, K, w: (K * (r / w) ** 2, 1.0), "other way round"),
    ("estimates_needed", lambda r, K, w: (K**2 * (w / r) ** 2, 1.0), "not as 1/K"),
    ("estimates_needed", lambda *a: estimates(*a)[::-1], "go second"),
    ("estimates_needed", lambda *a: tuple(map(math.ceil, estimates(*a))), "do not round it up"),
    ("estimates_needed", lambda *a: tuple(map(round, estimates(*a))), "do not round it down"),
    ("estimates_needed", lambda *a: tuple(map(int, estimates(*a))), "do not round it down"),
    ("estimates_needed", lambda *a: (estimates(*a)[0], math.ceil(estimates(*a)[1])), "them up"),
    ("estimates_needed", lambda *a: (estimates(*a)[0], round(estimates(*a)[1])), "them down"),
    ("estimates_needed", lambda r, K, w: (K * (w / r) ** 2,) * 2, "evaluates the decoder K times"),
    ("estimates_needed", lambda r, K, w: (K * (w / r) ** 2, K**3 * (w / r) ** 2), "once"),
    ("prior_winnings", lambda *a: -winnings(*a), "not negative"),
    ("prior_winnings", lambda z, m, v: winnings(z, m, v) + math.log(len(m)), "log N is missing"),
    (
        "prior_winnings",
        lambda z, m, v: (
            gaussian_log_prob(z[:, None], m, v).mean(1) - standard_normal_log_prob(z)
        ).mean(),
        "average the densities",
    ),
    (
        "prior_winnings",
        lambda z, m, v: 0.5 * (m**2 + v.exp() - 1 - v).sum(1).mean(),
        "the whole average KL",
    ),
    ("prior_winnings", lambda *a: aggregate(*a).mean(), "still to be taken off"),
    ("prior_winnings", lambda *a: aggregate(*a) - standard_normal_log_prob(a[0]), "one number"),
    (
        "prior_winnings",
        lambda z, m, v: winnings(z, m, v) + math.log(len(m) / len(z)),
        "log N, not log S",
    ),
    ("prior_winnings", lambda *a: winnings(*a) - math.log(2 * math.pi), "constant of log N"),
    ("prior_winnings", lambda *a: winnings_over_draws(*a, len(a[1])), "logsumexp runs over"),
    ("prior_winnings", lambda *a: winnings_over_draws(*a, len(a[0])), "not over the S draws"),
    ("prior_winnings", lambda *a: winnings_without_logsumexp(*a), "underflows"),
    (
        "prior_winnings",
        lambda z, m, v: winnings(z, m, v) + math.log(len(m) / 6),
        "do not write it as a number",
    ),
    ("prior_winnings", lambda *a: winnings(*a) / math.log(2), "bits"),
    ("prior_winnings", lambda z, m, v: winnings(z, m, 2 * v), "not log σ"),
    ("prior_winnings", lambda *a: winnings(*a) * len(a[0]), "not the sum"),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
