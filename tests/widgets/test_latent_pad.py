"""The latent pad: what it decodes, and how it is moved, followed and refused."""

import examples
import harness
import pytest
import torch
from torch import nn

from vae_lib.widgets import LatentPad


def decoded(decoder, z) -> list[int]:
    """Grey levels that the tile should show: white paper, black ink."""
    logits = examples.as_sent(decoder)(torch.tensor([z]).double())[0]
    return (255 * (1 - logits.sigmoid())).round().int().tolist()


def assert_shows(page, index, decoder, z):
    got, want = harness.tile(page, index), decoded(decoder, z)
    assert (
        max(abs(a - b) for a, b in zip(got, want, strict=True)) <= 1
    )  # a level on a rounding edge


def test_pads_show_what_torch_decodes(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    assert_shows(page, 0, examples.AE, [0.0, 0.0])
    assert_shows(page, 1, examples.VAE, [0.0, 0.0])


def test_pointer_moves_one_handle_and_the_trait_follows(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    x0, x1, y0, y1 = harness.trait(page, "pads")[1]["extent"]
    harness.drag(page, page.locator(".vw-plane").nth(1), (0.5, 0.5), (0.8, 0.3))
    x, y = harness.trait(page, "positions")["VAE"]
    assert x == pytest.approx(x0 + 0.8 * (x1 - x0), abs=0.05)
    assert y == pytest.approx(y1 - 0.3 * (y1 - y0), abs=0.05)
    assert harness.trait(page, "positions")["AE"] == [0, 0]
    assert_shows(page, 1, examples.VAE, [x, y])
    assert_shows(page, 0, examples.AE, [0.0, 0.0])
    assert page.evaluate("model.saved") > 0


def test_a_finger_moves_the_handle(new_page):
    page = harness.show(
        new_page(has_touch=True, viewport={"width": 375, "height": 800}), examples.latent_pad()
    )
    surface = page.locator(".vw-plane").nth(1)
    harness.swipe(page, surface, (0.5, 0.5), (0.3, 0.6), (0.2, 0.9))
    x, y = harness.trait(page, "positions")["VAE"]
    assert x < -1 and y < -1
    assert_shows(page, 1, examples.VAE, [x, y])


def test_keys_move_it_and_it_says_where_it_is(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    page.evaluate(
        "document.addEventListener('keydown', (e) => (window.leaked ||= e.key.startsWith('Arrow')))"
    )
    handle = page.get_by_role("slider", name="VAE: latent vector z")
    handle.focus()
    low, high, *_ = harness.trait(page, "pads")[1]["extent"]
    width = 0.02 * (high - low)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    harness.settle(page)
    assert harness.trait(page, "positions")["VAE"] == pytest.approx([width, -5 * width])
    assert handle.get_attribute("aria-valuetext") == "z = (0.1, −0.6)"
    assert_shows(page, 1, examples.VAE, [width, -5 * width])
    assert not page.evaluate("window.leaked === true"), "the page's own shortcuts heard the key"
    page.keyboard.press("Home")
    harness.settle(page)
    assert harness.trait(page, "positions")["VAE"] == [0, 0]
    assert handle.evaluate("(node) => node.hasAttribute('data-lm-suppress-shortcuts')")


def test_the_handle_stays_on_the_plane(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    page.get_by_role("slider", name="VAE: latent vector z").focus()
    for _ in range(30):
        page.keyboard.press("Shift+ArrowLeft")
    low = harness.trait(page, "pads")[1]["extent"][0]
    assert harness.trait(page, "positions")["VAE"][0] == pytest.approx(low)


def test_python_moves_it(browser_page):
    pad = examples.latent_pad()
    page = harness.show(browser_page, pad)
    pad.positions = {**pad.positions, "VAE": [1.0, -2.0]}
    harness.push(page, pad, "positions")
    assert_shows(page, 1, examples.VAE, [1.0, -2.0])
    assert "z = (1.0, −2.0)" in page.locator(".vw-handle").nth(1).get_attribute("aria-valuetext")


def test_update_reaches_the_page_and_leaves_the_rest(browser_page):
    pad = examples.latent_pad()
    page = harness.show(browser_page, pad)
    page.locator(".vw-handle").nth(1).focus()
    newer = examples.network(2, 16, 784, activation=nn.Tanh, seed=9)
    pad.update("VAE", decoder=newer, codes=examples.codes(scale=3.0))
    harness.push(page, pad, "pads")
    assert_shows(page, 1, newer, [0.0, 0.0])
    assert_shows(page, 0, examples.AE, [0.0, 0.0])
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("VAE")


def test_prior_draws_are_the_same_for_both_and_repeat(new_page):
    seen = []
    for _ in range(2):
        page = harness.show(new_page(), examples.latent_pad())
        page.get_by_role("button", name="Draw z from N(0, I)").click()
        seen.append(harness.trait(page, "positions"))
    assert seen[0] == seen[1]
    assert seen[0]["AE"] == seen[0]["VAE"] != [0, 0]


def test_a_class_is_brought_forward_by_its_button(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    canvas = page.locator(".vw-plane canvas").first
    before = canvas.evaluate("(node) => node.toDataURL()")
    page.get_by_role("button", name="show the 7s").click()
    harness.settle(page)
    assert canvas.evaluate("(node) => node.toDataURL()") != before
    assert page.get_by_role("button", name="show the 7s").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="show the 7s").click()
    harness.settle(page)
    assert canvas.evaluate("(node) => node.toDataURL()") == before


def test_leaving_lets_go_of_the_model(browser_page):
    page = harness.show(browser_page, examples.latent_pad())
    assert page.evaluate("model.listeners()") > 0
    page.evaluate("window.leave()")
    assert page.evaluate("model.listeners()") == 0


def test_extents_cover_the_codes():
    pad = LatentPad({"AE": examples.AE}, {"AE": examples.codes(scale=20.0)})
    x0, x1, y0, y1 = pad.pads[0]["extent"]
    assert x1 - x0 == pytest.approx(y1 - y0, abs=0.2)
    assert x0 < -20 and y1 > 20
    alone = LatentPad({"VAE": examples.VAE}, prior=["VAE"]).pads[0]["extent"]
    assert alone == pytest.approx([-3.15, 3.15, -3.15, 3.15], abs=0.06)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "decoders is empty"),
        (({"VAE": examples.network(3, 8, 784)},), "takes 3 latent dimensions"),
        (({"VAE": examples.network(2, 8, 10)},), "no square image"),
        (({"VAE": examples.VAE}, {"AE": examples.codes()}), "no decoder is called 'AE'"),
        (({"VAE": examples.VAE}, {"VAE": torch.zeros(60, 3)}), "not \\[N, 2\\]"),
        (({"VAE": examples.VAE}, {"VAE": torch.full((2, 2), torch.nan)}), "NaN"),
        (
            ({"VAE": examples.VAE}, {"VAE": examples.codes(9)}, examples.LABELS),
            "there are 9 digits",
        ),
        (({"VAE": examples.VAE}, {"VAE": examples.codes()}, examples.LABELS + 5), "outside 0 to 9"),
        (({"VAE": examples.VAE}, None, examples.LABELS), "labels belong to the codes"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentPad(*arguments)


def test_wrong_extents_and_updates_are_named():
    with pytest.raises(ValueError, match="x_min < x_max"):
        LatentPad({"VAE": examples.VAE}, extents={"VAE": (3, -3, -3, 3)})
    pad = examples.latent_pad()
    with pytest.raises(ValueError, match="no decoder is called 'vae'"):
        pad.update("vae", decoder=examples.VAE)
    with pytest.raises(ValueError, match="3 codes of VAE for 60 labels"):
        pad.update("VAE", codes=examples.codes(3))


def test_networks_that_cannot_run_in_the_browser_are_named():
    conv = nn.Sequential(nn.Linear(2, 784), nn.Unflatten(1, (1, 28, 28)))
    with pytest.raises(TypeError, match=r"VAE has a Unflatten layer.*net='mlp'"):
        LatentPad({"VAE": conv})
    broken = examples.network(2, 8, 784)
    broken[0].weight.data[0, 0] = 1e6
    with pytest.raises(ValueError, match="beyond float16"):
        LatentPad({"VAE": broken})
    with pytest.raises(ValueError, match="gives 8 values and the next one takes 9"):
        LatentPad({"VAE": nn.Sequential(nn.Linear(2, 8), nn.Linear(9, 784))})
