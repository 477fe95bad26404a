"""Ruff finds nothing in the code, nor in the notebooks, and the formatter would change nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_the_code_is_as_ruff_would_have_it(command):
    run = [sys.executable, "-m", "ruff", *command.split(), "--no-cache", "."]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
