"""The book's plots: pixels where they belong, axes the right way up, colours that can be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from vae_lib import figures
from vae_lib.figures import (
    CLASS_COLOURS,
    STYLE,
    code_map,
    digit_grid,
    digit_rows,
    interpolate,
    learning_curves,
    manifold,
    tile,
)


def flat(*levels: float) -> torch.Tensor:
    """Images of one grey level each."""
    return torch.tensor(levels)[:, None].expand(-1, 784)


# Tiles


def test_tiles_lie_row_by_row_with_a_gap():
    images = torch.arange(3 * 784.0).reshape(3, 784) + 1
    sheet = tile(images, columns=2, gap=3)
    assert sheet.shape == (59, 59)
    want = torch.zeros(59, 59)
    want[:28, :28] = images[0].reshape(28, 28)
    want[:28, 31:] = images[1].reshape(28, 28)
    want[31:, :28] = images[2].reshape(28, 28)
    assert torch.equal(sheet, want)


def test_tiles_touch_without_a_gap():
    assert torch.equal(tile(flat(1, 1, 1, 1), columns=2, gap=0), torch.ones(56, 56))


@pytest.mark.parametrize("shape", [(784,), (2, 28, 28), (2, 783), (0, 784)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"images have shape \[.*\], not \[N, 784\]"):
        tile(torch.zeros(shape), columns=2)


def test_a_grid_shows_ink_dark_on_white_and_clips():
    picture = digit_grid(flat(0, 1, 9), columns=3, title="three").images[0]
    colours = picture.cmap(picture.norm(picture.get_array()))[..., :3]
    assert (colours[0, 0] == 1).all(), "no ink is white"
    assert (colours[0, 30] == 0).all(), "ink is black"
    assert (colours[0, 60] == 0).all(), "more than ink is still black"


def test_rows_carry_their_names():
    axes = digit_rows({"seen": flat(0, 1), "rebuilt": flat(0.2, 0.8)})
    assert [ax.get_ylabel() for ax in axes] == ["seen", "rebuilt"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: digit_grid(flat(0, 1), ax=ax),
        lambda ax: code_map(torch.zeros(2, 2), torch.tensor([0, 1]), ax=ax),
        lambda ax: learning_curves({"loss": [2.0, 1.0]}, ax=ax),
        lambda ax: manifold(lambda z: torch.zeros(len(z), 784), (-1, -1), (1, 1), 3, ax=ax),
    ],
)
def test_a_figure_goes_where_it_is_told(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert len(plt.get_fignums()) == 1


# Codes


def test_each_class_has_its_points_and_its_colour():
    labels = torch.tensor([3, 0, 3, 9])
    codes = torch.arange(8.0).reshape(4, 2).requires_grad_()
    ax = code_map(codes, labels)
    drawn = {
        group.get_label(): (group.get_offsets().tolist(), to_rgb(group.get_facecolor()[0]))
        for group in ax.collections
    }
    assert drawn == {
        "0": ([[2.0, 3.0]], to_rgb(CLASS_COLOURS[0])),
        "3": ([[0.0, 1.0], [4.0, 5.0]], to_rgb(CLASS_COLOURS[3])),
        "9": ([[6.0, 7.0]], to_rgb(CLASS_COLOURS[9])),
    }
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "3", "9"]
    assert ax.get_aspect() == 1, "distances are the same both ways"


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 1)])
def test_codes_of_another_size_have_no_map(shape):
    with pytest.raises(ValueError, match=r"a map needs \[N, 2\]"):
        code_map(torch.zeros(shape), torch.zeros(4, dtype=torch.int64))


def show_z(z):
    """A decoder whose digits say where they come from: z₁ in the left half, z₂ in the right."""
    halves = z[:, :, None, None].expand(-1, -1, 28, 14)
    return torch.cat([halves[:, 0], halves[:, 1]], dim=-1).reshape(-1, 784).logit()


def test_the_manifold_is_the_right_way_up():
    picture = manifold(show_z, (0.1, 0.5), (0.4, 0.9), side=4).images[0]
    sheet = picture.get_array()
    z1, z2 = sheet[14::28, 7::28], sheet[14::28, 21::28]
    np.testing.assert_allclose(z1, np.tile([0.1, 0.2, 0.3, 0.4], (4, 1)), rtol=1e-5)
    heights = np.array([0.9, 0.9 - 0.4 / 3, 0.5 + 0.4 / 3, 0.5])  # the top row is high z₂
    np.testing.assert_allclose(z2, np.tile(heights[:, None], 4), rtol=1e-5)


def test_the_manifold_s_axes_pass_through_the_middle_of_its_digits():
    ax = manifold(show_z, (0.1, 0.5), (0.4, 0.9), side=4)
    left, right, bottom, top = ax.images[0].get_extent()
    width, height = (right - left) / 4, (top - bottom) / 4
    assert (left + width / 2, right - width / 2) == pytest.approx((0.1, 0.4))
    assert (bottom + height / 2, top - height / 2) == pytest.approx((0.5, 0.9))


def test_interpolation_is_straight_and_holds_its_ends():
    points = interpolate(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 0.0]), steps=5)
    want = [[0, 2], [1, 1.5], [2, 1], [3, 0.5], [4, 0]]
    torch.testing.assert_close(points, torch.tensor(want))


def test_curves_end_together_and_the_longest_starts_first():
    columns = {"train": [3.0, 2.0], "held out": [4.0, 3.0, 3.5]}
    ax = learning_curves(columns)
    assert [line.get_label() for line in ax.lines] == ["train", "held out"]
    assert ax.lines[0].get_xydata().tolist() == [[1, 3.0], [2, 2.0]]
    assert ax.lines[1].get_xydata().tolist() == [[0, 4.0], [1, 3.0], [2, 3.5]]
    ax = learning_curves(columns, first=1)
    assert ax.lines[1].get_xydata()[0].tolist() == [1, 4.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats per digit")


# Colours


def linear(colour) -> np.ndarray:
    """sRGB to linear light (IEC 61966-2-1)."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(colour, other) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (colour, other))
    return (light + 0.05) / (dark + 0.05)


def seen_by_a_deuteranope(colour) -> np.ndarray:
    """CIELAB of what is left without the green-sensitive cones (Machado et al., 2009)."""
    machado = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413]]
    rgb = np.array([*machado, [-0.011820, 0.042940, 0.968881]]) @ linear(colour)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ rgb.clip(0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture
def style():
    with plt.style.context(STYLE):
        yield plt.rcParams.copy()


def test_contrast_is_that_of_wcag():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", ["text.color", "axes.labelcolor", "xtick.color", "ytick.color"])
def test_text_can_be_read(style, name):
    assert contrast(style[name], style["figure.facecolor"]) >= 7


def test_frames_can_be_seen(style):
    assert contrast(style["axes.edgecolor"], style["figure.facecolor"]) >= 3


def closest(colours) -> float:
    seen = [seen_by_a_deuteranope(colour) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


def test_the_colour_blind_tell_lines_and_classes_apart(style):
    """A difference of 2.3 in CIELAB is just noticed; red and green of one lightness fail."""
    lines = style["axes.prop_cycle"].by_key()["color"]
    assert closest(lines) > 10
    assert len(set(CLASS_COLOURS)) == 10
    assert closest(CLASS_COLOURS) > 10


def test_the_book_s_style_takes_effect(style):
    with plt.rc_context():
        plt.rcdefaults()
        figures.use_book_style()
        assert plt.rcParams["image.cmap"] == "gray_r"
        assert plt.rcParams["svg.hashsalt"], "vector figures would differ at each build"
