"""When it does not train: slips in the faults, in what tells them apart, and in what cures them."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="symptoms-loss",
        old='reduction="none").sum(-1)',
        new='reduction="none").mean(-1)',
        slip="a mean over the pixels for their sum",
    ),
    Mutant(
        cell="symptoms-marks",
        old="entr(mean_digit) + torch.special.entr(1 - mean_digit)",
        new="entr(mean_digit)",
        slip="the entropy of ink alone",
    ),
    Mutant(
        cell="symptoms-log",
        old="torch.where(x == 1,",
        new="torch.where(x == 0,",
        slip="the two logarithms swapped",
    ),
    Mutant(
        cell="symptoms-nan",
        old="nan_steep = train(steep, lr=0.1, steps=20)",
        new="nan_steep = train(steep, lr=0.01, steps=20)",
        slip="a rate at which nothing breaks",
    ),
    Mutant(
        cell="symptoms-data",
        old="spread.where(spread > 0, 1.0)",
        new="spread.where(spread > 0, 0.0)",
        slip="a repair that repairs nothing",
    ),
    Mutant(
        cell="symptoms-zero",
        old="return torch.normal(mu, (0.5 * logvar).exp(), generator=g)",
        new="return draw(mu, logvar, g)",
        slip="a fault that is none",
    ),
    Mutant(
        cell="symptoms-pulls",
        old='return length(terms["nll"]), length(terms["kl"])',
        new='return length(terms["kl"]), length(terms["nll"])',
        slip="the two pulls swapped",
    ),
    Mutant(
        cell="symptoms-explode",
        old="clear=False",
        new="clear=True",
        slip="gradients cleared after all",
    ),
    Mutant(
        cell="symptoms-growth",
        old="lr=0.0, steps=steps, **options",
        new="lr=0.0, steps=1, **options",
        slip="a growth measured over no steps",
    ),
    Mutant(
        cell="symptoms-mass",
        old="of_density = log_mass(one_gaussian, a, line, width=0.01)",
        new="of_density = log_mass(one_gaussian, a, line)",
        slip="an integral without the width of its steps",
    ),
    Mutant(
        cell="symptoms-grey",
        old="return mu + logvar * torch.randn",
        new="return mu + (0.5 * logvar).exp() * torch.randn",
        slip="a head that is read rightly",
    ),
    Mutant(
        cell="symptoms-samples",
        old="fresh = {name: nll_with(name, draw)",
        new="fresh = {name: nll_with(name, own.get(name, draw))",
        slip="fresh noise that is the old one",
    ),
    Mutant(
        cell="symptoms-dead",
        old="(hidden == 0).all(0)",
        new="(hidden == 0).any(0)",
        slip="a unit counted as dead for one digit",
    ),
    Mutant(
        cell="symptoms-apart",
        old=".train(training)",
        new=".train()",
        slip="evaluation in training mode",
    ),
]
