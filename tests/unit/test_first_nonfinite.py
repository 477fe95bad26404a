"""``first_nonfinite`` names where NaN or infinity first appears in a training step."""

import pytest
import torch
from torch import nn

from vae_lib.bounds import elbo_terms
from vae_lib.models import VAE
from vae_lib.training import first_nonfinite

NAN = float("nan")


@pytest.fixture
def model():
    return VAE(latent=2, hidden=(8,), shape=(2, 3))


@pytest.fixture
def x():
    return torch.ones(4, 6)


def look(model, x, **changed):
    """The place, for the ELBO with some terms ``changed`` by functions of them."""

    def terms_of():
        terms = elbo_terms(model, x, torch.Generator().manual_seed(0))
        return terms | {name: change(terms) for name, change in changed.items()}

    return first_nonfinite(model, terms_of)


def test_where_all_is_finite_there_is_nothing_to_name(model, x):
    assert look(model, x) is None


def test_a_weight_comes_first(model, x):
    model.decoder[0].bias.data[1] = NAN
    assert look(model, x * NAN) == "weight decoder.0.bias"


def test_what_comes_in_is_told_from_what_goes_out(model, x):
    assert look(model, x * NAN) == "input of encoder.0"
    model.encoder[0].weight.data.fill_(1.0)
    model.encoder[2].weight.data.fill_(3e38)
    assert look(model, x) == "output of encoder.2"


def test_an_overflow_between_the_networks(model, x):
    model.encoder[2].weight.data.zero_()
    model.encoder[2].bias.data[2:] = 200.0  # log σ², whose half has an exponential beyond float32
    assert look(model, x) == "input of decoder.0"


def test_a_term_is_named_before_the_loss_that_it_is_part_of(model, x):
    model.encoder[2].weight.data.zero_()
    model.encoder[2].bias.data[2:] = 100.0  # σ is finite, σ² is not
    assert look(model, x) == "kl"
    model.encoder[2].bias.data[2:] = 0.0
    assert look(model, x, loss=lambda terms: terms["loss"] / 0) == "loss"


def test_a_gradient_that_is_nan_behind_a_finite_loss(model, x):
    def zero(terms):  # its derivative is 0 times infinity
        return terms["loss"] + (terms["kl"] - terms["kl"]).sqrt()

    assert look(model, x, loss=zero) == "gradient of encoder.0.weight"


def test_it_leaves_gradients_and_hooks_as_they_were(model, x):
    look(model, x)
    assert all(weight.grad is None for weight in model.parameters())
    with pytest.raises(ZeroDivisionError):
        first_nonfinite(model, lambda: 1 / 0)
    assert not any(part._forward_hooks for part in model.modules())


def test_frozen_weights_and_unused_ones_have_no_gradient(model, x):
    model.encoder.requires_grad_(False)
    model.spare = nn.Linear(2, 2)
    assert look(model, x) is None


def test_a_frozen_weight_that_is_nan_is_named(model, x):
    model.encoder.requires_grad_(False)
    model.encoder[0].weight.data[0, 0] = NAN
    assert look(model, x) == "weight encoder.0.weight"
