"""The checks of chapter 11: each takes its solution, and another, and names the slips."""

import json
import math
from pathlib import Path

import torch
from exercise_tests import make_tests

from vae_lib.checks import evaluation as checks

ROOT = Path(__file__).parents[2]


def estimate(log_w):
    count, total = len(log_w), log_w.logsumexp(0)
    effective = (2 * total - (2 * log_w).logsumexp(0)).exp()
    error = (1 / effective - 1 / count).clamp(min=0).sqrt()
    return total - math.log(count), error, effective


def estimate_by_shares(log_w):
    top = log_w.max(0).values
    w = (log_w - top).exp()
    mean = w.mean(0)
    error = ((w - mean) ** 2).mean(0).sqrt() / mean / len(w) ** 0.5
    return mean.log() + top, error, 1 / (log_w.softmax(0) ** 2).sum(0)


def part(k, change):
    """The right estimate with one of its three changed."""

    def wrong(log_w):
        got = list(estimate(log_w))
        got[k] = change(log_w, *got)
        return got

    return wrong


def samples_for(s, bias):
    return math.ceil(math.expm1(s**2) / (2 * bias))


def count_up(s, bias):
    return next(K for K in range(1, 10**6) if math.expm1(s**2) / (2 * K) <= bias)


def who_overfits(elbo_train, log_px_train, elbo_held, log_px_held):
    decoder = log_px_train.mean() - log_px_held.mean()
    return decoder, elbo_train.mean() - elbo_held.mean() - decoder


def by_gaps(e0, p0, e1, p1):
    return (p0.mean() - p1.mean()).item(), ((p1 - e1).mean() - (p0 - e0).mean()).item()


def mixture(log_good, log_noise, share):
    return torch.logaddexp(log_good + math.log(share), log_noise + math.log1p(-share))


def mixture_by_stack(log_good, log_noise, share):
    both = torch.stack([log_good, log_noise], -1)
    return (both + torch.tensor([share, 1 - share]).double().log()).logsumexp(-1)


def nats_of(bits, pixels, levels):
    return (bits - math.log2(levels)) * pixels * math.log(2)


RIGHT = {
    "estimate": estimate,
    "samples_for": samples_for,
    "who_overfits": who_overfits,
    "mixture": mixture,
    "nats_of": nats_of,
}
ALSO_RIGHT = [
    ("estimate", estimate_by_shares),
    ("estimate", lambda w: torch.stack(estimate(w))),
    ("samples_for", count_up),
    ("who_overfits", by_gaps),
    ("who_overfits", lambda *a: torch.stack(who_overfits(*a))),
    ("mixture", mixture_by_stack),
    ("nats_of", lambda b, p, n: p * (b * math.log(2) - math.log(n))),
]
WRONG = [
    ("estimate", part(0, lambda w, *_: w.mean(0)), "average inside the logarithm"),
    ("estimate", part(0, lambda w, *_: w.logsumexp(0)), "by K"),
    ("estimate", part(0, lambda w, *_: w.logsumexp(1) - math.log(w.shape[1])), "first dimension"),
    ("estimate", part(0, lambda w, *_: w.exp().mean(0).log()), "logsumexp"),
    ("estimate", part(0, lambda w, *_: (w.exp() + 1e-8).mean(0).log()), "expected"),
    ("estimate", part(1, lambda w, p, e, n: e * len(w) ** 0.5), "over √K"),
    ("estimate", part(1, lambda w, *_: w.std(0) / len(w) ** 0.5), "log p̂"),
    ("estimate", part(1, lambda w, p, e, n: e**2), "take the root"),
    ("estimate", part(1, lambda w, p, e, n: n**-0.5), "- 1 / K"),
    ("estimate", part(2, lambda w, p, e, n: n / len(w)), "share of K"),
    ("estimate", part(2, lambda w, p, e, n: 1 / n), "1 / effective"),
    ("estimate", part(1, lambda w, p, e, n: (1 / n - 1 / len(w)).sqrt()), "clamp it"),
    ("estimate", part(1, lambda w, p, e, n: (e**2 + 1e-8).sqrt()), "equal weights"),
    ("estimate", part(1, lambda w, p, e, n: e * (len(w) / (len(w) - 1)) ** 0.5), "not by K - 1"),
    ("estimate", lambda w: w.mean(0), "three tensors"),
    ("samples_for", lambda s, b: math.ceil(math.expm1(s**2) / b), "half is missing"),
    ("samples_for", lambda s, b: math.ceil(s**2 / 2 / b), "not s²"),
    ("samples_for", lambda s, b: math.ceil(math.exp(s**2) / 2 / b), "with the - 1"),
    ("samples_for", lambda s, b: math.ceil(math.expm1(s**2) / b**2), "standard error"),
    ("samples_for", lambda s, b: math.ceil(math.expm1(s) / 2 / b), "exp(s²), not exp(s)"),
    ("samples_for", lambda s, b: math.floor(math.expm1(s**2) / 2 / b), "round up"),
    ("samples_for", lambda s, b: math.expm1(s**2) / 2 / b, "whole number"),
    ("samples_for", lambda s, b: 86, "expected 268"),
    ("who_overfits", lambda *a: who_overfits(*a)[::-1], "comes first"),
    ("who_overfits", lambda *a: [-v for v in who_overfits(*a)], "turn the signs"),
    (
        "who_overfits",
        lambda e, p, f, q: (p.mean() - q.mean(), (q - f).mean()),
        "not the held-out gap",
    ),
    (
        "who_overfits",
        lambda e, p, f, q: (e.mean() - f.mean(), who_overfits(e, p, f, q)[1]),
        "log p(x) alone",
    ),
    (
        "who_overfits",
        lambda e, p, f, q: (p.sum() - q.sum(), (q - f).sum() - (p - e).sum()),
        "average each set",
    ),
    ("who_overfits", lambda *a: (who_overfits(*a)[0], -who_overfits(*a)[1]), "a loss too"),
    ("who_overfits", lambda *a: who_overfits(*a)[0], "two numbers"),
    ("mixture", lambda a, b, s: s * a + (1 - s) * b, "not their logarithms"),
    ("mixture", lambda a, b, s: torch.logaddexp(a, b) + math.log(s), "1 - share"),
    ("mixture", lambda a, b, s: mixture(a, b, 1 - s), "swapped"),
    ("mixture", lambda a, b, s: torch.logaddexp(a, b), "logarithm of the weight"),
    ("mixture", lambda a, b, s: a + math.log(s), "noise counts"),
    ("mixture", lambda a, b, s: torch.logaddexp(a + s, b + 1 - s), "log share"),
    (
        "mixture",
        lambda a, b, s: torch.maximum(a + math.log(s), b + math.log1p(-s)),
        "nearly equal",
    ),
    ("mixture", lambda a, b, s: (s * a.exp() + (1 - s) * b.exp()).log(), "logaddexp"),
    ("mixture", lambda a, b, s: (s * a.exp() + (1 - s) * b.exp() + 1e-300).log(), "expected"),
    ("mixture", lambda a, b, s: ((a.exp() * s) + (1 - s) * b.exp() * 0).log(), "logaddexp"),
    ("nats_of", lambda b, p, n: (b - math.log2(n)) * p, "bit is log 2"),
    ("nats_of", lambda b, p, n: nats_of(b, 1, n), "sum over them"),
    ("nats_of", lambda b, p, n: b * p * math.log(2), "levels are left out"),
    ("nats_of", lambda b, p, n: (b + math.log2(n)) * p * math.log(2), "sign of log2"),
    ("nats_of", lambda b, p, n: (b - math.log2(n)) * p / math.log(2), "multiply"),
    ("nats_of", lambda b, p, n: -nats_of(b, p, n), "turn the sign"),
    ("nats_of", lambda b, p, n: nats_of(b, p, n - 1), "`levels` values"),
    ("nats_of", lambda b, p, n: (b - math.log(n)) * p * math.log(2), "natural logarithm"),
    ("nats_of", lambda b, p, n: nats_of(b, p, 256), "expected"),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))


def test_the_pages_table_has_the_numbers_of_the_result_files():
    page = (ROOT / "book" / "11-how-good-is-it.ipynb").read_text("utf8")
    # The quick runs stand in the appendix's table (tests/unit/test_flagship.py compares it).
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    files = [file for file in files if not file.name.startswith("quick")]
    assert len(files) == 5
    for file in files:
        test = json.loads(file.read_text("utf8"))["measured"]["test"]
        assert (test["digits"], test["samples"]) == (10_000, 5_000)
        row = next(line for line in page.splitlines() if f"results/{file.name}" in line)
        assert f"| {test['nll']:.2f} ± {test['standard_error']:.2f} |" in row
