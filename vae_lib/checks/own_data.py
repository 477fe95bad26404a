"""Marks the exercises of the page on your own data."""

import math

import torch
from torch import Tensor

from vae_lib.checks import close, exercise


@exercise
def original_units(answer) -> str:
    """Exercise 1: ``answer(nll, scale)`` is the nll [B] of rows in the units they came in.

    ``nll`` [B] is in nats per row, of columns divided by ``scale`` [P].
    """
    for nats, divisors in (
        ([3.0, 7.5], [10.0, 0.25, 3.0]),
        ([-1.0], [1000.0]),
        ([0.5, 2.0, 2.0], [0.1, 0.1]),
    ):
        nll, scale = (torch.tensor(v, dtype=torch.float64) for v in (nats, divisors))
        close(
            answer(nll, scale),
            nll + scale.log().sum(),
            f"the nats of {len(nll)} rows with columns divided by {scale.tolist()}",
            hints={
                "that is the log-density: the nll has the other sign": -nll - scale.log().sum(),
                "the sign of log s: a density over a wider range is lower, so its nll is higher": (
                    nll - scale.log().sum()
                ),
                "the logarithms of all columns add up, they are not averaged": (
                    nll + scale.log().mean()
                ),
                "the density is divided by s, so its logarithm changes by log s": nll + scale.sum(),
                "a nll in nats does not scale: log s is added": nll * scale.prod(),
                "s is a standard deviation: its logarithm counts once": nll + 2 * scale.log().sum(),
                "each row changes by the whole sum": nll + scale.log().sum() / len(nll),
                "the logarithm is natural: nats, not bits": nll + scale.log2().sum(),
            },
        )
    return "Every row changes by the same number, so no comparison within one scale does."


@exercise
def bits(answer) -> str:
    """Exercise 2: ``answer(nll, colours, height, width)``: bits per dimension of bytes.

    ``nll`` is in nats per picture, of a density over bytes taken to [0, 1], cells 1 / 256 wide.
    """
    levels, bit = math.log(256), math.log(2)
    for nll, shape in ((-1300.0, (3, 16, 16)), (-900.0, (1, 28, 28)), (-6000.0, (3, 32, 32))):
        size = math.prod(shape)
        close(
            answer(nll, *shape),
            (nll / size + levels) / bit,
            f"the bits per dimension of {nll:g} nats a picture of {list(shape)}",
            hints={
                "a density is no probability yet: each of its cells is 1 / 256 wide": nll
                / size
                / bit,
                "the width of a cell makes the probability smaller, so the bits more": (
                    (nll / size - levels) / bit
                ),
                "that is in nats: a bit is log 2 nats": nll / size + levels,
                "each colour of a pixel is a dimension of its own": (
                    (nll / (size / shape[0]) + levels) / bit
                ),
                "every dimension has cells, not the picture as a whole": (nll + levels)
                / size
                / bit,
                "there are 256 levels, and 255 steps between them": (
                    (nll / size + math.log(255)) / bit
                ),
                "that is for the whole picture: divide by its dimensions": (
                    (nll + size * levels) / bit
                ),
                "a bit is log 2 nats: divide by it": (nll / size + levels) * bit,
            },
        )
    return "Eight bits less what the model knows."


@exercise
def poisson(answer) -> str:
    """Exercise 3: ``answer(k, logits)`` is log p(k|z) [B] for counts k, with rate exp(logits)."""
    counts = torch.tensor([[0.0, 3.0, 1.0], [12.0, 0.0, 2.0]], dtype=torch.float64)
    logits = torch.tensor([[-1.5, 0.7, 2.0], [2.4, -3.0, 0.0]], dtype=torch.float64)
    wider = torch.cat([counts, counts + 1], 1), torch.cat([-logits, logits], 1)
    for k, a in ((counts, logits), (counts[:, :1], logits[:, :1]), wider):
        each = k * a - a.exp() - (k + 1).lgamma()
        close(
            answer(k, a),
            each.sum(-1),
            f"the log-probabilities of counts {list(k.shape)}",
            hints={
                "sum over the columns: one number for each row": each,
                "sum over the columns, do not average": each.mean(-1),
                "sum over the columns of a row, not over everything": each.sum(),
                "that is the loss: turn the sign": -each.sum(-1),
                "log k! is missing, without which the probabilities do not add up to 1": (
                    k * a - a.exp()
                ).sum(-1),
                "lgamma(k + 1) is log k!, lgamma(k) is log (k - 1)!": _low(k, a),
                "the rate is exp(logits), not the logits": _rate(k, a, a.clamp(min=1e-9)),
                "the rate is exp(logits), not the sigmoid": _rate(k, a, a.sigmoid()),
                "the rate is exp(logits), not the softplus": _rate(k, a, (1 + a.exp()).log()),
                "- exp(logits) is missing": (k * a - (k + 1).lgamma()).sum(-1),
            },
        )
    return "A subclass with this log_likelihood trains with binarisation='none'."


def _rate(k: Tensor, a: Tensor, rate: Tensor) -> Tensor:
    return (k * rate.log() - rate - (k + 1).lgamma()).sum(-1)


def _low(k: Tensor, a: Tensor) -> Tensor:
    return (k * a - a.exp() - k.lgamma()).sum(-1)
