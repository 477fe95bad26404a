"""Chapter 15: slips that people make with codebooks, schedules, denoisers and scales."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="diffusion-straight",
        old="spread=0.5)",
        new="spread=0.2)",
        slip="noise so narrow that the sum over codes has steps",
    ),
    Mutant(
        cell="diffusion-straight",
        old="0.2 * torch.sin(2 * math.pi * c)",
        new="0.2 * torch.sin(math.pi * c)",
        slip="a wiggle whose slopes at the codes cancel",
    ),
    Mutant(
        cell="diffusion-vq",
        old="e + (c - e).detach()",
        new="c",
        slip="no straight-through: the encoder hears nothing of the distortion",
    ),
    Mutant(
        cell="diffusion-vq",
        old="dead = usage(k) < 0.001",
        new="dead = usage(k) < 0",
        slip="a repair that finds nothing dead",
    ),
    Mutant(
        cell="diffusion-prior",
        old="torch.ones(G, G), -1)",
        new="torch.ones(G, G))",
        slip="a prior that sees the code which it guesses",
    ),
    Mutant(
        cell="diffusion-totals",
        old="torch.special.entr(u).sum().exp()",
        new="(u > 0).sum()",
        slip="codes in use counted, not weighed",
    ),
    Mutant(
        cell="diffusion-gap",
        old="s**2 * left[1:] / (share[1:] * s**2 + left[1:])",
        new="s**2 * left[1:] / (share[1:] * s + left[1:])",
        slip="a standard deviation for a variance",
    ),
    Mutant(
        cell="diffusion-gap",
        old="(a**2 * error / beta)[1:]",
        new="(a * error / beta)[1:]",
        slip="the weight of the error is not squared",
    ),
    Mutant(
        cell="diffusion-gap",
        old="ratio - 1 - ratio.log()",
        new="ratio - 1 + ratio.log()",
        slip="the sign of the logarithm in a divergence",
    ),
    Mutant(
        cell="diffusion-gap",
        old="factor**2 * v + beta_t",
        new="factor * v + beta_t",
        slip="a standard deviation's factor on a variance",
    ),
    Mutant(
        cell="diffusion-train",
        old="draw(256, g)",
        new="0.5 * draw(256, g)",
        slip="trained on data of another scale",
    ),
    Mutant(
        cell="diffusion-exact",
        old="share * WIDTH**2 + 1 - share",
        new="share * WIDTH + 1 - share",
        slip="a standard deviation for a variance in the exact density",
    ),
    Mutant(
        cell="diffusion-train",
        old="a**2 / (2 * beta) * error",
        new="a / (2 * beta) * error",
        slip="the weight of the error is not squared, by hand",
    ),
    Mutant(
        cell="diffusion-widths",
        old="sigma2 = tilde + ",
        new="sigma2 = ",
        slip="the variance that remains when x_0 is known left out",
    ),
    Mutant(
        cell="diffusion-exact",
        old="return known + a2",
        new="return a2",
        slip="the same, for the spiral",
    ),
    Mutant(
        cell="diffusion-again",
        old="torch.randn(x.shape, generator=generator)",
        new="torch.zeros(x.shape)",
        slip="down again without new noise",
    ),
    Mutant(
        cell="diffusion-exact",
        old="x_t - share.sqrt() * mean",
        new="x_t - share * mean",
        slip="a share in the place of its root",
    ),
    Mutant(
        cell="diffusion-sample",
        old="generator=generator) * (t > 1)",
        new="generator=generator)",
        slip="noise on the last step too",
    ),
    Mutant(
        cell="diffusion-sample",
        old="beta = 1 - now / before",
        new="beta = 1 - now",
        slip="all of the noise taken for that of one step",
    ),
    Mutant(
        cell="diffusion-latent",
        old="- 2 * math.log(scale)",
        new="",
        slip="the change of variables forgotten",
    ),
    Mutant(
        cell="diffusion-latent",
        old="factor = 1 / coded.mu.std()",
        new="factor = coded.mu.std()",
        slip="multiplied by the spread in place of divided",
    ),
    Mutant(
        cell="diffusion-factor-p",
        old="* s**2",
        new="* s",
        slip="a standard deviation in a ratio of powers",
    ),
    Mutant(
        cell="diffusion-latent",
        old="sample(1000, g)[0] / factor",
        new="sample(1000, g)[0]",
        slip="decoded without undoing the factor",
    ),
]
