"""The file that a reader copies away: on its own, and in agreement with the library."""

import ast
import importlib.util
from pathlib import Path

import pytest
import torch
from PIL import Image

from vae_lib.bounds import elbo
from vae_lib.data import load_digits
from vae_lib.models import VAE
from vae_lib.training import fit

FILE = Path(__file__).parents[2] / "standalone" / "vae.py"
SIZES = {"latent": 3, "hidden": (16,)}


@pytest.fixture
def standalone():
    spec = importlib.util.spec_from_file_location("standalone_vae", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pair(standalone):
    """The library's VAE and this file's, with the same weights."""
    ours, theirs = VAE(**SIZES, seed=4), standalone.VAE(hidden=16, latent=3)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.fixture(scope="module")
def images():
    return load_digits("train").images[::20]


def test_it_is_short_and_needs_pytorch_alone():
    nodes = ast.walk(ast.parse(FILE.read_text("utf8")))
    roots = {
        name.partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert roots == {"torch", "torchvision"}

    code = [line for line in FILE.read_text("utf8").splitlines() if line.strip()]
    assert len(code) <= 65


def test_its_loss_is_the_library_s_bound(pair, images):
    ours, theirs = pair
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(200, 3, generator=generator)
    torch.testing.assert_close(
        theirs.loss(images.round(), eps), -elbo(ours, images.round(), eps).elbo
    )


def test_it_trains_as_fit_does(pair, images, standalone, capsys):
    """The same seed draws the same batches, pixels and noise: weights and losses agree."""

    def objective(model, x, generator):
        return {"loss": -elbo(model, x, torch.randn(len(x), 3, generator=generator)).elbo}

    (ours, theirs), at = pair, {}
    options = {"batch_size": 64, "epochs": 3, "lr": 1e-3, "seed": 9}
    history = fit(
        ours,
        images,
        images,
        objective,
        device="cpu",
        progress=False,
        on_epoch=lambda model, _: at.update({k: w.clone() for k, w in model.state_dict().items()}),
        **options,
    )
    torch.manual_seed(options.pop("seed"))
    losses = standalone.train(theirs, images, **options)
    assert losses == pytest.approx(history.column("train_loss"), rel=1e-5)
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(at[name], weight, rtol=1e-4, atol=1e-5)
    assert capsys.readouterr().out.count("nats per digit") == 3


def test_it_runs_from_end_to_end(standalone, images, monkeypatch, tmp_path, capsys):
    """On 200 digits in place of MNIST's 60,000; the picture holds 100 digits."""
    from torchvision import datasets

    class FewDigits:
        def __init__(self, root, download):
            self.data = (images * 255).byte().reshape(-1, 28, 28)

    monkeypatch.setattr(datasets, "MNIST", FewDigits)
    monkeypatch.chdir(tmp_path)
    standalone.main(epochs=2)
    first, last = (float(line.split()[-4]) for line in capsys.readouterr().out.splitlines())
    assert last < first < 560
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.size == (302, 302)
        assert picture.getextrema()[0][1] > 100
