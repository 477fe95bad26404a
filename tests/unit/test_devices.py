"""No tensor on the wrong device, proved without a GPU.

Under ``FakeTensorMode`` a tensor has a device and a shape but no numbers, and PyTorch raises where
a computation mixes devices. The backward pass needs a driver even so: "meta" stands in for it.
"""

import functools
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vae_lib import bounds, data, distributions, figures, training
from vae_lib.bounds import elbo, elbo_terms, reconstruction_terms
from vae_lib.models import VAE, Autoencoder

NETS = [("mlp", (16, 8)), ("conv", (4, 6))]


@pytest.fixture
def fake():
    with FakeTensorMode():
        yield


def without_generator(function):
    """A CUDA generator cannot be made without CUDA: draw from none, on the device asked for."""

    @functools.wraps(function)
    def draw(*args, generator=None, **options):
        return function(*args, **options)

    return draw


def on_gpu(kind, **options):
    """A fake module cannot move, so it is built where it is to be."""
    with torch.device("cuda"):
        return kind(latent=2, **options)


@pytest.fixture
def draws(monkeypatch):
    """Let the library draw on a GPU that is not there."""
    for name in ("rand", "bernoulli", "randperm"):
        monkeypatch.setattr(torch, name, without_generator(getattr(torch, name)))
    monkeypatch.setattr(
        bounds, "standard_normal", lambda shape, generator: torch.randn(*shape, device="cuda")
    )


def test_the_proof_would_notice(fake):
    with pytest.raises(RuntimeError, match="cuda"):
        torch.zeros(2, 3, device="cuda") + torch.zeros(2, 3)


@pytest.mark.parametrize(("net", "hidden"), NETS)
def test_models_and_bounds_stay_on_the_gpu(fake, net, hidden):
    model = on_gpu(VAE, hidden=hidden, net=net)
    x, eps = torch.rand(5, 784, device="cuda"), torch.randn(5, 2, device="cuda")
    bound = elbo(model, x, eps)
    results = [*bound, *model.encode(x), model.code(x), model.reconstruct(x), model(x)]
    assert {t.device.type for t in results} == {"cuda"}


def test_distributions_stay_on_the_gpu(fake):
    x, v = torch.rand(5, 784, device="cuda"), torch.randn(5, 3, device="cuda")
    results = [
        distributions.bernoulli_log_prob(x, x),
        distributions.gaussian_log_prob(v, v, v),
        distributions.standard_normal_log_prob(v),
        distributions.kl_to_standard_normal(v, v),
        distributions.kl_diagonal_gaussians(v, v, v, v),
        distributions.reparameterise(v, v, v),
    ]
    assert {t.device.type for t in results} == {"cuda"}


def test_augmentation_binarisation_and_batches_stay_on_the_gpu(fake, draws):
    images = torch.rand(7, 784, device="cuda")
    results = [data.jitter(images, None), data.binarise(images, None)]
    results += data.batches(images, 3, generator=object())
    assert {t.device.type for t in results} == {"cuda"}


def test_figures_take_from_the_gpu_what_they_draw(fake):
    z = torch.randn(3, 2, device="cuda")
    assert figures.interpolate(z[0], z[1], 5).device.type == "cuda"
    assert figures.tile(torch.rand(3, 784, device="cuda"), 2).device.type == "cpu"


def test_noise_is_drawn_where_its_generator_lives(monkeypatch):
    asked = []
    monkeypatch.setattr(
        distributions.torch, "randn", lambda *shape, **options: asked.append(options["device"])
    )

    class Elsewhere:
        device = torch.device("cuda")

    distributions.standard_normal((2, 3), Elsewhere())
    assert asked == [torch.device("cuda")]


@pytest.mark.parametrize(
    ("kind", "objective"), [(Autoencoder, reconstruction_terms), (VAE, elbo_terms)]
)
def test_a_whole_training_stays_on_the_gpu(fake, draws, monkeypatch, kind, objective):
    """fit, from images on the CPU to a model on the GPU, with its generators made there."""
    made = []

    class Generator:
        def __init__(self, device):
            self.device = torch.device(device)
            made.append(self.device.type)

        def manual_seed(self, seed):
            return self

    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(training, "pick_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(data, "check_images", lambda images, name="images": images)  # no numbers
    monkeypatch.setattr(training, "check_images", data.check_images)
    monkeypatch.setattr(training, "training_step", lambda loss_of, _: loss_of())  # no backward
    best = SimpleNamespace(see=lambda epoch, *_: epoch, restore=lambda: None)  # copies numbers
    monkeypatch.setattr(training, "_Best", lambda *_: best)
    told = []

    def averages(prefix, sums, count):
        told.extend(total.device.type for total in sums.values())
        return {f"{prefix}_loss": 1.0}

    monkeypatch.setattr(training, "_averages", averages)
    model, moved = on_gpu(kind, hidden=(16,)), []
    monkeypatch.setattr(model, "to", lambda device: moved.append(device.type))
    images = torch.rand(70, 784)
    options = {"epochs": 2, "augment": data.jitter, "progress": False}
    training.fit(model, images, images, objective, **options)
    assert moved[0] == "cuda"
    assert set(made) == {"cuda"}
    assert set(told) == {"cuda"}


@pytest.mark.parametrize(("net", "hidden"), NETS)
def test_a_training_step_on_the_meta_device(net, hidden):
    model = VAE(latent=2, hidden=hidden, net=net).to("meta")
    x, eps = torch.rand(5, 784, device="meta"), torch.randn(5, 2, device="meta")
    optimiser = training.adam(model)

    def terms():
        return {"loss": -elbo(model, x, eps).elbo}

    result = training.training_step(terms, optimiser)
    assert result["loss"].device.type == "meta"
    assert result["loss"].shape == (5,)
    moments = [m for state in optimiser.state.values() for m in (state["exp_avg"],)]
    assert len(moments) == len(list(model.parameters())), "some parameter was not stepped"
    assert {m.device.type for m in moments} == {"meta"}
