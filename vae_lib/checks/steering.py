"""Checks of chapter 13's exercises: steering."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, close, exercise

LOG_2 = math.log(2)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@exercise
def class_posterior(answer) -> str:
    """Exercise 13.1: ``answer(log_px_y, log_py)`` is log p(y|x), [B, C], nats."""
    _posterior_of(answer, torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64))
    _posterior_of(answer, torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64))
    _posterior_of(answer, torch.tensor([0.4, 0.3, 0.2, 0.05, 0.05], dtype=torch.float64))
    return "Equal likelihoods leave the odds of the prior: twice as frequent is log 2 = 0.69."


def _posterior_of(answer, py: Tensor) -> None:
    log_px_y = -90 + 3 * torch.randn(5, len(py), generator=_seeded(1), dtype=torch.float64)
    log_px_y[3] = -4000.0  # no exponential survives this
    log_px_y[4, 0] -= 800  # nor this, with the largest taken off first
    log_py = py.log()
    got = answer(log_px_y, log_py)
    joint = log_px_y + log_py
    want = joint.log_softmax(1)
    hints = {
        "that is log p(x, y): divide by p(x), the sum over y": joint,
        "the classes need not be equally frequent: p(y) is missing": log_px_y.log_softmax(1),
        "normalise over y, the second dimension, not over the batch": joint.log_softmax(0),
        "those are probabilities: the logarithm is wanted": joint.softmax(1),
        "p(y) multiplies p(x|y): its logarithm is added": (log_px_y - log_py).log_softmax(1),
        "add log p(y), the logarithm of the probability, not the probability": (
            log_px_y + log_py.exp()
        ).log_softmax(1),
        "those are bits: use the natural logarithm": want / LOG_2,
        "the mean over classes is not the sum: p(x) = Σ_y p(x|y) p(y)": want + math.log(len(py)),
    }
    if isinstance(got, Tensor) and got.shape == want.shape:
        if not bool(got.isfinite().all()):
            raise Wrong("exp(-800) is 0 in any float: stay with logarithms, as logsumexp does.")
        least = want < -500  # where a probability is 0 in any float
        off = (got.double() - want).abs()
        if bool((off[~least] < 0.01).all()) and bool((got - want > 1)[least].any()):
            raise Wrong(
                "nothing is to be added or clamped in the logarithm: that makes"
                f" {want[least].min():.0f} nats {got[least].min():.0f}. Stay with logarithms."
            )
    what = "log p(y|x) of five images" + (", with five classes: C varies" if len(py) == 5 else "")
    close(got, want, what, hints=hints, atol=1e-3)


def _slant(images: Tensor, up: bool = True, over: str = "height", weighted: bool = True) -> Tensor:
    """The slant of the chapter, or with a slip: another sign, axis or centre."""
    height, width = images.shape[1:]
    rows = torch.arange(height, dtype=images.dtype)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=images.dtype).expand(height, width)
    weight = images if weighted else torch.ones_like(images)
    total = weight.sum((1, 2))
    y = rows - ((weight * rows).sum((1, 2)) / total)[:, None, None]
    x = columns - ((weight * columns).sum((1, 2)) / total)[:, None, None]
    both = (images * x * y).sum((1, 2)) * (-1 if up else 1)
    scale = {
        "height": (images * y**2).sum((1, 2)),
        "width": (images * x**2).sum((1, 2)),
        "ink": images.sum((1, 2)),
    }
    return both / scale[over]


def _in_either_precision(answer):
    """The answer, asked in single precision where double does not suit it.

    The chapter's pixels are single, so heights from ``torch.arange(28.0)`` suit those alone.
    """

    def asked(images: Tensor):
        try:
            return answer(images)
        except RuntimeError:
            return answer(images.float())

    return asked


@exercise
def slant(answer) -> str:
    """Exercise 13.2: ``answer(images)`` of [B, H, W] is the slant (13.4), [B]."""
    answer = _in_either_precision(answer)
    stroke = torch.eye(3, dtype=torch.float64).flip(1)[None]  # one column right for each row up
    close(
        answer(stroke),
        [1.0],
        "a stroke of three pixels that leans right",
        hints={
            "height is counted upwards, and row 0 is at the top: the sign turns": [-1.0],
            "divide by the second moment of the height": [2.0],
        },
    )
    g = _seeded(2)
    images = torch.rand(4, 7, 5, generator=g, dtype=torch.float64) ** 4
    images[:, :2, 3:] = 0
    hints = {
        "height is counted upwards, and row 0 is at the top": _slant(images, up=False),
        "divide by the moment of the height; or rows and columns are exchanged": (
            _slant(images, over="width")
        ),
        "divide by Σ m (h - h̄)², not by the ink": _slant(images, over="ink"),
        "the means are weighted by the ink, not the middle of the picture": (
            _slant(images, weighted=False)
        ),
    }
    close(answer(images), _slant(images), "the slant of four images of 7 × 5", hints=hints)
    wide = torch.rand(2, 30, 40, generator=g, dtype=torch.float64) ** 4
    wide[:, :10, :15] = 0
    close(answer(wide), _slant(wide), "the slant of two images of 30 × 40: height and width vary")
    close(answer(1e-8 * stroke), [1.0], "the same stroke in faint ink: nothing is to be added")
    return "One pixel to the right for each pixel up is a slant of 1."


@exercise
def direction(answer) -> str:
    """Exercise 13.3: ``answer(mu, f)`` is the code's change for one unit of f, [D]."""
    g = _seeded(3)
    mu = torch.randn(60, 4, generator=g, dtype=torch.float64)
    mu[:, 1] = mu[:, 0] + 0.3 * mu[:, 1]
    mu[:, 3] *= 0.02
    f = 2 + mu @ torch.tensor([1.0, -0.5, 0.2, 4.0], dtype=torch.float64)
    f = f + 0.5 * torch.randn(60, generator=g, dtype=torch.float64)
    mu = mu + 1.5
    d = _direction_of(answer, mu, f, "the direction of 60 codes")
    close(answer(mu, 1e-4 * f), 1e4 * d, "the same with a small f: nothing is to be added")
    _direction_of(answer, mu[:40, :3], f[:40], "the direction of 40 codes of 3 dimensions")
    return "Each coordinate is a regression of its own; a dimension that never moves gets no step."


def _direction_of(answer, mu: Tensor, f: Tensor, what: str) -> Tensor:
    c, e = mu - mu.mean(0), f - f.mean()
    d = c.T @ e / (e @ e)
    w = torch.linalg.lstsq(c, e[:, None]).solution[:, 0]
    hints = {
        "that is w, the regression of f on the code: regress the code on f": w,
        "divide by the variance of f, not of the code": c.T @ e / (c**2).sum(0),
        "divide by the variance of f": c.T @ e / len(f),
        "a covariance that is not divided by Var(f)": c.T @ e / (len(f) - 1),
        "those are correlations: the covariance over Var(f) is wanted": c.T
        @ e
        / ((c**2).sum(0) * (e @ e)).sqrt(),
        "take the means off first": mu.T @ f / (f @ f),
        "that is a step for one standard deviation: one unit of f is wanted": d * f.std(),
        "that is a step for one standard deviation of these f: one unit is wanted": (
            d * f.std(correction=0)
        ),
        "leave in the dimension that hardly moves: its step is small, not 0": (
            torch.where(c.std(0) > 0.1, d, 0.0)
        ),
        "the direction keeps its length: do not normalise it": d / d.norm(),
        "n - 1 in one place and n in the other": d * len(f) / (len(f) - 1),
        "n in one place and n - 1 in the other": d * (len(f) - 1) / len(f),
    }
    close(answer(mu, f), d, what, hints=hints)
    return d


@exercise
def cost_of_a_turn(answer) -> str:
    """Exercise 13.4: ``answer(variances, R)`` is the loss (13.7) in nats, [B]."""
    for size in (3, 4):
        _turned(answer, size)
    v = torch.rand(5, 3, generator=_seeded(4), dtype=torch.float64) * 2 + 0.01
    same = torch.eye(3, dtype=torch.float64)[[1, 2, 0]]
    close(answer(v, same), torch.zeros(5), "axes that only change places", atol=1e-5)
    return "Never negative, and 0 where axes change places or the variances are equal."


def _turned(answer, size: int) -> None:
    g = _seeded(4)
    R = torch.linalg.qr(torch.randn(size, size, generator=g, dtype=torch.float64)).Q
    v = torch.rand(5, size, generator=g, dtype=torch.float64) * 2 + 0.01
    want = _cost(v, (1 / v) @ (R**2).T)
    hints = {
        "v_j sums over k with R_jk²: that is the other index, the turn back": _cost(
            v, (1 / v) @ R**2
        ),
        "the factor ½ is missing": 2 * want,
        "R is squared, entry by entry: else a precision may be negative, and its logarithm is "
        "NaN": _cost(v, (1 / v) @ R.T),
        "R is squared, entry by entry: a precision has no sign": _cost(v, ((1 / v) @ R.T).abs()),
        "R is squared, entry by entry, and not made positive": _cost(v, (1 / v) @ R.abs().T),
        "those are the turned variances: the best q keeps the precisions, 1 / σ²": (
            0.5 * ((v @ (R**2).T).log() - v.log()).sum(1)
        ),
        "the sign is turned round: the loss is never negative": -want,
        "those are bits: use the natural logarithm": want / LOG_2,
        "sum over the dimensions, do not average": want / size,
        "the log-variances are still to be added": 0.5 * ((1 / v) @ (R**2).T).log().sum(1),
        "one number for each q is wanted, not their mean": want.mean(),
    }
    close(answer(v, R), want, f"the loss of five q in {size} dimensions", hints=hints)


def _cost(variances: Tensor, precisions: Tensor) -> Tensor:
    return 0.5 * (precisions.log() + variances.log()).sum(1)


@exercise
def seen_pixels(answer) -> str:
    """Exercise 13.5: ``answer(x, logits, seen)`` is log p(x_seen|z), [B], nats."""
    g = _seeded(5)
    x = torch.rand(4, 9, generator=g, dtype=torch.float64).round()
    logits = 3 * torch.randn(4, 9, generator=g, dtype=torch.float64)
    seen = torch.rand(4, 9, generator=g) < 0.6
    seen[0, 0], seen[:, 8] = False, False  # no image shows the last pixel
    seen[3] = False  # nothing was seen at all
    _pixels_of(answer, x, logits, seen, "log p of four images")
    x[0], logits[0, :2] = 1 - x[0], torch.tensor([800.0, -800.0], dtype=torch.float64)
    x[0, :2], seen[0, :2] = torch.tensor([0.0, 1.0], dtype=torch.float64), True
    _pixels_of(answer, x, logits, seen, "log p with logits of 800 and -800")
    return "Hidden pixels sum to one, so they are left out; with nothing seen log p is 0."


def _pixels_of(answer, x: Tensor, logits: Tensor, seen: Tensor, what: str) -> None:
    each = x * logits - torch.nn.functional.softplus(logits)
    want = torch.where(seen, each, 0.0).sum(1)
    one_mask = "each image has a mask of its own"
    hints = {
        f"{one_mask}: that is the first one's for all": torch.where(seen[0], each, 0.0).sum(1),
        f"{one_mask}: what any of them shows is summed": torch.where(seen.any(0), each, 0.0).sum(1),
        "the unseen pixels count as white there: they are left out, not set to 0": torch.where(
            seen, each, -torch.nn.functional.softplus(logits)
        ).sum(1),
        "those are the unseen pixels": torch.where(seen, 0.0, each).sum(1),
        "all pixels are in the sum: leave out those that were not seen": each.sum(1),
        "the sign is turned round: a log-probability is not positive": -want,
        "a sum over the seen pixels is wanted, not their mean": want
        / seen.sum(1).clamp(min=1).double(),
        "white pixels count too: the term with 1 - π is missing": torch.where(
            seen & (x == 1), each, 0.0
        ).sum(1),
        "a logit of 0 is no knowledge but even odds: the pixel still costs log 2": torch.where(
            seen, each, -LOG_2
        ).sum(1),
    }
    got = answer(x, logits, seen)
    if isinstance(got, Tensor) and got.shape == want.shape and not bool(got.isfinite().all()):
        some, count = seen.any(1), seen.sum(1)
        for hint, slip in {
            "a sum over the seen pixels is wanted, not their mean": want / count,
            "the sum is not to be scaled up to all pixels": want / count * x.shape[1],
        }.items():
            if torch.allclose(got[some].double(), slip[some], rtol=1e-4):
                raise Wrong(f"{what}: {hint}. Where nothing is seen, yours is 0 / 0.")
        raise Wrong(
            f"{what}: a probability was rounded to 0 or 1, or exp overflowed: use softplus."
        )
    close(got, want, what, hints=hints)
    with_gaps = torch.where(seen, x, math.nan)
    got = answer(with_gaps, logits, seen)
    if isinstance(got, Tensor) and not bool(got.isfinite().all()):
        raise Wrong("unseen pixels may be NaN, and 0 times NaN is NaN: replace them before.")
    close(got, want, "log p of images with NaN for what is unseen")
