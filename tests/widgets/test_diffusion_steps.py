"""The steps of a diffusion: its arithmetic is torch's, and its controls move the traits."""

import examples
import harness
import numpy as np
import pytest
import torch
import traitlets

from vae_lib.diffusion import Denoiser, Diffusion
from vae_lib.widgets import DiffusionSteps

EXPORTS = "noiseOf, stepBack, diffusionFilm, readMlp, doublesOf, normalDraws"
LAST = len(examples.SHARES) - 1


denoise = Denoiser(2, examples.SHARES)  # the library's, with the weights as they travel
denoise.net = examples.as_sent(examples.NOISE)
denoise.double()


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


def test_the_arrows_point_along_the_score(browser_page):
    """Against the predicted noise, on a grid of places."""
    page = shown(examples.diffusion_steps(), browser_page)
    for t in (1, 12):
        film = "(t) => module.diffusionFilm(model).arrows(t)"
        arrows = torch.tensor(page.evaluate(film, t)).double()
        places, want = arrows[:, :2], arrows[:, 2:]
        assert len(places.unique(dim=0)) == 121
        noise = denoise(places, torch.full((121,), t))
        torch.testing.assert_close(want, -noise, atol=1e-5, rtol=1e-5)


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


def test_the_bars_are_the_terms_and_the_present_one_is_marked(browser_page):
    film = examples.diffusion_steps()
    page = shown(film, browser_page)
    terms = (examples.SHARES + 0.1)[1:-1]
    bars = page.locator(".vw-terms i")
    heights = bars.evaluate_all("(all) => all.map((bar) => parseFloat(bar.style.height))")
    assert heights == pytest.approx((100 * terms / terms.max()).tolist(), abs=1e-3)
    for t in (2, 7, 12):
        film.t = t
        harness.push(page, film, "t")
        marked = bars.evaluate_all(
            "(all) => all.map((bar) => bar.classList.contains('vw-now') || 0)"
        )
        assert marked == [step == t for step in range(2, 13)]


def test_the_slider_and_the_directions_move_the_traits(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    page.locator("input").focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "t") == LAST // 2 + 1
    assert page.locator(".vw-terms .vw-now").count() == 1
    term = float(examples.SHARES[LAST // 2] + 0.1)
    readings = page.locator(".vw-readings").inner_text()
    assert f"{term:.3f} nats" in readings and f"{float(examples.SHARES[7]):.3f}" in readings
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
    page.get_by_role("button", name="Play").click()
    page.locator("input").press("ArrowRight")
    assert page.get_by_role("button", name="Pause").count() == 0, "the reader moves it now"


def test_a_view_that_is_left_plays_no_more(browser_page):
    page = shown(examples.diffusion_steps(), browser_page)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('t') < 6")
    stopped = page.evaluate("() => (window.leave(), model.get('t'))")
    page.wait_for_timeout(300)
    assert harness.trait(page, "t") == stopped


@pytest.mark.parametrize(("asked", "shown_at"), [(99, 12), (-3, 0), (6.4, 6), ("x", 0), (None, 0)])
@pytest.mark.parametrize("backwards", [True, False])
def test_a_step_that_there_is_not_shows_the_nearest_one(browser_page, asked, shown_at, backwards):
    page = shown(examples.diffusion_steps(), browser_page)
    page.evaluate(
        "([t, b]) => { model.set('backwards', b); model.set('t', t); }", [asked, backwards]
    )
    harness.settle(page)
    assert page.locator("input").input_value() == str(shown_at)
    assert f"step {shown_at} of 12" in page.locator(".vw-plane").get_attribute("aria-label")


@pytest.mark.parametrize("way", ["Forwards", "Backwards"])
def test_reset_stops_what_plays(browser_page, way):
    page = shown(examples.diffusion_steps(), browser_page)
    page.get_by_role("button", name=way).click()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('t') !== 6")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(300)
    assert (harness.trait(page, "t"), harness.trait(page, "backwards")) == (6, True)
    assert page.get_by_role("button", name="Pause").count() == 0


def test_a_long_way_back_leaves_the_page_its_time(browser_page):
    """With no patience at all a frame goes one step; the last picture is the same."""
    page = shown(examples.diffusion_steps(), browser_page)
    steps = page.evaluate(
        """() => {
            const film = module.diffusionFilm(model);
            const reached = [film.reach(9, 0), film.reach(9, Infinity), film.reach(10, 0)];
            return [...reached, film.dots(9, true).length];
        }"""
    )
    assert steps == [12, 9, 10, 80]
    page.evaluate("model.set('noise_seed', 5)")
    harness.settle(page)
    picture = "() => document.querySelector('canvas').toDataURL()"
    at_once = page.evaluate(picture)
    page.evaluate("performance.now = () => (performance.tick = (performance.tick ?? 0) + 30)")
    page.evaluate("model.set('noise_seed', 6)")
    harness.settle(page)
    page.evaluate("model.set('noise_seed', 5)")
    page.wait_for_function(f"want => ({picture})() === want", arg=at_once)


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
    assert f"term of the bound is {float(examples.SHARES[4]) + 0.1:.3f} nats" in widget.alt


def test_the_still_goes_back_from_the_last_step_to_its_own():
    widget, generator = examples.diffusion_steps(noise_seed=3), np.random.default_rng(3)
    widget.t, want = LAST, generator.normal(size=(40, 2))
    np.testing.assert_allclose(widget.dots(), want)
    for t in range(LAST, 0, -1):
        want = widget.step_back(want, t, generator.normal(size=(40, 2)))
        widget.t = t - 1
        np.testing.assert_allclose(widget.dots(), want)


@pytest.mark.parametrize("t", [2, 7, 12])
def test_the_still_is_of_its_step(t):
    widget = examples.diffusion_steps()
    widget.t = t
    plane, terms = widget._draw().axes
    (arrows,) = plane.collections
    noise = denoise(torch.tensor(arrows.XY).double(), torch.full((81,), t)).detach()
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), -noise, atol=1e-4)
    bars = {round(bar.get_x() + bar.get_width() / 2): bar for bar in terms.patches}
    assert [bars[step].get_height() for step in range(2, 13)] == pytest.approx(
        (examples.SHARES + 0.1)[1:-1].tolist()
    )
    other = bars[2 if t > 2 else 3].get_facecolor()
    assert [step for step in bars if bars[step].get_facecolor() != other] == [t]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_of_any_dtype_and_with_gradients_are_taken(dtype):
    share, points = examples.SHARES.clone(), examples.codes(40).to(dtype)
    terms = (share + 0.1).to(dtype)
    film = DiffusionSteps(
        examples.NOISE, *(part.requires_grad_() for part in (share, points, terms))
    )
    assert np.frombuffer(film.alpha_bar).tolist() == examples.SHARES.tolist()
    assert np.frombuffer(film.terms).tolist() == terms.tolist()
    listed = DiffusionSteps(examples.NOISE, share.tolist(), points.tolist(), terms.tolist())
    assert (listed.alpha_bar, listed.terms) == (film.alpha_bar, film.terms)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("t", 13, "t is 13: steps are 0 to 12"),
        ("t", -1, "t is -1: steps are 0 to 12"),
        ("t", 2.5, "expected an int"),
        ("noise_seed", -1, "should not be less than 0"),
    ],
)
def test_a_trait_that_the_page_cannot_show_is_refused(trait, value, message):
    film = examples.diffusion_steps()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(film, trait, value)
    assert (film.t, film.noise_seed) == (6, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": examples.network(3, 8, 2)}, "two roots"),
        ({"alpha_bar": [0.9, 0.5, 0.1], "terms": [1.0] * 3}, "exactly 1"),
        ({"alpha_bar": [1.0, 0.5, 0.0], "terms": [1.0] * 3}, "end above 0"),
        ({"terms": [1.0, 2.0]}, "terms has shape"),
        ({"points": torch.zeros(4, 3)}, "points has shape"),
        ({"points": torch.zeros(0, 2)}, "N >= 1"),
        ({"points": torch.zeros(4167, 2)}, r"4167 points and 12 steps .* points\[:4166\]"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    given = {"network": examples.NOISE, "alpha_bar": examples.SHARES, "points": examples.codes(40)}
    with pytest.raises(ValueError, match=message):
        DiffusionSteps(**given | {"terms": examples.SHARES} | change)
