"""The book's plots: digits, codes, learning curves, manifolds, interpolations.

Each function draws on ``ax`` (a new one if None) and returns it. Images and codes are tensors,
models are passed as the functions they are used through; nothing else of ``vae_lib`` is needed.
Introduced in chapters 1 and 10.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib_inline.config import InlineBackend
from torch import Tensor

STYLE = Path(__file__).with_name("book.mplstyle")

# Ten classes: Paul Tol's "muted" nine and black, which the colour-blind tell apart (Tol, 2021).
CLASS_COLOURS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDCC77", "#CC6677", "#882255", "#AA4499", "#000000",
)  # fmt: skip


def use_book_style() -> None:
    """Set matplotlib to the book's style; chapters call it once.

    In a notebook, figures get two pixels for each one shown, so that they are sharp on any screen.
    """
    plt.style.use(STYLE)
    if (shell := get_ipython()) is not None:
        InlineBackend.instance(parent=shell).figure_formats = {"retina"}


def _axes(ax: Axes | None, **size: Any) -> Axes:
    return ax if ax is not None else plt.subplots(**size)[1]


def _bare(ax: Axes, title: str | None) -> Axes:
    ax.set_xticks([]), ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title is not None:
        ax.set_title(title)
    return ax


def tile(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Lay [N, 784] images out as one [H, W] picture, ``columns`` across, ``gap`` pixels apart.

    Raises:
        ValueError: if the images are not [N, 784], or there are none.

    Example:
        >>> tile(torch.zeros(6, 784), columns=3).shape  # 2 · 28 + 2 by 3 · 28 + 4
        torch.Size([58, 88])
    """
    if images.ndim != 2 or images.shape[1] != 784 or len(images) == 0:
        raise ValueError(f"images have shape {list(images.shape)}, not [N, 784] with N > 0")
    rows = math.ceil(len(images) / columns)
    cell = 28 + gap
    sheet = torch.zeros(rows * cell - gap, columns * cell - gap)
    for k, image in enumerate(images.detach().cpu().float().reshape(-1, 28, 28)):
        top, left = k // columns * cell, k % columns * cell
        sheet[top : top + 28, left : left + 28] = image
    return sheet


def digit_grid(
    images: Tensor, columns: int = 10, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Images [N, 784] in rows of ``columns``, black ink on white; values clipped to [0, 1]."""
    sheet = tile(images, columns)
    height, width = sheet.shape
    ax = _axes(ax, figsize=(6.4, 6.4 * height / width + 0.3 * (title is not None)))
    ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1)
    return _bare(ax, title)


def digit_rows(rows: Mapping[str, Tensor], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """One labelled row of images [N, 784] for each name: originals above reconstructions, say."""
    if axes is None:
        count = max(len(images) for images in rows.values())
        size = (6.4, len(rows) * 6.0 / count + 0.1)
        axes = list(plt.subplots(len(rows), 1, figsize=size, squeeze=False)[1][:, 0])
    for ax, (name, images) in zip(axes, rows.items(), strict=True):
        digit_grid(images, columns=len(images), ax=ax)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    return axes


def code_map(
    codes: Tensor, labels: Tensor, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """2-D codes [N, 2] as points, coloured and marked in the legend by class [N]."""
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"codes have shape {list(codes.shape)}: a map needs [N, 2]")
    ax = _axes(ax, figsize=(5.2, 4.4))
    codes, labels = codes.detach().cpu(), labels.cpu()
    for digit in sorted(set(labels.tolist())):
        mine = codes[labels == digit]
        x, y = mine.T
        ax.scatter(x, y, s=7, color=CLASS_COLOURS[digit], label=str(digit), linewidths=0)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    ax.legend(
        title="class", markerscale=2.5, loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0
    )
    if title is not None:
        ax.set_title(title)
    return ax


def learning_curves(
    columns: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    ylabel: str = "nats per digit",
    first: int = 0,
) -> Axes:
    """One line for each named column of a training history, epoch by epoch, with a legend.

    The longest column starts at epoch ``first``, and all end together: a history's held-out columns
    start at epoch 0, before training, and its training columns at epoch 1.
    """
    ax = _axes(ax)
    end = first + max(len(values) for values in columns.values())
    for name, values in columns.items():
        ax.plot(range(end - len(values), end), values, label=name)
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    ax.legend()
    return ax


def manifold(
    decode: Callable[[Tensor], Tensor],
    low: Sequence[float],
    high: Sequence[float],
    side: int = 15,
    ax: Axes | None = None,
    device: torch.device | str = "cpu",
) -> Axes:
    """What ``decode`` ([B, 2] -> logits [B, 784]) draws on an even grid of the latent plane."""
    across = torch.linspace(low[0], high[0], side, device=device)
    up = torch.linspace(high[1], low[1], side, device=device)  # the picture's rows go down
    z = torch.cartesian_prod(up, across).flip(1)
    with torch.no_grad():
        sheet = tile(decode(z).sigmoid(), side, gap=0)
    ax = _axes(ax, figsize=(5.2, 5.2))
    dx, dy = ((b - a) / (side - 1) / 2 for a, b in zip(low, high, strict=True))
    extent = (low[0] - dx, high[0] + dx, low[1] - dy, high[1] + dy)  # z is its digit's centre
    ax.imshow(sheet.numpy(), extent=extent, vmin=0, vmax=1, aspect="auto")
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    return ax


def interpolate(start: Tensor, end: Tensor, steps: int = 12) -> Tensor:
    """Points on the straight line from ``start`` [D] to ``end`` [D], ends included: [steps, D].

    Example:
        >>> interpolate(torch.zeros(2), torch.ones(2), 3)[:, 0]
        tensor([0.0000, 0.5000, 1.0000])
    """
    weight = torch.linspace(0, 1, steps, device=start.device)[:, None]
    return (1 - weight) * start + weight * end
