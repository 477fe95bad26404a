"""The flagship's models, and the script that trains them: exact resume, gradients, data, table."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vae_lib import bounds
from vae_lib.checkpoints import (
    SHIPPED,
    load_checkpoint,
    load_curves,
    load_shipped,
    read_card,
    read_tensors,
    save_checkpoint,
)
from vae_lib.flagship import FlagshipVAE, TwoLayerVAE, WideMixture
from vae_lib.models import MixturePrior

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_flagship.py"
ROOT = SCRIPT.parents[1]
MODELS = {
    "gated": lambda: FlagshipVAE(latent=3, hidden=(6, 5), shape=(4, 4), components=2),
    "residual": lambda: FlagshipVAE(latent=3, hidden=(2, 3, 5), net="residual", shape=(4, 4)),
    "two layers": lambda: TwoLayerVAE(
        layers=(3, 2), width=5, hidden=(2, 3, 4), net="residual", shape=(4, 4), components=4
    ),
}
EVERY = pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_flagship", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_flagship"] = module
    spec.loader.exec_module(module)
    return module


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# ---- models -------------------------------------------------------------------------------------


@EVERY
def test_a_checkpoint_builds_the_model_again(tmp_path, build):
    model, x = build(), torch.rand(3, 16, generator=seeded(0)).round()
    again = load_checkpoint(save_checkpoint(model, tmp_path / "m.safetensors"))
    assert type(again) is type(model) and again.settings == model.settings
    eps = torch.randn(4, 3, model.latent, generator=seeded(1))
    with torch.no_grad():
        assert torch.equal(*(bounds.iwae_bound(m, x, eps) for m in (model, again)))


@EVERY
def test_shapes_and_draws(build):
    model, x = build(), torch.rand(3, 16, generator=seeded(0)).round()
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == model.code(x).shape == (3, model.latent)
    assert model.sample_prior(5, seeded(0)).shape == (5, model.latent)
    assert model.sample(5, seeded(0)).unique().tolist() == [0, 1]
    assert model.decode(mu).shape == (3, 16)


@EVERY
def test_draws_from_the_prior_follow_its_density(build):
    """E[p̃(z) / p(z)] = 1 over draws from p, for another density p̃."""
    model = build()
    with torch.no_grad():
        z = model.sample_prior(20_000, seeded(0)).double()
        other = torch.distributions.Normal(0.0, 0.8).log_prob(z).sum(-1)
        ratio = (other - model.double().log_prior(z)).exp()
    error = ratio.std() / len(ratio) ** 0.5
    assert error < 0.05, "too rough to test anything"
    assert (ratio.mean() - 1).abs() < 4 * error


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_wide_mixture_is_the_mixture(kind):
    wide, plain = WideMixture(50, 8, 0), MixturePrior(50, 8, 0)
    for prior in (wide, plain):
        with torch.no_grad():
            prior.logvar.normal_(-1, 1.0, generator=seeded(1))
            prior.logits.normal_(generator=seeded(2))
    z = 2 * torch.randn(3, 40, 8, generator=seeded(3), dtype=kind)
    got, want = wide.to(kind).log_prob(z), plain.double().log_prob(z.double())
    rounding = {torch.float32: 2e-4, torch.float64: 1e-10}[kind]
    torch.testing.assert_close(got.double(), want, rtol=rounding, atol=rounding)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"net": "dense"}, "unknown net 'dense'"),
        ({"net": "residual", "hidden": (8, 8)}, "a residual net takes"),
        ({"net": "residual", "hidden": (2, 3, 4), "shape": (5, 4)}, "halves two sides twice"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(options, message):
    with pytest.raises(ValueError, match=message):
        FlagshipVAE(**options)


def test_two_layers_are_two():
    with pytest.raises(ValueError, match="two sizes make two layers"):
        TwoLayerVAE(layers=(2, 3, 4))


@EVERY
def test_everything_stays_on_the_gpu(build):
    with FakeTensorMode():
        with torch.device("cuda"):
            model = build()
        x, eps = (
            torch.rand(5, 16, device="cuda"),
            torch.randn(3, 5, model.latent, device="cuda"),
        )
        results = [*bounds.elbo(model, x, eps), bounds.doubly_reparameterised(model, x, eps)]
        results += [*model.encode(x), model(x), bounds.log_weights(model, x, eps)]
    assert {t.device.type for t in results} == {"cuda"}


@EVERY
def test_in_half_precision_likelihoods_stay_in_float32(build):
    model, x = build(), torch.rand(5, 16, generator=seeded(0)).round()
    eps = torch.randn(3, 5, model.latent, generator=seeded(1))
    with torch.no_grad():
        want = bounds.log_weights(model, x, eps)
        with torch.autocast("cpu", torch.bfloat16):
            got, kind = bounds.log_weights(model, x, eps), model.decode(eps).dtype
    assert (got.dtype, kind) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(got, want, rtol=0, atol=0.05)


# ---- training -----------------------------------------------------------------------------------


def tiny(script, epochs=6, **changes):
    model = {"latent": 2, "hidden": (5,), "shape": (4, 4), "components": 3}
    recipe = script.Recipe(model, epochs, batch=8, samples=3, warmup=2, **changes)
    images = torch.rand(60, 16, generator=seeded(4))
    return script.Run(recipe, images[:40], images[40:], torch.device("cpu"))


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(script, tmp_path):
    whole, path = tiny(script), tmp_path / "whole.safetensors"
    assert whole.train_until(path)
    part, piece = tmp_path / "part.safetensors", None
    for _ in range(20):
        piece = tiny(script)
        piece.go_on(part)
        if piece.train_until(part, deadline=time.time() + 1e-3):
            break
    assert piece.epoch == 6
    for name, tensor in whole.snapshot().items():
        assert torch.equal(tensor, piece.snapshot()[name]), name
    told = [
        [{**row, "seconds": 0} for row in run.rows if row["epoch"] == 6] for run in (whole, piece)
    ]
    assert told[0] == told[1]


def test_training_helps_and_the_best_weights_are_kept(script, tmp_path):
    run, path = tiny(script, epochs=30, lr=1e-2), tmp_path / "run.safetensors"
    before = run.validate()
    run.train_until(path)
    best = min(row["validation"] for row in run.rows)
    assert best < before - 0.1
    run.average.load_state_dict(load_checkpoint(path).float().state_dict())
    assert abs(run.validate() - best) < 0.02, "float16 weights score otherwise"


def test_half_precision_on_a_cpu_rounds_and_trains_the_same_model(script):
    full, half = (tiny(script, half=half).train_epoch() for half in (False, True))
    assert half != full
    assert half == pytest.approx(full, abs=0.02)


def test_another_recipe_is_refused(script, tmp_path):
    path = tmp_path / "run.safetensors"
    tiny(script, epochs=1).train_until(path)
    with pytest.raises(ValueError, match="belongs to another run"):
        tiny(script, epochs=2).go_on(path)


def test_a_step_that_warmed_up_is_taken_back(script):
    run = tiny(script)
    run.train_epoch()
    before, next_draw = run.snapshot(), None
    for single in (True, False, False):
        run.place.zero_()
        run.step(single)
    next_draw = torch.rand(3, generator=run.generator)
    run.restore(before)
    assert not torch.equal(next_draw, torch.rand(3, generator=run.generator))
    run.restore(before)
    for name, tensor in run.snapshot().items():
        assert torch.equal(tensor, before[name]), name


def test_a_step_without_a_finite_gradient_is_left_out(script, monkeypatch):
    run = tiny(script)
    run.train_epoch()
    before, place = run.snapshot(), int(run.place)
    monkeypatch.setattr(script, "elbo", lambda model, x, eps, beta: bounds.elbo(model, x, eps / 0))
    run.place.zero_()
    run.step(True)
    for name, tensor in run.snapshot().items():
        moved = name == "generator" or name.startswith("average")
        assert moved or torch.equal(tensor, before[name]), name
    assert place and run.total.isfinite()


def test_measuring_stops_in_time_and_says_how_far_it_came(script):
    model = FlagshipVAE(latent=2, hidden=(4,), shape=(2, 2))
    images = torch.rand(2_500, 4, generator=seeded(5))
    whole = script.measure(model, images, samples=20)
    assert (whole["digits"], whole["samples"]) == (2_500, 20)
    assert 0 < whole["standard_error"] < 0.1 and 0 <= whole["sampling_bias"] < 0.1
    assert script.measure(model, images, samples=20, deadline=0)["digits"] == 1_000
    assert script.measure(model, images, samples=20) | {"seconds": 0} == whole | {"seconds": 0}


def test_the_held_out_digits_are_left_out(script):
    images = torch.randint(256, (30, 6), generator=seeded(6)) / 255
    rest = script.without(images, images[[3, 17]])
    keep = [k for k in range(30) if k not in (3, 17)]
    assert torch.equal(rest, images[keep])


@pytest.mark.skipif("VAE_LIB_DATA" not in os.environ, reason="VAE_LIB_DATA names no full MNIST")
def test_of_the_full_set_none_is_held_out(script):
    train, validation = script.split()
    assert (len(train), len(validation)) == (55_000, 4_000)
    heldout = script.load_digits("heldout").images
    both = torch.cat([train, validation])
    assert len(script.without(both, heldout)) == 59_000
    assert len(script.without(validation, train)) == 4_000


def test_table_and_curves_are_made_from_the_runs(script, tmp_path):
    run = tiny(script, epochs=1)
    run.train_until(tmp_path / "run.safetensors")
    measured = {"test": {"nll": 83.456, "standard_error": 0.234, "samples": 5000}}
    path = script.report("gated", run, measured, tmp_path)
    told = json.loads(path.read_text("utf8"))
    assert told["curve"] == run.rows and told["recipe"]["epochs"] == 1
    assert "| gated | " in script.table(tmp_path)
    assert "83.46 ± 0.23 | 5,000 | " in script.table(tmp_path)
    (curve,) = script.curves(tmp_path)
    assert curve["nats"] == [run.rows[0]["validation"]] and curve["test"] == [83.456, 0.234]


def test_another_seed_is_another_run(script, tmp_path):
    measured = {"test": {"nll": 83.0, "standard_error": 0.2, "samples": 500}}
    paths = []
    for seed in (0, 2):
        run = tiny(script, epochs=1, seed=seed)
        run.train_until(tmp_path / f"{seed}.safetensors")
        paths.append(script.report("gated", run, measured, tmp_path))
    assert [path.name for path in paths] == ["gated.json", "gated-seed-2.json"]
    assert """gated --change '{"seed": 2}'""" in json.loads(paths[1].read_text("utf8"))["command"]


def test_the_curves_that_ship_are_those_of_the_runs(script):
    assert load_curves() == script.curves(), "write them with --curves"


GRADIENTS = """
import sys, torch, torch.distributed as dist
sys.path[:0] = [{here!r}, {benchmarks!r}]
import train_flagship as script
dist.init_process_group("gloo")
import test_flagship
for seed in range(3):
    run = test_flagship.tiny(script, seed=seed)
    for single in (True, False):
        run.train_epoch()
        run.epoch = 4 * (not single)
        if dist.get_rank() == 0:
            grads = {{str(k): w.grad for k, w in enumerate(run.weights)}}
            script.write_tensors(f"{folder}/{{seed}}-{{single}}.safetensors", grads, {{}})
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_step_as_one_does(script, tmp_path):
    """Gradients and weights after whole epochs, with gloo, for several seeds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    here, bench = str(Path(__file__).parent), str(SCRIPT.parent)
    program = tmp_path / "two.py"
    program.write_text(GRADIENTS.format(here=here, benchmarks=bench, folder=tmp_path))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-port=0", "--standalone", str(program)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert ran.returncode == 0, ran.stderr[-3000:]
    for seed in range(3):
        run = tiny(script, seed=seed)
        for single in (True, False):
            run.train_epoch()
            run.epoch = 4 * (not single)
            told, _ = read_tensors(tmp_path / f"{seed}-{single}.safetensors")
            for k, weight in enumerate(run.weights):
                torch.testing.assert_close(told[str(k)], weight.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_what_can_go_on(script, tmp_path):
    """SIGKILL while it trains, at several moments: the next call ends as an unbroken run."""
    program = tmp_path / "run.py"
    here, bench, path = str(Path(__file__).parent), str(SCRIPT.parent), tmp_path / "r.safetensors"
    program.write_text(
        f"import sys; sys.path[:0] = [{here!r}, {bench!r}]\n"
        "import train_flagship as script, test_flagship, pathlib\n"
        "run = test_flagship.tiny(script, epochs=400)\n"
        f"path = pathlib.Path({str(path)!r})\n"
        "run.go_on(path)\n"
        "run.train_until(path)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for wait in (0.05, 0.4):
        child = subprocess.Popen(
            [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE
        )
        child.stdout.readline()  # the first validation is saved
        time.sleep(wait)
        child.kill()
        child.wait()
        child.stdout.close()
    assert read_tensors(script.resume_path(path))[1]["epoch"] > 0
    subprocess.run([sys.executable, str(program)], env=environment, check=True, capture_output=True)
    whole = tiny(script, epochs=400)
    whole.train_until(tmp_path / "whole.safetensors")
    tensors, _ = read_tensors(script.resume_path(path))
    for name, tensor in whole.snapshot().items():
        assert torch.equal(tensor, tensors[name]), name


# ---- what ships ---------------------------------------------------------------------------------

AIMS = {"one-layer": 84.0, "one-layer-mixture": 82.0, "two-layers": 81.5}


@pytest.mark.parametrize("name", AIMS)
def test_shipped_weights_meet_their_aim_and_their_card(script, name):
    """The card's numbers are those of the run's file; a tenth of the held-out digits agrees."""
    path = SHIPPED / f"flagship-{name}.safetensors"
    card, model = read_card(path), load_shipped(f"flagship-{name}")
    told = json.loads((script.RESULTS / f"{name}.json").read_text("utf8"))
    assert card["measured"] == told["measured"]
    assert card == json.loads(path.with_suffix(".json").read_text("utf8"))
    test, heldout = (card["measured"][what] for what in ("test", "heldout"))
    assert (test["digits"], test["samples"], heldout["digits"]) == (10_000, 5_000, 1_000)
    assert test["nll"] + 2 * test["standard_error"] < AIMS[name]
    assert {w.dtype for w in model.parameters()} == {torch.float32}
    some = script.load_digits("heldout").images[::10]
    seen = script.measure(model, some, samples=20, chunk=300)
    assert abs(seen["nll"] - heldout["nll"] - 1.0) < 3 * seen["standard_error"]


def test_shipped_weights_are_a_few_megabytes():
    assert sum(path.stat().st_size for path in SHIPPED.glob("flagship-*")) < 6.5e6


@pytest.mark.parametrize("name", AIMS)
def test_shipped_weights_score_held_out_digits_no_better_than_the_test_set(name):
    """Had they been trained on, they would score better."""
    told = read_card(SHIPPED / f"flagship-{name}.safetensors")["measured"]
    test, heldout = told["test"], told["heldout"]
    assert heldout["nll"] > test["nll"] - heldout["standard_error"]


def test_the_page_shows_the_table_that_the_runs_make(script):
    page = (ROOT / "book" / "beyond-one-device.md").read_text("utf8")
    assert script.table() in page, "paste what --table prints"


def test_weights_are_shipped_with_their_run_as_card(script, tmp_path):
    run, path = tiny(script, epochs=1), tmp_path / "gated.safetensors"
    run.train_until(path)
    script.report("gated", run, {"test": {"nll": 1.0}}, tmp_path, runs=3)
    shipped = script.ship("gated", tmp_path, tmp_path, tmp_path / "weights")
    card = read_card(shipped)
    assert shipped.name == "flagship-gated.safetensors"
    assert card["measured"] == {"test": {"nll": 1.0}} and card["machine"]["runs_at_once"] == 3
    assert "curve" not in card
    assert {w.dtype for w in load_checkpoint(shipped).parameters()} == {torch.float16}
