"""On a real GPU, where there is one: the numbers are those of the CPU, whatever the device.

``test_devices.py`` proves on any machine that no tensor is on the wrong device. Here CUDA computes,
or Apple's MPS, so that kernels, generators and copies are real too. A generator draws other numbers
on another device; where two devices are compared, the noise is drawn once and carried over.
"""

from functools import partial
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from vae_lib import bounds, evaluation
from vae_lib.checkpoints import load_checkpoint, load_shipped, save_checkpoint
from vae_lib.conditional import ConditionalVAE, labelled
from vae_lib.data import binarise, load_digits
from vae_lib.diffusion import Denoiser, Diffusion, cosine_schedule
from vae_lib.models import VAE
from vae_lib.training import evaluate, fit

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "book" / "03-why-a-code-is-not-a-generator.ipynb"  # trains on the best device
THERE = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
FLOAT32 = {"rtol": 1e-4, "atol": 1e-3}  # sums of 784 nats, in another order


@pytest.fixture(params=THERE)
def device(request) -> str:
    """Each kind of GPU in turn."""
    if not THERE[request.param]():
        pytest.skip(f"PyTorch finds no {request.param} device on this machine")
    return request.param


@pytest.fixture
def digits():
    train, heldout = load_digits("train"), load_digits("heldout")
    x = binarise(heldout.images[:200], torch.Generator().manual_seed(0))
    return train.images[::10], heldout.images[::10], x


def generator(device, seed=0):
    return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize("name", ["vae-2d", "vae-16d", "cvae-2d"])
def test_a_shipped_model_gives_the_same_bound(device, digits, name):
    model, x = load_shipped(name), digits[2]
    if isinstance(model, ConditionalVAE):
        x = labelled(x, load_digits("heldout").labels[:200])
    eps = torch.randn(3, len(x), model.latent, generator=generator("cpu"))
    here = bounds.elbo(model, x, eps)
    there = bounds.elbo(model.to(device), x.to(device), eps.to(device))
    for ours, theirs in zip(here, there, strict=True):
        torch.testing.assert_close(theirs.cpu(), ours, **FLOAT32)


def test_the_gradient_is_the_same(device, digits):
    gradients = []
    eps = torch.randn(200, 2, generator=generator("cpu"))
    for place in ("cpu", device):
        model = VAE(latent=2, seed=1).to(place)
        bounds.elbo(model, digits[2].to(place), eps.to(place)).elbo.mean().backward()
        gradients.append([parameter.grad.cpu() for parameter in model.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-5)


def test_a_run_learns_as_much(device, digits):
    """The noise differs, so the loss does, by a few nats of the hundreds that are learned."""
    losses = []
    for place in ("cpu", device):
        model = VAE(latent=2)
        run = partial(fit, model, *digits[:2], bounds.elbo_terms, epochs=6, progress=False)
        losses.append(run(device=place).column("heldout_loss"))
        assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert losses[0][0] - losses[1][-1] > 300
    assert abs(losses[0][-1] - losses[1][-1]) < 6


def test_the_same_seed_gives_the_same_run(device, digits):
    def run():
        model = VAE(latent=2)
        fit(model, *digits[:2], bounds.elbo_terms, epochs=2, device=device, progress=False)
        return model.state_dict()

    first, second = run(), run()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_stopped_run_goes_on(device, digits, tmp_path):
    def run(path, stop_after=None, resume=False):
        def after(model, history):
            if history.rows[-1]["epoch"] == stop_after:
                raise KeyboardInterrupt

        model = VAE(latent=2)
        options = {"epochs": 4, "device": device, "progress": False, "resume": resume}
        fit(model, *digits[:2], bounds.elbo_terms, checkpoint=path, on_epoch=after, **options)
        return model.state_dict()

    whole = run(tmp_path / "whole.safetensors")
    run(tmp_path / "two.safetensors", stop_after=2)
    joined = run(tmp_path / "two.safetensors", resume=True)
    assert all(torch.equal(whole[name], joined[name]) for name in whole)


def test_a_checkpoint_goes_from_device_to_device(device, tmp_path):
    model = VAE(latent=2).to(device)
    loaded = load_checkpoint(save_checkpoint(model, tmp_path / "model.safetensors"))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.cpu())
    into = load_checkpoint(tmp_path / "model.safetensors", VAE(latent=2, seed=5).to(device))
    assert {value.device.type for value in into.state_dict().values()} == {device}


def test_evaluation_agrees(device, digits):
    """Estimates from other noise, so within their errors."""
    model, x = load_shipped("vae-2d"), digits[2][:40]
    estimates = [
        evaluation.log_likelihood(model.to(place), x.to(place), generator(place), 2000)
        for place in ("cpu", device)
    ]
    apart = (estimates[0].log_px - estimates[1].log_px).abs()
    error = (estimates[0].standard_error ** 2 + estimates[1].standard_error ** 2).sqrt()
    assert (apart < 6 * error + 0.05).all()
    losses = [
        evaluate(model.to(place), load_digits("heldout").images, bounds.elbo_terms)["heldout_loss"]
        for place in ("cpu", device)
    ]
    assert abs(losses[0] - losses[1]) < 3  # from seed to seed it moves by 0.4


def test_annealing_and_gaps_agree(device, digits):
    model, x = load_shipped("vae-2d"), digits[2][:10]
    annealed, split = [], []
    for place in ("cpu", device):
        model, part = model.to(place), x.to(place)
        annealed.append(evaluation.ais(model, part, generator(place), steps=200).log_px.mean())
        split.append(evaluation.gaps(model, part, generator(place), steps=100).best.mean())
    assert abs(annealed[0] - annealed[1]) < 0.3
    assert abs(split[0] - split[1]) < 0.3


def test_a_diffusion_gives_the_same_terms_and_samples(device):
    x_0, eps, z = torch.randn(571, 2, generator=generator("cpu")).split([50, 500, 21])
    terms, steps = [], []
    for place in ("cpu", device):
        alpha_bar = cosine_schedule(10)
        model = Diffusion(Denoiser(2, alpha_bar, 16), 2, alpha_bar).to(place)
        terms.append(model.bound_terms(x_0.to(place), eps.reshape(10, 50, 2).to(place)).cpu())
        steps.append(model.step(z.to(place), torch.tensor(4, device=place), z.to(place)).cpu())
        assert model.sample(7, generator(place)).device.type == place
    torch.testing.assert_close(*terms, **FLOAT32)
    torch.testing.assert_close(*steps, **FLOAT32)


def test_a_chapter_keeps_its_promises(device, tidier):
    """Its cells leave the device to fit. Each promise makes its stored claim."""
    stored = nbformat.read(CHAPTER, as_version=4)
    ran = nbformat.from_dict(stored)
    resources = {"metadata": {"path": CHAPTER.parent}}
    NotebookClient(ran, timeout=300, coalesce_streams=True, resources=resources).execute()
    for before, after in zip(stored.cells, ran.cells, strict=True):
        if "keep_output" in before.metadata.get("tags", []):
            assert tidier.claims(after.outputs) == tidier.claims(before.outputs), before.id
