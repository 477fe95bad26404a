"""Small seeded networks and digits, and one of each widget made of them."""

import copy
from itertools import pairwise

import torch
from torch import nn

from vae_lib import widgets


def network(*sizes: int, activation=nn.SiLU, seed: int = 0) -> nn.Sequential:
    """Linear layers with weights about as large as trained ones."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.normal_(0, 1.5 / inputs**0.5, generator=generator)
            linear.bias.normal_(0, 0.5, generator=generator)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


def as_sent(net: nn.Module) -> nn.Module:
    """The network with its weights rounded to float16, as they travel, in float64."""
    return copy.deepcopy(net).requires_grad_(False).half().double()


def digits(count: int = 5, seed: int = 0) -> torch.Tensor:
    """Black-and-white images [count, 784]: a blob each, in different places."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(28), torch.arange(28), indexing="ij")
    centres = 8 + 12 * torch.rand(count, 2, 1, 1, generator=generator)
    distance = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2
    return (distance < 30).float().reshape(count, 784)


def codes(count: int = 60, size: int = 2, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(count, size, generator=torch.Generator().manual_seed(1))


LABELS = torch.arange(60) % 10
AE, VAE = network(2, 64, 784, seed=1), network(2, 32, 784, seed=2)
ENCODER = network(784, 64, 4, seed=3)


def latent_pad() -> widgets.LatentPad:
    points = {"AE": codes(scale=6.0), "VAE": codes()}
    return widgets.LatentPad({"AE": AE, "VAE": VAE}, points, LABELS, prior=["VAE"])


def draw_digit() -> widgets.DrawDigit:
    return widgets.DrawDigit(ENCODER, VAE, digits(), codes=codes(), labels=LABELS)


def code_knobs(encoder_outputs: int = 3) -> widgets.CodeKnobs:
    encoder = network(784, 32, encoder_outputs, seed=4)
    return widgets.CodeKnobs(encoder, network(3, 32, 784, seed=5), digits(), codes(size=3, scale=4))


def toy(points: int = 801):
    """A curved Gaussian likelihood on a line: nodes, log p(z), log p(x, z), log weights."""
    nodes = torch.linspace(-6, 6, points, dtype=torch.float64)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(nodes)
    mean = torch.tanh(2 * nodes) + 0.3 * nodes**2
    likelihood = torch.distributions.Normal(mean, 0.35).log_prob(torch.tensor(1.2).double())
    weights = torch.full_like(nodes, float(nodes[1] - nodes[0]))
    weights[[0, -1]] /= 2
    return nodes, prior, prior + likelihood, weights.log()


def evidence_split(**options) -> widgets.EvidenceSplit:
    nodes, prior, joint, weights = toy()
    return widgets.EvidenceSplit(nodes, joint, weights, log_prior=prior, **options)


def bayes_curve() -> widgets.BayesCurve:
    nodes = torch.linspace(-6, 6, 401, dtype=torch.float64)
    curve = 2 * torch.stack([torch.cos(1.25 * nodes), torch.sin(1.25 * nodes)], -1)
    return widgets.BayesCurve(nodes, curve, x=(1.1, 1.6), places={"The centre": (0, 0)})


def ancestral_sampling() -> widgets.AncestralSampling:
    return widgets.AncestralSampling(VAE)


def two_gaussians() -> widgets.TwoGaussians:
    return widgets.TwoGaussians(q=(1.0, 0.7), p=(0.0, 1.5))


def lambda_plane() -> widgets.LambdaPlane:
    return widgets.LambdaPlane(rho=0.9)


def gradient_spread(**options) -> widgets.GradientSpread:
    return widgets.GradientSpread(**options)


def log_weights(samples: int = 256) -> torch.Tensor:
    """log w [K, 5] of five digits whose log p(x) is near -90, ever more spread."""
    draws = torch.randn(samples, 5, generator=torch.Generator().manual_seed(6)).double()
    spread = torch.linspace(0.5, 3, 5).double()
    return -90 - spread**2 / 2 + spread * draws


def bound_ladder(**options) -> widgets.BoundLadder:
    level = torch.full((5,), -90.0, dtype=torch.float64)
    return widgets.BoundLadder(log_weights(), level, digits(5), **options)


def rate_distortion(**options) -> widgets.RateDistortion:
    betas, g = (0.5, 1.0, 4.0), torch.Generator().manual_seed(6)
    decoders = {b: network(3, 16, 784, seed=20 + k) for k, b in enumerate(betas)}
    points = {0.5: (9.25, 31.5), 1.0: (6.0, 34.25), 4.0: (0.5, 45.125)}
    posteriors = {b: tuple(torch.randn(2, 5, 3, generator=g)) for b in betas}
    return widgets.RateDistortion(decoders, points, posteriors, digits(), **options)


CLASSES = network(12, 24, 784, seed=7)  # z and a one-hot label
JUDGE = network(784, 16, 10, seed=8)


def class_latent_pad(**options) -> widgets.ClassLatentPad:
    return widgets.ClassLatentPad(CLASSES, JUDGE, codes(), LABELS, **options)


NOISE = network(4, 16, 2, seed=9)  # of x_t and the two roots of ᾱ_t
SHARES = torch.cos(torch.linspace(0, 1.55, 13, dtype=torch.float64)) ** 2


def diffusion_steps(**options) -> widgets.DiffusionSteps:
    return widgets.DiffusionSteps(NOISE, SHARES, codes(40), SHARES + 0.1, **options)


def train_vae(**options) -> widgets.TrainVAE:
    g = torch.Generator().manual_seed(10)
    greys = torch.rand(5000, 196, generator=g) ** 4
    return widgets.TrainVAE(greys[:4000], greys[4000:], torch.arange(1000) // 100, **options)


FIGURES = (
    latent_pad,
    draw_digit,
    code_knobs,
    evidence_split,
    bayes_curve,
    ancestral_sampling,
    two_gaussians,
    lambda_plane,
    bound_ladder,
    gradient_spread,
    rate_distortion,
    class_latent_pad,
    diffusion_steps,
    train_vae,
)
ALL = {make.__name__: make for make in FIGURES}
