"""Chapter 11: slips that people make when they measure a likelihood."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="evaluation-load",
        old=".logsumexp(1) - math.log(K)",
        new=".mean(1)",
        slip="the average outside the logarithm",
    ),
    Mutant(
        cell="evaluation-load",
        old=".logsumexp(1) - math.log(K)",
        new=".logsumexp(1)",
        slip="a sum of K weights for their mean",
    ),
    Mutant(
        cell="evaluation-estimate",
        old="(2 * total - (2 * log_w)",
        new="(2 * total - log_w.mul(1)",
        slip="the square forgotten in the effective sample size",
    ),
    Mutant(
        cell="evaluation-estimate",
        old="1 / effective - 1 / K",
        new="1 / effective",
        slip="an error where all weights are equal",
    ),
    Mutant(
        cell="evaluation-narrow",
        old="2 * math.log(factor)",
        new="0 * math.log(factor)",
        slip="a q that was never narrowed",
    ),
    Mutant(
        cell="evaluation-ais",
        old="log_w = log_w + (t - before) * log_lik",
        new="log_w = log_w + t * log_lik",
        slip="the temperature for its increment",
    ),
    Mutant(
        cell="evaluation-ais",
        old="gain = gain + model.log_prior(new) - model.log_prior(z)",
        new="gain = gain + 0 * model.log_prior(new)",
        slip="moves that forget the prior",
    ),
    Mutant(
        cell="evaluation-large",
        old="evaluation.log_likelihood(large",
        new="evaluation.log_likelihood(small",
        slip="the other model",
    ),
    Mutant(
        cell="evaluation-bdmc",
        old="evaluation.bdmc(large, x_made, z, local",
        new="evaluation.bdmc(large, x_made, torch.zeros_like(z), local",
        slip="a start that is no draw from the posterior",
    ),
    Mutant(
        cell="evaluation-theis",
        old="each.logsumexp(1) - math.log(len(x_train))",
        new="each.logsumexp(1)",
        slip="a mixture whose weights sum to 4,000",
    ),
    Mutant(
        cell="evaluation-theis",
        old="big.log_px - math.log(100)",
        new="big.log_px - 100",
        slip="a probability for its logarithm",
    ),
    Mutant(
        cell="evaluation-shares-promise",
        old="mean_and_error(seen_px, new_px)",
        new="mean_and_error(new_px, seen_px)",
        slip="the sign of the decoder's share",
    ),
    Mutant(
        cell="evaluation-ais",
        old="log_lik = torch.where(accept, new_lik, log_lik)",
        new="log_lik = new_lik",
        slip="the likelihood of a proposal that was refused",
    ),
]
