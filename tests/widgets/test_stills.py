"""The still picture of each figure: small, of what is there now, and told in words."""

import base64
import io
import re

import examples
import harness
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vae_lib.widgets import AncestralSampling, CodeKnobs, LatentPad, RerunPanel
from vae_lib.widgets._weights import pack, run

each = pytest.mark.parametrize("name", examples.ALL)
VIEW = "application/vnd.jupyter.widget-view+json"


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=int)


@each
def test_a_figures_output_carries_its_picture_and_its_words(name):
    widget = examples.ALL[name]()
    data, metadata = widget._repr_mimebundle_()
    assert data[VIEW]["model_id"] == widget.model_id
    assert data["text/plain"] == widget.alt == metadata["image/png"]["alt"]
    picture = base64.b64decode(data["image/png"])
    assert picture == widget.picture()
    height, width, _ = pixels(picture).shape
    shown = metadata["image/png"]["width"], metadata["image/png"]["height"]
    assert shown == (width // 2, height // 2), "two pixels for each one shown"
    assert shown[0] <= 700


@each
def test_the_picture_is_small_and_shows_something(name):
    picture = examples.ALL[name]().picture()
    assert len(picture) <= 40_000
    image = pixels(picture)
    assert (image[0, 0] == 255).all(), "on white"
    assert (image.min(-1) < 128).mean() > 0.005, "nearly all of it is white"


@each
def test_the_words_are_sentences(name):
    alt = examples.ALL[name]().alt
    assert len(alt.split()) >= 15 and alt[0].isupper() and alt.endswith(".")
    assert "nan" not in alt and "[" not in alt


@each
def test_drawing_leaves_matplotlib_as_it_was(name):
    settings, figures = dict(matplotlib.rcParams), plt.get_fignums()
    examples.ALL[name]().picture()
    assert dict(matplotlib.rcParams) == settings and plt.get_fignums() == figures


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("latent_pad", {"positions": {"AE": [4.0, 4.0], "VAE": [1.0, -1.0]}}),
        ("draw_digit", {"eps": [2.0, -2.0]}),
        ("code_knobs", {"code": [3.0, -3.0, 1.0]}),
        ("evidence_split", {"mean": 1.5}),
        ("bayes_curve", {"x": [-1.0, 0.5]}),
        ("ancestral_sampling", {"step": 3}),
        ("two_gaussians", {"shaded": "p||q"}),
        ("lambda_plane", {"mean": [1.0, 1.0]}),
        ("rate_distortion", {"chosen": 2}),
        ("bound_ladder", {"power": 6}),
        ("gradient_spread", {"samples": 64}),
        ("diffusion_steps", {"t": 3}),
    ],
)
def test_the_picture_is_of_the_figure_as_it_stands(name, moved):
    widget = examples.ALL[name]()
    before = pixels(widget.picture())
    for trait, value in moved.items():
        setattr(widget, trait, value)
    assert (pixels(widget.picture()) != before).any()


@pytest.mark.parametrize(
    "name", ["evidence_split", "bayes_curve", "two_gaussians", "lambda_plane", "rate_distortion"]
)
def test_the_words_give_the_numbers_that_the_page_gives(browser_page, name):
    """Python's arithmetic and the page's own agree to all digits that are told."""
    widget = examples.ALL[name]()
    told = re.findall(r"(-?\d+\.\d+) nats", widget.alt)
    page = harness.show(browser_page, widget)
    written = page.locator(".vw-readings").inner_text().replace("−", "-")
    assert told and [number for number in told if number not in written] == []


def test_a_packed_network_gives_in_python_what_torch_gives():
    for activation in (torch.nn.SiLU, torch.nn.ReLU, torch.nn.Tanh, torch.nn.Sigmoid):
        network = examples.network(3, 20, 16, activation=activation, seed=7)
        x = torch.tensor([0.3, -1.2, 2.0])
        want = examples.as_sent(network)(x.double()).numpy()
        assert run(*pack(network, "network"), x) == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("side", [8, 14])
def test_images_of_another_size_are_drawn_at_that_size(new_page, side):
    """Their size is that of what the decoder gives; nothing else has to be said."""
    decoder = examples.network(2, 16, side**2, seed=3)
    encoder = examples.network(side**2, 16, 2, seed=4)
    images = torch.linspace(0, 1, 3 * side**2).reshape(3, -1)
    z = torch.tensor([0.5, -0.5])
    pad = LatentPad({"small": decoder})
    pad.positions = {"small": z.tolist()}
    knobs = CodeKnobs(encoder, decoder, images, examples.codes())
    grey = 255 * (1 - examples.as_sent(decoder)(z.double()).sigmoid())
    for widget in (pad, knobs, AncestralSampling(decoder)):
        widget.picture()
        page = harness.show(new_page(), widget)
        tiles = page.locator("canvas.vw-digit")
        sizes = tiles.evaluate_all("(all) => all.flatMap((tile) => [tile.width, tile.height])")
        assert set(sizes) == {side}
        if widget is pad:
            assert harness.tile(page, side=side) == pytest.approx(grey.tolist(), abs=1)


def test_a_rerun_panel_carries_the_picture_that_it_was_given():
    stream = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 30, 30)).save(stream, "png")
    panel = RerunPanel(lambda *_: b"", stream.getvalue(), alt="A red board, for a test")
    data, metadata = panel._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == stream.getvalue()
    assert data["text/plain"] == metadata["image/png"]["alt"] == "A red board, for a test"
    assert data[VIEW]["model_id"] == panel.model_id
