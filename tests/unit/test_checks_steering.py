"""The checks of chapter 13 accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests
from sklearn.linear_model import LinearRegression
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from torch.nn import functional as F

from vae_lib.checks import steering as checks


def posterior(log_px_y, log_py):
    return (log_px_y + log_py).log_softmax(1)


def posterior_by_odds(log_px_y, log_py):
    joint = log_px_y + log_py
    return -torch.logsumexp(joint[:, None, :] - joint[:, :, None], 2)


def slant(images):
    height, width = images.shape[1:]
    up = -torch.arange(height, dtype=images.dtype)
    right = torch.arange(width, dtype=images.dtype)
    total = images.sum((1, 2))
    up = up - (images.sum(2) @ up / total)[:, None]
    right = right - (images.sum(1) @ right / total)[:, None]
    both = (images * up[:, :, None] * right[:, None, :]).sum((1, 2))
    return both / (images.sum(2) * up**2).sum(1)


def slant_of_the_chapter(images):
    """The chapter's own, with 28 replaced: its heights are in single precision."""
    row, column = (torch.arange(float(n)) for n in images.shape[1:])
    ink_of_row, ink_of_column, total = images.sum(2), images.sum(1), images.sum((1, 2))
    row = row - (ink_of_row @ row / total)[:, None]
    column = column - (ink_of_column @ column / total)[:, None]
    product = torch.einsum("bhw,bh,bw->b", images, -row, column)
    return product / (ink_of_row * row**2).sum(1)


def slant_by_regression(images):
    """Weighted least squares of column on height, image by image."""
    result = []
    for image in images:
        rows, columns = (k.reshape(-1, 1).double() for k in _places(image))
        line = LinearRegression().fit(-rows, columns, sample_weight=image.flatten())
        result.append(float(line.coef_[0, 0]))
    return torch.tensor(result)


def _places(image):
    height, width = image.shape
    return torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")


def direction(mu, f):
    f = f - f.mean()
    return (mu - mu.mean(0)).T @ f / (f @ f)


def direction_by_regression(mu, f):
    return torch.tensor(LinearRegression().fit(f[:, None], mu).coef_[:, 0])


def filter_not_pattern(mu, f):
    return torch.tensor(LinearRegression().fit(mu, f).coef_)


def cost(variances, R):
    precisions = (1 / variances) @ (R**2).T
    return 0.5 * (precisions.log() + variances.log()).sum(1)


def cost_by_divergence(variances, R):
    """KL(best diagonal ‖ turned), by torch."""
    precision = R @ (1 / variances).diag_embed() @ R.T
    zero = torch.zeros_like(variances)
    best = (1 / precision.diagonal(dim1=1, dim2=2)).diag_embed()
    turned = MultivariateNormal(zero, precision_matrix=precision)
    return kl_divergence(MultivariateNormal(zero, best), turned)


def cost_by_entropies(variances, R):
    """Of a Gaussian and of its best diagonal one, whose expected quadratic form is the same."""
    scale = ((1 / variances) @ (R.T**2)) ** -0.5
    return Normal(0.0, variances.sqrt()).entropy().sum(1) - Normal(0.0, scale).entropy().sum(1)


def seen_pixels(x, logits, seen):
    x = torch.where(seen, x, 0.0)
    return torch.where(seen, x * logits - F.softplus(logits), 0.0).sum(1)


def seen_by_torch(x, logits, seen):
    log_p = Bernoulli(logits=logits).log_prob(x.nan_to_num())
    return log_p.masked_fill(~seen, 0.0).sum(1)


def in_single_precision(answer):
    return lambda *given: answer(*(v.float() if v.is_floating_point() else v for v in given))


def sum_over_one(mask):
    """Exercise 13.5 with one mask for all images."""
    return lambda x, a, s: seen_pixels(x, a, mask(s).expand(len(s), -1))


def pixels_of(log_p):
    """Exercise 13.5 from log π and log(1 - π) as a reader may write them, of the logits."""

    def answer(x, logits, seen):
        white, black = log_p(logits)
        x = torch.where(seen, x, 0.0)
        return torch.where(seen, x * white + (1 - x) * black, 0.0).sum(1)

    return answer


RIGHT = {
    "class_posterior": posterior,
    "slant": slant,
    "direction": direction,
    "cost_of_a_turn": cost,
    "seen_pixels": seen_pixels,
}
ALSO_RIGHT = [
    ("class_posterior", posterior_by_odds),
    ("slant", slant_of_the_chapter),
    ("slant", slant_by_regression),
    ("direction", direction_by_regression),
    ("cost_of_a_turn", cost_by_divergence),
    ("cost_of_a_turn", cost_by_entropies),
    ("seen_pixels", seen_by_torch),
    *((name, in_single_precision(answer)) for name, answer in RIGHT.items()),
    ("cost_of_a_turn", in_single_precision(cost_by_entropies)),
]
WRONG = [
    ("class_posterior", lambda a, b: a + b, "divide by p(x)"),
    ("class_posterior", lambda a, b: a.log_softmax(1), "p(y) is missing"),
    ("class_posterior", lambda a, b: (a + b).log_softmax(0), "not over the batch"),
    ("class_posterior", lambda a, b: (a + b).softmax(1), "the logarithm is wanted"),
    ("class_posterior", lambda a, b: (a - b).log_softmax(1), "its logarithm is added"),
    ("class_posterior", lambda a, b: (a + b.exp()).log_softmax(1), "not the probability"),
    ("class_posterior", lambda a, b: posterior(a, b) / math.log(2), "bits"),
    (
        "class_posterior",
        lambda a, b: a + b - torch.logsumexp(a + b, 1, True) + math.log(3),
        "not the sum",
    ),
    (
        "class_posterior",
        lambda a, b: ((a + b).exp() / (a + b).exp().sum(1, True)).log(),
        "stay with logarithms",
    ),
    ("class_posterior", lambda a, b: posterior(a, b)[:, 0], "the shape should be"),
    ("class_posterior", lambda a, b: (a + b).softmax(1).log(), "stay with logarithms"),
    (
        "class_posterior",
        lambda a, b: ((a + b).softmax(1) + 1e-8).log(),
        "added or clamped in the logarithm",
    ),
    (
        "class_posterior",
        lambda a, b: (a + b).softmax(1).clamp(min=1e-300).log(),
        "added or clamped in the logarithm",
    ),
    (
        "class_posterior",
        lambda a, b: posterior(a, torch.tensor([0.5, 0.3, 0.2]).log()),
        "expected",
    ),
    (
        "class_posterior",
        lambda a, b: a + b - torch.logsumexp(a + b, 1, True) + math.log(a.shape[1] / 3),
        "C varies",
    ),
    ("slant", lambda m: -slant(m), "the sign turns"),
    ("slant", lambda m: slant(m) * (m.sum(2) * 0 + 1).sum(1), "expected"),
    ("slant", lambda m: slant(m.mT.contiguous()), "rows and columns are exchanged"),
    ("slant", lambda m: slant(m).mean(), "the shape should be"),
    ("slant", lambda m: checks._slant(m, over="width"), "the moment of the height"),
    ("slant", lambda m: checks._slant(m, weighted=False), "weighted by the ink"),
    ("slant", lambda m: checks._slant(m, over="ink"), "expected"),
    ("slant", lambda m: slant((m > 0.5).double()), "expected"),
    ("slant", lambda m: slant(m[:, :28, :28]), "height and width vary"),
    ("slant", lambda m: slant(m[:, :, : m.shape[1]]), "height and width vary"),
    ("slant", lambda m: slant(m) / (1 + 1e-6 / m.sum((1, 2))), "faint ink"),
    ("direction", filter_not_pattern, "that is w"),
    ("direction", lambda m, f: (m - m.mean(0)).T @ (f - f.mean()) / len(f), "variance of f"),
    (
        "direction",
        lambda m, f: (m - m.mean(0)).T @ (f - f.mean()) / (len(f) - 1),
        "not divided by Var(f)",
    ),
    (
        "direction",
        lambda m, f: direction(m, f) * f.std() / m.std(0),
        "correlations",
    ),
    (
        "direction",
        lambda m, f: (m - m.mean(0)).T @ (f - f.mean()) / (((f - f.mean()) ** 2).sum() + 1e-3),
        "nothing is to be added",
    ),
    ("direction", lambda m, f: m.T @ f / (f @ f), "take the means off"),
    ("direction", lambda m, f: direction(m, f) * f.std(), "one unit of f"),
    ("direction", lambda m, f: direction(m, f) * f.std(correction=0), "one unit is wanted"),
    ("direction", lambda m, f: F.normalize(direction(m, f), dim=0), "do not normalise"),
    (
        "direction",
        lambda m, f: torch.where(m.std(0) > 0.1, direction(m, f), 0.0),
        "the dimension that hardly moves",
    ),
    ("direction", lambda m, f: direction(m, f) * len(f) / 60, "40 codes"),
    (
        "direction",
        lambda m, f: (m - m.mean(0)).T @ (f - f.mean()) / len(f) / f.var(),
        "n in one place",
    ),
    ("cost_of_a_turn", lambda v, R: cost(v, R.T), "the turn back"),
    ("cost_of_a_turn", lambda v, R: cost(v, R) * 3 / v.shape[1], "in 4 dimensions"),
    (
        "cost_of_a_turn",
        lambda v, R: 0.5 * (((1 / v) @ R.T).log() + v.log()).sum(1),
        "a precision may be negative",
    ),
    (
        "cost_of_a_turn",
        lambda v, R: 0.5 * (((1 / v) @ R.abs().T).log() + v.log()).sum(1),
        "not made positive",
    ),
    ("cost_of_a_turn", lambda v, R: 2 * cost(v, R), "the factor ½"),
    ("cost_of_a_turn", lambda v, R: -cost(v, R), "never negative"),
    ("cost_of_a_turn", lambda v, R: cost(v, R) / math.log(2), "bits"),
    ("cost_of_a_turn", lambda v, R: cost(v, R) / 3, "do not average"),
    ("cost_of_a_turn", lambda v, R: cost(v, R).mean(), "not their mean"),
    (
        "cost_of_a_turn",
        lambda v, R: 0.5 * ((v @ (R**2).T).log() - v.log()).sum(1),
        "keeps the precisions",
    ),
    ("cost_of_a_turn", lambda v, R: 0.5 * ((1 / v) @ (R**2).T).log().sum(1), "still to be added"),
    ("seen_pixels", lambda x, a, s: (x * a - F.softplus(a)).sum(1), "all pixels are in the sum"),
    ("seen_pixels", lambda x, a, s: seen_pixels(x, a, ~s), "those are the unseen pixels"),
    ("seen_pixels", sum_over_one(lambda s: s[0]), "the first one's for all"),
    ("seen_pixels", sum_over_one(lambda s: s.any(0)), "what any of them shows"),
    ("seen_pixels", sum_over_one(lambda s: s.all(0)), "expected"),
    (
        "seen_pixels",
        pixels_of(lambda a: ((a.sigmoid() + 1e-8).log(), (1 - a.sigmoid() + 1e-8).log())),
        "logits of 800",
    ),
    (
        "seen_pixels",
        pixels_of(lambda a: (a.sigmoid().log(), (1 - a.sigmoid()).log())),
        "use softplus",
    ),
    (
        "seen_pixels",
        pixels_of(lambda a: (a - (1 + a.exp()).log(), -(1 + a.exp()).log())),
        "use softplus",
    ),
    ("seen_pixels", lambda x, a, s: -seen_pixels(x, a, s), "not positive"),
    (
        "seen_pixels",
        lambda x, a, s: (torch.where(s, x, 0.0) * a - F.softplus(a)).sum(1),
        "count as white",
    ),
    (
        "seen_pixels",
        lambda x, a, s: seen_pixels(x, a, s) / s.sum(1).clamp(min=1),
        "not their mean",
    ),
    ("seen_pixels", lambda x, a, s: seen_pixels(x, a, s) / s.sum(1), "not their mean"),
    (
        "seen_pixels",
        lambda x, a, s: seen_pixels(x, a, s) * x.shape[1] / s.sum(1),
        "scaled up to all pixels",
    ),
    ("seen_pixels", lambda x, a, s: seen_pixels(x, a, s & (x == 1)), "the term with 1 - π"),
    ("seen_pixels", lambda x, a, s: ((x * a - F.softplus(a)) * s).sum(1), "0 times NaN"),
    (
        "seen_pixels",
        lambda x, a, s: seen_pixels(x, torch.where(s, a, 0.0), s | True),
        "even odds",
    ),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
