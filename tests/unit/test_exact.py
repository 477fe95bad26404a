"""Quadrature against closed forms: where the truth is known, the grid must find it."""

import math
import re
import warnings
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lib.distributions import bernoulli_log_prob, standard_normal_log_prob
from vae_lib.exact import (
    Grid,
    expectation_on_grid,
    kl_on_grid,
    line,
    log_evidence,
    log_joint,
    log_posterior,
    plane,
)
from vae_lib.models import LIKELIHOODS, VAE, Autoencoder, LatentVariableModel

F64 = torch.float64
LINE = line(-12, 12, 1201)
PLANE = plane((-9, -9), (9, 9), 241)


def number(low, high):
    return st.floats(low, high, allow_nan=False)


def normal(mean, std) -> Normal:
    return Normal(torch.tensor(mean, dtype=F64), torch.tensor(std, dtype=F64))


def linear_joint(x, w, b, s, grid=LINE):
    """log p(x, z) of z ~ N(0, 1), x | z ~ N(w z + b, s²) at the nodes."""
    z = grid.nodes[:, 0]
    return Normal(w * z + b, s).log_prob(torch.tensor(x, dtype=F64)) + normal(0.0, 1.0).log_prob(z)


# ---- grids -------------------------------------------------------------------------------------


def test_a_line_has_even_nodes_and_weights_that_sum_to_its_length():
    grid = line(-1, 3, 9)
    assert grid.nodes.shape == (9, 1) and grid.log_weights.shape == (9,)
    assert grid.nodes.dtype == grid.log_weights.dtype == F64
    torch.testing.assert_close(grid.nodes[:, 0].diff(), torch.full((8,), 0.5, dtype=F64))
    assert float(grid.log_weights.exp().sum()) == pytest.approx(4.0, abs=1e-12)


def test_a_plane_covers_its_rectangle_and_keeps_node_and_weight_together():
    grid = plane((-1, 0), (1, 3), 5)
    assert grid.nodes.shape == (25, 2) and grid.log_weights.shape == (25,)
    assert grid.nodes.min(0).values.tolist() == [-1, 0]
    assert grid.nodes.max(0).values.tolist() == [1, 3]
    assert float(grid.log_weights.exp().sum()) == pytest.approx(6.0, abs=1e-12)
    # The trapezium rule is exact for a bilinear integrand, only if weights follow their nodes.
    z = grid.nodes
    value = (grid.log_weights.exp() * (z[:, 0] + 2) * (z[:, 1] + 1)).sum()
    assert float(value) == pytest.approx(4 * 7.5, abs=1e-12)


def test_a_plane_is_the_product_of_two_lines():
    """∫∫ f g = ∫ f · ∫ g on the same nodes, exactly."""
    across, up, both = line(-1, 2, 7), line(0, 3, 7), plane((-1, 0), (2, 3), 7)
    f, g = (across.nodes[:, 0] * 1.3).sin().exp(), (up.nodes[:, 0] * 0.7).cos().exp()
    product = (f.log()[:, None] + g.log()).flatten()
    expected = log_evidence(f.log(), across) + log_evidence(g.log(), up)
    torch.testing.assert_close(log_evidence(product, both), expected)


@pytest.mark.parametrize("points", [0, 1, 2])
def test_too_few_nodes_are_refused(points):
    with pytest.raises(ValueError, match="at least 3 nodes"):
        line(-1, 1, points)


@pytest.mark.parametrize("low, high", [(1, 1), (2, -2), (-math.inf, 1), (math.nan, 1)])
def test_an_empty_or_reversed_interval_is_refused(low, high):
    with pytest.raises(ValueError, match="swap them"):
        line(low, high, 11)
    with pytest.raises(ValueError, match="swap them"):
        plane((-1, low), (1, high), 11)


def test_corners_of_different_dimensions_are_refused():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        plane((-1,), (1, 1), 11)


@pytest.mark.parametrize("shape", [(10,), (11, 1), (3, 12)])
def test_values_that_do_not_fit_the_grid_are_refused(shape):
    grid, values = line(-1, 1, 11), torch.zeros(shape, dtype=F64)
    for call in (
        lambda: log_evidence(values, grid),
        lambda: log_posterior(values, grid),
        lambda: kl_on_grid(values, values, grid),
        lambda: expectation_on_grid(values, values, grid),
    ):
        with pytest.raises(ValueError, match=r"the grid has 11 nodes: tabulate"):
            call()


# ---- the linear-Gaussian model, where everything is known ---------------------------------------

models = {"x": number(-4, 4), "w": number(-2, 2), "b": number(-1, 1), "s": number(0.2, 2)}


@settings(max_examples=60, deadline=None)
@given(**models)
def test_evidence_of_the_linear_gaussian_model(x, w, b, s):
    """p(x) = N(x; b, w² + s²)."""
    want = normal(b, math.hypot(w, s)).log_prob(torch.tensor(x, dtype=F64))
    got = log_evidence(linear_joint(x, w, b, s), LINE)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(**models)
def test_posterior_of_the_linear_gaussian_model(x, w, b, s):
    """p(z|x) = N(v w (x - b) / s², v), v = s² / (s² + w²)."""
    v = s**2 / (s**2 + w**2)
    want = normal(v * w * (x - b) / s**2, v**0.5).log_prob(LINE.nodes[:, 0])
    got = log_posterior(linear_joint(x, w, b, s), LINE)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
    assert float((got + LINE.log_weights).exp().sum()) == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(mu=number(-2, 2), logvar=number(-4, 0.5), **models)
def test_evidence_is_elbo_plus_kl_with_each_from_its_own_closed_form(mu, logvar, x, w, b, s):
    q, v = normal(mu, math.exp(logvar / 2)), s**2 / (s**2 + w**2)
    expected_loglik = -0.5 * (
        math.log(2 * math.pi * s**2) + ((x - b - w * mu) ** 2 + w**2 * q.variance) / s**2
    )
    elbo = expected_loglik - kl_divergence(q, normal(0.0, 1.0))
    gap = kl_divergence(q, normal(v * w * (x - b) / s**2, v**0.5))
    joint, log_q = linear_joint(x, w, b, s), q.log_prob(LINE.nodes[:, 0])
    on_grid = {
        "elbo": (expectation_on_grid(log_q, joint - log_q, LINE), elbo),
        "kl": (kl_on_grid(log_q, log_posterior(joint, LINE), LINE), gap),
        "evidence": (log_evidence(joint, LINE), elbo + gap),
    }
    for name, (got, want) in on_grid.items():
        assert float(got) == pytest.approx(float(want), rel=1e-7, abs=1e-7), name


def two_factors():
    """z ~ N(0, I₂), x | z ~ N(W z + b, s² I₃): x, W, b, s."""
    x = torch.tensor([0.7, -0.4, 1.1], dtype=F64)
    weights = torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]], dtype=F64)
    return x, weights, torch.tensor([0.1, -0.2, 0.3], dtype=F64), 0.6


def test_evidence_and_posterior_of_two_correlated_factors():
    """p(x) = N(b, W Wᵀ + s² I); p(z|x) has precision I + Wᵀ W / s²."""
    x, weights, b, s = two_factors()
    joint = Normal(PLANE.nodes @ weights.T + b, s).log_prob(x).sum(-1)
    joint = joint + standard_normal_log_prob(PLANE.nodes)
    evidence = MultivariateNormal(b, weights @ weights.T + s**2 * torch.eye(3, dtype=F64))
    torch.testing.assert_close(log_evidence(joint, PLANE), evidence.log_prob(x))
    precision = torch.eye(2, dtype=F64) + weights.T @ weights / s**2
    mean = torch.linalg.solve(precision, weights.T @ (x - b) / s**2)
    posterior = MultivariateNormal(mean, precision_matrix=precision)
    got = log_posterior(joint, PLANE)
    torch.testing.assert_close(got, posterior.log_prob(PLANE.nodes))
    assert precision[0, 1].abs() > 0.1  # correlated, so that the axes cannot be swapped unseen
    found = expectation_on_grid(got, PLANE.nodes.T, PLANE)
    torch.testing.assert_close(found, mean)


def test_kl_of_correlated_gaussians_on_the_plane():
    q = MultivariateNormal(
        torch.tensor([0.5, -0.3]).to(F64), torch.tensor([[0.6, 0.3], [0.3, 0.5]]).to(F64)
    )
    p = MultivariateNormal(
        torch.zeros(2, dtype=F64), torch.tensor([[1.0, -0.4], [-0.4, 0.9]]).to(F64)
    )
    got = kl_on_grid(q.log_prob(PLANE.nodes), p.log_prob(PLANE.nodes), PLANE)
    torch.testing.assert_close(got, kl_divergence(q, p))


# ---- what holds for any density -----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(mu=number(-2, 2), std=number(0.1, 1.2), shift=number(-3, 3), scale=number(0.3, 1.2))
def test_kl_agrees_with_torch_and_is_not_negative(mu, std, shift, scale):
    q, p = normal(mu, std), normal(shift, scale)
    z = LINE.nodes[:, 0]
    got = kl_on_grid(q.log_prob(z), p.log_prob(z), LINE)
    assert float(got) == pytest.approx(float(kl_divergence(q, p)), rel=1e-7, abs=1e-9)
    assert float(got) >= -1e-12
    assert float(kl_on_grid(q.log_prob(z), q.log_prob(z), LINE)) == 0


@settings(max_examples=30, deadline=None)
@given(shift=st.sampled_from([-1e4, -700.0, 0.0, 700.0, 1e4]), x=number(-3, 3))
def test_evidence_shifts_with_the_joint_and_neither_under_nor_overflows(shift, x):
    joint = linear_joint(x, 1.0, 0.0, 0.5)
    got = log_evidence(joint + shift, LINE)
    torch.testing.assert_close(got, log_evidence(joint, LINE) + shift, rtol=0, atol=1e-8)
    posteriors = (log_posterior(values, LINE) for values in (joint + shift, joint))
    torch.testing.assert_close(*posteriors, rtol=0, atol=1e-8)


def test_every_function_takes_leading_batch_dimensions():
    rows = [linear_joint(x, 1.0, 0.0, 0.5) for x in (-1.0, 0.0, 2.0)]
    joint, log_q = torch.stack(rows).reshape(3, 1, -1), normal(0.0, 1.0).log_prob(LINE.nodes[:, 0])
    posterior = log_posterior(joint, LINE)
    assert log_evidence(joint, LINE).shape == (3, 1) and posterior.shape == joint.shape
    kl = kl_on_grid(log_q.expand_as(posterior), posterior, LINE)
    for k, row in enumerate(rows):
        torch.testing.assert_close(log_evidence(joint, LINE)[k, 0], log_evidence(row, LINE))
        torch.testing.assert_close(kl[k, 0], kl_on_grid(log_q, log_posterior(row, LINE), LINE))


def test_where_q_is_zero_the_integrand_is_not_seen():
    """0 log 0 = 0: a q with bounded support, against a density that covers it."""
    grid = line(-4, 4, 801)
    z = grid.nodes[:, 0]
    log_q = torch.where(z.abs() <= 1, math.log(0.5), -torch.inf).to(F64)
    log_p = torch.where(z.abs() <= 2, math.log(0.25), -torch.inf).to(F64)
    # The edges of a step are off by half a cell: the tolerance is the step, not rounding.
    assert float(kl_on_grid(log_q, log_p, grid)) == pytest.approx(math.log(2), abs=0.01)
    assert float(kl_on_grid(log_p, log_q, grid)) == math.inf  # p has mass where q has none
    assert expectation_on_grid(log_q, z.log(), grid).isnan()  # NaN where q > 0 is not hidden


def test_gradients_pass_through_quadrature():
    """d KL / dμ of two unit Gaussians is their distance."""
    mu = torch.tensor(0.8, dtype=F64, requires_grad=True)
    z = LINE.nodes[:, 0]
    kl_on_grid(Normal(mu, 1.0).log_prob(z), normal(0.0, 1.0).log_prob(z), LINE).backward()
    assert float(mu.grad) == pytest.approx(0.8, abs=1e-9)


def test_the_trapezium_rule_converges_faster_than_any_power_on_a_smooth_integrand():
    """Halving the step more than squares the error of a Gaussian's integral, to rounding."""
    z_range, errors = 10, []
    for points in (9, 17, 33, 65):
        grid = line(-z_range, z_range, points)
        joint = normal(0.3, 1.0).log_prob(grid.nodes[:, 0])
        errors.append(abs(float(warned(log_evidence, joint, grid)[0])))
    assert errors[0] > 0.01  # a step of 2.5 standard deviations is too coarse
    for coarse, fine in pairwise(errors):
        assert fine < max(coarse**2, 1e-12)


def test_a_grid_that_cuts_the_density_off_loses_that_mass():
    """The error to look for when log p(x) comes out too low: the grid ends too soon."""
    grid = line(-1, 1, 2001)
    got = log_evidence(normal(0.0, 1.0).log_prob(grid.nodes[:, 0]), grid)
    assert float(got.exp()) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-6)


# ---- a VAE's joint ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vae():
    return VAE(latent=2, hidden=(16,), seed=3)


@pytest.fixture(scope="module")
def digits():
    return torch.bernoulli(torch.full((3, 784), 0.4), generator=torch.Generator().manual_seed(1))


def test_log_joint_of_a_vae_is_likelihood_plus_prior(vae, digits):
    grid = plane((-3, -3), (3, 3), 5)
    with torch.no_grad():
        logits = vae.decode(grid.nodes.float())
    want = bernoulli_log_prob(digits[:, None], logits) + standard_normal_log_prob(grid.nodes)
    got = log_joint(vae, digits, grid)
    assert got.shape == (3, 25) and got.dtype == F64
    torch.testing.assert_close(got, want.to(F64), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(log_joint(vae, digits, grid, chunk=7), got)


def test_log_joint_leaves_the_model_as_it_was(vae, digits):
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    log_joint(vae, digits, plane((-1, -1), (1, 1), 3))
    for name, value in vae.state_dict().items():
        assert value.dtype == torch.float32 and torch.equal(value, before[name])


def test_log_joint_says_what_is_wrong(vae, digits):
    grid = plane((-1, -1), (1, 1), 3)
    with pytest.raises(ValueError, match=r"x \[3, 700\], logits"):
        log_joint(vae, digits[:, :700], grid)
    with pytest.raises(ValueError, match="outside"):
        log_joint(vae, digits * 255, grid)
    with pytest.raises(ValueError, match="the grid has 1 dimensions and the model's z 2: line"):
        log_joint(vae, digits, line(-1, 1, 3))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_log_joint_of_every_likelihood_at_one_node_at_a_time(kind, likelihood):
    model = kind(latent=1, hidden=(5,), shape=(9,), likelihood=likelihood)
    x = torch.rand(2, 3, 9, generator=torch.Generator().manual_seed(0))
    grid = line(-2, 2, 7)
    got = log_joint(model, x, grid)
    assert got.shape == (2, 3, 7)
    model.double()
    for k, z in enumerate(grid.nodes):
        want = model.log_likelihood(x.double(), z.expand(2, 3, 1)) + model.log_prior(z)
        torch.testing.assert_close(got[..., k], want.detach())
    torch.testing.assert_close(log_joint(model, x[0, 0], grid), got[0, 0])
    torch.testing.assert_close(log_joint(model, x, grid, chunk=1), got)


def test_log_joint_takes_plain_functions_and_a_learned_prior():
    toy = LatentVariableModel(
        1, standard_normal_log_prob, lambda x, z: -((x - z) ** 2).sum(-1), lambda x: None
    )
    x = torch.tensor([[0.5], [2.0]], dtype=F64)
    z = LINE.nodes[:, 0]
    want = -((x - z) ** 2) + standard_normal_log_prob(LINE.nodes)
    torch.testing.assert_close(log_joint(toy, x, LINE), want)
    vae = VAE(latent=1, hidden=(5,), shape=(9,), components=3)
    with torch.no_grad():
        learned = log_joint(vae, torch.zeros(1, 9), LINE)
        prior = vae.double().prior.log_prob(LINE.nodes)
        likelihood = vae.log_likelihood(torch.zeros(1, 9).double(), LINE.nodes[:, None])[:, 0]
    torch.testing.assert_close(learned[0], prior + likelihood)


@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_log_joint_works_on_so_many_pairs_at_once(chunk):
    seen = []

    def log_likelihood(x, z):
        seen.append(len(x) * len(z))
        return -((x - z) ** 2).sum(-1)

    toy = LatentVariableModel(1, standard_normal_log_prob, log_likelihood, lambda x: None)
    log_joint(toy, torch.zeros(4, 1), line(-1, 1, 31), chunk)
    assert max(seen) == max(4, chunk // 4 * 4) and sum(seen) == 4 * 31


def test_log_joint_tracks_no_gradient_and_stays_on_the_grid_s_device(vae, digits):
    joint = log_joint(vae, digits, plane((-1, -1), (1, 1), 3))
    assert not joint.requires_grad and all(p.grad is None for p in vae.parameters())
    far = log_joint(
        VAE(latent=2, hidden=(4,)).to("meta"),
        torch.zeros(3, 784),
        Grid(torch.zeros(9, 2, dtype=F64, device="meta"), torch.zeros(9, device="meta")),
    )
    assert far.device.type == "meta" and far.shape == (3, 9)


def test_grids_are_made_on_the_device_asked_for():
    for grid in (line(-1, 1, 5, "meta"), plane((-1, -1), (1, 1), 5, device="meta")):
        assert {part.device.type for part in grid} == {"meta"}


def test_sure_pixels_are_exact_far_beyond_where_softplus_bends(vae, digits):
    """Logits of ±200: log p(x|z) is minus the sum of those that are wrong."""
    loud = VAE(latent=2, hidden=())
    with torch.no_grad():
        loud.decoder[0].weight.zero_()
        loud.decoder[0].bias.copy_(400 * digits[0] - 200)
    grid = plane((-1, -1), (1, 1), 3)
    wrong = (digits != digits[0]).sum(1, dtype=F64)
    want = -200 * wrong[:, None] + standard_normal_log_prob(grid.nodes)
    torch.testing.assert_close(log_joint(loud, digits, grid), want, rtol=0, atol=1e-9)


# ---- a grid too coarse says so -------------------------------------------------------------------


def narrow(std, mean, grid):
    """log N(z; mean, std²) along the first axis, N(0, 1) along the others."""
    z = grid.nodes
    return normal(mean, std).log_prob(z[:, 0]) + normal(0.0, 1.0).log_prob(z[:, 1:]).sum(-1)


def warned(function, *args):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function(*args)
    return value, [str(w.message) for w in caught if w.category is RuntimeWarning]


@settings(max_examples=150, deadline=None)
@given(steps=number(0.05, 2.0), offset=number(0, 1))
def test_a_coarse_grid_warns_before_the_evidence_is_off_by_a_thousandth(steps, offset):
    """A Gaussian as wide as so many steps, anywhere between two nodes; the truth is 0."""
    grid = line(-8, 8, 501)
    value, said = warned(log_evidence, narrow(0.032 * steps, 0.032 * offset, grid), grid)
    assert said or abs(float(value)) < 1e-3
    if steps > 0.85:
        assert not said, "a fine grid was called coarse"


@pytest.mark.parametrize("flip", [False, True])
def test_the_warning_carries_its_numbers(flip):
    """The issue's case: σ = 0.005 on a step of 0.032, off by 1.06 nats, along either axis."""
    grid = plane((-8, -8), (8, 8), 501)
    joint = narrow(0.005, 0.0, grid).reshape(501, 501)
    joint = (joint.T if flip else joint).flatten()
    smooth = narrow(0.5, 0.0, grid)
    for values in (joint, torch.stack([smooth, joint])):
        value, said = warned(log_evidence, values, grid)
        assert float(value.max()) > 0.9
        (message,) = said
        assert f"1 of {1 if values.ndim == 1 else 2} integrals" in message
        assert f"axis {int(flip)}, where the step is 0.032:" in message
        assert float(re.search(r"up to (\S+) nats", message)[1]) > 15
    assert warned(log_evidence, smooth, grid)[1] == []
    for function in (log_posterior, lambda v, g: kl_on_grid(v, v, g)):
        assert len(warned(function, joint, grid)[1]) == 1


def test_the_guard_says_nothing_where_it_cannot_judge():
    """A table of zeros, a grid of other making: no warning, and the sum as it is."""
    empty = torch.full((1201,), -torch.inf, dtype=F64)
    value, said = warned(log_evidence, empty, LINE)
    assert float(value) == -torch.inf and said == []
    odd = Grid(torch.zeros(7, 2, dtype=F64), torch.zeros(7, dtype=F64))
    assert warned(log_evidence, torch.arange(7.0).double() * 100, odd)[1] == []
