"""The library as a package, wheel and source: complete, and at work in an empty folder."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
WORKS = """
import torch, vae_lib, vae_lib.widgets
from vae_lib import checkpoints, data, figures

assert vae_lib.__file__.startswith({folder!r}), vae_lib.__file__
figures.use_book_style()
assert len(data.load_digits("train").images) == 4000
for path in checkpoints.SHIPPED.glob("*.safetensors"):
    checkpoints.load_shipped(path.stem)
checkpoints.load_curves()
figure = vae_lib.widgets.LambdaPlane(rho=0.9)
assert "export default" in figure._esm and ".vw" in figure._css
"""


def built(source: Path, kind: str, target: Path) -> Path:
    """The file that setuptools, as pyproject.toml asks, makes of a tree: "wheel" or "sdist"."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(target)!r}))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return target / ran.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel made from the sdist: what the one lacks, the other lacks too."""
    folder = tmp_path_factory.mktemp("packages")
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "vae_lib", sources / "vae_lib", ignore=skipped)
    with tarfile.open(built(sources, "sdist", folder)) as archive:
        archive.extractall(folder, **SAFELY)
    return built(next(folder.glob("vae_lib-*/")), "wheel", folder)


def test_all_that_the_library_has_ships(wheel):
    held = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "vae_lib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if not path.name.endswith(".d.ts")  # types, for who checks the figures' code
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert names == held.keys()
        assert [name for name in names if archive.read(name) != held[name]] == []


def test_it_works_from_an_empty_folder(wheel, tmp_path):
    library, empty = tmp_path / "library", tmp_path / "empty"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(library)
    empty.mkdir()
    environment = os.environ | {"PYTHONPATH": str(library), "MPLBACKEND": "agg"}
    ran = subprocess.run(
        [sys.executable, "-c", WORKS.format(folder=str(library))],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert list(empty.iterdir()) == []
