"""Diffusion against exact values: Gaussian data, where the best denoiser is known."""

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
        assert float(model.backward_mean(x_t[None], x[None], at)) == pytest.approx(mean, abs=1e-4)
        assert float(model.narrow[t - 2]) == pytest.approx(spread, rel=1e-3)


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
        (torch.tensor([1.0, 0.5, 0.0]), "end above 0"),
    ],
)
def test_wrong_schedules_are_named(alpha_bar, message):
    with pytest.raises(ValueError, match=message):
        Diffusion(lambda x, t: x, 2, alpha_bar)
    with pytest.raises(ValueError, match="at least 2"):
        cosine_schedule(1)
    with pytest.raises(ValueError, match="at least 2"):
        log_snr_schedule(1)
    with pytest.raises(ValueError, match="must fall"):
        log_snr_schedule(5, -1.0, 1.0)
