"""Checks of chapter 1's exercises."""

import math
import sys

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from vae_lib.checks import Wrong, as_tensor, close, exercise
from vae_lib.data import binarise, load_digits
from vae_lib.distributions import bernoulli_log_prob
from vae_lib.models import Autoencoder


class _NoCrossEntropy(TorchFunctionMode):
    """Where this is on, the losses of PyTorch and the densities of ``vae_lib`` are refused."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        caller = sys._getframe(1).f_globals.get("__name__")
        name = getattr(function, "__name__", "")
        if (
            "cross_entropy" in name
            or name.endswith("_loss")
            or caller == bernoulli_log_prob.__module__
        ):
            raise Wrong("that calls a library's cross-entropy; write the sum yourself.")
        return function(*args, **(kwargs or {}))


class _NoNetwork(TorchFunctionMode):
    """Where this is on, no layer can be built and no tensor's entries counted."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ("empty", "numel", "nelement"):
            raise Wrong("that builds or counts a network; work the count out from the sizes.")
        return function(*args, **(kwargs or {}))


@exercise
def parameter_count(answer) -> str:
    """Exercise 1.1: ``answer(latent, hidden)`` counts an autoencoder's weights and biases."""
    for latent, hidden in ((2, (128, 64)), (16, (128, 64)), (5, (256,)), (3, (40, 30, 20))):
        model = Autoencoder(latent, hidden=hidden)
        encoder = [p.numel() for p in model.encoder.parameters()]
        decoder = [p.numel() for p in model.decoder.parameters()]
        weights = [p.numel() for p in model.parameters() if p.ndim == 2]
        hints = {
            "the biases are missing: a linear layer has one for each output": sum(weights),
            "that is the encoder alone; the decoder has weights too": sum(encoder),
            "that is the decoder alone; the encoder has weights too": sum(decoder),
            "the decoder is not the encoder counted twice: its biases differ": 2 * sum(encoder),
        }
        with _NoNetwork():
            got = answer(latent, hidden)
        close(
            got,
            sum(encoder) + sum(decoder),
            f"the count for D = {latent} and hidden layers {hidden}",
            hints=hints,
            rtol=0,
            atol=0.5,
        )
    return "Nearly all are in the two layers at the pixels."


@exercise
def bernoulli_nll(answer) -> str:
    """Exercise 1.2: ``answer(x, logits)`` is the Bernoulli NLL of each digit, in nats, [B]."""
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(6, 784, generator=generator)
    x = torch.bernoulli(torch.full((6, 784), 0.3), generator=generator)
    want, what = -bernoulli_log_prob(x, logits), "the loss of six digits"
    with _NoCrossEntropy():
        got = answer(x, logits)
    got = as_tensor(got, what)
    if got.isnan().any():
        raise Wrong("NaN: logits are log-odds and may be negative; they are not probabilities yet.")
    ink, paper = (x * F.softplus(-logits)).sum(-1), ((1 - x) * F.softplus(logits)).sum(-1)
    twice = F.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none")
    hints = {
        "that is log p(x|z); the loss is its negative": -want,
        "that is the mean over the pixels, 784 times too small; sum them": want / 784,
        "that is the mean over pixels and digits; sum over the pixels, keep one value a digit": (
            want.mean() / 784
        ),
        "that is summed over the batch too; keep one value a digit": want.sum(),
        "that is averaged over the batch; keep one value a digit, the caller averages": want.mean(),
        "the sum runs over the digits; sum over the pixels, dim=-1": (
            F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(0)
        ),
        "only the pixels with ink count here; the second term is missing": ink,
        "only the pixels without ink count here; the first term is missing": paper,
        "ink and paper are swapped: a large logit means ink": -bernoulli_log_prob(x, -logits),
        "a sigmoid is applied twice": twice.sum(-1),
        "that is in bits; leave it in nats": want / math.log(2),
    }
    close(got, want, what, hints=hints)
    sure = 200 * (2 * x - 1)  # every pixel right and sure, then one sure and wrong
    sure[:, 0] *= -1
    got = as_tensor(answer(x, sure), "sure pixels")
    if not got.isfinite().all():
        raise Wrong(
            "right for moderate logits, but a pixel with a logit of ±200 gives "
            f"{got[0]:g}: a sigmoid rounds to 0 or 1 there, and exp overflows. Use F.softplus or "
            "F.logsigmoid."
        )
    if (got < 150).all():
        raise Wrong(
            f"a pixel that is wrong at a logit of ±200 costs 200 nats, not {got[0]:.3g}: "
            "an epsilon inside the logarithm, or a clamp, caps the cost."
        )
    close(got, torch.full((6,), 200.0), "a digit with one sure and wrong pixel", rtol=1e-3)
    return "One value a digit, and a logit of 200 does no harm."


@exercise
def class_baseline(answer) -> str:
    """Exercise 1.3: ``answer(train, x, labels)`` is the NLL [B] of ``x`` under its class's mean."""
    train, heldout = load_digits("train"), load_digits("heldout")
    labels = heldout.labels[::9]
    x = binarise(heldout.images[::9], torch.Generator().manual_seed(2))

    def score(mean, least=1e-3):
        return -bernoulli_log_prob(x, mean.clamp(least, 1 - least).logit())

    def means(images, classes):
        return torch.stack([images[classes == k].mean(0) for k in range(10)])

    own = means(train.images, train.labels)[labels]
    want, what = score(own), "the loss of each digit"
    got = as_tensor(answer(train, x, labels), what)
    if not got.isfinite().all():
        raise Wrong(
            "some digits score infinity or NaN: a pixel that no digit of a class inks gets "
            "probability 0. Clamp the means to [1e-3, 1 - 1e-3]."
        )
    hints = {
        "that is the mean of all digits; use the mean of each digit's own class": (
            score(train.images.mean(0))
        ),
        "those means come from the digits being scored; take them from train": (
            score(means(x, labels)[labels])
        ),
        "that is the mean over the pixels; sum them": want / 784,
        "that is log p; the loss is its negative": -want,
        "that is averaged over the digits; keep one value a digit": want.mean(),
        "label k is not row k: index the means with labels": (
            score(means(train.images, train.labels)[labels.roll(1)])
        ),
    }
    for least in (1e-2, 1e-4, 1e-5, 1e-6):
        if got.shape == want.shape and torch.allclose(got, score(own, least).double(), rtol=1e-4):
            raise Wrong(f"the means are clamped at {least:g}; clamp them to [1e-3, 1 - 1e-3].")
    off = (got - want).abs().max() if got.shape == want.shape else math.inf
    if 1e-3 * want.max() < off < 0.05 * want.max():
        raise Wrong(
            f"close, but up to {off:.2g} nats off. Either the means are not of the grey values, "
            "train.images as they are (binarised digits add chance), or they are kept from 0 and 1 "
            "in another way than by a clamp to [1e-3, 1 - 1e-3]."
        )
    close(got, want, what, hints=hints, rtol=1e-3)
    return "What is left of the loss is handwriting."


@exercise
def total_bits(answer) -> str:
    """Exercise 1.4: ``answer(latent, loss, bits)`` counts a code's bits and what it leaves open."""
    for latent, loss, bits in ((2, 150.0, 32), (32, 105.0, 4), (8, 110.0, 6)):
        code, rest = bits * latent, loss / math.log(2)
        hints = {
            "the loss is in nats; divide it by log 2": code + loss,
            "nats to bits is a division by log 2, not a product": code + loss * math.log(2),
            "that is the code alone; the pixels it leaves open cost bits too": code,
            "that leaves the code out; it has to be stored as well": rest,
            "each number of the code takes that many bits, not one": latent + rest,
            "each number of the code takes that many bits, not always 32": 32 * latent + rest,
            "the loss is per digit already, summed over its pixels": code + 784 * rest,
            "the logarithm is natural: log 2, not log base 10": code + loss / math.log10(2),
        }
        what = f"D = {latent} at {loss:g} nats, {bits} bits a number"
        close(answer(latent, loss, bits), code + rest, what, hints=hints)
    return "A larger code can cost more in all."


@exercise
def floor(answer) -> str:
    """Exercise 1.5: ``answer(images)`` is the entropy of each digit's binarisation, nats, [B]."""
    generator = torch.Generator().manual_seed(3)
    g = torch.rand(5, 784, generator=generator)
    g[:, ::3], g[:, 1::3] = 0, 1
    g[0, ::2] = 0.5
    ink, paper = torch.special.entr(g), torch.special.entr(1 - g)
    want, what = (ink + paper).sum(-1), "the floor of five digits"
    got = as_tensor(answer(g), what)
    if got.isnan().any():
        raise Wrong("NaN: where g is 0 or 1, 0 · log 0 stands for 0. See torch.xlogy.")
    if not torch.equal(got, as_tensor(answer(g), what)):
        raise Wrong("two calls differ: average over all draws, by formula, instead of drawing.")
    capped = g.clamp(1e-3, 1 - 1e-3)
    hints = {
        "a loss is positive here: -log of a probability": -want,
        "that is in bits; leave it in nats": want / math.log(2),
        "that is the mean over the pixels; sum them": want / 784,
        "that is averaged over the digits; keep one value a digit": want.mean(),
        "that is summed over the digits; keep one value a digit": want.sum(),
        "only ink counts here; paper is uncertain as well": ink.sum(-1),
        "only paper counts here; ink is uncertain as well": paper.sum(-1),
        "that is squared error's floor; the loss here is Bernoulli": (g * (1 - g)).sum(-1),
        "a clamp adds nats at pixels that are certain; they cost nothing": (
            torch.special.entr(capped) + torch.special.entr(1 - capped)
        ).sum(-1),
    }
    for epsilon in (1e-3, 1e-4, 1e-5):
        logs = (g + epsilon).log() * g + (1 - g + epsilon).log() * (1 - g)
        hints[f"an epsilon of {epsilon:g} inside the logarithm moves the result"] = -logs.sum(-1)
    close(got, want, what, hints=hints)
    return "No decoder that sees only the grey digit can do better, on average over the draws."
