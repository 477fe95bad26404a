"""Checkpoints: whole or not at all, never unpickled, and clear about what is wrong with them."""

import errno
import importlib.util
import json
import os
import pickle
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from vae_lib import checkpoints
from vae_lib.bounds import elbo_terms, reconstruction_terms
from vae_lib.checkpoints import (
    load_checkpoint,
    load_shipped,
    read_card,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from vae_lib.conditional import ConditionalVAE, labelled
from vae_lib.data import load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import evaluate


@pytest.fixture
def model():
    return VAE(latent=3, hidden=(8,), seed=5)


@pytest.fixture
def path(tmp_path, model):
    return save_checkpoint(model, tmp_path / "model.safetensors", {"data": "three digits"})


def same(model, other) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(w, theirs[name]) for name, w in model.state_dict().items())


def written(tmp_path, settings, tensors):
    """A checkpoint with a right digest, whatever it says and holds."""
    return write_tensors(tmp_path / "odd.safetensors", tensors, {"settings": settings})


# There and back


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
@pytest.mark.parametrize(("net", "hidden"), [("mlp", (8,)), ("conv", (2, 3))])
def test_a_model_comes_back_as_it_was(tmp_path, kind, net, hidden):
    model = kind(latent=3, hidden=hidden, net=net, seed=5)
    back = load_checkpoint(save_checkpoint(model, tmp_path / "a" / "b" / "model.safetensors"))
    assert type(back) is kind
    assert back.settings == model.settings
    assert same(model, back)
    assert all(w.requires_grad for w in back.parameters())


def test_a_model_is_loaded_in_place(path, model):
    other = VAE(latent=3, hidden=(8,), seed=6)
    weight = other.decoder[0].weight
    assert load_checkpoint(path, other) is other
    assert same(model, other)
    assert other.decoder[0].weight is weight, "an optimiser still knows it"


def test_the_card_is_in_the_file(path, model):
    card = read_card(path)
    assert card["settings"] == model.settings
    assert card["data"] == "three digits"
    assert card["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_library_that_is_not_installed_saves_too(monkeypatch, tmp_path):
    from importlib.metadata import PackageNotFoundError

    def nowhere(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr("vae_lib.checkpoints.version", nowhere)
    path = save_checkpoint(VAE(latent=2), tmp_path / "model.safetensors")
    assert read_card(path)["versions"]["vae-lib"] == "not installed"


def test_a_class_of_the_reader_s_own_comes_back(tmp_path):
    class Wider(VAE):
        """It is known as soon as it is defined: there is no list to add it to."""

    back = load_checkpoint(save_checkpoint(Wider(hidden=(4,)), tmp_path / "w.safetensors"))
    assert type(back) is Wider


def test_a_plain_module_is_saved_and_loaded_into_one_like_it(tmp_path):
    """Tied weights too, which safetensors would refuse."""
    torch.manual_seed(0)
    module, other = (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(2))
    for each in (module, other):
        each.append(nn.Linear(3, 3))
        each[2].weight = each[0].weight
    path = save_checkpoint(module, tmp_path / "plain.safetensors", {"by": "me"})
    assert read_card(path)["settings"] is None
    assert load_checkpoint(path, other) is other
    assert same(module, other)
    with pytest.raises(ValueError, match=r"plain.safetensors holds .* a module without settings"):
        load_checkpoint(path)


def test_weights_keep_their_type_whatever_the_default_is(tmp_path, path):
    double = save_checkpoint(VAE(latent=3, hidden=(8,)).double(), tmp_path / "d.safetensors")
    torch.set_default_dtype(torch.float64)
    try:
        assert {w.dtype for w in load_checkpoint(path).parameters()} == {torch.float32}
    finally:
        torch.set_default_dtype(torch.float32)
    assert {w.dtype for w in load_checkpoint(double).parameters()} == {torch.float64}


def test_what_is_loaded_does_not_follow_the_file(path, model):
    back = load_checkpoint(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert same(model, back)


# Nothing half-written


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_disk_that_fills_up_leaves_what_was_there(path):
    """A limit on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource")
    before, limits = files(path.parent), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(OSError, match=rf"cannot write {path}: File too large") as told:
            save_checkpoint(VAE(latent=3, hidden=(8,), seed=9), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.errno == errno.EFBIG
    assert files(path.parent) == before


def test_an_interrupt_before_the_move_leaves_what_was_there(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = files(path.parent)
    monkeypatch.setattr(checkpoints.Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(VAE(latent=3, hidden=(8,), seed=9), path)
    assert files(path.parent) == before


KILLED = """
import sys
import time
from vae_lib.checkpoints import save_checkpoint
from vae_lib.models import VAE
models = [VAE(latent=3, hidden=(64,), seed=seed) for seed in (0, 1)]
print("ready", flush=True)
while True:
    for seed, model in enumerate(models):
        save_checkpoint(model, sys.argv[1], {"seed": seed})
"""


@pytest.mark.slow
def test_kill_9_leaves_a_whole_file_and_a_later_save_cleans_up(tmp_path, monkeypatch):
    path, dice = tmp_path / "model.safetensors", random.Random(0)
    models = [VAE(latent=3, hidden=(64,), seed=seed) for seed in (0, 1)]
    seen = set()
    for _ in range(2):
        command = [sys.executable, "-c", KILLED, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            try:
                while not path.exists():
                    assert process.poll() is None, "it died"
                for _ in range(200):  # it can be read whenever it is written again and again
                    seen.add(read_card(path)["seed"])
                time.sleep(dice.uniform(0, 0.005))
            finally:
                process.kill()
        seed = read_card(path)["seed"]
        assert same(load_checkpoint(path), models[seed])
    assert len(list(tmp_path.iterdir())) <= 3, "the file, and what each of two kills left"
    assert seen == {0, 1}
    monkeypatch.setattr(checkpoints, "FORGOTTEN", -1)
    save_checkpoint(models[0], path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_a_killed_run_left_is_removed_when_it_is_old_and_a_run_under_way_is_let_be(
    path, model
):
    dead, alive, other = (
        path.with_name(name)
        for name in (f".{path.name}.12-ab.tmp", f".{path.name}.34-cd.tmp", ".x.safetensors.5.tmp")
    )
    for file in (dead, alive, other):
        file.write_bytes(b"half a checkpoint")
        file.chmod(0o400)
    for file in (dead, other):
        os.utime(file, (0, 0))
    save_checkpoint(model, path)
    assert set(files(path.parent)) == {path.name, alive.name, other.name}


def test_two_runs_may_save_to_one_path(tmp_path, model):
    """Threads stand in for processes: each save has a name of its own."""
    path = tmp_path / "model.safetensors"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: save_checkpoint(model, path), range(200)))
    assert same(load_checkpoint(path), model)
    assert set(files(tmp_path)) == {path.name}


def test_a_link_stays_a_link(tmp_path, model):
    real, link = tmp_path / "far" / "real.safetensors", tmp_path / "link.safetensors"
    save_checkpoint(model, real)
    link.symlink_to(real)
    other = VAE(latent=3, hidden=(8,), seed=6)
    save_checkpoint(other, link)
    assert link.is_symlink()
    assert same(load_checkpoint(real), other)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, model, monkeypatch):
    def refuse(self, *_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(checkpoints.Path, "write_bytes", refuse)
    path = tmp_path / "model.safetensors"
    with pytest.raises(PermissionError, match=rf"cannot write {path}: Permission denied"):
        save_checkpoint(model, path)
    assert files(tmp_path) == {}


def test_a_parent_that_is_a_file_is_named(tmp_path, model):
    parent = tmp_path / "notes.txt"
    parent.write_text("mine")
    with pytest.raises(OSError, match=rf"cannot write {parent}/model.*choose a folder"):
        save_checkpoint(model, parent / "model.safetensors")
    assert parent.read_text() == "mine"


def test_a_folder_in_the_file_s_place_is_named(tmp_path, model):
    with pytest.raises(IsADirectoryError, match=r"a\.safetensors is a folder: name a file in it"):
        (tmp_path / "a.safetensors").mkdir()
        save_checkpoint(model, tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["model.pt", "model", "model.safetensors.bak"])
def test_another_ending_is_refused(tmp_path, model, name):
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_checkpoint(model, tmp_path / name)
    assert files(tmp_path) == {}


def test_a_card_that_is_not_json_is_refused(tmp_path, model):
    with pytest.raises(TypeError, match=r"the card for .* is not plain JSON: .*Tensor"):
        save_checkpoint(model, tmp_path / "model.safetensors", {"loss": torch.tensor(1.0)})
    assert files(tmp_path) == {}


# What is no checkpoint


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -1])
def test_a_file_cut_short_is_named(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else keep])
    with pytest.raises(ValueError, match=rf"{path} is cut short or is no checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("part", ["anywhere", "header"])
def test_any_flipped_bit_is_noticed(path, model, part):
    """200 random bits of the whole file, and 400 of its header, where names and the card are."""
    content, dice = path.read_bytes(), random.Random(part)
    header = 8 + int.from_bytes(content[:8], "little")
    other = VAE(latent=3, hidden=(8,), seed=6)
    before = {name: w.clone() for name, w in other.state_dict().items()}
    for _ in range(200 if part == "anywhere" else 400):
        flipped = bytearray(content)
        bit = dice.randrange(8 * (len(content) if part == "anywhere" else header))
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=rf"{path} (is damaged|is cut short or is no check)"):
            load_checkpoint(path)
        with pytest.raises(ValueError, match=f"{path} is"):
            load_checkpoint(path, other)
    assert all(torch.equal(w, before[name]) for name, w in other.state_dict().items())


def test_the_digest_covers_types_shapes_names_and_the_card(tmp_path):
    """Files whose bytes are alike and whose meaning is not have different digests."""
    zeros, text = torch.zeros(4), '{"a": 1}'
    digests = {
        checkpoints._digest(tensors, card)
        for tensors, card in (
            ({"w": zeros}, text),
            ({"v": zeros}, text),
            ({"w": zeros.reshape(2, 2)}, text),
            ({"w": zeros.view(torch.int32)}, text),
            ({"w": zeros, "x": zeros[:0]}, text),
            ({"w": zeros}, '{"a": 2}'),
        )
    }
    assert len(digests) == 6


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


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"settings": '{"model": "VAE"}'},
        {"card": "{}"},
        {"sha256": "0"},
        {"card": "no JSON", "sha256": "0"},
        {"card": "[" * 100_000, "sha256": "0"},
    ],
)
def test_other_people_s_safetensors_are_refused(tmp_path, metadata):
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(2)}, path, metadata)
    with pytest.raises(ValueError, match="no checkpoint of vae_lib"):
        load_checkpoint(path)


def test_a_card_that_is_no_object_is_refused(tmp_path, model):
    path = write_tensors(tmp_path / "a.safetensors", model.state_dict(), ["VAE"])
    with pytest.raises(ValueError, match="its card is not a JSON object"):
        load_checkpoint(path)


SMALL = {"latent": 3, "hidden": [8], "net": "mlp"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "Transformer"}, "holds a model 'Transformer'.*'Autoencoder'.*'VAE'"),
        ({"latent": 3}, "holds a model None"),
        (["VAE"], "holds a model"),
        ({"model": ["VAE"]}, "holds a model"),
        ({"model": "Module"}, "holds a model 'Module'"),
        ({"model": "VAE", "colour": "red"}, "build no VAE"),
        ({"model": "VAE", "latent": 0}, "build no VAE"),
        ({"model": "VAE", "latent": "three"}, "build no VAE"),
        ({"model": "VAE", "hidden": [-5]}, "build no VAE"),
        ({"model": "VAE", "hidden": [10**30]}, "build no VAE"),
        ({"model": "VAE", "hidden": [8] * 10_000}, "settings of 30,0.* characters"),
        ({"model": "VAE", "latent": 2, "hidden": [8], "net": "mlp"}, "does not fit the model"),
        ({"model": "VAE", "latent": 3, "hidden": [10**9], "net": "mlp"}, "does not fit the model"),
        ({"model": "Autoencoder", **SMALL}, "does not fit the model"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, model, settings, words):
    path = written(tmp_path, settings, model.state_dict())
    with pytest.raises(ValueError, match=f"odd.safetensors.*{words}"):
        load_checkpoint(path)


def test_settings_are_compared_before_memory_is_taken(tmp_path):
    """A small file that asks for 2.4 GB is refused without a weight being made."""
    resource = pytest.importorskip("resource")
    path = written(
        tmp_path, {"model": "VAE", "latent": 2, "hidden": [400_000]}, {"w": torch.ones(1)}
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"does not fit the model: for decoder.* holds nothing"):
        load_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "in kB"


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.half(),
        lambda w: w.to(torch.int32),
        lambda w: w[:-1],
        lambda w: None,
    ],
)
def test_misfitting_weights_are_found_before_any_is_copied(tmp_path, model, change):
    weights, other = model.state_dict(), VAE(latent=3, hidden=(8,), seed=6)
    name = list(weights)[-1]
    weights[name] = change(weights[name])
    weights = {name: w for name, w in weights.items() if w is not None}
    path = written(tmp_path, model.settings, weights)
    before = {name: w.clone() for name, w in other.state_dict().items()}
    with pytest.raises(ValueError, match=f"does not fit the model: for {name} it holds"):
        load_checkpoint(path, other)
    with pytest.raises(ValueError, match="does not fit the model"):
        load_checkpoint(path)
    assert all(torch.equal(w, before[name]) for name, w in other.state_dict().items())


def test_weights_that_no_model_asked_for_are_refused(tmp_path, model):
    path = written(tmp_path, model.settings, model.state_dict() | {"extra": torch.ones(2)})
    with pytest.raises(ValueError, match=r"for extra it holds \[2\] torch.float32, the mode"):
        load_checkpoint(path)


def test_nan_is_neither_saved_nor_loaded(tmp_path, model, path, monkeypatch):
    before = path.read_bytes()
    model.decoder[0].bias.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"decoder\.0\.bias of .* holds NaN"):
        save_checkpoint(model, path)
    assert path.read_bytes() == before
    with monkeypatch.context() as unchecked:
        unchecked.setattr(checkpoints, "_check_numbers", lambda *_: None)
        save_checkpoint(model, path)
    with pytest.raises(ValueError, match=r"decoder\.0\.bias of .* holds NaN"):
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


def test_settings_that_an_older_file_does_not_tell_are_the_defaults(tmp_path):
    model = VAE(hidden=(8,))
    told = {name: model.settings[name] for name in ("model", "hidden")}
    path = written(tmp_path, told, model.state_dict())
    assert same(load_checkpoint(path, VAE(hidden=(8,), seed=3)), model)
    assert load_checkpoint(path).settings == model.settings


def test_a_missing_checkpoint_is_named(tmp_path):
    for path in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no checkpoint at {path}"):
            load_checkpoint(path)


def test_safetensors_own_files_lack_the_digest(tmp_path, model):
    """What earlier versions of this library wrote is refused as well."""
    path = tmp_path / "old.safetensors"
    path.write_bytes(save(model.state_dict(), {"settings": json.dumps(model.settings)}))
    with pytest.raises(ValueError, match="no checkpoint of vae_lib"):
        load_checkpoint(path)


# The weights that ship

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_shipped.py"
SHIPPED = [
    ("ae-2d", reconstruction_terms),
    ("vae-2d", elbo_terms),
    ("vae-16d", elbo_terms),
    ("ae-16d", reconstruction_terms),
    ("cvae-2d", elbo_terms),
    ("cvae-16d", elbo_terms),
]
FLAGSHIPS = ("flagship-one-layer", "flagship-one-layer-mixture", "flagship-two-layers")


def digits_for(model, split):
    """As the model takes them: with labels behind the pixels where it is conditional."""
    digits = load_digits(split)
    conditional = isinstance(model, ConditionalVAE)
    return labelled(digits.images, digits.labels) if conditional else digits.images


@pytest.mark.parametrize(("name", "objective"), SHIPPED)
def test_shipped_weights_do_what_their_card_says(name, objective):
    """Binarisation and noise differ a little between machines: two standard errors are allowed."""
    card, model = read_card(checkpoints.SHIPPED / f"{name}.safetensors"), load_shipped(name)
    assert {k: model.settings[k] for k in card["settings"]} == card["settings"]
    result = evaluate(model, digits_for(model, "heldout"), objective, seed=card["seed"])
    for term in {"loss", "nll", "kl"} & set(card["result"]):
        told = card["result"][term]
        assert abs(result[f"heldout_{term}"] - told["mean"]) < 2 * told["standard error"]


@pytest.mark.parametrize("path", sorted(checkpoints.SHIPPED.glob("*.safetensors")))
def test_the_readable_copy_of_a_card_is_the_card(path):
    assert json.loads(path.with_suffix(".json").read_text("utf8")) == read_card(path)


def test_nothing_else_ships():
    names = {path.name for path in checkpoints.SHIPPED.iterdir()}
    known = [*(name for name, _ in SHIPPED), *FLAGSHIPS]
    files = {f"{name}.{end}" for name in known for end in ("safetensors", "json")}
    assert names == files | {"flagship-curves.json"}  # how the flagship's runs went, for chapter 11


@pytest.mark.parametrize(("name", "objective"), SHIPPED)
def test_shipped_weights_were_not_trained_on_the_heldout_digits(name, objective):
    """Had they been, held-out digits would cost no more than training digits."""
    card, model = read_card(checkpoints.SHIPPED / f"{name}.safetensors"), load_shipped(name)
    assert "4,000 to train, 1,000 held out" in card["data"]
    train, heldout = (
        evaluate(model, digits_for(model, split), objective)["heldout_loss"]
        for split in ("train", "heldout")
    )
    assert train < heldout


@pytest.mark.parametrize("name", [*(name for name, _ in SHIPPED), *FLAGSHIPS])
def test_shipped_models_are_ready_for_use(name):
    model = load_shipped(name)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match=r"no shipped weights 'vae-3d': there are .*'ae-2d'"):
        load_shipped("vae-3d")


def test_tensors_and_card_come_back_as_they_went(tmp_path):
    """Views, scalars, empty tensors and other types; an em dash in the card."""
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "view": whole[:, 1],
        "turned": whole.T,
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "half": whole.bfloat16(),
        "bytes": torch.arange(5, dtype=torch.uint8),
    }
    path = write_tensors(tmp_path / "t.safetensors", tensors, {"β": "a — b", "best": [1.5, None]})
    back, card = read_tensors(path)
    assert card == {"β": "a — b", "best": [1.5, None]}
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)
    assert path.stat().st_size < 2_000


def test_the_script_that_ships_writes_what_loads(tmp_path):
    """One epoch of its recipe: the file, and the readable copy of its card."""
    spec = importlib.util.spec_from_file_location("train_shipped", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert set(script.RECIPES) == {name for name, _ in SHIPPED}
    assert script.FLAGSHIPS == FLAGSHIPS
    path = script.train("vae-2d", tmp_path, epochs=1)
    card = read_card(path)
    assert json.loads(path.with_suffix(".json").read_text("utf8")) == card
    assert card["best_epoch"] == card["epochs"] == 1
    model, heldout = load_checkpoint(path), load_digits("heldout").images
    again = evaluate(model, heldout, elbo_terms)["heldout_loss"]
    told = card["result"]["loss"]
    assert abs(again - told["mean"]) < 2 * told["standard error"]
