"""The checks of chapter 10 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
import torch.nn.functional as F

from vae_lib.checks import vae as check


def judged(capsys, exercise, answer):
    """The verdict of ``exercise`` on ``answer``, and what it printed."""
    verdict = exercise(answer)
    return verdict, capsys.readouterr().out


@pytest.mark.parametrize(
    "exercise", [check.reparameterise, check.negative_elbo, check.ancestral_sample]
)
def test_a_stub_is_not_attempted(capsys, exercise):
    verdict, said = judged(capsys, exercise, lambda *args: None)
    assert verdict is None and "Not attempted" in said


@pytest.mark.parametrize("exercise", [check.accidental_beta, check.price_of_precision])
def test_no_number_is_not_attempted(capsys, exercise):
    verdict, said = judged(capsys, exercise, None)
    assert verdict is None and "Not attempted" in said


def reparameterise(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * eps


def test_reparameterise_accepts_the_solution(capsys):
    assert check.reparameterise(reparameterise)
    rsample = lambda mu, logvar, eps: torch.addcmul(mu, (logvar / 2).exp(), eps)  # noqa: E731
    assert check.reparameterise(rsample)


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        (lambda mu, logvar, eps: mu + logvar * eps, "logvar was taken for the standard deviation"),
        (lambda mu, logvar, eps: mu + logvar.exp() * eps, "exp(logvar) is the variance"),
        (lambda mu, logvar, eps: mu + (-0.5 * logvar).exp() * eps, "sign in the exponent"),
        (lambda mu, logvar, eps: mu + eps, "σ is missing"),
        (lambda mu, logvar, eps: (0.5 * logvar).exp() * eps, "μ is missing"),
        (lambda mu, logvar, eps: mu + (0.5 * logvar).exp(), "ε is missing"),
        (lambda mu, logvar, eps: mu.clone(), "that is the mean"),
        (lambda mu, logvar, eps: (mu + eps) * (0.5 * logvar).exp(), "μ is added"),
        (lambda *given: reparameterise(*given).detach(), "no gradient reaches mu"),
        (
            lambda mu, logvar, eps: reparameterise(mu, logvar.detach(), eps),
            "no gradient reaches logvar",
        ),
        (lambda mu, logvar, eps: torch.normal(mu, (0.5 * logvar).exp()), "expected"),
        (lambda mu, logvar, eps: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_reparameterise_names_the_slip(capsys, slip, hint):
    verdict, said = judged(capsys, check.reparameterise, slip)
    assert verdict is False and hint in said


def terms(mu, logvar, logits, x):
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return nll, 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


def loss(mu, logvar, logits, x):
    nll, kl = terms(mu, logvar, logits, x)
    return nll.sum(-1) + kl.sum(-1)


def other_kl(variance, log_variance):
    """The loss with another reading of logvar."""

    def answer(mu, logvar, logits, x):
        v, log_v = variance(logvar), log_variance(logvar)
        nll, _ = terms(mu, logvar, logits, x)
        return nll.sum(-1) + 0.5 * (mu**2 + v - 1 - log_v).sum(-1)

    return answer


def with_terms(combine):
    return lambda *given: combine(*terms(*given))


def test_negative_elbo_accepts_the_solution(capsys):
    assert check.negative_elbo(loss)


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        (with_terms(lambda nll, kl: nll.sum(-1) - kl.sum(-1)), "sign of the KL"),
        (with_terms(lambda nll, kl: -nll.sum(-1) - kl.sum(-1)), "that is the ELBO"),
        (with_terms(lambda nll, kl: kl.sum(-1) - nll.sum(-1)), "sign of the likelihood"),
        (with_terms(lambda nll, kl: nll.mean(-1) + kl.sum(-1)), "β = 784"),
        (with_terms(lambda nll, kl: nll.sum(-1) + kl.mean(-1)), "latent dimensions, do not"),
        (with_terms(lambda nll, kl: nll.mean(-1) + kl.mean(-1)), "pixels and over latent"),
        (with_terms(lambda nll, kl: (nll.sum(-1) + kl.sum(-1)).mean()), "averaged over the batch"),
        (with_terms(lambda nll, kl: nll.sum() + kl.sum()), "summed over the batch"),
        (with_terms(lambda nll, kl: nll.mean() + kl.mean()), "means over everything"),
        (with_terms(lambda nll, kl: nll.mean() + kl.sum(-1).mean()), "pixels and batch"),
        (with_terms(lambda nll, kl: nll.sum(-1) + 2 * kl.sum(-1)), "factor ½"),
        (with_terms(lambda nll, kl: nll.sum(-1)), "KL is missing"),
        (with_terms(lambda nll, kl: kl.sum(-1)), "likelihood is missing"),
        (with_terms(lambda nll, kl: (nll.sum(-1) + kl.sum(-1)) / math.log(2)), "bits"),
        (other_kl(lambda v: v**2, lambda v: (v**2).log()), "logvar was taken for σ"),
        (other_kl(lambda v: v, lambda v: v.log()), "logvar was taken for the variance"),
        (other_kl(lambda v: (2 * v).exp(), lambda v: 2 * v), "taken for log σ"),
        (other_kl(lambda v: (v / 2).exp(), lambda v: v), "σ stands where σ²"),
        (lambda mu, logvar, logits, x: loss(mu, logvar, x, logits), "Not yet"),
        (lambda mu, logvar, logits, x: "151 nats", "a number or a tensor"),
    ],
)
def test_negative_elbo_names_the_slip(capsys, slip, hint):
    verdict, said = judged(capsys, check.negative_elbo, slip)
    assert verdict is False and hint in said


def test_numbers_of_the_right_size_are_accepted(capsys):
    assert check.accidental_beta(39.2)
    assert check.price_of_precision(0.689)


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        (784, "averaged too"),
        (20 / 784, "turn it round"),
        (784 * 20, "the factors divide"),
        (1 / 784, "β is the KL's weight"),
        (1 / 20, "bring the likelihood's to 1"),
        (1, "do not cancel"),
        ("784/20", "a number or a tensor"),
    ],
)
def test_accidental_beta_names_the_slip(capsys, slip, hint):
    verdict, said = judged(capsys, check.accidental_beta, slip)
    assert verdict is False and hint in said


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        (0.5 * math.log(2) - 0.025, "for variances"),
        (2 * (math.log(2) - 0.00375), "factor ½"),
        ((math.log(2) - 0.00375) / math.log(2), "bits"),
        (-(math.log(2) - 0.00375), "it grows"),
        (math.log(2), "gives a little back"),
        (math.log(2) + 0.00375, "it is taken off"),
    ],
)
def test_price_of_precision_names_the_slip(capsys, slip, hint):
    verdict, said = judged(capsys, check.price_of_precision, slip)
    assert verdict is False and hint in said


def test_the_price_is_the_difference_of_two_divergences():
    kl = [
        torch.distributions.kl_divergence(
            torch.distributions.Normal(0.7, std), torch.distributions.Normal(0.0, 1.0)
        )
        for std in (torch.tensor(0.05), torch.tensor(0.1))
    ]
    assert check.price_of_precision(float(kl[0] - kl[1]))


def sample(model, count, generator):
    z = torch.randn(count, model.latent, generator=generator)
    return torch.bernoulli(model.decode(z).sigmoid(), generator=generator)


def pi_of(draw_z):
    """Samples of the pixels, with z as ``draw_z(shape, generator)`` gives it."""

    def answer(model, count, generator):
        z = draw_z((count, model.latent), generator)
        return torch.bernoulli(model.decode(z).sigmoid().expand(count, -1), generator=generator)

    return answer


def normal(shape, generator):
    return torch.randn(*shape, generator=generator)


def test_ancestral_sample_accepts_the_solution(capsys):
    assert check.ancestral_sample(sample)

    def pixels_first(model, count, generator):  # another order of draws, another distribution call
        u = torch.rand(count, 784, generator=generator)
        return (u < model.decode(normal((count, 2), generator)).sigmoid()).float()

    assert check.ancestral_sample(pixels_first)
    assert check.ancestral_sample(
        lambda model, count, g: torch.distributions.Bernoulli(
            logits=model.decode(normal((count, 2), g))
        ).sample()
    )


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        (pi_of(lambda shape, g: torch.zeros(shape)), "the same z"),
        (pi_of(lambda shape, g: normal((1, shape[1]), g)), "the same z"),
        (pi_of(lambda shape, g: torch.rand(*shape, generator=g)), "torch.randn, not torch.rand"),
        (pi_of(lambda shape, g: 2 * torch.rand(*shape, generator=g) - 1), "spread less"),
        (pi_of(lambda shape, g: 2 * normal(shape, g)), "spread more"),
        (pi_of(lambda shape, g: normal((shape[0], 1), g).expand(shape)), "move together"),
        (lambda m, n, g: m.decode(normal((n, 2), g)).sigmoid(), "those are the probabilities"),
        (lambda m, n, g: m.decode(normal((n, 2), g)), "by sigmoid, then draw"),
        (lambda m, n, g: m.decode(normal((n, 2), g)).sigmoid().round(), "do not round"),
        (lambda m, n, g: sample(m, 1, g), "[2000, 784]"),
        (lambda m, n, g: sample(m, n, g).tolist(), "list"),
        (lambda m, n, g: torch.bernoulli(m.decode(normal((n, 2), g)), generator=g), "raised"),
    ],
)
def test_ancestral_sample_names_the_slip(capsys, slip, hint):
    verdict, said = judged(capsys, check.ancestral_sample, slip)
    assert verdict is False and hint in said
