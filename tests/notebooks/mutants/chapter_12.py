"""Chapter 12: slips that people make with collapse, β and likelihoods."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="failures-train",
        old="beta=beta)",
        new="beta=1 / beta)",
        slip="β turned upside down",
    ),
    Mutant(
        cell="failures-instruments",
        old="gaussian_log_prob(z[:, None], q.mu, q.logvar)",
        new="gaussian_log_prob(z, q.mu[:, None], q.logvar)",
        slip="the wrong one of two factors is spread over the table",
    ),
    Mutant(
        cell="failures-instruments",
        old=" - math.log(len(x))",
        new="",
        slip="a mixture's weights left out",
    ),
    Mutant(
        cell="failures-strong",
        old="pixel[:, None] > last",
        new="pixel[:, None] >= last",
        slip="a pixel predicts itself",
    ),
    Mutant(
        cell="failures-strong",
        old="self.decode(z) + self.from_pixels(x)",
        new="self.decode(z)",
        slip="the strong decoder is the weak one",
    ),
    Mutant(
        cell="failures-repair",
        old="q.kl.mean(0).clamp(min=floor).sum()",
        new="q.kl.clamp(min=floor).sum(1).mean()",
        slip="the floor for each digit",
    ),
    Mutant(
        cell="failures-repair",
        old="clamp(min=floor)",
        new="clamp(max=floor)",
        slip="the smaller of two for the larger",
    ),
    Mutant(
        cell="failures-repair",
        old="min(1.0, history",
        new="min(0.3, history",
        slip="the weight stops short of the bound",
    ),
    Mutant(
        cell="failures-linear",
        old="((W.T @ W) * (moment + logvar.exp().diag()))",
        new="((W.T @ W) * moment)",
        slip="the variance of q is forgotten in the likelihood",
    ),
    Mutant(
        cell="failures-linear",
        old="return nll, 0.5 * (moment.diagonal()",
        new="return nll, (moment.diagonal()",
        slip="the missing ½",
    ),
    Mutant(
        cell="failures-linear",
        old="ratio = eigenvalues[:8] / (beta * variance)",
        new="ratio = eigenvalues[:8] / (beta * variance**2)",
        slip="the variance squared",
    ),
    Mutant(
        cell="failures-linear",
        old="[log_noise] * learn",
        new="[log_noise][:0]",
        slip="σ is not among the weights that are trained",
    ),
    Mutant(
        cell="failures-sweep",
        old="slope = -distortion.diff() / rate.diff()",
        new="slope = -rate.diff() / distortion.diff()",
        slip="the slope turned upside down",
    ),
    Mutant(
        cell="failures-slips",
        old="by_kl[0, 0] / by_nll[0, 0]",
        new="by_nll[0, 0] / by_kl[0, 0]",
        slip="β turned upside down",
    ),
    Mutant(
        cell="failures-cb",
        old="2 * torch.atanh(y) / y",
        new="torch.atanh(y) / y",
        slip="the factor 2 of the constant",
    ),
    Mutant(
        cell="failures-cb",
        old="(a64.expm1() / a64).log()",
        new="(a64.exp() / a64).log()",
        slip="an integral without its lower end",
    ),
    Mutant(
        cell="failures-runaway",
        old="per_pixel=True",
        new="per_pixel=False",
        slip="one σ for all pixels does not run away",
    ),
    Mutant(
        cell="failures-runaway",
        old="floor or 1e-9",
        new="1e-9",
        slip="no floor",
    ),
    Mutant(
        cell="failures-blur",
        old="4 * mean * (1 - mean)",
        new="mean * (1 - mean)",
        slip="the 4 of the pair's spread",
    ),
    Mutant(
        cell="failures-blur",
        old="alone = 0.5 * (entropy",
        new="alone = (entropy",
        slip="two entropies for their mean",
    ),
]
