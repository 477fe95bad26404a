"""A VAE that learns in the page, with no kernel: hand-written backpropagation in a Web Worker."""

import numpy as np
import traitlets
from torch import Tensor

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._digits import HELD, PIXELS, TRAIN, pack_digits

SHOWN = 10  # digits, as in vae_trainer.js
SOURCES = ("book", "both", "mine")  # as in own_digits.js
MOST_TIMES = 50  # as in training_set.js


class TrainVAE(_stills.TouchableFigure):
    """Train a VAE, or an autoencoder, of 14 x 14 pixels, and look at any epoch of the run.

    The networks are those of ``VAE(2, (64,), shape=(14, 14))``, trained by Adam in batches of 50
    with fresh binarisation; the same seed gives the same run. The settings below are synced. The
    digits go to the browser when the reader presses a button: from the kernel, or on the book's
    pages from a script of their own. Introduced in chapter 10.

    The reader may draw up to 60 digits and train on them too, or on them alone: centred and scaled
    as MNIST's are, and 14 x 14 as the others are. They stay in the page, and Python has none of
    them. The held-out loss is that of ``heldout`` whatever is trained on.

    Args:
        train: 4,000 grey digits in [0, 1], [4000, 196]; sixteen levels of grey are kept.
        heldout: 1,000 more, [1000, 196].
        labels: classes [1000] of the held-out digits, which colour the codes.
        beta: the weight of the KL term, 0 to 5.
        prior: whether there is one; without, an autoencoder is trained.
        seed: of the first weights and of all that is drawn.
        source: what is trained on: "book" is ``train``, "both" adds the reader's drawings, "mine"
            is those alone, each as often as makes an epoch of about 4,000.
        times: how often each drawing comes in an epoch of "both", 1 to 50.

    Raises:
        ValueError: for other sizes, values outside [0, 1], or a setting that is out of range.

    Example:
        >>> import torch
        >>> figure = TrainVAE(torch.zeros(4000, 196), torch.zeros(1000, 196), torch.zeros(1000))
        >>> len(figure.digits), len(figure.packed)  # sent when asked for
        (0, 491000)
    """

    _esm = _assets.module("train_vae.js")

    digits = traitlets.Bytes().tag(sync=True)
    asked = traitlets.Bool(False).tag(sync=True)
    beta = traitlets.Float(1.0).tag(sync=True)
    prior = traitlets.Bool(True).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    source = traitlets.Unicode("book").tag(sync=True)
    times = traitlets.Int(20).tag(sync=True)

    def __init__(
        self,
        train: Tensor,
        heldout: Tensor,
        labels: Tensor,
        *,
        beta: float = 1.0,
        prior: bool = True,
        seed: int = 0,
        source: str = "book",
        times: int = 20,
    ):
        self.packed = pack_digits(train, heldout, labels)
        super().__init__(beta=beta, prior=prior, seed=seed, source=source, times=times)

    @traitlets.observe("asked")
    def _send_digits(self, change):
        if change["new"]:
            self.digits = self.packed

    @traitlets.validate("beta")
    def _in_range(self, proposal):
        if not 0 <= proposal["value"] <= 5:
            raise ValueError(f"beta is {proposal['value']}: it must be between 0 and 5")
        return proposal["value"]

    @traitlets.validate("source")
    def _known(self, proposal):
        if proposal["value"] not in SOURCES:
            raise ValueError(f"source is {proposal['value']!r}: it must be one of {SOURCES}")
        return proposal["value"]

    @traitlets.validate("times")
    def _often(self, proposal):
        if not 1 <= proposal["value"] <= MOST_TIMES:
            raise ValueError(f"times is {proposal['value']}: it must be between 1 and {MOST_TIMES}")
        return proposal["value"]

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        return (
            "Ten held-out digits of 14 × 14 pixels, on which a VAE is trained when the figure is "
            "touched: its codes, both terms of its loss, its copies and its draws, at any epoch."
        )

    def _draw(self):
        figure, panels = _stills.panels(*[1] * SHOWN, height=80)
        halves = np.frombuffer(self.packed, np.uint8)[: (TRAIN + HELD) * PIXELS // 2]
        greys = np.stack([halves >> 4, halves & 15], 1).reshape(-1, 14, 14) / 15
        for panel, grey in zip(panels, greys[TRAIN + 30 :: 100], strict=True):
            _stills.digit(panel, grey.ravel(), "")
        return figure
