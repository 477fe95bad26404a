"""Ancestral sampling: the steps in their order, the pixels' law, and numbers that add up."""

import examples
import harness
import pytest
import torch

from vae_lib.widgets import AncestralSampling

DECODER = examples.network(2, 32, 784, seed=7)


def show(page):
    return harness.show(page, AncestralSampling(DECODER, seed=3))


def press(page, name: str):
    page.get_by_role("button", name=name).click()
    harness.settle(page)


def logits(page) -> torch.Tensor:
    return examples.as_sent(DECODER)(torch.tensor([harness.trait(page, "z")]).double())[0]


def drawn(page) -> torch.Tensor:
    return torch.tensor(harness.tile(page, 1)).eq(0).double()


def test_it_goes_down_the_graph_step_by_step(browser_page):
    page = show(browser_page)
    assert set(harness.tile(page, 0)) == set(harness.tile(page, 1)) == {255}
    press(page, "Decode z")
    want = 255 * (1 - logits(page).sigmoid())
    assert (torch.tensor(harness.tile(page, 0)) - want).abs().max() <= 1.001
    assert set(harness.tile(page, 1)) == {255}
    press(page, "Draw the pixels")
    assert set(harness.tile(page, 1)) == {0, 255}
    before = harness.trait(page, "z")
    press(page, "Start again")
    assert harness.trait(page, "step") == 1
    assert harness.trait(page, "z") != before


def test_the_numbers_are_the_log_densities(browser_page):
    page = show(browser_page)
    press(page, "Decode z")
    press(page, "Draw the pixels")
    z = torch.tensor(harness.trait(page, "z")).double()
    prior = torch.distributions.Normal(0, 1).log_prob(z).sum()
    likelihood = torch.distributions.Bernoulli(logits=logits(page)).log_prob(drawn(page)).sum()
    texts = page.locator("dd").all_inner_texts()
    shown = [float(text.removesuffix(" nats").replace("−", "-")) for text in texts]
    want = [prior.item(), likelihood.item(), (prior + likelihood).item()]
    assert shown == pytest.approx(want, abs=0.0051)


def test_pixels_follow_their_probabilities(browser_page):
    page = show(browser_page)
    press(page, "Decode z")
    press(page, "Draw the pixels")
    probability, total = logits(page).sigmoid(), torch.zeros(784).double()
    for _ in range(20):
        press(page, "New pixels, same z")
        total += drawn(page)
    variance = (20 * probability * (1 - probability)).sum()
    assert (total - 20 * probability).sum().abs() < 5 * variance.sqrt()


def test_the_handle_moves_z_by_key_and_by_pointer(browser_page):
    page = show(browser_page)
    page.locator(".vw-handle").press("ArrowRight")
    assert harness.trait(page, "z")[0] == pytest.approx(0.14)
    harness.drag(page, page.locator(".vw-plane"), (0.5, 0.5), (0.9, 0.2))
    assert harness.trait(page, "z") == pytest.approx([2.8, 2.1], abs=0.05)


def test_wrong_decoders_are_named():
    with pytest.raises(ValueError, match="latent"):
        AncestralSampling(examples.network(3, 8, 784))
