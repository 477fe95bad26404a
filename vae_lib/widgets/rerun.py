"""The rerun panel: choose settings, train again, see the result. It needs a kernel.

Plain ipywidgets, since the work is Python's. On the static page only its picture shows.
Chapter 10 has one.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets
import traitlets

from vae_lib.widgets._stills import with_still

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Settings:
    """What the reader chose."""

    latent: int
    beta: float
    epochs: int


class Picture(ipywidgets.Image):
    """An image that says in words what it shows; the site writes ``alt`` into the page.

    ipywidgets has no such trait, and a ``tooltip`` on an image breaks it in JupyterLab: the view of
    8.1.9 looks for a description there.
    """

    alt = traitlets.Unicode().tag(sync=True)


class RerunPanel(ipywidgets.VBox):
    """Latent size, β and epochs to choose, a *Train* and a *Stop* button, and a picture.

    ``train(settings, progress, stop)`` returns a PNG as bytes, or None to leave the old picture.
    It calls ``progress(epoch, text)`` after each epoch, which moves the bar and shows ``text``. It
    runs in a thread, so that the kernel can hear *Stop*, which sets the event ``stop``: handed to
    ``vae_lib.training.fit``, it ends training after the batch at work and keeps the best weights.
    An error in it is shown in the panel. ``panel.thread`` is the last such thread.
    Introduced in chapter 10.

    Args:
        train: the callable.
        picture: PNG shown before the first training (and on the static page).
        alt: what the picture shows, for those who do not see it.
        latents, betas: the choices offered; the middle one is chosen at first.
        epochs, max_epochs: the slider's start and end.

    Raises:
        ValueError: for a picture that is no PNG, an empty ``alt`` or choices that are empty.
    """

    def __init__(
        self,
        train: Callable[[Settings, Callable[[int, str], None], threading.Event], bytes | None],
        picture: bytes,
        *,
        alt: str,
        latents: Sequence[int] = (2, 4, 8, 16, 32),
        betas: Sequence[float] = (0.1, 0.5, 1.0, 2.0, 10.0),
        epochs: int = 10,
        max_epochs: int = 50,
    ):
        if not alt.strip():
            raise ValueError("alt is empty: say in words what the picture shows")
        for name, choices in (("latents", latents), ("betas", betas)):
            if not choices:
                raise ValueError(f"{name} is empty: offer at least one choice")
        self._train = train
        self._stop = threading.Event()
        self.thread: threading.Thread | None = None
        wide = {"style": {"description_width": "7rem"}, "layout": {"width": "22rem"}}
        self.latent = ipywidgets.Dropdown(
            options=list(latents),
            value=latents[len(latents) // 2],
            description="latent size",
            **wide,
        )
        self.beta = ipywidgets.Dropdown(
            options=list(betas), value=betas[len(betas) // 2], description="β, weight of KL", **wide
        )
        self.epochs = ipywidgets.IntSlider(epochs, 1, max_epochs, description="epochs", **wide)
        self.train_button = ipywidgets.Button(description="Train", button_style="primary")
        self.stop_button = ipywidgets.Button(description="Stop", disabled=True)
        self.bar = ipywidgets.IntProgress(0, 0, epochs, description="progress", **wide)
        self.status = ipywidgets.Label("Choose, then press Train.")
        self.picture = Picture(
            value=_checked(picture), format="png", alt=alt, layout={"max_width": "100%"}
        )
        self.train_button.on_click(self.start)
        self.stop_button.on_click(self.stop)
        buttons = ipywidgets.HBox([self.train_button, self.stop_button])
        controls = [self.latent, self.beta, self.epochs, buttons, self.bar, self.status]
        super().__init__([*controls, self.picture])

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle and with_still(bundle, self.picture.value, self.picture.alt)

    @property
    def settings(self) -> Settings:
        """What is chosen now."""
        return Settings(self.latent.value, self.beta.value, self.epochs.value)

    def start(self, _button: ipywidgets.Button | None = None) -> None:
        """Train with what is chosen, in a thread of its own; nothing if one is at work."""
        if self.thread is not None and self.thread.is_alive():
            return
        settings = self.settings
        self._stop.clear()
        self.bar.value, self.bar.max = 0, settings.epochs
        self._busy(True)
        self.status.value = "Training…"
        self.thread = threading.Thread(target=self._run, args=[settings], daemon=True)
        self.thread.start()

    def stop(self, _button: ipywidgets.Button | None = None) -> None:
        """Stop after the batch at work."""
        self._stop.set()
        self.stop_button.disabled = True
        self.status.value = "Stopping…"

    def _progress(self, epoch: int, text: str = "") -> None:
        self.bar.value = epoch
        if not self._stop.is_set():
            self.status.value = f"Epoch {epoch} of {self.bar.max}. {text}".strip()

    def _run(self, settings: Settings) -> None:
        try:
            picture = self._train(settings, self._progress, self._stop)
            if picture is None:
                self.status.value = "Stopped. The picture is the one from before."
                return
            self.picture.value = _checked(picture)
            self.picture.alt = (
                f"Result with latent size {settings.latent}, β = {settings.beta:g}, "
                f"after {self.bar.value} of {settings.epochs} epochs"
            )
            ending = "Stopped early" if self._stop.is_set() else "Done"
            self.status.value = f"{ending}. {self.picture.alt}."
        except Exception as error:  # whatever it is, the reader is to see it
            self.status.value = f"Training failed: {type(error).__name__}: {error}"
        finally:
            self._busy(False)

    def _busy(self, busy: bool) -> None:
        self.train_button.disabled = busy
        self.stop_button.disabled = not busy
        for control in (self.latent, self.beta, self.epochs):
            control.disabled = busy


def _checked(picture: bytes) -> bytes:
    if not isinstance(picture, bytes) or not picture.startswith(PNG):
        raise ValueError(
            "the picture is not a PNG: save the figure with format='png' and pass its bytes"
        )
    return picture
