"""fit: it learns, repeats itself, keeps its best weights whatever happens, and refuses nonsense."""

import copy
import math

import pytest
import torch

from vae_lib import training
from vae_lib.bounds import elbo, elbo_terms, reconstruction_terms
from vae_lib.data import jitter, load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import History, adam, evaluate, fit, load_checkpoint, pick_device


@pytest.fixture(scope="module")
def digits():
    return load_digits("train").images[::20], load_digits("heldout").images[::20]


def small(kind=VAE, seed=0):
    return kind(latent=2, hidden=(16,), seed=seed)


def run(digits, model=None, objective=elbo_terms, **options):
    """A quick training on 200 digits: (model, history)."""
    model = model or small()
    options = {"epochs": 3, "device": "cpu", "progress": False} | options
    return model, fit(model, *digits, objective, **options)


def same(weights, others) -> bool:
    return all(torch.equal(w, others[name]) for name, w in weights.items())


def snapshots(at: dict):
    """An on_epoch that keeps a copy of the weights after each epoch."""

    def keep(model, history):
        at[len(history.rows)] = copy.deepcopy(model.state_dict())

    return keep


# Learning


@pytest.mark.parametrize(
    ("kind", "objective"), [(Autoencoder, reconstruction_terms), (VAE, elbo_terms)]
)
def test_training_improves_the_loss(digits, kind, objective):
    model = small(kind)
    before = evaluate(model, digits[1], objective)["heldout_loss"]
    _, history = run(digits, model, objective, epochs=12, lr=1e-2)
    assert before == pytest.approx(784 * math.log(2), rel=0.05), "an untrained net tosses coins"
    assert min(history.column("heldout_loss")) < before - 200
    assert history.column("train_loss")[-1] < history.column("train_loss")[0]


def test_one_step_goes_downhill(digits):
    """A plain gradient step of size h lowers the mean loss by h |gradient|², to first order."""
    model, x = small().double(), digits[0][:8].double().round()
    step = 1e-7

    def terms():
        return {"loss": -elbo(model, x, torch.ones(8, 2, dtype=x.dtype)).elbo}

    optimiser = torch.optim.SGD(model.parameters(), lr=step)
    before = training.training_step(terms, optimiser)["loss"].mean()
    fall = before - terms()["loss"].detach().mean()
    gradient = sum(float((p.grad**2).sum()) for p in model.parameters())
    assert float(fall) == pytest.approx(step * gradient, rel=1e-3)


def test_runs_of_one_seed_agree_and_others_differ(digits):
    (one, first), (two, second), (other, _) = (run(digits, seed=s) for s in (5, 5, 6))
    assert same(one.state_dict(), two.state_dict())
    assert first.column("heldout_loss") == second.column("heldout_loss")
    assert not same(one.state_dict(), other.state_dict())


def test_training_leaves_the_global_generator_and_the_images_alone(digits):
    state, kept = torch.get_rng_state(), digits[0].clone()
    run(digits, epochs=1, augment=jitter)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(digits[0], kept)


def test_augment_sees_every_batch_with_the_generator_of_the_run(digits):
    seen = []

    def augment(images, generator):
        seen.append((len(images), generator))
        return images

    run(digits, epochs=2, batch_size=64, augment=augment)
    assert [count for count, _ in seen] == [64, 64, 64, 8] * 2
    assert len({id(generator) for _, generator in seen}) == 1


# What is told


def test_history_has_a_row_an_epoch_and_a_column_a_term(digits):
    _, history = run(digits)
    assert history.column("epoch") == [1, 2, 3]
    terms = {f"{part}_{term}" for part in ("train", "heldout") for term in ("loss", "nll", "kl")}
    assert set(history.rows[0]) == terms | {"epoch", "seconds"}
    for row in history.rows:
        assert row["heldout_loss"] == pytest.approx(row["heldout_nll"] + row["heldout_kl"])
    with pytest.raises(KeyError, match=r"no column 'accuracy'.*heldout_kl"):
        history.column("accuracy")


def test_reported_losses_are_nats_per_digit_whatever_the_batch(digits):
    """The last batch is short: a mean of batch means would be off."""

    def size_of(model, x, generator):
        return {"loss": x.sum(-1) + 0 * model(x).sum(-1)}

    white = (digits[0] > 0.5).float()
    result = evaluate(small(), white, size_of, batch_size=64)["heldout_loss"]
    assert result == pytest.approx(float(white.sum(-1).mean()), rel=1e-6)


def test_evaluation_repeats_itself(digits):
    model = small()
    first, again, other = (evaluate(model, digits[1], elbo_terms, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_evaluation_tracks_no_gradient(digits):
    model = small()
    evaluate(model, digits[1], elbo_terms)
    assert all(p.grad is None for p in model.parameters())


def test_the_history_s_row_is_what_evaluation_says_of_the_kept_weights(digits):
    model, history = run(digits, seed=3)
    best = history.rows[history.best_epoch - 1]
    again = evaluate(model, digits[1], elbo_terms, seed=3)
    assert {name: best[name] for name in again} == pytest.approx(again)


@pytest.mark.parametrize(
    ("progress", "variable", "silent"),
    [(True, None, False), (True, "0", False), (True, "1", True), (False, None, True)],
)
def test_the_progress_bar_shows_unless_silenced(digits, monkeypatch, progress, variable, silent):
    """In a notebook too, whose stderr is no terminal."""
    told = []

    class Bar(training.tqdm):
        def __init__(self, *args, disable, **options):
            told.append(disable)
            super().__init__(*args, disable=True, **options)

    monkeypatch.setattr(training, "tqdm", Bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if variable is not None:
        monkeypatch.setenv("TQDM_DISABLE", variable)
    run(digits, epochs=1, progress=progress)
    assert told == [silent]


# The best weights


def test_the_best_weights_come_back_after_a_worse_epoch(digits):
    at = {}

    def keep_then_spoil(model, history):
        at[len(history.rows)] = copy.deepcopy(model.state_dict())
        if len(history.rows) == 2:
            for weight in model.parameters():
                weight.data.mul_(-3)

    model, history = run(digits, epochs=3, on_epoch=keep_then_spoil)
    losses = history.column("heldout_loss")
    assert losses[2] > losses[1], "the third epoch was meant to be worse"
    assert history.best_epoch == 2
    assert same(model.state_dict(), at[2])


def test_an_interrupt_keeps_the_best_weights(digits):
    at = {}

    def stop(model, history):
        snapshots(at)(model, history)
        if len(history.rows) == 2:
            for weight in model.parameters():
                weight.data.zero_()
            raise KeyboardInterrupt

    model, history = run(digits, epochs=50, on_epoch=stop)
    assert history.interrupted
    assert len(history.rows) == 2
    assert same(model.state_dict(), at[history.best_epoch])


def test_an_interrupt_within_an_epoch_keeps_the_epochs_before(digits):
    at, calls = {}, []

    def interrupted(model, x, generator):
        calls.append(len(x))
        if len(calls) == 7:  # four training batches and one evaluation make an epoch
            raise KeyboardInterrupt
        return elbo_terms(model, x, generator)

    model, history = run(digits, objective=interrupted, epochs=9, on_epoch=snapshots(at))
    assert history.interrupted
    assert len(history.rows) == 1
    assert same(model.state_dict(), at[1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_its_epoch_and_restores(digits, value):
    at = {}

    def breaks(model, x, generator):
        terms = elbo_terms(model, x, generator)
        return terms if len(at) < 2 else {name: term * value for name, term in terms.items()}

    model = small()
    with pytest.raises(FloatingPointError, match=r"train_loss is (nan|-?inf) at epoch 3: lower lr"):
        run(digits, model, breaks, epochs=5, on_epoch=snapshots(at))
    assert same(model.state_dict(), at[2])


def test_patience_ends_a_training_that_no_longer_improves(digits):
    def flat(model, x, generator):
        return {"loss": 1 + 0 * model(x).sum(-1)}

    _, history = run(digits, objective=flat, epochs=50, patience=3)
    assert history.best_epoch == 1
    assert len(history.rows) == 4
    _, history = run(digits, objective=flat, epochs=6, patience=None)
    assert len(history.rows) == 6


def test_the_checkpoint_holds_the_best_weights_as_they_come(digits, tmp_path):
    path, at = tmp_path / "best.safetensors", {}

    def stop(model, history):
        at.update(load_checkpoint(path).state_dict())
        raise KeyboardInterrupt

    model, _ = run(digits, checkpoint=path, on_epoch=stop)
    assert same(model.state_dict(), at)


# Devices


def there(monkeypatch, cuda: bool, mps: bool):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_there_is(monkeypatch, cuda, mps, best):
    there(monkeypatch, cuda, mps)
    assert pick_device() == torch.device(best)
    assert pick_device("cpu") == torch.device("cpu")


def test_a_device_by_number(monkeypatch):
    there(monkeypatch, cuda=True, mps=False)
    assert pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "tpu", "meta", ""])
def test_an_absent_device_lists_those_there_are(monkeypatch, name):
    there(monkeypatch, cuda=False, mps=False)
    with pytest.raises(ValueError, match=rf"device '{name}' is not available.*\['cpu'\]"):
        pick_device(name)


def test_adam_is_fused_where_it_can_be():
    assert adam(small()).defaults["fused"]
    assert not adam(small().to("meta")).defaults["fused"]


# Bad input


@pytest.mark.parametrize(
    ("train", "heldout", "words"),
    [
        (torch.zeros(0, 784), torch.zeros(5, 784), "train is empty"),
        (torch.zeros(5, 784), torch.zeros(0, 784), "heldout is empty"),
        (torch.zeros(5, 28, 28), torch.zeros(5, 784), r"train has shape \[5, 28, 28\]"),
        (torch.full((5, 784), 255.0), torch.zeros(5, 784), "train has pixels from 255 to 255"),
        (torch.zeros(5, 784), torch.full((5, 784), math.nan), "heldout has pixels .* NaN"),
        (torch.zeros(5, 784, dtype=torch.uint8), torch.zeros(5, 784), "train has dtype"),
    ],
)
def test_images_that_cannot_be_trained_on_are_named(train, heldout, words):
    with pytest.raises(ValueError, match=words):
        run((train, heldout))


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_an_objective_that_reduces_over_the_batch_is_refused(digits, reduce):
    def reduced(model, x, generator):
        return {"loss": reduce(elbo_terms(model, x, generator)["loss"])}

    with pytest.raises(ValueError, match=r"'loss' has shape \[\], not \[50\]: return one value"):
        run(digits, objective=reduced)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}])
def test_settings_that_train_nothing_are_refused(digits, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is 0"):
        run(digits, **options)


def test_a_new_history_is_empty():
    assert History().column("loss") == []


def test_the_model_comes_home_from_the_device_it_trained_on(monkeypatch):
    moves = []
    monkeypatch.setattr(Autoencoder, "to", lambda self, device: moves.append(str(device)) or self)
    model = Autoencoder(hidden=(8,))
    images = torch.rand(20, 784, generator=torch.Generator().manual_seed(0))
    fit(model, images, images, reconstruction_terms, epochs=1, device="cpu", progress=False)
    assert moves == ["cpu", "cpu"]
    moves.clear()

    def failing(*_):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fit(model, images, images, failing, epochs=1, device="cpu", progress=False)
    assert moves[-1] == "cpu" and len(moves) == 2
