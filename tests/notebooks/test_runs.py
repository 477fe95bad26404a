"""Each notebook runs in one kernel: forwards, backwards, then with each slip that people make.

Forwards and backwards: its cells run from top to bottom, then once more from the last to the first.
No cell fails, each promise makes its claims both times, and the memory is Binder's. The kernel has
one thread and no wide vector units, where rounding differs, which is all that a seeded computation
may notice; on this machine's own threads and vectors the notebooks run as the site is built.

Slips: ``mutants/chapter_NN.py`` lists edits of a chapter's cells, ``mutants/NAME.py`` those of a
page without a number. A cell is edited, run, and followed by the cells after it until one fails; a
mutant that none of them notices fails the test. Mutants come in the order of the cells: since any
cell can be run again, running the same cells as they stand puts right what the mutant left behind.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book").glob("*.ipynb"))
LISTS = Path(__file__).with_name("mutants")
REACH = 25  # code cells that a mutant runs through at most
PROMISE = {"nbval-check-output", "keep_output"}
ROOM = 1.7e9  # bytes
PLAIN = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}


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
    """A notebook's code cells, run in a plain kernel while ``kernel()`` lasts."""

    def __init__(self, path: Path):
        self.path = path
        notebook = nbformat.read(path, as_version=4)
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": path.parent}},
        )
        self.stale = range(len(self.cells))  # places of cells to run before later ones can count
        self.memory = 0  # the most that the kernel has held when each cell has run once, in bytes

    def kernel(self):
        """A context with one thread and no wide vector units."""
        return self.client.setup_kernel(env=os.environ | PLAIN)

    def run(self, cell) -> list:
        """What the cell gives; the notebook keeps what is stored in it."""
        copy = nbformat.from_dict(cell)
        self.client.execute_cell(copy, 0)
        return copy.outputs

    def run_both_ways(self, claims) -> list[str]:
        """Run forwards and backwards; give what the promises say otherwise than stored."""
        differ = []
        for place, cell in enumerate([*self.cells, *reversed(self.cells)]):
            if place == len(self.cells) and sys.platform == "linux":
                self.memory = self.most_memory()
            outputs = self.run(cell)
            is_promise = set(cell.metadata.get("tags", [])) >= PROMISE
            if is_promise and claims(outputs) != claims(cell.outputs):
                differ.append(f"{cell.id}: {claims(outputs)}")
        self.stale = range(0)
        return differ

    def most_memory(self) -> int:
        """As Linux counts it: getrusage would count the process that started the kernel, too."""
        code = "print(*[l for l in open('/proc/self/status') if l.startswith('VmHWM')])"
        return 1024 * int(self.run(nbformat.v4.new_code_cell(code))[0].text.split()[1])

    def turns_red(self, mutant: Mutant) -> bool:
        """Whether the edited cell, or one after it, fails."""
        place = [cell.id for cell in self.cells].index(mutant.cell)
        edited = nbformat.from_dict(self.cells[place])
        assert edited.source.count(mutant.old) == 1, f"{mutant.old!r} is not there once"
        edited.source = edited.source.replace(mutant.old, mutant.new)
        for cell in self.cells[self.stale.start : min(self.stale.stop, place)]:
            self.run(cell)
        for reached, cell in enumerate(self.cells[place : place + REACH], start=place):
            self.stale = range(place, max(self.stale.stop, reached + 1))
            try:
                self.run(edited if reached == place else cell)
            except CellExecutionError:
                return True
        return False


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: path.stem)
def path(request) -> Path:
    """Each notebook in turn."""
    return request.param


@pytest.fixture(scope="module")
def chapter(path):
    """A notebook whose kernel its two tests share."""
    chapter = Chapter(path)
    with chapter.kernel():
        yield chapter


def test_there_are_notebooks():
    assert PAGES


def test_the_other_machine_is_another_one():
    code = "import torch; print(torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | PLAIN, capture_output=True, text=True
    )
    assert run.stdout.split() == ["1", "DEFAULT"]


def test_a_notebook_runs_forwards_and_backwards_there(chapter, tidier):
    assert chapter.run_both_ways(tidier.claims) == []
    assert chapter.memory < ROOM, "Binder has 2 GB for a notebook and its server"


def list_of(path: Path) -> Path:
    numbered = path.name[:2].isdigit()
    name = f"chapter_{path.name[:2]}" if numbered else path.stem.replace("-", "_")
    return LISTS / f"{name}.py"


def test_every_slip_is_noticed(chapter):
    if chapter.path.stem == "intro":
        pytest.skip("the landing page has no list of slips")
    mutants = load(list_of(chapter.path))
    assert len(mutants) >= 4, "a chapter has at least four mutants"
    order = [cell.id for cell in chapter.cells]
    mutants.sort(key=lambda mutant: order.index(mutant.cell))
    assert [mutant for mutant in mutants if not chapter.turns_red(mutant)] == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (["x = 1", "y = x", "x = 's'\nassert y == 1", "x + 1"], "TypeError"),
        (["n = 2", "print('✓ n is even', n % 2 == 0)", "n = 3"], "is even False"),
        (["print('✓ fine', 2 + 2 == 4)"], None),
    ],
)
def test_a_cell_that_alters_what_others_made_is_found(tmp_path, tidier, code, fault):
    cells = [nbformat.v4.new_code_cell(source) for source in code]
    for cell in cells:
        if cell.source.startswith("print"):
            said = cell.source.split("'")[1] + " True\n"
            cell.metadata, cell.outputs = (
                {"tags": sorted(PROMISE)},
                [nbformat.v4.new_output("stream", text=said)],
            )
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    small = Chapter(path)
    try:
        with small.kernel():
            found = str(small.run_both_ways(tidier.claims))
    except CellExecutionError as error:  # with the kernel's own in its text
        found = str(error)
    assert (fault in found) if fault else found == "[]"
