"""The digits that TrainVAE learns from, as they travel to the browser."""

import base64

import torch
from torch import Tensor

PIXELS, TRAIN, HELD = 196, 4000, 1000  # as in vae_trainer.js


def pack_digits(train: Tensor, heldout: Tensor, labels: Tensor) -> bytes:
    """Two pixels a byte in sixteen levels of grey, first those to train on; then the labels."""
    for images, count, name in ((train, TRAIN, "train"), (heldout, HELD, "heldout")):
        if list(images.shape) != [count, PIXELS]:
            raise ValueError(f"{name} is {list(images.shape)}: it must be [{count}, {PIXELS}]")
        if not bool(((images >= 0) & (images <= 1)).all()):
            raise ValueError(f"{name} has values outside [0, 1]: it must hold grey levels")
    if list(labels.shape) != [HELD]:
        raise ValueError(f"labels is {list(labels.shape)}: it must be [{HELD}], one for each digit")
    greys = (torch.cat([train, heldout]).cpu() * 15).round().to(torch.uint8).reshape(-1, 2)
    pixels = (greys[:, 0] * 16 + greys[:, 1]).numpy().tobytes()
    return pixels + labels.to(torch.uint8).cpu().numpy().tobytes()


def digits_script(packed: bytes) -> str:
    """A classic script that brings the digits to a page of the book: see train_vae.js."""
    return f'window.bookDigits = "{base64.b64encode(packed).decode()}";\n'
