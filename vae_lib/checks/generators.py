"""Checks of chapter 3: confidence, doubt, holes and lines."""

import math

import torch

from vae_lib.checks import Wrong, close, exercise

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.4, 0.6], [-3.0, 1.0, 4.0], [0.0, 0.0, 0.0]])


@exercise
def confidence_of(answer) -> str:
    """Exercise 3.1: the largest softmax probability of each row; [B]."""
    probabilities = LOGITS.softmax(-1)
    largest = probabilities.max(-1).values
    close(
        answer(LOGITS),
        largest,
        "the confidence in four pictures",
        hints={
            "those are logits: take the softmax first": LOGITS.max(-1).values,
            "the softmax runs over the classes, not over the pictures": LOGITS.softmax(0)
            .max(-1)
            .values,
            "take the largest over the classes, not over the pictures": probabilities.max(0).values,
            "keep one value a picture": largest.mean(),
            "that is the class, not its probability": probabilities.argmax(-1),
        },
    )
    return "With ten classes it lies between 0.1 and 1."


@exercise
def holes_share(answer) -> str:
    """Exercise 3.2: the share of draws whose nearest code is further than r."""
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 1.5], [5.0, 5.0], [0.4, 0.3]])
    codes = torch.tensor([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [8.0, -8.0]])
    apart = torch.cdist(z, codes)
    close(
        answer(z, codes, 1.0),
        0.4,
        "the share of five draws",
        hints={
            "that is the share that is covered": 0.6,
            "that is the share of codes with no draw near; ask it of each draw": 0.5,
            "that counts all pairs; only the nearest code matters": (apart > 1).float().mean(),
            "that asks for the furthest code; the nearest one matters": 1.0,
            "that is a count; divide by the number of draws": 2.0,
        },
    )
    return "The yardstick r decides much: say how it was chosen."


@exercise
def line(answer) -> str:
    """Exercise 3.3: (1 - w) start + w end for w from 0 to 1; [steps, D]."""
    start, end = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([4.0, 0.0, 1.0])
    weight = torch.linspace(0, 1, 5)[:, None]
    want = (1 - weight) * start + weight * end
    inside = torch.linspace(0, 1, 7)[1:-1, None]
    short = torch.arange(5)[:, None] / 5
    close(
        answer(start, end, 5),
        want,
        "five points",
        hints={
            "it runs from end to start": want.flip(0),
            "both ends belong to it": (1 - inside) * start + inside * end,
            "it stops one step before the end": (1 - short) * start + short * end,
            "the weights must add up to 1": start + weight * end,
            "one point to a row: [steps, D]": want.T,
        },
    )
    return "A straight line in code is a curve among pictures."


@exercise
def doubt(answer) -> str:
    """Exercise 3.4: -Σ_k p_k log p_k of the softmax, for each row; [B], nats."""
    p = LOGITS.softmax(-1)
    entropy = -(p * p.log()).sum(-1)
    got = answer(LOGITS)
    close(
        got,
        entropy,
        "the entropy for four pictures",
        hints={
            "an entropy is not negative: the sign is turned": -entropy,
            "that is in bits": entropy / math.log(2),
            "keep one value a picture": entropy.sum(),
            "keep one value a picture, do not average": entropy.mean(),
            "sum over the classes, do not average": entropy / 3,
            "the logarithm is taken, but not averaged with p": -p.log().sum(-1),
        },
    )
    extreme = torch.tensor([[1000.0, 0.0, -1000.0]])
    if not torch.isfinite(torch.as_tensor(answer(extreme))).all():
        raise Wrong("it is not finite for very sure logits: use log_softmax, not log of softmax.")
    return "It is 0 where the classifier is certain and log 10 where it has no idea."
