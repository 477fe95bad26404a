"""Autoencoder and VAE: shapes, parameter counts, seeds, settings, samples, refusals."""

import inspect
import json
import math
import threading
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vae_lib import distributions, models
from vae_lib.models import LIKELIHOODS, VAE, Autoencoder, MixturePrior, from_seed

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


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_networks_are_the_formulas_they_say(kind, net):
    """Layer by layer, activations included, none after the last."""
    model = kind(latent=3, hidden=(4, 6), net=net, seed=2)
    w = list(model.parameters())
    if net == "mlp":
        h = F.silu(F.linear(F.silu(F.linear(X, *w[0:2])), *w[2:4]))
        out, z = F.linear(h, *w[4:6]), torch.linspace(-2, 2, 15).reshape(5, 3)
        h = F.silu(F.linear(F.silu(F.linear(z, *w[6:8])), *w[8:10]))
        logits = F.linear(h, *w[10:12])
    else:
        h = F.silu(F.conv2d(X.reshape(5, 1, 28, 28), *w[0:2], stride=2, padding=1))
        h = F.silu(F.conv2d(h, *w[2:4], stride=2, padding=1))
        out, z = F.linear(h.flatten(1), *w[4:6]), torch.linspace(-2, 2, 15).reshape(5, 3)
        h = F.silu(F.linear(z, *w[6:8])).reshape(5, 6, 7, 7)
        h = F.silu(F.conv_transpose2d(h, *w[8:10], stride=2, padding=1))
        logits = F.conv_transpose2d(h, *w[10:12], stride=2, padding=1).flatten(1)
    torch.testing.assert_close(model.encoder(X), out)
    torch.testing.assert_close(model.decode(z), logits)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        ("mlp", (10,)),
        ("mlp", (3, 5)),
        ("mlp", (3, 6, 5)),
        ("conv", (8, 12)),
        ("conv", (32, 32)),
        ("conv", (3, 8, 12)),
        ("conv", (4, 8, 8)),
    ],
)
@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_any_picture_size(kind, net, shape):
    model = kind(latent=3, hidden=(4, 6), net=net, shape=shape)
    x = torch.rand(2, model.pixels)
    assert model.pixels == np.prod(shape)
    assert model(x).shape == x.shape and model.encode(x)[0].shape[-1] == 3
    assert model.log_likelihood(x, model.code(x)).shape == (2,)


def test_colours_come_first():
    """Flat, a picture is its reds, then its greens, then its blues, in rows of pixels."""
    model = VAE(latent=3, hidden=(4, 6), net="conv", shape=(3, 8, 12))
    w, x = list(model.parameters()), torch.rand(2, 3, 8, 12)
    h = F.silu(F.conv2d(x, *w[0:2], stride=2, padding=1))
    h = F.silu(F.conv2d(h, *w[2:4], stride=2, padding=1))
    torch.testing.assert_close(model.encoder(x.flatten(1)), F.linear(h.flatten(1), *w[4:6]))
    h = F.silu(F.linear(torch.ones(2, 3), *w[6:8])).reshape(2, 6, 2, 3)
    h = F.silu(F.conv_transpose2d(h, *w[8:10], stride=2, padding=1))
    logits = F.conv_transpose2d(h, *w[10:12], stride=2, padding=1)
    torch.testing.assert_close(model.decode(torch.ones(2, 3)).reshape(x.shape), logits)


def test_a_grey_picture_is_one_of_one_colour():
    """Same weights, same answers: what is shipped for (H, W) stays what it was."""
    grey, one = (VAE(2, (4, 6), "conv", shape=shape) for shape in ((8, 8), (1, 8, 8)))
    assert torch.equal(grey.encoder(torch.ones(1, 64)), one.encoder(torch.ones(1, 64)))


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_samples_lead(net):
    """[K, B, D] in, [K, B, P] out, and one example without a batch: the same numbers."""
    model = VAE(latent=3, hidden=(4, 6), net=net)
    z = torch.linspace(-2, 2, 30).reshape(2, 5, 3)
    torch.testing.assert_close(model.decode(z)[1], model.decode(z[1]))
    torch.testing.assert_close(model.decode(z[0, 0]), model.decode(z[0])[0])
    torch.testing.assert_close(model.code(X.expand(2, 5, 784))[1], model.code(X))
    torch.testing.assert_close(model.code(X[2]), model.code(X)[2], rtol=1e-4, atol=1e-5)
    assert model.decode(z[:, :0]).shape == (2, 0, 784) and model.code(X[:0]).shape == (0, 3)


ALL = [
    (kind, {"net": net, "hidden": hidden, **more})
    for kind, net, hidden in BUILDS
    for more in (
        {},
        {"likelihood": "gaussian", "shape": (8, 4)},
        {"likelihood": "real gaussian", "shape": (3, 4, 8)},
    )
] + [(VAE, {"components": 4, "likelihood": "continuous bernoulli"})]


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_settings_build_the_model_again(kind, options):
    model = kind(latent=3, seed=4, **options)
    wanted = json.loads(json.dumps(model.settings))
    assert wanted == model.settings, "JSON must not change them"
    assert wanted.pop("model") == kind.__name__
    assert set(wanted) == set(inspect.signature(kind).parameters) - {"seed"}, "one is missing"
    again = kind(**wanted)
    assert again.settings == model.settings
    again.load_state_dict(model.state_dict())
    x = torch.rand(5, model.pixels)
    assert torch.equal(again(x), model(x))


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_weights_follow_the_seed_and_no_two_seeds_share_them(kind):
    first = [kind(seed=seed).decoder[0].weight for seed in (0, 1, 2, 3, 0)]
    for k in range(4):
        for j in range(k):
            assert not torch.equal(first[k], first[j])
    assert torch.equal(first[0], first[4])
    priors = [VAE(seed=seed, components=2).prior.mu for seed in (0, 2, 0)]
    assert torch.equal(priors[0], priors[2]) and not torch.equal(priors[0], priors[1])


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_first_weights_have_pytorch_s_own_distribution(net):
    """Uniform, with the reach that ``reset_parameters`` gives each layer."""
    model = VAE(latent=8, hidden=(24, 32), net=net)
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        ours = [p.detach().clone() for p in (layer.weight, layer.bias)]
        layer.reset_parameters()
        for mine, torchs in zip(ours, (layer.weight.detach(), layer.bias.detach()), strict=True):
            reach = layer.weight[0].numel() ** -0.5
            assert mine.abs().max() <= reach and torchs.abs().max() <= reach
            if mine.numel() > 100:
                assert mine.abs().max() > 0.95 * reach
                assert float(mine.std()) == pytest.approx(reach / 3**0.5, rel=0.1)


def test_building_leaves_the_global_generators_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    state = torch.get_rng_state()
    VAE(seed=7, components=3, likelihood="gaussian")
    assert torch.equal(torch.get_rng_state(), state)
    assert seeded == [], "a GPU's generator was seeded"


def test_threads_build_the_same_weights():
    """Four threads at once, sixty models each, while the global generator is drawn from."""
    want, wrong = VAE(hidden=(8,)).state_dict(), []

    def build():
        for _ in range(60):
            torch.rand(3)
            got = VAE(hidden=(8,)).state_dict()
            wrong.extend(name for name in want if not torch.equal(got[name], want[name]))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_model_on_meta_takes_no_memory():
    """A checkpoint's settings can be built to be looked at, however large."""
    with torch.device("meta"):
        model = VAE(latent=10**4, hidden=(10**7,), components=10**6)
    assert {p.device.type for p in model.parameters()} == {"meta"}


def test_the_default_type_is_followed():
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        model = VAE(components=2, likelihood="gaussian")
    finally:
        torch.set_default_dtype(before)
    assert {p.dtype for p in model.parameters()} == {torch.float64}


def test_from_seed_refuses_a_layer_it_cannot_fill():
    with pytest.raises(TypeError, match="no first weights for LayerNorm"):
        from_seed(lambda: nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), 0)


# Likelihoods and the prior


def test_each_likelihood_is_the_one_it_says():
    x, z = X[:, :12].contiguous(), torch.linspace(-1, 1, 15).reshape(5, 3)
    for kind in LIKELIHOODS:
        model = VAE(latent=3, hidden=(6,), shape=(3, 4), likelihood=kind)
        got, logits = model.log_likelihood(x, z), model.decode(z)
        if kind == "gaussian":
            model.noise_logvar.data.fill_(0.7)
            got = model.log_likelihood(x, z)
            want = torch.distributions.Normal(logits.sigmoid(), np.exp(0.35)).log_prob(x).sum(-1)
        elif kind == "real gaussian":
            model.noise_logvar.data.copy_(torch.linspace(-1, 1, 12))
            x, got = 40 * x - 20, model.log_likelihood(40 * x - 20, z)
            std = torch.linspace(-0.5, 0.5, 12).exp()
            want = torch.distributions.Normal(logits, std).log_prob(x).sum(-1)
        elif kind == "bernoulli":
            want = distributions.bernoulli_log_prob(x, logits)
        else:
            want = distributions.continuous_bernoulli_log_prob(x, logits)
        torch.testing.assert_close(got, want)
        assert len(list(model.parameters())) == 8 + ("gaussian" in kind)


def test_a_gaussian_learns_its_noise():
    """By gradient descent, log σ² comes to the mean squared residual."""
    model = VAE(latent=1, hidden=(4,), shape=(50,), likelihood="gaussian")
    x = 0.5 + 0.1 * torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    z = torch.zeros(40, 1)
    optimiser = torch.optim.Adam([model.noise_logvar], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        (-model.log_likelihood(x, z).mean()).backward()
        optimiser.step()
    residual = (x - model.decode(z).sigmoid()).square().mean().item()
    assert model.noise_logvar.exp().item() == pytest.approx(residual, rel=1e-3)


def test_a_real_gaussian_learns_a_noise_for_each_column_and_any_mean():
    """On a table whose columns do not go together, it comes to each column's mean and variance."""
    noise = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    x, z = torch.tensor([-3.0, 0, 8]) + torch.tensor([0.1, 1, 2]) * noise, torch.zeros(200, 1)
    model = VAE(latent=1, hidden=(4,), shape=(3,), likelihood="real gaussian")
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1600)  # else it ends in a jitter
    for _ in range(1600):
        optimiser.zero_grad()
        (-model.log_likelihood(x, z).mean()).backward()
        optimiser.step()
        slower.step()
    torch.testing.assert_close(model.decode(z[0]), x.mean(0), atol=0.01, rtol=0.01)
    torch.testing.assert_close(model.noise_logvar.exp(), x.var(0, correction=0), rtol=0.01, atol=0)
    assert torch.equal(model.reconstruct(x), model(x)) and not model.bounded


def test_the_mixture_prior_is_the_mixture():
    prior = MixturePrior(3, 2, seed=1).double()
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -2.0]))
        prior.logvar.copy_(torch.linspace(-2, 1, 6).reshape(3, 2))
    parts = torch.distributions.Normal(prior.mu, (0.5 * prior.logvar).exp())
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=prior.logits),
        torch.distributions.Independent(parts, 1),
    )
    z = torch.linspace(-3, 3, 40).double().reshape(4, 5, 2)
    torch.testing.assert_close(prior.log_prob(z), mixture.log_prob(z))
    draws = prior.sample(50_000, torch.Generator().manual_seed(2))
    error = draws.std(0) / 50_000**0.5
    assert ((draws.mean(0) - mixture.mean).abs() < 4.5 * error).all()
    torch.testing.assert_close(draws.var(0), mixture.variance, rtol=0.05, atol=0)


def test_a_vae_s_prior_and_posterior():
    model = VAE(latent=3, hidden=(6,))
    mu, logvar = model.encode(X)
    q = model.posterior(X)
    assert torch.equal(q.mu, mu) and torch.equal(q.logvar, logvar)
    torch.testing.assert_close(q.kl.sum(-1), distributions.kl_to_standard_normal(mu, logvar))
    z = q.sample(torch.ones(5, 3))
    torch.testing.assert_close(model.log_prior(z), distributions.standard_normal_log_prob(z))
    learned = VAE(latent=3, hidden=(6,), components=4)
    assert learned.posterior(X).kl is None
    torch.testing.assert_close(learned.log_prior(z), learned.prior.log_prob(z))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("components", [0, 3])
def test_samples_are_ancestral(likelihood, components):
    """z from the prior, then x from p(x|z): the averages agree with E[x] over the prior."""
    model = VAE(latent=2, hidden=(6,), shape=(3,), likelihood=likelihood, components=components)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    x, again = (model.sample(40_000, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(x, again) and not x.requires_grad and x.shape == (40_000, 3)
    assert not torch.equal(x, model.sample(40_000, torch.Generator().manual_seed(2)))
    if likelihood == "bernoulli":
        assert set(x.unique().tolist()) == {0.0, 1.0}
    elif "gaussian" in likelihood:
        assert x.min() < 0 < 1 < x.max()
    else:
        assert 0 <= x.min() < 0.05 and 0.95 < x.max() <= 1
    with torch.no_grad():
        logits = model.decode(model.sample_prior(40_000, torch.Generator().manual_seed(3)))
    mean = logits if likelihood == "real gaussian" else logits.sigmoid()
    if likelihood == "continuous bernoulli":
        mean = 1 / -(-logits.double()).expm1() - 1 / logits.double()
    error = (x.var(0) + mean.var(0)).div(40_000).sqrt()
    assert ((x.mean(0) - mean.mean(0)).abs() < 4.5 * error).all()


def test_samples_of_a_learned_prior_come_from_it():
    model = VAE(latent=2, hidden=(), components=2)
    with torch.no_grad():
        model.prior.mu.copy_(torch.tensor([[5.0, 0.0], [5.0, 9.0]]))
    z = model.sample_prior(20_000, torch.Generator().manual_seed(0))
    assert z.mean(0).tolist() == pytest.approx([5.0, 4.5], abs=0.15)


def test_what_a_model_is_unless_told_otherwise():
    model, given = VAE(likelihood="gaussian"), VAE(2, (128, 64), "mlp", 0, (28, 28), "gaussian", 0)
    assert model.settings == given.settings
    assert model.noise_logvar.item() == -2.0
    for name, value in model.state_dict().items():
        assert torch.equal(value, given.state_dict()[name])


def test_samples_of_the_prior_are_standard_normal_without_components():
    z = VAE(latent=2, hidden=()).sample_prior(20_000, torch.Generator().manual_seed(0))
    assert (z.mean(0).abs() < 4.5 / 20_000**0.5).all() and ((z.var(0) - 1).abs() < 0.05).all()


# Precision and transforms


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_model_in_half_precision_answers_in_float32(dtype, likelihood):
    model = VAE(latent=3, hidden=(6,), likelihood=likelihood).to(dtype)
    q = model.posterior(X.to(dtype))
    z = q.sample(torch.ones(2, 5, 3))
    assert q.mu.dtype == q.logvar.dtype == q.kl.dtype == z.dtype == torch.float32
    value = model.log_likelihood(X.to(dtype), z)
    assert value.dtype == torch.float32 and value.shape == (2, 5) and value.isfinite().all()
    assert model.sample(3, torch.Generator().manual_seed(0)).shape == (3, 784)


@pytest.mark.parametrize(("net", "shape"), [("mlp", (8, 8)), ("conv", (8, 8)), ("conv", (3, 4, 8))])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_models_can_be_mapped_compiled_and_exported(net, shape, likelihood):
    class Joint(nn.Module):
        def __init__(self):
            super().__init__()
            self.vae = VAE(3, (4, 6), net, shape=shape, likelihood=likelihood, components=2)

        def forward(self, x, eps):
            q = self.vae.posterior(x)
            z = q.sample(eps)
            return self.vae.log_likelihood(x, z) + self.vae.log_prior(z) - q.log_prob(z)

    model, x, eps = Joint(), torch.rand(4, math.prod(shape)), torch.ones(4, 3)
    torch.compiler.reset()  # it gives up on a function that it has compiled eight times
    with torch.no_grad():
        want = model(x, eps)
        each = torch.func.vmap(model)(x, eps)
        torch.testing.assert_close(each, want)
        torch.testing.assert_close(
            torch.compile(model, fullgraph=True, backend="eager")(x, eps), want
        )
        program = torch.export.export(model, (x, eps))
        torch.testing.assert_close(program.module()(x, eps), want)


# Refusals


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"latent": 0}, ValueError, "latent is 0: it must be at least 1"),
        ({"latent": 2.0}, TypeError, r"latent is 2.0: it must be a whole number \(int\)"),
        ({"latent": True}, TypeError, "latent is True"),
        ({"hidden": 128}, TypeError, r"hidden is 128: pass a sequence of sizes, such as"),
        ({"hidden": "128"}, TypeError, "hidden is '128': pass a sequence"),
        ({"hidden": (8, 0)}, ValueError, "a size in hidden is 0"),
        ({"shape": 784}, TypeError, "shape is 784: pass a sequence"),
        ({"shape": (28, -1)}, ValueError, "a size in shape is -1"),
        ({"net": "transformer"}, ValueError, "unknown net 'transformer': choose 'mlp' or 'conv'"),
        ({"net": "conv", "hidden": (8,)}, ValueError, "a conv net takes two channel counts"),
        ({"net": "conv", "shape": (10, 8)}, ValueError, "multiple of 4; pad the pictures"),
        ({"net": "conv", "shape": (64,)}, ValueError, "halves two sides"),
        ({"net": "conv", "shape": (16, 16, 3)}, ValueError, r"or \(colours, height, width\)"),
        ({"net": "conv", "shape": (1, 3, 8, 8)}, ValueError, "halves two sides"),
        ({"likelihood": "poisson"}, ValueError, "unknown likelihood 'poisson': choose one of"),
        ({"components": -1}, ValueError, "components is -1: it must be at least 0"),
    ],
)
def test_settings_that_build_nothing_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        VAE(**options)


def test_images_and_codes_of_another_shape_are_refused():
    model = VAE(latent=3)
    for take in (model.code, model.encode, model.posterior, model.reconstruct, model):
        with pytest.raises(ValueError, match=r"x has shape \[5, 28, 28\].*reshape\(-1, 784\)"):
            take(X.reshape(5, 28, 28))
        with pytest.raises(TypeError, match=r"x is a ndarray, not a tensor: convert it with"):
            take(X.numpy())
        with pytest.raises(ValueError, match=r"x has dtype torch.uint8"):
            take(X.byte())
    with pytest.raises(ValueError, match=r"z has shape \[5, 2\].*\[\.\.\., 3\]"):
        model.decode(torch.zeros(5, 2))
    with pytest.raises(TypeError, match=r"z is a list"):
        model.decode([0.0, 0.0, 0.0])


def test_colours_that_come_last_are_told_how_to_come_first():
    """And what the message says to do is what it takes."""
    model, x = VAE(latent=2, hidden=(4, 6), net="conv", shape=(3, 8, 12)), torch.rand(2, 8, 12, 3)
    with pytest.raises(ValueError, match=r"colours come last.*\.movedim\(-1, -3\)\.flatten\(-3\)"):
        model.code(x)
    mended = x.movedim(-1, -3).flatten(-3)
    assert torch.equal(mended.reshape(2, 3, 8, 12)[:, 1], x[..., 1])
    assert model.code(mended).shape == (2, 2) and model.code(mended[0]).shape == (2,)


def test_a_model_and_images_of_two_types_are_told_apart():
    with pytest.raises(ValueError, match=r"x is torch.float32 and the model torch.float64"):
        VAE().double().code(X)
    with pytest.raises(ValueError, match=r"x is torch.float64 and the model torch.float32"):
        VAE().code(X.double())
    assert VAE().double().code(X.double()).dtype == torch.float64


def test_the_protocol_is_met():
    """What bounds ask for is what a VAE and a tuple of functions offer, by the same names."""
    names = {n for n in vars(models.Latent) if not n.startswith("_")}
    assert names == {"latent", "log_prior", "log_likelihood", "posterior"}
    assert set(models.LatentVariableModel._fields) == names
    assert all(hasattr(VAE(), name) for name in names)
    assert not hasattr(Autoencoder(), "posterior")
