"""Never show stale output.

jupyter-cache remembers a notebook's outputs by its code alone, so a change in ``vae_lib``, in a
widget's JavaScript or in an installed package would go unseen. Here the cache lives in a folder
named by a hash of all of these. The folder's path is a setting of myst-nb on which Sphinx keys its
own memory, so when the hash changes every page is read, and every notebook executed, again.

Nor trip over what a full disk or a kill has left half-written in it: such a cache is made anew.

myst-nb would execute one notebook after the other. Those that the cache lacks are executed here
before it reads the pages: as many at once as there are cores, but at most four, or ``BOOK_AT_ONCE``
(each may take 1.5 GB). myst-nb then finds them in the cache; it executes again what has failed, and
reports it.
"""

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import sqlite3
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing
from importlib import metadata
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)

SKIPPED = {"__pycache__", ".ipynb_checkpoints"}


def files_under(folder: Path) -> list[Path]:
    """Every file below a folder in a fixed order, without what Python and Jupyter leave behind."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if not SKIPPED.intersection(path.parts)]


def digest(paths: list[Path], root: Path, extra: str = "") -> str:
    """A short hash of the names and contents of some files, and of any extra text."""
    total = hashlib.sha256(extra.encode())
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return total.hexdigest()[:16]


def installed_versions(requirements: str) -> str:
    """The installed versions of the packages that requirements.txt names, and of Python."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", requirements, flags=re.MULTILINE)
    lines = [f"python {sys.version_info.major}.{sys.version_info.minor}"]
    for name in names:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} missing")
    return "\n".join(lines)


def execution_key(root: Path) -> str:
    """The hash of all that a notebook's output depends on besides its own code."""
    named = [root / "requirements.txt", root / "pyproject.toml"]
    present = [path for path in named if path.exists()]
    requirements = named[0].read_text("utf8") if named[0].exists() else ""
    files = files_under(root / "vae_lib") + present
    return digest(files, root, installed_versions(requirements))


def is_whole(cache: Path) -> bool:
    """Whether jupyter-cache can read all that it has noted; it notes a notebook, then writes it."""
    try:
        with closing(sqlite3.connect(cache / "global.db")) as database:
            kept = database.execute("SELECT hashkey FROM nbcache").fetchall()
            database.execute("SELECT pk FROM nbproject")
        for (key,) in kept:
            json.loads((cache / "executed" / key / "base.ipynb").read_bytes())
    except (sqlite3.Error, OSError, ValueError):
        return False
    return True


def choose_cache(app, config):
    """Name the cache folder by the key; a change of the extension itself re-reads pages as well."""
    root = Path(app.srcdir)
    caches = Path(app.outdir).parent / ".jupyter_cache"
    cache = caches / execution_key(root)
    if cache.exists() and not is_whole(cache):
        shutil.rmtree(cache)
    config.nb_execution_cache_path = str(cache)
    here = Path(__file__).parent
    config.book_site_code = digest(files_under(here), here)
    looks = [path for name in ("static", "templates") for path in files_under(here.parent / name)]
    config.book_site_looks = digest(looks, here.parent)


def forget_superseded(app, exception):
    """Drop caches of other keys; after a warning, let the next build read, and warn, again."""
    current = Path(app.config.nb_execution_cache_path)
    for cache in current.parent.glob("*"):
        if cache != current and exception is None:
            shutil.rmtree(cache, ignore_errors=True)
    if app._warncount:  # else a second build says nothing and passes
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def executed(path: Path, timeout: int) -> ExecutionResult:
    """Run a notebook; called in a process of its own.

    What a cell prints comes in pieces when it takes its time: here they are joined as they come,
    where myst-nb would put a line break between two.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # kernels share the cores
    return single_nb_execution(
        nbformat.read(path, as_version=4),
        cwd=str(path.parent),
        timeout=timeout,
        allow_errors=False,
        coalesce_streams=True,
    )


def fill_cache(app, env, docnames):
    """Execute the notebooks about to be read that the cache lacks, the later chapters first."""
    if app.config.nb_execution_mode != "cache":
        return
    cache = get_cache(app.config.nb_execution_cache_path)
    paths = [Path(env.doc2path(name)) for name in sorted(docnames, reverse=True)]
    missing = [path for path in paths if path.suffix == ".ipynb" and not is_cached(cache, path)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    timeout = app.config.nb_execution_timeout
    pool = ProcessPoolExecutor(min(cores, at_most()))
    try:
        futures = {pool.submit(executed, path, timeout): path for path in missing}
        for future in as_completed(futures):
            keep(cache, futures[future], future)
    except BaseException:  # Ctrl-C: nbclient would wait for its kernel, which has ended
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def at_most() -> int:
    """How many notebooks are executed at once, whatever the cores."""
    given = os.environ.get("BOOK_AT_ONCE") or "4"
    if not re.fullmatch("[1-9][0-9]*", given):
        raise ExtensionError(f"BOOK_AT_ONCE is {given!r}: it must be a whole number from 1 on")
    return int(given)


def is_cached(cache, path: Path) -> bool:
    """Whether the cache has the outputs of a notebook."""
    try:
        cache.match_cache_notebook(nbformat.read(path, as_version=4))
    except KeyError:
        return False
    return True


def keep(cache, path: Path, future: Future[ExecutionResult]):
    """Put what has run without an error into the cache."""
    failed = future.exception() or future.result().err  # the first: a kernel or process has died
    if failed is not None:
        logger.info(f"{path.stem} failed ({type(failed).__name__}), and is executed once more")
        return
    result = future.result()
    logger.info(f"{path.stem} executed in {result.time:.0f} s")
    uri = cache.add_nb_to_project(str(path)).uri
    data = {"execution_seconds": result.time}
    cache.cache_notebook_bundle(
        CacheBundleIn(result.nb, uri, data=data), check_validity=False, overwrite=True
    )


def setup(app):
    """Connect to Sphinx before myst-nb reads its settings."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # no progress bars on a page
    app.add_config_value("book_site_code", "", "env")
    app.add_config_value("book_site_looks", "", "html")
    app.connect("config-inited", choose_cache, priority=100)
    app.connect("env-before-read-docs", fill_cache)
    app.connect("build-finished", forget_superseded)
