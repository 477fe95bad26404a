"""A variational autoencoder in one file, to copy away: plain PyTorch and nothing else.

    pip install torch torchvision
    python vae.py      # fetches MNIST into ./data, trains, and draws 100 digits: digits.png

Kingma and Welling, "Auto-Encoding Variational Bayes" (2014). Losses are in nats per digit.
"""

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    """q(z|x) = N(mu, diag exp(logvar)), p(z) = N(0, I), and Bernoulli pixels given z."""

    def __init__(self, pixels=784, hidden=400, latent=20):
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Linear(pixels, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, pixels)
        )

    def loss(self, x, eps):
        """-ELBO of each x in [B, pixels], with noise eps ~ N(0, I) in [B, latent]: [B]."""
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        logits = self.decoder(mu + (logvar / 2).exp() * eps)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
        kl = (mu**2 + logvar.exp() - 1 - logvar).sum(-1) / 2  # KL(q(z|x) || p(z))
        return nll + kl

    @torch.no_grad()
    def sample(self, count):
        """Grey values of new digits: z from the prior, decoded. [count, pixels]"""
        return self.decoder(torch.randn(count, self.latent)).sigmoid()


def train(model, images, epochs=10, batch_size=128, lr=1e-3):
    """Minimise the mean loss over grey images [N, pixels] in [0, 1]; each epoch's mean is told."""
    optimiser, losses = torch.optim.Adam(model.parameters(), lr=lr), []
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(batch_size):
            grey = images[chosen]
            x = (torch.rand_like(grey) < grey).float()  # black and white, drawn anew each epoch
            loss = model.loss(x, torch.randn(len(x), model.latent)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(x)
        losses.append(total / len(images))
        print(f"epoch {epoch:3}: {losses[-1]:.2f} nats per digit")
    return losses


def main(epochs=10):
    from torchvision import datasets, utils

    torch.manual_seed(0)
    images = datasets.MNIST("data", download=True).data.flatten(1) / 255
    model = VAE()
    train(model, images, epochs)
    utils.save_image(model.sample(100).reshape(-1, 1, 28, 28), "digits.png", nrow=10)


if __name__ == "__main__":
    main()
