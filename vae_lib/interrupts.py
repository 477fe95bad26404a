"""Ctrl-C as a flag, for work that must never be left half done: fit, from chapter 1 on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Ctrl-C as a flag that is read between batches, so that no state is ever half-changed.

    The handler is set in the main thread alone, elsewhere none can be: there ``stop`` is the flag.
    A second Ctrl-C raises, but only within ``at_once``, where nothing is being kept.

    Example:
        >>> stop = threading.Event()
        >>> with Interrupts(stop) as interrupts:
        ...     stop.set()
        ...     interrupts.asked()
        True
    """

    def __init__(self, stop: threading.Event | None):
        self.stop, self.pressed, self.hasty = stop, 0, False
        self.before: Any = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self.before = signal.getsignal(signal.SIGINT)
        if callable(self.before):
            signal.signal(signal.SIGINT, self.press)
        return self

    def __exit__(self, *_: object) -> None:
        if callable(self.before):
            signal.signal(signal.SIGINT, self.before)

    def press(self, _number: int, _frame: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed > 1 and self.hasty:
            self.hasty = False
            raise KeyboardInterrupt

    def asked(self) -> bool:
        """Whether anyone has asked for an end."""
        return self.pressed > 0 or (self.stop is not None and self.stop.is_set())

    def check(self) -> None:
        """Raise KeyboardInterrupt here, between batches, if anyone has asked for an end."""
        if self.asked():
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A stretch that a second Ctrl-C may leave at any point."""
        self.hasty = True
        try:
            yield
        finally:
            self.hasty = False
