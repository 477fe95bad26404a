"""Diffusion against exact values: Gaussian data, where the best denoiser is known."""

import math

import pytest
import torch

from vae_lib import bounds
from vae_lib.diffusion import (
    Denoiser,
    Diffusion,
    cosine_schedule,
    gaussian_denoiser,
    log_snr_schedule,
    noise_terms,
)
from vae_lib.distributions import gaussian_log_prob
from vae_lib.training import fit

MEAN, VARIANCE = torch.tensor([0.5, -1.0]), torch.tensor([0.8, 0.1])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def exact_model(steps):
    schedule = cosine_schedule(steps)
    return Diffusion(gaussian_denoiser(MEAN, VARIANCE, schedule), 2, schedule)


def data(count, seed=0):
    return MEAN + VARIANCE.sqrt() * torch.randn(count, 2, generator=seeded(seed))


@pytest.mark.parametrize("schedule", [cosine_schedule, log_snr_schedule])
def test_a_schedule_falls_from_one_to_nearly_nothing(schedule):
    for steps in (2, 10, 1000):
        share = schedule(steps)
        assert share[0] == 1 and 0 < share[-1] < 1e-2
        assert (share.diff() < 0).all()


def test_noise_added_at_once_is_noise_added_step_by_step():
    """The chain's moments at each t are those of q(x_t|x_0)."""
    model, x = exact_model(6), torch.tensor([[2.0, -1.0]])
    eps = torch.randn(50_000, 1, 12, generator=seeded())
    chain = model.posterior(x).sample(eps).reshape(-1, 6, 2)
    share = model.alpha_bar[1:, None]
    torch.testing.assert_close(chain.mean(0), share.sqrt() * x, atol=0.02, rtol=0)
    torch.testing.assert_close(chain.var(0), (1 - share).expand(6, 2), atol=0.02, rtol=0)


def test_the_backward_step_is_bayes_rule():
    """q(x_{t-1}|x_t, x_0) = q(x_t|x_{t-1}) q(x_{t-1}|x_0) / q(x_t|x_0), on a grid."""
    model, x, x_t = exact_model(5), torch.tensor(0.7), torch.tensor(-0.4)
    grid = torch.linspace(-6, 6, 4001)[:, None]
    for t in (2, 4):
        before, after = model.alpha_bar[t - 1], model.alpha_bar[t]
        keep = after / before
        log_joint = gaussian_log_prob(x_t[None], keep.sqrt() * grid, (1 - keep).log()[None])
        log_joint = log_joint + gaussian_log_prob(
            grid, (before.sqrt() * x).expand(4001, 1), (1 - before).log().expand(4001, 1)
        )
        weight = log_joint.double().softmax(0)
        mean = float((weight * grid[:, 0]).sum())
        spread = float((weight * (grid[:, 0] - mean) ** 2).sum())
        at = torch.tensor(t)
        got = model.backward_mean(x_t.expand(2), x.expand(2), at)
        assert got.tolist() == pytest.approx([mean, mean], abs=1e-4)
        ratio = spread / float(model.beta[t - 1])  # the part of KL_t that is for the variances
        want = ratio - 1 - math.log(ratio)
        assert float(model.widths[t - 1]) == pytest.approx(want, rel=1e-2)


def test_the_terms_add_up_to_the_bound_of_the_book():
    """bounds.elbo on the T layers, and the sum of exact KLs: one expectation."""
    model, x = exact_model(6), data(4)
    eps = torch.randn(20_000, 4, 12, generator=seeded(1))
    generic = bounds.elbo(model, x, eps[:, :, :]).elbo
    terms = torch.stack(
        [model.bound_terms(x, torch.randn(6, 4, 2, generator=seeded(k))) for k in range(4000)]
    )
    assert terms.shape == (4000, 7, 4)
    mine, error = -terms.sum(1).mean(0), terms.sum(1).std(0) / 4000**0.5
    assert ((mine - generic).abs() < 5 * error + 0.02).all()


SCHEDULES = {
    "cosine": lambda: cosine_schedule(40),
    "4000 steps": lambda: cosine_schedule(4000),
    "log SNR": lambda: log_snr_schedule(40),
    "log SNR from 20": lambda: log_snr_schedule(40, first=20),
    "log SNR, as far as it goes": lambda: log_snr_schedule(40, first=36, last=-87),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exact_denoiser_of_a_standard_normal_reaches_its_entropy(schedule, dtype):
    """Terms are quadratic in (x, ε), so the four corners (±1, ±1) have their exact average."""
    share = SCHEDULES[schedule]()
    best = gaussian_denoiser(torch.zeros(3), torch.ones(3), share)
    model = Diffusion(best, 3, share).to(dtype)
    x = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=dtype)[:, None].expand(4, 3)
    eps = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=dtype)[:, None].expand(model.steps, 4, 3)
    bound = float(model.bound_terms(x, eps).sum(0).mean())
    assert bound == pytest.approx(1.5 * math.log(2 * math.pi * math.e), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_model_of_another_dtype_samples_in_it(dtype):
    share = cosine_schedule(4)
    model = Diffusion(Denoiser(2, share, width=8), 2, share).to(dtype)
    path = model.sample(3, seeded())
    assert path.dtype == dtype and path.isfinite().all()


def test_the_path_is_drawn_from_the_generator_and_ends_without_noise():
    """x_0 is the mean of p(x_0|x_1): with the exact denoiser, x̂_0 itself, as a_1 = 1, b_1 = 0."""
    model = exact_model(8)
    path, again = (model.sample(50, seeded(4)) for _ in range(2))
    assert torch.equal(path, again)
    assert not torch.equal(path, model.sample(50, seeded(5)))
    at = torch.ones(50, dtype=torch.long)
    torch.testing.assert_close(path[0], model.clean(path[1], at), atol=1e-5, rtol=0)


def test_a_little_noise_is_as_much_in_float32():
    """At λ = 20 a share of 2e-9 is noise, which 1 - ᾱ in float32 would make 0."""
    share, at = log_snr_schedule(40, first=20), torch.tensor([1])
    root = float((1 - share[1]).sqrt())
    network = Denoiser(2, share, width=4)
    for weight in network.net.parameters():
        torch.nn.init.zeros_(weight)  # what is left is √(1 - ᾱ_t) x_t
    best = gaussian_denoiser(torch.zeros(2), torch.ones(2), share)
    noise = Diffusion(network, 2, share).add_noise(torch.zeros(1, 2), at, torch.ones(1, 2))
    for got in (network(torch.ones(1, 2), at), best(torch.ones(1, 2), at), noise):
        assert got[0].tolist() == pytest.approx([root, root], rel=1e-6)


def test_the_loss_draws_every_step_and_from_its_generator():
    model, seen = exact_model(4), []
    model.denoise = lambda x, t: (seen.append(t), torch.zeros_like(x))[1]
    losses = [noise_terms(model, data(200), seeded(6))["loss"] for _ in range(2)]
    assert set(seen[0].tolist()) == {1, 2, 3, 4}, "t is drawn for each example, T too"
    assert torch.equal(*seen) and torch.equal(*losses)
    assert losses[0].shape == (200,) and 1.5 < losses[0].mean() < 2.5, "a sum over two numbers"


def test_the_first_weights_follow_the_seed():
    same, twin, other = (
        Denoiser(2, cosine_schedule(4), 8, seed).net[0].weight for seed in (1, 1, 2)
    )
    assert torch.equal(same, twin) and not torch.equal(same, other)


def test_samples_that_lead_and_empty_batches_have_their_shapes():
    """As vae_lib.models.Latent has it: z [K, 1, T D] is the same z for every x."""
    model, x = exact_model(5), data(3)
    z = torch.randn(4, 1, 10, generator=seeded())
    every = z.expand(4, 3, 10)
    for value in (model.posterior(x).log_prob, lambda z: model.log_likelihood(x, z)):
        assert value(z).shape == (4, 3)
        torch.testing.assert_close(value(z), value(every))
    assert model.log_prior(z).shape == (4, 1)
    none = bounds.elbo(model, x[:0], torch.zeros(4, 0, 10)).elbo
    assert none.shape == (0,)
    assert model.bound_terms(x[:0], torch.zeros(5, 0, 2)).shape == (6, 0)


def test_the_gap_falls_as_steps_are_added():
    x = data(200)
    truth = gaussian_log_prob(x, MEAN, VARIANCE.log()).mean()
    gaps = []
    for steps in (4, 16, 64):
        model = exact_model(steps)
        terms = [
            model.bound_terms(x, torch.randn(steps, 200, 2, generator=seeded(k))).sum(0).mean()
            for k in range(20)
        ]
        gaps.append(float(truth + torch.stack(terms).mean()))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0


def test_samples_have_the_moments_of_the_data():
    path = exact_model(64).sample(20_000, seeded(2))
    assert path.shape == (65, 20_000, 2)
    torch.testing.assert_close(path[0].mean(0), MEAN, atol=0.03, rtol=0)
    torch.testing.assert_close(path[0].var(0), VARIANCE, atol=0.05, rtol=0.1)
    torch.testing.assert_close(path[-1].var(0), torch.ones(2), atol=0.05, rtol=0)


def test_a_small_network_learns_the_noise():
    schedule = cosine_schedule(20)
    model, x = Diffusion(Denoiser(2, schedule, width=32), 2, schedule), data(2000)
    how = {"lr": 5e-3, "batch_size": 200, "binarisation": "none", "device": "cpu"}
    fit(model, x, data(500, 1), noise_terms, epochs=15, progress=False, **how)
    best = Diffusion(gaussian_denoiser(MEAN, VARIANCE, schedule), 2, schedule)
    mine, floor = (noise_terms(m, x, seeded(3))["loss"].mean() for m in (model, best))
    assert floor < mine < floor + 0.15


@pytest.mark.parametrize(
    ("alpha_bar", "message"),
    [
        (torch.tensor([1.0, 0.5]), "two steps or more"),
        (torch.tensor([0.9, 0.5, 0.1]), "from exactly 1"),
        (torch.tensor([1.0, 0.5, 0.6]), "must fall"),
        (torch.tensor([1.0, torch.nan, 0.1]), "must fall"),
        (torch.tensor([1.0, 0.5, 0.0]), "ends at 0: .*, end above 0"),
        (torch.tensor([1.0, 0.5, -0.1]), "ends at -0.1"),
        (torch.tensor([1.0, 0.5, 1e-39], dtype=torch.float64), "which float32 holds"),
        (torch.tensor([[1.0], [0.5], [0.1]]), r"shape \[3, 1\]: it must be \[T \+ 1\]"),
    ],
)
def test_wrong_schedules_are_named(alpha_bar, message):
    with pytest.raises(ValueError, match=message):
        Diffusion(lambda x, t: x, 2, alpha_bar)
    with pytest.raises(ValueError, match=message):
        Denoiser(2, alpha_bar)
    with pytest.raises(ValueError, match=message):
        gaussian_denoiser(MEAN, VARIANCE, alpha_bar)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cosine_schedule(1), ValueError, "at least 2"),
        (lambda: cosine_schedule(2.5), TypeError, "steps is 2.5: it must be a whole number"),
        (lambda: log_snr_schedule(1), ValueError, "at least 2"),
        (lambda: log_snr_schedule(4.0), TypeError, "whole number"),
        (lambda: log_snr_schedule(5, -1.0, 1.0), ValueError, "must fall"),
        (lambda: log_snr_schedule(5, math.nan), ValueError, "must fall"),
        (lambda: log_snr_schedule(5, math.inf), ValueError, "goes from inf to -5.*stay between"),
        (lambda: log_snr_schedule(5, last=-700), ValueError, "it is 0 in float32"),
        (lambda: Denoiser(2, [1.0, 0.5, 0.1]), TypeError, "alpha_bar is a list: torch.as_tensor"),
        (lambda: Denoiser(0, cosine_schedule(4)), ValueError, "size is 0"),
        (lambda: Diffusion(lambda x, t: x, -1, cosine_schedule(4)), ValueError, "size is -1"),
    ],
)
def test_what_makes_no_schedule_or_model_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_denoiser_of_another_schedule_or_size_is_refused():
    share = cosine_schedule(4)
    for other in (cosine_schedule(5), log_snr_schedule(4)):
        with pytest.raises(ValueError, match="another alpha_bar: hand the same one to both"):
            Diffusion(Denoiser(2, other), 2, share)
    with pytest.raises(ValueError, match="denoiser's size is 3 and the diffusion's 2"):
        Diffusion(Denoiser(3, share), 2, share)
    Diffusion(Denoiser(2, share).double(), 2, share)


ONE = torch.ones(3, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda m: m.bound_terms(torch.zeros(3, 1), torch.zeros(4, 3, 2)),
            ValueError,
            "x has shape.*must be 2",
        ),
        (lambda m: m.bound_terms(data(3), torch.zeros(4, 3, 1)), ValueError, "eps has shape"),
        (lambda m: m.bound_terms(data(3), torch.zeros(5, 3, 2)), ValueError, "here with T = 4"),
        (lambda m: m.add_noise(data(3), ONE, torch.zeros(3, 1)), ValueError, "eps has shape"),
        (lambda m: m.add_noise([[0.0, 0.0]], ONE, data(3)), TypeError, "x is a list"),
        (lambda m: m.step(torch.zeros(3, 4), ONE, data(3)), ValueError, "x_t has shape"),
        (lambda m: m.step(data(3), ONE, torch.zeros(3, 1)), ValueError, "eps has shape"),
        (lambda m: m.denoise(torch.zeros(3, 4), ONE), ValueError, "dimension must be 2"),
        (lambda m: m.posterior(torch.zeros(3, 4)), ValueError, "x has shape"),
        (lambda m: m.posterior(data(3)).sample(torch.zeros(3, 6)), ValueError, "must be 8"),
        (lambda m: m.posterior(data(3)).log_prob(torch.zeros(3, 2)), ValueError, "must be 8"),
        (lambda m: m.log_prior(torch.zeros(3, 6)), ValueError, r"z has shape \[3, 6\].*must be 8"),
        (lambda m: m.log_likelihood(torch.zeros(3, 1), torch.zeros(3, 8)), ValueError, "x has"),
        (lambda m: m.sample(3, 0), TypeError, "generator is a int"),
        (lambda m: noise_terms(m, data(3), 0), TypeError, "generator is a int"),
    ],
)
def test_wrong_shapes_are_named(call, error, message):
    share = cosine_schedule(4)
    with pytest.raises(error, match=message):
        call(Diffusion(Denoiser(2, share, width=8), 2, share))
