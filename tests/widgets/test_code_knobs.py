"""Code knobs: the encoder's code, the reader's code, and their losses."""

import examples
import harness
import pytest
import torch

from vae_lib.widgets import CodeKnobs

ENCODER, DECODER = examples.network(784, 32, 3, seed=4), examples.network(3, 32, 784, seed=5)
COUNT = len(examples.digits())


def losses(page) -> list[float]:
    return [float(text.removesuffix(" nats")) for text in page.locator("dd").all_inner_texts()]


def expected(chosen: int, code) -> tuple[float, torch.Tensor]:
    logits = examples.as_sent(DECODER)(torch.tensor([code]).double())[0]
    x = examples.digits()[chosen].double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return loss.item(), 255 * (1 - logits.sigmoid())


def assert_consistent(page):
    chosen, code = harness.trait(page, "chosen"), harness.trait(page, "code")
    loss, picture = expected(chosen, code)
    assert losses(page)[0] == pytest.approx(loss, abs=0.051)
    assert (torch.tensor(harness.tile(page, COUNT + 1)) - picture).abs().max() <= 1.001
    original = (255 * (1 - examples.digits()[chosen])).int().tolist()
    assert harness.tile(page, COUNT) == original


def test_it_opens_with_the_encoders_code(browser_page):
    page = harness.show(browser_page, examples.code_knobs())
    harness.settle(page)
    want = examples.as_sent(ENCODER)(examples.digits()[:1].double())[0]
    assert torch.tensor(harness.trait(page, "code")).double() == pytest.approx(want, abs=1e-5)
    assert losses(page)[0] == losses(page)[1]
    assert_consistent(page)


def test_of_an_encoder_with_mu_and_logvar_mu_is_the_code(browser_page):
    page = harness.show(browser_page, examples.code_knobs(encoder_outputs=6))
    harness.settle(page)
    encoder = examples.as_sent(examples.network(784, 32, 6, seed=4))
    want = encoder(examples.digits()[:1].double())[0, :3]
    assert torch.tensor(harness.trait(page, "code")).double() == pytest.approx(want, abs=1e-5)


def test_keys_turn_a_knob(browser_page):
    page = harness.show(browser_page, examples.code_knobs())
    harness.settle(page)
    before = harness.trait(page, "code")
    knob = page.get_by_role("slider", name="code unit 2")
    knob.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    harness.settle(page)
    after = harness.trait(page, "code")
    assert after[1] > before[1] and after[0] == before[0] and after[2] == before[2]
    assert knob.get_attribute("aria-valuetext") == f"{after[1]:.2f}".replace("-", "−")
    assert_consistent(page)


def test_the_pointer_turns_a_knob_and_the_button_turns_it_back(browser_page):
    page = harness.show(browser_page, examples.code_knobs())
    harness.settle(page)
    start = harness.trait(page, "code")
    harness.drag(page, page.get_by_role("slider", name="code unit 1"), (0.5, 0.5), (0.9, 0.5))
    low, high = harness.trait(page, "limits")[0]
    assert harness.trait(page, "code")[0] == pytest.approx(low + 0.9 * (high - low), rel=0.1)
    assert_consistent(page)
    page.get_by_role("button", name="Back to the encoder's code").click()
    harness.settle(page)
    assert harness.trait(page, "code") == start


def test_picking_a_digit_encodes_it(browser_page):
    page = harness.show(browser_page, examples.code_knobs())
    page.get_by_role("button", name="digit 4").click()
    harness.settle(page)
    want = examples.as_sent(ENCODER)(examples.digits()[3:4].double())[0]
    assert harness.trait(page, "chosen") == 3
    assert torch.tensor(harness.trait(page, "code")).double() == pytest.approx(want, abs=1e-5)
    assert_consistent(page)


def test_update_reaches_the_page(browser_page):
    widget = examples.code_knobs()
    page = harness.show(browser_page, widget)
    newer = examples.network(784, 8, 3, seed=12)
    widget.update(newer, DECODER)
    harness.push(page, widget, "encoder", "encoder_weights", "code")
    harness.settle(page)
    want = examples.as_sent(newer)(examples.digits()[:1].double())[0]
    assert torch.tensor(harness.trait(page, "code")).double() == pytest.approx(want, abs=1e-5)
    assert_consistent(page)


@pytest.mark.parametrize(
    ("encoder", "decoder", "codes", "message"),
    [
        (examples.network(784, 4), DECODER, examples.codes(size=3), "needs 3 or 6"),
        (examples.network(784, 20), examples.network(20, 784), examples.codes(size=20), "20 units"),
        (ENCODER, DECODER, examples.codes(size=2), "not \\[M, 3\\]"),
        (ENCODER, examples.network(3, 10), examples.codes(size=3), "no square image"),
    ],
)
def test_wrong_arguments_are_named(encoder, decoder, codes, message):
    with pytest.raises(ValueError, match=message):
        CodeKnobs(encoder, decoder, examples.digits(), codes)
