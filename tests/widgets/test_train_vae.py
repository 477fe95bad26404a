"""The VAE that learns in the page: its gradients and its Adam are torch's, its runs repeat."""

import base64

import examples
import harness
import numpy as np
import pytest
import torch

from vae_lib import bounds, data
from vae_lib.models import VAE
from vae_lib.widgets import TrainVAE

WORKER = "zeros, traces, forward, backward, adamStep, adamState, newRun, trainEpoch, report"
LOAD = f"""async () => {{
  const text = window.module.TRAINER + "\\nexport {{ {WORKER} }};";
  const url = URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }}));
  window.trainer = await import(url);
  window.put = (into, from) => Object.keys(from).forEach((name) => into[name].set(from[name]));
  window.lists = (from) =>
    Object.fromEntries(Object.entries(from).map(([name, values]) => [name, Array.from(values)]));
}}"""


def small(images):
    return images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).flatten(1)


def digits_figure(**options) -> TrainVAE:
    train, heldout = data.load_digits("train"), data.load_digits("heldout")
    return TrainVAE(small(train.images), small(heldout.images), heldout.labels, **options)


@pytest.fixture
def trainer(browser_page):
    """A page in which the worker's functions can be called."""
    page = harness.show(browser_page, examples.train_vae(), exports="TRAINER")
    page.evaluate(LOAD)
    return page


def network() -> VAE:
    return VAE(2, (64,), shape=(14, 14), seed=4).double()


def as_sent(model: VAE, of=lambda p: p) -> dict[str, list[float]]:
    """Parameters, or something of them, under the names and in the order of vae_trainer.js."""
    first, second, third, fourth = (
        layer for net in (model.encoder, model.decoder) for layer in net if hasattr(layer, "weight")
    )
    layers = {"1": first, "2": second, "3": third, "4": fourth}
    named = {f"b{k}": of(layer.bias) for k, layer in layers.items()}
    named |= {f"w{k}": of(layer.weight) for k, layer in layers.items()}
    named["w1"] = named["w1"].T
    return {name: values.detach().reshape(-1).tolist() for name, values in named.items()}


def examples_of(count):
    g = torch.Generator().manual_seed(11)
    x = (torch.rand(count, 196, generator=g) < 0.2).double()
    eps = torch.randn(count, 2, generator=g, dtype=torch.float64)
    places = [row.nonzero()[:, 0].tolist() for row in x]
    return x, eps, places


def loss_of(model, x, eps, beta, prior):
    if prior:
        bound = bounds.elbo(model, x, eps)
        return -bound.log_px_z + beta * bound.kl, -bound.log_px_z, bound.kl
    nll = -model.log_likelihood(x, model.posterior(x).mu)
    return nll, nll, torch.zeros(len(x))


@pytest.mark.parametrize(("beta", "prior"), [(1.0, True), (2.5, True), (1.0, False)])
def test_terms_and_gradients_are_torchs(trainer, beta, prior):
    model, (x, eps, places) = network(), examples_of(3)
    got = trainer.evaluate(
        """({ weights, places, eps, beta, prior }) => {
            const [p, g, trace] = [trainer.zeros(), trainer.zeros(), trainer.traces()];
            put(p, weights);
            const terms = places.map((x, k) => {
              const told = trainer.forward(p, x, eps[k], prior, trace);
              trainer.backward(p, x, eps[k], beta, prior, trace, g);
              return told;
            });
            return { terms, g: lists(g) };
        }""",
        {
            "weights": as_sent(model),
            "places": places,
            "eps": eps.tolist(),
            "beta": beta,
            "prior": prior,
        },
    )
    loss, nll, kl = loss_of(model, x, eps, beta, prior)
    loss.sum().backward()
    torch.testing.assert_close(
        torch.tensor(got["terms"]).double(),
        torch.stack([nll, kl], 1).double(),
        atol=1e-5,
        rtol=1e-6,
    )
    for name, want in as_sent(model, lambda p: p.grad).items():
        np.testing.assert_allclose(got["g"][name], want, atol=1e-9, rtol=1e-7, err_msg=name)


def test_a_hundred_steps_of_adam_are_torchs(trainer):
    model, (x, eps, places) = network(), examples_of(300)
    got = trainer.evaluate(
        """({ weights, places, eps }) => {
            const [p, g, trace] = [trainer.zeros(), trainer.zeros(), trainer.traces()];
            const state = trainer.adamState();
            put(p, weights);
            places.forEach((x, k) => {
              trainer.forward(p, x, eps[k], true, trace);
              trainer.backward(p, x, eps[k], 1, true, trace, g);
              if (k % 3 === 2) trainer.adamStep(p, g, state, 3);
            });
            return lists(p);
        }""",
        {"weights": as_sent(model), "places": places, "eps": eps.tolist()},
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for batch, noise in zip(x.split(3), eps.split(3), strict=True):
        optimiser.zero_grad()
        loss_of(model, batch, noise, 1.0, True)[0].mean().backward()
        optimiser.step()
    for name, want in as_sent(model).items():
        np.testing.assert_allclose(got[name], want, atol=1e-5, err_msg=name)


RUN = """({ bytes, settings, epochs }) => {
  const packed = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  const run = trainer.newRun(packed, settings);
  for (let k = 0; k < epochs; k++) trainer.trainEpoch(run);
  const { held, trained, codes } = trainer.report(run);
  return { held, trained, codes: Array.from(codes) };
}"""


def run_of(page, figure, epochs=1, **settings):
    given = {"beta": 1, "prior": True, "seed": 0, "source": "book", "times": 1, **settings}
    sent = {"bytes": base64.b64encode(figure.packed).decode(), "settings": given, "epochs": epochs}
    return page.evaluate(RUN, sent)


def test_the_same_seed_gives_the_same_run_and_another_another(trainer):
    figure = examples.train_vae()
    first, again, other = (run_of(trainer, figure, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first["held"] != other["held"]


@pytest.mark.parametrize("seed", [0, 1])
def test_on_the_digits_it_learns_what_the_chapter_says(trainer, seed):
    figure = digits_figure()
    vae, plain = (run_of(trainer, figure, 10, seed=seed, prior=prior) for prior in (True, False))
    assert 46.5 < sum(vae["held"]) < 49
    assert plain["held"][1] == 0 and 2.5 < sum(vae["held"]) - plain["held"][0] < 4.5
    outside = [
        np.linalg.norm(np.reshape(run["codes"], (-1, 2)), axis=1) > 2.448 for run in (vae, plain)
    ]
    assert outside[0].mean() < 0.13 and outside[1].mean() > 0.8


def test_digits_travel_in_sixteen_levels_of_grey():
    figure = digits_figure()
    halves = np.frombuffer(figure.packed[:490_000], np.uint8)
    greys = np.stack([halves >> 4, halves & 15], 1).reshape(5000, 196) / 15
    images = torch.cat([small(data.load_digits(s).images) for s in ("train", "heldout")])
    assert np.abs(greys - images.numpy()).max() <= 0.5 / 15 + 1e-6
    assert list(figure.packed[490_000:]) == data.load_digits("heldout").labels.tolist()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"train": torch.zeros(3999, 196)}, r"train is \[3999, 196\]"),
        ({"heldout": torch.zeros(1000, 784)}, r"heldout is \[1000, 784\]"),
        ({"train": torch.full((4000, 196), 255.0)}, "outside"),
        ({"heldout": torch.full((1000, 196), torch.nan)}, "outside"),
        ({"labels": torch.zeros(999)}, "labels"),
        ({"beta": -1.0}, "between 0 and 5"),
        ({"beta": 6.0}, "between 0 and 5"),
        ({"source": "yours"}, "one of .*book.*both.*mine"),
        ({"times": 0}, "between 1 and 50"),
        ({"times": 51}, "between 1 and 50"),
    ],
)
def test_what_cannot_be_trained_on_is_named(change, fault):
    sizes = {"train": (4000, 196), "heldout": (1000, 196), "labels": (1000,)}
    given = {name: torch.zeros(size) for name, size in sizes.items()} | change
    with pytest.raises(ValueError, match=fault):
        TrainVAE(**given)


# ---- the figure ----


def started(page, figure, press="One epoch"):
    """The page after a button is pressed and a kernel has sent the digits."""
    harness.show(page, figure)
    page.get_by_role("button", name=press, exact=True).click()
    assert harness.trait(page, "asked") is True
    figure.asked = True
    harness.push(page, figure, "digits")
    return page


def wait_for_epoch(page, epoch: int):
    page.wait_for_function(
        "epoch => Number(document.querySelector('.vw-slider:last-of-type input').max) >= epoch",
        arg=epoch,
    )
    harness.settle(page)


def epoch_slider(page):
    return page.get_by_label("epoch shown")


def test_an_epoch_at_a_time_and_back_to_any(browser_page):
    page = started(browser_page, digits_figure())
    wait_for_epoch(page, 1)
    after_one = page.locator(".vw-readings").inner_text()
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 2)
    assert epoch_slider(page).input_value() == "2"
    after_two = page.locator(".vw-readings").inner_text()
    assert after_one != after_two and "nats" in after_two
    epoch_slider(page).press("ArrowLeft")
    assert page.locator(".vw-readings").inner_text() == after_one
    epoch_slider(page).press("Home")
    assert epoch_slider(page).input_value() == "0"


def test_it_trains_until_it_is_paused_and_starts_again_at_reset(browser_page):
    page = started(browser_page, digits_figure(), press="Train")
    wait_for_epoch(page, 3)
    page.get_by_role("button", name="Pause").click()
    # One epoch is always under way; when it has come in, and no sooner, the figure says so.
    page.locator("[aria-live]").filter(has_text="After").wait_for(state="attached")
    ended = epoch_slider(page).get_attribute("max")
    page.wait_for_timeout(800)
    assert epoch_slider(page).get_attribute("max") == ended
    page.get_by_role("button", name="Reset").click()
    wait_for_epoch(page, 0)
    page.wait_for_function(
        "!document.querySelector('.vw-slider:last-of-type input').max.match(/[1-9]/)"
    )
    page.get_by_role("button", name="Train", exact=True).click()
    wait_for_epoch(page, 1)


def test_an_autoencoder_has_no_kl_and_another_beginning(browser_page):
    page = started(browser_page, digits_figure())
    wait_for_epoch(page, 1)
    page.get_by_role("button", name="Autoencoder").click()
    assert harness.trait(page, "prior") is False
    assert page.get_by_label("weight of the KL term").is_disabled()
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 1)
    assert "0.0 nats" in page.locator(".vw-readings").inner_text()


def test_a_change_of_weight_or_seed_begins_anew(browser_page):
    page = started(browser_page, digits_figure())
    wait_for_epoch(page, 1)
    page.get_by_label("weight of the KL term").press("ArrowRight")
    assert harness.trait(page, "beta") == 1.25
    assert epoch_slider(page).get_attribute("max") == "0"
    page.get_by_role("button", name="Another seed").click()
    assert harness.trait(page, "seed") == 1


def test_it_works_from_a_file_and_its_worker_ends_with_it(browser_page, tmp_path):
    figure = digits_figure()
    figure.asked = True  # the digits are on the page
    path = tmp_path / "page.html"
    path.write_text(harness.page_source(figure), "utf8")
    browser_page.goto(path.as_uri())
    browser_page.wait_for_function("window.ready === true")
    browser_page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(browser_page, 1)
    assert len(browser_page.workers) == 1
    browser_page.evaluate("window.leave()")
    browser_page.wait_for_timeout(200)
    assert browser_page.workers == []


def test_impatience_makes_one_worker(browser_page):
    page = harness.show(browser_page, figure := digits_figure())
    for _ in range(3):
        page.get_by_role("button", name="One epoch").click()
    page.get_by_text("on their way").wait_for()
    figure.asked = True
    harness.push(page, figure, "digits")
    wait_for_epoch(page, 1)
    page.get_by_role("button", name="Another seed").click()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 1)
    assert len(page.workers) == 1


def test_on_the_books_page_digits_that_are_missing_are_named(browser_page):
    harness.show(browser_page, examples.train_vae())
    browser_page.evaluate("document.documentElement.dataset.content_root = './'")
    browser_page.route("**/digits-14.js", lambda route: route.fulfill(status=404))
    browser_page.get_by_role("button", name="Train", exact=True).click()
    browser_page.get_by_text("digits could not be loaded").first.wait_for()
    assert browser_page.get_by_role("button", name="Train", exact=True).is_visible()
    browser_page.watch.errors.clear()


LINKS = [
    ("#train=beta:2,prior:0,seed:7", (2, False, 7)),
    ("#train=beta:2.3", (2.25, True, 0)),
    ("#train=beta:99,prior:5,seed:-1", (1, True, 0)),
    ("#train=beta:x,<b>:1,seed:", (1, True, 0)),
    ("#the-loss", (1, True, 0)),
]


@pytest.mark.parametrize(("link", "want"), LINKS)
def test_settings_come_from_the_link_and_nothing_else_does(browser_page, link, want):
    page = harness.show(browser_page, examples.train_vae())
    page.evaluate(
        """async link => {
            document.documentElement.dataset.content_root = "./";
            location.hash = link;
            document.getElementById("host").replaceChildren();
            await module.default.render({ model, el: document.getElementById("host") });
        }""",
        link,
    )
    assert tuple(harness.trait(page, name) for name in ("beta", "prior", "seed")) == want


def test_the_link_follows_the_settings(browser_page):
    page = harness.show(browser_page, examples.train_vae())
    page.evaluate("document.documentElement.dataset.content_root = './'")
    page.get_by_role("button", name="Autoencoder").click()
    assert page.evaluate("location.hash") == "#train=beta:1,prior:0,seed:0"
