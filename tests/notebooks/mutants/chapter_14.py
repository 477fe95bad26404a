"""Chapter 14: slips that people make with flows, samples, priors and layers."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="families-posteriors",
        old="return self.q.transform.inv(eps)",
        new="return self.q.transform(eps)",
        slip="the flow run the wrong way",
    ),
    Mutant(
        cell="families-targets",
        old="0.8 * z1**2 - 1",
        new="0.8 * z1 - 1",
        slip="a target that is not bent",
    ),
    Mutant(
        cell="families-posteriors",
        old="raw.diagonal().exp().diag()",
        new="raw.diagonal().diag()",
        slip="a root without its exponential",
    ),
    Mutant(
        cell="families-fit",
        old="log_target(z) - standard_normal_log_prob(z)",
        new="log_target(z)",
        slip="the prior counted twice",
    ),
    Mutant(
        cell="families-gaps",
        old="kl_on_grid(log_q, log_p, plane)",
        new="kl_on_grid(log_p, log_q, plane)",
        slip="the divergence turned round",
    ),
    Mutant(
        cell="families-dreg",
        old="share[..., None] ** 2",
        new="share[..., None]",
        slip="the weights are not squared",
    ),
    Mutant(
        cell="families-dreg",
        old="log_w.softmax(0)",
        new="log_w.softmax(1)",
        slip="weights normalised over the batch",
    ),
    Mutant(
        cell="families-dreg",
        old="s.mean().abs() / d.std()",
        new="s.mean().abs() / d.var()",
        slip="a variance for a standard deviation",
    ),
    Mutant(
        cell="families-dreg",
        old="math.log(variance)",
        new="variance",
        slip="a variance for its logarithm: no q is narrow",
    ),
    Mutant(
        cell="families-train",
        old='"K = 5, equal evaluations": trained(iwae, 4)',
        new='"K = 5, equal evaluations": trained(iwae, 20)',
        slip="equal steps under the name of equal evaluations",
    ),
    Mutant(
        cell="families-train",
        old="bounds.noise(model, x, generator, K)",
        new="bounds.noise(model, x, generator, 1)",
        slip="one sample under the name of five",
    ),
    Mutant(
        cell="families-prior",
        old="loss = -log_prior(z).mean()",
        new="loss = log_prior(z).mean().clamp(min=-20)",
        slip="the wrong sign",
    ),
    Mutant(
        cell="families-quadrature",
        old="log_evidence(table + log_p, grid)",
        new="log_evidence(table, grid)",
        slip="the prior is not in the joint",
    ),
    Mutant(
        cell="families-quadrature",
        old="logsumexp(1) - math.log(len(mu))",
        new="logsumexp(1) - math.log(16_000)",
        slip="both mixtures divided by the larger one's count",
    ),
    Mutant(
        cell="families-quadrature",
        old="for s in (11, 12, 13)",
        new="for s in (1, 1, 1)",
        slip="the same binarisation four times",
    ),
    Mutant(
        cell="families-13",
        old="v - (cross_some[n]",
        new="v + (cross_some[n]",
        slip="the bound's gain added to that of log p(x)",
    ),
    Mutant(
        cell="families-layers",
        old="self.below(z2).log_prob(z1)",
        new="standard_normal_log_prob(z1)",
        slip="the lower layer's prior does not see the top",
    ),
    Mutant(
        cell="families-layers",
        old="return q.first.log_prob(z1) - model.below(z2).log_prob(z1), top",
        new="return q.first.log_prob(z1) - standard_normal_log_prob(z1), top",
        slip="the wrong prior under the lower layer",
    ),
    Mutant(
        cell="families-train-layers",
        old="part.mean().clamp(min=floor)",
        new="part.mean()",
        slip="no bits are free",
    ),
    Mutant(
        cell="families-train-layers",
        old='min(1.0, history.rows[-1]["epoch"] / epochs)',
        new='min(0.0, history.rows[-1]["epoch"] / epochs)',
        slip="the weight never rises",
    ),
    Mutant(
        cell="families-17",
        old="level[n] - b.elbo.mean()",
        new="b.elbo.mean() - level[n]",
        slip="a gap taken the other way round",
    ),
]
