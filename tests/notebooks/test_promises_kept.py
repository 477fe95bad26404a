"""The build runs each notebook on this machine's own threads and vectors: its promises hold there.

The build's memory, jupyter-cache, knows what each cell printed. nbval, ``pytest book``, compares
the same claims in a run of its own, on one thread where several processes test.
"""

from pathlib import Path

import nbformat
import pytest
from book_site.execution import execution_key
from jupyter_cache import get_cache

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book").glob("*.ipynb"))
PROMISE = {"nbval-check-output", "keep_output"}


def broken(stored, executed, claims) -> list[str]:
    """The cells of an executed notebook that have not run, or promise otherwise than stored."""
    found = []
    for cell, ran in zip(stored.cells, executed.cells, strict=True):
        if cell.cell_type != "code":
            continue
        if not ran.execution_count:
            found.append(f"{cell.id} has not run")
        is_promise = set(cell.metadata.get("tags", [])) >= PROMISE
        if is_promise and claims(ran.outputs) != claims(cell.outputs):
            found.append(f"{cell.id}: {claims(ran.outputs)}")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_build_kept_every_promise(built_site, tidier, path):
    stored = nbformat.read(path, as_version=4)
    cache = get_cache(built_site.parent / ".jupyter_cache" / execution_key(ROOT))
    _, executed = cache.merge_match_into_notebook(stored)  # KeyError: has not run
    assert broken(stored, executed, tidier.claims) == []


SAID = "✓ below\n    · at 1.5\n"


@pytest.mark.parametrize(
    ("count", "said", "found"),
    [
        (1, SAID.replace("1.5", "1.6"), []),
        (1, SAID.replace("below", "above"), ["a: ✓ above\n    ·\n"]),
        (1, "", ["a: "]),
        (None, SAID, ["a has not run"]),
    ],
)
def test_what_has_not_run_and_what_says_something_else_is_found(tidier, count, said, found):
    def notebook(count, said):
        output = nbformat.v4.new_output("stream", text=said)
        metadata = {"tags": sorted(PROMISE)}
        cell = nbformat.v4.new_code_cell(
            "x", id="a", outputs=[output], execution_count=count, metadata=metadata
        )
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("x"), cell])

    assert broken(notebook(1, SAID), notebook(count, said), tidier.claims) == found
