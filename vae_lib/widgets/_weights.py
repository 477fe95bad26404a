"""Networks, images and codes as the bytes that travel to the browser.

Networks go as float16: half the bytes, and a change in a decoded pixel too small to see.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

ACTIVATIONS = {
    nn.SiLU: "silu",
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.Identity: "identity",
}


def pack(network: nn.Module, name: str) -> tuple[list[dict], bytes]:
    """A stack of ``Linear`` layers and activations as (spec, float16 weights).

    The spec lists the layers, e.g. ``[{"kind": "linear", "inputs": 2, "outputs": 784}, {"kind":
    "silu"}]``; the bytes hold each linear layer's weight [outputs, inputs], row by row, then its
    bias. ``runMlp`` in ``maths.js`` reads them.

    Raises:
        TypeError: for a layer that the browser code cannot run.
        ValueError: for a network without linear layers, with layers whose sizes do not fit, or
            with weights that float16 cannot hold.
    """
    spec, arrays = [], []
    for layer in _flatten(network, name):
        if isinstance(layer, nn.Linear):
            spec.append(
                {"kind": "linear", "inputs": layer.in_features, "outputs": layer.out_features}
            )
            bias = layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
            arrays += [layer.weight, bias]
        else:
            spec.append({"kind": ACTIVATIONS[type(layer)]})
    _check_sizes(spec, name)
    flat = torch.cat([a.detach().to("cpu", torch.float16).flatten() for a in arrays])
    if not flat.isfinite().all():
        raise ValueError(
            f"{name} has weights that are NaN or beyond float16's 65,504: train it again, "
            "with a smaller learning rate if its loss went to NaN"
        )
    return spec, flat.numpy().astype("<f2").tobytes()


def run(spec: list[dict], weights: bytes, values: Sequence[float] | np.ndarray) -> np.ndarray:
    """What a packed network gives for one input, or for the columns of several: ``runMlp`` in
    Python, for the still pictures."""
    stored, at = np.frombuffer(weights, "<f2").astype(np.float32), 0
    x = np.asarray(values, dtype=np.float32)
    functions = {name: kind() for kind, name in ACTIVATIONS.items()}
    for layer in spec:
        if layer["kind"] == "linear":
            rows, columns = layer["outputs"], layer["inputs"]
            matrix = stored[at : (at := at + rows * columns)].reshape(rows, columns)
            x = ((matrix @ x).T + stored[at : (at := at + rows)]).T
        else:
            x = functions[layer["kind"]](torch.from_numpy(x)).numpy()
    return x


def probabilities(spec: list[dict], weights: bytes, z: Sequence[float] | np.ndarray) -> np.ndarray:
    """The probability of ink in each pixel that a packed decoder gives for ``z``."""
    return 1 / (1 + np.exp(-run(spec, weights, z).astype(float)))


def inputs(spec: list[dict]) -> int:
    """Size of what a packed network takes."""
    return next(layer["inputs"] for layer in spec if layer["kind"] == "linear")


def outputs(spec: list[dict]) -> int:
    """Size of what a packed network gives."""
    return next(layer["outputs"] for layer in reversed(spec) if layer["kind"] == "linear")


def pack_decoder(
    network: nn.Module, name: str, latent: int | None = None
) -> tuple[list[dict], bytes]:
    """:func:`pack`, for the logits of a square image (from ``latent`` inputs, if given)."""
    spec, weights = pack(network, name)
    if math.isqrt(outputs(spec)) ** 2 != outputs(spec):
        raise ValueError(f"{name} gives {outputs(spec)} values, which make no square image")
    if latent is not None and inputs(spec) != latent:
        raise ValueError(
            f"{name} takes {inputs(spec)} latent dimensions, and this figure shows {latent}: "
            f"train a model with latent={latent}"
        )
    return spec, weights


def pack_encoder(
    network: nn.Module, name: str, pixels: int, outputs_allowed: tuple[int, ...]
) -> tuple[list[dict], bytes]:
    """:func:`pack`, for a network that takes ``pixels`` and gives one of ``outputs_allowed``."""
    spec, weights = pack(network, name)
    if inputs(spec) != pixels:
        raise ValueError(f"{name} takes {inputs(spec)} values, and an image has {pixels} pixels")
    if outputs(spec) not in outputs_allowed:
        wanted = " or ".join(str(size) for size in outputs_allowed)
        raise ValueError(f"{name} gives {outputs(spec)} values, where the decoder needs {wanted}")
    return spec, weights


def pack_networks(
    encoder: nn.Module, decoder: nn.Module, parameters: tuple[int, ...], latent: int | None = None
) -> dict:
    """The four traits of an encoder and its decoder; ``parameters``: how many outputs a latent."""
    spec, weights = pack_decoder(decoder, "decoder", latent)
    allowed = tuple(each * inputs(spec) for each in parameters)
    encoder_spec, encoder_weights = pack_encoder(encoder, "encoder", outputs(spec), allowed)
    return {
        "encoder": encoder_spec,
        "encoder_weights": encoder_weights,
        "decoder": spec,
        "decoder_weights": weights,
    }


def pack_images(images: Tensor, pixels: int, name: str = "images") -> bytes:
    """Grey values [N, pixels] in [0, 1] as bytes: exact for MNIST and for binary digits."""
    images = torch.as_tensor(images).detach().cpu()
    if images.ndim != 2 or images.shape[1] != pixels or not len(images):
        raise ValueError(f"{name} has shape {list(images.shape)}, not [N, {pixels}] with N >= 1")
    if not bool(((images >= 0) & (images <= 1)).all()):  # false for NaN too
        raise ValueError(f"{name} has pixels outside [0, 1]: divide bytes by 255")
    return (images * 255).round().to(torch.uint8).numpy().tobytes()


def pack_codes(codes: Tensor, name: str = "codes") -> bytes:
    """Points [N, 2] of the latent plane as float32."""
    codes = torch.as_tensor(codes).detach().cpu()
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes):
        raise ValueError(f"{name} has shape {list(codes.shape)}, not [N, 2] with N >= 1")
    if not codes.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinite values")
    return codes.to(torch.float32).numpy().astype("<f4").tobytes()


def pack_labels(labels: Tensor, count: int, name: str = "labels", classes: int = 10) -> bytes:
    """Classes 0 to ``classes - 1``, one for each of ``count`` digits, as bytes."""
    labels = torch.as_tensor(labels).detach().cpu()
    if tuple(labels.shape) != (count,):
        raise ValueError(f"{name} has shape {list(labels.shape)}, and there are {count} digits")
    if labels.dtype == torch.bool or not bool((labels == labels.floor()).all()):
        raise ValueError(f"{name} has dtype {labels.dtype}: it must hold whole numbers, .long()")
    if not bool(((labels >= 0) & (labels < classes)).all()):
        raise ValueError(f"{name} has classes outside 0 to {classes - 1}")
    return labels.to(torch.uint8).numpy().tobytes()


def doubles(values: Tensor | Sequence[float]) -> np.ndarray:
    """Numbers as float64: a tensor of any dtype, with a gradient or without, or a list."""
    if isinstance(values, Tensor):
        return values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=float)


def pack_floats(values: Tensor, shape: tuple[int, ...], name: str) -> bytes:
    """Numbers of the given ``shape`` as float64, for arithmetic whose parts must add up."""
    array = doubles(values).astype("<f8")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {list(array.shape)}, not {list(shape)}")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN")
    return array.tobytes()


def extent_of(codes: Tensor | None, reach: float) -> list[float]:
    """A square [x_min, x_max, y_min, y_max] that holds ±``reach`` and all but a few stray codes."""
    low, high = torch.full((2,), -reach), torch.full((2,), reach)
    if codes is not None:
        codes = torch.as_tensor(codes).detach().float().cpu()
        low, high = low.minimum(codes.quantile(0.005, 0)), high.maximum(codes.quantile(0.995, 0))
    half = float(((high - low) / 2).max()) * 1.05
    x, y = ((low + high) / 2).tolist()
    return [round(v, 1) for v in (x - half, x + half, y - half, y + half)]


def checked_extent(extent: Sequence[float]) -> list[float]:
    """The same four numbers, if they span a piece of the plane."""
    extent = [float(v) for v in extent]
    if len(extent) != 4 or not (extent[0] < extent[1] and extent[2] < extent[3]):
        raise ValueError(f"extent is {extent}: it must be x_min < x_max, y_min < y_max")
    return extent


def _flatten(network: nn.Module, name: str) -> list[nn.Module]:
    if isinstance(network, nn.Sequential):
        return [layer for child in network for layer in _flatten(child, name)]
    if isinstance(network, nn.Linear) or type(network) in ACTIVATIONS:
        return [network]
    known = ", ".join(["Linear", *(kind.__name__ for kind in ACTIVATIONS)])
    raise TypeError(
        f"{name} has a {type(network).__name__} layer, which the browser code cannot run: "
        f"it knows {known} in an nn.Sequential (net='mlp')"
    )


def _check_sizes(spec: list[dict], name: str) -> None:
    sizes = [(layer["inputs"], layer["outputs"]) for layer in spec if layer["kind"] == "linear"]
    if not sizes:
        raise ValueError(f"{name} has no Linear layer")
    for (_, given), (taken, _) in pairwise(sizes):
        if given != taken:
            raise ValueError(f"{name}: a layer gives {given} values and the next one takes {taken}")
