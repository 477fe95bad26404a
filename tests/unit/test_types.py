"""The type checker, as strict as it can be, finds nothing in the library."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_library_s_types_hold():
    """A first run reads PyTorch's types too and takes half a minute; later ones a few seconds."""
    run = [sys.executable, "-m", "mypy"]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
