"""Checks of chapter 2: principal components, corruption, sparse and tied codes."""

import torch

from vae_lib.checks import Wrong, as_tensor, close, exercise


def _digits_and_basis() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    g = torch.rand(5, 784, generator=generator)
    mean = torch.rand(784, generator=generator)
    components = torch.linalg.qr(torch.randn(784, 3, generator=generator))[0].T
    return g, mean, components


@exercise
def project(answer) -> str:
    """Exercise 2.1: mean + (g - mean) C^T C for orthonormal rows C; [B, 784]."""
    g, mean, components = _digits_and_basis()
    close(
        answer(g, mean, components),
        mean + (g - mean) @ components.T @ components,
        "the reconstruction",
        hints={
            "the mean was taken away and must be added again": (g - mean)
            @ components.T
            @ components,
            "take the mean away before you project": g @ components.T @ components,
            "the mean was added but never taken away": mean + g @ components.T @ components,
            "that is the code; map it back to pixels": (g - mean) @ components.T,
        },
    )
    return "Projecting twice changes nothing more: try it."


@exercise
def explained(answer) -> str:
    """Exercise 2.2: the sum of the first eigenvalues over the sum of all."""
    eigenvalues = torch.tensor([5.0, 3.0, 1.0, 0.5, 0.5])
    close(
        answer(eigenvalues, 2),
        0.8,
        "the fraction for two of five components",
        hints={
            "divide by the total variance": 8.0,
            "that is the fraction lost": 0.2,
            "that is the next component alone": 0.1,
            "use the eigenvalues themselves; they are variances already": 34 / 35.5,
        },
    )
    return "The rest is what equation 2.2 calls the loss."


@exercise
def mask(answer) -> str:
    """Exercise 2.3: each pixel becomes 0 with the given probability; the rest stay."""
    x = torch.ones(200, 784)
    x[:, ::2] = 0
    got = as_tensor(answer(x, 0.25, torch.Generator().manual_seed(0)), "the masked digits")
    again = as_tensor(answer(x, 0.25, torch.Generator().manual_seed(0)), "the masked digits")
    if got.shape != x.shape:
        raise Wrong(f"the shape should be {list(x.shape)}, yours is {list(got.shape)}.")
    if not torch.equal(got, again):
        raise Wrong("the same seed gave two answers: draw from the generator that is passed in.")
    if (got[:, ::2] != 0).any():
        raise Wrong("a pixel that was 0 has changed: that is flipping, not masking.")
    if not torch.isin(got, torch.tensor([0.0, 1.0], dtype=got.dtype)).all():
        raise Wrong("pixels must stay 0 or 1: drop whole pixels, do not scale them.")
    kept = float(got[:, 1::2].mean())
    if 0 < kept < 1 and (got == got[0]).all():
        raise Wrong("every digit loses the same pixels: draw for each digit.")
    if abs(kept - 0.25) < 0.02:
        raise Wrong("it keeps a quarter of the pixels; it should drop a quarter.")
    if abs(kept - 0.75) > 0.02:  # eleven standard errors: 78,400 draws
        raise Wrong(f"it keeps {kept:.0%} of the white pixels, not 75 %.")
    return "Ink is lost and none is added, so a network can only learn to fill in."


@exercise
def sparse_loss(answer) -> str:
    """Exercise 2.4: nll + weight · Σ_j |code_j|, for each digit; [B]."""
    nll = torch.tensor([100.0, 90.0])
    code = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.5, -1.0]])
    close(
        answer(nll, code, 0.5),
        [101.5, 91.0],
        "the loss of two digits",
        hints={
            "without absolute values, negative units earn instead of cost": [99.5, 90.0],
            "sum over the units of the code, do not average": [100.5, 90 + 1 / 3],
            "keep one value a digit; do not sum over the batch": [102.5, 92.5],
            "that squares the code: many small units would cost next to nothing": [102.5, 90.75],
            "a cost is added to the loss": [98.5, 89.0],
        },
    )
    return "Where the weight is large, most units fall silent for most digits."


@exercise
def tied_loss(answer) -> str:
    """Exercise 2.5: ‖g - W^T W g‖², summed over pixels, for each digit; [B]."""
    g, _, components = _digits_and_basis()
    weights = 1.5 * components
    error = (g - g @ weights.T @ weights) ** 2
    close(
        answer(weights, g),
        error.sum(-1),
        "the loss of five digits",
        hints={
            "sum over the pixels, do not average": error.mean(-1),
            "keep one value a digit": error.sum(-1).mean(),
            "keep one value a digit, do not sum over the batch": error.sum(),
            "the error is squared": error.sqrt().sum(-1),
        },
    )
    return "What is left is rotation (and reflection) of the code."
