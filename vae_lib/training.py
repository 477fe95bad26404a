"""Training: one ``fit`` for every model of the book, and checkpoints that nothing can spoil.

Introduced in chapters 1 and 10.
"""

import copy
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.auto import tqdm

from vae_lib.data import batches, binarise, check_images
from vae_lib.models import VAE, Autoencoder

MODELS = {model.__name__: model for model in (Autoencoder, VAE)}
SHIPPED = Path(__file__).with_name("weights")

Objective = Callable[[Autoencoder, Tensor, torch.Generator], dict[str, Tensor]]


@dataclass
class History:
    """What a training did: a row of averages (nats per digit) for each epoch.

    A row holds "epoch", "seconds", and "train_…" and "heldout_…" for each term of the objective.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    interrupted: bool = False

    def column(self, name: str) -> list[float]:
        """The values of one column, epoch by epoch; KeyError names the columns there are."""
        if self.rows and name not in self.rows[0]:
            raise KeyError(f"no column {name!r}: there are {sorted(self.rows[0])}")
        return [row[name] for row in self.rows]


def pick_device(name: str | None = None) -> torch.device:
    """The device called ``name``, or the best there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ValueError: if the named device is not on this machine.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name is None:
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name.partition(":")[0], False):
        there = [kind for kind, yes in available.items() if yes]
        raise ValueError(f"device {name!r} is not available here: choose from {there}")
    return torch.device(name)


def training_step(
    loss_of: Callable[[], dict[str, Tensor]], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """One step of gradient descent on the batch mean of "loss"; returns the terms, detached."""
    optimiser.zero_grad(set_to_none=True)
    terms = loss_of()
    terms["loss"].mean().backward()
    optimiser.step()
    return {name: term.detach() for name, term in terms.items()}


def adam(model: torch.nn.Module, lr: float = 2e-3) -> torch.optim.Adam:
    """Adam for ``model``, in its fused form where every supported PyTorch has one."""
    kind = next(model.parameters()).device.type
    return torch.optim.Adam(model.parameters(), lr=lr, fused=kind in ("cpu", "cuda"))


def fit(
    model: Autoencoder,
    train: Tensor,
    heldout: Tensor,
    objective: Objective,
    *,
    epochs: int,
    batch_size: int = 50,
    lr: float = 2e-3,
    seed: int = 0,
    device: str | torch.device | None = None,
    patience: int | None = None,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    on_epoch: Callable[[Autoencoder, History], None] | None = None,
) -> History:
    """Train ``model`` in place on dynamically binarised digits; it ends with its best weights.

    Each epoch shuffles ``train``, binarises it afresh, and evaluates on ``heldout``, binarised
    and with noise from the same seed every time. The best epoch is the one with the lowest
    held-out loss. An interrupt (Ctrl-C, the stop button) ends training and keeps that epoch.

    Args:
        train, heldout: grey images in [0, 1], [N, 784].
        objective: (model, x, generator) -> {"loss": [B], …}, in nats; see ``vae_lib.bounds``.
        device: where to train; None takes the best there is. The model comes back to the device
            where it was, whatever happens.
        patience: stop after so many epochs without a better held-out loss; None never does.
        augment: (images, generator) -> images, applied before binarisation.
        checkpoint: a ``.safetensors`` path to which the best weights are saved as they come.
        on_epoch: called as (model, history) after each epoch; a widget can follow from here.

    Raises:
        ValueError: for wrong shapes, pixels outside [0, 1] or an empty set.
        FloatingPointError: when a loss is NaN or infinite; the best weights are put back first.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}: it must be at least 1")
    check_images(train, "train"), check_images(heldout, "heldout")
    device = pick_device(str(device) if device is not None else None)
    home = next(model.parameters()).device
    model.to(device)
    train, heldout = train.to(device), heldout.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    optimiser, history, best = adam(model, lr), History(), _Best(model, checkpoint)
    # tqdm's bar in a notebook does not read TQDM_DISABLE, so it is read here
    silent = not progress or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    bar = tqdm(range(1, epochs + 1), unit="epoch", leave=False, disable=silent)
    try:
        for epoch in bar:
            start = time.perf_counter()
            sums = _train_epoch(model, train, objective, optimiser, batch_size, generator, augment)
            row = {"epoch": epoch, **_averages("train", sums, len(train))}
            row |= evaluate(model, heldout, objective, seed=seed, prefix="heldout")
            row["seconds"] = time.perf_counter() - start
            _check_finite(row)
            history.rows.append(row)
            history.best_epoch = best.see(epoch, row["heldout_loss"], row)
            bar.set_postfix_str(f"held-out loss {row['heldout_loss']:.2f} nats")
            if on_epoch is not None:
                on_epoch(model, history)
            if patience is not None and epoch - history.best_epoch >= patience:
                break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        bar.close()
        best.restore()
        model.to(home)
    return history


def _train_epoch(model, images, objective, optimiser, batch_size, generator, augment):
    model.train()
    sums: dict[str, Tensor] = {}
    for batch in batches(images, batch_size, generator):
        if augment is not None:
            batch = augment(batch, generator)
        x = binarise(batch, generator)
        terms = training_step(lambda x=x: objective(model, x, generator), optimiser)
        _add(sums, terms, len(x))
    return sums


@torch.no_grad()
def evaluate(
    model: Autoencoder,
    images: Tensor,
    objective: Objective,
    *,
    seed: int = 0,
    batch_size: int = 1000,
    prefix: str = "heldout",
) -> dict[str, float]:
    """Averages of the objective's terms over ``images`` [N, 784], nats per digit.

    The binarisation and the noise come from ``seed`` alone, so two calls agree.
    """
    model.eval()
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    sums: dict[str, Tensor] = {}
    for batch in batches(check_images(images).to(device), batch_size):
        _add(sums, objective(model, binarise(batch, generator), generator), len(batch))
    return _averages(prefix, sums, len(images))


def _add(sums: dict[str, Tensor], terms: dict[str, Tensor], count: int) -> None:
    for name, term in terms.items():
        if term.shape != (count,):
            raise ValueError(
                f"the objective's {name!r} has shape {list(term.shape)}, not [{count}]: "
                "return one value per example, fit does the averaging"
            )
        sums[name] = sums.get(name, 0) + term.sum()


def _averages(prefix: str, sums: dict[str, Tensor], count: int) -> dict[str, float]:
    return {f"{prefix}_{name}": float(total) / count for name, total in sums.items()}


def _check_finite(row: dict[str, float]) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name} is {value} at epoch {row['epoch']}: lower lr, or look for NaN in the "
                "objective; the model has the best weights from before"
            )


class _Best:
    """The weights with the lowest held-out loss so far, in memory and, if asked, on disk."""

    def __init__(self, model: Autoencoder, checkpoint: str | Path | None):
        self.model, self.checkpoint = model, checkpoint
        self.loss, self.epoch = math.inf, 0
        self.weights = copy.deepcopy(model.state_dict())

    def see(self, epoch: int, loss: float, row: dict[str, float]) -> int:
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.weights = copy.deepcopy(self.model.state_dict())
            if self.checkpoint is not None:
                save_checkpoint(self.model, self.checkpoint, {"result": row})
        return self.epoch

    def restore(self) -> None:
        self.model.load_state_dict(self.weights)


def save_checkpoint(model: Autoencoder, path: str | Path, card: dict | None = None) -> Path:
    """Write the weights to ``path`` (safetensors) and a readable card beside it (.json).

    The card holds the model's settings, the library versions, and what the caller adds (data,
    seed, command, result). Each file is written whole or not at all.

    Raises:
        ValueError: if ``path`` does not end in ".safetensors".
        OSError: if the folder cannot be written; it names the folder.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"checkpoint path {path} must end in .safetensors")
    weights = {name: w.detach().cpu().contiguous() for name, w in model.state_dict().items()}
    settings = json.dumps(model.settings)
    _write_whole(path, save(weights, metadata={"settings": settings}))
    versions = {name: version(name) for name in ("torch", "safetensors", "vae-lib")}
    card = {"settings": model.settings, **(card or {}), "versions": versions}
    _write_whole(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
    return path


def _write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary name beside ``path``, then move into place: no half-written file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise type(error)(
            f"cannot write in {path.parent}: {error.strerror}; choose a folder you may write to"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_checkpoint(path: str | Path, model: Autoencoder | None = None) -> Autoencoder:
    """Build the model that ``path`` describes and load its weights, on the CPU.

    Given a ``model``, load into it instead; its settings must be those of the file. Nothing is
    ever unpickled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, or was saved from other settings.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: save_checkpoint writes one")
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["settings"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is cut short or is no checkpoint of vae_lib ({error}): save it again"
        ) from error
    if model is None:
        model = _build(settings, path)
    if model.settings != settings:
        raise ValueError(
            f"{path} was saved from {settings}, but the model is {model.settings}: "
            "build the model with the file's settings, or call load_checkpoint(path) alone"
        )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} is damaged: its weights do not fit {settings}") from error
    return model


def _build(settings: dict, path: Path) -> Autoencoder:
    kind = settings.get("model") if isinstance(settings, dict) else settings
    if str(kind) not in MODELS:
        raise ValueError(f"{path} holds a model {kind!r}; this vae_lib knows {sorted(MODELS)}")
    try:
        return MODELS[kind](**{name: settings[name] for name in settings if name != "model"})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds settings {settings} that build no {kind}") from error


def load_shipped(name: str) -> Autoencoder:
    """A model whose weights ship with the book, ready for use; its card lies beside the file.

    It is in evaluation mode and frozen: ``.requires_grad_(True)`` lets it train on.

    Raises:
        ValueError: for an unknown ``name``; the message lists those there are.
    """
    names = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
    if name not in names:
        raise ValueError(f"no shipped weights {name!r}: there are {names}")
    return load_checkpoint(SHIPPED / f"{name}.safetensors").eval().requires_grad_(False)
