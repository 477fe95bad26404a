"""Chapter 8: slips that people make with the bound."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="the-elbo-3",
        old=".log_prob(x).sum(-1)",
        new=".log_prob(x).mean(-1)",
        slip="a mean over the pixels for their sum",
    ),
    Mutant(
        cell="the-elbo-3",
        old="(2 * closeness - 1)",
        new="(1 - 2 * closeness)",
        slip="the sign of the log-odds",
    ),
    Mutant(
        cell="the-elbo-3",
        old="centres - 2 * z[",
        new="centres - z[",
        slip="a speck at z, not at 2z",
    ),
    Mutant(
        cell="the-elbo-5",
        old="(strips == x).all(1)",
        new="(strips == 1 - x).all(1)",
        slip="the evidence of another strip",
    ),
    Mutant(
        cell="the-elbo-9",
        old="exact.log_posterior(log_joint(z, theta), grid)",
        new="log_joint(z, theta)",
        slip="the joint density for the posterior",
    ),
    Mutant(
        cell="the-elbo-9",
        old="(0.5 * logvar).exp()[..., None]\n    z =",
        new="logvar.exp()[..., None]\n    z =",
        slip="the variance for the standard deviation",
    ),
    Mutant(
        cell="the-elbo-9",
        old="log_joint(z, theta) - Normal(mu, std)",
        new="log_joint(z, theta) + Normal(mu, std)",
        slip="the sign of log q",
    ),
    Mutant(
        cell="the-elbo-9",
        old="exact.kl_on_grid(q.log_prob(z), log_p, grid)",
        new="exact.kl_on_grid(log_p.expand_as(q.log_prob(z)), q.log_prob(z), grid)",
        slip="the other direction of the divergence",
    ),
    Mutant(
        cell="f06dc7a1",
        old="(-elbo(",
        new="(elbo(",
        slip="the bound is minimised",
    ),
    Mutant(
        cell="the-elbo-19",
        old="log_joint(z) - log_prior, grid",
        new="log_joint(z), grid",
        slip="the joint density for the likelihood",
    ),
    Mutant(
        cell="5d20c9be",
        old="log_joint(z) - log_qs - evidence",
        new="log_joint(z) - log_qs",
        slip="weights that nobody divided by the evidence",
    ),
    Mutant(
        cell="the-elbo-25",
        old="log_w.reshape(-1, K).logsumexp(1) - math.log(K)",
        new="log_w.reshape(-1, K).logsumexp(1)",
        slip="a sum of K weights for their mean",
    ),
    Mutant(
        cell="the-elbo-25",
        old="log_w.reshape(-1, K).logsumexp(1) - math.log(K)",
        new="log_w.reshape(-1, K).mean(1)",
        slip="the average outside the logarithm",
    ),
    Mutant(
        cell="the-elbo-30",
        old="+ a**2 * variance)",
        new="+ variance)",
        slip="the mean of a square without a²",
    ),
    Mutant(
        cell="the-elbo-30",
        old="kl = 0.5 * (m**2",
        new="kl = (m**2",
        slip="the missing ½",
    ),
    Mutant(
        cell="the-elbo-33",
        old="kl_divergence(q, unit)",
        new="kl_divergence(unit, q)",
        slip="the arguments of the divergence swapped",
    ),
    Mutant(
        cell="the-elbo-36",
        old="log_w.std(1) / len(eps) ** 0.5",
        new="log_w.std(1) / len(eps)",
        slip="a standard error divided by S for √S",
    ),
    Mutant(
        cell="the-elbo-36",
        old="- Normal(0.0, 1.0).log_prob(at)",
        new="- Normal(mu_, (0.5 * logvar_).exp()).log_prob(at)",
        slip="log q taken away where log p(z) belongs",
    ),
    Mutant(
        cell="the-elbo-40",
        old="best_kl, narrow_kl = evidences - best,",
        new="best_kl, narrow_kl = best - evidences,",
        slip="the sign of the gap",
    ),
    Mutant(
        cell="the-elbo-40",
        old="best_elbo(math.inf), best_elbo(0.3)",
        new="best_elbo(math.inf), best_elbo(0.3**0.5)",
        slip="a variance for a standard deviation, in the narrow family",
    ),
    Mutant(
        cell="the-elbo-45",
        old="exact.kl_on_grid(posterior.expand(3, -1), away.log_prob(z), grid)",
        new="exact.kl_on_grid(away.log_prob(z), posterior.expand(3, -1), grid)",
        slip="the reverse divergence under an upper bound",
    ),
    Mutant(
        cell="the-elbo-47",
        old="(mu[2:], logvar[2:])",
        new="(mu[2:], std[2:])",
        slip="the standard deviation for the log-variance",
    ),
]
