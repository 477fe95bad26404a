"""The digits: a split that never moves, damage that is noticed, draws that are seeded."""

import hashlib
import math
import re
import struct
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vae_lib import data
from vae_lib.data import batches, binarise, check_images, jitter, load_digits, load_mnist


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def train():
    return load_digits("train")


@pytest.fixture(scope="module")
def heldout():
    return load_digits("heldout")


# The embedded digits


@pytest.mark.parametrize(
    ("split", "sha256"),
    [
        ("train", "1a7b9f4e62a46c50e76fb59c03fd061f749303d36e98dc49d46054dbdccf13c0"),
        ("heldout", "87ca2c1c1558368698b5e136db434103325f1d910540472c14bdf08314ec3419"),
    ],
)
def test_the_split_never_moves(split, sha256):
    """Results in the text and the shipped weights' cards hold for this split alone."""
    images, labels = load_digits(split)
    content = (images * 255).round().byte().numpy().tobytes() + labels.byte().numpy().tobytes()
    assert hashlib.sha256(content).hexdigest() == sha256


def test_splits_are_stratified(train, heldout):
    assert train.labels.bincount().tolist() == [400] * 10
    assert heldout.labels.bincount().tolist() == [100] * 10


def test_no_heldout_digit_is_among_the_training_ones(train, heldout):
    seen = {image.numpy().tobytes() for image in train.images}
    assert len(seen) == 4000, "two training digits are the same"
    assert not seen & {image.numpy().tobytes() for image in heldout.images}


def test_images_are_flat_floats_between_zero_and_one(train):
    assert train.images.shape == (4000, 784)
    assert (train.images.dtype, train.labels.dtype) == (torch.float32, torch.int64)
    assert (train.images.min(), train.images.max()) == (0, 1)


def test_labels_belong_to_their_images(train, heldout):
    """The mean digit of each class, a classifier that knows nothing, is right far above chance."""
    centres = torch.stack([train.images[train.labels == k].mean(0) for k in range(10)])
    guess = torch.cdist(heldout.images, centres).argmin(1)
    assert (guess == heldout.labels).float().mean() > 0.7


@pytest.mark.parametrize("split", ["test", "", "Train", None])
def test_an_unknown_split_lists_the_known(split):
    with pytest.raises(ValueError, match="'train' or 'heldout'"):
        load_digits(split)


def test_the_import_leaves_torchvision_alone():
    """It takes seconds, and only load_mnist needs it; on Colab it may not fit the torch there."""
    code = "import sys, vae_lib.data, vae_lib.training; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# The full MNIST, played by files of a few digits

IMAGES, LABELS = (name for name, _ in data.MNIST_FILES["train"])


def idx(values: torch.Tensor) -> bytes:
    """A file in MNIST's format: a magic number, the sizes, the bytes."""
    header = struct.pack(f">{1 + values.ndim}i", 0x0800 + values.ndim, *values.shape)
    return header + values.byte().numpy().tobytes()


@pytest.fixture
def little_mnist(tmp_path, monkeypatch):
    """A root with a training set of three digits, whose md5s the library believes in."""
    images = torch.arange(3 * 784).reshape(3, 28, 28) % 256
    files = {IMAGES: idx(images), LABELS: idx(torch.tensor([7, 0, 9]))}
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    known = tuple((name, hashlib.md5(content).hexdigest()) for name, content in files.items())
    monkeypatch.setitem(data.MNIST_FILES, "train", known)
    return tmp_path


def test_mnist_is_read_from_its_root(little_mnist):
    images, labels = load_mnist("train", root=little_mnist)
    assert (images.shape, images.dtype) == ((3, 784), torch.float32)
    torch.testing.assert_close(images[1], (torch.arange(784, 1568) % 256) / 255)
    assert labels.tolist() == [7, 0, 9]
    assert labels.dtype == torch.int64


def test_mnist_root_may_come_from_the_environment(little_mnist, monkeypatch):
    monkeypatch.setenv("VAE_LIB_DATA", str(little_mnist))
    assert len(load_mnist("train").images) == 3


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + b"\x55", lambda b: b""])
def test_a_damaged_mnist_file_is_named(little_mnist, name, damage):
    path = little_mnist / "MNIST" / "raw" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"{name} is cut short or altered.*delete it"):
        load_mnist("train", root=little_mnist)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_missing_mnist_file_is_named(little_mnist, name):
    (little_mnist / "MNIST" / "raw" / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing.*VAE_LIB_DATA"):
        load_mnist("train", root=little_mnist)


def test_mnist_is_fetched_only_when_asked(little_mnist, monkeypatch):
    calls = []
    from torchvision.datasets import mnist

    monkeypatch.setattr(mnist, "MNIST", lambda *args, **options: calls.append((args, options)))
    load_mnist("train", root=little_mnist)
    assert calls == []
    load_mnist("train", root=little_mnist, download=True)
    assert calls == [((little_mnist,), {"download": True})]


def test_mnist_has_no_heldout_split(tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test'"):
        load_mnist("heldout", root=tmp_path)


# What is no set of images


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(2, 784, dtype=torch.uint8), r"look has dtype torch.uint8: .* / 255"),
        (torch.zeros(2, 784, dtype=torch.int64), r"int64: convert it with \.float\(\)$"),
        (torch.tensor(0.5), r"look has shape \[\], not \[\.\.\., pixels\]"),
        (torch.zeros(0, 784), "look is empty"),
        (torch.full((2, 784), 1.5), r"look has pixels from 1.5 to 1.5, outside \[0, 1\]"),
        (torch.full((2, 784), -1e-3), "outside"),
        (torch.full((2, 784), math.nan), r"look has NaN or infinite values \(1568 in all\)"),
        (
            torch.tensor([[0.5, 0.5], [0.5, math.inf]]),
            r"look has NaN .*\(1 in all\), the first at \[1, 1\]: leave such rows out, or fill",
        ),
        (torch.tensor([[-1.5, 0.5]]), "look has pixels from -1.5 .*likelihood='real gaussian'"),
        (torch.zeros(2, 784).numpy(), "look is a ndarray, not a tensor: convert it with"),
        (3, "look is a int, not a tensor: pass all images as one tensor"),
    ],
)
def test_what_is_no_set_of_images_is_named(images, words):
    with pytest.raises((ValueError, TypeError), match=words):
        check_images(images, "look")


class DataFrame:
    """What pandas and polars have in common."""

    def to_numpy(self):
        return torch.zeros(2, 3).numpy()


def test_a_data_frame_is_told_what_to_do():
    frame = DataFrame()
    with pytest.raises(TypeError, match=r"look is a DataFrame.*as_tensor\(frame.to_numpy\(\)\)"):
        check_images(frame, "look")
    assert check_images(torch.as_tensor(frame.to_numpy()).float()).shape == (2, 3)


def test_columns_of_a_table_may_be_any_finite_numbers():
    table = torch.tensor([[-40.0, 3e6], [0.5, 0]])
    assert check_images(table, "table", 2, bounded=False) is table
    for bad in (math.nan, math.inf, -math.inf):
        table[1, 0] = bad
        with pytest.raises(ValueError, match=r"table has NaN .* first at \[1, 0\]"):
            check_images(table, "table", 2, bounded=False)


def test_colours_that_come_last_are_noticed():
    images = torch.rand(2, 8, 12, 3)
    with pytest.raises(ValueError, match=r"\[2, 8, 12, 3\], not \[\.\.\., 288\]: its colours come"):
        check_images(images, "look", 288)
    with pytest.raises(ValueError, match=r"flatten each image with \.reshape\(-1, 96\)"):
        check_images(torch.rand(2, 8, 12), "look", 96)


def test_images_may_be_of_any_size_unless_one_is_named():
    images = torch.rand(3, 2, 10)
    assert check_images(images) is images
    assert check_images(images, "toys", 10) is images
    with pytest.raises(ValueError, match=r"toys has shape \[3, 2, 10\], not \[..., 784\]: flatten"):
        check_images(images, "toys", 784)


# Binarisation


def test_binarised_pixels_are_black_or_white(train):
    assert set(binarise(train.images[:50], generator()).unique().tolist()) == {0.0, 1.0}


def test_the_mean_of_binarised_pixels_is_the_grey_value():
    grey, count = torch.linspace(0, 1, 784), 20_000
    mean = binarise(grey.expand(count, 784), generator()).mean(0)
    error = (grey * (1 - grey) / count).sqrt()
    assert ((mean - grey).abs() <= 5 * error).all()
    assert (mean[0], mean[-1]) == (0, 1), "black stays black and white stays white"


def test_binarisation_is_seeded_and_dynamic(train):
    draws = generator(1)
    first, second = binarise(train.images[:9], draws), binarise(train.images[:9], draws)
    assert not torch.equal(first, second), "two draws from one generator are two binarisations"
    assert torch.equal(first, binarise(train.images[:9], generator(1)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_binarisation_keeps_the_type_and_the_probability(dtype):
    """Half precision too: uniform draws in bfloat16 would miss a grey of 0.001 by half of it."""
    grey = torch.full((200_000,), 1e-3).to(dtype)
    drawn, p = binarise(grey, generator()), float(grey[0])
    assert drawn.dtype == dtype
    error = math.sqrt(p * (1 - p) / len(grey))
    assert abs(float(drawn.double().mean()) - p) < 5 * error


def test_black_stays_black_at_the_lowest_draw(monkeypatch):
    """torch.rand gives exactly 0 once in 17 million pixels."""
    monkeypatch.setattr(data.torch, "rand", lambda shape, **_: torch.zeros(shape))
    assert binarise(torch.tensor([0.0, 1e-7, 1.0]), generator()).tolist() == [0, 1, 1]


def test_pixels_are_drawn_apart():
    """Each has its own draw: rows, columns and neighbours do not go together."""
    drawn = binarise(torch.full((2_000, 40), 0.5), generator())
    correlation = torch.corrcoef(drawn.T) - torch.eye(40)
    assert correlation.abs().max() < 5 / math.sqrt(2_000)


def test_binarise_refuses_bytes():
    with pytest.raises(ValueError, match="divide bytes by 255"):
        binarise(torch.full((1, 784), 255.0), generator())


# Batches


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 99))
def test_each_image_comes_once(count, batch_size, seed):
    images = torch.arange(count)[:, None].expand(-1, 784)
    parts = list(batches(images, batch_size, generator(seed)))
    assert [len(part) for part in parts[:-1]] == [batch_size] * (len(parts) - 1)
    assert 1 <= len(parts[-1]) <= batch_size
    assert torch.cat(parts)[:, 0].sort().values.tolist() == list(range(count))


def test_the_order_is_seeded_and_new_each_epoch():
    images, draws = torch.arange(100)[:, None], generator(3)
    first, second = (torch.cat(list(batches(images, 8, draws))) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.cat(list(batches(images, 8, generator(3)))))


def test_without_a_generator_the_order_is_that_of_the_file():
    images = torch.arange(10)[:, None]
    assert torch.equal(torch.cat(list(batches(images, 3))), images)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_needs_an_image(size):
    with pytest.raises(ValueError, match=f"batch_size is {size}"):
        next(batches(torch.zeros(3, 784), size))


# Augmentation


def test_jitter_stays_within_range_and_moves_something(train):
    images = train.images[:200]
    moved = jitter(images, generator())
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved - images).abs().amax(1).min() > 0.1, "some digit has not moved"


def test_jitter_of_white_is_never_whiter():
    """Interpolation's weights add up to 1 but for rounding."""
    assert jitter(torch.ones(500, 784), generator()).max() == 1


def test_jitter_is_seeded(train):
    images, draws = train.images[:20], generator(4)
    first, second = jitter(images, draws), jitter(images, draws)
    assert torch.equal(first, jitter(images, generator(4)))
    assert not torch.equal(first, second)


def still(monkeypatch, *draws):
    """Make jitter's four uniform draws (turn, scale, right, down) these."""
    monkeypatch.setattr(data.torch, "rand", lambda n, *_, **__: torch.tensor([draws] * n))


def test_jitter_without_movement_is_the_identity(train, monkeypatch):
    still(monkeypatch, 0.5, 0.5, 0.5, 0.5)
    torch.testing.assert_close(
        jitter(train.images[:20], generator()), train.images[:20], rtol=0, atol=1e-4
    )


def moved_by(monkeypatch, *draws, shape=(28, 28)):
    """What jitter makes of a bright spot off the centre: where it goes, in pixels."""
    height, width = shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    spot = torch.exp(-((y - height / 2 - 3) ** 2 + (x - width / 2 - 5) ** 2) / 8.0)
    still(monkeypatch, *draws)
    images = jitter(spot.reshape(1, -1), generator(), shape).reshape(height, width)
    total = images.sum()
    return torch.stack([(y * images).sum() / total, (x * images).sum() / total, total / spot.sum()])


@pytest.mark.parametrize("shape", [(28, 28), (32, 32), (24, 36)])
@pytest.mark.parametrize(
    ("draws", "angle", "scale", "shift"),
    [
        ((0.5, 0.5, 1.0, 0.5), 0, 1, (0, -2)),
        ((0.5, 0.5, 0.5, 0.0), 0, 1, (2, 0)),
        ((0.5, 1.0, 0.5, 0.5), 0, 1.09, (0, 0)),
        ((1.0, 0.5, 0.5, 0.5), math.radians(9), 1, (0, 0)),
        ((0.0, 0.0, 0.5, 0.5), -math.radians(9), 0.91, (0, 0)),
    ],
)
def test_jitter_turns_scales_and_shifts_by_what_it_says(
    monkeypatch, shape, draws, angle, scale, shift
):
    """The picture at p is taken from scale · R(angle) p + shift: so the spot goes the other way."""
    y, x, brightness = moved_by(monkeypatch, *draws, shape=shape).tolist()
    down, right = 3.5, 5.5  # the spot, from the centre of the picture, which lies between pixels
    back_right = (math.cos(angle) * right + math.sin(angle) * down) / scale
    back_down = (-math.sin(angle) * right + math.cos(angle) * down) / scale
    assert y == pytest.approx((shape[0] - 1) / 2 + back_down + shift[0], abs=0.05)
    assert x == pytest.approx((shape[1] - 1) / 2 + back_right + shift[1], abs=0.05)
    assert brightness == pytest.approx(1 / scale**2, rel=0.02)


def test_jitter_takes_other_types(train):
    images = train.images[:5]
    moved = jitter(images.double(), generator())
    assert moved.dtype == torch.float64


def test_jitter_keeps_the_digit_in_its_class(train, heldout):
    """Light enough: the mean digits still name most of the moved ones."""
    centres = torch.stack([train.images[train.labels == k].mean(0) for k in range(10)])
    guess = torch.cdist(jitter(heldout.images, generator()), centres).argmin(1)
    assert (guess == heldout.labels).float().mean() > 0.6


def test_mnist_is_looked_for_in_the_cache_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("VAE_LIB_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / ".cache" / "vae_lib"))):
        load_mnist("test")


def test_without_a_home_the_folder_of_mnist_has_to_be_named(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("VAE_LIB_DATA", raising=False)
    monkeypatch.setattr(data.Path, "home", nowhere)
    with pytest.raises(FileNotFoundError, match=r"no home folder.*set VAE_LIB_DATA"):
        load_mnist("test")
