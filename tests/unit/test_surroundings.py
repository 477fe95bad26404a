"""The library where a reader may have put it: read-only, without a home, on a disk that is full."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import files_end_at, rights_count

import vae_lib

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux"),
]
WORKS = """
import torch
import vae_lib.widgets
from vae_lib import bounds, checkpoints, data, figures, training

assert vae_lib.__file__.startswith({folder!r}), vae_lib.__file__
figures.use_book_style()
digits = data.load_digits("heldout").images[:20]
model = checkpoints.load_shipped("vae-2d").requires_grad_(True)
training.fit(model, digits, digits, bounds.elbo_terms, epochs=1, seed=0)
vae_lib.widgets.LambdaPlane(rho=0.9)
try:
    data.load_mnist("test")
except FileNotFoundError as error:
    assert "set VAE_LIB_DATA" in str(error), error
else:
    raise AssertionError("there is no MNIST here")
try:
    checkpoints.save_checkpoint(model, "mine.safetensors")
except OSError as error:
    print(type(error).__name__, error)
"""
TOLD = "cannot write mine.safetensors: {}; choose a folder you may write to"


@pytest.fixture
def library(tmp_path) -> Path:
    """A folder that may only be read, of an awkward name, with nothing but the library in it."""
    folder = tmp_path / "Büro – l'été (1)"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(vae_lib.__file__).parent, folder / "vae_lib", ignore=skipped)
    for place in (folder, *folder.rglob("*")):
        place.chmod(place.stat().st_mode & 0o555)
    yield folder
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o755)


def run(library: Path, limit: Callable, **environment: str | None) -> str:
    """What the library's ordinary use prints in that folder."""
    given = os.environ | {"PYTHONPATH": str(library), "MPLBACKEND": "agg", **environment}
    ran = subprocess.run(
        [sys.executable, "-c", WORKS.format(folder=str(library))],
        cwd=library,
        env={name: value for name, value in given.items() if value is not None},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_read_only_and_without_a_home_all_works_but_saving(library):
    nowhere = {"HOME": "/proc/nowhere", "VAE_LIB_DATA": None, "MPLCONFIGDIR": None}
    said = run(library, rights_count, **nowhere)
    assert said == f"PermissionError [Errno 13] {TOLD.format('Permission denied')}"


def test_on_a_full_disk_all_works_but_saving(library, tmp_path):
    library.chmod(0o755)
    said = run(library, files_end_at(1000), VAE_LIB_DATA=str(tmp_path))  # torch tries a few bytes
    assert said == f"OSError [Errno 27] {TOLD.format('File too large')}"
    assert [path.name for path in library.iterdir()] == ["vae_lib"]
