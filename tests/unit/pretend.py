"""A second device, played by the CPU: numbers that may not meet the CPU's.

A :class:`Far` tensor says that its device is "meta" and keeps its numbers in a CPU tensor of its
own. Under :class:`FarDevice` every operation computes those numbers, and raises where near and far
tensors meet, as PyTorch does between a CPU and a GPU. So a whole training runs for real, backward
pass and optimiser included, and its numbers can be compared with the CPU's.
"""

from contextlib import contextmanager

import torch
import torch.distributed.tensor  # PyTorch would read it later, where torch.Generator is replaced
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAR, NEAR = torch.device("meta"), torch.device("cpu")
MOVES = {"_to_copy", "copy_", "_local_scalar_dense"}  # what may cross from one to the other


@contextmanager
def far_device(monkeypatch):
    """Let ``fit(device=None)`` train there, with generators that live there."""
    make = torch.Generator
    monkeypatch.setattr("vae_lib.training.pick_device", lambda name: FAR)
    monkeypatch.setattr(
        torch, "Generator", lambda device="cpu": Generator() if device == FAR else make(device)
    )
    with FarDevice():
        yield
    monkeypatch.undo()


class Far(torch.Tensor):
    """A tensor on the pretended device; ``near`` holds its numbers."""

    @staticmethod
    def __new__(cls, near):
        size, options = near.size(), {"dtype": near.dtype, "device": FAR}
        far = torch.Tensor._make_wrapper_subclass(cls, size, strides=near.stride(), **options)
        far.near = near
        return far

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return dispatch(function, args, kwargs or {})


class Generator(torch.Generator):
    """A generator that says it lives on the pretended device."""

    device = FAR


class FarDevice(TorchDispatchMode):
    """Makes new tensors of the device "meta" far ones, for as long as it is entered."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return dispatch(function, args, kwargs or {})


def dispatch(function, args, kwargs):
    name = function.overloadpacket.__name__
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    far = [isinstance(t, Far) for t in tensors]
    asked = kwargs.get("device")
    if name not in MOVES and any(far):
        strangers = [t for t, is_far in zip(tensors, far, strict=True) if not is_far and t.ndim]
        if strangers:
            raise RuntimeError(
                f"{name}: tensors on two devices, shapes {[t.shape for t in tensors]}"
            )
    ends_far = asked == FAR if asked is not None else any(far)
    if name == "copy_":
        ends_far = far[0]
    if asked is not None:
        kwargs = {**kwargs, "device": NEAR}
    near_args, near_kwargs = tree_map(
        lambda t: t.near if isinstance(t, Far) else t, (tuple(args), kwargs)
    )
    result = function(*near_args, **near_kwargs)
    if name.endswith("_") and not name.startswith("_"):
        return args[0]  # in place: the same far tensor
    return tree_map(lambda t: Far(t) if ends_far and isinstance(t, torch.Tensor) else t, result)
