"""Slips in chapter 2, each of which a promise or an assert of the chapter notices."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="codes-load",
        old="mean = train.images.mean(0)",
        new="mean = torch.zeros(PIXELS)",
        slip="digits that are not centred",
    ),
    Mutant(
        cell="codes-04",
        old="centred.T @ centred / len(centred)",
        new="centred.T @ centred / PIXELS",
        slip="a covariance divided by the number of pixels",
    ),
    Mutant(
        cell="codes-04",
        old="torch.linalg.eigvalsh(covariance).flip(0)",
        new="torch.linalg.eigvalsh(covariance)",
        slip="eigenvalues smallest first",
    ),
    Mutant(
        cell="codes-04",
        old="((centred - projected) ** 2).sum(1).mean()",
        new="((centred - projected) ** 2).mean()",
        slip="a mean over pixels for a sum",
    ),
    Mutant(
        cell="codes-06",
        old="return float((error**2).sum(1).mean())",
        new="return float((error**2).sum(1).mean()) / 2",
        slip="a ½ that the loss does not have",
    ),
    Mutant(
        cell="codes-06",
        old="            optimiser.zero_grad()\n",
        new="",
        slip="gradients that pile up from batch to batch",
    ),
    Mutant(
        cell="codes-10",
        old="decoder @ A.inverse()",
        new="decoder @ A.T",
        slip="a transpose for an inverse",
    ),
    Mutant(
        cell="codes-10",
        old="decoder.norm(dim=0)",
        new="unit(decoder).norm(dim=0)",
        slip="columns taken for unit vectors, as those of PCA are",
    ),
    Mutant(
        cell="codes-13",
        old="eigenvalues[8:].sum()",
        new="eigenvalues[7:].sum()",
        slip="one eigenvalue too many among the discarded",
    ),
    Mutant(
        cell="codes-17",
        old="wide + 3 <",
        new="nonlinear[32] + 3 <",
        slip="the narrow network taken for the wide one",
    ),
    Mutant(
        cell="codes-19",
        old="torch.bernoulli(chances, generator=generator)).abs()",
        new="torch.bernoulli(1 - chances, generator=generator)).abs()",
        slip="the probability of keeping for that of flipping",
    ),
    Mutant(
        cell="codes-19",
        old="(x - torch.bernoulli(chances, generator=generator)).abs()",
        new="x * torch.bernoulli(chances, generator=generator)",
        slip="masking for flipping",
    ),
    Mutant(
        cell="codes-22",
        old="-bernoulli_log_prob(clean, networks[name](seen))",
        new="-bernoulli_log_prob(seen, networks[name](seen))",
        slip="copies judged against what was seen",
    ),
    Mutant(
        cell="codes-score",
        old="log_ps = torch.logsumexp(-((spoiled - peaks) ** 2) / (2 * s**2), dim=1)",
        new="log_ps = torch.logsumexp(-((spoiled - peaks) ** 2) / s**2, dim=1)",
        slip="the ½ of the Gaussian forgotten",
    ),
    Mutant(
        cell="codes-score",
        old="learnt = (denoise(spoiled) - spoiled) / s**2",
        new="learnt = (denoise(spoiled) - spoiled) / s",
        slip="a standard deviation for a variance",
    ),
    Mutant(
        cell="codes-score",
        old="learnt = (denoise(spoiled) - spoiled)",
        new="learnt = (spoiled - denoise(spoiled))",
        slip="the sign: away from likelier numbers",
    ),
]
