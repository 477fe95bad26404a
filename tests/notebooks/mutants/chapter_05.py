"""Slips of chapter 5: the prior forgotten, a sum for a mean, a weight upside down."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="bayes-60",
        old="by_rule = joint / joint.sum()",
        new="by_rule = joint / prior / (joint / prior).sum()",
        slip="the posterior without the prior",
    ),
    Mutant(
        cell="bayes-03",
        old="torch.full((2,), 2 * math.log(std))",
        new="torch.full((2,), math.log(std))",
        slip="log σ for log σ²",
    ),
    Mutant(
        cell="bayes-06",
        old="return log_px[..., 0], a - log_step - log_px",
        new="return log_px[..., 0], a - log_step + log_px",
        slip="the joint multiplied by the evidence",
    ),
    Mutant(
        cell="bayes-06",
        old="log_step[[0, -1]] -= math.log(2)",
        new="log_step -= math.log(2)",
        slip="every node halved, and not the ends alone",
    ),
    Mutant(
        cell="bayes-20",
        old="m = a.max(dim=-1, keepdim=True).values",
        new="m = 0 * a.max(dim=-1, keepdim=True).values",
        slip="exponentials taken before the largest is out",
    ),
    Mutant(
        cell="bayes-23",
        old="return log_joint(x, z[:, None]) - q.log_prob(z)",
        new="return q.log_prob(z) - log_joint(x, z[:, None])",
        slip="the weight upside down",
    ),
    Mutant(
        cell="bayes-23",
        old="return log_joint(x, z[:, None]) - q.log_prob(z)",
        new="return log_likelihood(x, z[:, None]) - q.log_prob(z)",
        slip="the likelihood for the joint",
    ),
    Mutant(
        cell="bayes-23",
        old="torch.logsumexp(log_w, -1) - math.log(K)",
        new="torch.logsumexp(log_w, -1)",
        slip="a sum of weights for their mean",
    ),
    Mutant(
        cell="bayes-23",
        old="torch.logsumexp(log_w, -1) - math.log(K)",
        new="log_w.mean(-1)",
        slip="the mean of the logarithms",
    ),
    Mutant(
        cell="bayes-29",
        old="truth - log.mean()",
        new="log.mean() - truth",
        slip="the sign of the shortfall",
    ),
    Mutant(
        cell="bayes-29",
        old="r[name] / (2 * torch.tensor(sizes))",
        new="r[name] / torch.tensor(sizes)",
        slip="the ½ of the second-order term",
    ),
    Mutant(
        cell="bayes-33",
        old="MultivariateNormal(mean, width**2 * covariance)",
        new="MultivariateNormal(mean, width * covariance)",
        slip="a factor of σ put on the variance",
    ),
    Mutant(
        cell="bayes-39",
        old="model.std**2 / 2)",
        new="model.std**2)",
        slip="a squared Gaussian keeps its variance",
    ),
    Mutant(
        cell="bayes-65",
        old="own = torch.logaddexp(gaussian + math.log(0.9)",
        new="own = torch.logaddexp(prior + math.log(0.9)",
        slip="the prior for the digit's own proposal",
    ),
    Mutant(
        cell="bayes-65",
        old="wide = (2 * (1.2 * stds).log())",
        new="wide = ((1.2 * stds).log())",
        slip="log σ for log σ², in the digit's proposal",
    ),
]
