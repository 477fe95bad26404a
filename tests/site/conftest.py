"""A miniature book, built with the real settings and the real extension, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from book_server import serve

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


# The command jupyter-book, of the Python that runs the tests.
BOOK = "from jupyter_book.cli.main import main; main()"


class MiniBook:
    """A tree with the book's own site in it, whose pages a test writes."""

    def __init__(self, root: Path):
        self.root, self.html = root, root / "_build" / "html"
        for name in ("_config.yml", "requirements.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "site", root / "site", ignore=shutil.ignore_patterns("__pycache__"))
        for name in (".katex", ".fonts"):  # spares a download for each mini-book
            if (ROOT / "_build" / name).exists():
                shutil.copytree(ROOT / "_build" / name, root / "_build" / name)
        self.write("vae_lib/__init__.py", "")
        self.notebook("intro", "# Mini\n\nThe landing page.\n\n## How to read, launch and rerun")

    def write(self, name: str, text: str):
        """Write a file of the tree."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")

    def notebook(self, name: str, *cells: str | tuple[str, dict]):
        """Write a notebook: cells that begin with "#" are Markdown; (source, metadata) is code."""
        made = []
        for cell in cells:
            source, metadata = cell if isinstance(cell, tuple) else (cell, {})
            kind = "new_markdown_cell" if isinstance(cell, str) else "new_code_cell"
            made.append(getattr(nbformat.v4, kind)(source, metadata=metadata))
        notebook = nbformat.v4.new_notebook(cells=made, metadata=KERNEL)
        self.write(f"book/{name}.ipynb", nbformat.writes(notebook))
        chapters = sorted(path.stem for path in (self.root / "book").glob("[0-9]*.ipynb"))
        chapters += [name for name in ("references",) if (self.root / f"book/{name}.md").exists()]
        lines = "".join(f"  - file: book/{chapter}\n" for chapter in chapters)
        toc = "format: jb-book\nroot: book/intro\n"
        self.write("_toc.yml", toc + (f"chapters:\n{lines}" if lines else ""))

    def build(self, **environment: str) -> str:
        """Build with warnings as errors, and give what was printed; fail where the build does."""
        run = self.try_build(**environment)
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
        return run.stdout + run.stderr

    def try_build(
        self, *options: str, limit: Callable | None = None, **environment: str
    ) -> subprocess.CompletedProcess:
        """The same, whether or not it succeeds. ``vae_lib`` here comes before the installed one.

        ``options`` go to the command, and ``limit`` is one of ``limits``.
        """
        return subprocess.run(
            **self.command(*options, **environment),
            preexec_fn=limit,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *options: str, **environment: str) -> dict:
        """How ``subprocess`` is to build it."""
        names = ("GITHUB_REPOSITORY", "GITHUB_REF_TYPE", "GITHUB_REF_NAME", "GITHUB_HEAD_REF")
        inherited = {k: v for k, v in os.environ.items() if k not in (*names, "BOOK_URL")}
        build = [sys.executable, "-c", BOOK, "build", ".", "-n", "-W", "--keep-going"]
        env = {**inherited, "PYTHONPATH": str(self.root), **environment}
        return {"args": [*build, *options], "cwd": self.root, "env": env}

    def page(self, name: str) -> str:
        """The HTML of a built page."""
        return (self.html / "book" / f"{name}.html").read_text("utf8")


def folder_of_any_name(parent: Path) -> Path:
    """A new folder named as people name theirs: spaces, a quote, brackets, letters beyond ASCII."""
    folder = parent / "Büro – l'été (1)"
    folder.mkdir()
    return folder


@pytest.fixture
def mini_book(tmp_path) -> MiniBook:
    """An empty mini-book, to be filled and built by the test."""
    return MiniBook(folder_of_any_name(tmp_path))


@pytest.fixture(scope="module")
def module_book(tmp_path_factory) -> MiniBook:
    """The same for the tests of one module, which share a build."""
    return MiniBook(folder_of_any_name(tmp_path_factory.mktemp("mini")))


@pytest.fixture(scope="module")
def module_book_url(module_book):
    """The address at which the module's mini-book is served, once it is built."""
    with serve(module_book.html) as url:
        yield url
