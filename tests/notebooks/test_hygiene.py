"""What stands in the notebooks' files: promises with their outputs, and nothing else."""

import ast
import builtins
import re
import symtable
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"

TAGS = {
    "nbval-check-output", "keep_output", "hide-input", "remove-cell", "remove-input",
    "nbval-skip", "raises-exception",
}  # fmt: skip
PROMISE = {"nbval-check-output", "keep_output"}
DRAWING = {"digit_grid", "digit_rows", "code_map", "learning_curves", "manifold"}
PLOTTING = {"subplots", "subplot_mosaic", "figure", "plot", "scatter", "imshow", "hist", "bar"}
FOLDED = {"hide-input", "remove-input", "remove-cell"}
DISPLAY = re.compile(r"\$\$(.*?)\$\$", flags=re.DOTALL)
MYST = {
    "a role": r"\{[a-z][\w:-]*\}`",
    "a directive": r"^ *(?::::|```\{)",
    "a label of an equation": r"\$\$ *\([\w:-]+\) *$|\(eq-",
    "a label": r"^\([\w-]+\)=",
    "an attribute": r"[\])`]\{[.#][^}]*\}",
}
SOLUTION = re.compile(r"^### Solution (\d+)\.(\d+)$", flags=re.MULTILINE)
EXERCISE = re.compile(r"^### Exercise (\d+)\.(\d+): \S", flags=re.MULTILINE)


class Notebook:
    """One notebook, with the questions that several tests ask of it."""

    def __init__(self, path: Path):
        self.path = path
        self.content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        self.cells = self.content.cells
        self.code = [cell for cell in self.cells if cell.cell_type == "code"]
        self.markdown = [cell for cell in self.cells if cell.cell_type == "markdown"]
        self.text = "\n".join(cell.source for cell in self.markdown)

    @property
    def is_chapter(self) -> bool:
        return bool(re.match(r"\d\d-", self.path.name))


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def tree(cell) -> ast.Module:
    """The syntax tree of a code cell, IPython's magic lines left out."""
    plain = re.sub(r"^( *)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)
    return ast.parse(plain)


def calls(node: ast.AST) -> set[str]:
    """Dotted names of the functions called when ``node`` runs: not those in bodies of functions."""
    found, rest = set(), [node]
    while rest:
        here = rest.pop()
        if isinstance(here, ast.Call):
            found.add(ast.unparse(here.func))
        if not isinstance(here, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            rest += ast.iter_child_nodes(here)
    return found


def notebooks() -> list[Path]:
    return sorted(BOOK.glob("*.ipynb"))


def pytest_generate_tests(metafunc):
    """``notebook``: each page of the book that is a notebook; ``chapter``: the numbered ones."""
    pages = [Notebook(path) for path in notebooks()]
    for name, chosen in (("notebook", pages), ("chapter", [p for p in pages if p.is_chapter])):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, chosen, ids=lambda page: page.path.stem)


# Promises


def promises(notebook):
    return [cell for cell in notebook.code if tags(cell) & PROMISE]


def test_a_promise_has_both_tags(notebook):
    for cell in promises(notebook):
        assert tags(cell) >= PROMISE, cell.source


def test_a_promise_has_its_output_and_its_count(notebook):
    """nbval passes a promise that lost either without a word."""
    for cell in promises(notebook):
        assert cell.outputs, f"no output, run scripts/tidy_notebooks.py:\n{cell.source}"
        assert isinstance(cell.execution_count, int), f"no execution count:\n{cell.source}"


def test_a_promise_only_prints(notebook):
    for cell in promises(notebook):
        assert [output.output_type for output in cell.outputs] == ["stream"], cell.source
        assert cell.outputs[0].name == "stdout", f"a promise has a warning:\n{cell.source}"
        assert cell.outputs[0].text.strip(), cell.source


def is_promise_call(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "promise"


def test_a_promise_shows_claim_and_numbers_and_prints_nothing_else(notebook):
    """``promise`` raises where the claim fails; a sentence that is printed cannot."""
    for cell in promises(notebook):
        nodes = [node for top in tree(cell).body for node in ast.walk(top)]
        assert any(is_promise_call(node) for node in nodes), cell.source
        assert "print" not in calls(tree(cell)), f"use vae_lib.promises.promise:\n{cell.source}"
        lines = "".join(output.text for output in cell.outputs).splitlines()
        assert all(line.startswith(("✓ ", "    · ")) for line in lines), cell.source


def test_every_promise_is_kept_and_compared(notebook):
    """A call of ``promise`` in a cell without the tags would be checked and not shown."""
    for cell in notebook.code:
        if not tags(cell) & PROMISE:
            nodes = [node for top in tree(cell).body for node in ast.walk(top)]
            assert not any(is_promise_call(node) for node in nodes), cell.source


def test_every_chapter_promises_something(chapter):
    assert promises(chapter)


def test_counts_are_those_of_a_run_from_top_to_bottom(notebook):
    """Cells are counted as they run; empty ones are not."""
    full = [cell for cell in notebook.code if cell.source.strip()]
    for count, cell in enumerate(full, start=1):
        assert cell.execution_count in (None, count), cell.source


# Nothing else


def test_nothing_else_is_stored(notebook, tidier):
    for cell in notebook.code:
        if not tags(cell) & PROMISE:
            assert cell.outputs == [], f"an output is stored:\n{cell.source}"
            assert cell.execution_count is None, f"a count is stored:\n{cell.source}"
    for cell in notebook.cells:
        assert set(cell.metadata) <= set(tidier.KEPT), cell.source
        assert "attachments" not in cell, "a picture is stored inside a cell"


def test_the_kernel_is_python3_and_the_metadata_is_bare(notebook, tidier):
    assert notebook.content.metadata == {
        "kernelspec": tidier.KERNEL,
        "language_info": {"name": "python"},
    }
    assert tidier.KERNEL["name"] == "python3"


def test_no_path_of_a_machine_is_stored(notebook):
    text = notebook.path.read_text("utf8")
    assert str(ROOT) not in text
    assert not re.search(r"/(home|Users|root|tmp)/", text)


def test_tags_are_known(notebook):
    for cell in notebook.cells:
        assert tags(cell) <= TAGS, cell.source
        assert len(tags(cell)) == len(cell.metadata.get("tags", [])), "a tag stands twice"


def test_cells_have_ids_of_their_own(notebook):
    assert (notebook.content.nbformat, notebook.content.nbformat_minor) == (4, 5)
    ids = [cell.get("id", "") for cell in notebook.cells]
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", name) for name in ids)
    assert [name for name, count in Counter(ids).items() if count > 1] == []


def test_no_cell_is_empty(notebook):
    assert all(cell.source.strip() for cell in notebook.cells)


# Code


def test_the_first_code_cell_installs_the_library_where_it_is_missing(notebook, tidier):
    first = notebook.code[0]
    assert tags(first) == {"remove-cell"}
    named = re.search(r"github\.com/([\w.-]+/[\w.-]+)@", first.source)
    assert first.source == tidier.install_cell(named[1] if named else ""), "run tidy_notebooks.py"


def test_imports_are_explicit(notebook):
    for cell in notebook.code:
        for node in ast.walk(tree(cell)):
            if isinstance(node, ast.ImportFrom):
                assert "*" not in [alias.name for alias in node.names], cell.source
        assert "sys.path" not in cell.source, cell.source


def test_seeds_are_passed_in_and_never_global(notebook):
    seeds = {"torch.manual_seed", "np.random.seed", "random.seed", "torch.random.manual_seed"}
    for cell in notebook.code:
        assert not seeds & calls(tree(cell)), cell.source


# Figures


def figure_makers(notebook) -> set[str]:
    """Names whose call draws: matplotlib's, vae_lib's, and the notebook's own that use them.

    A function that closes its figure shows none: what it returns goes into a widget.
    """
    found = DRAWING | {f"figures.{name}" for name in DRAWING} | {f"plt.{name}" for name in PLOTTING}
    functions = [
        node
        for cell in notebook.code
        for node in ast.walk(tree(cell))
        if isinstance(node, ast.FunctionDef) and "plt.close" not in ast.unparse(node)
    ]
    for _ in functions:  # a function may call another: once round for each is enough
        found |= {f.name for f in functions if found & set().union(*map(calls, f.body))}
    return found


def test_every_figure_has_alternative_text(notebook):
    makers = figure_makers(notebook)
    for cell in notebook.code:
        if calls(tree(cell)) & makers:
            image = cell.metadata.get("mystnb", {}).get("image", {})
            assert len(image.get("alt", "")) > 30, f"no alt text says what is seen:\n{cell.source}"
            assert "dark-light" in image.get("classes", ""), f"dark mode inverts:\n{cell.source}"


def test_no_two_figures_say_the_same(notebook):
    images = [cell.metadata.get("mystnb", {}).get("image", {}) for cell in notebook.code]
    alts = [image["alt"] for image in images if "alt" in image]
    assert len(set(alts)) == len(alts)


# Titles and equations


def test_the_title_carries_the_chapter_s_number(chapter):
    number = int(chapter.path.name[:2])
    assert re.match(rf"# {number}\. \S", chapter.cells[0].source)


def test_there_is_one_title(notebook):
    prose = re.sub(r"^```.*?^```", "", notebook.text, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", prose, flags=re.MULTILINE)) == 1
    assert notebook.cells[0].source.startswith("# ")


def numbers(chapter, tidier) -> list[str]:
    return tidier.book_text.TAG.findall(chapter.text)


def test_a_display_has_at_most_one_number(notebook, tidier):
    for display in DISPLAY.findall(notebook.text):
        assert len(tidier.book_text.TAG.findall(display)) <= 1, display
    assert not tidier.book_text.TAG.search(DISPLAY.sub("", notebook.text)), "outside a display"


def test_equations_are_numbered_in_order(chapter, tidier):
    found = numbers(chapter, tidier)
    number = int(chapter.path.name[:2])
    assert len(found) >= 3
    assert found == [f"{number}.{k}" for k in range(1, len(found) + 1)], "run tidy_notebooks --text"


def test_what_is_written_like_an_equation_s_number_is_one(tidier):
    """No value is ever written as (0.5): the site takes it for a reference."""
    pages = tidier.book_text.read(BOOK)
    known = tidier.book_text.new_numbers(pages)
    for page in pages:
        cited = (match["label"] for match in tidier.book_text.REFERENCE.finditer(page.text))
        assert {label for label in cited if label} <= set(known), page.path.name


# Plain Markdown and TeX


def myst_in(text: str) -> list[str]:
    """What only MyST understands in a text, code left out."""
    fences = r"^(?:```|~~~)(?!\{).*?^(?:```|~~~)|(?<![`}])(`{1,2})(?!`)[^`]+?\1"
    plain = re.sub(fences, "", text, flags=re.DOTALL | re.MULTILINE)
    return [name for name, form in MYST.items() if re.search(form, plain, flags=re.MULTILINE)]


def test_every_viewer_renders_the_text(notebook):
    for cell in notebook.markdown:
        assert myst_in(cell.source) == [], cell.source


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.md")), ids=lambda path: path.stem)
def test_every_viewer_renders_a_page_without_code(path):
    assert myst_in(path.read_text("utf8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("by {eq}`eq-x`", "a role"),
        ("{cite:p}`a,b` say", "a role"),
        (":::{note}\nx\n:::", "a directive"),
        ("```{bibliography}\n```", "a directive"),
        ("$$ a $$ (eq-x)", "a label of an equation"),
        ("$$ a\n$$ (sum)", "a label of an equation"),
        ("(rerun)=\n## Rerun", "a label"),
        ("[a](b.md){.external}", "an attribute"),
        ("$x_{a}$ is `{role}` and (eqn)\n\n> **Note.** $$ a \\tag{8.1} $$", None),
        ("```\n(rerun)=\n```", None),
    ],
)
def test_what_only_myst_understands_is_noticed(text, found):
    assert myst_in(text) == ([found] if found else [])


# Folds


def test_what_the_page_folds_is_folded_in_jupyter_and_colab_too(notebook, tidier):
    for cell in notebook.cells:
        folds = {key: cell.metadata[key] for key in tidier.FOLDS if key in cell.metadata}
        wanted = tidier.FOLDS if cell.cell_type == "code" and tags(cell) & FOLDED else {}
        assert folds == wanted, f"run scripts/tidy_notebooks.py --text:\n{cell.source}"


def setup_cell(notebook):
    """The first code cell after the one that installs the library."""
    return next(cell for cell in notebook.code if "remove-cell" not in tags(cell))


def is_import_or_style(node: ast.stmt) -> bool:
    """Imports, and calls of ``use_book_style``, are all that a set-up cell holds."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func).split(".")[-1] == "use_book_style"
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_the_set_up_cell_is_folded_and_holds_imports_and_the_style_only(chapter):
    cell = setup_cell(chapter)
    assert "hide-input" in tags(cell)
    others = [ast.unparse(node) for node in tree(cell).body if not is_import_or_style(node)]
    assert others == []


def names(cell) -> tuple[set[str], set[str]]:
    """(made, used): what a cell defines at the top, and what it looks up there or in functions."""
    top = symtable.symtable(ast.unparse(tree(cell)), "cell", "exec")
    made = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        symbols = [s for s in table.get_symbols() if s.is_global()]
        used |= {s.get_name() for s in symbols if s.is_referenced()}
        made |= {s.get_name() for s in symbols if s.is_declared_global() and s.is_assigned()}
    return made, used


def unknown_names(cells, setup) -> list[tuple[str, set[str]]]:
    """Of each unfolded cell, the names that neither it, one before it nor the set-up makes."""
    known, found = set(dir(builtins)) | {"get_ipython", "display"} | names(setup)[0], []
    for cell in cells:
        if cell is setup or tags(cell) & FOLDED:
            continue
        made, used = names(cell)
        if missing := used - known - made:
            found.append((cell.source[:80], missing))
        known |= made
    return found


def test_what_is_unfolded_uses_no_name_that_only_a_folded_cell_defines(notebook):
    """A reader who copies what the page shows, in order, can run it."""
    assert unknown_names(notebook.code, setup_cell(notebook)) == []


@pytest.mark.parametrize(
    ("folded", "visible", "missing"),
    [
        ("def mean(x): return x", "y = [mean(k) for k in range(3)]", {"mean"}),
        ("mean = 1", "def f(x):\n    return x + mean", {"mean"}),
        ("mean = 1", "def f(mean):\n    return [mean for _ in range(3)]", set()),
        ("mean = 1", "mean = 2\nprint(mean)", set()),
        ("x = 1", "class A:\n    x = 2\n    y = x", set()),
        ("x = 1", "f = lambda: x", {"x"}),
        ("", "import math\nprint(math.pi, plt.show())", set()),
    ],
)
def test_a_name_that_only_a_folded_cell_defines_is_noticed(folded, visible, missing):
    def code(source, *tags):
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})

    setup = code("import matplotlib.pyplot as plt", "hide-input")
    found = unknown_names([setup, code(folded, "hide-input"), code(visible)], setup)
    assert set().union(*(names for _, names in found)) == missing


# Tables

MARKDOWN = MarkdownIt("commonmark").enable("table")


def torn_rows(text: str) -> list[str]:
    """Rows of Markdown's tables in which a bar belongs to a formula.

    A bar ends a cell even within a formula, and ``\\|``, TeX's double bar, is read as a single one.
    """
    lines = text.splitlines()
    tables = [token.map for token in MARKDOWN.parse(text) if token.type == "table_open"]
    rows = [line for start, end in tables for line in lines[start:end]]
    cells = {row: re.split(r"(?<!\\)\|", row) for row in rows}
    return [row for row in rows if "\\|" in row or any(c.count("$") % 2 for c in cells[row])]


@pytest.mark.parametrize("path", [*notebooks(), *BOOK.glob("*.md")], ids=lambda path: path.name)
def test_no_bar_of_a_formula_stands_in_a_table(path):
    notebook = path.suffix == ".ipynb"
    parts = (
        [cell.source for cell in Notebook(path).markdown] if notebook else [path.read_text("utf8")]
    )
    text = "\n\n".join(parts)
    assert torn_rows(text) == [], r"write \Vert, \mid or \lvert … \rvert"


def test_a_torn_row_would_be_seen():
    table = "Bars: $a \\| b$ | $c$\n\n| a | b |\n| --- | --- |\n| $p(x \\mid z)$ | $q \\Vert p$ |\n"
    assert torn_rows(table) == []
    bad = ["| $q \\| p$ | double |", "| $p(x | z)$ | single |"]
    assert torn_rows(table + "\n".join(bad)) == bad


# Exercises


def checks_called(notebook, cell) -> set[str]:
    """The checks that a cell calls, by the names under which the notebook imported them."""
    modules, functions = set(), set()
    for node in (node for code in notebook.code for node in ast.walk(tree(code))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vae_lib.checks"):
            known = modules if node.module == "vae_lib.checks" else functions
            known |= {alias.asname or alias.name for alias in node.names}
    named = calls(tree(cell))
    return {name for name in named if name in functions or name.split(".")[0] in modules}


def headed(notebook, pattern: re.Pattern) -> list[tuple[tuple[str, str], str, list]]:
    """(number, text, code cells up to the next heading) of each heading of this kind."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and found:
            found[-1][2].append(cell)
        elif heads := pattern.findall(cell.source):
            assert len(heads) == 1, f"two of them share a cell: {heads}"
            found.append((heads[0], cell.source, []))
        elif re.search(r"^#{1,3} ", cell.source, flags=re.MULTILINE) and found:
            found.append((None, "", []))
    return [each for each in found if each[0]]


def exercises(notebook):
    return headed(notebook, EXERCISE)


def solutions(notebook):
    return headed(notebook, SOLUTION)


def names_made(cell) -> set[str]:
    """Names that a cell gives to functions and values."""
    body = tree(cell).body
    values = {target for node in body if isinstance(node, ast.Assign) for target in node.targets}
    named = {value.id for value in values if isinstance(value, ast.Name)}
    return named | {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_exercises_are_numbered_in_order(chapter):
    number = chapter.path.name[:2].lstrip("0")
    found = [head for head, *_ in exercises(chapter)]
    assert 3 <= len(found) <= 5
    assert found == [(number, str(k)) for k in range(1, len(found) + 1)]


def test_solutions_stand_at_the_end_one_for_each_exercise_in_order(chapter):
    titles = [
        line
        for cell in chapter.markdown
        for line in re.findall(r"^##? .*", cell.source, flags=re.MULTILINE)
    ]
    assert titles[-1] == "## Solutions", "they come after what to read"
    assert [head for head, *_ in solutions(chapter)] == [head for head, *_ in exercises(chapter)]


def test_no_solution_stands_before_its_heading(chapter):
    solving = [cell for _, _, code in solutions(chapter) for cell in code]
    for cell in chapter.code:
        if cell not in solving:
            assert not re.search(r"^# Solution|\bdef solution_", cell.source, flags=re.MULTILINE)
            assert "solution" not in str(cell.metadata.get("mystnb", "")), cell.source


def test_an_exercise_links_to_its_solution(chapter):
    for (number, k), text, _ in exercises(chapter):
        assert f"([Solution](#Solution-{number}.{k}))" in text, f"exercise {number}.{k}"


def test_a_solution_is_one_folded_cell_that_says_whose_it_is(chapter):
    """JupyterLab shows the first line of a folded cell."""
    prompts = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
    for (number, k), _, code in solutions(chapter):
        assert len(code) == 1, f"solution {number}.{k}"
        assert code[0].source.startswith(f"# Solution {number}.{k}\n")
        assert "hide-input" in tags(code[0])
        assert prompts.items() <= code[0].metadata.get("mystnb", {}).items(), f"{number}.{k}"


def test_each_exercise_has_a_stub_and_a_solution_under_one_check(chapter):
    solved = {head: code for head, _, code in solutions(chapter)}
    for head, _, code in exercises(chapter):
        name = f"exercise {'.'.join(head)}"
        assert code, f"{name}: a stub is wanted"
        stub, (solution,) = code[0], solved[head]
        assert not tags(stub) & FOLDED, f"{name}: the stub is hidden"
        asked = checks_called(chapter, stub)
        asserted = {
            call
            for node in ast.walk(tree(solution))
            if isinstance(node, ast.Assert)
            for call in calls(node)
        }
        assert asked, f"{name}: the stub calls no check of vae_lib.checks"
        assert asked <= asserted, f"{name}: the solution does not assert {asked}"
        # Two names, so that running all cells does not overwrite the reader's answer.
        assert any(each.startswith("my_") for each in names_made(stub)), name
        assert any(each.startswith("solution_") for each in names_made(solution)), name


def test_no_test_above_is_idle(tidier):
    """Every kind of thing that is looked for is there to be found."""
    pages = [Notebook(path) for path in notebooks()]
    if not pages:
        pytest.fail("no notebooks in book/")
    assert any(promises(page) for page in pages)
    assert any(exercises(page) for page in pages)
    assert any(solutions(page) for page in pages)
    assert any(tidier.book_text.TAG.search(page.text) for page in pages)
    assert any(calls(tree(c)) & figure_makers(page) for page in pages for c in page.code)
