"""The conditional VAE: labels behind the pixels, and one latent-variable model for each class."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_lib import bounds, exact
from vae_lib.checkpoints import load_checkpoint, save_checkpoint
from vae_lib.conditional import ConditionalVAE, labelled, on_images
from vae_lib.data import jitter, load_digits
from vae_lib.models import LIKELIHOODS
from vae_lib.training import evaluate, fit

TINY = {"latent": 2, "hidden": (6,), "shape": (2, 4), "classes": 3}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(count=5, likelihood="bernoulli"):
    x = torch.rand(count, 8, generator=seeded(1))
    x = x.round() if likelihood == "bernoulli" else x
    return labelled(x, torch.arange(count) % 3, classes=3)


def test_labels_stand_one_hot_behind_the_pixels():
    x = labelled(torch.tensor([[0.5, 0.25], [1.0, 0.0]]), torch.tensor([2, 0]), classes=3)
    assert x.tolist() == [[0.5, 0.25, 0, 0, 1], [1, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (torch.tensor([0, 3]), ValueError, "run from 0 to 3: the classes are 0 to 2"),
        (torch.tensor([-1, 0]), ValueError, "run from -1 to 0"),
        (torch.tensor([0.0, 1.0]), TypeError, "whole numbers"),
        (torch.tensor([True, False]), TypeError, "whole numbers"),
        (torch.tensor([0, 1, 2]), ValueError, "each image needs one label"),
        (torch.tensor([7, 7]), ValueError, "label 7 is no class: the classes are 0 to 2"),
        ([0, 1], TypeError, "labels is a list: torch.as_tensor"),
    ],
)
def test_labels_that_are_none(labels, error, words):
    with pytest.raises(error, match=words):
        labelled(torch.zeros(2, 8), labels, classes=3)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_rows_and_a_given_class_say_the_same(likelihood):
    """The bound of rows [x, y] is the bound of x in the model that is given y, class by class."""
    model, x = ConditionalVAE(**TINY, likelihood=likelihood, seed=3), rows(6, likelihood)
    eps = bounds.noise(model, x, seeded(2), 4)
    together = bounds.elbo(model, x, eps)
    for y in range(3):
        mine = torch.arange(6) % 3 == y
        alone = bounds.elbo(model.given(y), x[mine, :8], eps[:, mine])
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[mine], b)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 99))
def test_the_label_is_read_by_both_networks(y, other, seed):
    model, x = ConditionalVAE(**TINY, seed=seed), torch.ones(1, 8)
    z = torch.randn(1, 2, generator=seeded(seed))
    same = y == other
    assert torch.equal(model.decode(z, y), model.decode(z, other)) == same
    a, b = (model.given(label).posterior(x).mu for label in (y, other))
    assert torch.equal(a, b) == same


def test_one_code_and_many_classes_broadcast():
    model, z = ConditionalVAE(**TINY), torch.randn(4, 1, 2, generator=seeded())
    pictures = model.decode(z, torch.arange(3))
    assert pictures.shape == (4, 3, 8)
    torch.testing.assert_close(pictures[2, 1], model.decode(z[2, 0], 1))


def test_the_classes_of_one_model_are_ten_distributions():
    """Each p(x|y) sums to 1 over all pictures, by quadrature over z."""
    model = ConditionalVAE(latent=1, hidden=(4,), shape=(1, 3), classes=2, seed=5)
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    grid = exact.line(-8, 8, 401)
    for y in range(2):
        log_px = exact.log_evidence(exact.log_joint(model.given(y), every, grid), grid)
        assert float(log_px.exp().sum()) == pytest.approx(1, abs=1e-6)


def test_draws_are_of_the_class_asked_for():
    """The share of ink of many draws is that of the decoder's mean, for this label."""
    model = ConditionalVAE(**TINY, seed=6)
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.mul_(3)
    for y in range(3):
        drawn = model.sample(4000, seeded(y), y)
        mean = model.decode(torch.randn(4000, 2, generator=seeded(9)), y).sigmoid().mean(0)
        assert set(drawn.unique().tolist()) <= {0.0, 1.0}
        torch.testing.assert_close(drawn.mean(0), mean, atol=0.04, rtol=0)
    assert model.sample(3, seeded(), torch.tensor([0, 1, 2])).shape == (3, 8)


def test_it_learns_and_comes_back_from_its_file(tmp_path):
    model, x = ConditionalVAE(**TINY), rows(60)
    before = evaluate(model, x, bounds.elbo_terms)["heldout_loss"]
    history = fit(model, x, x, bounds.elbo_terms, epochs=8, lr=0.02, device="cpu", progress=False)
    assert history.column("heldout_loss")[-1] < before - 0.2
    back = load_checkpoint(save_checkpoint(model, tmp_path / "c.safetensors"))
    assert isinstance(back, ConditionalVAE)
    assert back.settings == model.settings
    assert torch.equal(back.reconstruct(x), model.reconstruct(x))


def test_a_seed_decides_the_first_weights_and_the_draws():
    first, twin, other = (ConditionalVAE(**TINY, seed=seed) for seed in (1, 1, 2))
    weights = zip(*(m.parameters() for m in (first, twin, other)), strict=True)
    assert all(torch.equal(a, b) and not torch.equal(a, c) for a, b, c in weights)
    a, b, c = (first.sample(40, seeded(seed), 1) for seed in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)
    generator = seeded(3)  # one generator for z and for the pixels
    z = first.sample_prior(40, generator)
    assert torch.equal(a, first.decode(z, 1).sigmoid().bernoulli(generator=generator))


def test_a_class_has_the_prior_of_its_model():
    """A learned mixture of three: not N(0, I), and the settings tell of it."""
    model = ConditionalVAE(**TINY, components=3)
    assert model.settings["components"] == 3
    z = torch.randn(5, 2, generator=seeded())
    assert torch.equal(model.given(1).log_prior(z), model.prior.log_prob(z))
    x = rows()[:, :8]
    assert model.given(1).posterior(x).kl is None, "no closed form beside a mixture"


def test_augmentation_leaves_labels_alone():
    digits = load_digits("heldout")
    x = labelled(digits.images[:20], digits.labels[:20])
    moved = on_images(jitter)(x, seeded(3))
    assert torch.equal(moved[:, 784:], x[:, 784:])
    assert torch.equal(moved[:, :784], jitter(x[:, :784], seeded(3)))
    with pytest.raises(ValueError, match=r"206 columns, .* make 794: on_images\(augment, pixels"):
        on_images(jitter)(x[:, -206:], seeded(3))
    small = on_images(lambda x, g: 1 - x, pixels=196)
    assert torch.equal(small(x[:, -206:], seeded())[:, 196:], x[:, 784:])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.encode(torch.zeros(2, 8)), ValueError, r"labelled\(x, y\) puts them"),
        (lambda m: m.encode(torch.zeros(2, 9)), ValueError, r"\[\.\.\., 11\]"),
        (lambda m: m.decode(torch.zeros(2, 2)), ValueError, r"needs a label: decode\(z, y\)"),
        (lambda m: m.decode(torch.zeros(2, 3), 1), ValueError, r"latent vectors are \[\.\.\., 2\]"),
        (lambda m: m.decode(torch.zeros(2, 2), 3), ValueError, "classes are 0 to 2"),
        (lambda m: m.sample(2, seeded()), ValueError, "needs a label"),
        (lambda m: m.sample(2, seeded(), torch.arange(3)), ValueError, "each of 2 draws"),
        (lambda m: m.sample(1, seeded(), torch.arange(3)), ValueError, "each of 1 draws"),
        (
            lambda m: m.decode(torch.zeros(2, 2), torch.arange(3)),
            ValueError,
            r"labels \[3\] do not",
        ),
        (lambda m: m.decode([[0.0, 0.0]], 1), TypeError, "z is a list"),
        (lambda m: m.given(7), ValueError, "label 7 is no class: the classes are 0 to 2"),
        (lambda m: m.given(True), TypeError, "whole numbers"),
        (
            lambda m: m.given(1).posterior(rows()),
            ValueError,
            r"images without labels.*x\[\.\.\., :8",
        ),
        (
            lambda m: m.given(1).log_likelihood(rows(), torch.zeros(5, 2)),
            ValueError,
            "images without labels",
        ),
        (
            lambda m: m.log_likelihood(rows()[:, :8], torch.zeros(5, 2)),
            ValueError,
            r"x has no labels: labelled\(x, y\)",
        ),
        (
            lambda m: m.log_likelihood(rows()[:, :9], torch.zeros(5, 2)),
            ValueError,
            r"rows \[x, y\] are \[\.\.\., 11\]",
        ),
        (lambda m: ConditionalVAE(net="conv"), ValueError, "takes 'mlp'"),
        (lambda m: ConditionalVAE(classes=0), ValueError, "classes is 0"),
        (lambda m: ConditionalVAE(classes=2.0), TypeError, "whole number"),
        (
            lambda m: fit(m, torch.zeros(4, 8), torch.zeros(4, 8), bounds.elbo_terms, epochs=1),
            ValueError,
            r"train has no labels: labelled\(",
        ),
    ],
)
def test_what_it_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call(ConditionalVAE(**TINY))
