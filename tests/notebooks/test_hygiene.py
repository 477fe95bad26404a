"""What stands in the notebooks' files: promises with their outputs, and nothing else."""

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"

TAGS = {
    "nbval-check-output", "keep_output", "hide-input", "remove-cell", "remove-input",
    "nbval-skip", "raises-exception",
}  # fmt: skip
PROMISE = {"nbval-check-output", "keep_output"}
DRAWING = {"digit_grid", "digit_rows", "code_map", "learning_curves", "manifold"}
PLOTTING = {"subplots", "subplot_mosaic", "figure", "plot", "scatter", "imshow", "hist", "bar"}
EQUATION = re.compile(r"\$\$[ \t]*\(([^)\s]*)\)[ \t]*$", flags=re.MULTILINE)
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


def test_every_chapter_promises_something(chapter):
    assert promises(chapter)


def test_counts_are_those_of_a_run_from_top_to_bottom(notebook):
    """Cells are counted as they run; empty ones are not."""
    full = [cell for cell in notebook.code if cell.source.strip()]
    for count, cell in enumerate(full, start=1):
        assert cell.execution_count in (None, count), cell.source


# Nothing else


def test_nothing_else_is_stored(notebook):
    for cell in notebook.code:
        if not tags(cell) & PROMISE:
            assert cell.outputs == [], f"an output is stored:\n{cell.source}"
            assert cell.execution_count is None, f"a count is stored:\n{cell.source}"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "mystnb"}, cell.source
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


def test_the_first_code_cell_installs_the_library_on_colab(notebook, tidier):
    first = notebook.code[0]
    assert tags(first) == {"remove-cell"}
    before, after = tidier.COLAB_CELL.replace("{{", "{").replace("}}", "}").split("{repository}", 1)
    pattern = re.escape(before) + r"([\w.-]+/[\w.-]+)?" + re.escape(after.rstrip())
    assert re.fullmatch(pattern, first.source), "run scripts/tidy_notebooks.py"


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


def test_every_chapter_numbers_its_equations(chapter):
    assert len(EQUATION.findall(chapter.text)) >= 3


def test_equation_labels_start_with_eq(notebook):
    labels = EQUATION.findall(notebook.text)
    assert [label for label in labels if not re.fullmatch(r"eq-[a-z0-9-]+", label)] == []


def test_equation_labels_are_unique_across_the_book_and_cited_ones_exist():
    pages = [Notebook(path).text for path in notebooks()] + [
        p.read_text("utf8") for p in BOOK.glob("*.md")
    ]
    labels = Counter(label for page in pages for label in EQUATION.findall(page))
    assert [label for label, count in labels.items() if count > 1] == []
    cited = {name for page in pages for name in re.findall(r"\{eq\}`([^`]+)`", page)}
    assert cited - set(labels) == set()


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


def exercises(notebook):
    """(number, code cells up to the next heading) for each exercise."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and found:
            found[-1][1].append(cell)
        elif heads := EXERCISE.findall(cell.source):
            assert len(heads) == 1, "two exercises share a cell"
            found.append((heads[0], []))
        elif re.search(r"^##? ", cell.source, flags=re.MULTILINE) and found:
            found.append((None, []))
    return [(number, code) for number, code in found if number]


def names_made(cell) -> set[str]:
    """Names that a cell gives to functions and values."""
    body = tree(cell).body
    values = {target for node in body if isinstance(node, ast.Assign) for target in node.targets}
    named = {value.id for value in values if isinstance(value, ast.Name)}
    return named | {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_exercises_are_numbered_in_order(chapter):
    number = chapter.path.name[:2].lstrip("0")
    numbers = [head for head, _ in exercises(chapter)]
    assert 3 <= len(numbers) <= 5
    assert numbers == [(number, str(k)) for k in range(1, len(numbers) + 1)]


def test_each_exercise_has_a_stub_and_a_solution_under_one_check(chapter):
    for (number, k), code in exercises(chapter):
        name = f"exercise {number}.{k}"
        assert len(code) >= 2, f"{name}: a stub and a solution are wanted"
        stub, solution = code[:2]
        assert "hide-input" not in tags(stub), f"{name}: the stub is hidden"
        assert "hide-input" in tags(solution), f"{name}: the solution is not folded away"
        prompts = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
        assert prompts.items() <= solution.metadata.get("mystnb", {}).items(), (
            f"{name}: what is it?"
        )
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


def test_no_test_above_is_idle():
    """Every kind of thing that is looked for is there to be found."""
    pages = [Notebook(path) for path in notebooks()]
    if not pages:
        pytest.fail("no notebooks in book/")
    assert any(promises(page) for page in pages)
    assert any(exercises(page) for page in pages)
    assert any(EQUATION.findall(page.text) for page in pages)
    assert any(calls(tree(c)) & figure_makers(page) for page in pages for c in page.code)
