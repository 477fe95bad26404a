"""What runs the notebooks hides nothing: time-outs, skips and changed outputs turn a test red."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
SWALLOWS = """
import time
try:
    time.sleep(60)
except KeyboardInterrupt:  # as a training does, which keeps its best weights
    print("interrupted")
"""
PROMISE = {"tags": ["nbval-check-output", "keep_output"]}


class Harness:
    """A folder with the book's own settings, in which a small notebook is tested by pytest."""

    def __init__(self, root: Path):
        self.root = root
        for name in ("conftest.py", "pyproject.toml", "tests/notebooks/sanitise.cfg"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        (root / "book").mkdir()

    def run(self, *cells: tuple, options=(), folder=".") -> str:
        """Test cells of (source, stored output or None, tags…): "exit status, outcomes"."""
        made = []
        for count, (source, stored, *tags) in enumerate(cells, start=1):
            cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
            if stored is not None:
                output = nbformat.v4.new_output("stream", name="stdout", text=stored)
                cell.update(metadata=PROMISE, outputs=[output], execution_count=count)
            made.append(cell)
        notebook = self.root / "book" / "small.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=made), notebook)
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *options]
        ran = subprocess.run(
            [*command, str(notebook)], cwd=self.root / folder, capture_output=True, text=True
        )
        outcomes = re.findall(r"::Cell \d+ ([A-Z]+) +\[", ran.stdout)
        return f"{ran.returncode} {' '.join(outcomes)}"


@pytest.fixture
def harness(tmp_path) -> Harness:
    """A fresh folder for one notebook."""
    return Harness(tmp_path)


def test_a_cell_that_runs_out_of_time_fails_with_all_that_follow(harness):
    after = [("print(1 > 2)", "True\n"), ("raise ValueError", None), ("1 + 1", None)]
    found = harness.run((SWALLOWS, None), *after, options=["--nbval-cell-timeout=2"])
    assert found == "1 FAILED ERROR ERROR ERROR", "an error: not even run"


def test_the_same_cells_in_time_have_outcomes_of_their_own(harness):
    quick = SWALLOWS.replace("60", "0.01")
    after = [("print(1 > 2)", "True\n"), ("raise ValueError", None), ("1 + 1", None)]
    assert harness.run((quick, None), *after) == "1 PASSED FAILED FAILED PASSED"


def test_a_cell_is_skipped_only_by_its_tag(harness):
    found = harness.run(
        ("# NBVAL_SKIP\nraise ValueError", None),
        ("raise ValueError", None, "nbval-skip"),
        ("raise ValueError", None, "raises-exception"),
    )
    assert found == "1 FAILED SKIPPED PASSED"


STORED = "✓ the ELBO is below log p(x)\n    · ELBO −148.3 · log p(x) −141.7\n"
PRINTED = {  # what a cell prints, and whether that is as good as what is stored
    STORED: "PASSED",
    STORED.replace("148.3", "150.1"): "PASSED",  # a number, shown and not compared
    STORED.replace("below", "above"): "FAILED",  # the claim
    STORED.splitlines()[0] + "\n": "FAILED",  # no numbers
    STORED.replace("    ·", "   ·"): "FAILED",  # not the line of numbers, for all its dots
    STORED.replace("the ELBO", "a · ELBO"): "FAILED",
}


def test_the_claim_is_compared_and_the_numbers_under_it_are_not(harness):
    """In the notebook's own folder, too, the list of what is not compared is found."""
    cells = [(f"print({printed!r}, end='')", STORED) for printed in PRINTED]
    assert harness.run(*cells, folder="book") == f"1 {' '.join(PRINTED.values())}"


def test_what_goes_on_with_a_notebook_does_not_run_it_again(harness):
    """By nbval, backwards in the same kernel, and on a plainer processor: three times."""
    for name in ("tests/conftest.py", "tests/notebooks/test_runs.py", "scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, harness.root / name)
    source = "with open('runs.txt', 'a') as file:\n    file.write('x')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(notebook, harness.root / "book" / "intro.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "intro"]
    tests = ["book", "tests/notebooks/test_runs.py"]
    ran = subprocess.run([*command, *tests], cwd=harness.root, capture_output=True, text=True)
    assert "3 passed, 1 skipped" in ran.stdout, ran.stdout + ran.stderr
    assert (harness.root / "book" / "runs.txt").read_text("utf8") == "xxx"
