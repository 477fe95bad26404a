"""Bayes on a curve: an observed point to drag, and the posterior over the latent that made it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor

from vae_lib.widgets import _assets, _stills
from vae_lib.widgets._weights import pack_floats


class BayesCurve(_stills.TouchableFigure):
    """Drag x in the plane and see prior, likelihood and posterior over a 1-D latent (chapter 5).

    The model is z ~ N(0, 1), x | z ~ N(curve(z), std² I) with x in the plane. The browser does
    the sums, by the trapezium rule on ``nodes``. ``x`` and ``std`` are synced.

    Args:
        nodes: an even, rising grid [Q] that holds all but a negligible part of N(0, 1).
        curve: where the curve is at each node, [Q, 2].
        x: the observed point to begin with.
        std: the noise σ to begin with, in the units of x.
        std_range: the slider's ends.
        places: named points, each of which gets a button.
        z_range: what part of the latent axis is shown, in the charts and along the curve.

    Raises:
        ValueError: for nodes that are not an even grid, a curve of another shape, points that
            are not pairs of numbers, or a std outside its range.

    Example:
        >>> import torch
        >>> z = torch.linspace(-6, 6, 401)
        >>> circle = BayesCurve(z, torch.stack([z.cos(), z.sin()], -1), x=(1, 0), std=0.3)
    """

    _esm = _assets.module("bayes_curve.js")

    nodes = traitlets.Bytes().tag(sync=True)  # float64 [Q]
    curve = traitlets.Bytes().tag(sync=True)  # float64 [Q, 2]
    extent = traitlets.List().tag(sync=True)  # x_min, x_max, y_min, y_max
    z_range = traitlets.List().tag(sync=True)
    std_range = traitlets.List().tag(sync=True)
    places = traitlets.Dict().tag(sync=True)  # name -> [x1, x2]
    x = traitlets.List(traitlets.Float(), minlen=2, maxlen=2).tag(sync=True)
    std = traitlets.Float(0.3).tag(sync=True)

    def __init__(
        self,
        nodes: Tensor,
        curve: Tensor,
        x: Sequence[float] = (0.0, 0.0),
        std: float = 0.3,
        *,
        std_range: tuple[float, float] = (0.1, 1.0),
        places: Mapping[str, Sequence[float]] | None = None,
        z_range: tuple[float, float] = (-4.0, 4.0),
    ):
        nodes, curve = torch.as_tensor(nodes).double(), torch.as_tensor(curve).double()
        _check_even(nodes)
        if not 0 < std_range[0] <= std <= std_range[1]:
            raise ValueError(f"std is {std}, outside std_range {std_range} or not above 0")
        shown = (nodes >= z_range[0]) & (nodes <= z_range[1])
        if shown.sum() < 2:
            raise ValueError(
                f"z_range {z_range} holds {int(shown.sum())} nodes: it needs 2 or more"
            )
        packed = pack_floats(curve, (len(nodes), 2), "curve")
        super().__init__(
            nodes=pack_floats(nodes, (len(nodes),), "nodes"),
            curve=packed,
            extent=_square(curve[shown]),
            z_range=[float(v) for v in z_range],
            std_range=[float(v) for v in std_range],
            places={name: _point(place, name) for name, place in (places or {}).items()},
            x=_point(x, "x"),
            std=float(std),
        )

    @property
    def alt(self) -> str:
        """What the still shows, in words."""
        x = ", ".join(f"{v:.2f}" for v in self.x)
        return (
            f"Left, a curve in the plane and the observed point x = ({x}), with noise "
            f"σ = {self.std:.2f}. Right, prior and posterior over the latent z that made x; "
            f"log p(x) = {self._posterior()[1]:.2f} nats."
        )

    def _posterior(self) -> tuple[np.ndarray, float]:
        """p(z|x) on the nodes [Q], and log p(x), by the trapezium rule."""
        z, curve = np.frombuffer(self.nodes), np.frombuffer(self.curve).reshape(-1, 2)
        squares = z**2 + ((curve - self.x) ** 2).sum(1) / self.std**2
        joint = np.exp(-0.5 * squares) / (2 * np.pi) ** 1.5 / self.std**2
        evidence = (joint[1:] + joint[:-1]).sum() / 2 * (z[1] - z[0])
        return joint / evidence, float(np.log(evidence))

    def _draw(self):
        z, curve = np.frombuffer(self.nodes), np.frombuffer(self.curve).reshape(-1, 2)
        shown = (z >= self.z_range[0]) & (z <= self.z_range[1])
        figure, (left, right) = _stills.panels(1, 1.4)
        _stills.plane(left, self.extent, ["$x_1$", "$x_2$"], "the curve, and x")
        left.plot(*curve[shown].T, color=_stills.PRIOR)
        _stills.handle(left, self.x)
        prior = np.exp(-0.5 * z**2) / (2 * np.pi) ** 0.5
        right.plot(z[shown], prior[shown], ":", color=_stills.PRIOR, label="prior p(z)")
        posterior = self._posterior()[0][shown]
        right.plot(z[shown], posterior, color=_stills.POSTERIOR, label="posterior p(z|x)")
        right.set(xlabel="z", yticks=[])
        right.legend(frameon=False)
        return figure


def _check_even(nodes: Tensor) -> None:
    if nodes.ndim != 1 or len(nodes) < 3:
        raise ValueError(f"nodes have shape {list(nodes.shape)}, not [Q] with Q >= 3")
    steps = nodes.diff()
    if not (steps > 0).all() or not torch.allclose(steps, steps.mean().expand_as(steps), rtol=1e-3):
        raise ValueError("nodes are not an even, rising grid: use torch.linspace(low, high, Q)")


def _point(values: Sequence[float], name: str) -> list[float]:
    values = [float(v) for v in values]
    if len(values) != 2:
        raise ValueError(f"{name} has {len(values)} coordinates, and the plane has 2")
    return values


def _square(curve: Tensor) -> list[float]:
    """A square around the curve with room on each side to drag x away from it."""
    low, high = curve.min(0).values, curve.max(0).values
    reach = 1.45 * float((high - low).max()) / 2
    centre = ((low + high) / 2).tolist()
    box = (centre[0] - reach, centre[0] + reach, centre[1] - reach, centre[1] + reach)
    return [round(v, 2) for v in box]
