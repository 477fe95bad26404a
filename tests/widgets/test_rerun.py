"""The rerun panel, by its real callbacks: no kernel is needed to press its buttons."""

import io
import threading

import pytest
import torch
from PIL import Image

from vae_lib.bounds import reconstruction_terms
from vae_lib.models import Autoencoder
from vae_lib.training import fit
from vae_lib.widgets import RerunPanel, Settings


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


def panel(train, **options) -> RerunPanel:
    return RerunPanel(train, png(0), alt="before", **options)


def press_train(it: RerunPanel):
    it.train_button.click()
    it.thread.join(timeout=20)
    assert not it.thread.is_alive()


def test_it_trains_with_what_is_chosen_and_shows_the_result():
    calls = []

    def train(settings, progress, stop):
        calls.append(settings)
        for epoch in range(1, settings.epochs + 1):
            progress(epoch, f"loss {100 - epoch}")
        return png(200)

    it = panel(train)
    it.latent.value, it.beta.value, it.epochs.value = 8, 2.0, 3
    press_train(it)
    assert calls == [Settings(latent=8, beta=2.0, epochs=3)]
    assert it.picture.value == png(200)
    assert "latent size 8" in it.picture.alt and "3 of 3 epochs" in it.picture.alt
    assert it.bar.value == it.bar.max == 3
    assert it.status.value.startswith("Done")
    assert not it.train_button.disabled and it.stop_button.disabled


def test_controls_are_off_while_it_trains_and_a_second_press_does_nothing():
    started, finish = threading.Event(), threading.Event()
    calls = []

    def train(settings, progress, stop):
        calls.append(settings)
        started.set()
        assert finish.wait(20)
        return png(1)

    it = panel(train)
    it.train_button.click()
    assert started.wait(20)
    assert it.train_button.disabled and it.epochs.disabled and not it.stop_button.disabled
    it.start()
    finish.set()
    it.thread.join(timeout=20)
    assert len(calls) == 1
    assert not it.train_button.disabled and not it.epochs.disabled


def stoppable(keep: bool):
    """A training that is stopped after its second epoch, and keeps or drops what it has."""

    def train(settings, progress, stop):
        for epoch in range(1, settings.epochs + 1):
            progress(epoch)
            if epoch == 2:
                it.stop_button.click()
            if stop.is_set():
                break
        return png(9) if keep else None

    it = panel(train, epochs=50)
    return it


def test_stop_ends_it_between_epochs_and_keeps_what_there_is():
    it = stoppable(keep=True)
    press_train(it)
    assert it.status.value.startswith("Stopped early")
    assert "after 2 of 50 epochs" in it.picture.alt
    assert it.picture.value == png(9)


def test_a_training_that_keeps_nothing_leaves_the_old_picture():
    it = stoppable(keep=False)
    press_train(it)
    assert it.status.value.startswith("Stopped.")
    assert (it.picture.value, it.picture.alt) == (png(0), "before")


def test_stop_reaches_fit_between_batches():
    """fit runs in the panel's thread, where no signal arrives: the event is what stops it."""
    images, batches, kept = torch.rand(60, 784), [], []

    def objective(model, x, generator):
        if torch.is_grad_enabled():
            batches.append(len(x))
            if len(batches) == 20:  # in the second of the epochs' 12 batches
                it.stop_button.click()
        return reconstruction_terms(model, x)

    def train(settings, progress, stop):
        model = Autoencoder(hidden=(4,))
        options = {"epochs": settings.epochs, "batch_size": 5, "device": "cpu", "progress": False}
        kept.append(fit(model, images, images, objective, stop=stop, **options))
        return png(3)

    it = panel(train, epochs=50)
    press_train(it)
    assert it.status.value.startswith("Stopped early"), it.status.value
    assert len(batches) == 20, "the batch at work is the last"
    assert kept[0].interrupted and [row["epoch"] for row in kept[0].rows] == [0, 1]


def test_it_can_train_again_after_a_stop():
    it = stoppable(keep=True)
    press_train(it)
    it._train = lambda settings, progress, stop: (progress(1), png(7))[1]
    press_train(it)
    assert it.status.value.startswith("Done")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda s, p, e: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda s, p, e: "no bytes", "the picture is not a PNG"),
    ],
)
def test_an_error_is_shown_and_the_panel_lives_on(train, message):
    it = panel(train)
    press_train(it)
    assert message in it.status.value
    assert it.picture.value == png(0)
    assert not it.train_button.disabled


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="not a PNG"):
        RerunPanel(lambda s, p, e: b"", b"GIF89a", alt="a picture")
    with pytest.raises(ValueError, match="alt is empty"):
        RerunPanel(lambda s, p, e: b"", png(0), alt=" ")
    with pytest.raises(ValueError, match="latents is empty"):
        panel(lambda s, p, e: b"", latents=())
