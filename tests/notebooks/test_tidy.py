"""scripts/tidy_notebooks.py: it runs a notebook, keeps its promises, and writes what is counted."""

import importlib.util
import re
import shutil
from importlib import metadata

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
    title, install, total, promise, other = notebook.cells
    assert promise.outputs == [new_output("stream", text="2\nso\n")]
    assert promise.execution_count == 3, "third code cell, counting the first"
    for cell in (install, total, other):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert promise.metadata == PROMISE
    assert total.metadata == {"tags": ["hide-input"], **tidier.FOLDS}
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
    title, install, *rest = read(untidy).cells
    assert [cell.id for cell in (title, *rest)] == ids
    assert install.id not in ids
    assert rest[0].metadata == alt


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 + 1", "execute_result"),
        ("x = 1", r"this one gives \[\]"),
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


@pytest.fixture
def git_says(monkeypatch, tidier):
    """Let git name a remote, and the environment nothing."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    return lambda remote: monkeypatch.setattr(tidier, "_git_remote", lambda: remote)


@pytest.mark.parametrize(
    ("remote", "named"),
    [
        ("https://github.com/ada/book.git", "ada/book"),
        ("git@github.com:ada/book.git", "ada/book"),
        ("/srv/git/book.git", ""),
        ("", ""),
    ],
)
def test_the_repository_is_known_where_git_knows_it(git_says, tidier, remote, named):
    git_says(remote)
    assert tidier.repository() == named


def run_install_cell(source: str, monkeypatch) -> list[str]:
    """Run the first cell as IPython does where vae_lib is missing; give what is installed."""
    asked = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    python = re.sub(r"^( *)%pip (.*)$", r"\1asked.append('''\2''')", source, flags=re.MULTILINE)
    exec(python, {"asked": asked})
    return asked


def test_the_library_is_installed_from_its_version_s_tag(tidier, monkeypatch):
    source = tidier.install_cell("ada/book")
    (asked,) = run_install_cell(source, monkeypatch)
    assert f'"vae-lib @ git+https://github.com/ada/book@v{vae_lib_version()}"' in asked
    assert "torch" not in asked and "upgrade" not in asked, "an installed torch stays"


def test_where_no_repository_is_known_one_sentence_says_what_to_do(tidier, monkeypatch):
    source = tidier.install_cell("")
    with pytest.raises(
        ModuleNotFoundError, match=r"^vae_lib is missing: run `pip install \.`.*\.$"
    ):
        run_install_cell(source, monkeypatch)
    assert "input(" not in source, "a batch run would wait for ever"


def test_an_installed_library_is_left_alone(tidier):
    exec(tidier.install_cell(""), {})


def vae_lib_version() -> str:
    return metadata.version("vae-lib")


# Folds


def test_what_the_page_folds_is_folded_in_jupyter_and_colab(tmp_path, tidier):
    cells = [
        new_code_cell("a = 1", metadata={"tags": ["hide-input"]}),
        new_code_cell("b = 1", metadata={"jupyter": {"source_hidden": True}, "cellView": "form"}),
    ]
    path = write(tmp_path / "96.ipynb", *cells)
    tidier.tidy(path, run=False)
    install, folded, unfolded = read(path).cells
    for cell in (install, folded):
        assert cell.metadata["jupyter"] == {"source_hidden": True}
        assert cell.metadata["cellView"] == "form"
    assert unfolded.metadata == {}


# Numbers under a promise


def test_stored_numbers_stay_while_the_claims_are_the_same(tmp_path, tidier):
    source = "print('✓ so it is')\nprint('    · gap', 0.25)\nprint('✓ and so')"
    before = "✓ so it is\n    · gap 0.24\n✓ and so\n"
    cell = new_code_cell(source, metadata=PROMISE, outputs=[new_output("stream", text=before)])
    path = write(tmp_path / "95.ipynb", cell)
    tidier.tidy(path)
    assert read(path).cells[1].outputs[0].text == before
    notebook = read(path)
    notebook.cells[1].source = source.replace("so it is", "it is so")
    nbformat.write(notebook, path)
    tidier.tidy(path)
    assert read(path).cells[1].outputs[0].text == "✓ it is so\n    · gap 0.25\n✓ and so\n"


# The text of the whole book

WORKS = """
@article{kingma2014auto, author = {Kingma, Diederik P. and Welling, Max}, title = {Auto},
  journal = {J}, year = {2014}}
@article{burda2016importance, author = {Burda, Yuri and Grosse, Roger and Salakhutdinov, Ruslan},
  title = {Weights}, journal = {J}, year = {2016}, doi = {10.1/a_b(c)}}
@article{scholkopf1998kernel, author = {Sch{\\"o}lkopf, Bernhard}, title = {K}, journal = {J},
  year = {1998}}
"""


@pytest.fixture
def book(tmp_path):
    """A function that writes a small book, and the text of its pages after ``rewrite``."""

    class Book:
        path = tmp_path

        def write(self, name: str, *cells: str, code: str = ""):
            if name.endswith(".md"):
                (tmp_path / name).write_text("\n\n".join(cells), "utf8")
                return
            made = [new_markdown_cell(cell) for cell in cells]
            write(tmp_path / name, *made, *([new_code_cell(code)] if code else []))

        def rewrite(self, tidier) -> None:
            tidier.book_text.rewrite(tmp_path)

        def text(self, name: str) -> str:
            if name.endswith(".md"):
                return (tmp_path / name).read_text("utf8")
            return "\n\n".join(cell.source for cell in read(tmp_path / name).cells)

    (tmp_path / "references.bib").write_text(WORKS, "utf8")
    made = Book()
    made.write("references.md", "# Bibliography\n\nThe works.")
    return made


def test_equations_are_numbered_in_order_and_every_reference_follows(book, tidier):
    """(8.1) and (8.2) change places: only one substitution for all does that."""
    eight = (
        "$$ b \\tag{8.2} $$\n\n$$ n \\tag{?new} $$\n\n$$ a \\tag{8.1} $$\n\n(8.1) (8.2), (?new)."
    )
    kept = "`(8.1)` $f(8.1)$ ```\n(8.1)\n``` [x](y.md)"
    book.write("08-eight.ipynb", eight, kept, code="x = f(8.1)  # as (8.1) says")
    book.write("short.md", "See (?new) and [(8.2)](08-eight.ipynb).")
    book.rewrite(tidier)
    text = book.text("08-eight.ipynb")
    assert tidier.book_text.TAG.findall(text) == ["8.1", "8.2", "8.3"]
    assert "(8.3) (8.1), (8.2)." in text
    assert kept in text
    assert "x = f(8.1)  # as (8.3) says" in text
    assert book.text("short.md") == "See (8.2) and [(8.1)](08-eight.ipynb)."
    book.rewrite(tidier)
    assert book.text("08-eight.ipynb") == text, "a second time nothing changes"


def test_citations_get_their_text_and_keep_their_form(book, tidier):
    forms = {
        "[](references.md#kingma2014auto)": "[Kingma and Welling, 2014]",
        "[()](references.md#burda2016importance)": "[Burda et al. (2016)]",
        "[Burda, 1999](references.md#burda2016importance)": "[Burda et al., 2016]",
        "[B (99)](references.md#scholkopf1998kernel)": "[Schölkopf (1998)]",
    }
    book.write("08-eight.ipynb", "\n\n".join(forms))
    book.rewrite(tidier)
    found = [line.partition("(references")[0] for line in book.text("08-eight.ipynb").split("\n\n")]
    assert found == list(forms.values())


def test_the_bibliography_lists_every_work_in_order_with_who_cites_it(book, tidier):
    book.write("08-eight.ipynb", "[](references.md#kingma2014auto)")
    book.write("10-ten.ipynb", "[()](references.md#kingma2014auto)")
    book.rewrite(tidier)
    head, *works = book.text("references.md").split('<a id="')
    assert head == "# Bibliography\n\nThe works.\n\n"
    keys = [work.partition('"')[0] for work in works]
    assert keys == ["burda2016importance", "kingma2014auto", "scholkopf1998kernel"]
    assert "Cited in chapters [8](08-eight.ipynb), [10](10-ten.ipynb)." in works[1]
    assert "https://doi.org/10.1/a_b(c)" in works[0]
    assert "Cited" not in works[2]


def test_links_to_headings_get_jupyterlab_s_form(book, tidier):
    book.write("08-eight.ipynb", "## What's *held* still?", "[here](#whats-held-still)")
    book.write("short.md", "[there](08-eight.ipynb#what-s-held-still)")
    book.rewrite(tidier)
    assert "[here](#What's-held-still?)" in book.text("08-eight.ipynb")
    assert book.text("short.md") == "[there](08-eight.ipynb#What's-held-still?)"


def test_a_work_without_what_its_kind_needs_is_named(book, tidier):
    (book.path / "references.bib").write_text("@article{x, author={A, B}, title={T}, year={1}}")
    with pytest.raises(tidier.book_text.BookError, match=r"references\.bib.*journal in x"):
        book.rewrite(tidier)


def test_works_that_would_be_cited_alike_are_told_apart(book, tidier):
    more = (
        """@misc{kingma2014b, author = {Kingma, D. and Welling, M.}, title = {B}, year = {2014}}"""
    )
    (book.path / "references.bib").write_text(WORKS + more)
    book.write("08-eight.ipynb", "[](references.md#kingma2014auto) [](references.md#kingma2014b)")
    book.rewrite(tidier)
    assert "Welling, 2014a]" in book.text("08-eight.ipynb")
    assert "Welling, 2014b]" in book.text("08-eight.ipynb")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("By (?nome). $$ a \\tag{?name} $$", r"08-eight.*\(\?nome\) names no equation.*\?name"),
        ("The equation (8.2) is gone.", r"08-eight.*\(8\.2\) names no equation"),
        ("A value, (0.5).", r"\(0\.5\) names no equation"),
        ("$$ a \\tag{?n} $$ $$ b \\tag{?n} $$", "stands twice"),
        ("$$ a \\tag{*} $$", "neither"),
        ("[](references.md#kingma2014)", "08-eight.*no 'kingma2014'; it has kingma2014auto"),
        ("[x](#Solution-8.1)", "08-eight.*no heading Solution-8.1"),
        ("[x](09-nine.ipynb#a)", "there is no 09-nine.ipynb"),
    ],
)
def test_what_leads_nowhere_is_an_error_and_nothing_is_changed(book, tidier, text, said):
    book.write("07-seven.ipynb", "$$ a \\tag{?fine} $$")
    book.write("08-eight.ipynb", text)
    before = {path: path.read_bytes() for path in book.path.iterdir()}
    with pytest.raises(tidier.book_text.BookError, match=said):
        book.rewrite(tidier)
    assert {path: path.read_bytes() for path in book.path.iterdir()} == before


def test_the_book_s_text_is_in_order(tidier, tmp_path):
    """Otherwise: run scripts/tidy_notebooks.py --text."""
    copy = shutil.copytree(tidier.BOOK, tmp_path / "book")
    tidier.book_text.rewrite(copy)
    changed = [path.name for path in copy.iterdir() if path.is_file()]
    changed = [n for n in changed if (copy / n).read_bytes() != (tidier.BOOK / n).read_bytes()]
    assert changed == [], "run scripts/tidy_notebooks.py --text"
