"""Seconds and peak memory of each chapter, run from a cold kernel, one after the other.

    python benchmarks/chapter_cost.py [--cores 1] [book/10-the-vae.ipynb …]

The peak is that of the largest process, which is the kernel: what ``/usr/bin/time -v`` reports.
Binder gives 2 GB. A chapter's aim is 30 seconds on two cores, imports included, and a minute on
one. ``--cores`` chooses how many, on Linux; tests/long/test_small_machine.py tests the memory.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

BOOK = Path(__file__).parents[1] / "book"
RUN = """
import sys, nbformat
from nbclient import NotebookClient
path = sys.argv[1]
NotebookClient(nbformat.read(path, 4), timeout=300, kernel_name="python3").execute()
"""


def cost(notebook: Path) -> tuple[float, float]:
    """Wall-clock seconds and peak GB of one run, on the cores that this process may use."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, notebook.name],
        cwd=notebook.parent,
        env=os.environ | {"TQDM_DISABLE": "1"},
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{notebook} failed: run it with nbval to see why")
    return time.perf_counter() - start, usage.ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them if none is named")
    parser.add_argument("--cores", type=int, help="as many as there are, if left out")
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    notebooks = options.notebooks or sorted(BOOK.glob("*.ipynb"))
    total = 0.0
    for notebook in notebooks:
        seconds, peak = cost(notebook.resolve())
        total += seconds
        print(f"{notebook.stem:36} {seconds:6.1f} s  {peak:5.2f} GB", flush=True)
    print(f"{'all':36} {total:6.1f} s")


if __name__ == "__main__":
    main()
