"""fit: it learns, repeats itself, keeps its best weights whatever happens, and refuses nonsense."""

import copy
import io
import itertools
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pretend
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, MultiStepLR, ReduceLROnPlateau
from torch.utils.data import DataLoader

from vae_lib import training
from vae_lib.bounds import elbo, elbo_terms, reconstruction_terms
from vae_lib.checkpoints import load_checkpoint, load_shipped, read_card, read_tensors
from vae_lib.data import Digits, binarise, jitter, load_digits
from vae_lib.models import VAE, Autoencoder
from vae_lib.training import History, adam, evaluate, fit, pick_device


@pytest.fixture(scope="module")
def digits():
    return load_digits("train").images[::20], load_digits("heldout").images[::20]


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell starts what runs in the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
        at[history.rows[-1]["epoch"]] = copy.deepcopy(model.state_dict())

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


# Against a loop written by hand


def noisy(model, x, generator):
    """-ELBO by noise that this file draws itself, so that a loop by hand can draw the same."""
    eps = torch.randn(len(x), model.latent, generator=generator)
    return {"loss": -elbo(model, x, eps).elbo}


def white(images, generator):
    return (torch.rand(images.shape, generator=generator) < images).float()


def mirrored(images, generator):
    """An augmentation that draws: each image from left to right or from right to left."""
    turn = torch.rand(len(images), 1, generator=generator) < 0.5
    return torch.where(turn, images.flip(1), images)


def by_hand(model, images, optimiser, seed=0, augment=None, binarisation="dynamic", schedule=None):
    """Two epochs in batches of 50: each epoch's mean loss."""
    draws, losses = torch.Generator().manual_seed(seed), []
    if binarisation == "static":
        images = white(images, torch.Generator().manual_seed(seed))
    for _ in range(2):
        total = 0.0
        for chosen in torch.randperm(len(images), generator=draws).split(50):
            x = images[chosen]
            if augment is not None:
                x = augment(x, draws)
            if binarisation == "dynamic":
                x = white(x, draws)
            loss = noisy(model, x, draws)["loss"]
            total += float(loss.detach().double().sum())
            for weight in model.parameters():
                weight.grad = None
            loss.mean().backward()
            optimiser.step()
        if schedule is not None:
            schedule.step()
        losses.append(total / len(images))
    return losses


@pytest.mark.parametrize(
    ("options", "lr"),
    [
        ({}, 2e-3),
        ({"lr": 1e-3}, 1e-3),
        ({"seed": 3}, 2e-3),
        ({"seed": 7, "augment": mirrored}, 2e-3),
        ({"binarisation": "static", "seed": 1}, 2e-3),
        ({"binarisation": "none"}, 2e-3),
    ],
)
def test_fit_is_the_loop_that_one_would_write(digits, options, lr):
    """180 digits: the last batch is short. The weights and the reported losses agree."""
    at, hand = {}, small()
    images = digits[0][:180]
    told = {name: value for name, value in options.items() if name != "lr"}
    losses = by_hand(hand, images, torch.optim.Adam(hand.parameters(), lr=lr), **told)
    sets = (images, digits[1])
    _, history = run(sets, objective=noisy, epochs=2, on_epoch=snapshots(at), **options)
    for name, weight in hand.state_dict().items():
        torch.testing.assert_close(at[2][name], weight, rtol=1e-5, atol=1e-6)
    assert history.column("train_loss") == pytest.approx(losses, rel=1e-6)


@pytest.mark.parametrize("bring", ["optimiser", "schedule", "both"])
def test_an_optimiser_and_its_schedule_can_be_handed_in(digits, bring):
    at, hand, model = {}, small(), small()

    def tools(of):
        optimiser = torch.optim.SGD(of.parameters(), lr=1e-4, momentum=0.9)
        return optimiser, ExponentialLR(optimiser, 0.1)

    optimiser, schedule = tools(hand)
    by_hand(hand, digits[0], optimiser, schedule=None if bring == "optimiser" else schedule)
    optimiser, schedule = tools(model)
    options = {"optimiser": {"optimiser": optimiser}, "schedule": {"schedule": schedule}}
    options["both"] = options["optimiser"] | options["schedule"]
    run(digits, model, noisy, epochs=2, on_epoch=snapshots(at), **options[bring])
    for name, weight in hand.state_dict().items():
        torch.testing.assert_close(at[2][name], weight, rtol=1e-5, atol=1e-6)


def test_a_plateau_schedule_is_told_what_decides(digits):
    def flat(model, x, generator):
        return {"loss": 0 * model(x).sum(-1), "criterion": torch.ones(len(x))}

    model = small()
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = ReduceLROnPlateau(optimiser, factor=0.5, patience=0)
    run(digits, model, flat, schedule=schedule, epochs=3)
    assert schedule.best == 1.0
    assert optimiser.param_groups[0]["lr"] == 0.25, "the second and the third epoch were no better"


def test_static_digits_are_the_same_each_epoch_and_dynamic_ones_are_not(digits):
    def seen(binarisation):
        epochs = [[]]

        def watch(model, x, generator):
            if torch.is_grad_enabled():
                epochs[-1].append(x)
            return elbo_terms(model, x, generator)

        options = {"binarisation": binarisation, "on_epoch": lambda *_: epochs.append([])}
        run(digits, objective=watch, epochs=2, **options)
        return [torch.cat(parts).sum(-1).sort().values for parts in epochs[:2]]

    first, second = seen("static")
    assert torch.equal(first, second)
    first, second = seen("dynamic")
    assert not torch.equal(first, second)


def test_no_binarisation_leaves_grey_in_training_and_in_evaluation(digits):
    def grey(model, x, generator):
        return {"loss": ((x > 0) & (x < 1)).sum(-1) + 0 * model(x).sum(-1)}

    _, history = run(digits, objective=grey, epochs=1, binarisation="none")
    greys = [float(((d > 0) & (d < 1)).sum(-1).float().mean()) for d in digits]
    assert history.column("train_loss") == pytest.approx([greys[0]])
    assert history.column("heldout_loss") == pytest.approx([greys[1]] * 2)
    _, history = run(digits, objective=grey, epochs=1)
    assert history.column("train_loss") + history.column("heldout_loss") == [0, 0, 0]


def test_the_model_is_in_training_mode_to_train_and_in_evaluation_mode_to_evaluate(digits):
    modes = []

    def watch(model, x, generator):
        modes.append((torch.is_grad_enabled(), model.training))
        return elbo_terms(model, x, generator)

    model = small().eval()
    run(digits, model, watch, epochs=1)
    assert modes == [(False, False)] + [(True, True)] * 4 + [(False, False)]
    assert not model.training, "ready for use"


def test_evaluation_leaves_every_part_in_its_mode(digits):
    model = small().train()
    model.decoder.eval()
    evaluate(model, digits[1], elbo_terms)
    assert (model.training, model.encoder.training, model.decoder.training) == (True, True, False)


def test_training_works_where_gradients_are_off(digits):
    with torch.no_grad():
        _, history = run(digits, epochs=1)
        assert not torch.is_grad_enabled()
    assert history.best_epoch == 1


# What is told


def test_history_has_a_row_an_epoch_and_a_column_a_term(digits):
    model, history = small(), None
    before = evaluate(model, digits[1], elbo_terms)
    model, history = run(digits, model)
    assert history.column("epoch") == [0, 1, 2, 3]
    terms = {"loss", "nll", "kl"}
    for row in history.rows:
        assert terms <= {name.removeprefix("heldout_") for name in row}
        assert row["heldout_loss"] == pytest.approx(row["heldout_nll"] + row["heldout_kl"])
    assert not any(name.startswith("train_") for name in history.rows[0])
    assert {name: history.rows[0][name] for name in before} == before
    assert len(history.column("train_nll")) == 3
    assert len(history.column("heldout_nll")) == len(history.column("seconds")) == 4
    with pytest.raises(KeyError, match=r"no column 'accuracy'.*heldout_kl.*train_kl"):
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
    tracked = []

    def watch(model, x, generator):
        tracked.append(model(x).requires_grad)
        return elbo_terms(model, x, generator)

    evaluate(small(), digits[1], watch)
    assert tracked == [False]
    assert torch.is_grad_enabled()


def test_evaluation_binarises_by_its_seed_alone(digits):
    seen = {}

    def watch(model, x, generator):
        seen.setdefault("x", []).append(x)
        return elbo_terms(model, x, generator)

    evaluate(small(), digits[1], watch, seed=4, batch_size=7)
    want = binarise(digits[1], torch.Generator().manual_seed(4))
    assert torch.equal(torch.cat(seen["x"]), want), "whatever the batches"


def test_averages_are_exact_where_float32_sums_are_not():
    """10,000 times 123.1 in float32, summed one by one, would be off in the fifth figure."""
    images = torch.zeros(10_000, 4)
    model = nn.Linear(4, 1)

    def constant(model, x, generator):
        return {"loss": torch.full((len(x),), 123.1), "other": torch.full((len(x),), 1e-3)}

    result = evaluate(model, images, constant, batch_size=1)
    assert result["heldout_loss"] == pytest.approx(float(torch.tensor(123.1)), rel=1e-12)
    assert result["heldout_other"] == pytest.approx(float(torch.tensor(1e-3)), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_another_type_of_weights_gives_the_same_averages(digits, dtype):
    """The digits take on the type of the weights; the sums are float64's."""
    model = small(Autoencoder)
    want = evaluate(model, digits[1], reconstruction_terms)["heldout_loss"]
    got = evaluate(copy.deepcopy(model).to(dtype), digits[1], reconstruction_terms)["heldout_loss"]
    assert got == pytest.approx(want, rel=1e-2 if dtype == torch.bfloat16 else 1e-6)


def test_autocast_around_the_objective_gives_float32_s_averages(digits):
    def cast(model, x, generator):
        with torch.autocast("cpu", torch.bfloat16):
            return elbo_terms(model, x, generator)

    (_, plain), (_, low) = (run(digits, objective=o, lr=1e-2) for o in (elbo_terms, cast))
    for name in ("train_loss", "heldout_loss"):
        assert low.column(name) == pytest.approx(plain.column(name), rel=1e-2)


def test_a_float64_model_trains_on_float32_digits(digits):
    model, history = run(digits, small().double(), noisy64, epochs=2, lr=1e-2)
    assert {w.dtype for w in model.parameters()} == {torch.float64}
    assert history.best_epoch == 2


def noisy64(model, x, generator):
    eps = torch.randn(len(x), model.latent, generator=generator, dtype=torch.float64)
    return {"loss": -elbo(model, x, eps).elbo}


def test_the_history_s_row_is_what_evaluation_says_of_the_kept_weights(digits):
    model, history = run(digits, seed=3)
    best = history.rows[history.best_epoch]
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


def test_the_progress_bar_counts_epochs_and_tells_the_last_loss(digits, monkeypatch):
    bars = []

    class Bar(training.tqdm):
        def __init__(self, *args, disable, **options):
            super().__init__(*args, disable=False, file=io.StringIO(), **options)
            bars.append(self)

    monkeypatch.setattr(training, "tqdm", Bar)
    _, history = run(digits, epochs=3)
    (bar,) = bars
    assert bar.n == bar.total == 3
    assert bar.postfix == f"held-out loss {history.rows[-1]['heldout_loss']:.2f} nats"


# The best weights


def spoil(model, history=None):
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(-3)


def test_the_best_weights_come_back_after_a_worse_epoch(digits):
    at = {}

    def keep_then_spoil(model, history):
        snapshots(at)(model, history)
        if 2 in at:
            spoil(model)

    model, history = run(digits, epochs=3, on_epoch=keep_then_spoil)
    losses = history.column("heldout_loss")
    assert losses[3] > losses[2], "the third epoch was meant to be worse"
    assert history.best_epoch == 2
    assert same(model.state_dict(), at[2])


def test_weights_that_training_only_spoils_are_epoch_0(digits, tmp_path):
    """A trained model at a wild learning rate keeps what it had, and so does its checkpoint."""
    path = tmp_path / "kept.safetensors"
    model, first = run(digits, epochs=4, lr=1e-2, checkpoint=path)
    before, file = copy.deepcopy(model.state_dict()), path.read_bytes()
    _, history = run(digits, model, epochs=2, lr=0.5, checkpoint=path)
    assert history.best_epoch == 0
    assert history.rows[0]["heldout_loss"] == min(history.column("heldout_loss"))
    assert history.rows[0]["heldout_loss"] == pytest.approx(first.rows[4]["heldout_loss"])
    assert same(model.state_dict(), before)
    assert path.read_bytes() == file


def test_the_criterion_decides_where_there_is_one(digits):
    """The loss rises as β does, the criterion falls: the last epoch is kept, not the first."""
    epoch = [0]

    def annealed(model, x, generator):
        terms = noisy(model, x, generator)
        return {"loss": terms["loss"] + 1000 * epoch[0], "criterion": terms["loss"].detach()}

    def next_epoch(model, history):
        epoch[0] += 1

    _, history = run(digits, objective=annealed, epochs=3, lr=1e-2, on_epoch=next_epoch, patience=1)
    losses = history.column("heldout_loss")[1:]
    assert losses == sorted(losses)
    assert history.best_epoch == 3


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupt_keeps_the_best_weights(digits, epoch):
    at = {}

    def stop(model, history):
        snapshots(at)(model, history)
        if epoch in at:
            spoil(model)
            raise KeyboardInterrupt

    model, history = run(digits, epochs=50, on_epoch=stop)
    assert history.interrupted
    assert history.column("epoch") == list(range(epoch + 1))
    assert history.best_epoch == epoch
    assert same(model.state_dict(), at[epoch])


@pytest.mark.parametrize("whole", [0, 1])
def test_an_interrupt_within_an_epoch_keeps_the_epochs_before(digits, whole):
    model, calls = small(), []
    at = {0: copy.deepcopy(model.state_dict())}

    def interrupted(model, x, generator):
        calls.append(len(x))
        if len(calls) == 4 + 5 * whole:  # one evaluation, then four batches and one an epoch
            raise KeyboardInterrupt
        return elbo_terms(model, x, generator)

    run_ = {"objective": interrupted, "epochs": 9, "on_epoch": snapshots(at)}
    _, history = run(digits, model, **run_)
    assert history.interrupted
    assert history.column("epoch") == list(range(whole + 1))
    assert same(model.state_dict(), at[whole])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_its_epoch_and_restores(digits, value):
    at, told = {}, []

    def breaks(model, x, generator):
        terms = elbo_terms(model, x, generator)
        return terms if 2 not in at else {name: term * value for name, term in terms.items()}

    def keep(model, history):
        snapshots(at)(model, history)
        told.append(history)

    model = small()
    with pytest.raises(FloatingPointError, match=r"train_loss is (nan|-?inf) at epoch 3: lower lr"):
        run(digits, model, breaks, epochs=5, on_epoch=keep)
    assert same(model.state_dict(), at[2])
    assert told[0].column("epoch") == [0, 1, 2], "the row that broke is not kept"


def test_patience_ends_a_training_that_no_longer_improves(digits):
    def flat(model, x, generator):
        return {"loss": 1 + 0 * model(x).sum(-1)}

    _, history = run(digits, objective=flat, epochs=50, patience=3)
    assert history.best_epoch == 0, "the first of equals is kept"
    assert len(history.rows) == 4
    _, history = run(digits, objective=flat, epochs=6, patience=None)
    assert len(history.rows) == 7


# Interrupts


def test_ctrl_c_is_read_between_batches(digits):
    """The batch at work is finished: nothing is raised in it."""
    calls, at = [], {}

    def press(model, x, generator):
        calls.append(torch.is_grad_enabled())
        terms = elbo_terms(model, x, generator)
        if len(calls) == 8:  # the second batch of epoch 2
            signal.raise_signal(signal.SIGINT)
            calls.append("after")
        return terms

    handler = signal.getsignal(signal.SIGINT)
    model, history = run(digits, objective=press, epochs=9, on_epoch=snapshots(at))
    assert calls[-1] == "after" and len(calls) == 9
    assert history.interrupted and history.best_epoch == 1
    assert same(model.state_dict(), at[1])
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_does_not_wait_for_the_batch(digits):
    at = {}

    def slow(model, x, generator):
        if 1 in at:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the batch was not left")
        return elbo_terms(model, x, generator)

    model, history = run(digits, objective=slow, epochs=9, on_epoch=snapshots(at))
    assert history.interrupted
    assert same(model.state_dict(), at[1])


def test_a_second_ctrl_c_does_not_wait_for_on_epoch_either(digits):
    def slow(model, history):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("on_epoch was not left")

    _, history = run(digits, on_epoch=slow)
    assert history.interrupted and history.best_epoch == 1


def test_a_handler_that_ignores_ctrl_c_is_left_alone(digits):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _, history = run(digits, epochs=1, on_epoch=lambda *_: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert not history.interrupted


def test_an_event_stops_a_training_in_a_thread(digits):
    stop, told = threading.Event(), []

    def after(model, history):
        if len(history.rows) == 3:
            stop.set()

    def work():
        told.append(run(digits, epochs=1000, on_epoch=after, stop=stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=60)
    ((_, history),) = told
    assert history.interrupted and len(history.rows) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a __del__
def test_interrupts_at_any_moment_leave_everything_whole(digits, tmp_path):
    """One or two real signals at random moments: rows, best epoch, weights and file agree."""
    path, dice, stopped = tmp_path / "best.safetensors", random.Random(0), 0
    sets = digits[0][:40], digits[1][:20]

    def pressing(delays):
        for delay in delays:
            time.sleep(delay)
            os.kill(os.getpid(), signal.SIGINT)

    for trial in range(150):
        path.unlink(missing_ok=True)
        model, history, started, settled = VAE(latent=2, hidden=(4,), seed=trial), None, 0, 0
        delays = [dice.uniform(0, 0.05), dice.uniform(0, 0.004)][: dice.choice([1, 2])]
        thread = threading.Thread(target=pressing, args=[delays])
        options = {"batch_size": 10, "lr": 0.05, "checkpoint": path, "seed": trial}
        while not settled:
            try:
                if not started:
                    started = 1
                    thread.start()
                    _, history = run(sets, model, epochs=40, **options)
                thread.join()
                time.sleep(0.001)
                settled = 1
            except KeyboardInterrupt:
                continue  # it came before fit had begun, or after it had ended
        assert torch.is_grad_enabled()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if history is None or not history.rows:
            continue
        stopped += history.interrupted
        losses, best = history.column("heldout_loss"), history.best_epoch
        assert losses[best] == min(losses)
        again = evaluate(model, sets[1], elbo_terms, seed=trial)
        assert again["heldout_loss"] == pytest.approx(losses[best], rel=1e-6)
        if best:
            assert read_card(path)["epoch"] == best
            assert read_card(path)["result"] == history.rows[best]
            assert same(load_checkpoint(path).state_dict(), model.state_dict())
    assert stopped > 75, f"only {stopped} of 150 trainings were stopped: choose other moments"


# Checkpoints


def test_the_checkpoint_holds_the_best_weights_and_their_row_as_they_come(digits, tmp_path):
    path, at = tmp_path / "best.safetensors", []

    def look(model, history):
        at.append(load_checkpoint(path))
        assert same(at[-1].state_dict(), model.state_dict())
        assert read_card(path)["epoch"] == history.best_epoch == len(at)
        assert read_card(path)["result"] == history.rows[-1]

    model, _ = run(digits, lr=1e-2, checkpoint=path, on_epoch=look)
    assert same(model.state_dict(), at[-1].state_dict())
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "nothing else stays"


def test_where_nothing_stood_the_checkpoint_may_be_epoch_0(digits, tmp_path):
    path = tmp_path / "best.safetensors"
    model, history = run(digits, lr=0.0, epochs=1, checkpoint=path)
    assert read_card(path)["epoch"] == history.best_epoch == 0
    assert same(load_checkpoint(path).state_dict(), model.state_dict())


@pytest.mark.parametrize("bad", ["model.pt", "notes.txt/model.safetensors", "a.safetensors"])
def test_a_bad_path_is_told_before_training(digits, tmp_path, bad):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "a.safetensors").mkdir()
    calls = []
    with pytest.raises((ValueError, OSError), match=rf"{tmp_path}/{bad}"):
        run(digits, objective=lambda *_: calls.append(1), checkpoint=tmp_path / bad)
    assert calls == []


def test_a_full_disk_is_a_warning_and_training_goes_on(digits, tmp_path, monkeypatch):
    """A limit on the size of files stands in for the disk; it is lifted for the last epoch.

    That epoch is a bad one: what is then written is the best, of the epoch before.
    """
    resource = pytest.importorskip("resource")
    path, limits = tmp_path / "best.safetensors", resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift(model, history):
        if len(history.rows) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            spoil(model)

    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.warns(RuntimeWarning, match=rf"cannot write {path}.*Training goes on") as told:
            model, history = run(digits, checkpoint=path, lr=1e-2, on_epoch=lift)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(told) == 2
    assert history.column("epoch") == [0, 1, 2, 3]
    assert read_card(path)["epoch"] == history.best_epoch == 2
    assert read_card(path)["result"] == history.rows[2]
    assert same(load_checkpoint(path).state_dict(), model.state_dict())


def test_a_compiled_model_s_checkpoint_loads(digits, tmp_path):
    model, path = small(), tmp_path / "best.safetensors"
    compiled = torch.compile(model, backend="eager")
    fit(compiled, *digits, elbo_terms, epochs=1, device="cpu", progress=False, checkpoint=path)
    assert same(load_checkpoint(path).state_dict(), model.state_dict())


# Going on


def sgd(model):
    """Momentum, and a schedule that knows by itself which epoch it is."""
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return {"optimiser": optimiser, "schedule": LambdaLR(optimiser, lambda epoch: 1 / (1 + epoch))}


def milestones(model):
    """A schedule whose state JSON cannot hold: it has integers for keys."""
    optimiser = adam(model, 0.02)
    return {"optimiser": optimiser, "schedule": MultiStepLR(optimiser, [2, 4, 4])}


def parts(history):
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    return rows, history.best_epoch, history.interrupted


@pytest.mark.parametrize(
    "tools", [lambda model: {"lr": 0.05}, sgd, milestones], ids=["adam", "sgd", "milestones"]
)
@pytest.mark.parametrize("more", [{}, {"augment": mirrored}, {"binarisation": "static"}])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(digits, tmp_path, tools, more):
    straight = small()
    options = {"epochs": 6, "seed": 2} | more
    _, whole = run(digits, straight, **tools(straight), **options)
    path, stops = tmp_path / "run.safetensors", itertools.count()
    for _ in range(20):
        model, calls, limit = small(), [], 7 + 4 * next(stops)

        def stopping(model, x, generator, calls=calls, limit=limit):
            calls.append(1)
            if len(calls) == limit:
                raise KeyboardInterrupt
            return elbo_terms(model, x, generator)

        together = {"checkpoint": path, "resume": True, "objective": stopping}
        _, history = run(digits, model, **together, **tools(model), **options)
        if not history.interrupted:
            break
        assert path.with_suffix(".resume.safetensors").exists()
    assert next(stops) > 2, "it was stopped more than once"
    assert parts(history) == parts(whole)
    assert same(model.state_dict(), straight.state_dict())
    assert not path.with_suffix(".resume.safetensors").exists()
    assert same(load_checkpoint(path).state_dict(), straight.state_dict())


def test_a_run_that_goes_on_knows_its_best_weights(digits, tmp_path):
    """They are of epoch 2, the run stops after epoch 3, and no later epoch is better."""

    def spoiled(model, history):
        if len(history.rows) == 3:
            spoil(model)

    def stopped(model, history):
        spoiled(model, history)
        if len(history.rows) == 4:
            raise KeyboardInterrupt

    straight, whole = run(digits, epochs=5, on_epoch=spoiled)
    options = {"checkpoint": tmp_path / "run.safetensors", "resume": True, "epochs": 5}
    _, history = run(digits, on_epoch=stopped, **options)
    assert history.interrupted and history.best_epoch == 2
    model, history = run(digits, on_epoch=spoiled, **options)
    assert parts(history) == parts(whole)
    assert history.best_epoch == 2
    assert same(model.state_dict(), straight.state_dict())
    assert same(load_checkpoint(options["checkpoint"]).state_dict(), straight.state_dict())


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 3},
        {"batch_size": 20},
        {"binarisation": "static"},
        {"augment": mirrored},
        {"lr": 0.1},
        {"model": VAE(latent=2, hidden=(9,))},
    ],
)
def test_another_run_is_not_gone_on_with(digits, tmp_path, other):
    path = tmp_path / "run.safetensors"

    def stop(*_):
        raise KeyboardInterrupt

    run(digits, checkpoint=path, on_epoch=stop)
    model = other.get("model") or small()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=r"resume.safetensors belongs to another run"):
        run(digits, checkpoint=path, resume=True, **{"model": model} | other)
    assert same(model.state_dict(), before)


def test_there_need_be_nothing_to_go_on_with(digits, tmp_path):
    _, history = run(digits, checkpoint=tmp_path / "a.safetensors", resume=True)
    assert history.column("epoch") == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="resume needs a checkpoint"):
        run(digits, resume=True)


KILLED = """
import sys, torch
from vae_lib.bounds import elbo_terms
from vae_lib.data import load_digits
from vae_lib.models import VAE
from vae_lib.training import fit
sets = load_digits("train").images[::20], load_digits("heldout").images[::20]
fit(VAE(latent=2, hidden=(16,)), *sets, elbo_terms, epochs=40, device="cpu",
    progress=False, checkpoint=sys.argv[1], resume=True,
    on_epoch=lambda model, history: print(len(history.rows), flush=True))
print("done")
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(digits, tmp_path):
    """kill -9, several times, then to the end: files are whole, nothing else is left."""
    path, dice = tmp_path / "run.safetensors", random.Random(1)
    command = [sys.executable, "-c", KILLED, str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    for rows in (6, 33):
        with subprocess.Popen(command, **pipes) as process:
            assert any(int(line) >= rows for line in process.stdout)
            time.sleep(dice.uniform(0, 0.01))
            process.kill()
        for file in tmp_path.glob("[!.]*.safetensors"):
            read_tensors(file)
    assert path.with_suffix(".resume.safetensors").exists()
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert ended.stdout.endswith("done\n")
    assert int(ended.stdout.split()[0]) > 30, "it went on and did not start anew"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the other process: sums must be of the same order
    try:
        model, _ = run(digits, epochs=40)
    finally:
        torch.set_num_threads(threads)
    assert same(load_checkpoint(path).state_dict(), model.state_dict())


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
    assert pick_device("cuda:1") == pick_device(torch.device("cuda:1")) == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "tpu", "meta", ""])
def test_an_absent_device_lists_those_there_are(monkeypatch, name):
    there(monkeypatch, cuda=False, mps=False)
    with pytest.raises(ValueError, match=rf"device '{name}' is not available.*\['cpu'\]"):
        pick_device(name)


def test_adam_is_fused_where_it_can_be():
    assert adam(small()).defaults["fused"]
    assert not adam(small().to("meta")).defaults["fused"]


@pytest.mark.parametrize("options", [{"augment": jitter}, {"binarisation": "static"}])
@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_a_whole_training_on_another_device(digits, monkeypatch, tmp_path, kind, options):
    """Played by the CPU, which raises where devices mix (see pretend.py): the same numbers."""
    objective = elbo_terms if kind is VAE else reconstruction_terms
    options = options | {"epochs": 2, "objective": objective, "patience": 2}
    near, here = run(digits, small(kind), **options)
    with pretend.far_device(monkeypatch):
        path = tmp_path / "far.safetensors"
        devices = []

        def watch(model, history):
            devices.append({str(w.device) for w in model.parameters()})

        more = {"device": None, "checkpoint": path, "on_epoch": watch}
        far, there = run(digits, small(kind), **options | more)
    assert devices == [{"meta"}] * 2, "it was trained there"
    assert {str(w.device) for w in far.parameters()} == {"cpu"}, "and came back"
    assert there.column("heldout_loss") == pytest.approx(here.column("heldout_loss"), rel=1e-6)
    assert there.column("train_loss") == pytest.approx(here.column("train_loss"), rel=1e-6)
    for name, weight in near.state_dict().items():
        torch.testing.assert_close(far.state_dict()[name], weight, rtol=1e-4, atol=1e-5)
    assert same(load_checkpoint(path).state_dict(), far.state_dict())


def test_evaluation_takes_the_images_to_the_model(digits, monkeypatch):
    model = small(Autoencoder)
    here = evaluate(model, digits[1], reconstruction_terms)
    with pretend.far_device(monkeypatch):
        there = evaluate(model.to(pretend.FAR), digits[1], reconstruction_terms)
    assert there["heldout_loss"] == pytest.approx(here["heldout_loss"], rel=1e-6)


def test_the_pretended_device_would_notice(digits, monkeypatch):
    def mixed(model, x, generator):
        return {"loss": (model(x) - digits[0][: len(x)]).sum(-1)}

    with (
        pretend.far_device(monkeypatch),
        pytest.raises(RuntimeError, match="tensors on two devices"),
    ):
        run(digits, objective=mixed, device=None)


def test_a_run_on_another_device_goes_on(digits, monkeypatch, tmp_path):
    def stop(model, history):
        if len(history.rows) == 2:
            raise KeyboardInterrupt

    options = {"device": None, "checkpoint": tmp_path / "a.safetensors", "resume": True}
    with pretend.far_device(monkeypatch):
        whole, _ = run(digits, device=None)
        run(digits, on_epoch=stop, **options)
        resumed, history = run(digits, **options)
    assert history.column("epoch") == [0, 1, 2, 3]
    assert same(whole.state_dict(), resumed.state_dict())


def test_the_model_comes_home_whatever_happens(digits, monkeypatch):
    """An error in the objective, or before the first batch, where the data move."""

    def failing(*_):
        raise RuntimeError("stop")

    for options in ({"objective": failing}, {"schedule": failing_schedule()}):
        model = small()
        if "schedule" in options:
            options["schedule"].optimizer = adam(model)
        with pretend.far_device(monkeypatch), pytest.raises(RuntimeError, match="stop"):
            run(digits, model, device=None, **options)
        assert {str(w.device) for w in model.parameters()} == {"cpu"}
        assert not model.training


def failing_schedule():
    class Failing(ExponentialLR):
        def step(self, epoch=None):
            if self.last_epoch >= 0:
                raise RuntimeError("stop")
            super().step(epoch)

    return Failing(adam(small()), 0.9)


# Bad input


@pytest.mark.parametrize(
    ("train", "heldout", "words"),
    [
        (torch.zeros(0, 784), torch.zeros(5, 784), "train is empty"),
        (torch.zeros(5, 784), torch.zeros(0, 784), "heldout is empty"),
        (torch.zeros(5, 28, 28), torch.zeros(5, 784), r"train has shape \[5, 28, 28\]"),
        (torch.full((5, 784), 255.0), torch.zeros(5, 784), "train has pixels from 255 to 255"),
        (torch.zeros(5, 784), torch.full((5, 784), math.nan), "heldout has NaN or infinite"),
        (torch.zeros(5, 784, dtype=torch.uint8), torch.zeros(5, 784), "train has dtype"),
        (
            torch.zeros(5, 100),
            torch.zeros(5, 784),
            r"train has shape .5, 100., not .* 784",
        ),
        (torch.zeros(784), torch.zeros(5, 784), r"train has shape \[784\], not \[N, pixels\]"),
        (np.zeros((5, 784)), torch.zeros(5, 784), "train is a ndarray, not a tensor: convert it"),
        ([[0.0] * 784], torch.zeros(5, 784), "train is a list, not a tensor: convert it"),
        (
            Digits(torch.zeros(5, 784), torch.zeros(5)),
            torch.zeros(5, 784),
            r"train is a Digits, not a tensor: pass its \.images",
        ),
        (
            torch.zeros(5, 784),
            DataLoader(torch.zeros(5, 784)),
            "heldout is a DataLoader, not a tensor: pass all images as one tensor",
        ),
    ],
)
def test_images_that_cannot_be_trained_on_are_named(train, heldout, words):
    with pytest.raises((ValueError, TypeError), match=words):
        run((train, heldout))
    name = words.partition(" ")[0]
    with pytest.raises((ValueError, TypeError), match=words.replace(name, "images")):
        evaluate(small(), {"train": train, "heldout": heldout}[name], elbo_terms)


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_an_objective_that_reduces_over_the_batch_is_refused(digits, reduce):
    def reduced(model, x, generator):
        return {"loss": reduce(elbo_terms(model, x, generator)["loss"])}

    with pytest.raises(
        ValueError, match=r"'loss' has shape \[\], not shape \[50\]: return one value"
    ):
        run(digits, objective=reduced)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ({"nll": torch.zeros(50)}, r"returned \['nll'\]: return a dict with \"loss\""),
        (torch.zeros(50), "returned Tensor: return a dict"),
        (None, "returned NoneType"),
        ({"loss": 3.0}, "'loss' has value 3.0, not shape"),
        ({"loss": torch.zeros(50), "kl": torch.zeros(50, 2)}, r"'kl' has shape \[50, 2\]"),
    ],
)
def test_an_objective_s_answer_is_checked_before_training(digits, returned, words):
    with pytest.raises(ValueError, match=words):
        run(digits, objective=lambda *_: returned)


@pytest.mark.parametrize(
    "change", [lambda x: x[:-1], lambda x: x[:, :-1], lambda x: x.repeat(2, 1)]
)
def test_an_augmentation_returns_as_many_images_of_the_same_size(digits, change):
    with pytest.raises(ValueError, match=r"augment made .* of \[50, 784\]: it must return as many"):
        run(digits, augment=lambda x, generator: change(x))


def test_an_augmentation_stays_in_range(digits):
    with pytest.raises(ValueError, match="augment's result has pixels"):
        run(digits, augment=lambda x, generator: 2 * x)


def test_a_frozen_model_is_named(digits):
    with pytest.raises(ValueError, match=r"every weight is frozen.*requires_grad_\(True\)"):
        run(digits, load_shipped("vae-2d"))


@pytest.mark.parametrize(
    ("model", "words"),
    [(None, "is a NoneType, not a torch.nn.Module"), (nn.Flatten(), "has no parameters")],
)
def test_what_is_no_model_is_named(digits, model, words):
    with pytest.raises((TypeError, ValueError), match=words):
        fit(model, *digits, elbo_terms, epochs=1)


def test_an_optimiser_that_does_not_fit_is_named(digits):
    model, other = small(), small()
    mine, theirs = adam(model), adam(other)
    for options, words in (
        ({"optimiser": theirs}, "steps weights that are not the model's"),
        ({"optimiser": mine, "lr": 0.1}, "lr is Adam's"),
        ({"optimiser": mine, "schedule": ExponentialLR(theirs, 0.9)}, "of another optimiser"),
        ({"schedule": ExponentialLR(theirs, 0.9)}, "not the model's"),
        ({"augment": jitter, "binarisation": "static"}, "static binarisation leaves none"),
        ({"binarisation": "grey"}, "unknown binarisation 'grey': choose one of .*'static'"),
    ):
        with pytest.raises(ValueError, match=words):
            run(digits, model, **options)


def test_a_table_of_real_numbers_is_trained_on_as_it_is():
    """Its values may leave [0, 1], augmented ones too; gaps may not come in."""
    x = 3 * torch.randn(60, 4, generator=torch.Generator().manual_seed(0)) - 1
    table, seen = VAE(1, (5,), shape=(4,), likelihood="real gaussian"), []

    def keep(model, x, generator):
        seen.append(x)
        return elbo_terms(model, x, generator)

    options = {"binarisation": "none", "device": "cpu", "progress": False}
    fit(table, x, x, keep, epochs=1, augment=lambda x, g: x, **options)
    assert torch.equal(torch.cat(seen[1:3]).sort(0).values, x.sort(0).values)
    assert evaluate(table, x, elbo_terms, binarisation="none")["heldout_loss"] > 0
    with pytest.raises(ValueError, match=r"augment's result has NaN .*\(240 in all\)"):
        fit(
            table, x, x, keep, epochs=1, augment=lambda x, g: x * math.nan, batch_size=60, **options
        )


class Poisson(VAE):
    """A likelihood that the library lacks, as the page on your own data writes one."""

    bounded = False

    def log_likelihood(self, x, z):
        logits = self.decode(z)
        return (x * logits - logits.exp() - (x + 1).lgamma()).sum(-1)


def test_a_subclass_brings_a_likelihood_of_counts():
    """With no ceiling: its rates come to the averages of the columns."""
    rate = torch.tensor([0.5, 3.0, 9.0])
    x = torch.poisson(rate.expand(400, 3), generator=torch.Generator().manual_seed(0))
    model, options = Poisson(1, (6,), shape=(3,)), {"epochs": 30, "batch_size": 20, "lr": 0.02}
    fit(model, x, x, elbo_terms, binarisation="none", device="cpu", progress=False, **options)
    mean = model.decode(model.sample_prior(2000, torch.Generator().manual_seed(1))).exp().mean(0)
    torch.testing.assert_close(mean.detach(), x.mean(0), rtol=0.1, atol=0.05)


def test_counts_without_a_ceiling_are_not_made_black_and_white():
    model, x = Poisson(1, (6,), shape=(3,)), torch.tensor([[0.0, 3.0, 9.0]])
    with pytest.raises(ValueError, match="x is not bounded: pass binarisation='none'"):
        fit(model, x, x, elbo_terms, epochs=1)
    with pytest.raises(ValueError, match="x is not bounded"):
        evaluate(model, x, elbo_terms)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_a_constant_column_is_refused_where_it_would_have_a_sigma_of_its_own(value):
    """Standardised in NumPy, one of 0.1 comes out as 1 or -1 in every row, by rounding."""
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    x[:, 2] = value
    options = {"epochs": 1, "binarisation": "none", "device": "cpu", "progress": False}
    table = VAE(1, (5,), shape=(4,), likelihood="real gaussian")
    with pytest.raises(ValueError, match=r"every row of column 2 \(1 such columns in all\)"):
        fit(table, x, x, elbo_terms, **options)
    fit(Poisson(1, (5,), shape=(4,)), x.abs(), x.abs(), elbo_terms, **options)  # no σ there
    fit(table, x[:1], x, elbo_terms, **options)  # of one row nothing can be said


@pytest.mark.parametrize("likelihood", ["continuous bernoulli", "gaussian", "real gaussian"])
def test_only_a_bernoulli_model_is_shown_black_and_white(likelihood):
    model, x = VAE(1, (5,), shape=(4,), likelihood=likelihood), torch.rand(6, 4)
    words = f"binarisation is 'dynamic'.*likelihood is '{likelihood}': pass binarisation='none'"
    with pytest.raises(ValueError, match=words):
        fit(model, x, x, elbo_terms, epochs=1)
    with pytest.raises(ValueError, match=words):
        evaluate(model, x, elbo_terms)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}, {"patience": 0}])
def test_settings_that_train_nothing_are_refused(digits, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is 0"):
        run(digits, **options)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"binarisation": "grey"}])
def test_settings_that_evaluate_nothing_are_refused(digits, options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        evaluate(small(), digits[1], elbo_terms, **options)


def test_a_new_history_is_empty():
    assert History().column("loss") == []
