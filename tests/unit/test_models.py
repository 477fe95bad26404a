"""Autoencoder and VAE: shapes, parameter counts, seeds, settings, refusals."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_lib.models import VAE, Autoencoder

X = torch.linspace(0, 1, 5 * 784).reshape(5, 784)
BUILDS = [
    (kind, net, hidden)
    for kind in (Autoencoder, VAE)
    for net, hidden in (("mlp", (16, 8)), ("mlp", ()), ("conv", (4, 6)))
]


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("kind", "net", "hidden"), BUILDS)
def test_shapes(kind, net, hidden):
    model = kind(latent=3, hidden=hidden, net=net)
    assert model.code(X).shape == (5, 3)
    assert model.decode(model.code(X)).shape == (5, 784)
    assert model(X).shape == (5, 784)
    assert model.reconstruct(X).shape == X.shape
    assert ((model.reconstruct(X) > 0) & (model.reconstruct(X) < 1)).all()


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_a_vae_gives_mean_and_log_variance(net):
    model = VAE(latent=3, hidden=(4, 6), net=net)
    mu, logvar = model.encode(X)
    assert mu.shape == logvar.shape == (5, 3)
    assert torch.equal(torch.cat([mu, logvar], 1), model.encoder(X)), "μ first, then log σ²"
    assert torch.equal(model.code(X), mu)


@settings(max_examples=15)
@given(st.integers(1, 6), st.lists(st.integers(1, 20), max_size=3))
def test_parameters_counted_by_hand(latent, hidden):
    """A linear layer from m to n numbers has (m + 1) n parameters."""

    def count(*sizes):
        return sum((m + 1) * n for m, n in pairwise(sizes))

    for kind, outputs in ((Autoencoder, latent), (VAE, 2 * latent)):
        model = kind(latent, hidden)
        assert parameters(model.encoder) == count(784, *hidden, outputs)
        assert parameters(model.decoder) == count(latent, *reversed(hidden), 784)


def test_parameters_of_the_book_s_model():
    """784-128-64-2 and back: 100,480 + 8,256 + 130 down, 192 + 8,320 + 101,136 up."""
    assert parameters(Autoencoder()) == 108_866 + 109_648
    assert parameters(VAE()) == 108_866 + 130 + 109_648


def test_parameters_of_the_convolutional_model():
    """4 × 4 kernels: 1 -> 4 -> 6 channels, then 6 · 7 · 7 = 294 numbers to a code of 3."""
    model = Autoencoder(latent=3, hidden=(4, 6), net="conv")
    assert parameters(model.encoder) == (16 * 4 + 4) + (4 * 16 * 6 + 6) + (294 * 3 + 3)
    assert parameters(model.decoder) == (3 * 294 + 294) + (6 * 16 * 4 + 4) + (4 * 16 + 1)


@pytest.mark.parametrize(("kind", "net", "hidden"), BUILDS)
def test_settings_build_the_model_again(kind, net, hidden):
    model = kind(latent=3, hidden=hidden, net=net, seed=4)
    wanted = dict(model.settings)
    assert wanted.pop("model") == kind.__name__
    again = kind(**wanted)
    assert again.settings == model.settings
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(X), model(X))


def test_weights_follow_the_seed():
    same, again, other = (VAE(seed=seed).decoder[0].weight for seed in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_building_leaves_the_global_generators_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    state = torch.get_rng_state()
    VAE(seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    assert seeded == [], "a GPU's generator was seeded"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent": 0}, "latent is 0"),
        ({"net": "transformer"}, "unknown net 'transformer': choose 'mlp' or 'conv'"),
        ({"net": "conv", "hidden": (8,)}, "a conv net takes two channel counts"),
    ],
)
def test_settings_that_build_nothing_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        VAE(**options)


def test_images_and_codes_of_another_shape_are_refused():
    model = VAE(latent=3)
    for take in (model.code, model.encode, model.reconstruct, model):
        with pytest.raises(ValueError, match=r"x has shape \[5, 28, 28\].*reshape\(-1, 784\)"):
            take(X.reshape(5, 28, 28))
    with pytest.raises(ValueError, match=r"z has shape \[5, 2\].*\[\.\.\., 3\]"):
        model.decode(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="outside"):
        model.code(255 * X)
