"""Any cell can be run again, and promises hold on another machine: one run shows both.

Each notebook runs from top to bottom, then its code cells run once more from the last to the first
in the same kernel. No cell fails, and each promise makes its claims both times. The kernel has one
thread and no wide vector units, where rounding differs, which is all that a seeded computation may
notice; on this machine's own threads and vectors the notebooks run as ordinary nbval tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PROMISE = {"nbval-check-output", "keep_output"}
PLAIN = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}


def run_both_ways(path: Path, claims) -> list[str]:
    """Run a notebook forwards and backwards; give what its promises say otherwise than stored."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    stored = {id(cell): cell.outputs for cell in cells}
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": path.parent}},
    )
    differ = []
    with client.setup_kernel(env=os.environ | PLAIN):
        for cell in [*cells, *reversed(cells)]:
            client.execute_cell(cell, 0)
            is_promise = set(cell.metadata.get("tags", [])) >= PROMISE
            if is_promise and claims(cell.outputs) != claims(stored[id(cell)]):
                differ.append(f"{cell.id}: {claims(cell.outputs)}")
    return differ


def pages() -> list[Path]:
    return sorted((ROOT / "book").glob("*.ipynb"))


def test_there_are_notebooks():
    assert pages()


def test_the_other_machine_is_another_one():
    code = "import torch; print(torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | PLAIN, capture_output=True, text=True
    )
    assert run.stdout.split() == ["1", "DEFAULT"]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_a_notebook_runs_forwards_and_backwards_there(path, tidier):
    assert run_both_ways(path, tidier.claims) == []


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
        found = str(run_both_ways(path, tidier.claims))
    except Exception as error:  # nbclient's, with the kernel's own in its text
        found = str(error)
    assert (fault in found) if fault else found == "[]"
