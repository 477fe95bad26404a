"""Slips of chapter 4: a mean for a sum, a missing ½, a variance for its logarithm."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="latent-04",
        old="torch.where(patterns == 1, ink[:, None], 1 - ink[:, None])",
        new="torch.where(patterns == 1, ink[:, None], ink[:, None])",
        slip="the probability of paper is 1 - π",
    ),
    Mutant(
        cell="latent-04",
        old="marginal = joint_of(prior, ink).sum(0)",
        new="marginal = joint_of(prior, ink).mean(0)",
        slip="a mean over z where the prior has weighed already",
    ),
    Mutant(
        cell="latent-06",
        old="torch.bernoulli(ink[coins], generator=generator)",
        new="torch.bernoulli((prior @ ink).expand(S, 2), generator=generator)",
        slip="children drawn without their parent",
    ),
    Mutant(
        cell="latent-13",
        old="two = torch.bernoulli(chances, generator=generator)",
        new="two = torch.bernoulli(chances.mean(0).expand(400_000, 2), generator=generator)",
        slip="pixels drawn from their marginal probabilities",
    ),
    Mutant(
        cell="latent-46",
        old="joint.sum(0).log()",
        new="joint.log().mean(0)",
        slip="a mixture of logarithms for the logarithm of a mixture",
    ),
    Mutant(
        cell="latent-46",
        old="loss = -(share * log_px).sum()",
        new="loss = (share * log_px).sum()",
        slip="the likelihood made small",
    ),
    Mutant(
        cell="latent-15",
        old="return per_pixel.sum(-1)  # [B]",
        new="return per_pixel.mean(-1)  # [B]",
        slip="a mean over pixels for a sum",
    ),
    Mutant(
        cell="latent-15",
        old="- F.softplus(logits)",
        new="+ F.softplus(logits)",
        slip="the sign of the normaliser",
    ),
    Mutant(
        cell="latent-17",
        old="/ (2 * std**2)",
        new="/ std**2",
        slip="the ½ before the squared error",
    ),
    Mutant(
        cell="latent-17",
        old="torch.full_like(mu, 2 * math.log(std))",
        new="torch.full_like(mu, std**2)",
        slip="a variance for a log-variance",
    ),
    Mutant(
        cell="latent-48",
        old="(squared_error.mean() / PIXELS).sqrt()",
        new="squared_error.mean().sqrt()",
        slip="the squared error of a digit for that of a pixel",
    ),
    Mutant(
        cell="latent-22",
        old="formula = (2 * pi - 1)",
        new="formula = (1 - 2 * pi)",
        slip="a sign in the integral",
    ),
    Mutant(
        cell="latent-25",
        old="binarise(images, generator)",
        new="(images > 0.5).float()",
        slip="digits thresholded and called binarised",
    ),
    Mutant(
        cell="latent-25",
        old="images.clamp(1e-6, 1 - 1e-6).logit()",
        new="images.clamp(1e-6, 1 - 1e-6)",
        slip="probabilities for logits",
    ),
    Mutant(
        cell="latent-27",
        old="/ PIXELS / math.log(2)",
        new="/ PIXELS * math.log(2)",
        slip="nats into bits the wrong way round",
    ),
]
