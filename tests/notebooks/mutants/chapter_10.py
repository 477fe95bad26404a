"""Chapter 10: slips that people make with a variational autoencoder."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="553fbc0c",
        old='reduction="none").sum(-1)',
        new='reduction="none").mean(-1)',
        slip="a mean over the pixels for their sum",
    ),
    Mutant(
        cell="553fbc0c",
        old="(0.5 * logvar).exp() * eps",
        new="logvar.exp() * eps",
        slip="the variance for the standard deviation",
    ),
    Mutant(
        cell="553fbc0c",
        old="kl = 0.5 * (mu**2",
        new="kl = (mu**2",
        slip="the missing ½",
    ),
    Mutant(
        cell="553fbc0c",
        old="return nll + kl,",
        new="return nll - kl,",
        slip="the sign of the KL",
    ),
    Mutant(
        cell="43a3c822",
        old="loss_at(lam - n)",
        new="loss_at(lam)",
        slip="a difference to one side, divided by both",
    ),
    Mutant(
        cell="c7b483ea",
        old="beta=784.0",
        new="beta=1 / 784",
        slip="β turned upside down",
    ),
    Mutant(
        cell="c36a5404",
        old="+ 784 * kl50.mean()",
        new="+ kl50.mean()",
        slip="the sum restored in one term only",
    ),
    Mutant(
        cell="vae-loop",
        old="terms[0].backward()",
        new="terms[1].backward()",
        slip="the KL is computed and not trained on",
    ),
    Mutant(
        cell="77de0a81",
        old="-scale.inverse() @ mean",
        new="scale.inverse() @ mean",
        slip="the sign of the shift in whitening",
    ),
    Mutant(
        cell="a7f55cd0",
        old="paired(nll_plain, nll_vae[::10])",
        new="paired(nll_vae[::10], nll_plain)",
        slip="the arguments of a difference swapped",
    ),
    Mutant(
        cell="2ef70ea0",
        old="white_150 = whitened(plain_150, x_train)",
        new="white_150 = plain_150",
        slip="an autoencoder judged without whitening",
    ),
    Mutant(
        cell="0eab7f94",
        old="(1 - pi) * logsigmoid(-logits)).sum(-1)",
        new="(1 - pi) * logsigmoid(-logits)).mean(-1)",
        slip="an entropy averaged over the pixels",
    ),
    Mutant(
        cell="1a03f1d5",
        old="q_n.log_prob(z) - log_q, log_q - log_p",
        new="log_q - q_n.log_prob(z), log_q - log_p",
        slip="the sign of what z tells about the image",
    ),
    Mutant(
        cell="1a03f1d5",
        old="for part in z.split(500)",
        new="for part in torch.randn(z.shape, generator=g).split(500)",
        slip="log q at draws of the prior",
    ),
    Mutant(
        cell="1a03f1d5",
        old="kl = distributions.kl_to_standard_normal(mu, logvar)",
        new="kl = distributions.kl_to_standard_normal(mu, 0.5 * logvar)",
        slip="log σ for log σ²",
    ),
    Mutant(
        cell="d5cf3de7",
        old="exact.kl_on_grid(log_q, log_p, grid)",
        new="exact.kl_on_grid(log_p, log_q, grid)",
        slip="the other direction of the divergence",
    ),
    Mutant(
        cell="6c76fa0b",
        old="return expected - ",
        new="return expected + ",
        slip="the sign of the KL in the bound",
    ),
    Mutant(
        cell="2eaa8a34",
        old="each.mean(0).sum().backward()",
        new="(-each.mean(0).sum()).backward()",
        slip="the bound is minimised",
    ),
    Mutant(
        cell="vae-no-digit",
        old="vae.encode(x)[1]",
        new="vae.encode(x)[0]",
        slip="the mean for the log-variance",
    ),
]
