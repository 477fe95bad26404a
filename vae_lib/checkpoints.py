"""Checkpoints: weights and their card in one safetensors file, written whole, with a digest.

The card says what the weights are: settings that build the model, library versions, and what the
caller adds. It stands in the file's metadata with a sha256 of card and tensors. Nothing is ever
unpickled. Introduced in chapters 1 and 10.
"""

import contextlib
import glob
import hashlib
import json
import os
import secrets
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from vae_lib import conditional, flagship  # noqa: F401  (so that their models are known by name)
from vae_lib.models import Autoencoder

SHIPPED = Path(__file__).with_name("weights")
CURVES = SHIPPED / "flagship-curves.json"
FORGOTTEN = 3600  # seconds after which a file under a temporary name is nobody's any more
LONGEST_SETTINGS = 2_000  # characters of JSON: the layers of a model come from a file

Card = dict[str, Any]
AnyModule = TypeVar("AnyModule", bound=nn.Module)


def save_checkpoint(model: nn.Module, path: str | Path, card: Card | None = None) -> Path:
    """Write the weights and the card to ``path``, whole or not at all; a link stays a link.

    To the card come the model's settings, where it has them, and the library versions. A module
    without ``settings`` can be saved too, and loaded into one like it. What ``torch.compile``
    wrapped is saved as if it had not been.

    Raises:
        ValueError: if ``path`` does not end in ".safetensors", or a weight is NaN.
        TypeError: if the card is not plain JSON.
        OSError: if the file cannot be written; what stood there before is still there.

    Example:
        >>> import tempfile
        >>> from vae_lib.models import VAE
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "mine.safetensors"
        ...     path = save_checkpoint(VAE(latent=2), path, {"epochs": 3})
        ...     load_checkpoint(path).latent, read_card(path)["epochs"]
        (2, 3)
    """
    plain = getattr(model, "_orig_mod", model)
    return write_tensors(path, plain.state_dict(), describe(model, card))


def describe(model: nn.Module, card: Card | None = None) -> Card:
    """The whole card of ``model``: settings (None where it has none), ``card``, versions."""
    settings = getattr(getattr(model, "_orig_mod", model), "settings", None)
    versions = {name: _version(name) for name in ("torch", "safetensors", "vae-lib")}
    return {"settings": settings, **(card or {}), "versions": versions}


@overload
def load_checkpoint(path: str | Path) -> Autoencoder: ...
@overload
def load_checkpoint(path: str | Path, model: AnyModule) -> AnyModule: ...
def load_checkpoint(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """Build the model that ``path`` describes, with its weights, on the CPU and in their types.

    Given a ``model``, load into it instead; its settings, and the names, shapes and types of its
    weights, must be those of the file. They are compared before any weight is copied.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, holds NaN, or was saved from another model.
    """
    weights, card = read_tensors(path)
    settings = card.get("settings")
    if model is None:
        sketch = _build(settings, path, "meta")  # knows every shape and holds no numbers
        kinds = {w.dtype for w in weights.values() if w.is_floating_point()}
        _check_fit(weights, sketch.to(kinds.pop()) if len(kinds) == 1 else sketch, path)
        built = _build(settings, path, "cpu")
        built.load_state_dict(weights, assign=True)
        return built
    plain = getattr(model, "_orig_mod", model)
    _check_settings(settings, getattr(plain, "settings", None), path)
    _check_fit(weights, plain, path)
    plain.load_state_dict(weights)
    return model


def load_shipped(name: str) -> Autoencoder:
    """A model whose weights ship with the book, ready for use; ``read_card`` tells its card.

    It is in float32, in evaluation mode and frozen: ``.requires_grad_(True)`` lets it train on.

    Raises:
        ValueError: for an unknown ``name``; the message lists those there are.

    Example:
        >>> model = load_shipped("vae-16d")
        >>> model.latent, sum(weights.numel() for weights in model.parameters()) > 100_000
        (16, True)
    """
    names = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
    if name not in names:
        raise ValueError(f"no shipped weights {name!r}: there are {names}")
    model = load_checkpoint(SHIPPED / f"{name}.safetensors")
    return model.float().eval().requires_grad_(False)  # the larger are stored in float16


def read_card(path: str | Path) -> Card:
    """The card of a checkpoint: settings, versions, and what its maker told.

    Raises:
        FileNotFoundError, ValueError: as :func:`load_checkpoint`.

    Example:
        >>> read_card(SHIPPED / "vae-2d.safetensors")["settings"]["latent"]
        2
    """
    return read_tensors(path)[1]


def load_curves() -> list[Card]:
    """How the shipped flagship's runs went: nats against minutes of training, for chapter 11.

    Raises:
        ValueError: if the file is damaged (its sha256 is checked).

    Example:
        >>> sorted(load_curves()[0])
        ['machine', 'minutes', 'nats', 'run', 'test']
    """
    try:
        told = json.loads(CURVES.read_bytes())
        runs: list[Card] = told["runs"]
        whole = told["sha256"] == _digest({}, json.dumps(runs))
    except (KeyError, TypeError, ValueError, RecursionError):
        whole = False
    if not whole:
        raise ValueError(
            f"{CURVES} is cut short or damaged (its sha256 is not the recorded one): "
            "reinstall vae_lib, or restore the file from git"
        )
    return runs


def write_curves(runs: list[Card]) -> None:
    """Write what :func:`load_curves` reads, a run in each line; scripts that train call it."""
    lines = ",\n".join(json.dumps(run) for run in runs)
    digest = _digest({}, json.dumps(runs))
    _write_whole(CURVES, f'{{"sha256": "{digest}",\n"runs": [\n{lines}\n]}}\n'.encode())


def check_path(path: str | Path) -> Path:
    """``path`` as a file that can be written there, its folder made; told before training.

    Raises:
        ValueError: if it does not end in ".safetensors".
        OSError: if nothing can be written there; it names the path.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"checkpoint path {path} must end in .safetensors")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        temporary = _temporary(path)
        temporary.write_bytes(b"")
        temporary.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def write_tensors(path: str | Path, tensors: dict[str, Tensor], card: Card) -> Path:
    """Write tensors and a card as one safetensors file, with the digest of both.

    Raises:
        ValueError, TypeError, OSError: as :func:`save_checkpoint`.
    """
    path = check_path(path)
    # Clones: a view would drag its whole storage along, and tied weights be refused.
    own = {
        name: t.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, t in tensors.items()
    }
    _check_numbers(own, path)
    try:
        text = json.dumps(card, ensure_ascii=False)
    except TypeError as error:
        raise TypeError(f"the card for {path} is not plain JSON: {error}") from error
    content = save(own, metadata={"card": text, "sha256": _digest(own, text)})
    try:
        _write_whole(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], Card]:
    """The tensors and the card of a file of :func:`write_tensors`, its digest checked.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, of another kind, or holds NaN.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: save_checkpoint writes one")
    try:
        content = path.read_bytes()  # once: the file may be replaced at any moment
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        text, digest = header["__metadata__"]["card"], header["__metadata__"]["sha256"]
        card = json.loads(text)
    except (SafetensorError, KeyError, ValueError, RuntimeError, RecursionError) as error:
        raise ValueError(
            f"{path} is cut short or is no checkpoint of vae_lib ({error}): save it again"
        ) from error
    if digest != _digest(tensors, text):
        raise ValueError(f"{path} is damaged: its content does not match its sha256; save it again")
    if not isinstance(card, dict):
        raise ValueError(f"{path} is no checkpoint of vae_lib: its card is not a JSON object")
    _check_numbers(tensors, path)
    return tensors, card


def pack_optimiser(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], Card]:
    """An optimiser's state as tensors named "weight.quantity", and the rest of it as JSON."""
    state = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    others: dict[str, Any] = {}
    for weight, quantities in state["state"].items():
        for name, value in quantities.items():
            place = tensors if isinstance(value, Tensor) else others
            place[f"{weight}.{name}"] = value
    return tensors, {"others": others, "param_groups": state["param_groups"]}


def unpack_optimiser(
    optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], card: Card
) -> None:
    """Give ``optimiser`` the state that :func:`pack_optimiser` took from one like it."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **card["others"]}.items():
        weight, _, name = key.partition(".")
        state.setdefault(int(weight), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": card["param_groups"]})


def _version(package: str) -> str:
    """The library runs from a folder of sources too, where it has no version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    """sha256 over the card's text, then each tensor by name: type, shape and bytes."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        sha.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _check_numbers(tensors: dict[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise ValueError(f"{name} of {path} holds NaN: such weights are not kept; train again")


def _temporary(path: Path) -> Path:
    """A new name beside the file that ``path`` is or links to: two runs may save to one path."""
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _clear(path: Path) -> None:
    """Remove what killed runs left of ``path``, once nobody can be writing to it any more."""
    real = Path(os.path.realpath(path))
    for leftover in real.parent.glob(f".{glob.escape(real.name)}.*tmp"):
        with contextlib.suppress(OSError):  # another run clears up too, or it is not ours
            if time.time() - leftover.stat().st_mtime > FORGOTTEN:
                leftover.unlink()


def _write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name, then move into place: no half-written file is ever seen.

    This holds when the process is killed. It asks no disk to flush, so after a power cut the
    digest has to tell.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
        temporary.replace(os.path.realpath(path))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> OSError:
    """The same kind of error, which names the path and what can be done."""
    reason = f"cannot write {path}: {error.strerror or error}; choose a folder you may write to"
    return OSError(error.errno, reason) if error.errno else OSError(reason)


def _models() -> dict[str, type[Autoencoder]]:
    """Every model class by name: :class:`Autoencoder` and what was derived from it so far."""
    known, found = [Autoencoder], {}
    while known:
        kind = known.pop(0)
        found[kind.__name__] = kind
        known += kind.__subclasses__()
    return found


def _build(settings: Any, path: str | Path, device: str) -> Autoencoder:
    if settings is None:
        raise ValueError(
            f"{path} holds the weights of a module without settings: build one like it and call "
            "load_checkpoint(path, module)"
        )
    kind, models = settings.get("model") if isinstance(settings, dict) else settings, _models()
    if not isinstance(kind, str) or kind not in models:
        raise ValueError(f"{path} holds a model {kind!r}; this session knows {sorted(models)}")
    told = json.dumps(settings)
    if len(told) > LONGEST_SETTINGS:
        raise ValueError(f"{path} holds settings of {len(told):,} characters, no model of vae_lib")
    try:
        with torch.device(device):
            return models[kind](**{name: settings[name] for name in settings if name != "model"})
    except Exception as error:  # the settings come from a file: whatever they break is its fault
        raise ValueError(
            f"{path} holds settings {settings} that build no {kind}: {error}"
        ) from error


def _check_settings(told: Any, own: Any, path: str | Path) -> None:
    """The file's settings, with defaults for what an older file does not tell, must be these."""
    if told is not None and told != own:
        told = _build(told, path, "meta").settings
    if told != own:
        raise ValueError(
            f"{path} was saved from {told}, but the model is {own}: "
            "build the model with the file's settings, or call load_checkpoint(path) alone"
        )


def _check_fit(weights: dict[str, Tensor], model: nn.Module, path: str | Path) -> None:
    own = {name: (list(w.shape), w.dtype) for name, w in model.state_dict().items()}
    file = {name: (list(w.shape), w.dtype) for name, w in weights.items()}
    for name in sorted(own | file):
        if own.get(name) != file.get(name):
            mine, theirs = (
                "nothing" if entry is None else f"{entry[0]} {entry[1]}"
                for entry in (own.get(name), file.get(name))
            )
            raise ValueError(
                f"{path} does not fit the model: for {name} it holds {theirs}, the model {mine}"
            )
