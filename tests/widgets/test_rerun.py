"""The rerun panel, by its real callbacks: no kernel is needed to press its buttons."""

import io
import threading

import pytest
from PIL import Image

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

    def train(settings, progress):
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

    def train(settings, progress):
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
    """A training that stops itself after its second epoch, and keeps or drops what it has."""

    def train(settings, progress):
        try:
            for epoch in range(1, settings.epochs + 1):
                if epoch == 2:
                    it.stop_button.click()
                progress(epoch)
        except KeyboardInterrupt:
            if not keep:
                raise
        return png(9)

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


def test_it_can_train_again_after_a_stop():
    it = stoppable(keep=True)
    press_train(it)
    it._train = lambda settings, progress: (progress(1), png(7))[1]
    press_train(it)
    assert it.status.value.startswith("Done")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda s, p: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda s, p: "no bytes", "the picture is not a PNG"),
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
        RerunPanel(lambda s, p: b"", b"GIF89a", alt="a picture")
    with pytest.raises(ValueError, match="alt is empty"):
        RerunPanel(lambda s, p: b"", png(0), alt=" ")
    with pytest.raises(ValueError, match="latents is empty"):
        panel(lambda s, p: b"", latents=())
