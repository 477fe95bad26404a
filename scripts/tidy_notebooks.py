"""Run the book's notebooks and keep in them only what they promise.

    python scripts/tidy_notebooks.py book/08-the-elbo.ipynb    # these
    python scripts/tidy_notebooks.py                           # all of them

A promise is a code cell tagged both ``nbval-check-output`` and ``keep_output``; its printed text
and its execution count stay. Every other output, count and stray piece of metadata goes. The
first code cell becomes the Colab cell, the same in every notebook. See CONTRIBUTING.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

BOOK = Path(__file__).parents[1] / "book"
PROMISE = {"nbval-check-output", "keep_output"}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COLAB_CELL = """\
# On Colab only: install the book's library. Colab's own torch stays as it is.
import sys

if "google.colab" in sys.modules:
    repository = "{repository}" or input("The book's GitHub repository (owner/name): ")
    %pip install --quiet "vae-lib @ git+https://github.com/{{repository}}"
"""


def colab_cell() -> str:
    """The text of every notebook's first code cell, with the repository's name if git knows it."""
    remote = os.environ.get("GITHUB_REPOSITORY") or _git_remote()
    match = re.search(r"(?:^|github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?$", remote)
    return COLAB_CELL.format(repository=match[1] if match else "").rstrip()


def _git_remote() -> str:
    command = ["git", "-C", str(BOOK), "config", "--get", "remote.origin.url"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def tidy(path: Path) -> None:
    """Execute ``path`` and write it back, promises refreshed, everything else stripped."""
    notebook = nbformat.read(path, as_version=4)
    _set_colab_cell(notebook)
    _execute(notebook, path)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.metadata = nbformat.from_dict(metadata)
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem)[:40].strip("-")
    for number, cell in enumerate(notebook.cells):
        if not re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell.get("id", "")):
            cell.id = f"{stem}-{number}"
        kept = {key: cell.metadata[key] for key in ("tags", "mystnb") if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            _keep_promise(cell)
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    temporary = path.with_suffix(".tmp")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


def _set_colab_cell(notebook) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or "google.colab" not in code[0].source:
        cell = nbformat.v4.new_code_cell(metadata={"tags": ["remove-cell"]})
        place = next((k for k, c in enumerate(notebook.cells) if c.cell_type == "code"), 1)
        notebook.cells.insert(place, cell)
        code = [cell]
    code[0].source = colab_cell()


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


def _keep_promise(cell) -> None:
    if set(cell.metadata.get("tags", [])) >= PROMISE:
        kinds = [o.get("name", o.output_type) for o in cell.outputs]
        others = [kind for kind in kinds if kind != "stdout"]
        if others or not cell.outputs:
            raise SystemExit(f"a promise only prints, this one gives {others}:\n{cell.source}")
    else:
        cell.outputs, cell.execution_count = [], None


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(BOOK.glob("*.ipynb")):
        print(name, flush=True)
        tidy(Path(name))
