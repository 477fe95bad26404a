"""Train the weights that ship with the book, all of them by this one command.

    python scripts/train_shipped.py                      # the small ones: nine minutes, two cores
    python scripts/train_shipped.py vae-2d               # this one alone
    python scripts/train_shipped.py flagship-one-layer   # by benchmarks/train_flagship.py

The small ones see the 4,000 training digits of the embedded set and never the 1,000 held out,
which only choose the epoch that is kept; nor does the flagship see those. The card, in each
file's metadata, tells data, seed, settings and result; a readable copy stands beside the file.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from vae_lib.bounds import elbo_terms, reconstruction_terms
from vae_lib.checkpoints import SHIPPED, read_card, save_checkpoint
from vae_lib.conditional import ConditionalVAE, labelled, on_images
from vae_lib.data import Augment, binarise, jitter, load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import Objective, adam, fit

SEED = 0


class Recipe(NamedTuple):
    """``cosine``: the learning rate falls to 0 over the run. ``half``: stored in float16.

    ``labels``: the rows are [x, y], as a conditional VAE takes them.
    """

    build: Callable[..., Autoencoder]
    objective: Objective
    latent: int = 2
    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 150
    augment: Augment | None = None
    cosine: bool = False
    half: bool = False
    labels: bool = False


RECIPES = {
    "ae-2d": Recipe(Autoencoder, reconstruction_terms),
    "vae-2d": Recipe(VAE, elbo_terms),
    # Light augmentation makes 4,000 digits worth more; without it this net learns them by heart.
    "vae-16d": Recipe(VAE, elbo_terms, 16, (256, 256), 500, jitter, cosine=True, half=True),
    "ae-16d": Recipe(
        Autoencoder, reconstruction_terms, 16, (256, 256), 500, jitter, cosine=True, half=True
    ),
    "cvae-2d": Recipe(ConditionalVAE, elbo_terms, half=True, labels=True),
    "cvae-16d": Recipe(
        ConditionalVAE, elbo_terms, 16, (256, 256), 500, jitter, cosine=True, half=True, labels=True
    ),
}

FLAGSHIPS = ("flagship-one-layer", "flagship-one-layer-mixture", "flagship-two-layers")
FLAGSHIP_SCRIPT = Path(__file__).parents[1] / "benchmarks" / "train_flagship.py"


def heldout_result(model, objective, images) -> dict:
    """Mean and standard error over the held-out digits of each term of the objective."""
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        terms = objective(model, binarise(images, generator), generator)
    result = {"units": "nats per digit, one binarisation and one noise sample each"}
    for name, term in terms.items():
        error = float(term.std() / len(term) ** 0.5)
        result[name] = {"mean": round(float(term.mean()), 2), "standard error": round(error, 2)}
    return result


def rows(split: str, labels: bool) -> Tensor:
    """The embedded digits of ``split``, with their labels behind the pixels or without."""
    digits = load_digits(split)
    return labelled(digits.images, digits.labels) if labels else digits.images


def train(name: str, folder: Path = SHIPPED, epochs: int | None = None) -> Path:
    """Train the model called ``name`` and write it, with its readable card, into ``folder``."""
    recipe = RECIPES[name]
    epochs = epochs or recipe.epochs
    digits, heldout = (rows(split, recipe.labels) for split in ("train", "heldout"))
    augment = on_images(recipe.augment) if recipe.labels and recipe.augment else recipe.augment
    model = recipe.build(latent=recipe.latent, hidden=recipe.hidden, seed=SEED)
    schedule = CosineAnnealingLR(adam(model), epochs) if recipe.cosine else None
    history = fit(
        model,
        digits,
        heldout,
        recipe.objective,
        epochs=epochs,
        seed=SEED,
        device="cpu",
        augment=augment,
        schedule=schedule,
    )
    if recipe.half:
        model.half().float()  # the result is that of the weights as they are stored
    card = {
        "name": name,
        "data": "embedded digits (MNIST, CC BY-SA 3.0): 4,000 to train, 1,000 held out",
        "binarisation": "dynamic",
        "augmentation": getattr(recipe.augment, "__name__", None),
        "learning rate": "cosine" if recipe.cosine else "constant",
        "seed": SEED,
        "epochs": epochs,
        "command": f"python scripts/train_shipped.py {name}",
        "best_epoch": history.best_epoch,
        "result": heldout_result(model, recipe.objective, heldout),
    }
    stored = model.half() if recipe.half else model
    path = save_checkpoint(stored, folder / f"{name}.safetensors", card)
    copy = json.dumps(read_card(path), indent=2, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(copy, "utf8")
    return path


def train_flagship(name: str) -> Path:
    """Train, measure and ship a flagship, as ``benchmarks/train_flagship.py`` does."""
    command = [sys.executable, str(FLAGSHIP_SCRIPT), name.removeprefix("flagship-")]
    for options in ([], ["--ship"]):
        subprocess.run([*command, *options], check=True)
    return SHIPPED / f"{name}.safetensors"


def main() -> None:
    for name in sys.argv[1:] or RECIPES:
        if name not in (*RECIPES, *FLAGSHIPS):
            raise SystemExit(f"no recipe {name!r}: there are {sorted((*RECIPES, *FLAGSHIPS))}")
        path = train(name) if name in RECIPES else train_flagship(name)
        print(name, read_card(path).get("result", ""), flush=True)


if __name__ == "__main__":
    main()
