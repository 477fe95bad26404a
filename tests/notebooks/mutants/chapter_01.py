"""Slips in chapter 1, each of which a promise or an assert of the chapter notices."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="01-autoencoders-3",
        old="x_heldout = binarise(heldout.images, ",
        new="x_heldout = (lambda images, _: images)(heldout.images, ",
        slip="grey digits where black-and-white ones are meant",
    ),
    Mutant(
        cell="01-autoencoders-8",
        old="nn.Linear(128, 784),  # the logits",
        new="nn.Linear(128, 784), nn.Sigmoid(),",
        slip="probabilities where logits are meant",
    ),
    Mutant(
        cell="01-autoencoders-12",
        old="return -log_prob",
        new="return log_prob",
        slip="the sign: a log-likelihood for a loss",
    ),
    Mutant(
        cell="01-autoencoders-12",
        old=".sum(dim=-1)",
        new=".mean(dim=-1)",
        slip="a mean over pixels for a sum",
    ),
    Mutant(
        cell="01-autoencoders-12",
        old=".sum(dim=-1)",
        new=".sum(dim=0)",
        slip="a sum over digits for a sum over pixels",
    ),
    Mutant(
        cell="01-autoencoders-12",
        old=" + (1 - x) * (1 - ink).log()",
        new="",
        slip="the pixels without ink forgotten",
    ),
    Mutant(
        cell="01-autoencoders-15",
        old="slipped = gradient(F.binary_cross_entropy_with_logits(logits, some))",
        new='slipped = gradient(F.binary_cross_entropy_with_logits(logits, some, reduction="sum"))',
        slip="a sum over the batch taken for the mean over pixels",
    ),
    Mutant(
        cell="01-autoencoders-17",
        old="coin = torch.zeros(784)",
        new="coin = torch.full((784,), 0.5)",
        slip="a probability passed for a logit",
    ),
    Mutant(
        cell="01-autoencoders-17",
        old=".clamp(0.001, 0.999).logit()",
        new=".clamp(0.001, 0.999)",
        slip="the mean digit's probabilities passed for logits",
    ),
    Mutant(
        cell="01-autoencoders-20",
        old="        optimiser.zero_grad()\n",
        new="",
        slip="gradients that pile up from batch to batch",
    ),
    Mutant(
        cell="01-autoencoders-20",
        old="x = binarise(images, generator)",
        new="x = binarise(images, torch.Generator().manual_seed(0))",
        slip="every batch binarised from the same seed",
    ),
    Mutant(
        cell="01-autoencoders-20",
        old="(scale * loss).backward()",
        new="(-scale * loss).backward()",
        slip="ascent for descent",
    ),
    Mutant(
        cell="01-autoencoders-22",
        old="        heldout.images,\n",
        new="        images,\n",
        slip="the training digits taken for held-out ones",
    ),
    Mutant(
        cell="01-autoencoders-29",
        old="paired = (through_32 - through_8).std()",
        new="paired = (through_32.var() + through_8.var()).sqrt()",
        slip="the error of a difference taken as if the two losses were independent",
    ),
    Mutant(
        cell="01-autoencoders-36",
        old="return 20 * x - 10",
        new="return x",
        slip="pixels passed for logits",
    ),
    Mutant(
        cell="01-autoencoders-44",
        old="argmin(dim=1)",
        new="argmax(dim=1)",
        slip="the farthest code for the nearest",
    ),
    Mutant(
        cell="01-autoencoders-search",
        old="    loss.sum().backward()",
        new="    (-loss).sum().backward()",
        slip="ascent for descent in the search for a code",
    ),
]
