"""A promise: a claim, whether it holds, and the numbers behind it.

Introduced in chapter 1. The claim is compared on every run of the book; the numbers, which may
differ in their last digits from machine to machine, are shown and not compared.
"""

import math
from collections.abc import Iterable
from typing import Any

from torch import Tensor


def promise(claim: str, holds: bool | Tensor, **numbers: object) -> None:
    """Print ``✓ claim`` and, on a line of its own, the numbers it rests on; raise where it fails.

    A name's underscores are shown as spaces; names of any kind can be given as a dictionary. A
    float is shown with four significant digits, text as it is, a list with commas.

    Raises:
        AssertionError: if ``holds`` is false; the message has claim and numbers.
        TypeError: if ``holds`` is not a bool or a boolean tensor of one element.
        ValueError: if a number is NaN, or if there is none: a promise shows what it rests on.

    Example:
        >>> elbo, log_px = -148.3, -141.7
        >>> numbers = {"ELBO": elbo, "log p(x)": log_px}
        >>> promise("the ELBO is below log p(x)", elbo < log_px, **numbers)
        ✓ the ELBO is below log p(x)
            · ELBO −148.3 · log p(x) −141.7
    """
    shown = " · ".join(f"{name.replace('_', ' ')} {_text(v)}" for name, v in numbers.items())
    if not shown:
        raise ValueError(f"no number is given with {claim!r}: show what it rests on, name=value")
    if not _truth(holds):
        raise AssertionError(f"{claim}: this does not hold ({shown})")
    if "nan" in shown.split():
        raise ValueError(f"a number behind {claim!r} is NaN: {shown}")
    print(f"✓ {claim}\n    · {shown}")


def _truth(holds: object) -> bool:
    if isinstance(holds, Tensor) and holds.numel() == 1:
        holds = holds.item()
    if type(holds).__name__ in ("bool", "bool_"):  # NumPy's too
        return bool(holds)
    raise TypeError(f"holds is {holds!r}: give one true or false value, such as (gap < 1e-6)")


def _text(value: Any) -> str:
    """A number, text or sequence as it is shown."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, bool | int):
        return f"{value:,}".replace("-", "−")
    return "nan" if math.isnan(value) else f"{value:.4g}".replace("-", "−")
