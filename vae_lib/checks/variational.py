"""Checks of chapter 7: mean-field variances, coordinate ascent, and the noise of a model."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def turned(answer) -> str:
    """Exercise 7.1: ``answer(turn, large, small)`` is mean-field's variances of z1 and z2.

    The posterior has variance ``large`` along the axis at the angle ``turn`` to z1's, and
    ``small`` across. In reverse KL a variance is one over the precision's diagonal.
    """
    for turn, large, small in ((0.3, 4.0, 0.25), (2.0, 9.0, 0.5), (0.0, 3.0, 2.0)):
        c, s = math.cos(turn) ** 2, math.sin(turn) ** 2
        precision = torch.tensor([c / large + s / small, s / large + c / small])
        marginal = torch.tensor([c * large + s * small, s * large + c * small])
        got = as_tensor(list(_two(answer(turn, large, small))), "the variances")
        close(
            got,
            1 / precision,
            f"the variances for turn = {turn:g}, large = {large:g}, small = {small:g}",
            hints={
                "those are the posterior's own: the forward fit has them": marginal,
                "that is the precision; a variance is one over it": precision,
                "turned about: z1 comes first, and large lies along the turned axis": 1
                / precision.flip(0),
                "large and small are variances: do not square them": 1
                / torch.tensor([c / large**2 + s / small**2, s / large**2 + c / small**2]),
                "variances, not standard deviations": precision**-0.5,
                "the angle is in radians": _at_degrees(turn, large, small),
                "that is exact at 0 only: the axes turn": torch.tensor([large, small]),
            },
        )
    return "Exact where the axes are upright, and worst half-way between."


def _two(result):
    try:
        first, second = result
    except (TypeError, ValueError):
        raise Wrong("return two numbers: the variance of z1 and of z2.") from None
    return float(first), float(second)


def _at_degrees(turn: float, large: float, small: float) -> Tensor:
    c, s = math.cos(math.radians(turn)) ** 2, math.sin(math.radians(turn)) ** 2
    return 1 / torch.tensor([c / large + s / small, s / large + c / small])


@exercise
def sweep_once(answer) -> str:
    """Exercise 7.2: m_j = (h_j - Σ_{k≠j} Λ_jk m_k) / Λ_jj, for each j in turn; [D]."""
    roots = [
        [[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.4, 0.7]],
        [[1.2, 0, 0, 0], [0.3, 0.9, 0, 0], [-0.5, 0.2, 1.0, 0], [0.4, -0.6, 0.1, 0.8]],
    ]
    starts = [[2.0, 1.0, -1.0], [0.5, -1.0, 2.0, 1.5]]
    for rows, numbers in zip(roots, starts, strict=True):
        root = torch.tensor(rows, dtype=torch.float64)
        precision, start = root @ root.T, torch.tensor(numbers, dtype=torch.float64)
        mu = torch.linspace(0.5, -1, len(start), dtype=torch.float64)
        h = precision @ mu
        close(
            answer(start, h, precision),
            _sweep(start, h, precision),
            f"the means after one sweep of {len(start)}",
            hints={
                "use the newest values of the other means, not those of the start": _sweep(
                    start, h, precision, newest=False
                ),
                "the others' part is taken away from h": _sweep(start, h, precision, sign=1.0),
                "divide by the precision's diagonal": _sweep(start, h, precision, divide=False),
                "leave out the coordinate's own term": _sweep(start, h, precision, own=True),
                "only the first coordinate was set": torch.cat(
                    [_sweep(start, h, precision)[:1], start[1:]]
                ),
                "coordinates are set in turn, 1 first": _sweep(
                    start.flip(0), h.flip(0), precision.flip(0, 1)
                ).flip(0),
                "that is the limit of many sweeps; make one": mu,
                "those are two sweeps; make one": _sweep(_sweep(start, h, precision), h, precision),
                "given the others a coordinate's variance is 1 / Λ_jj, not Σ_jj": _sweep(
                    start, h, precision, width=precision.inverse().diagonal()
                ),
            },
        )
    return "Sweep on, and the means come to the posterior's."


def _sweep(m, h, precision, newest=True, sign=-1.0, divide=True, own=False, width=None) -> Tensor:
    """One sweep, with the slips that a reader may make."""
    old, m = m, m.clone()
    width = 1 / precision.diagonal() if width is None else width
    for j in range(len(m)):
        now = m if newest else old
        total = precision[j] @ now - (0.0 if own else precision[j, j] * now[j])
        m[j] = (h[j] + sign * total) * (width[j] if divide else 1.0)
    return m


@exercise
def noise_variance(answer) -> str:
    """Exercise 7.3: τ² = mean_n [(y_n - a_nᵀ m)² + Σ_j a_nj² s_j²], from y [N], A [N, D]."""
    generator = torch.Generator().manual_seed(7)
    for rows, columns in ((6, 2), (11, 3)):
        y = torch.randn(rows, generator=generator, dtype=torch.float64)
        design = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        m = torch.randn(columns, generator=generator, dtype=torch.float64)
        s = torch.rand(columns, generator=generator, dtype=torch.float64) + 0.2
        error, spread = (y - design @ m) ** 2, design**2 @ s**2
        best = (error + spread).mean()
        line = torch.linalg.lstsq(design, y).solution
        close(
            answer(y, design, m, s),
            best,
            f"the variance from {rows} rows",
            hints={
                "that leaves out how unsure q is of the line": error.mean(),
                "only the spread of q is there: add the squared error": spread.mean(),
                "a variance is wanted, not τ": best.sqrt(),
                "average over the N rows, do not add": (error + spread).sum(),
                "s is a standard deviation: square it": (error + design**2 @ s).mean(),
                "s was squared and the design was not": (error + design @ s**2).mean(),
                "the ½ cancels": best / 2,
                "the minimum of F divides by N, whatever D is": (error + spread).sum()
                / (rows - columns),
                "that is the logarithm of it": best.log(),
                "the line is given: it is m, and need not be the best one": (
                    (y - design @ line) ** 2 + spread
                ).mean(),
                "that is the best line's squared error; q knows m and s only": (
                    (y - design @ line) ** 2
                ).mean(),
                "square before adding: the coordinates of q are independent": (
                    error + (design @ s) ** 2
                ).mean(),
            },
        )
    return "The squared error, and what q does not know of the line."


@exercise
def narrow(answer) -> str:
    """Exercise 7.4: 1 / (Σ^-1)_jj for Σ with ones on the diagonal and ρ elsewhere."""
    for rho, dimensions in ((0.8, 2), (0.5, 10), (0.01, 3), (0.3, 60)):
        covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64)
        covariance.fill_diagonal_(1.0)
        precision = covariance.inverse()[0, 0]
        close(
            answer(rho, dimensions),
            1 / precision,
            f"the variance for ρ = {rho} in {dimensions} dimensions",
            hints={
                "that is right for two dimensions only: more neighbours tell more": 1 - rho**2,
                "that is the limit of many dimensions": 1 - rho,
                "that is the precision; a variance is one over it": precision,
                "a variance, not a standard deviation": precision**-0.5,
                "that is the marginal variance, which mean-field does not see": 1.0,
                "neighbours share what they tell: their factors do not multiply": (
                    (1 - rho**2) ** (dimensions - 1)
                ),
            },
            rtol=1e-6,
        )
    return "It falls from 1 - ρ² at D = 2 towards 1 - ρ as the dimensions grow, and no further."
