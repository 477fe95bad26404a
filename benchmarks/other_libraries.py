"""The same weights in Pyro and in pythae: the same ELBO, the same log p(x), and the seconds.

    python -m venv /tmp/others && . /tmp/others/bin/activate
    pip install . pyro-ppl pythae        # for this comparison alone, not pinned with the book
    python benchmarks/other_libraries.py [--digits 100] [--samples 1000]

Where pythae's own requirements do not resolve (it asks for the package ``dataclasses``, which
Python has long had inside): ``pip install --no-deps pythae`` and ``pip install pydantic imageio
cloudpickle``. A library that is missing is left out, and the result says so.

All three score the same held-out digits, binarised once, under the shipped 16-dimensional VAE, by
importance sampling from q(z|x) with as many samples. They draw their own noise, so they agree
within standard errors, not to the digit. Each is timed in turn, three rounds, and the best counts.
"""

import argparse
import math
import time
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lib.bounds import log_weights, noise
from vae_lib.checkpoints import load_shipped
from vae_lib.data import binarise, load_digits
from vae_lib.evaluation import log_likelihood
from vae_lib.models import VAE


class Scores(NamedTuple):
    """Mean ELBO and mean log p(x), in nats; the seconds that the second took."""

    elbo: float
    log_px: float
    seconds: float


def ours(model: VAE, x: Tensor, samples: int) -> Scores:
    """By the book's library."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        elbo = log_weights(model, x, noise(model, x, generator, 100)).mean()
    start = time.perf_counter()
    log_px = log_likelihood(model, x, generator, samples).log_px.mean()
    return Scores(float(elbo), float(log_px), time.perf_counter() - start)


def in_pyro(model: VAE, x: Tensor, samples: int) -> Scores:
    """A model and a guide written in Pyro: its own Trace_ELBO, and weights from its traces."""
    import pyro
    import pyro.distributions as dist
    from pyro import poutine
    from pyro.infer import Trace_ELBO

    def generate(x: Tensor) -> None:
        with pyro.plate("digits", len(x), dim=-1):
            z = pyro.sample("z", dist.Normal(torch.zeros(model.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=model.decode(z)).to_event(1), obs=x)

    def recognise(x: Tensor) -> None:
        with pyro.plate("digits", len(x), dim=-1):
            mu, logvar = model.encode(x)
            pyro.sample("z", dist.Normal(mu, (0.5 * logvar).exp()).to_event(1))

    pyro.set_rng_seed(1)
    bound = Trace_ELBO(num_particles=100, vectorize_particles=True, max_plate_nesting=1)
    with torch.no_grad():
        elbo = -bound.loss(generate, recognise, x) / len(x)
        start, totals = time.perf_counter(), []
        for part in x.split(10):  # ten digits at a time keep it within memory
            outer = pyro.plate("samples", samples, dim=-2)
            q = poutine.trace(outer(recognise)).get_trace(part)
            p = poutine.trace(poutine.replay(outer(generate), trace=q)).get_trace(part)
            q.compute_log_prob(), p.compute_log_prob()
            log_p = p.nodes["z"]["log_prob"] + p.nodes["x"]["log_prob"]  # [samples, 10]
            log_w = log_p - q.nodes["z"]["log_prob"]
            totals.append(log_w.logsumexp(0) - math.log(samples))
        log_px = torch.cat(totals).mean()
    return Scores(float(elbo), float(log_px), time.perf_counter() - start)


def in_pythae(model: VAE, x: Tensor, samples: int) -> Scores:
    """The two networks as pythae's encoder and decoder, with its own loss and ``get_nll``."""
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            nn.Module.__init__(self)

        def forward(self, x: Tensor) -> ModelOutput:
            mu, logvar = model.encode(x)
            return ModelOutput(embedding=mu, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            nn.Module.__init__(self)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=model.decode(z).sigmoid())

    settings = VAEConfig(
        input_dim=(model.pixels,), latent_dim=model.latent, reconstruction_loss="bce"
    )
    theirs = PythaeVAE(settings, encoder=Encoder(), decoder=Decoder()).eval()
    with torch.random.fork_rng(), torch.no_grad():  # pythae draws from the global generator
        torch.manual_seed(1)
        losses = [theirs({"data": x}).loss for _ in range(100)]
        start = time.perf_counter()
        log_px = theirs.get_nll(x, n_samples=samples, batch_size=min(samples, 100))
        seconds = time.perf_counter() - start
    return Scores(-float(torch.stack(losses).mean()), float(log_px), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", type=int, default=100)
    parser.add_argument("--samples", type=int, default=1000)
    wanted = parser.parse_args()
    model = load_shipped("vae-16d")
    generator = torch.Generator().manual_seed(0)
    images = load_digits("heldout").images
    x = binarise(images[torch.randperm(len(images), generator=generator)], generator)
    x = x[: wanted.digits]

    ways = {"vae_lib": ours}
    for name, package, score in (("Pyro", "pyro", in_pyro), ("pythae", "pythae", in_pythae)):
        if find_spec(package):
            ways[name] = score
        else:
            print(f"{name} is not installed: left out")
    results: dict[str, list[Scores]] = {name: [] for name in ways}
    for _ in range(3):
        for name, score in ways.items():
            results[name].append(score(model, x, wanted.samples))

    with torch.no_grad():
        spread = log_weights(model, x, noise(model, x, generator, 100)).std(0)
    elbo_error = float(spread.square().sum().sqrt()) / len(x) / 10
    estimate = log_likelihood(model, x, generator, wanted.samples)
    error = float(estimate.standard_error.square().sum().sqrt()) / len(x)
    print(
        f"{len(x)} digits, {wanted.samples} samples, {torch.get_num_threads()} threads\n"
        f"standard errors of one column's numbers: {elbo_error:.3f} (ELBO), {error:.3f} (log p)"
    )
    first = {name: rows[0] for name, rows in results.items()}
    seconds = {name: min(row.seconds for row in rows) for name, rows in results.items()}
    for name, row in first.items():
        off = (
            (row.elbo - first["vae_lib"].elbo) / (2**0.5 * elbo_error),
            (row.log_px - first["vae_lib"].log_px) / (2**0.5 * error),
        )
        print(
            f"{name:8} ELBO {row.elbo:9.3f}  log p(x) {row.log_px:9.3f}"
            f"  off by {off[0]:+.1f} and {off[1]:+.1f} standard errors;"
            f"  log p(x) in {seconds[name]:6.2f} s, {seconds[name] / seconds['vae_lib']:5.2f} ×"
        )


if __name__ == "__main__":
    main()
