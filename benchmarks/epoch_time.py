"""One epoch of a 784-400-20 VAE on the 60,000 digits of MNIST: how much of it is overhead?

    python benchmarks/epoch_time.py --root path/to/mnist      # or set VAE_LIB_DATA

Four ways, in turn, several rounds of each. The best of each counts, since machines are noisy; where
the worst is far from it, or other programs took the processor, the result says so:

* ``fit``: the book's training, shuffling, binarisation and the evaluation of 1,000 held-out
  digits included.
* ``bfloat16``: the same with the objective under ``torch.autocast``: a reader's choice and never
  the default, since some processors round more than this one, and some have no such arithmetic.
* ``example``: a training epoch in the manner of the VAE in PyTorch's own repository of examples:
  a DataLoader of single PIL images through ToTensor, Adam, the same network, ReLU.
* ``bound``: the matrix multiplications of the forward and backward passes and nothing else.

All use batches of 128 on the CPU.
"""

import argparse
import os
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vae_lib.bounds import elbo_terms
from vae_lib.data import load_mnist
from vae_lib.models import VAE
from vae_lib.training import fit

LATENT, HIDDEN, BATCH = 20, 400, 128


def low_precision(model, x, generator):
    """The loss with its matrix multiplications in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        return elbo_terms(model, x, generator)


def fit_epochs(images: torch.Tensor, heldout: torch.Tensor, objective):
    """Yield the seconds of one epoch of ``vae_lib.training.fit`` after another.

    They are those of the history's row: the evaluation before the first epoch is not among them.
    """
    model = VAE(latent=LATENT, hidden=(HIDDEN,))
    options = dict(batch_size=BATCH, lr=1e-3, device="cpu", progress=False)
    while True:
        history = fit(model, images, heldout, objective, epochs=1, **options)
        yield history.rows[1]["seconds"]


class PlainVAE(nn.Module):
    """The example's network: both heads of the encoder on one hidden layer, ReLU."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, HIDDEN)
        self.mu, self.logvar = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784), nn.Sigmoid()
        )

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        h = self.hidden(x).relu()
        mu, logvar = self.mu(h), self.logvar(h)
        pi = self.decoder(mu + torch.randn_like(mu) * (logvar / 2).exp())
        nll = F.binary_cross_entropy(pi, x, reduction="sum")
        return nll + (mu**2 + logvar.exp() - 1 - logvar).sum() / 2


def example_epochs(root: str):
    """Yield the seconds of one training epoch in the example's manner after another."""
    loader = DataLoader(MNIST(root, transform=ToTensor()), batch_size=BATCH, shuffle=True)
    model = PlainVAE()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        start, total = time.perf_counter(), 0.0
        for images, _ in loader:
            optimiser.zero_grad()
            loss = model.loss(images.view(-1, 784))
            loss.backward()
            total += loss.item()
            optimiser.step()
        yield time.perf_counter() - start


def bound_epochs(count: int, shares: list[float]):
    """Yield the seconds of an epoch's matrix multiplications: the three of each layer.

    To ``shares`` goes how much of its threads' time the processor gave.
    """
    sizes = [(784, HIDDEN), (HIDDEN, 2 * LATENT), (LATENT, HIDDEN), (HIDDEN, 784)]
    layers = [(torch.rand(BATCH, m), torch.rand(n, m), torch.rand(BATCH, n)) for m, n in sizes]
    while True:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(-(-count // BATCH)):
            for k, (inputs, weight, outputs) in enumerate(layers):
                inputs @ weight.T  # forward
                outputs.T @ inputs  # the weights' gradient
                if k:  # the pixels need none
                    outputs @ weight  # the inputs' gradient
        seconds = time.perf_counter() - start
        shares.append((time.process_time() - cpu) / seconds / torch.get_num_threads())
        yield seconds


def busy(seconds: dict[str, list[float]], shares: list[float]) -> str | None:
    """What says that other programs ran: ``shares`` below 1, or uneven times of the same work."""
    if min(shares) < 0.9:
        return f"threads had {min(shares):.0%} of the processor"
    for name, times in seconds.items():
        if max(times) > 1.15 * min(times):
            return f"{name} took from {min(times):.2f} to {max(times):.2f} s"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = os.environ.get("VAE_LIB_DATA")
    parser.add_argument("--root", default=root, required=not root, help="holds MNIST/raw")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    train, test = (load_mnist(split, options.root).images for split in ("train", "test"))
    shares: list[float] = []
    ways = {
        "fit": fit_epochs(train, test[:1000], elbo_terms),
        "bfloat16": fit_epochs(train, test[:1000], low_precision),
        "example": example_epochs(options.root),
        "bound": bound_epochs(len(train), shares),
    }
    for epochs in ways.values():
        next(epochs)  # the first warms up
    seconds = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, epochs in ways.items():
            seconds[name].append(next(epochs))
    best = {name: min(times) for name, times in seconds.items()}
    print(f"threads {torch.get_num_threads()}, torch {torch.__version__}, {len(train):,} digits")
    for name, times in seconds.items():
        print(f"{name:8}{best[name]:7.2f} s   (worst {max(times):.2f} s)")
    example, bound = best["example"], best["bound"]
    print(f"fit takes {best['fit'] / bound:.2f} times the bound (aim: at most 1.6)")
    print(f"fit is {example / best['fit']:.1f} times as fast as the example (aim: 2.3)")
    print(f"with bfloat16 it is {example / best['bfloat16']:.1f} times as fast (aim: 3)")
    if (reason := busy(seconds, shares[1:])) is not None:
        raise SystemExit(f"The machine was busy: {reason}. Run it again when it is quiet.")


if __name__ == "__main__":
    main()
