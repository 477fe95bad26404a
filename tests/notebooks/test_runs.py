"""Each notebook runs backwards, with each slip that people make, and on a plainer processor.

Backwards: when its cells have run from top to bottom they run once more, from the last to the
first. No cell fails, and each promise makes its claims again.

Slips: ``mutants/chapter_NN.py`` lists edits of a chapter's cells, ``mutants/NAME.py`` those of a
page without a number. A cell is edited, run, and followed by the cells after it until one fails; a
mutant that none of them notices fails the test. The mutants of later cells come first: what one
leaves behind is made by its own cell and later ones, and the cells before need nothing of theirs.

Both go on in the kernel in which nbval has run the notebook (see conftest.py), if it has.

A plainer processor has one thread and no wide vector units, so rounding differs, which is all that
a seeded computation may notice. No cell fails there, each promise makes its claims, and the memory
is Binder's. On this machine's own threads the notebooks run as the site is built.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.manager import run_kernel

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book").glob("*.ipynb"))
LISTS = Path(__file__).with_name("mutants")
REACH = 25  # code cells that a mutant runs through at most
PLAIN = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
PROMISE = {"nbval-check-output", "keep_output"}
ROOM = 1.7e9  # bytes


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


class CellFailed(Exception):
    """What an error in a cell says."""


class Chapter:
    """A notebook's code cells, and a kernel to run them in."""

    def __init__(self, path: Path, client: BlockingKernelClient):
        self.path, self.client = path, client
        notebook = nbformat.read(path, as_version=4)
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    def run(self, source: str) -> str:
        """What a cell prints."""
        printed = []

        def keep(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(
            source, allow_stdin=False, timeout=120, output_hook=keep
        )
        if reply["content"]["status"] != "ok":
            told = reply["content"]
            raise CellFailed(f"{source}\n{told.get('ename')}: {told.get('evalue')}")
        return "".join(printed)

    def broken(self, cells, claims) -> list[str]:
        """Run cells; give what their promises say otherwise than stored."""
        differ = []
        for cell in cells:
            said = claims([{"text": self.run(cell.source)}])
            is_promise = set(cell.metadata.get("tags", [])) >= PROMISE
            if is_promise and said != claims(cell.outputs):
                differ.append(f"{cell.id}: {said}")
        return differ

    def backwards(self, claims) -> list[str]:
        """The same from the last cell to the first, once all have run."""
        return self.broken(reversed(self.cells), claims)

    def most_memory(self) -> int:
        """What the kernel has held, in bytes; getrusage would count what started it, too."""
        code = "print(*[l for l in open('/proc/self/status') if l.startswith('VmHWM')])"
        return 1024 * int(self.run(code).split()[1])

    def turns_red(self, mutant: Mutant) -> bool:
        """Whether the edited cell, or one after it, fails."""
        place = [cell.id for cell in self.cells].index(mutant.cell)
        sources = [cell.source for cell in self.cells]
        assert sources[place].count(mutant.old) == 1, f"{mutant.old!r} is not there once"
        sources[place] = sources[place].replace(mutant.old, mutant.new)
        for source in sources[place : place + REACH]:
            try:
                self.run(source)
            except CellFailed:
                return True
        return False


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: path.stem)
def path(request) -> Path:
    """Each notebook in turn."""
    return request.param


@pytest.fixture(scope="module")
def chapter(path, left_running):
    """A notebook that has run, in nbval's kernel or in one of its own."""
    if kernel := left_running.pop(path, None):
        yield Chapter(path, kernel.kc)
        kernel.stop()
    else:
        with run_kernel(kernel_name="python3", cwd=path.parent) as client:
            chapter = Chapter(path, client)
            for cell in chapter.cells:
                chapter.run(cell.source)
            yield chapter


def test_there_are_notebooks():
    assert PAGES


def test_the_plainer_processor_is_another_one():
    code = "import torch; print(torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | PLAIN, capture_output=True, text=True
    )
    assert run.stdout.split() == ["1", "DEFAULT"]


def test_a_notebook_runs_on_a_plainer_processor(path, tidier):
    environment = os.environ | PLAIN
    with run_kernel(kernel_name="python3", cwd=path.parent, env=environment) as client:
        chapter = Chapter(path, client)
        assert chapter.broken(chapter.cells, tidier.claims) == []
        if sys.platform == "linux":
            assert chapter.most_memory() < ROOM, "Binder has 2 GB for a notebook and its server"


def test_a_notebook_runs_backwards_too(chapter, tidier):
    assert chapter.backwards(tidier.claims) == []


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
    mutants.sort(key=lambda mutant: order.index(mutant.cell), reverse=True)
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
    try:
        with run_kernel(kernel_name="python3", cwd=tmp_path) as client:
            small = Chapter(path, client)
            found = str(small.broken(small.cells, tidier.claims) or small.backwards(tidier.claims))
    except CellFailed as error:  # with the kernel's own in its text
        found = str(error)
    assert (fault in found) if fault else found == "[]"
