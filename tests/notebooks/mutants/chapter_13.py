"""Chapter 13: slips that people make when they steer."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="steering-bound",
        old="mu**2 + logvar.exp() - 1 - logvar",
        new="mu**2 + logvar.exp() - logvar",
        slip="the -1 of the KL",
    ),
    Mutant(
        cell="steering-bound",
        old="(0.5 * logvar).exp() * eps",
        new="logvar.exp() * eps",
        slip="the variance for the standard deviation",
    ),
    Mutant(
        cell="steering-bayes",
        old="given_y.given(y)",
        new="given_y.given(0)",
        slip="one class for all ten",
    ),
    Mutant(
        cell="steering-bayes",
        old="logsumexp(1) - math.log(10)",
        new="logsumexp(1)",
        slip="the prior probability of a class left out",
    ),
    Mutant(
        cell="steering-classifier",
        old="batch[:, -1].long()",
        new="batch[:, -2].long()",
        slip="a pixel for the label",
    ),
    Mutant(
        cell="steering-samples",
        old="reads(torch.bernoulli(v, generator=g), asked)",
        new="reads(torch.bernoulli(v, generator=g), asked.flip(0))",
        slip="the classes in another order than asked",
    ),
    Mutant(
        cell="steering-samples",
        old="torch.cdist(images, train.images)",
        new="torch.cdist(images, heldout.images)",
        slip="no training digit among the rivals: no copy would be noticed",
    ),
    Mutant(
        cell="steering-probe",
        old="labelled(*s) if given",
        new="labelled(s.images, 0 * s.labels) if given",
        slip="every digit is called a zero",
    ),
    Mutant(
        cell="steering-direction",
        old="-row, column",
        new="row, column",
        slip="the height is counted downwards",
    ),
    Mutant(
        cell="steering-direction",
        old=".mean(0) / f.var(correction=0)",
        new=".mean(0) / f.std()",
        slip="a correlation's step for a regression's",
    ),
    Mutant(
        cell="steering-direction",
        old="step = d * f.std()",
        new="step = d",
        slip="one unit of the measure, not one standard deviation",
    ),
    Mutant(
        cell="steering-direction",
        old='("w, eleven", alive)',
        new='("w, eleven", ~alive)',
        slip="the dead dimensions in place of the living",
    ),
    Mutant(
        cell="steering-arithmetic",
        old="change = seen[C] - seen[B]",
        new="change = seen[C] - seen[A]",
        slip="A - A + C is C",
    ),
    Mutant(
        cell="steering-arithmetic",
        old="together(now - old, f[C] - f[B])",
        new="together(now - old, f[C] - f[A])",
        slip="the change from the wrong digit",
    ),
    Mutant(
        cell="steering-arithmetic",
        old="means[heldout.labels[C]] + means[want]",
        new="means[want] + means[heldout.labels[C]]",
        slip="the two class means exchanged",
    ),
    Mutant(
        cell="steering-arithmetic",
        old="given_y.decode(style, want)",
        new="given_y.decode(style, heldout.labels[C])",
        slip="the class of the style, not the one that is wanted",
    ),
    Mutant(
        cell="steering-rotate",
        old="z @ R)",
        new="z @ R.T)",
        slip="the turn in place of the turn back",
    ),
    Mutant(
        cell="steering-cost",
        old="math.cos(math.radians(degrees)) ** 2",
        new="math.cos(math.radians(degrees))",
        slip="a cosine that is not squared",
    ),
    Mutant(
        cell="steering-cost",
        old="return 0.5 * (precisions",
        new="return (precisions",
        slip="the missing ½",
    ),
    Mutant(
        cell="steering-cost",
        old="noise * v**-0.5",
        new="noise * v**0.5",
        slip="a precision for a variance",
    ),
    Mutant(
        cell="steering-few",
        old="there[chosen], train.labels[chosen].numpy()",
        new="there[chosen], train.labels[chosen].flip(0).numpy()",
        slip="labels that are not those of the digits",
    ),
    Mutant(
        cell="steering-halves",
        old="whole = top + bottom - prior",
        new="whole = top + bottom",
        slip="the prior counted twice",
    ),
    Mutant(
        cell="steering-halves",
        old="predicted = log_evidence(whole) - log_evidence(top)",
        new="predicted = log_evidence(whole) - log_evidence(bottom)",
        slip="the evidence of the wrong half",
    ),
    Mutant(
        cell="steering-halves",
        old="bernoulli_log_prob(x[:, part], model.decode(z, y)[..., part])",
        new="bernoulli_log_prob(x * part, model.decode(z, y))",
        slip="hidden pixels set to white, not left out",
    ),
]
