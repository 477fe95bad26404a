"""What holds wherever pytest is started, in ``pytest book/08-the-elbo.ipynb`` too.

The tests of one file share a process, its fixtures and its kernel (``pytest -n 2`` has two); those
that run for each notebook or page share it notebook by notebook, page by page. A notebook is run by
nbval, which leaves its kernel to tests/notebooks/test_runs.py where that is to go on with it.

What the test of a notebook must not hide:

nbval interrupts a cell that runs out of time and expects the cells after it to fail. A training
that takes the interrupt for the reader's passes, whatever comes after counts as an expected failure
or as a surprise, and pytest ends with 0. Here all of these are failures.
"""

import os
from pathlib import Path

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile
from xdist.scheduler import LoadScopeScheduling

BOOK = Path(__file__).parent / "book"


def pytest_configure(config):
    """Find the file of ``--nbval-sanitize-with`` from any folder; one thread for each process."""
    if given := config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / given)
    if config.getoption("numprocesses", None):  # more threads than cores would wait for one another
        os.environ.setdefault("OMP_NUM_THREADS", "1")


PAGES = sorted((path.stem for path in BOOK.glob("**/*.*[bd]")), key=len, reverse=True)


RUNS = "tests/notebooks/test_runs.py"  # which goes on with notebooks


def share(nodeid: str) -> str:
    """What is tested in one process, one test after the other: a file, or a page of the book."""
    file, _, test = nodeid.partition("::")
    parameters = test.partition("[")[2]
    page = next((page for page in PAGES if page in parameters), "")
    if file.endswith(".ipynb"):
        return f"{RUNS}:{Path(file).stem}"
    return f"{file}:{page}"


class ByPage(LoadScopeScheduling):
    """Keeps the tests of a file in one process, but shares out those that run for each page."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """In one process, too, what shares fixtures or a kernel comes together."""
    first = {}
    for place, item in enumerate(items):
        first.setdefault(share(item.nodeid), place)
    items.sort(key=lambda item: first[share(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Marks for groups, with ``--dist=loadgroup``, do nothing in pytest 9.2 and xdist 3.8."""
    return ByPage(config, log)


class Notebook(IPyNbFile):
    """nbval's notebook, which leaves its kernel to the tests that go on with it."""

    left_running: dict[Path, RunningKernel] = {}  # noqa: RUF012 for the whole session
    failed = False

    def goes_on(self) -> bool:
        """Whether every cell is run, and then the notebook by ``RUNS``."""
        nodeids = [item.nodeid for item in self.session.items]
        mine = [nodeid for nodeid in nodeids if nodeid.startswith(f"{self.nodeid}::")]
        cells = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        name = f"[{self.path.stem}]"
        told = any(nodeid.startswith(RUNS) and nodeid.endswith(name) for nodeid in nodeids)
        return told and len(mine) == len(cells)

    def teardown(self):
        """Stop the kernel, or leave it with all that the cells have made."""
        if self.goes_on() and not self.failed:
            self.left_running[self.path] = self.kernel
        else:
            super().teardown()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent):
    """Give the book's notebooks in place of nbval's."""
    found = yield
    return [
        Notebook.from_parent(parent, path=file.path) if type(file) is IPyNbFile else file
        for file in found
    ]


def pytest_sessionfinish():
    """Stop what nobody has gone on with, when the run was cut short."""
    for kernel in Notebook.left_running.values():
        kernel.stop()


@pytest.fixture(scope="session")
def left_running() -> dict[Path, RunningKernel]:
    """The kernels in which notebooks have run, without a failure; who takes one stops it."""
    return Notebook.left_running


def hidden(item: IPyNbCell, report: pytest.TestReport) -> str:
    """Why a cell that did not fail shows nothing, or nothing where it does show something."""
    if report.skipped and not hasattr(report, "wasxfail"):
        tagged = "nbval-skip" in item.cell.metadata.get("tags", ())
        return "" if tagged else "the cell was skipped and has no tag nbval-skip"
    if item.parent.timed_out:
        limit = item.config.option.nbval_cell_timeout
        return f"this cell, or one before it, ran longer than --nbval-cell-timeout={limit:g} s"
    return "the cell was expected to fail" if hasattr(report, "wasxfail") else ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Fail a notebook's cell that would be skipped, xfailed, xpassed or cut short in silence."""
    report = yield
    if not isinstance(item, IPyNbCell) or report.when == "teardown":
        return report
    if not report.failed and (reason := hidden(item, report)):
        report.outcome, report.longrepr = "failed", f"{report.longrepr or ''}\n{reason}".strip()
        vars(report).pop("wasxfail", None)
    item.parent.failed |= report.failed
    return report
