"""Chapter 9: slips that people make with gradients of averages over draws."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="gradients-07",
        old="values**2, noise) - mean**2",
        new="values**2, noise)",
        slip="the mean square for the variance",
    ),
    Mutant(
        cell="gradients-07",
        old="draws.std(0) / len(draws) ** 0.5",
        new="draws.std(0) / len(draws)",
        slip="a standard error divided by S for √S",
    ),
    Mutant(
        cell="gradients-12",
        old="return mu + (0.5 * logvar).exp() * eps",
        new="return mu + logvar.exp() * eps",
        slip="the variance for the standard deviation",
    ),
    Mutant(
        cell="gradients-12",
        old="(log_joint(z) - log_q(z, lam)).detach()",
        new="log_joint(z) - log_q(z, lam)",
        slip="log w, a weight, not detached",
    ),
    Mutant(
        cell="gradients-12",
        old="z = sample(lam, eps).detach()",
        new="z = sample(lam, eps)",
        slip="the path left open in the score function",
    ),
    Mutant(
        cell="gradients-12",
        old="log_q(z, lam.detach())",
        new="log_q(z, lam)",
        slip="the score left in the path derivative",
    ),
    Mutant(
        cell="gradients-12",
        old="(log_w - baseline) * log_q",
        new="(log_w + baseline) * log_q",
        slip="the sign of the baseline",
    ),
    Mutant(
        cell="gradients-14",
        old="2 * gv + 10 * k**2",
        new="2 * gv + 6 * k**2",
        slip="a moment of ε: 6 for 10",
    ),
    Mutant(
        cell="gradients-14",
        old="(v**-0.5 - P * v**0.5) ** 2",
        new="(v**-0.5 - v**0.5) ** 2",
        slip="the curvature of the prior for that of the posterior",
    ),
    Mutant(
        cell="gradients-17",
        old="path_derivative: bounds.path_derivative",
        new="path_derivative: lambda *args: bounds.elbo(*args).elbo",
        slip="the library's ELBO for its path derivative",
    ),
    Mutant(
        cell="gradients-20",
        old="slope + by_mu(",
        new="by_mu(",
        slip="a control variate that nobody added back",
    ),
    Mutant(
        cell="gradients-20",
        old="moments(log_w(node) * node**2)",
        new="moments(log_w(node) * node.abs())",
        slip="the best baseline with weights |u| for u²",
    ),
    Mutant(
        cell="gradients-21",
        old="(f.sum(1, True) - f) / 3",
        new="(f.sum(1, True) - f) / 4",
        slip="the others' mean divided by S",
    ),
    Mutant(
        cell="gradients-23",
        old="(f - 2 * D) * eps",
        new="(f - D) * eps",
        slip="half the baseline",
    ),
    Mutant(
        cell="gradients-23",
        old="** 2).sum(1)\n",
        new="** 2).mean(1)\n",
        slip="a mean over the components for their sum",
    ),
    Mutant(
        cell="gradients-32",
        old="pi * (1 - pi) * (log_w01[:, 1] - log_w01[:, 0])",
        new="log_w01[:, 1] - log_w01[:, 0]",
        slip="the gradient by π for the gradient by α",
    ),
    Mutant(
        cell="gradients-32",
        old="((copies + ell) / tau).sigmoid()",
        new="((copies + ell) * tau).sigmoid()",
        slip="a temperature that multiplies",
    ),
    Mutant(
        cell="gradients-20",
        old="(v.sum(1, True) - v) / others",
        new="v.mean(1, True)",
        slip="a line fitted to the very draw that it corrects",
    ),
    Mutant(
        cell="gradients-32",
        old="share = log_q.exp() if exact_kl else both",
        new="share = log_q.exp()",
        slip="the KL exact where z̃ should weight it",
    ),
    Mutant(
        cell="gradients-37",
        old="(D - 1) * added",
        new="D * added",
        slip="the first copy counted among the others",
    ),
    Mutant(
        cell="gradients-39",
        old="lam = lam.detach() + rate * gradient",
        new="lam = lam.detach() - rate * gradient",
        slip="the bound is descended",
    ),
    Mutant(
        cell="gradients-44",
        old="rows.sum(0) - rows) / (S - 1)",
        new="rows.sum(1, True) - rows) / 19",
        slip="a baseline from the other digits, not from the other draws",
    ),
    Mutant(
        cell="gradients-44",
        old="gradient = std * torch",
        new="gradient = torch",
        slip="a gradient that is not in units of σ",
    ),
]
