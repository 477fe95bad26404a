"""What the exercises call to mark an answer: one module a chapter's subject.

A check is a function decorated with :func:`exercise`. It takes the reader's answer and raises
:class:`Wrong` with a hint, or returns a sentence on what a right answer has shown. Called by
the reader it never raises: it prints a verdict and returns it, so that a solution can assert it.

Example:
    >>> @exercise
    ... def mean_over_batch(answer):
    ...     '''Exercise 1.1: the mean.'''
    ...     got = answer(torch.tensor([1.0, 3.0]))
    ...     close(got, 2.0, "the mean of 1 and 3", hints={"that is the sum": 4.0})
    ...     return "It averages."
    >>> mean_over_batch(lambda v: v.sum())
    Not yet: the mean of 1 and 3: that is the sum.
    False
"""

import copy
import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class Wrong(Exception):
    """The answer is not right; the message is a hint."""


def exercise(check: Callable[..., str]) -> Callable[..., bool | None]:
    """Turn ``check`` into something that prints a verdict and returns True, False or None.

    None means "not attempted": the answer is None, or a function that returns None.
    """

    @functools.wraps(check)
    def verdict(answer, *context) -> bool | None:
        if answer is None:
            return _say("Not attempted yet.", None)
        try:
            return _say(f"Correct. {check(_watch(answer), *context)}", True)
        except _Stub:
            return _say("Not attempted yet.", None)
        except Wrong as hint:
            return _say(f"Not yet: {hint}", False)
        except Exception as error:  # the reader's code may raise anything
            return _say(f"Not yet: your answer raised {type(error).__name__}: {error}", False)

    return verdict


class _Stub(Exception):
    """A function answer returned None: the reader has not written it yet."""


def _watch(answer):
    """Wrap a function so that a None result counts as a stub; pass other answers through.

    It is handed copies, so that an answer may overwrite what it was given and a check may go on
    to compute what it wants from the same arguments.
    """
    if not callable(answer) or isinstance(answer, torch.nn.Module):
        return answer

    @functools.wraps(answer)
    def watched(*args, **kwargs):
        kwargs = {name: _copy(value) for name, value in kwargs.items()}
        result = answer(*map(_copy, args), **kwargs)
        if result is None:
            raise _Stub
        return result

    return watched


def _copy(value):
    """A tensor's or model's copy; a generator, a number or a function is passed on as it is."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value)
    if type(value) in (list, tuple):
        return type(value)(map(_copy, value))
    return value


def _say(words: str, verdict: bool | None) -> bool | None:
    print(words)
    return verdict


def close(
    got,
    want,
    what: str,
    *,
    hints: Mapping[str, object] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-6,
) -> None:
    """Raise :class:`Wrong` unless ``got`` equals ``want`` in shape and value.

    ``hints`` maps a sentence to the value that a classic slip would give: when ``got`` is that
    value, the sentence is the hint.
    """
    got, want = as_tensor(got, what), as_tensor(want, what)
    if _same(got, want, rtol, atol):
        return
    for hint, slip in (hints or {}).items():
        if _same(got, as_tensor(slip, what), rtol, atol):
            raise Wrong(f"{what}: {hint}.")
    if got.shape != want.shape:
        raise Wrong(f"{what}: the shape should be {list(want.shape)}, yours is {list(got.shape)}.")
    digits = 4 if _short(want) != _short(got) else 9  # a small error is to be seen
    raise Wrong(f"{what}: expected {_short(want, digits)}, got {_short(got, digits)}.")


def parts(got, count: int, wanted: str) -> list:
    """The parts of an answer: of a tuple, a list, or a tensor of ``count`` rows.

    Another answer is :class:`Wrong`, and the hint is ``wanted``.
    """
    many = isinstance(got, tuple | list) or getattr(got, "ndim", 0) > 0
    if not many or len(got) != count:
        raise Wrong(wanted)
    return list(got)


def as_tensor(value, what: str) -> Tensor:
    """``value`` as a float64 tensor; :class:`Wrong` if it is not a number or tensor."""
    try:
        return torch.as_tensor(value).detach().cpu().to(torch.float64)  # MPS has no float64
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(
            f"{what}: a number or a tensor is wanted, not {type(value).__name__}."
        ) from None


def _same(got: Tensor, want: Tensor, rtol: float, atol: float) -> bool:
    if got.shape != want.shape:
        return False
    return torch.allclose(got, want, rtol, atol, equal_nan=True)  # a slip may give NaN


def _short(tensor: Tensor, digits: int = 4) -> str:
    values = ", ".join(f"{v:.{digits}g}" for v in tensor.flatten()[:3].tolist())
    return f"{values}, …" if tensor.numel() > 3 else values
