"""scripts/tidy_notebooks.py: it runs a notebook, keeps its promises and strips the rest."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PROMISE = {"tags": ["nbval-check-output", "keep_output"]}


def write(path, *cells, **metadata):
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def untidy(tmp_path):
    """A notebook as an author leaves it: stale outputs, stray metadata, another kernel."""
    stale = [new_output("stream", text="an old promise\n")]
    return write(
        tmp_path / "99-a-try.ipynb",
        new_markdown_cell("# 99. A try", metadata={"jp-MarkdownHeadingCollapsed": True}),
        new_code_cell("total = 1 + 1", metadata={"collapsed": False, "tags": ["hide-input"]}),
        new_code_cell("print(total)\nprint('so')", metadata=PROMISE, outputs=stale),
        new_code_cell("print('not promised')", execution_count=12, outputs=stale),
        kernelspec={"name": "mine", "display_name": "Mine", "language": "python"},
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}},
    )


def test_promises_are_refreshed_and_the_rest_is_stripped(untidy, tidier):
    tidier.tidy(untidy)
    notebook = read(untidy)
    title, colab, total, promise, other = notebook.cells
    assert promise.outputs == [new_output("stream", text="2\nso\n")]
    assert promise.execution_count == 3, "third code cell, counting Colab's"
    for cell in (colab, total, other):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert promise.metadata == PROMISE
    assert total.metadata == {"tags": ["hide-input"]}
    assert title.metadata == {}
    assert notebook.metadata == {"kernelspec": tidier.KERNEL, "language_info": {"name": "python"}}
    assert [path.name for path in untidy.parent.iterdir()] == [untidy.name]


def test_tidying_twice_changes_nothing(untidy, tidier):
    tidier.tidy(untidy)
    once = untidy.read_bytes()
    tidier.tidy(untidy)
    assert untidy.read_bytes() == once


def test_cell_ids_and_alt_texts_are_kept(untidy, tidier):
    notebook = read(untidy)
    ids = [cell.id for cell in notebook.cells]
    alt = {"mystnb": {"image": {"alt": "a point"}}}
    notebook.cells[1].metadata = nbformat.from_dict(alt)
    nbformat.write(notebook, untidy)
    tidier.tidy(untidy)
    title, colab, *rest = read(untidy).cells
    assert [cell.id for cell in (title, *rest)] == ids
    assert colab.id not in ids
    assert rest[0].metadata == alt


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 + 1", "execute_result"),
        ("x = 1", "only prints"),
        ("import sys; print('!', file=sys.stderr)", "stderr"),
    ],
)
def test_a_promise_that_does_not_just_print_is_refused_and_the_file_left(
    tmp_path, tidier, source, words
):
    path = write(tmp_path / "98.ipynb", new_code_cell(source, metadata=PROMISE))
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=words):
        tidier.tidy(path)
    assert path.read_bytes() == before


def test_a_cell_that_fails_leaves_the_file_as_it_was(tmp_path, tidier):
    path = write(tmp_path / "97.ipynb", new_code_cell("assert 1 == 2"))
    before = path.read_bytes()
    with pytest.raises(Exception, match="AssertionError"):
        tidier.tidy(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("remote", "named"),
    [
        ("ada/book", '"ada/book" or input'),
        ("https://github.com/ada/book.git", '"ada/book" or input'),
        ("git@github.com:ada/book.git", '"ada/book" or input'),
        ("/srv/git/book.git", '"" or input'),
    ],
)
def test_the_colab_cell_knows_the_repository_where_git_does(monkeypatch, tidier, remote, named):
    monkeypatch.setenv("GITHUB_REPOSITORY", remote)
    assert named in tidier.colab_cell()
    assert '"vae-lib @ git+https://github.com/{repository}"' in tidier.colab_cell()


def test_without_a_remote_the_reader_is_asked(monkeypatch, tidier):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(tidier, "_git_remote", lambda: "")
    assert '"" or input' in tidier.colab_cell()
