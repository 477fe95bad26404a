"""Checks of the exercises in "When it does not train"."""

import math

import torch

from vae_lib.checks import close, exercise


@exercise
def largest_log_variance(answer) -> str:
    """Exercise 1: ``answer(dtype)``, the logarithm of the largest finite number of ``dtype``."""
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    info = [torch.finfo(kind) for kind in kinds]
    got = torch.tensor([float(answer(kind)) for kind in kinds], dtype=torch.float64)
    limit = torch.tensor([math.log(each.max) for each in info], dtype=torch.float64)
    hints = {
        "that is the number itself: its logarithm is wanted": limit.exp(),
        "the logarithm is natural, not to the base 2": limit / math.log(2),
        "the logarithm is natural, not to the base 10": limit / math.log(10),
        "that is for σ, exp(logvar / 2): the KL has exp(logvar), which overflows first": 2 * limit,
        "that is half of it: exp(logvar) itself must be finite": limit / 2,
        "that is the smallest normal number, where exp would fall to 0": [
            math.log(each.tiny) for each in info
        ],
        "that is where exp(-logvar) falls below the smallest normal number": [
            -math.log(each.tiny) for each in info
        ],
        "the logarithm was rounded to that dtype: take it of a Python float": [
            float(torch.tensor(each.max, dtype=kind).log())
            for each, kind in zip(info, kinds, strict=True)
        ],
        "eps is the distance from 1 to the next number, not the range": [
            math.log(each.eps) for each in info
        ],
        "that is float32's for every dtype: ask torch.finfo(dtype)": limit[2].expand(4),
        "that is float16's for every dtype: ask torch.finfo(dtype)": limit[0].expand(4),
    }
    what = "the limit for float16, bfloat16, float32 and float64"
    close(got, limit, what, hints=hints, rtol=5e-5)
    return "11.1 for float16, and 88.7 for bfloat16 and float32, which share an exponent."


@exercise
def double_sigmoid_floor(answer) -> str:
    """Exercise 2: ``answer(ink)``, the least mean nll of a pixel under a double sigmoid, nats."""
    shares = (0.0, 0.13, 0.5, 1.0)
    got = torch.tensor([float(answer(ink)) for ink in shares], dtype=torch.float64)
    ink = torch.tensor(shares, dtype=torch.float64)
    blank, full = math.log(2), math.log(1 + math.exp(-1))
    right = (1 - ink) * blank + ink * full
    entropy = torch.special.entr(ink) + torch.special.entr(1 - ink)
    hints = {
        "a 1 can be at sigmoid(1) = 0.731, better than ½": torch.full((4,), blank),
        "ink is the share of ones: the two parts are swapped": ink * blank + (1 - ink) * full,
        "that is for 784 pixels: for one pixel the mean is wanted": 784 * right,
        "a single sigmoid could reach that: the second one starts from a logit above 0": (
            torch.zeros(4)
        ),
        "one logit cannot be best for a 0 and a 1: who knows the pixel has two": torch.where(
            ink > 0.5, full, blank
        ),
        "blank pixels cost too: their best logit in [0, 1] is 0, not −∞": ink * full,
        "that is the entropy: a single sigmoid that does not know the pixel": entropy,
        "those are bits: use the natural logarithm": right / math.log(2),
        "that is the log-likelihood: the nll is its negative": -right,
        "0.731 is the probability of a 1: its negative logarithm is the cost": (
            (1 - ink) * blank + ink / (1 + math.exp(-1))
        ),
        "a 0 is best at a logit of 0, not of 1": (1 - ink) * math.log(1 + math.e) + ink * full,
        "that holds for 13 % of ink alone": right[1].expand(4),
    }
    close(got, right, "the floor for 0, 13, 50 and 100 % of ink", hints=hints, rtol=0, atol=5e-4)
    return "Blank pixels cost log 2 each, known or not: with 13 % of ink 505 nats a digit remain."


@exercise
def dead_units(answer) -> str:
    """Exercise 3: ``answer(hidden)``, the share of units [B, H] -> that are 0 for all B digits."""
    g = torch.Generator().manual_seed(12)
    for rows, units, gone, blank in ((50, 8, 2, True), (7, 30, 12, True), (4, 9, 0, False)):
        hidden = torch.randn(rows, units, generator=g).relu()
        hidden[1] += 0.1
        hidden[:, gone : gone + 2] = 0.5  # the same for every digit, and alive
        if blank:  # a digit for which every unit is 0
            hidden[int(torch.randint(2, rows, (), generator=g))] = 0
        hidden[:, :gone] = 0
        hidden[1:, gone + 2] = 0  # alive for the first digit alone
        hidden[0, gone + 2] = 0.3
        hidden[:, gone + 3 : gone + 5] = 0
        hidden[1, gone + 3 : gone + 5] = 1e-12  # alive, if barely
        hidden = hidden[:, torch.randperm(units, generator=g)]
        want = gone / units
        zeros = hidden == 0
        hints = {
            "that is the share of zeros: a unit is dead if it is 0 for every digit": (
                zeros.double().mean()
            ),
            "that counts units that are 0 for some digit": zeros.any(0).double().mean(),
            "that is the share of digits for which all units are 0: look along the batch": (
                zeros.all(1).double().mean()
            ),
            "that is the share of units that live": 1 - want,
            "that is their number: the share is wanted": float(gone),
            "one number is wanted, not one for each unit": zeros.all(0).double(),
            "a unit that is the same for every digit, but not 0, is alive": (
                (hidden.std(0) == 0).double().mean()
            ),
            "the first digit counts too": (hidden[1:] == 0).all(0).double().mean(),
            "that counts as dead what is small but not 0: such a unit has a slope": (
                (hidden < 1e-3).all(0).double().mean()
            ),
            "that is half: count them among all units": want / 2,
        }
        close(answer(hidden), want, f"the share among {units} units", hints=hints, rtol=1e-3)
    return "One digit is enough to keep a unit alive."
