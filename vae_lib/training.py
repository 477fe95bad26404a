"""Training: one ``fit`` for every model of the book, which ends with the best weights it saw.

Introduced in chapters 1 and 10.
"""

import json
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm.auto import tqdm

from vae_lib.checkpoints import (
    check_path,
    describe,
    pack_optimiser,
    read_tensors,
    unpack_optimiser,
    write_tensors,
)
from vae_lib.data import Augment, batches, check_images, draw_pixels
from vae_lib.interrupts import Interrupts

Terms = dict[str, Tensor]
Objective = Callable[[Any, Tensor, torch.Generator], Terms]
BINARISATIONS = ("dynamic", "static", "none")


@dataclass
class History:
    """What a training did: a row of averages (nats per digit) for each epoch, from epoch 0.

    Row 0 is the model before training: it has ``epoch``, ``seconds``, and ``heldout_…`` for each
    term of the objective. Later rows have ``train_…`` too. ``rows[best_epoch]`` belongs to the
    weights that the model ended with.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    interrupted: bool = False

    def column(self, name: str) -> list[float]:
        """One column: ``heldout_…`` from epoch 0, ``train_…`` from epoch 1.

        Raises:
            KeyError: for another name; it lists the columns there are.
        """
        known = sorted({column for row in self.rows for column in row})
        if self.rows and name not in known:
            raise KeyError(f"no column {name!r}: there are {known}")
        return [row[name] for row in self.rows if name in row]


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device called ``name``, or the best there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ValueError: if the named device is not on this machine.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name is None:
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(str(name).partition(":")[0], False):
        there = [kind for kind, yes in available.items() if yes]
        raise ValueError(f"device {str(name)!r} is not available here: choose from {there}")
    return torch.device(name)


def training_step(loss_of: Callable[[], Terms], optimiser: torch.optim.Optimizer) -> Terms:
    """One step of gradient descent on the batch mean of "loss"; returns the terms, detached."""
    optimiser.zero_grad(set_to_none=True)
    terms = loss_of()
    terms["loss"].mean().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return {name: term.detach() for name, term in terms.items()}


def first_nonfinite(model: nn.Module, terms_of: Callable[[], Terms]) -> str | None:
    """Name what is NaN or infinite first in a training step, or None where all is finite.

    Looks, in the order of computing, at the weights, at what goes into and comes out of each
    module that has no children, at the terms ("loss" last), and at the gradients of the mean
    loss. It takes no step and leaves ``.grad`` alone. Introduced in "When it does not train".

        first_nonfinite(model, lambda: bounds.elbo_terms(model, x, generator))
        # "output of encoder.4"; "input of decoder.0": made between the networks; "nll"; …
    """
    found: list[str] = []

    def look(name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not bool(value.isfinite().all()):
            found.append(name)

    def look_at_module(part: nn.Module, given: Any, result: Any) -> None:
        for value in given:
            look(f"input of {names[part]}", value)
        look(f"output of {names[part]}", result)

    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for name, weight in model.named_parameters():
        look(f"weight {name}", weight)
    names = {part: name for name, part in model.named_modules() if not [*part.children()]}
    hooks = [part.register_forward_hook(look_at_module) for part in names]
    try:
        terms = terms_of()
    finally:
        for hook in hooks:
            hook.remove()
    for name in sorted(terms, key="loss".__eq__):
        look(name, terms[name])
    if not found:
        loss = terms["loss"].mean()
        gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, gradients, strict=True):
            look(f"gradient of {name}", gradient)
    return found[0] if found else None


def adam(model: nn.Module, lr: float = 2e-3) -> torch.optim.Adam:
    """Adam for ``model``, in its fused form where every supported PyTorch has one."""
    kind = next(model.parameters()).device.type
    return torch.optim.Adam(model.parameters(), lr=lr, fused=kind in ("cpu", "cuda"))


def fit(
    model: nn.Module,
    train: Tensor,
    heldout: Tensor,
    objective: Objective,
    *,
    epochs: int,
    batch_size: int = 50,
    lr: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    patience: int | None = None,
    augment: Augment | None = None,
    binarisation: str = "dynamic",
    optimiser: torch.optim.Optimizer | None = None,
    schedule: LRScheduler | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    on_epoch: Callable[[Any, History], None] | None = None,
    stop: threading.Event | None = None,
) -> History:
    """Train ``model`` in place; it ends with its best weights, in evaluation mode.

    The weights it began with count as epoch 0. Each epoch shuffles ``train`` and evaluates on
    ``heldout`` with binarisation and noise from the same seed every time. The best epoch has the
    lowest held-out "criterion", or "loss" where the objective names no criterion.

    Ctrl-C (the stop button) and ``stop.set()`` from another thread are read between batches: they
    end training and keep the best epoch. A second Ctrl-C does not wait for the batch.

    Args:
        train, heldout: grey images in [0, 1], [N, P], or any real numbers where the model's
            likelihood is one of those; they take on the type of the weights.
        objective: (model, x, generator) -> {"loss": [B], …}, in nats; see ``vae_lib.bounds``.
        lr: the learning rate of :func:`adam`, by default 0.002.
        device: where to train; None takes the best there is. The model comes back to the device
            where it was, whatever happens.
        patience: stop after so many epochs without a better one; None never does.
        augment: (images, generator) -> as many images, applied before binarisation.
        binarisation: "dynamic" draws black-and-white digits anew each epoch; "static" draws them
            once, from ``seed`` (results of the two are never compared); "none" takes grey values
            as they are, for a likelihood of grey values or real numbers, which takes no other: a
            Bernoulli one is then a mere score.
        optimiser: in place of Adam, over parameters of ``model``.
        schedule: a scheduler of that optimiser (which it brings along), stepped once an epoch.
        checkpoint: a ``.safetensors`` path to which the best weights are saved as they come. A
            disk that is full is a warning, and training goes on. Beside it stands
            ``….resume.safetensors`` until the last epoch is done. Where no epoch improved on
            epoch 0, a file that is there stays as it is.
        resume: go on from that file where there is one. On one machine the run then ends as it
            would have done without a stop, bit for bit, if only ``generator`` draws.
        on_epoch: called as (model, history) after each epoch from 1 on.
        stop: an event that another thread can set.

    Raises:
        ValueError, TypeError: for data, settings or an objective that cannot be trained with.
        OSError: when nothing can be written at ``checkpoint``, before training starts.
        FloatingPointError: when a loss is NaN or infinite; the best weights are put back first.

    Example:
        >>> from vae_lib.bounds import elbo_terms
        >>> from vae_lib.data import load_digits
        >>> from vae_lib.models import VAE
        >>> train, heldout = load_digits("train").images[::20], load_digits("heldout").images[::20]
        >>> history = fit(VAE(latent=2), train, heldout, elbo_terms, epochs=2, progress=False)
        >>> loss = history.column("heldout_loss")  # before training, then after each epoch
        >>> len(loss), loss[2] < loss[0]
        (3, True)
    """
    _check_numbers(epochs, batch_size, patience, binarisation)
    if augment is not None and binarisation == "static":
        raise ValueError("augment needs grey images, and static binarisation leaves none: drop one")
    for images, name in ((train, "train"), (heldout, "heldout")):
        _check_set(images, name, model)
    _check_columns(train, model)
    _check_binarisation(model, binarisation)
    optimiser = _check_optimiser(model, optimiser, schedule, lr)
    place = pick_device(device)
    if checkpoint is not None:
        checkpoint = check_path(checkpoint)
    elif resume:
        raise ValueError("resume needs a checkpoint: the path whose run is to go on")
    with Interrupts(stop) as interrupts, _lent(model, place):
        run = _Run(
            model=model,
            train=draw_pixels(train.to(place), torch.Generator(place).manual_seed(seed))
            if binarisation == "static"
            else train.to(place),
            heldout=heldout.to(place),
            objective=objective,
            batch_size=batch_size,
            seed=seed,
            generator=torch.Generator(place).manual_seed(seed),
            augment=augment,
            binarisation=binarisation,
            optimiser=optimiser or adam(model, 2e-3 if lr is None else lr),
            schedule=schedule,
            checkpoint=checkpoint,
            interrupts=interrupts,
        )
        try:
            if resume:
                run.go_on()
            with progress_bar(epochs, "epoch", progress) as bar:
                run.train_until(epochs, patience, bar, on_epoch)
        except KeyboardInterrupt:
            run.history.interrupted = True
        finally:
            _plain(model).load_state_dict(run.best)
        run.history.interrupted |= interrupts.asked()
        if not run.history.interrupted:
            run.finish()
    return run.history


def evaluate(
    model: nn.Module,
    images: Tensor,
    objective: Objective,
    *,
    seed: int = 0,
    batch_size: int = 1000,
    binarisation: str = "dynamic",
) -> dict[str, float]:
    """Averages ``heldout_…`` of the objective's terms over ``images`` [N, P], nats per digit.

    Binarisation and noise come from ``seed`` alone, so two calls agree; "dynamic" and "static"
    are therefore the same here, and "none" takes grey values as they are. The model is put into
    evaluation mode and back.

    Raises:
        ValueError, TypeError: as :func:`fit`.

    Example:
        >>> from vae_lib.bounds import elbo_terms
        >>> from vae_lib.models import VAE
        >>> sorted(evaluate(VAE(latent=2), torch.zeros(3, 784), elbo_terms))
        ['heldout_criterion', 'heldout_kl', 'heldout_loss', 'heldout_nll']
    """
    _check_numbers(1, batch_size, None, binarisation)
    _check_set(images, "images", model)
    _check_binarisation(model, binarisation)
    place = _first(model).device
    return _evaluate(model, images.to(place), objective, seed, batch_size, binarisation)


@torch.no_grad()
def _evaluate(
    model: nn.Module,
    images: Tensor,
    objective: Objective,
    seed: int,
    batch_size: int,
    binarisation: str,
    check: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    generator = torch.Generator(images.device).manual_seed(seed)
    x = images if binarisation == "none" else draw_pixels(images, generator)
    x, modes = x.to(_first(model).dtype), [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        parts = batches(x, batch_size)
        return _averages("heldout", parts, lambda part: objective(model, part, generator), check)
    finally:
        for part, mode in modes:
            part.training = mode


def _averages(
    prefix: str,
    parts: Iterator[Tensor],
    terms_of: Callable[[Tensor], Terms],
    check: Callable[[], None],
) -> dict[str, float]:
    """Each term's average over all examples; sums in float64, where the device has it."""
    sums: dict[str, Tensor] = {}
    count = 0
    for x in parts:
        check()
        for name, term in _check_terms(terms_of(x), len(x)).items():
            kind = torch.float32 if term.device.type == "mps" else torch.float64
            sums[name] = sums.get(name, 0) + term.detach().sum(dtype=kind)
        count += len(x)
    return {f"{prefix}_{name}": float(total) / count for name, total in sums.items()}


@dataclass
class _Run:
    """One training: what it works with, and what it has reached. Only ``commit`` moves that."""

    model: nn.Module
    train: Tensor
    heldout: Tensor
    objective: Objective
    batch_size: int
    seed: int
    generator: torch.Generator
    augment: Augment | None
    binarisation: str
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler | None
    checkpoint: Path | None
    interrupts: Interrupts
    history: History = field(default_factory=History)
    best: dict[str, Tensor] = field(default_factory=dict)
    saved_epoch: int = 0

    def __post_init__(self) -> None:
        self.best = _copy(self.model)

    def train_until(
        self,
        epochs: int,
        patience: int | None,
        bar: "tqdm[Any]",
        on_epoch: Callable[[Any, History], None] | None,
    ) -> None:
        if not self.history.rows:
            self.commit(self.epoch(0))
        for epoch in range(len(self.history.rows), epochs + 1):
            self.commit(self.epoch(epoch))
            bar.update(epoch - bar.n)
            bar.set_postfix_str(f"held-out loss {self.history.rows[-1]['heldout_loss']:.2f} nats")
            if on_epoch is not None:
                with self.interrupts.at_once():
                    on_epoch(self.model, self.history)
            if patience is not None and epoch - self.history.best_epoch >= patience:
                return

    def epoch(self, number: int) -> dict[str, float]:
        """Train for one epoch (none for epoch 0) and evaluate: a row, not yet kept."""
        start = time.perf_counter()
        row: dict[str, float] = {"epoch": number}
        with self.interrupts.at_once():
            # the row of epoch 0 is made in any case, so it looks at no flag
            check = self.interrupts.check if number else lambda: None
            if number:
                self.model.train()
                row |= _averages("train", self.batches(), self.step, check)
            settings = (self.objective, self.seed, 1000, self.binarisation)
            row |= _evaluate(self.model, self.heldout, *settings, check)
        return row | {"seconds": time.perf_counter() - start}

    def batches(self) -> Iterator[Tensor]:
        kind = _first(self.model).dtype
        for batch in batches(self.train, self.batch_size, self.generator):
            x = batch if self.augment is None else self.augmented(batch, self.augment)
            if self.binarisation == "dynamic":
                x = draw_pixels(x, self.generator)
            yield x.to(kind)

    def augmented(self, batch: Tensor, augment: Augment) -> Tensor:
        bounded = _bounded(self.model)
        images = check_images(augment(batch, self.generator), "augment's result", bounded=bounded)
        if images.shape != batch.shape:
            raise ValueError(
                f"augment made {list(images.shape)} of {list(batch.shape)}: it must return as many "
                "images of the same size"
            )
        return images

    def step(self, x: Tensor) -> Terms:
        def terms() -> Terms:
            return self.objective(self.model, x, self.generator)

        return training_step(terms, self.optimiser)

    def commit(self, row: dict[str, float]) -> None:
        """Keep a finished epoch: its row, its weights if they are the best, and both on disk."""
        _check_finite(row)
        rows, epoch = self.history.rows, int(row["epoch"])
        better = not rows or _decides(row) < _decides(rows[self.history.best_epoch])
        rows.append(row)
        if better:
            self.best, self.history.best_epoch = _copy(self.model), epoch
        if epoch and self.schedule is not None:
            _advance(self.schedule, _decides(row))
        if epoch and self.checkpoint is not None:
            self.save(self.checkpoint)

    def save(self, path: Path) -> None:
        """The best weights, where they are new, and then what it takes to go on from here."""
        rows, best = self.history.rows, self.history.best_epoch
        with _goes_on_without_a_file():
            if best not in (0, self.saved_epoch):
                self.save_best(path)
                self.saved_epoch = best
            moments, settings = pack_optimiser(self.optimiser)
            tensors = {
                **{f"last.{name}": w for name, w in _plain(self.model).state_dict().items()},
                **{f"best.{name}": w for name, w in self.best.items()},
                **{f"optimiser.{name}": w for name, w in moments.items()},
                "generator": self.generator.get_state(),
            }
            card = {"run": self.told(), "rows": rows, "best_epoch": best, "optimiser": settings}
            card["schedule"] = self.schedule and self.schedule.state_dict()
            write_tensors(_resume_path(path), tensors, card)

    def save_best(self, path: Path) -> None:
        best = self.history.best_epoch
        card = {"epoch": best, "result": self.history.rows[best]}
        write_tensors(path, self.best, describe(self.model, card))

    def go_on(self) -> None:
        """Take up the run that stands beside the checkpoint, if one does."""
        path = self.checkpoint and _resume_path(self.checkpoint)
        if path is None or not path.exists():
            return
        tensors, card = read_tensors(path)
        self.check_same_run(card, path)
        parts: dict[str, dict[str, Tensor]] = {"last": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = tensor.to(self.train.device)
        _plain(self.model).load_state_dict(parts["last"])
        self.best = parts["best"]
        unpack_optimiser(self.optimiser, parts["optimiser"], card["optimiser"])
        if self.schedule is not None:
            # what is keyed by integers, as milestones are, JSON cannot keep: it is in the new one
            counts = {k: v for k, v in card["schedule"].items() if not isinstance(v, dict)}
            self.schedule.load_state_dict(counts)
        self.generator.set_state(tensors["generator"])
        self.history = History(card["rows"], card["best_epoch"])

    def told(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        plain, plain_types = _plain(self.model), (bool, int, float, str, tuple)
        defaults = self.optimiser.defaults.items()
        return {
            "model": getattr(plain, "settings", type(plain).__name__),
            "train": list(self.train.shape),
            "heldout": list(self.heldout.shape),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "binarisation": self.binarisation,
            "augment": self.augment is not None,
            "optimiser": type(self.optimiser).__name__,
            "steps": {name: v for name, v in defaults if isinstance(v, plain_types)},
            "schedule": self.schedule and type(self.schedule).__name__,
            "device": self.train.device.type,
        }

    def check_same_run(self, card: dict[str, Any], path: Path) -> None:
        told, own = card.get("run"), json.loads(json.dumps(self.told()))
        if told != own:
            raise ValueError(
                f"{path} belongs to another run: it says {told}, this one is {own}; "
                "start anew with resume=False, or train with the same settings"
            )

    def finish(self) -> None:
        """All epochs are done: the checkpoint holds the best weights, the other file goes."""
        if self.checkpoint is None:
            return
        if self.history.best_epoch == 0 and not self.checkpoint.exists():
            with _goes_on_without_a_file():
                self.save_best(self.checkpoint)
        _resume_path(self.checkpoint).unlink(missing_ok=True)


@contextmanager
def _lent(model: nn.Module, place: torch.device) -> Iterator[None]:
    """The model on ``place``; then back where it was, and gradients tracked as they were."""
    home, tracking = _first(model).device, torch.is_grad_enabled()
    try:
        torch.set_grad_enabled(True)
        model.to(place)
        yield
    finally:
        torch.set_grad_enabled(tracking)
        model.to(home)
        model.eval()


@contextmanager
def _goes_on_without_a_file() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        warnings.warn(f"{error}. Training goes on without it.", RuntimeWarning, stacklevel=4)


def progress_bar(total: int, unit: str, progress: bool) -> "tqdm[Any]":
    """tqdm's bar, or a silent one where ``progress`` is false or TQDM_DISABLE is set."""
    # tqdm's bar in a notebook does not read TQDM_DISABLE, so it is read here
    silent = not progress or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, unit=unit, leave=False, disable=silent)


def _plain(model: nn.Module) -> nn.Module:
    """The module that ``torch.compile`` wrapped, or the model itself."""
    plain: nn.Module = getattr(model, "_orig_mod", model)
    return plain


def _first(model: nn.Module) -> nn.Parameter:
    return next(model.parameters())


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in _plain(model).state_dict().items()}


def _decides(row: dict[str, float]) -> float:
    """What the best epoch has least of: the objective's criterion, or else its loss."""
    return row.get("heldout_criterion", row["heldout_loss"])


def _advance(schedule: LRScheduler, value: float) -> None:
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(value)
    else:
        schedule.step()


def _resume_path(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".resume.safetensors")


def _check_finite(row: dict[str, float]) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name} is {value} at epoch {row['epoch']}: lower lr, or look for NaN in the "
                "objective, where first_nonfinite names its place; standardise columns of real "
                "numbers first; the model has the best weights from before"
            )


def _check_terms(terms: Any, count: int) -> Terms:
    if not isinstance(terms, Mapping) or "loss" not in terms:
        got = list(terms) if isinstance(terms, Mapping) else type(terms).__name__
        raise ValueError(f'the objective returned {got}: return a dict with "loss", of shape [B]')
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.shape != (count,):
            kind = f"shape {list(term.shape)}" if isinstance(term, Tensor) else f"value {term!r}"
            raise ValueError(
                f"the objective's {name!r} has {kind}, not shape [{count}]: "
                "return one value per example, fit does the averaging"
            )
    return dict(terms)


def _check_set(images: Any, name: str, model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model is a {type(model).__name__}, not a torch.nn.Module")
    if next(model.parameters(), None) is None:
        raise ValueError("the model has no parameters: there is nothing to train")
    columns, pixels = (getattr(_plain(model), size, None) for size in ("columns", "pixels"))
    if columns != pixels and isinstance(images, Tensor) and images.shape[-1:] == (pixels,):
        raise ValueError(f"{name} has no labels: labelled(images, labels) puts them behind x")
    check_images(images, name, columns, _bounded(model))
    if images.ndim != 2:
        raise ValueError(
            f"{name} has shape {list(images.shape)}, not [N, pixels]: "
            "flatten each image with .flatten(1)"
        )


def _check_columns(train: Tensor, model: nn.Module) -> None:
    """With a σ of its own, a column that never changes has a likelihood without a ceiling."""
    if getattr(_plain(model), "likelihood", "bernoulli") != "real gaussian" or len(train) < 2:
        return
    constant = (train == train[0]).all(0).nonzero().flatten().tolist()
    if constant:
        raise ValueError(
            f"train has the same value in every row of column {constant[0]} ({len(constant)} such "
            "columns in all): its σ would shrink, and the likelihood rise, without end; drop it"
        )


def _bounded(model: nn.Module) -> bool:
    """Whether the model's x lies in [0, 1]: it says so, or it says nothing."""
    return bool(getattr(_plain(model), "bounded", True))


def _check_binarisation(model: nn.Module, binarisation: str) -> None:
    likelihood = getattr(_plain(model), "likelihood", "bernoulli")
    if binarisation != "none" and (likelihood != "bernoulli" or not _bounded(model)):
        own = f"likelihood is {likelihood!r}" if likelihood != "bernoulli" else "x is not bounded"
        raise ValueError(
            f"binarisation is {binarisation!r}, which makes every value 0 or 1, but the model's "
            f"{own}: pass binarisation='none'"
        )


def _check_numbers(epochs: int, batch_size: int, patience: int | None, binarisation: str) -> None:
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}: it must be at least 1")
    if binarisation not in BINARISATIONS:
        raise ValueError(f"unknown binarisation {binarisation!r}: choose one of {BINARISATIONS}")


def _check_optimiser(
    model: nn.Module,
    optimiser: torch.optim.Optimizer | None,
    schedule: LRScheduler | None,
    lr: float | None,
) -> torch.optim.Optimizer | None:
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("every weight is frozen: call model.requires_grad_(True) to train on")
    if schedule is not None and optimiser is None:
        optimiser = schedule.optimizer
    if optimiser is None:
        return None
    if lr is not None:
        raise ValueError("lr is Adam's: give the optimiser its own, and leave lr out")
    if schedule is not None and schedule.optimizer is not optimiser:
        raise ValueError("the schedule is of another optimiser: build it from the one handed in")
    own = {id(weight) for weight in model.parameters()}
    if any(id(w) not in own for group in optimiser.param_groups for w in group["params"]):
        raise ValueError("the optimiser steps weights that are not the model's: build it from them")
    return optimiser
