"""Bring the book's sources into the form in which they are kept.

    python scripts/tidy_notebooks.py --text                    # numbers, citations, folds
    python scripts/tidy_notebooks.py book/08-the-elbo.ipynb    # that, and run this notebook
    python scripts/tidy_notebooks.py                           # that, and run all of them

The text of the whole book is put right every time: ``book_text`` says how. In each notebook, the
first code cell becomes the one that installs the library, cells that the page folds are folded in
Jupyter and Colab too, and stray metadata goes.

A notebook that is run keeps what it promises and no other output. A promise is a code cell tagged
both ``nbval-check-output`` and ``keep_output``. Where only the numbers under its claims have moved,
the stored text stays: clear a cell's output to have the new ones. See CONTRIBUTING.md.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parent))
import book_text

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
PROMISE = {"nbval-check-output", "keep_output"}
FOLDED = {"hide-input", "remove-input", "remove-cell"}
FOLDS = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # in Jupyter, in Colab
KEPT = ("tags", "mystnb", *FOLDS)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NUMBERS = re.compile(r"^    · .*$", flags=re.MULTILINE)  # see vae_lib.promises

IF_MISSING = """\
# Install the book's library where it is missing.
import importlib.util

if importlib.util.find_spec("vae_lib") is None:
"""
INSTALL = '    %pip install --quiet "vae-lib @ git+https://github.com/{repository}@v{version}"'
REFUSE = """\
    raise ModuleNotFoundError(
        "vae_lib is missing: run `pip install .` in the folder that holds"
        " this book's pyproject.toml, then restart the kernel."
    )"""


def repository() -> str:
    """The repository's name on GitHub, owner/name, or nothing where git does not know it."""
    remote = os.environ.get("GITHUB_REPOSITORY") or _git_remote()
    match = re.search(r"(?:^|github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?$", remote)
    return match[1] if match else ""


def _git_remote() -> str:
    command = ["git", "-C", str(BOOK), "config", "--get", "remote.origin.url"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def version() -> str:
    """The library's version; its tag is v and this."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["version"]


def install_cell(repository: str) -> str:
    """Every notebook's first code cell: pip leaves alone a torch that is there."""
    if not repository:
        return IF_MISSING + REFUSE
    return IF_MISSING + INSTALL.format(repository=repository, version=version())


def tidy(path: Path, run: bool = True) -> None:
    """Write ``path`` back in its kept form; with ``run``, with its promises refreshed.

    Raises:
        SystemExit: a promise does more than print. The file is then as it was.
        CellExecutionError: a cell fails. The file is then as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    code = _code(notebook)
    if not code or "remove-cell" not in code[0].metadata.get("tags", []):
        place = next((k for k, c in enumerate(notebook.cells) if c.cell_type == "code"), 1)
        cell = nbformat.v4.new_code_cell(metadata={"tags": ["remove-cell"]})
        notebook.cells.insert(place, cell)
    _code(notebook)[0].source = install_cell(repository())
    if run:
        _refresh(notebook, path)
    _dress(notebook, path)
    nbformat.validate(notebook)
    book_text.write(path, nbformat.writes(notebook) + "\n")


def _code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _dress(notebook, path: Path) -> None:
    """Ids, kernel, folds, and no other metadata."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat_minor = 5
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem)[:40].strip("-")
    for number, cell in enumerate(notebook.cells):
        if not re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell.get("id", "")):
            cell.id = f"{stem}-{number}"
        tags = set(cell.metadata.get("tags", []))
        kept = {key: cell.metadata[key] for key in ("tags", "mystnb") if cell.metadata.get(key)}
        folds = FOLDS if cell.cell_type == "code" and tags & FOLDED else {}
        cell.metadata = nbformat.from_dict(kept | folds)
        if cell.cell_type == "code" and not tags >= PROMISE:
            cell.outputs, cell.execution_count = [], None


def _refresh(notebook, path: Path) -> None:
    """Run the notebook; where a promise's claims are the stored ones, keep the stored numbers."""
    promises = [cell for cell in _code(notebook) if set(cell.metadata.get("tags", [])) >= PROMISE]
    stored = [cell.outputs for cell in promises]
    _execute(notebook, path)
    for cell, before in zip(promises, stored, strict=True):
        kinds = [output.get("name", output.output_type) for output in cell.outputs]
        if kinds != ["stdout"]:
            raise SystemExit(f"a promise only prints, this one gives {kinds}:\n{cell.source}")
        if claims(cell.outputs) == claims(before):
            cell.outputs = before


def claims(outputs) -> str:
    """What a promise prints, without its numbers."""
    return NUMBERS.sub("    ·", "".join(output.get("text", "") for output in outputs))


def _execute(notebook, path: Path) -> None:
    os.environ.setdefault("TQDM_DISABLE", "1")
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name=KERNEL["name"],  # whatever the author's was
        coalesce_streams=True,
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()


def main() -> None:
    """Read the command line; say what is wrong in one line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", action="store_true", help="run no notebook")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of the book's if left out")
    chosen = parser.parse_args()
    try:
        book_text.rewrite(BOOK)
    except book_text.BookError as error:
        sys.exit(f"nothing is changed: {error}")
    for path in chosen.notebooks or sorted(BOOK.glob("*.ipynb")):
        print(path, flush=True)
        tidy(path, run=not chosen.text)


if __name__ == "__main__":
    main()
