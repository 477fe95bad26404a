"""No tensor on the wrong device, proved without a GPU.

Under ``FakeTensorMode`` a tensor has a device and a shape but no numbers, and PyTorch raises where
a computation mixes devices. The backward pass needs a driver even so: "meta" stands in for it.
"""

import functools

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vae_lib import bounds, data, distributions, evaluation, figures, models, training
from vae_lib.models import LIKELIHOODS, VAE, Autoencoder

NETS = [("mlp", (16, 8)), ("conv", (4, 6))]
ESTIMATES = [
    bounds.log_weights,
    bounds.iwae_bound,
    bounds.score_function,
    bounds.path_derivative,
    bounds.doubly_reparameterised,
]


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
    monkeypatch.setattr(torch.Tensor, "multinomial", without_generator(torch.Tensor.multinomial))

    def normal(shape, generator, dtype=None):
        return torch.randn(*shape, device="cuda", dtype=dtype)

    for module in (bounds, evaluation, models):
        monkeypatch.setattr(module, "standard_normal", normal)


def test_the_proof_would_notice(fake):
    with pytest.raises(RuntimeError, match="cuda"):
        torch.zeros(2, 3, device="cuda") + torch.zeros(2, 3)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("components", [0, 3])
@pytest.mark.parametrize(("net", "hidden"), NETS)
def test_models_and_bounds_stay_on_the_gpu(fake, draws, net, hidden, components, likelihood):
    model = on_gpu(VAE, hidden=hidden, net=net, components=components, likelihood=likelihood)
    x, eps = torch.rand(5, 784, device="cuda"), torch.randn(3, 5, 2, device="cuda")
    results = [*bounds.elbo(model, x, eps), *bounds.elbo_terms(model, x, None).values()]
    results += [estimate(model, x, eps) for estimate in ESTIMATES]
    results += [*model.encode(x), model.code(x), model.reconstruct(x), model(x)]
    results += [model.sample(4, None), model.sample_prior(4, None)]
    assert {t.device.type for t in results} == {"cuda"}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_an_autoencoder_stays_on_the_gpu(fake, likelihood):
    model, x = on_gpu(Autoencoder, likelihood=likelihood), torch.rand(5, 784, device="cuda")
    results = [model.encode(x), model(x), bounds.reconstruction_terms(model, x)["loss"]]
    assert {t.device.type for t in results} == {"cuda"}


def test_distributions_stay_on_the_gpu(fake):
    x, v = torch.rand(5, 784, device="cuda"), torch.randn(5, 3, device="cuda")
    results = [
        distributions.bernoulli_log_prob(x, x),
        distributions.continuous_bernoulli_log_prob(x, x),
        distributions.gaussian_log_prob(v, v, v),
        distributions.standard_normal_log_prob(v),
        distributions.kl_to_standard_normal(v, v),
        distributions.kl_diagonal_gaussians(v, v, v, v),
        distributions.reparameterise(v, v, v),
    ]
    assert {t.device.type for t in results} == {"cuda"}


def test_augmentation_binarisation_and_batches_stay_on_the_gpu(fake, draws):
    images = torch.rand(7, 784, device="cuda")
    results = [data.jitter(images, None), data.draw_pixels(images, None)]
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


def test_evaluation_works_on_the_gpu_and_answers_on_the_cpu(fake, draws, monkeypatch):
    """Without slopes, since they take a driver."""
    monkeypatch.setattr(
        evaluation, "_value_and_slope", lambda log_f, z: (log_f(z), torch.zeros_like(z))
    )
    model, x = on_gpu(VAE, hidden=(8,), components=3), torch.rand(7, 784, device="cuda")
    start = torch.randn(4, 7, 2, device="cuda")
    log_w = evaluation._weights(model, x, None, 5, 2), evaluation._anneal(model, x, None, 3, 4)
    log_w = *log_w, evaluation._anneal(model, x, None, 3, 4, start)
    seen = [(part.device.type, part.dtype, list(part.shape)) for part in log_w]
    assert seen == [("cpu", torch.float64, [n, 7]) for n in (5, 4, 4)]
    with torch.no_grad():
        own = torch.cat(model.posterior(x)[:2], -1)
        starts = torch.stack([own, evaluation._moments(model, x, None, own)])
    free = evaluation._with_q(model, starts.repeat(3, 1, 1))
    climbed = bounds.path_derivative(free, x, torch.randn(6, 7, 2, device="cuda"))
    assert climbed.device.type == starts.device.type == "cuda"
    assert climbed.shape == (6, 7) and starts.shape == (2, 7, 4)


@pytest.mark.parametrize(("net", "hidden"), NETS)
def test_a_training_step_on_the_meta_device(net, hidden):
    model = VAE(latent=2, hidden=hidden, net=net).to("meta")
    x, eps = torch.rand(5, 784, device="meta"), torch.randn(5, 2, device="meta")
    optimiser = training.adam(model)

    def terms():
        return {"loss": -bounds.elbo(model, x, eps).elbo}

    result = training.training_step(terms, optimiser)
    assert result["loss"].device.type == "meta"
    assert result["loss"].shape == (5,)
    moments = [m for state in optimiser.state.values() for m in (state["exp_avg"],)]
    assert len(moments) == len(list(model.parameters())), "some parameter was not stepped"
    assert {m.device.type for m in moments} == {"meta"}
