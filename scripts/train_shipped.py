"""Train the weights that ship with the book: the 2-D autoencoder and VAE of the landing page.

    python scripts/train_shipped.py          # about two minutes on two cores

Both see the 4,000 training digits of the embedded set and never the 1,000 held out, which only
choose the epoch that is kept. A card beside each file tells data, seed, settings and result.
"""

import torch

from vae_lib.bounds import elbo_terms, reconstruction_terms
from vae_lib.data import binarise, load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import SHIPPED, fit, save_checkpoint

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


def main() -> None:
    train, heldout = load_digits("train"), load_digits("heldout")
    for name, (build, objective) in RECIPES.items():
        model = build(latent=2, seed=SEED)
        history = fit(
            model, train.images, heldout.images, objective, epochs=EPOCHS, seed=SEED, device="cpu"
        )
        card = {
            "name": name,
            "data": "embedded digits (MNIST, CC BY-SA 3.0): 4,000 to train, 1,000 held out",
            "binarisation": "dynamic",
            "seed": SEED,
            "epochs": EPOCHS,
            "command": "python scripts/train_shipped.py",
            "best_epoch": history.best_epoch,
            "result": heldout_result(model, objective, heldout.images),
        }
        save_checkpoint(model, SHIPPED / f"{name}.safetensors", card)
        print(name, card["result"])


if __name__ == "__main__":
    main()
