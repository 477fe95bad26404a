"""Checks of chapter 2: linear decoders, PCA on noise, corruption, sparse and tied codes."""

import torch

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def best_decoder(answer) -> str:
    """Exercise 2.1: C W_eᵀ (W_e C W_eᵀ)⁻¹, the decoder [P, D] with the lowest loss."""
    generator = torch.Generator().manual_seed(0)
    for size, pixels in ((3, 7), (1, 4)):
        encoder = torch.randn(size, pixels, generator=generator)
        root = torch.randn(pixels, pixels, generator=generator)
        covariance = root @ root.T / pixels
        cross = covariance @ encoder.T
        want = cross @ (encoder @ cross).inverse()
        hints = {
            "that is the encoder's pseudo-inverse, the best for data with covariance I": (
                encoder.pinverse()
            ),
            "that ties the decoder to the encoder; it is free": encoder.T,
            "it is upside down: a decoder is [P, D]": want.T,
            "that is C Wᵀ alone; codes have a covariance too, divide by it": cross,
            "the covariance of the codes is W C Wᵀ, not W Wᵀ": (
                cross @ (encoder @ encoder.T).inverse()
            ),
            "the pixels' covariance is missing in front": (encoder.T @ (encoder @ cross).inverse()),
        }
        what = f"the decoder for D = {size} and {pixels} pixels"
        close(answer(encoder, covariance), want, what, hints=hints, rtol=1e-3, atol=1e-4)
    return "It is a regression of the pixels on the code."


@exercise
def pca_error(answer) -> str:
    """Exercise 2.2: Σ_{j > D} λ_j + D s², PCA's expected error on noisy digits."""
    eigenvalues = torch.tensor([5.0, 3.0, 1.1, 0.6, 0.5, 0.2, 0.1])
    for size, variance in ((2, 0.3), (5, 0.7), (0, 0.4), (7, 0.4)):
        lost, kept = eigenvalues[size:].sum(), eigenvalues[:size].sum()
        hints = {
            "that leaves the noise out: what is inside the plane stays": lost,
            "that leaves out what PCA loses of the clean digit": torch.tensor(size * variance),
            "noise outside the plane is taken away, noise inside stays": (
                lost + (7 - size) * variance
            ),
            "noise outside the plane does not come back; count D directions": lost + 7 * variance,
            "each of the D directions kept brings its own noise": lost + variance,
            "the noise adds its variance, not its standard deviation": lost + size * variance**0.5,
            "s² is the variance already; do not square it": lost + size * variance**2,
            "those are the eigenvalues kept; the others are lost": kept + size * variance,
            "the noise is an error, not a saving": lost - size * variance,
        }
        what = f"the error for D = {size}, s² = {variance:g}"
        close(answer(eigenvalues, size, variance), lost + size * variance, what, hints=hints)
    return "Keeping a component whole pays while its eigenvalue is above the noise's variance."


@exercise
def mask(answer) -> str:
    """Exercise 2.3: each pixel becomes 0 with the given probability; the rest stay."""
    for probability in (0.25, 0.6):
        _masks(answer, probability)
    return "Ink is lost and none is added, so a network can only learn to fill in."


def _masks(answer, probability: float) -> None:
    """Whether the answer masks with this one probability."""
    x = torch.ones(400, 784)  # even rows: all ink; odd rows: ink in every other pixel
    x[1::2, ::2] = 0
    generator = torch.Generator().manual_seed(0)

    def draw(generator: torch.Generator) -> torch.Tensor:
        return as_tensor(answer(x, probability, generator), "the masked digits")

    got, more = draw(generator), draw(generator)
    again = draw(torch.Generator().manual_seed(0))
    other = draw(torch.Generator().manual_seed(1))
    if got.shape != x.shape:
        raise Wrong(f"the shape should be {list(x.shape)}, yours is {list(got.shape)}.")
    if not torch.equal(got, again):
        raise Wrong("the same seed gave two answers: draw from the generator that is passed in.")
    if (got[x == 0] != 0).any():
        raise Wrong("a pixel that was 0 has changed: that is flipping, not masking.")
    if not torch.isin(got, torch.tensor([0.0, 1.0], dtype=got.dtype)).all():
        raise Wrong("pixels must stay 0 or 1: drop whole pixels, do not scale them.")
    kept = float(got[x == 1].mean())
    if 0 < kept < 1 and (got[::2] == got[0]).all():
        raise Wrong("every digit loses the same pixels: draw for each digit.")
    if 0 < kept < 1:
        counts, each = got[::2].sum(1), got[::2].mean(0)
        spread = float(counts.var()) / (784 * kept * (1 - kept))  # 1 ± 0.1
        if spread < 0.5:
            raise Wrong("each digit loses the same number of pixels: draw each pixel on its own.")
        if spread > 1.6 or float((each - kept).abs().max()) > 0.2:  # over 5 standard errors
            raise Wrong("pixels go together: draw each pixel on its own.")
    if abs(kept - probability) < 0.02:
        raise Wrong(f"it keeps {kept:.0%} of the ink; it should drop {probability:.0%}.")
    if abs(kept - (1 - probability)) > 0.01:  # ten standard errors: 235,200 draws
        raise Wrong(
            f"with probability {probability:g} it keeps {kept:.0%} of the ink,"
            f" not {1 - probability:.0%}."
        )
    if torch.equal(got, other) or torch.equal(got, more):
        raise Wrong("every call masks the same pixels: draw from the generator, as it stands.")


@exercise
def sparse_loss(answer) -> str:
    """Exercise 2.4: ``nll + weight · Σ_j |code_j| ‖column j of the decoder‖`` [B]."""
    generator = torch.Generator().manual_seed(0)
    for digits, units, weight in ((2, 3, 0.5), (4, 6, 2.0)):
        nll = 100 + 10 * torch.randn(digits, generator=generator)
        code = torch.randn(digits, units, generator=generator)
        decoder = torch.randn(9, units, generator=generator)
        moved = code * decoder.norm(dim=0)  # how far each unit moves the logits
        size, what = moved.abs().sum(-1), f"the loss of {digits} digits at weight {weight:g}"
        hints = {
            "the decoder's columns are missing: small codes and large columns would be free": (
                nll + weight * code.abs().sum(-1)
            ),
            "the length of a column is not squared": (
                nll + weight * (code.abs() * (decoder**2).sum(0)).sum(-1)
            ),
            "that is the sum of a column's absolute values; its length is wanted": (
                nll + weight * (code.abs() * decoder.abs().sum(0)).sum(-1)
            ),
            "each unit has its own column; that is the length of the whole decoder": (
                nll + weight * code.abs().sum(-1) * decoder.norm()
            ),
            "a larger column makes a unit dearer, not cheaper": (
                nll + weight * (code.abs() / decoder.norm(dim=0)).sum(-1)
            ),
            "without absolute values, negative units earn instead of cost": (
                nll + weight * moved.sum(-1)
            ),
            "sum over the units of the code, do not average": nll + weight * size / units,
            "keep one value a digit; do not sum over the batch": nll + weight * size.sum(),
            "keep one value a digit; the caller averages": (nll + weight * size).mean(),
            "that squares the code: many small units would cost next to nothing": (
                nll + weight * (moved**2).sum(-1)
            ),
            "one large unit and many small ones would cost alike: add absolute values": (
                nll + weight * moved.norm(dim=-1)
            ),
            "a cost is added to the loss": nll - weight * size,
            "the weight belongs to the code, not to the loss": weight * nll + size,
            "the weight is missing": nll + size,
        }
        got = answer(nll, code, decoder, weight)
        close(got, nll + weight * size, what, hints=hints)
    return "Codes ten times smaller and columns ten times larger cost the same."


@exercise
def same_copies(answer) -> str:
    """Exercise 2.5: whether AᵀA = I, so that tied weights A W give the copies that W gives."""
    plus_minus = [[-1, 1, -1, -1], [1, 1, 1, -1], [1, -1, -1, -1], [1, 1, -1, 1]]
    turn = torch.tensor(plus_minus) / 2  # a rotation, with AᵀA = I to the last bit
    cases = [
        ("the identity", torch.eye(3), True, "nothing has changed"),
        ("a stretch by 2", 2 * torch.eye(3), False, "the copies are four times as large"),
        ("a rotation", turn, True, "AᵀA = I"),
        ("a reflection", torch.diag(torch.tensor([1.0, -1.0])), True, "its determinant is -1"),
        ("an exchange of two units", torch.eye(5)[[1, 0, 2, 3, 4]], True, "AᵀA = I"),
        (
            "columns of length 1 that are not at right angles",
            torch.tensor([[1.0, 0.6, -0.375], [0.0, 0.8, 0.0], [0.0, 0.0, 0.859375**0.5]]),
            False,
            "AᵀA has entries off its diagonal, though they add up to 0",
        ),
        ("a shear", torch.tensor([[1.0, 1.0], [0.0, 1.0]]), False, "volumes stay, copies do not"),
        (
            "a stretch by 2 and by ½",
            torch.diag(torch.tensor([2.0, 0.5])),
            False,
            "volumes stay, copies do not",
        ),
        (
            "a matrix that is its own inverse",
            torch.tensor([[1.0, 1.0], [0.0, -1.0]]),
            False,
            "it is A transposed that follows A, not A itself",
        ),
        (
            "rows of length 1 that are not at right angles",
            torch.tensor([[1.0, 0.0], [0.6, 0.8]]),
            False,
            "AᵀA has entries off its diagonal",
        ),
        (
            "orthogonal rows of length 3",
            3 * turn,
            False,
            "right angles are not enough, lengths count",
        ),
    ]
    for name, A, want, why in cases:
        got = as_tensor(answer(A), name)
        if got.numel() != 1:
            raise Wrong(f"{name}: True or False is wanted, not {list(got.shape)} values.")
        if bool(got) != want:
            raise Wrong(f"{name}: the answer should be {want}; {why}.")
    return "What is left of the freedom to choose a basis is rotation and reflection."
