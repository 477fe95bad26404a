"""Train the weights that ship with the book: the 2-D autoencoder and VAE of the landing page.

    python scripts/train_shipped.py            # about two minutes on two cores
    python scripts/train_shipped.py vae-2d     # this one alone

Both see the 4,000 training digits of the embedded set and never the 1,000 held out, which only
choose the epoch that is kept. The card, in each file's metadata, tells data, seed, settings and
result; a readable copy of it stands beside the file.
"""

import json
import sys
from pathlib import Path

import torch

from vae_lib.bounds import elbo_terms, reconstruction_terms
from vae_lib.checkpoints import SHIPPED, read_card, save_checkpoint
from vae_lib.data import binarise, load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import fit

EPOCHS, SEED = 150, 0
RECIPES = {
    "ae-2d": (Autoencoder, reconstruction_terms),
    "vae-2d": (VAE, elbo_terms),
}


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


def train(name: str, folder: Path = SHIPPED, epochs: int = EPOCHS) -> Path:
    """Train the model called ``name`` and write it, with its readable card, into ``folder``."""
    build, objective = RECIPES[name]
    digits, heldout = load_digits("train").images, load_digits("heldout").images
    model = build(latent=2, seed=SEED)
    history = fit(model, digits, heldout, objective, epochs=epochs, seed=SEED, device="cpu")
    card = {
        "name": name,
        "data": "embedded digits (MNIST, CC BY-SA 3.0): 4,000 to train, 1,000 held out",
        "binarisation": "dynamic",
        "seed": SEED,
        "epochs": epochs,
        "command": "python scripts/train_shipped.py",
        "best_epoch": history.best_epoch,
        "result": heldout_result(model, objective, heldout),
    }
    path = save_checkpoint(model, folder / f"{name}.safetensors", card)
    copy = json.dumps(read_card(path), indent=2, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(copy, "utf8")
    return path


def main() -> None:
    for name in sys.argv[1:] or RECIPES:
        if name not in RECIPES:
            raise SystemExit(f"no recipe {name!r}: there are {sorted(RECIPES)}")
        print(name, read_card(train(name))["result"], flush=True)


if __name__ == "__main__":
    main()
