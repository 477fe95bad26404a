"""The site built where a reader may be: on a full disk, read-only, in a folder of any name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from limits import files_end_at, rights_count

linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
ROOT = Path(__file__).resolve().parents[2]
PICTURE = (
    "import numpy as np\nfrom PIL import Image\n"
    "Image.fromarray(np.random.default_rng(0).integers(256, size=(300, 300), dtype=np.uint8))",
    {"mystnb": {"image": {"alt": "A grey noise", "classes": "dark-light"}}},
)


@pytest.fixture
def book(mini_book):
    """A chapter with a picture of 90 kB; its folder's name is an awkward one."""
    mini_book.notebook("01-one", "# 1. One\n\nHere $x^2 = \\frac{1}{2}$.", PICTURE)
    return mini_book


@linux
@pytest.mark.parametrize("size", [3_000, 100_000], ids=["at once", "as the picture is kept"])
def test_a_full_disk_ends_a_build_and_the_next_one_makes_it_good(book, size):
    """Sphinx's own memory, jupyter-cache's list and its notebooks may each be cut short."""
    # Python's own compiled files, cut short, are its own trouble (python/cpython#126606).
    run = book.try_build(limit=files_end_at(size), PYTHONDONTWRITEBYTECODE="1")
    assert run.returncode != 0
    assert "File too large" in run.stderr or "disk" in run.stderr
    book.build()
    picture = next((book.html / "_images").glob("*.png"))
    assert picture.stat().st_size > 80_000
    assert picture.name in book.page("01-one")
    assert book.page("01-one").rstrip().endswith("</html>")


@linux
def test_a_read_only_checkout_is_built_into_another_folder(book, tmp_path):
    for place in (book.root, *book.root.rglob("*")):
        place.chmod(place.stat().st_mode & 0o555)
    home = {"HOME": str(tmp_path / "home")}  # where nothing is yet
    try:
        here = book.try_build(limit=rights_count, **home)
        there = book.try_build("--path-output", str(tmp_path), limit=rights_count, **home)
    finally:
        for place in (book.root, *book.root.rglob("*")):
            place.chmod(0o755)
    assert here.returncode != 0 and "Permission denied" in here.stderr
    assert there.returncode == 0, there.stdout[-2000:] + there.stderr[-4000:]
    assert (tmp_path / "_build" / "html" / "book" / "01-one.html").is_file()


def test_make_serves_and_opens_the_book_from_a_folder_of_any_name(mini_book):
    """A stand-in for the programs of the environment says what each was given."""
    if not shutil.which("make"):
        pytest.skip("this machine has no make; the README says what to do without it")
    folder = mini_book.root
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / ".installed").touch()
    for name in ("jupyter", "jupyter-book", "python"):
        program = folder / ".venv" / "bin" / name
        program.write_text('#!/bin/sh\nfor given; do echo "<$given>"; done\n', "utf8")
        program.chmod(0o755)
    run = subprocess.run(
        ["make", "serve", "lab", "pdf"],
        cwd=folder,
        env=os.environ | {"MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert f"<--LabApp.app_settings_dir={folder}/site/jupyterlab>" in run.stdout
    assert f"file://{folder}/_build/html/index.html" in run.stdout
