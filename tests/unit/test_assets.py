"""ES modules become one text: each file once, in order of need, and nothing else gets by."""

import re

import pytest

from vae_lib.widgets import _assets


@pytest.fixture
def join(tmp_path):
    """Join a figure.js and other files, given by name without their ending."""

    def joined(figure: str, **others: str) -> str:
        for name, text in {"figure": figure, **others}.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return _assets.module("figure.js", tmp_path)

    return joined


def test_a_file_stands_once_behind_what_it_imports(join):
    text = join(
        'import { b } from "./b.js";\n'
        'import {\n  a,\n  other,\n} from "./a.js";\n'
        "export default { render: () => a + b + other };\n",
        a="export const a = 1;\nexport function other() {}\n",
        b='import { a } from "./a.js";\nexport let b = a;\n',
    )
    assert text == (
        "// a.js\nconst a = 1;\nfunction other() {}\n\n"
        "// b.js\nlet b = a;\n\n"
        "// figure.js\nexport default { render: () => a + b + other };\n"
    )


def test_every_kind_of_export_is_taken_off_its_definition(join):
    names = "one, two, three, Four, five, six"
    text = join(
        f'import {{ {names} }} from "./a.js";\nexport default [{names}];\n',
        a="export const one = 1;\nexport let two = 2;\nexport function three() {}\n"
        "export class Four {}\nexport async function five() {}\nexport function* six() {}\n",
    )
    assert "export" not in text.replace("export default", "")
    assert "async function five() {}\nfunction* six() {}" in text


def test_only_comments_with_a_line_of_their_own_are_left_out(join):
    text = join(
        "// one\n\n/** @import { A } from './a' */\n/**\n * import two\n */\n"
        "function render() {\n  // three\n  return /** @type {any} */ (1 // four\n  );\n}\n"
        '/** @type {any} */ (globalThis).kept = "// kept"; /** kept */\n'
    )
    assert text == (
        "// figure.js\nfunction render() {\n  return /** @type {any} */ (1 // four\n  );\n}\n"
        '/** @type {any} */ (globalThis).kept = "// kept"; /** kept */\n'
    )


def test_the_text_of_a_worker_is_a_string_of_its_own_scope(join):
    text = join(
        'import { a } from "./a.js";\nimport WORKER from "./worker.js?raw";\nuse(WORKER, a);\n',
        a="export const a = 'ä';\n",
        worker='import { a } from "./a.js";\nconst own = a;\n',
    )
    assert text == (
        "// a.js\nconst a = 'ä';\n\n// figure.js\n"
        "const WORKER = \"// a.js\\nconst a = '\\u00e4';\\n\\n// worker.js\\nconst own = a;\\n\";\n"
        "use(WORKER, a);\n"
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('import { none } from "./a.js";', "a.js exports no none"),
        ('import { inner } from "./a.js";', "a.js exports no inner"),
        ('import { a } from "./nowhere.js";', "there is no nowhere.js to import from"),
        ('import { a } from "./figure.js";', "in a circle: figure.js → figure.js"),
        ("const a = 1;", "a.js defines a too: rename one of the two"),
        ("function inner() {}", "a.js defines inner too"),
        ('import { a as b } from "./a.js";', "not among what _assets.module says"),
        ('import * as everything from "./a.js";', "not among"),
        ('import "./a.js";', "not among"),
        ('import { a } from "elsewhere";', "not among"),
        ('  import { a } from "./a.js";', "not among"),
        ("export { a };", "'export { a };' is not among"),
        ('export * from "./a.js";', "not among"),
        ("export const { b } = {};", "not among"),
        ("const [b, c] = [1, 2];", "not among"),
        ("var b = 1;", "not among"),
    ],
)
def test_a_statement_that_cannot_be_joined_is_named_by_file_and_line(join, statement, message):
    before = 'import { a } from "./a.js";\n\n'
    with pytest.raises(ValueError, match="^figure.js:3: .*" + re.escape(message)):
        join(f"{before}{statement}\n", a="export const a = 1;\nfunction inner() {}\n")


@pytest.mark.parametrize("file", ["figure", "missing"])
def test_the_text_of_a_worker_is_that_of_another_file(join, file):
    with pytest.raises(ValueError, match=rf"figure.js:1: there is no other file {file}.js"):
        join(f'import TEXT from "./{file}.js?raw";\nexport default {{ render: () => TEXT }};\n')


def test_a_circle_of_several_files_is_refused(join):
    with pytest.raises(ValueError, match=r"^b\.js:1: .*figure\.js → a\.js → b\.js → a\.js"):
        join(
            'import { a } from "./a.js";\n',
            a='import { b } from "./b.js";\nexport const a = 1;\n',
            b='import { a } from "./a.js";\nexport const b = 1;\n',
        )


def test_only_a_figure_has_a_default_export(join):
    with pytest.raises(ValueError, match=r"^a\.js:2: 'export default a;' is not among"):
        join('import { a } from "./a.js";\n', a="export const a = 1;\nexport default a;\n")


def test_a_loaded_module_may_still_import_at_run_time(join):
    assert "\nimport(place);\n" in join("import(place);\nimport.meta;\n")
