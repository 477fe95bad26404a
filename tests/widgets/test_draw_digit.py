"""Draw a digit: from strokes to x, q(z|x), z and the decoded digit, against torch."""

import base64

import examples
import harness
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lib.widgets import DrawDigit

SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]
STROKES = [[[8, 7], [20, 7], [12, 23]], [[9, 15], [18, 15]]]


@pytest.fixture
def desk(browser_page):
    return harness.show(browser_page, examples.draw_digit(), exports="likeMnist, inkOf")


def image(page) -> torch.Tensor:
    text = page.evaluate("btoa(String.fromCharCode(...new Uint8Array(model.get('image').buffer)))")
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8).int()


def readings(page) -> dict[str, str]:
    return dict(
        zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True)
    )


def mnist_like(page, strokes) -> torch.Tensor:
    return torch.tensor(page.evaluate("(s) => Array.from(module.likeMnist(s))", strokes))


def assert_consistent(page):
    """Whatever is drawn: μ, σ, z, KL, −log p(x|z) and the tiles are torch's for the image."""
    x = (image(page) > 127).double()
    mu, logvar = examples.as_sent(examples.ENCODER)(x[None])[0].chunk(2)
    eps = torch.tensor(harness.trait(page, "eps")).double()
    z = torch.tensor(harness.trait(page, "z")).double()
    assert torch.tensor(harness.trait(page, "mu")).double() == pytest.approx(mu, abs=1e-5)
    assert torch.tensor(harness.trait(page, "logvar")).double() == pytest.approx(logvar, abs=1e-5)
    assert z == pytest.approx(mu + (logvar / 2).exp() * eps, abs=1e-5)
    logits = examples.as_sent(examples.VAE)(z[None])[0]
    shown = torch.tensor(harness.tile(page, 1))
    assert (shown - 255 * (1 - logits.sigmoid())).abs().max() <= 1.001
    assert torch.equal(torch.tensor(harness.tile(page, 0)), (255 * (1 - x)).int())
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum().item()
    nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum").item()
    numbers = readings(page)
    assert float(numbers["KL(q(z|x) ‖ p(z))"].removesuffix(" nats")) == pytest.approx(kl, abs=0.051)
    assert float(numbers["−log p(x|z)"].removesuffix(" nats")) == pytest.approx(nll, abs=0.051)


def test_it_opens_with_the_first_sample(desk):
    assert torch.equal(image(desk), (255 * examples.digits()[0]).int())
    assert_consistent(desk)


def test_the_mouse_draws(desk):
    harness.drag(desk, desk.locator(".vw-board"), *SEVEN)
    assert not torch.equal(image(desk), (255 * examples.digits()[0]).int())
    assert image(desk).max() == 255
    assert_consistent(desk)


def test_a_finger_draws(new_page):
    page = new_page(has_touch=True, viewport={"width": 375, "height": 800})
    harness.show(page, examples.draw_digit())
    harness.swipe(page, page.locator(".vw-board"), *SEVEN)
    assert image(page).max() == 255
    assert_consistent(page)


def test_the_keyboard_draws_and_says_so(desk):
    desk.get_by_role("button", name="Clear").click()
    desk.locator(".vw-board").focus()
    desk.keyboard.press("Space")
    for key in ["ArrowDown"] * 6 + ["ArrowRight"] * 3:
        desk.keyboard.press(key)
    desk.keyboard.press("Space")
    harness.settle(desk)  # the drawing is announced as well, and must not speak last
    drawn = image(desk)
    desk.keyboard.press("ArrowLeft")  # the pen is up: nothing more is drawn
    harness.settle(desk)
    assert drawn.max() == 255 and torch.equal(image(desk), drawn)
    assert_consistent(desk)
    desk.wait_for_function("document.querySelector('[aria-live]').textContent.includes('Pen at')")


def test_samples_load_and_strokes_replace_them(desk):
    desk.get_by_role("button", name="digit 3", exact=True).click()
    harness.settle(desk)
    assert torch.equal(image(desk), (255 * examples.digits()[2]).int())
    assert desk.get_by_role("button", name="digit 3").get_attribute("aria-pressed") == "true"
    assert_consistent(desk)
    harness.drag(desk, desk.locator(".vw-board"), *SEVEN)
    assert desk.get_by_role("button", name="digit 3").get_attribute("aria-pressed") == "false"
    assert_consistent(desk)


def test_sampling_repeats_from_its_seed_and_can_go_back_to_the_mean(new_page):
    seen = []
    for _ in range(2):
        page = harness.show(new_page(), examples.draw_digit())
        page.get_by_role("button", name="Sample z again").click()
        harness.settle(page)
        assert_consistent(page)
        seen.append(harness.trait(page, "eps"))
        page.get_by_role("button", name="Sample z again").click()
        assert harness.trait(page, "eps") != seen[-1]
        page.get_by_role("button", name="z = μ").click()
        harness.settle(page)
        assert harness.trait(page, "z") == harness.trait(page, "mu")
    assert seen[0] == seen[1] != [0, 0]


def test_an_empty_board_shows_no_code(desk):
    desk.get_by_role("button", name="Clear").click()
    harness.settle(desk)
    assert set(readings(desk).values()) == {"–"}
    assert set(harness.tile(desk, 1)) == {255}


def test_drawings_are_centred_as_mnist_does(desk):
    ink = mnist_like(desk, STROKES).reshape(28, 28)
    pixels = torch.arange(28) + 0.5
    assert ((ink.sum(1) * pixels).sum() / ink.sum()).item() == pytest.approx(14.5, abs=0.1)
    assert ((ink.sum(0) * pixels).sum() / ink.sum()).item() == pytest.approx(14.5, abs=0.1)
    tall = (ink > 0.5).any(1).sum().item()
    assert 19 <= tall <= 21  # fitted to a box of 20
    assert ink.min() == 0 and ink.max() == 1


@pytest.mark.parametrize(
    ("scale", "dx", "dy"), [(1, 3, -4), (0.5, 0, 0), (0.6, 9, 2), (1.2, -5, 0)]
)
def test_where_and_how_large_one_draws_does_not_matter(desk, scale, dx, dy):
    moved = [[[scale * x + dx, scale * y + dy] for x, y in stroke] for stroke in STROKES]
    assert mnist_like(desk, moved) == pytest.approx(mnist_like(desk, STROKES), abs=1e-4)


def test_a_dot_stays_a_dot(desk):
    dot = mnist_like(desk, [[[3, 3]]])
    assert 0 < dot.sum() < 12
    assert mnist_like(desk, []).sum() == 0


def test_python_sets_the_image_and_newer_networks(browser_page):
    desk = examples.draw_digit()
    page = harness.show(browser_page, desk)
    desk.image = (255 * examples.digits()[3]).to(torch.uint8).numpy().tobytes()
    harness.push(page, desk, "image")
    assert_consistent(page)
    before = harness.trait(page, "mu")
    newer = examples.network(784, 16, 4, seed=11)
    desk.update(newer, examples.VAE, examples.codes(scale=2.0))
    harness.push(page, desk, "encoder", "encoder_weights", "codes", "extent")
    x = (image(page) > 127).double()
    want = examples.as_sent(newer)(x[None])[0, :2]
    assert harness.trait(page, "mu") != before
    assert torch.tensor(harness.trait(page, "mu")).double() == pytest.approx(want, abs=1e-5)


def test_grey_input_is_passed_on_grey(browser_page):
    grey = 0.3 * examples.digits()
    widget = DrawDigit(examples.ENCODER, examples.VAE, grey, binarise=False)
    page = harness.show(browser_page, widget)
    x = (255 * grey[0]).round() / 255
    want = examples.as_sent(examples.ENCODER)(x[None].double())[0, :2]
    assert torch.tensor(harness.trait(page, "mu")).double() == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize(
    ("encoder", "decoder", "samples", "options", "message"),
    [
        (examples.network(784, 8, 2), examples.VAE, examples.digits(), {}, "gives 2 values"),
        (examples.network(99, 8, 4), examples.VAE, examples.digits(), {}, "takes 99 values"),
        (examples.ENCODER, examples.network(8, 784), examples.digits(), {}, "this figure shows 2"),
        (examples.ENCODER, examples.VAE, examples.digits()[0], {}, "not \\[N, 784\\]"),
        (examples.ENCODER, examples.VAE, 255 * examples.digits(), {}, "divide bytes by 255"),
        (
            examples.ENCODER,
            examples.VAE,
            examples.digits(),
            {"labels": examples.LABELS},
            "0 digits",
        ),
    ],
)
def test_wrong_arguments_are_named(encoder, decoder, samples, options, message):
    with pytest.raises(ValueError, match=message):
        DrawDigit(encoder, decoder, samples, **options)


# The guide


def step_of(page) -> str:
    return page.locator(".vw-guide .vw-number").inner_text()


def test_the_guide_points_at_what_it_speaks_of_and_ends(desk):
    pointed = []
    for k in range(1, 5):
        assert step_of(desk) == f"{k} of 4"
        pointed.append(desk.locator(".vw-pointed").evaluate_all("(all) => all.map(String)"))
        desk.locator(".vw-guide").get_by_role("button", name="Next" if k < 4 else "Done").click()
    assert desk.locator(".vw-guide").is_hidden()
    assert desk.locator(".vw-pointed").count() == 0
    assert all(pointed) and pointed[0] == ["[object HTMLCanvasElement]"]
    assert "[object SVGEllipseElement]" in pointed[2]


def test_the_guide_goes_by_keyboard_and_can_be_skipped_and_asked_for(desk):
    desk.get_by_role("button", name="Next").focus()
    desk.keyboard.press("Enter")
    assert step_of(desk) == "2 of 4"
    assert "μ" in desk.locator(".vw-guide p").inner_text()
    desk.get_by_role("button", name="Back").focus()
    desk.keyboard.press("Space")
    assert step_of(desk) == "1 of 4"
    next_step = desk.get_by_role("button", name="Next")
    assert next_step.evaluate("(node) => node === document.activeElement"), "Back is off now"
    desk.keyboard.press("Escape")
    assert desk.locator(".vw-guide").is_hidden()
    again = desk.get_by_role("button", name="Guide me")
    assert again.evaluate("(node) => node === document.activeElement"), "the focus is not lost"
    desk.keyboard.press("Enter")
    assert step_of(desk) == "1 of 4"


def test_nothing_moves_from_step_to_step_and_all_that_a_step_points_at_is_in_sight(desk):
    desk.set_viewport_size({"width": 375, "height": 800})
    tops = []
    for k in range(1, 5):
        tops.append(desk.evaluate("document.querySelector('.vw-board').offsetTop"))
        guide = desk.locator(".vw-guide")
        guide.get_by_role("button", name="Next" if k < 4 else "Done").click()
        for node in desk.locator(".vw-pointed").all():
            box = node.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    assert len(set(tops)) == 1


def test_the_guide_is_shown_once_unless_asked_for(desk):
    assert desk.locator(".vw-guide").is_visible()
    desk.reload()  # although nothing was pressed
    desk.wait_for_function("window.ready === true")
    assert desk.locator(".vw-guide").is_hidden()
    desk.get_by_role("button", name="Guide me").click()
    assert desk.locator(".vw-guide").is_visible()


def test_a_page_that_may_store_nothing_shows_the_guide_and_works(browser_page):
    browser_page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    page = harness.show(browser_page, examples.draw_digit())
    assert step_of(page) == "1 of 4"
    page.get_by_role("button", name="Skip").click()
    assert page.locator(".vw-guide").is_hidden()
    assert_consistent(page)
