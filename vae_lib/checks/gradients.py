"""Marks the exercises of chapter 9, gradients through a sample."""

import inspect
import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_lib.checks import Wrong, as_tensor, close, exercise, parts


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _three(got, names: str) -> list[Tensor]:
    return [as_tensor(part, names) for part in parts(got, 3, f"return 3 values: {names}.")]


@exercise
def variances(answer) -> str:
    """Exercise 9.1: ``answer(mu, std, k, draws)`` for f(z) = z² + k and q = N(mu, std²).

    It returns the variance per draw of the score function's gradient by mu, that of the
    reparameterised one, and how many draws of the first are worth ``draws`` of the second.
    """
    names = "the score function's variance, the reparameterised one, draws needed"
    for mu, std, k, draws in (
        (-0.5, 1.5, 3.0, 10),
        (1.0, 1.0, 0.0, 100),
        (1.0, 1.0, 10.0, 100),
        (0.3, 0.4, -1.2, 70),
    ):
        got = _three(answer(mu, std, k, draws), names)
        a, b, d = mu**2 + k, 2 * mu * std, std**2  # of 1, ε and ε²
        square = (a**2 + 3 * b**2 + 15 * d**2 + 6 * a * d) / d
        score, path = square - 4 * mu**2, 4 * d
        at = f"at mu = {mu:g}, std = {std:g}, k = {k:g}"
        close(
            got[0],
            score,
            f"the score function's variance {at}",
            hints={
                "that is the reparameterised one's: the score function's comes first": path,
                "that is the mean square: take the squared mean off": square,
                "take the square of the mean off, 4 mu², not the mean": square - 2 * mu,
                "that is a standard deviation: square it": abs(score) ** 0.5,
                "k is left out: here it matters": score - (a**2 - mu**4 + 6 * d * k) / d,
                "the score is ε / std, not ε": square * d - 4 * mu**2,
                "the score is ε / std, not ε / std²": square / d - 4 * mu**2,
                "E ε⁶ is 15, not 9": square - 6 * d - 4 * mu**2,
                "ε and ε³ are correlated: E ε⁴ = 3 stands in the cross term": (
                    square - 6 * a - 4 * mu**2
                ),
                "that is for a mean of draws: a variance per draw is wanted": score / draws,
            },
        )
        close(
            got[1],
            path,
            f"the reparameterised variance {at}",
            hints={
                "that is the score function's": score,
                "that is the mean square: take the squared mean off": path + 4 * mu**2,
                "that is a standard deviation: square it": 2 * std,
                "z varies by std: the slope 2 z has variance 4 std²": 4.0,
                "the slope of z² is 2 z: square the 2 as well": 2 * d,
                "that is for a mean of draws: a variance per draw is wanted": path / draws,
            },
        )
        need = draws * score / path
        if math.isclose(got[2], math.floor(need)) and not math.isclose(need, math.floor(need)):
            raise Wrong(f"the draws needed {at}: {need:.5g}, so round up, not down.")
        if not need * (1 - 1e-4) <= got[2] <= need + 1:
            raise Wrong(
                f"the draws needed {at}: a mean of S draws has the variance divided by S, and the "
                f"two must be equal, so {need:.5g} or the next integer are needed, not "
                f"{float(got[2]):.5g}."
            )
    return "k is noise to the score function alone: 30 against 4 at k = 0, 210 at k = 10."


@exercise
def leave_one_out(answer) -> str:
    """Exercise 9.2: ``answer(log_w, score)``, [S] and [S, P] -> the gradient [P]."""
    for draws, size, seed in ((5, 3, 1), (2, 1, 0), (40, 2, 2)):
        log_w = 3 * _normal(draws, seed=seed) - 100
        score = _normal(draws, size, seed=seed + 10)
        mean, total = log_w.mean(), log_w.sum()

        def estimate(baseline, log_w=log_w, score=score):
            return ((log_w - baseline)[:, None] * score).mean(0)

        want = estimate((total - log_w) / (draws - 1))
        close(
            answer(log_w, score),
            want,
            f"the gradient from {draws} draws",
            hints={
                "that is the batch's own mean, which knows each draw: leave it out": estimate(mean),
                "there is no baseline in it": estimate(0.0),
                "average over the draws, do not sum": draws * want,
                "that average divides by S - 1: only the baseline does": want * draws / (draws - 1),
                "the baseline averages S - 1 values: divide their sum by S - 1": estimate(
                    (total - log_w) / draws
                ),
                "the baseline is an average of the others, not their sum": estimate(total - log_w),
                "the sign is turned": -want,
                "the baseline is the value of one other draw: average over all others": estimate(
                    log_w.roll(1)
                ),
                "average over the draws, the first dimension of score": (
                    (log_w - (total - log_w) / (draws - 1))[:, None] * score
                ).mean(1),
            },
        )
    return "Unbiased, and (S - 1) / S of it is what the batch's own mean would give."


_JOINTS = (
    (0.5, -1.0, lambda z: -0.5 * 4.0 * (z - 0.9) ** 2 - 7),
    (-0.3, 0.4, lambda z: torch.cos(2 * z) - 0.5 * z**2),
    (1.2, -3.0, lambda z: -torch.nn.functional.softplus(-3 * z) - z**4 / 8),
)


@exercise
def path_gradient(answer) -> str:
    """Exercise 9.3: ``answer(mu, logvar, eps, log_joint)`` is the path derivative: [S, 2].

    ``mu`` and ``logvar`` are numbers, ``eps`` is [S] and ``log_joint`` a function [S] -> [S].
    """
    code = getattr(inspect.unwrap(answer), "__code__", None)
    if code is not None and "path_derivative" in code.co_names:
        raise Wrong("that calls path_derivative: write what it does.")
    for k, (mu, logvar, log_joint) in enumerate(_JOINTS):
        eps = _normal(6 + k, seed=k)
        close(
            answer(mu, logvar, eps, log_joint),
            _path(mu, logvar, eps, log_joint),
            f"the gradients at mu = {mu:g}, logvar = {logvar:g}",
            hints=_path_slips(mu, logvar, eps, log_joint),
        )
    at_rest = answer(0.9, -math.log(4.0), _normal(5, seed=9), _JOINTS[0][2])
    if as_tensor(at_rest, "the gradients at the posterior").abs().max() > 1e-4:
        raise Wrong("at the posterior the path derivative is 0 for every draw, yours is not.")
    return "At the posterior it is 0, draw by draw."


def _slopes(mu: float, logvar: float, eps: Tensor, log_joint) -> tuple[Tensor, float]:
    """d log p(x, z) / dz at the draws, and the standard deviation of q."""
    std = math.exp(0.5 * logvar)
    z = (mu + std * eps).requires_grad_()
    return torch.autograd.grad(log_joint(z).sum(), z)[0], std


def _path(mu: float, logvar: float, eps: Tensor, log_joint) -> Tensor:
    slope, std = _slopes(mu, logvar, eps, log_joint)
    slope = slope + eps / std
    return torch.stack([slope, slope * 0.5 * std * eps], 1)


def _path_slips(mu: float, logvar: float, eps: Tensor, log_joint) -> dict[str, object]:
    slope, std = _slopes(mu, logvar, eps, log_joint)
    right = _path(mu, logvar, eps, log_joint)
    score = torch.stack([eps / std, 0.5 * (eps**2 - 1)], 1)
    half = torch.tensor([1.0, 0.5], dtype=eps.dtype)
    z = mu + std * eps
    log_w = log_joint(z) - Normal(mu, std).log_prob(z)
    chain = torch.stack([torch.ones_like(eps), 0.5 * std * eps], 1)
    return {
        "that is the reparameterised gradient: λ in log q must be held still": right - score,
        "that is the score function's": log_w[:, None] * score,
        "log q is left out: only log p(x, z) is differentiated": slope[:, None] * chain,
        "log q is added; it is taken away": (slope - eps / std)[:, None] * chain,
        "-d log q / dz is ε / std, not ε": (slope + eps)[:, None] * chain,
        "-d log q / dz is ε / std, not ε / std²": (slope + eps / std**2)[:, None] * chain,
        "dz by dlogvar is ½ std ε: the ½ is missing": right / half,
        "dz by dstd is ε: the derivative by logvar is wanted": right / (half * std) ** _SECOND,
        "that is the mean over the draws: one row a draw is wanted": right.mean(0),
        "a draw's gradient is a row, [S, 2]": right.T,
        "logvar is log σ², so std = exp(logvar / 2)": _path(mu, 2 * logvar, eps, log_joint),
        "the sign is turned": -right,
        "logvar comes second": right.flip(1),
    }


_SECOND = torch.tensor([0.0, 1.0], dtype=torch.float64)  # an exponent: the second column only


@exercise
def enumeration(answer) -> str:
    """Exercise 9.4: ``answer(alpha, f, c)``: exact gradient of E_q[f], variances, least noise.

    q = softmax(alpha); alpha and f are [K]. The variances, [K], are those of a single
    score-function gradient with the baseline c; the last is their least sum over all c.
    """
    names = "the gradient [K], the variances [K] and the least sum of variances over all c"
    for size, c, seed in ((3, -1.5, 1), (2, 0.0, 0), (5, 2.0, 2)):
        alpha, f = _normal(size, seed=seed), 2 * _normal(size, seed=seed + 10) - 1
        q = alpha.softmax(0)
        score = torch.eye(size, dtype=q.dtype) - q
        gradient = q * (f - q @ f)
        each = (f - c)[:, None] * score
        square = q @ each**2
        weight = q * (score**2).sum(1)
        best = weight @ f / weight.sum()
        least = (q @ ((f - best)[:, None] * score) ** 2 - gradient**2).sum()
        at_mean = (q @ ((f - q @ f)[:, None] * score) ** 2 - gradient**2).sum()
        result = _three(answer(alpha, f, c), names)
        close(
            result[0],
            gradient,
            f"the gradient for {size} values",
            hints={
                "softmax is normalised: the mean of f is taken off": q * f,
                "weight each part by q": f - q @ f,
                "the sign is turned": -gradient,
                "the variances come second": square - gradient**2,
                "that is the gradient by q, not by alpha": f,
            },
        )
        close(
            result[1],
            square - gradient**2,
            f"the variances for {size} values, c = {c:g}",
            hints={
                "that is the mean square: take the squared mean off": square,
                "those are standard deviations: square them": (square - gradient**2).abs().sqrt(),
                "the baseline is left out": q @ (f[:, None] * score) ** 2 - gradient**2,
                "weight the values of z by q": (each**2).mean(0) - gradient**2,
                "the baseline moves the noise and not the mean": square - (gradient - c * q) ** 2,
                "one for each component is wanted, [K], not their sum": (
                    square - gradient**2
                ).sum(),
                "that is the squared mean less the mean square: turn it round": gradient**2
                - square,
            },
        )
        if torch.isclose(result[2], best):
            raise Wrong("the last is the best c itself: return the sum of variances at it.")
        close(
            result[2],
            least,
            f"the least sum of variances for {size} values",
            hints={
                "that is the sum at the c given: choose c": (square - gradient**2).sum(),
                "c = E f is not the best: weight f with q and the squared score": at_mean,
                "take the squared mean off": least + (gradient**2).sum(),
                "all the noise goes for two values only": 0.0,
            },
            atol=1e-9,
        )
    return "No draw was needed. One c removes all the noise for two values, and not for three."


@exercise
def quietest(answer) -> str:
    """Exercise 9.5: ``answer(mu, std, m, P)``, the variances per draw of three gradients by mu.

    The posterior is N(m, 1 / P) and q = N(mu, std²). In order: the score function with its best
    constant baseline, the reparameterised gradient, the path derivative.
    """
    names = "the variances of the score function, the reparameterised gradient, the path derivative"
    for mu, std, m, precision in (
        (0.5, 0.6, 0.9, 4.5),
        (0.0, 0.2, 0.0, 4.5),
        (2.0, 3.0, 1.0, 2.0),
        (1.0, 0.1, 1.5, 20.0),
    ):
        got = _three(answer(mu, std, m, precision), names)
        kappa, slope = (1 - precision * std**2) / 2, precision * (m - mu)
        line, curve = 2 * slope**2, kappa**2 / std**2  # the parts of the score function's noise
        score, path = line + 6 * curve, 4 * curve
        reparameterised = precision**2 * std**2
        at = f"at q = N({mu:g}, {std:g}²), posterior N({m:g}, 1 / {precision:g})"
        swapped = "the order is score function, reparameterised, path derivative"
        close(
            got[0],
            score,
            f"the score function's variance {at}",
            hints={
                "that is the baseline E log w: the best one takes off 4κ²/σ² more": line
                + 10 * curve,
                "take the squared mean g² off": score + slope**2,
                "take the squared mean g² off once, not twice": score - slope**2,
                "g σ ε is a part of the noise too": 6 * curve,
                "σ² divides κ² alone: in g²σ² it cancels": line / std**2 + 6 * curve,
                "that is multiplied by σ²": score * std**2,
                "that is a standard deviation: square it": score**0.5,
                swapped: path,
            },
        )
        close(
            got[1],
            reparameterised,
            f"the reparameterised variance {at}",
            hints={
                "that is the derivative by log σ²": slope**2 * std**2 / 4
                + precision**2 * std**4 / 2,
                "that is a standard deviation: square it": precision * std,
                swapped: path,
            },
        )
        close(
            got[2],
            path,
            f"the path derivative's variance {at}",
            hints={
                "that is the derivative by log σ²": slope**2 * std**2 / 4 + 2 * kappa**2,
                "that is a standard deviation: square it": path**0.5,
                swapped: reparameterised,
            },
        )
    return "The path where Pσ² > ½, else the reparameterised one; the score function never alone."
