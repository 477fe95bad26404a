"""Checkpoints: whole or not at all, never unpickled, and clear about what is wrong with them."""

import errno
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save, save_file

from vae_lib import training
from vae_lib.bounds import elbo_terms, reconstruction_terms
from vae_lib.data import load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import evaluate, load_checkpoint, load_shipped, save_checkpoint


@pytest.fixture
def model():
    return VAE(latent=3, hidden=(8,), seed=5)


@pytest.fixture
def path(tmp_path, model):
    return save_checkpoint(model, tmp_path / "model.safetensors", {"data": "three digits"})


def same(model, other) -> bool:
    return all(torch.equal(w, other.state_dict()[name]) for name, w in model.state_dict().items())


# There and back


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
@pytest.mark.parametrize(("net", "hidden"), [("mlp", (8,)), ("conv", (2, 3))])
def test_a_model_comes_back_as_it_was(tmp_path, kind, net, hidden):
    model = kind(latent=3, hidden=hidden, net=net, seed=5)
    back = load_checkpoint(save_checkpoint(model, tmp_path / "a" / "b" / "model.safetensors"))
    assert type(back) is kind
    assert back.settings == model.settings
    assert same(model, back)


def test_a_model_is_loaded_in_place(path, model):
    other = VAE(latent=3, hidden=(8,), seed=6)
    assert load_checkpoint(path, other) is other
    assert same(model, other)


def test_the_card_can_be_read(path, model):
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["settings"] == model.settings
    assert card["data"] == "three digits"
    assert card["versions"]["torch"].startswith(torch.__version__.split("+")[0])


# Nothing half-written


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_write_that_fails_midway_leaves_what_was_there(path, monkeypatch):
    before, real = files(path.parent), os.fdopen

    class Full:
        """A disk that is full after ten bytes."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, content):
            self.file.write(content[:10])
            self.file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training.os, "fdopen", lambda *args: Full(real(*args)))
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(VAE(latent=3, hidden=(8,), seed=9), path)
    assert files(path.parent) == before


def test_an_interrupt_before_the_move_leaves_what_was_there(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = files(path.parent)
    monkeypatch.setattr(training.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(VAE(latent=3, hidden=(8,), seed=9), path)
    assert files(path.parent) == before


def test_no_temporary_file_stays(path):
    assert set(files(path.parent)) == {"model.safetensors", "model.json"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path, model, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(training.tempfile, "mkstemp", refuse)
    with pytest.raises(PermissionError, match=rf"cannot write in {tmp_path}: Permission denied"):
        save_checkpoint(model, tmp_path / "model.safetensors")
    assert files(tmp_path) == {}


def test_a_parent_that_is_a_file_is_named(tmp_path, model):
    parent = tmp_path / "notes.txt"
    parent.write_text("mine")
    with pytest.raises(OSError, match=rf"cannot write in {parent}.*choose a folder"):
        save_checkpoint(model, parent / "model.safetensors")
    assert parent.read_text() == "mine"


@pytest.mark.parametrize("name", ["model.pt", "model", "model.safetensors.bak"])
def test_another_ending_is_refused(tmp_path, model, name):
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_checkpoint(model, tmp_path / name)
    assert files(tmp_path) == {}


# What is no checkpoint


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -1])
def test_a_file_cut_short_is_named(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else keep])
    with pytest.raises(ValueError, match=rf"{path} is cut short or is no checkpoint"):
        load_checkpoint(path)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name, content in (
        ("plain.safetensors", pickle.dumps(Trap())),
        ("torch.safetensors", None),
    ):
        path = tmp_path / name
        path.write_bytes(content) if content else torch.save(Trap(), path)
        with pytest.raises(ValueError, match="no checkpoint of vae_lib"):
            load_checkpoint(path)
    assert not (tmp_path / "sprung").exists()


def test_other_people_s_safetensors_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="no checkpoint of vae_lib"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "Transformer"}, "holds a model 'Transformer'.*'Autoencoder', 'VAE'"),
        ({"latent": 3}, "holds a model None"),
        (["VAE"], "holds a model"),
        ("VAE", "build no VAE"),
        ({"model": ["VAE"]}, "holds a model"),
        ({"model": "VAE", "colour": "red"}, "build no VAE"),
        ({"model": "VAE", "latent": 0}, "build no VAE"),
        ({"model": "VAE", "latent": 2, "hidden": [8], "net": "mlp"}, "is damaged"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, model, settings, words):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(save(model.state_dict(), metadata={"settings": json.dumps(settings)}))
    with pytest.raises(ValueError, match=f"odd.safetensors.*{words}"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "other",
    [VAE(latent=2, hidden=(8,)), VAE(latent=3, hidden=(9,)), Autoencoder(latent=3, hidden=(8,))],
)
def test_a_model_of_other_settings_is_refused_and_left_alone(path, other):
    before = {name: w.clone() for name, w in other.state_dict().items()}
    with pytest.raises(ValueError, match=r"was saved from .* but the model is .* file's settings"):
        load_checkpoint(path, other)
    assert all(torch.equal(w, before[name]) for name, w in other.state_dict().items())


def test_a_missing_checkpoint_is_named(tmp_path):
    for path in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no checkpoint at {path}"):
            load_checkpoint(path)


# The weights that ship


@pytest.mark.parametrize(
    ("name", "objective"), [("ae-2d", reconstruction_terms), ("vae-2d", elbo_terms)]
)
def test_shipped_weights_do_what_their_card_says(name, objective):
    """Binarisation and noise differ a little between machines: two standard errors are allowed."""
    card = json.loads((training.SHIPPED / f"{name}.json").read_text())
    model = load_shipped(name)
    assert model.settings == card["settings"]
    result = evaluate(model, load_digits("heldout").images, objective, seed=card["seed"])
    for term in {"loss", "nll", "kl"} & set(card["result"]):
        told = card["result"][term]
        assert abs(result[f"heldout_{term}"] - told["mean"]) < 2 * told["standard error"]


def test_shipped_weights_were_not_trained_on_the_heldout_digits():
    """Had they been, held-out digits would cost no more than training digits."""
    for name, objective in (("ae-2d", reconstruction_terms), ("vae-2d", elbo_terms)):
        card = json.loads((training.SHIPPED / f"{name}.json").read_text())
        assert "4,000 to train, 1,000 held out" in card["data"]
        model = load_shipped(name)
        train, heldout = (
            evaluate(model, load_digits(split).images, objective)["heldout_loss"]
            for split in ("train", "heldout")
        )
        assert train < heldout


def test_shipped_models_are_ready_for_use():
    model = load_shipped("vae-2d")
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match=r"no shipped weights 'vae-3d': there are .*'ae-2d'"):
        load_shipped("vae-3d")
