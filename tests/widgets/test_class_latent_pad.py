"""The class × latent pad: what it decodes, what its judge says, and what it refuses."""

import examples
import harness
import pytest
import torch
import traitlets
from torch.nn import functional as F

from vae_lib.widgets import ClassLatentPad

CHOSEN = 10  # the large tile follows the ten small ones


def picture(z, y) -> torch.Tensor:
    label = F.one_hot(torch.tensor(y), 10).double()
    logits = examples.as_sent(examples.CLASSES)(torch.cat([torch.tensor(z).double(), label]))
    return logits.sigmoid()


def assert_shows(page, index, z, y):
    want = (255 * (1 - picture(z, y))).round().tolist()
    assert harness.tile(page, index) == pytest.approx(want, abs=1)


def heights(page) -> list[float]:
    return page.locator(".vw-vote i").evaluate_all(
        "(all) => all.map((b) => parseFloat(b.style.height))"
    )


def test_ten_classes_of_one_style_and_the_chosen_one_large(browser_page):
    page = harness.show(browser_page, examples.class_latent_pad())
    for y in range(10):
        assert_shows(page, y, [0.0, 0.0], y)
    assert_shows(page, CHOSEN, [0.0, 0.0], 0)


def test_the_verdict_is_torchs(browser_page):
    """The classifier's softmax of the decoded picture, and its winner in words."""
    page = harness.show(browser_page, examples.class_latent_pad())
    for y in (0, 4):
        page.get_by_role("button", name=f"class {y}").click()
        harness.settle(page)
        share = examples.as_sent(examples.JUDGE)(picture([0.0, 0.0], y)).softmax(0)
        assert heights(page) == pytest.approx((100 * share).tolist(), abs=1e-3)
        said = page.locator(".vw-verdict .vw-number").inner_text()
        assert said == f"says {int(share.argmax())}, {100 * float(share.max()):.0f} %"
        agrees = int(share.argmax()) == y
        note = page.locator(".vw-verdict .vw-note").inner_text()
        assert note == ("as you asked" if agrees else f"and you asked for a {y}")


def test_choosing_a_class_moves_the_trait_and_keeps_z(browser_page):
    pad = examples.class_latent_pad()
    page = harness.show(browser_page, pad)
    pad.z = [1.0, -0.5]
    harness.push(page, pad, "z")
    page.get_by_role("button", name="class 7").click()
    harness.settle(page)
    assert harness.trait(page, "y") == 7
    assert harness.trait(page, "z") == [1.0, -0.5]
    assert page.get_by_role("button", name="class 7").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="class 0").get_attribute("aria-pressed") == "false"
    assert_shows(page, CHOSEN, [1.0, -0.5], 7)


def test_dragging_moves_z_in_every_class(browser_page):
    page = harness.show(browser_page, examples.class_latent_pad())
    harness.drag(page, page.locator(".vw-plane"), (0.5, 0.5), (0.7, 0.2))
    z = harness.trait(page, "z")
    assert z[0] > 0.5 and z[1] > 1
    for y in (0, 9):
        assert_shows(page, y, z, y)


def test_a_draw_repeats_with_its_seed(new_page):
    seen = []
    for seed in (3, 3, 4):
        page = harness.show(new_page(), examples.class_latent_pad(seed=seed))
        page.get_by_role("button", name="Draw z").click()
        harness.settle(page)
        seen.append(harness.trait(page, "z"))
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    ("z", "y", "z_shown", "y_shown"),
    [
        ([99, -99], 42, [3, -3], 9),
        (["x", None], -1, [0, 0], 0),
        ([], 2.4, [0, 0], 2),
        ([float("inf"), float("nan")], "x", [3, 0], 0),
    ],
)
def test_what_lies_out_of_reach_is_drawn_at_the_edge(browser_page, z, y, z_shown, y_shown):
    page = harness.show(browser_page, examples.class_latent_pad())
    low, high = page.evaluate("() => model.get('extent').slice(0, 2)")
    page.evaluate("([z, y]) => { model.set('z', z); model.set('y', y); }", [z, y])
    harness.settle(page)
    edge = [{3: high, -3: low}.get(value, value) for value in z_shown]
    assert_shows(page, CHOSEN, edge, y_shown)
    pressed = page.get_by_role("button", name=f"class {y_shown}").get_attribute("aria-pressed")
    assert pressed == "true"


def test_the_still_says_what_the_page_says():
    pad = examples.class_latent_pad()
    pad.z, pad.y = [0.5, 1.5], 3
    share = examples.as_sent(examples.JUDGE)(picture(pad.z, 3)).softmax(0)
    assert pad.verdict() == pytest.approx(share.numpy(), abs=1e-4)
    assert f"the classifier says {int(share.argmax())}, " in pad.alt
    _, decoded, votes = pad._draw().axes
    want = picture(pad.z, 3).reshape(28, 28).numpy()
    assert decoded.images[0].get_array().data == pytest.approx(want, abs=1e-4)
    bars = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in votes.patches}
    assert [bars[y] for y in range(10)] == pytest.approx(share.tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("z", [float("nan"), 0.0], "two finite numbers"),
        ("z", [float("inf"), 0.0], "two finite numbers"),
        ("z", [0.0, 0.0, 0.0], "of length 2"),
        ("y", 10, "y is 10: classes are 0 to 9"),
        ("y", -1, "y is -1"),
    ],
)
def test_a_trait_that_the_page_cannot_show_is_refused(trait, value, message):
    pad = examples.class_latent_pad()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(pad, trait, value)
    assert (pad.z, pad.y) == ([0.0, 0.0], 0)


def test_codes_may_be_a_list_an_array_or_have_gradients():
    codes, labels = examples.codes(), examples.LABELS
    pads = [
        ClassLatentPad(examples.CLASSES, examples.JUDGE, *given)
        for given in (
            (codes, labels),
            (codes.tolist(), labels.tolist()),
            (codes.numpy(), labels.numpy()),
            (codes.clone().requires_grad_(), labels.to(torch.int16)),
        )
    ]
    assert len({(pad.codes, pad.labels, tuple(pad.extent)) for pad in pads}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder": examples.network(2, 8, 784)}, "not z \\[2\\] and a one-hot label"),
        ({"decoder": examples.network(12, 8, 10)}, "no square image"),
        ({"classifier": examples.network(784, 4)}, "judges 784 pixels and 10 classes"),
        ({"labels": None}, "belong together"),
        ({"labels": examples.LABELS[:5]}, "there are 60 digits"),
        ({"labels": examples.LABELS > 4}, "dtype torch.bool: it must hold whole numbers"),
        ({"labels": examples.LABELS + 0.5}, "must hold whole numbers"),
        ({"codes": torch.zeros(0, 2), "labels": torch.zeros(0)}, "N >= 1"),
        (
            {"decoder": examples.network(5, 8, 784), "classifier": examples.network(784, 3)},
            "labels has classes outside 0 to 2",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    given = {"decoder": examples.CLASSES, "classifier": examples.JUDGE}
    given |= {"codes": examples.codes(), "labels": examples.LABELS}
    with pytest.raises(ValueError, match=message):
        ClassLatentPad(**given | change)
