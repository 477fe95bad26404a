"""Each file that ships, cut short or with one bit flipped: an error that names it, never a result.

What is read from it while it is whole is tested where it belongs.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vae_lib
from vae_lib import checkpoints, data

PACKAGE = Path(vae_lib.__file__).parent
WEIGHTS = sorted(path.stem for path in checkpoints.SHIPPED.glob("*.safetensors"))
READERS: dict[str, Callable] = {  # by the file that each of them reads
    "digits.npz": data.load_digits,
    "weights/flagship-curves.json": checkpoints.load_curves,
    **{f"weights/{name}.safetensors": (lambda n=name: load(n)) for name in WEIGHTS},
}
COPIES = {f"weights/{name}.json" for name in WEIGHTS}  # of cards, for people: no code reads them


def load(name: str):
    """The card and the model: both come out of the file."""
    checkpoints.read_card(checkpoints.SHIPPED / f"{name}.safetensors")
    return checkpoints.load_shipped(name)


@pytest.fixture(scope="module", params=READERS)
def shipped(request, tmp_path_factory):
    """A shipped file's content, and what writes another in its place and reads that."""
    folder = shutil.copytree(PACKAGE / "weights", tmp_path_factory.mktemp("library") / "weights")
    path = folder.parent / request.param
    content = (PACKAGE / request.param).read_bytes()

    def refuses(damaged: bytes):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is (cut short|damaged)") as told:
            READERS[request.param]()
        assert str(path) in str(told.value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "EMBEDDED", folder.parent / "digits.npz")
        patch.setattr(checkpoints, "SHIPPED", folder)
        patch.setattr(checkpoints, "CURVES", folder / checkpoints.CURVES.name)
        yield content, refuses


def test_every_file_of_data_is_tried_here():
    shipped = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.npz")}
    shipped |= {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("weights/*")}
    assert shipped == READERS.keys() | COPIES


def test_one_that_is_cut_short_is_named(shipped):
    content, refuses = shipped
    header = 8 + int.from_bytes(content[:8], "little")  # of weights; elsewhere a place as any
    dice = random.Random(len(content))
    places = {0, 1, 7, 8, 100, header - 1, header, header + 1, len(content) // 2, len(content) - 3}
    places |= {dice.randrange(len(content)) for _ in range(5)}
    for place in places:
        if place < len(content) - 2:  # the last may be no more than the end of a line
            refuses(content[:place])


@given(drawn=st.data())
@settings(max_examples=25)
def test_a_flipped_bit_is_noticed(shipped, drawn):
    """The first 4,000 bytes, where headers and cards are, count as much as all the others."""
    content, refuses = shipped
    end = min(drawn.draw(st.sampled_from([4_000, len(content)])), len(content))
    place, bit = drawn.draw(st.integers(0, end - 1)), drawn.draw(st.integers(0, 7))
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    refuses(flipped)


def test_another_number_among_the_curves_is_noticed(tmp_path, monkeypatch):
    """As JSON the file is whole."""
    text = checkpoints.CURVES.read_text("utf8")
    monkeypatch.setattr(checkpoints, "CURVES", tmp_path / "curves.json")
    checkpoints.CURVES.write_text(text.replace("84.", "85.", 1), "utf8")
    with pytest.raises(ValueError, match=r"curves\.json is cut short or damaged"):
        checkpoints.load_curves()
