"""Slips in chapter 3, each of which a promise or an assert of the chapter notices."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="gen-41",
        old="(0.5 * logvar).exp()",
        new="logvar.exp()",
        slip="a variance for a standard deviation",
    ),
    Mutant(
        cell="gen-41",
        old="return mu + (0.5",
        new="return mu + 0 * (0.5",
        slip="means for draws: not the codes that the decoder is trained on",
    ),
    Mutant(
        cell="gen-06",
        old="distance(new_codes, codes).quantile(0.95)",
        new="distance(codes, codes).quantile(0.95)",
        slip="a yardstick from the codes themselves, each at distance 0 from itself",
    ),
    Mutant(
        cell="gen-06",
        old="+ eps @ factor.T",
        new="+ eps @ factor",
        slip="a Cholesky factor for its transpose",
    ),
    Mutant(
        cell="gen-09",
        old="softmax(-1).max(-1)",
        new="softmax(0).max(-1)",
        slip="a softmax over the pictures",
    ),
    Mutant(
        cell="gen-42",
        old="torch.linalg.cholesky(covariances)[k]",
        new="covariances[k]",
        slip="a covariance for its Cholesky factor",
    ),
    Mutant(
        cell="gen-42",
        old="replacement=True, generator=generator)",
        new="replacement=True, generator=generator).sort().values",
        slip="draws sorted by component",
    ),
    Mutant(
        cell="gen-22",
        old="heldout.labels[first] != heldout.labels[second]",
        new="heldout.labels[first] == heldout.labels[second]",
        slip="pairs of one class for pairs of two",
    ),
    Mutant(
        cell="gen-24",
        old="- line[25]",
        new="- line[0]",
        slip="the end of the line for its middle",
    ),
    Mutant(
        cell="gen-51",
        old="F.softplus(logits).sum(-1)",
        new="F.softplus(logits).mean(-1)",
        slip="a mean over pixels for a sum",
    ),
    Mutant(
        cell="gen-51",
        old="-0.5 * (z**2).sum(1)",
        new="-(z**2).sum(1)",
        slip="the missing ½ of a Gaussian",
    ),
]
