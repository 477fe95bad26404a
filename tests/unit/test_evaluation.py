"""Evaluation: estimates with honest errors, bounded memory, active units. Laws: test_laws.py."""

import math

import pytest
import torch
import zoo

from vae_lib import bounds, evaluation
from vae_lib.distributions import DiagonalGaussian
from vae_lib.models import VAE, Autoencoder, LatentVariableModel

MODEL = zoo.LinearGaussian().double()
X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def g(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_estimate_is_that_of_its_weights():
    """log mean, relative standard error and effective sample size, by other formulas."""
    got = evaluation.log_likelihood(MODEL, X, g(1), samples=40, chunk=10**6)
    with torch.no_grad():
        eps = torch.randn(40, 5, 2, generator=g(1), dtype=torch.float64)
        w = bounds.log_weights(MODEL, X, eps).exp()
    torch.testing.assert_close(got.log_px, w.mean(0).log())
    error = w.std(0, correction=0) / w.mean(0) / 40**0.5
    torch.testing.assert_close(got.standard_error, error)
    torch.testing.assert_close(got.effective, w.sum(0) ** 2 / (w**2).sum(0))


def test_the_standard_error_is_what_estimates_scatter_by():
    """With a q somewhat wider than the posterior, so that no weight is far above the others."""
    truth = MODEL.truth(X)
    wider = truth._replace(root=1.3 * truth.root)
    model = LatentVariableModel(2, MODEL.log_prior, MODEL.log_likelihood, lambda x: wider)
    runs = [evaluation.log_likelihood(model, X, g(seed), samples=100) for seed in range(300)]
    scatter = torch.stack([run.log_px for run in runs]).std(0)
    said = torch.stack([run.standard_error for run in runs]).mean(0)
    torch.testing.assert_close(said, scatter, rtol=0.25, atol=0)


def test_with_the_posterior_for_q_there_is_no_error():
    model = zoo.LinearGaussian(exact=True).double()
    got = evaluation.log_likelihood(model, X, g(), samples=3)
    torch.testing.assert_close(got.log_px, model.log_evidence(X).detach())
    assert (got.standard_error < 1e-6).all()
    torch.testing.assert_close(got.effective, torch.full((5,), 3.0).double())
    got = evaluation.log_likelihood(model, X, g(), samples=3, chunk=10)  # pieces of 2 and 1
    torch.testing.assert_close(got.effective, torch.full((5,), 3.0).double())


@pytest.mark.parametrize("function", ["log_likelihood", "ais"])
def test_pieces_bound_the_work_and_change_nothing_but_the_draws(function):
    largest = []

    def log_likelihood(x, z):
        lead = torch.broadcast_shapes(x.shape[:-1], z.shape[:-1])
        largest.append(math.prod(lead))
        return MODEL.log_likelihood(x, z)

    watched = LatentVariableModel(2, MODEL.log_prior, log_likelihood, MODEL.posterior)
    many = X.repeat(8, 1)
    options = {"samples": 60} if function == "log_likelihood" else {"steps": 8, "chains": 20}
    whole = getattr(evaluation, function)(MODEL, many, g(2), **options)
    pieces = getattr(evaluation, function)(watched, many, g(2), chunk=70, **options)
    assert max(largest) <= 70 and pieces.log_px.shape == (40,)
    error = (whole.standard_error**2 + pieces.standard_error**2).sqrt()
    assert ((whole.log_px - pieces.log_px).abs() < 6 * error).all()
    again = getattr(evaluation, function)(MODEL, many, g(2), chunk=70, **options)
    assert torch.equal(again.log_px, pieces.log_px), "the seed decides"
    other = getattr(evaluation, function)(MODEL, many, g(3), chunk=70, **options)
    assert not torch.equal(other.log_px, pieces.log_px)


def test_results_are_float64_on_the_cpu_without_gradients():
    vae, x = VAE(2, (6,), shape=(9,)), torch.rand(3, 9)
    for got in (
        evaluation.log_likelihood(vae, x, g(), samples=5),
        evaluation.ais(vae, x, g(), steps=3, chains=4),
    ):
        for part in got:
            assert part.dtype == torch.float64 and not part.requires_grad and part.shape == (3,)
    assert all(p.grad is None for p in vae.parameters())


def test_importance_sampling_of_a_float32_vae_lies_above_its_elbo():
    vae, x = VAE(3, (8,), shape=(9,), components=2), torch.rand(4, 9).round()
    got = evaluation.log_likelihood(vae, x, g(), samples=2000)
    elbo = bounds.elbo(vae, x, bounds.noise(vae, x, g(1), 2000)).elbo
    assert (got.log_px > elbo).all()


def test_annealing_does_not_need_q():
    """A posterior that raises is never asked."""

    def nobody(x):
        raise AssertionError("ais asked for q")

    blind = LatentVariableModel(2, MODEL.log_prior, MODEL.log_likelihood, nobody)
    got = evaluation.ais(blind, X, g(5), steps=100, chains=50)
    off = (got.log_px - MODEL.log_evidence(X).detach()).abs()
    assert (off < 4.5 * got.standard_error).all() and (got.standard_error < 0.1).all()


@pytest.mark.parametrize("steps", [2, 7])
def test_annealing_goes_from_nothing_to_the_whole_likelihood(steps):
    """A likelihood of exp(10) whatever z: each weight is exp(10), times from 0 to 1 sum to 1."""
    flat = LatentVariableModel(2, MODEL.log_prior, lambda x, z: 10 + 0 * z[..., 0], None)
    got = evaluation.ais(flat, X, g(), steps=steps, chains=2)
    torch.testing.assert_close(got.log_px, torch.full((5,), 10.0).double())


def test_more_annealing_steps_waste_fewer_chains():
    few, many = (evaluation.ais(MODEL, X, g(6), steps=n, chains=200) for n in (3, 100))
    assert (many.effective > few.effective + 5).all() and (many.effective > 150).all()


def test_annealing_finds_what_importance_sampling_misses():
    """q sits far from the posterior: its weights say so, and annealing does not care."""

    def elsewhere(x):
        at = torch.full((len(x), 2), 6.0).double()
        return DiagonalGaussian(at, torch.full_like(at, -3.0))

    lost = LatentVariableModel(2, MODEL.log_prior, MODEL.log_likelihood, elsewhere)
    truth = MODEL.log_evidence(X).detach()
    sampled = evaluation.log_likelihood(lost, X, g(7), samples=1000)
    annealed = evaluation.ais(lost, X, g(7), steps=100, chains=50)
    assert (sampled.log_px < truth - 2).all() and (sampled.effective < 200).all()
    assert ((annealed.log_px - truth).abs() < 0.3).all()


def test_the_hamiltonian_move_leaves_its_density_as_it_is():
    """From exact draws of a correlated Gaussian, fifty moves keep mean and covariance."""
    root = torch.tensor([[1.0, 0.0], [0.8, 0.5]]).double()
    target = torch.distributions.MultivariateNormal(torch.ones(2).double(), scale_tril=root)
    z = 1 + torch.randn(20_000, 2, generator=g(8), dtype=torch.float64) @ root.T
    generator, reach = g(9), torch.full((20_000, 1), 0.35).double()
    for _ in range(50):
        z, accepted = evaluation._hmc(target.log_prob, z, reach, generator)
    assert 0.5 < float(accepted.double().mean()) < 0.99, "the test of acceptance is not put to work"
    assert ((z.mean(0) - 1).abs() < 4.5 * z.std(0) / 20_000**0.5).all()
    torch.testing.assert_close(z.T.cov(), root @ root.T, rtol=0.04, atol=0.02)


# ---- a model whose log p(x) is known ------------------------------------------------------------


def simulated(count, seed=11):
    """x [B, 4] from the linear-Gaussian model, and the z [B, 2] that each was drawn from."""
    with torch.no_grad():
        z = torch.randn(count, 2, generator=g(seed), dtype=torch.float64)
        eps = torch.randn(count, 4, generator=g(seed + 1), dtype=torch.float64)
        x = MODEL.decoder(z) + (0.5 * MODEL.noise_logvar).exp() * eps
        return x, z, MODEL.log_evidence(x)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_estimator_meets_the_closed_form(seed):
    """The errors of many examples, each divided by its standard error, are as draws of N(0, 1)."""
    x, z, truth = simulated(60, 20 * seed)
    wider = MODEL.truth(x)._replace(root=1.3 * MODEL.truth(x).root)
    model = LatentVariableModel(2, MODEL.log_prior, MODEL.log_likelihood, lambda x: wider)
    both = evaluation.bdmc(MODEL, x, z, g(seed), steps=30, chains=60)
    for got in (
        evaluation.log_likelihood(model, x, g(seed), samples=2000),
        evaluation.ais(MODEL, x, g(seed), steps=30, chains=60),
        both.lower,
        evaluation.gaps(MODEL, x, g(seed)).log_px,
    ):
        off = (got.log_px - truth) / got.standard_error
        assert off.abs().max() < 5 and off.abs().mean() < 1.5
        assert (got.log_px - truth).abs().median() < 0.05
    # Reverse chains share their start: only many examples tell.
    above = both.upper.log_px - truth
    assert above.mean().abs() < 4 * above.std() / 60**0.5 + 0.01


def test_forward_and_reverse_annealing_hold_the_value_between_them():
    """With two steps both are crude; on average one lies below and the other above."""
    x, z, truth = simulated(1000)
    low, high = evaluation.bdmc(MODEL, x, z, g(1), steps=2, chains=2)
    below, above = truth - low.log_px, high.log_px - truth
    for loss in (below, above):
        assert loss.mean() > 5 * loss.std() / 1000**0.5
    low, high = evaluation.bdmc(MODEL, x, z, g(1), steps=40, chains=2)
    closer = (high.log_px - low.log_px).mean()
    assert 0 < closer < 0.3 * (below + above).mean()


def test_the_weights_of_annealing_are_unbiased():
    """E[w] / p(x) = 1, forward, and 1 / (p(x) E[w]) in reverse: even with few, crude steps."""
    x, z, truth = simulated(3)
    many = x.repeat(400, 1), z.repeat(400, 1)
    reach = evaluation._step_sizes(MODEL, x, g(), 4)
    reach = [size.repeat(400, 1) for size in reach]
    w = (evaluation._anneal(MODEL, many[0], g(2), 4, 8, reach=reach) - truth.repeat(400)).exp()
    w = w.reshape(-1, 3)
    assert ((w.mean(0) - 1).abs() < 4.5 * w.std(0) / len(w) ** 0.5).all()
    with torch.no_grad():
        q = MODEL.truth(x)
        starts = q.sample(torch.randn(3200, 3, 2, generator=g(3), dtype=torch.float64))
    back = evaluation._anneal(MODEL, x, g(4), 4, 3200, starts, [size[:3] for size in reach])
    w = (truth - back).exp()
    assert ((w.mean(0) - 1).abs() < 4.5 * w.std(0) / len(w) ** 0.5).all()


def test_the_gaps_are_those_of_the_exact_posterior():
    """The best diagonal Gaussian has the posterior's mean and the diagonal of its precision."""
    x, _, truth = simulated(20)
    got = evaluation.gaps(MODEL, x, g(3), samples=4000)
    with torch.no_grad():
        root = MODEL.truth(x).root
        precision = (root @ root.T).inverse()
        lost = 0.5 * (precision.diagonal().log().sum() - precision.logdet())
        posterior = torch.distributions.MultivariateNormal(
            MODEL.truth(x).mu, precision_matrix=precision.expand(20, 2, 2)
        )
        q = MODEL.posterior(x)
        own = torch.distributions.MultivariateNormal(q.mu, torch.diag_embed(q.logvar.exp()))
        whole = torch.distributions.kl_divergence(own, posterior)
    torch.testing.assert_close(got.approximation, lost.expand(20), atol=0.01, rtol=0)
    torch.testing.assert_close(got.amortisation, whole - lost, atol=0.05, rtol=0.1)
    assert ((got.log_px.log_px - truth).abs() < 0.01).all()


def test_gaps_of_a_correlated_posterior():
    """Two latents whose sum alone is seen: a diagonal Gaussian loses a known amount."""

    def log_likelihood(x, z):
        return torch.distributions.Normal(z.sum(-1), 0.25).log_prob(x[..., 0])

    def posterior(x):
        return DiagonalGaussian(torch.zeros(len(x), 2).double(), torch.zeros(len(x), 2).double())

    model = LatentVariableModel(2, MODEL.log_prior, log_likelihood, posterior)
    x = torch.tensor([[0.5], [-2.0]], dtype=torch.float64)
    got = evaluation.gaps(model, x, g(4), samples=20_000)
    assert (got.log_px.effective < 2000).all(), "its own weights are not to be trusted"
    truth = torch.distributions.Normal(0.0, (2 + 0.25**2) ** 0.5).log_prob(x[:, 0])
    got = got._replace(log_px=got.log_px._replace(log_px=truth))
    precision = torch.tensor([[17.0, 16.0], [16.0, 17.0]]).double()
    lost = 0.5 * (precision.diagonal().log().sum() - precision.logdet())  # 1.08 nats
    torch.testing.assert_close(got.approximation, lost.expand(2), atol=0.08, rtol=0)
    assert (got.amortisation > 1).all()


def test_a_q_that_cannot_be_bettered_is_kept():
    model = zoo.LinearGaussian().double()
    x, *_ = simulated(4)
    with torch.no_grad():
        truth = model.truth(x)
        precision = (truth.root @ truth.root.T).inverse().diagonal()
    best = DiagonalGaussian(truth.mu, -precision.log().expand(4, 2))
    model = LatentVariableModel(2, model.log_prior, model.log_likelihood, lambda x: best)
    for steps in (0, 30):
        got = evaluation.gaps(model, x, g(5), steps=steps)
        assert (got.amortisation >= 0).all() and (got.amortisation < 2e-3).all()
    assert all(p.grad is None for p in MODEL.parameters())


def test_gaps_in_pieces():
    x, _, truth = simulated(7)
    pieces = evaluation.gaps(MODEL, x, g(6), steps=150, draws=2, samples=300, chunk=9)
    assert pieces.elbo.shape == pieces.best.shape == pieces.log_px.log_px.shape == (7,)
    assert ((pieces.log_px.log_px - truth).abs() < 0.1).all()
    again = evaluation.gaps(MODEL, x, g(6), steps=150, draws=2, samples=300, chunk=9)
    assert torch.equal(again.best, pieces.best), "the seed decides"


def test_gaps_need_a_diagonal_gaussian():
    flow = zoo.FlowPosterior(**zoo.TINY)
    with pytest.raises(TypeError, match="no DiagonalGaussian"):
        evaluation.gaps(flow, torch.rand(2, 8).round(), g())


# ---- bits ---------------------------------------------------------------------------------------


def test_bits_per_dimension():
    assert float(evaluation.bits_per_dimension(torch.tensor(-8 * math.log(2)), 4)) == 2.0
    grey = evaluation.bits_per_dimension(torch.zeros(2), 784, levels=256)
    assert grey.tolist() == [8.0, 8.0], "a flat density on [0, 1] says nothing: 8 bits a byte"
    with pytest.raises(ValueError, match="dimensions is 0"):
        evaluation.bits_per_dimension(torch.zeros(1), 0)
    with pytest.raises(ValueError, match="levels is 1"):
        evaluation.bits_per_dimension(torch.zeros(1), 4, levels=1)


def test_a_bar_counts_examples_where_it_is_asked_for(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    x, z, _ = simulated(3)
    calls = {
        "log_likelihood": lambda p: evaluation.log_likelihood(MODEL, x, g(), 5, progress=p),
        "ais": lambda p: evaluation.ais(MODEL, x, g(), 2, 2, progress=p),
        "bdmc": lambda p: evaluation.bdmc(MODEL, x, z, g(), 2, 2, progress=p),
        "gaps": lambda p: evaluation.gaps(MODEL, x, g(), 2, 2, samples=5, progress=p),
    }
    for name, call in calls.items():
        call(False)
        assert capsys.readouterr().err == "", name
        call(True)
        assert "0/3" in capsys.readouterr().err, name


# ---- active units -------------------------------------------------------------------------------


def some_active():
    """q's mean moves by 0.5 x₁ in the first dimension, 0.05 x₂ in the second, not in the third."""

    def posterior(x):
        mu = torch.stack([0.5 * x[:, 0], 0.05 * x[:, 1], 0 * x[:, 0]], 1)
        return DiagonalGaussian(mu, torch.zeros_like(mu))

    return LatentVariableModel(3, MODEL.log_prior, MODEL.log_likelihood, posterior)


def test_active_units_are_those_whose_mean_moves():
    x = torch.randn(4000, 4, generator=g(3), dtype=torch.float64)
    got = evaluation.active_units(some_active(), x, g(4))
    assert got.active.tolist() == [True, False, False]
    exact = torch.stack([0.25 * x[:, 0].var(), 0.0025 * x[:, 1].var(), torch.tensor(0.0)])
    # Plain means of 100 draws of unit variance would add 0.01 to each.
    torch.testing.assert_close(got.variance, exact, rtol=0.03, atol=0.0015)
    lower = evaluation.active_units(some_active(), x, g(4), threshold=0.001, chunk=700)
    assert lower.active.tolist() == [True, True, False]


def test_the_variance_is_that_of_the_exact_mean_whatever_the_number_of_examples():
    def posterior(x):
        return DiagonalGaussian(x, torch.full_like(x, -200.0))

    sure, asked = LatentVariableModel(4, None, None, posterior), []
    for count in (2, 3, 5):
        got = evaluation.active_units(sure, X[:count], g(), samples=2)
        torch.testing.assert_close(got.variance, X[:count].var(0))
    vae = VAE(4, (6,), shape=(4,)).double()
    seen = vae.posterior

    def watched(x):
        q = seen(x)
        asked.append(len(x))
        return q

    vae.posterior = watched
    got = evaluation.active_units(vae, torch.rand(9, 4).double(), g(), samples=10, chunk=40)
    assert asked == [4, 4, 1] and not got.variance.requires_grad


# ---- bad input ----------------------------------------------------------------------------------


def test_bad_input_is_named():
    vae, x = VAE(2, (6,), shape=(9,)), torch.rand(3, 9)
    calls = (
        evaluation.log_likelihood,
        evaluation.ais,
        evaluation.active_units,
        evaluation.gaps,
    )
    for call in calls:
        with pytest.raises(ValueError, match="outside"):
            call(vae, x * 255, g())
        with pytest.raises(ValueError, match=r"x has shape \[9\], not \[B, P\]"):
            call(vae, x[0], g())
        with pytest.raises(ValueError, match="empty"):
            call(vae, x[:0], g())
        with pytest.raises(ValueError, match=r"not \[B, P\] with B > 0"):
            call(MODEL, X[:0], g())
        with pytest.raises(TypeError, match="generator is a int"):
            call(vae, x, 0)
    with pytest.raises(ValueError, match="samples is 1"):
        evaluation.log_likelihood(vae, x, g(), samples=1)
    with pytest.raises(ValueError, match="steps is 1"):
        evaluation.ais(vae, x, g(), steps=1)
    with pytest.raises(ValueError, match=r"z has shape \[3, 4\], not \[3, 2\]"):
        evaluation.bdmc(vae, x, torch.zeros(3, 4), g())
    with pytest.raises(ValueError, match="one example"):
        evaluation.active_units(vae, x[:1], g())
    with pytest.raises(TypeError, match="Autoencoder has no posterior"):
        evaluation.log_likelihood(Autoencoder(2, (6,), shape=(9,)), x, g())
