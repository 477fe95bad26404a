"""Chapter 7: slips that people make with a variational fit."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="vi-07",
        old="math.log(TAU) + 0.5",
        new="2 * math.log(TAU) + 0.5",
        slip="the log-variance for the logarithm of the standard deviation",
    ),
    Mutant(
        cell="vi-07",
        old="variance = (2 * log_s).exp()",
        new="variance = log_s.exp()",
        slip="the standard deviation for the variance",
    ),
    Mutant(
        cell="vi-07",
        old="+ A**2 @ variance).sum()",
        new=").sum()",
        slip="the variance of the prediction left out",
    ),
    Mutant(
        cell="vi-07",
        old="- log_s.sum() + constant",
        new="+ log_s.sum() + constant",
        slip="the sign of the entropy",
    ),
    Mutant(
        cell="vi-07",
        old="return 0.5 * (misfit + prior)",
        new="return (misfit + prior)",
        slip="the missing ½",
    ),
    Mutant(
        cell="7a1f03d2",
        old="least = -0.5 * torch.log1p(-(rho**2))",
        new="least = -0.5 * torch.log1p(-rho)",
        slip="the correlation for its square",
    ),
    Mutant(
        cell="7a1f03d2",
        old="kl_divergence(q_of(lam), posterior)",
        new="kl_divergence(posterior, q_of(lam))",
        slip="the other direction of the divergence",
    ),
    Mutant(
        cell="5be90c17",
        old="(h[0] - Lam[0, 1] * m2)",
        new="(h[0] + Lam[0, 1] * m2)",
        slip="the sign of the correction",
    ),
    Mutant(
        cell="5be90c17",
        old="Lam[1, 0] * m1",
        new="Lam[1, 0] * lam[0]",
        slip="the old value of the other mean",
    ),
    Mutant(
        cell="5be90c17",
        old="-0.5 * Lam[1, 1].log()",
        new="0.5 * Lam[1, 1].log()",
        slip="the precision for the variance",
    ),
    Mutant(
        cell="vi-13",
        old="kl_divergence(q_of(lam), target)",
        new="kl_divergence(target, q_of(lam))",
        slip="the forward divergence for the reverse one",
    ),
    Mutant(
        cell="9c2d41aa",
        old="((A @ L) ** 2).sum()",
        new="((A @ L.T) ** 2).sum()",
        slip="L for its transpose",
    ),
    Mutant(
        cell="9c2d41aa",
        old="- log_diagonal.sum()",
        new="- 2 * log_diagonal.sum()",
        slip="log det of the covariance for log det of its factor",
    ),
]
