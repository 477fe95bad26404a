"""Mutation testing of the book: each slip that people make turns a promise or an assert red.

``mutants/chapter_NN.py`` lists edits of a chapter's cells, ``mutants/NAME.py`` those of a page
without a number. A cell is edited, run, and followed by
the cells after it until one fails; a mutant that none of them notices fails the test. A chapter's
mutants share a kernel, in the order of its cells: since any cell can be run again, running the
cell as it stands puts right what the mutant left behind.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).with_name("mutants")
REACH = 25  # code cells that a mutant runs through at most


class Mutant(NamedTuple):
    """An edit of the cell with the id ``cell``: ``old``, found there once, becomes ``new``."""

    cell: str
    old: str
    new: str
    slip: str


def load(path: Path) -> list[Mutant]:
    """The mutants of one chapter; ``Mutant`` is known in the file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    module.Mutant = Mutant
    spec.loader.exec_module(module)
    return module.MUTANTS


class Chapter:
    """A notebook's code cells in a kernel, run as far as they are needed."""

    def __init__(self, path: Path):
        notebook = nbformat.read(path, as_version=4)
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": path.parent}},
        )
        self.done = 0  # so many cells have run as they stand

    def run_to(self, place: int) -> None:
        """Run the cells before ``place`` that have not run as they stand."""
        for cell in self.cells[self.done : place]:
            self.client.execute_cell(nbformat.from_dict(cell), 0)
        self.done = max(self.done, place)

    def turns_red(self, mutant: Mutant) -> bool:
        """Whether the edited cell, or one after it, fails."""
        place = [cell.id for cell in self.cells].index(mutant.cell)
        self.run_to(place)
        edited = nbformat.from_dict(self.cells[place])
        assert edited.source.count(mutant.old) == 1, f"{mutant.old!r} is not there once"
        edited.source = edited.source.replace(mutant.old, mutant.new)
        self.done = place
        try:
            for cell in [edited, *self.cells[place + 1 : place + REACH]]:
                self.client.execute_cell(nbformat.from_dict(cell), 0)
        except CellExecutionError:
            return True
        return False


def chapters() -> list[Path]:
    """All notebooks but the landing page."""
    return [path for path in sorted((ROOT / "book").glob("*.ipynb")) if path.stem != "intro"]


def list_of(path: Path) -> Path:
    numbered = path.name[:2].isdigit()
    name = f"chapter_{path.name[:2]}" if numbered else path.stem.replace("-", "_")
    return LISTS / f"{name}.py"


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_slip_is_noticed(path):
    mutants = load(list_of(path))
    assert len(mutants) >= 4, "a chapter has at least four mutants"
    chapter = Chapter(path)
    order = [cell.id for cell in chapter.cells]
    mutants.sort(key=lambda mutant: order.index(mutant.cell))
    with chapter.client.setup_kernel():
        survivors = [mutant for mutant in mutants if not chapter.turns_red(mutant)]
    assert survivors == []
