"""What stands in a figure's place where its script does not run: a picture, and words for it.

Print, pages read without scripts, search engines, GitHub and nbconvert show these. The pictures
are drawn by matplotlib from the widget's traits, so no browser is needed to make them.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from PIL import Image

from vae_lib.widgets import _assets

# Two pixels for each one shown, so that the picture is sharp on any screen.
WIDTH, DPI = 600, 100
STYLE: Any = {
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
}
COLOURS = 64  # of a picture; fewer show, more weigh
RADIUS_95 = 2.448  # of the disc that holds 95 % of N(0, I) in the plane
# As in widgets.css, which says what each is for.
Q, POSTERIOR, PRIOR, KL, ELBO = "#b4490a", "#0b5cad", "#66717d", "#d97b29", "#2f6db3"
CLASSES = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933",
    "#ddcc77", "#cc6677", "#882255", "#aa4499", "#000000",
)  # fmt: skip


Floats = Sequence[float] | np.ndarray


class TouchableFigure(anywidget.AnyWidget):
    """An anywidget that carries a still of itself.

    A subclass has ``_draw()``, which gives a matplotlib figure of the widget as it is now, and
    ``alt``, which says in words what that figure shows.
    """

    _css = _assets.style()

    def picture(self) -> bytes:
        """The figure as it stands now: a PNG."""
        with rc_context(STYLE):
            return png(self._draw())

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle and with_still(bundle, self.picture(), self.alt)


def with_still(bundle: dict | tuple[dict, dict], picture: bytes, alt: str) -> tuple[dict, dict]:
    """A widget's MIME bundle with a PNG and its words, for viewers that cannot run the widget."""
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    width, height = Image.open(io.BytesIO(picture)).size
    shown = {"alt": alt, "width": width // 2, "height": height // 2}
    return (
        {**data, "text/plain": alt, "image/png": base64.b64encode(picture).decode()},
        {**(metadata or {}), "image/png": shown},
    )


def png(figure: Figure) -> bytes:
    """A figure as a small PNG, of a fixed set of colours."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=2 * DPI)
    image = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(small, "png", optimize=True)
    return small.getvalue()


def panels(*widths: float, height: int = 240) -> tuple[Figure, Sequence[Axes]]:
    """An empty figure of ``height`` shown pixels, with panels side by side of relative widths."""
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), layout="constrained")
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    return figure, axes


def digit(ax: Axes, values: np.ndarray, title: str) -> None:
    """A square image [side²] of values in [0, 1], black on white."""
    side = round(len(values) ** 0.5)
    ax.imshow(np.asarray(values).reshape(side, side), vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set(visible=True, color="#c9d0d9")


def plane(ax: Axes, extent: Sequence[float], names: Sequence[str], title: str) -> None:
    """A square piece of a plane with its axes named."""
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel=names[0], ylabel=names[1], title=title)
    ax.set_box_aspect(1)


def codes(ax: Axes, points: bytes, labels: bytes) -> None:
    """Packed codes [N, 2] as faint points in their class's colour."""
    where = np.frombuffer(points, "<f4").reshape(-1, 2)
    hues = [CLASSES[label] for label in labels] or CLASSES[9]
    x, y = where.T
    ax.scatter(x, y, s=4, c=hues, alpha=0.55, linewidths=0)


def ring(ax: Axes) -> None:
    """The ring around 95 % of N(0, I)."""
    ax.add_patch(Ellipse((0, 0), *2 * [2 * RADIUS_95], fill=False, linestyle="--"))


def spread(ax: Axes, mean: Floats, std: Floats, radius: float) -> None:
    """The ellipse of N(mean, diag std²) at so many standard deviations."""
    width, height = (2 * radius * s for s in std)
    ax.add_patch(Ellipse((mean[0], mean[1]), width, height, facecolor=Q + "40", edgecolor=Q))


def handle(ax: Axes, point: Sequence[float]) -> None:
    """Where the handle is."""
    ax.plot(*point, "o", color=POSTERIOR, markeredgecolor="white", markersize=9, clip_on=False)
