"""The page on your own data: slips that people make with scales and likelihoods."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="own-data-units",
        old="Normal(1.7, 0.1)",
        new="Normal(1.7, 0.01)",
        slip="a variance converted as if it were a standard deviation",
    ),
    Mutant(
        cell="own-data-units",
        old="(x - train.mean(0)) / s for",
        new="(x - x.mean(0)) / x.std(0) for",
        slip="each set standardised by itself",
    ),
    Mutant(
        cell="own-data-units-promise",
        old="per_s + s.log().sum()",
        new="per_s - s.log().sum()",
        slip="the sign of log s",
    ),
    Mutant(
        cell="own-data-counts",
        old="Binomial(16, logits=logits).log_prob(16 * x)",
        new="Binomial(1, logits=logits).log_prob(x.round())",
        slip="one toss for sixteen",
    ),
    Mutant(
        cell="own-data-counts",
        old=".masked_fill(x == 1, 1)",
        new="",
        slip="the upper tail of the last cell forgotten",
    ),
    Mutant(
        cell="own-data-counts",
        old="generator=generator)) / 17",
        new="generator=generator)) / 16",
        slip="seventeen levels taken for sixteen",
    ),
    Mutant(
        cell="own-data-train-digits",
        old="of_cells = 64",
        new="of_cells = -64",
        slip="the sign of the cells' width",
    ),
    Mutant(
        cell="own-data-baselines-code",
        old=".sum(1) + 1  #",
        new=".sum(1)  #",
        slip="levels that no training digit has get the probability 0",
    ),
    Mutant(
        cell="own-data-table",
        old="(t / s).log()",
        new="(s / t).log()",
        slip="the determinant upside down",
    ),
    Mutant(
        cell="own-data-table",
        old="logarithm(x).sum(1) +",
        new="logarithm(x).mean(1) +",
        slip="a mean over the columns for their sum",
    ),
    Mutant(
        cell="own-data-ruler-promise",
        old="[n + c for n, c in",
        new="[n - c for n, c in",
        slip="the sign of the ruler",
    ),
    Mutant(
        cell="own-data-patches",
        old="generator=generator)) / 256",
        new="generator=g)) / 255",
        slip="dequantised bytes divided by the largest byte",
    ),
    Mutant(
        cell="own-data-colour",
        old='"lr": 0.03',
        new='"lr": 0.0',
        slip="σ left where it began",
    ),
    Mutant(
        cell="own-data-colour-numbers",
        old="return -torch.tensor(ppca",
        new="return torch.tensor(ppca",
        slip="a log-density for its negative",
    ),
    Mutant(
        cell="own-data-colour-numbers",
        old="return noise - torch",
        new="return -torch",
        slip="a density of the scores alone, without the directions that PCA leaves out",
    ),
    Mutant(
        cell="own-data-odd",
        old="vae_score[name] + plainness[name]",
        new="vae_score[name] - plainness[name]",
        slip="the sign of the complexity",
    ),
]
