"""What holds wherever pytest is started, in ``pytest book/08-the-elbo.ipynb`` too.

With several processes (``pytest -n 2``), the tests of one file share a process, its fixtures and
its kernel; those that run for each notebook or page share it notebook by notebook, page by page.

What the test of a notebook must not hide:

nbval interrupts a cell that runs out of time and expects the cells after it to fail. A training
that takes the interrupt for the reader's passes, whatever comes after counts as an expected failure
or as a surprise, and pytest ends with 0. Here all of these are failures.
"""

import os
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell
from xdist.scheduler import LoadScopeScheduling

BOOK = Path(__file__).parent / "book"


def pytest_configure(config):
    """Find the file of ``--nbval-sanitize-with`` from any folder; one thread for each process."""
    if given := config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / given)
    if config.getoption("numprocesses", None):  # more threads than cores would wait for one another
        os.environ.setdefault("OMP_NUM_THREADS", "1")


PAGES = sorted((path.stem for path in BOOK.glob("**/*.*[bd]")), key=len, reverse=True)


class ByPage(LoadScopeScheduling):
    """Keeps the tests of a file in one process, but shares out those that run for each page."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        parameters = test.partition("[")[2]
        page = next((page for page in PAGES if page in parameters), "")
        return f"{file}:{page}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Marks for groups, with ``--dist=loadgroup``, do nothing in pytest 9.2 and xdist 3.8."""
    return ByPage(config, log)


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
    if not isinstance(item, IPyNbCell) or report.failed or report.when == "teardown":
        return report
    if reason := hidden(item, report):
        report.outcome, report.longrepr = "failed", f"{report.longrepr or ''}\n{reason}".strip()
        vars(report).pop("wasxfail", None)
    return report
