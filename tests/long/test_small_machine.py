"""Every notebook on a machine of Binder's size: one core, 2 GB, sources that may only be read.

The sources come without git, in a folder of an awkward name. How many seconds a notebook takes
there depends on the core: ``benchmarks/chapter_cost.py --cores 1`` tells it for this one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from limits import one_core_and, rights_count

ROOT = Path(__file__).parents[2]
LEFT = shutil.ignore_patterns(".git", ".venv", "_build", ".*_cache", "__pycache__", "*.egg-info")
MEMORY = 1_800_000_000  # bytes for what the kernel writes to; of 2 GB its server takes the rest
RESERVED = """
import matplotlib.pyplot, torch, vae_lib.training
lines = (line.split() for line in open("/proc/self/status"))
told = {line[0]: line[1] for line in lines if len(line) > 1}
print(1024 * (int(told["VmData:"]) - int(told["RssAnon:"])))
"""
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The sources as a zip of them is unpacked."""
    folder = tmp_path_factory.mktemp("small") / "Büro – l'été (1)"
    shutil.copytree(ROOT, folder, ignore=LEFT)
    places = [folder, *folder.rglob("*")]
    for place in places:
        place.chmod(place.stat().st_mode & 0o555)
    yield folder
    for place in places:
        place.chmod(0o755)


@pytest.fixture(scope="module")
def reserved() -> int:
    """Bytes that the libraries ask for and never touch: the limit counts them, no machine does."""
    ran = subprocess.run([sys.executable, "-c", RESERVED], capture_output=True, check=True)
    return int(ran.stdout)


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "book").glob("*.ipynb")))
def test_a_notebook_runs_on_a_small_machine(checkout, reserved, tmp_path, name):
    def limit():
        rights_count()
        one_core_and(MEMORY + reserved)()

    ran = subprocess.run(
        [sys.executable, "-c", RUN, name],
        cwd=checkout / "book",
        env=os.environ | {"PYTHONPATH": str(checkout), "HOME": str(tmp_path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
