"""Promises hold on other machines: one thread, and a processor without wide vector units.

Rounding differs there, which is all that a seeded computation may notice. The notebooks themselves
run on this machine's threads and vectors as ordinary nbval tests.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
PLAIN = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}


def run(*command: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | PLAIN
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_the_other_machine_is_another_one():
    code = "import torch; print(torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())"
    assert run("-c", code).stdout.split() == ["1", "DEFAULT"]


def test_promises_hold_on_it():
    """Every cell passes: neither an exit status nor the absence of failures says that."""
    pages = sorted((ROOT / "book").glob("*.ipynb"))
    cells = [cell for page in pages for cell in nbformat.read(page, as_version=4).cells]
    code = [cell.metadata.get("tags", []) for cell in cells if cell.cell_type == "code"]
    skipped = sum("nbval-skip" in tags for tags in code)
    assert len(code) > skipped, "no notebooks in book/"
    ran = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, pages))
    summary = ran.stdout.strip().splitlines()[-1]
    found = Counter({kind: int(n) for n, kind in re.findall(r"(\d+) ([a-z]+)", summary)})
    del found["warning"], found["warnings"]
    wanted = Counter(passed=len(code) - skipped, skipped=skipped)
    assert found == wanted, ran.stdout[-6000:] + ran.stderr[-2000:]
