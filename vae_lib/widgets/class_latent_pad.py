"""The class × latent pad: one plane of styles, ten classes, and a classifier's verdict."""

import math

import numpy as np
import traitlets
from torch import Tensor, nn

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import (
    extent_of,
    inputs,
    outputs,
    pack,
    pack_codes,
    pack_decoder,
    pack_labels,
    probabilities,
    run,
)


class ClassLatentPad(_stills.TouchableFigure):
    """Choose a class y and drag z: see p(x|z, y), the same z in every class, and what a judge says.

    ``z`` and ``y`` are synced: ``pad.y`` is the class that the reader chose. Introduced in
    chapter 13.

    Args:
        decoder: a network of z and the one-hot label, [B, 2 + C] -> logits [B, side²], such as
            ``ConditionalVAE(latent=2).decoder``; C is 2 to 10.
        classifier: a network of the grey image, [B, side²] -> C logits, asked about each picture.
        codes: means of q(z|x, y) of held-out digits, [N, 2], drawn as faint points; those of the
            chosen class are written as digits.
        labels: their classes, [N].
        seed: of the button that draws z from N(0, I).

    Raises:
        TypeError: for a network with layers other than Linear and simple activations.
        ValueError: for sizes that do not fit each other, codes without their labels, or labels
            that are none of the decoder's classes.
        traitlets.TraitError: for a ``z`` that is not two finite numbers, or a ``y`` that is none
            of the classes.

    Example:
        >>> import torch
        >>> from vae_lib.conditional import ConditionalVAE
        >>> model, classifier = ConditionalVAE(latent=2), torch.nn.Linear(784, 10)
        >>> pad = ClassLatentPad(model.decoder, classifier, torch.randn(5, 2), torch.arange(5))
    """

    _esm = _assets.module("class_latent_pad.js")

    decoder = traitlets.List().tag(sync=True)  # its layers, as pack tells them
    weights = traitlets.Bytes().tag(sync=True)
    judge = traitlets.List().tag(sync=True)
    judge_weights = traitlets.Bytes().tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
    extent = traitlets.List().tag(sync=True)
    z = traitlets.List(traitlets.Float(), [0.0, 0.0], minlen=2, maxlen=2).tag(sync=True)
    y = traitlets.Int(0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        decoder: nn.Module,
        classifier: nn.Module,
        codes: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        seed: int = 0,
    ):
        spec, weights = pack_decoder(decoder, "decoder")
        judge, judge_weights = pack(classifier, "classifier")
        classes = inputs(spec) - 2
        if not 2 <= classes <= 10:
            raise ValueError(
                f"decoder takes {inputs(spec)} values, not z [2] and a one-hot label of 2 to 10 "
                "classes: train a ConditionalVAE(latent=2)"
            )
        if (inputs(judge), outputs(judge)) != (outputs(spec), classes):
            raise ValueError(
                f"classifier goes from {inputs(judge)} values to {outputs(judge)}, and here it "
                f"judges {outputs(spec)} pixels and {classes} classes"
            )
        if (codes is None) != (labels is None):
            raise ValueError("codes and labels belong together: give both, or neither")
        count = 0 if codes is None else len(codes)
        super().__init__(
            decoder=spec,
            weights=weights,
            judge=judge,
            judge_weights=judge_weights,
            codes=b"" if codes is None else pack_codes(codes),
            labels=b"" if labels is None else pack_labels(labels, count, classes=classes),
            extent=extent_of(codes, 3.0),
            seed=seed,
        )

    @traitlets.validate("z")
    def _check_z(self, proposal) -> list[float]:
        if not all(map(math.isfinite, proposal.value)):
            raise traitlets.TraitError(f"z is {proposal.value}: it must be two finite numbers")
        return proposal.value

    @traitlets.validate("y")
    def _check_y(self, proposal) -> int:
        classes = inputs(self.decoder) - 2
        if not 0 <= proposal.value < classes:
            raise traitlets.TraitError(f"y is {proposal.value}: classes are 0 to {classes - 1}")
        return proposal.value

    def picture_of(self, y: int) -> np.ndarray:
        """The probability of ink in each pixel at the handle, for class ``y``: [side²]."""
        label = np.arange(inputs(self.decoder) - 2) == y
        return probabilities(self.decoder, self.weights, [*self.z, *label])

    def verdict(self) -> np.ndarray:
        """The classifier's probability of each class for the picture that is shown: [C]."""
        logits = run(self.judge, self.judge_weights, self.picture_of(self.y)).astype(float)
        odds = np.exp(logits - logits.max())
        return odds / odds.sum()

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        verdict = self.verdict()
        return (
            f"A plane of styles z with the handle at ({self.z[0]:.2f}, {self.z[1]:.2f}); beside it "
            f"the image decoded there as a {self.y}, and ten bars: the classifier says "
            f"{verdict.argmax()}, {100 * verdict.max():.0f} %."
        )

    def _draw(self):
        figure, (left, middle, right) = _stills.panels(2, 1, 1.3)
        _stills.plane(left, self.extent, ["$z_1$", "$z_2$"], f"y = {self.y}")
        _stills.codes(left, self.codes, self.labels)
        _stills.handle(left, self.z)
        _stills.digit(middle, self.picture_of(self.y), "decoded")
        verdict = self.verdict()
        right.bar(range(len(verdict)), verdict, color=_stills.POSTERIOR)
        right.set(ylim=(0, 1), xticks=range(len(verdict)), title="the classifier says")
        return figure
