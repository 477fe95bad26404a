"""The steps of a diffusion: its arithmetic is torch's, and its controls move the traits."""

import examples
import harness
import numpy as np
import pytest
import torch

from vae_lib.diffusion import Diffusion
from vae_lib.widgets import DiffusionSteps

EXPORTS = "noiseOf, stepBack, diffusionFilm, readMlp, doublesOf, normalDraws"
LAST = len(examples.SHARES) - 1


def denoise(x, t):
    """ε̂ in float64, with the weights as they travel."""
    share = examples.SHARES[t][..., None]
    signal, noise = share.sqrt(), (1 - share).sqrt()
    times = torch.cat([signal, noise], -1).expand(*x.shape[:-1], 2)
    return noise * x + signal * examples.as_sent(examples.NOISE)(torch.cat([x, times], -1))


def shown(widget, browser_page):
    return harness.show(browser_page, widget, exports=EXPORTS)


def test_the_noise_is_the_networks(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    places = [[0.3, -1.2], [2.0, 0.5], [-0.7, -0.1]]
    got = page.evaluate(
        """(places) => {
            const share = module.doublesOf(model.get("alpha_bar"));
            const layers = module.readMlp(model.get("network"), model.get("weights"));
            const noise = module.noiseOf(layers, share);
            return [1, 6, 12].map((t) => places.map(([x, y]) => noise(x, y, t)));
        }""",
        places,
    )
    x = torch.tensor(places, dtype=torch.float64)
    for row, t in zip(got, (1, 6, 12), strict=True):
        want = denoise(x, torch.full((3,), t))
        torch.testing.assert_close(torch.tensor(row).double(), want, atol=1e-5, rtol=1e-5)


def test_a_whole_path_back_is_the_librarys_with_the_same_draws(browser_page):
    page = shown(examples.diffusion_steps(noise_seed=3), browser_page)
    path, draws = page.evaluate(
        """() => {
            const film = module.diffusionFilm(model);
            const path = Array.from({ length: 13 }, (_, t) => Array.from(film.dots(12 - t, true)));
            const next = module.normalDraws(model.get("noise_seed"));
            return [path, Array.from({ length: 80 * 13 }, next)];
        }"""
    )
    model = Diffusion(denoise, 2, examples.SHARES).double()
    eps = torch.tensor(draws, dtype=torch.float64).reshape(13, 40, 2)
    x = eps[0]
    for k, t in enumerate(range(LAST, -1, -1)):
        got = torch.tensor(path[k], dtype=torch.float64).reshape(40, 2)
        torch.testing.assert_close(got, x, atol=1e-4, rtol=1e-4)
        if t:
            x = model.step(x, torch.full((40,), t), eps[k + 1])


def test_forwards_is_the_data_and_noise_in_one_jump(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    dots, noise = page.evaluate(
        """() => {
            const film = module.diffusionFilm(model);
            return [4, 12].map((t) => Array.from(film.dots(t, t === 12)));
        }"""
    )
    share = float(examples.SHARES[4])
    want = share**0.5 * examples.codes(40) + (1 - share) ** 0.5 * torch.tensor(noise).reshape(40, 2)
    torch.testing.assert_close(torch.tensor(dots).reshape(40, 2), want, atol=1e-5, rtol=1e-5)


def test_the_slider_and_the_directions_move_the_traits(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    page.locator("input").focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "t") == LAST // 2 + 1
    assert page.locator(".vw-terms .vw-now").count() == 1
    term = float(examples.SHARES[LAST // 2] + 0.1)
    assert f"{term:.3f} nats" in page.locator(".vw-readings").inner_text()
    page.get_by_role("button", name="Forwards").click()
    harness.settle(page)
    assert harness.trait(page, "backwards") is False
    pressed = page.get_by_role("button", name="Forwards").get_attribute("aria-pressed")
    assert pressed == "true"
    assert "Forwards, step 7 of 12" in page.locator(".vw-plane").get_attribute("aria-label")


def test_it_plays_to_the_end_and_pauses(browser_page):
    widget = examples.diffusion_steps()
    page = shown(widget, browser_page)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('t') === 0")
    page.get_by_role("button", name="Play").wait_for()
    page.get_by_role("button", name="Play").click()  # from the start again
    page.wait_for_function("model.get('t') === 10")
    page.get_by_role("button", name="Pause").click()
    stopped = harness.trait(page, "t")
    page.wait_for_timeout(300)
    assert harness.trait(page, "t") == stopped > 0


def test_without_motion_it_goes_to_the_end_at_once(browser_page):
    browser_page.emulate_media(reduced_motion="reduce")
    page = shown(examples.diffusion_steps(), browser_page)
    page.get_by_role("button", name="Play").click()
    assert harness.trait(page, "t") == 0
    assert page.get_by_role("button", name="Pause").count() == 0


def test_new_noise_is_other_noise(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    picture = "() => document.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    page.get_by_role("button", name="New noise").click()
    harness.settle(page)
    assert harness.trait(page, "noise_seed") == 1
    assert page.evaluate(picture) != before


def test_the_still_takes_the_librarys_steps():
    widget = examples.diffusion_steps()
    x, eps = examples.codes(40), torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    model = Diffusion(denoise, 2, examples.SHARES).double()
    for t in (1, 7):
        want = model.step(x.double(), torch.full((40,), t), eps.double()).numpy()
        got = widget.step_back(x.numpy(), t, eps.numpy())
        np.testing.assert_allclose(got, want, atol=1e-4)
    widget.t, widget.backwards = 5, False
    assert widget.dots().shape == (40, 2)
    assert "from the data into noise, at step 5 of 12" in widget.alt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": examples.network(3, 8, 2)}, "two roots"),
        ({"alpha_bar": [0.9, 0.5, 0.1], "terms": [1.0] * 3}, "exactly 1"),
        ({"alpha_bar": [1.0, 0.5, 0.0], "terms": [1.0] * 3}, "end above 0"),
        ({"terms": [1.0, 2.0]}, "terms has shape"),
        ({"points": torch.zeros(4, 3)}, "points has shape"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    given = {"network": examples.NOISE, "alpha_bar": examples.SHARES, "points": examples.codes(40)}
    with pytest.raises(ValueError, match=message):
        DiffusionSteps(**given | {"terms": examples.SHARES} | change)
