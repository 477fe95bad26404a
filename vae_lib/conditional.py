"""The conditional VAE: a label y is known, and q(z|x, y) and p(x|z, y) may use it.

The label rides behind the pixels, one-hot, so that training, bounds and evaluation take rows
[x, y] as they take images. Introduced in chapter 13.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_lib.data import Augment
from vae_lib.distributions import DiagonalGaussian, _tensors
from vae_lib.models import VAE, _size, mlp

NO_LABELS = "x has no labels: labelled(x, y) puts them behind the pixels"


def labelled(images: Tensor, labels: Tensor, classes: int = 10) -> Tensor:
    """Rows [x, y], the label one-hot behind the pixels: [B, P] and [B] -> [B, P + C].

    Raises:
        ValueError: for as many labels as there are not images, or a label that is no class.
        TypeError: for labels that are no whole numbers, or what is no tensor.

    Example:
        >>> labelled(torch.zeros(2, 784), torch.tensor([3, 7])).shape
        torch.Size([2, 794])
    """
    _tensors(images=images, labels=labels)
    if labels.shape != images.shape[:-1]:
        raise ValueError(
            f"labels have shape {list(labels.shape)}, images {list(images.shape)}: "
            "each image needs one label"
        )
    return torch.cat([images, _one_hot(labels, classes, images.dtype)], -1)


def on_images(augment: Augment, pixels: int = 784, classes: int = 10) -> Augment:
    """``augment`` for rows [x, y]: it alters the first ``pixels`` columns, and no label.

    Raises:
        ValueError: in use, for rows of another width than ``pixels + classes``.
    """

    def rows(x: Tensor, generator: torch.Generator) -> Tensor:
        if x.shape[-1] != pixels + classes:
            raise ValueError(
                f"x has {x.shape[-1]} columns, and {pixels} pixels with {classes} classes make "
                f"{pixels + classes}: on_images(augment, pixels, classes) takes other sizes"
            )
        return torch.cat([augment(x[:, :pixels], generator), x[:, pixels:]], -1)

    return rows


class ConditionalVAE(VAE):
    """q(z|x, y) = N(μ, diag σ²), p(x|z, y), and a prior p(z) that does not know y.

    Sohn et al. (2015), with their prior p(z|x) replaced by p(z) as in Kingma et al. (2014). The
    bound is log p(x|y) ≥ E_q[log p(x|z, y)] - KL(q(z|x, y) ‖ p(z)). Introduced in chapter 13.

    Where a VAE takes x [..., P], this one takes rows [x, y] of :func:`labelled`, [..., P + C].

    Args:
        latent, hidden, seed, shape, likelihood, components: as for :class:`vae_lib.models.VAE`.
        net: ``"mlp"``.
        classes: C, how many labels there are: 0 to C - 1.

    Raises:
        ValueError, TypeError: as for a VAE, and for another ``net``.

    Example:
        >>> model = ConditionalVAE(latent=2)
        >>> rows = labelled(torch.zeros(3, 784), torch.tensor([0, 4, 9]))
        >>> model.posterior(rows).mu.shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        latent: int = 2,
        hidden: Sequence[int] = (128, 64),
        net: str = "mlp",
        seed: int = 0,
        shape: Sequence[int] = (28, 28),
        likelihood: str = "bernoulli",
        components: int = 0,
        classes: int = 10,
    ):
        self.classes = _size("classes", classes)
        super().__init__(latent, hidden, net, seed, shape, likelihood, components)

    def _networks(self) -> nn.ModuleList:
        if self.net != "mlp":
            raise ValueError(f"net is {self.net!r}: a conditional VAE takes 'mlp'")
        outputs, sizes = 2 * self.latent, (self.pixels, *self.hidden)
        encoder = mlp(self.columns, *self.hidden, outputs)
        return nn.ModuleList([encoder, mlp(self.latent + self.classes, *reversed(sizes))])

    @property
    def columns(self) -> int:
        """P + C: the numbers in a row [x, y]."""
        return self.pixels + self.classes

    @property
    def settings(self) -> dict[str, Any]:
        """What builds this model again; stored in every checkpoint. JSON can hold it."""
        return super().settings | {"classes": self.classes}

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x, y): rows [..., P + C] -> μ [..., D] and log σ² [..., D]."""
        if isinstance(x, Tensor) and x.shape[-1:] == (self.pixels,):
            raise ValueError(NO_LABELS)
        return super().encode(x)

    def decode(self, z: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits of p(x|z, y): z [..., D] and labels y that broadcast with [...] -> [..., P].

        Raises:
            ValueError: without labels, for some that are no class, or for shapes that do not fit.
            TypeError: for labels that are no whole numbers, or a z that is no tensor.
        """
        if y is None:
            raise ValueError("this decoder needs a label: decode(z, y)")
        _tensors(z=z)
        return self._decode(z, _one_hot(torch.as_tensor(y), self.classes, z.dtype).to(z.device))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the round trip: rows [..., P + C] -> [..., P]."""
        return self._decode(self.code(x), x[..., self.pixels :])

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z, y): rows [B, P + C], z [..., B, D] -> [..., B], nats.

        Raises:
            ValueError: for rows of another width, such as images without labels.
        """
        _tensors(x=x)
        if x.shape[-1:] != (self.columns,):
            told = f"x has shape {list(x.shape)}, but rows [x, y] are [..., {self.columns}]"
            raise ValueError(NO_LABELS if x.shape[-1:] == (self.pixels,) else told)
        x, label = x[..., : self.pixels], x[..., self.pixels :]
        return self._log_likelihood(x, self._decode(z.to(x.dtype), label))

    def given(self, y: int) -> "OneClass":
        """The latent-variable model of the images of class ``y``; it shares these weights."""
        return OneClass(self, y)

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, y: Tensor | int | None = None
    ) -> Tensor:
        """Draws x ~ p(x|y): z ~ p(z), then x ~ p(x|z, y); y is a label or [count] -> [count, P].

        Raises:
            ValueError, TypeError: as :meth:`decode`; also for another number of labels.
        """
        if y is not None and torch.as_tensor(y).shape not in ((), (count,)):
            raise ValueError(
                f"y has shape {list(torch.as_tensor(y).shape)}: give one label, or one for each "
                f"of {count} draws"
            )
        return self._draw(self.decode(self.sample_prior(count, generator), y), generator)

    def _decode(self, z: Tensor, label: Tensor) -> Tensor:
        if z.shape[-1:] != (self.latent,):
            raise ValueError(
                f"z has shape {list(z.shape)}, but this model's latent vectors are "
                f"[..., {self.latent}]"
            )
        try:
            lead = torch.broadcast_shapes(z.shape[:-1], label.shape[:-1])  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise ValueError(
                f"labels {list(label.shape[:-1])} do not go with z {list(z.shape)}: give one, or "
                f"one for each z, {list(z.shape[:-1])}"
            ) from error
        both = torch.cat([z.expand(*lead, -1), label.expand(*lead, -1)], -1)
        logits: Tensor = self.decoder(both.reshape(-1, both.shape[-1]))
        return logits.reshape(*lead, self.pixels)


class OneClass(nn.Module):
    """One class of a conditional VAE as a model of its own: p(z), p(x|z, y) and q(z|x, y).

    It takes images [B, P] without labels, so that every bound and estimator of the book reads
    log p(x|y) off it.

    Raises:
        ValueError: for a ``y`` that is no class; in use, for rows that have labels already.
        TypeError: for a ``y`` that is no whole number.

    Example:
        >>> threes = ConditionalVAE(latent=2).given(3)
        >>> threes.posterior(torch.zeros(5, 784)).mu.shape  # images, without labels
        torch.Size([5, 2])
    """

    def __init__(self, model: ConditionalVAE, y: int):
        super().__init__()
        self.model, self.latent = model, model.latent
        weights = next(model.parameters())
        label = _one_hot(torch.as_tensor(y), model.classes, weights.dtype)
        self.register_buffer("label", label.to(weights.device), persistent=False)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z): [..., D] -> [...], nats."""
        return self.model.log_prior(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z, y): x [B, P], z [..., B, D] -> [..., B], nats."""
        self._check(x)
        logits = self.model._decode(z.to(x.dtype), self.get_buffer("label").to(x.dtype))
        return self.model._log_likelihood(x, logits)

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """q(z|x, y): x [B, P] -> a distribution over [B, D]."""
        self._check(x)
        label = self.get_buffer("label").to(x.dtype).expand(*x.shape[:-1], -1)
        return self.model.posterior(torch.cat([x, label], -1))

    def _check(self, x: Tensor) -> None:
        _tensors(x=x)
        pixels = self.model.pixels
        if x.shape[-1:] != (pixels,):
            raise ValueError(
                f"x has shape {list(x.shape)}: a model of one class takes images without labels, "
                f"[..., {pixels}]; of rows [x, y], x[..., :{pixels}]"
            )


def _one_hot(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels have dtype {labels.dtype}: they must be whole numbers, .long()")
    if not labels.is_meta and bool(((labels < 0) | (labels >= classes)).any()):
        low, high = int(labels.min()), int(labels.max())
        told = f"label {low} is no class" if low == high else f"labels run from {low} to {high}"
        raise ValueError(f"{told}: the classes are 0 to {classes - 1}")
    return F.one_hot(labels.long(), classes).to(dtype)
