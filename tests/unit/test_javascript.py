"""TypeScript, as strict as it can be, and ESLint find nothing in the JavaScript."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from book_site import packages
from from_npm import folder_of, node

ROOT = Path(__file__).parents[2]
TYPESCRIPT = packages.Package(  # 7 is a program for each platform
    "typescript",
    "6.0.3",
    "y2TvuxSZPDyQakkFRPZHKFm+KKVqIisdg9/CZwm9ftvKXLP8NRWj38/ODjNbr43SsoXqNuAisEf1GdCxqWcdBw==",
    "BOOK_TYPESCRIPT",
)
ESLINT = packages.Package(  # ESLint in one file: by its own name it needs eighty packages
    "eslint-linter-browserify",
    "10.11.0",
    "XVaxxFwVyLM80nUjJhp0HXah9uDXDTuSU74+FcJB02ibU6uNviMGqzy0R6OFtFSoREGp40zRkTGfF7T37R+fZA==",
    "BOOK_ESLINT",
)
RECOMMENDED = packages.Package(
    "@eslint/js",
    "10.0.1",
    "zeR9k5pd4gxjZ0abRoIaxdc7I3nDktoXZk2qOv9gCNWx3mVwEn32VRhyLaRsDiJjTs0xq/T8mfPtyuXu7GWBcA==",
    "BOOK_ESLINT_JS",
)


def check_types(project: Path) -> subprocess.CompletedProcess:
    return node(folder_of(TYPESCRIPT) / "lib" / "tsc.js", "--project", project)


def lint(*files: Path) -> subprocess.CompletedProcess:
    tools = folder_of(ESLINT) / "linter.mjs", folder_of(RECOMMENDED) / "src" / "index.js"
    return node(Path(__file__).with_name("lint.mjs"), *tools, *files)


def test_the_types_hold():
    ran = check_types(ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_linter_finds_nothing():
    folders = [ROOT / "vae_lib", ROOT / "site", ROOT / "tests" / "unit"]
    files = sorted(path for folder in folders for path in folder.rglob("*.*js"))
    assert len(files) > 20
    ran = lint(*files, ROOT / "eslint.config.mjs")
    assert ran.returncode == 0, ran.stdout + ran.stderr


WRONG = """
/** @import { Context } from "WIDGETS/types.d.ts" */
/** @type {(context: Context<{ z: number }>) => void} */
export const render = ({ model }) => model.set("z", "one");
export const untyped = (value) => value;
export const unknown = cleanups();
"""


def test_what_is_wrong_by_type_is_found(tmp_path):
    widgets = os.path.relpath(ROOT / "vae_lib" / "widgets", tmp_path)
    (tmp_path / "figure.js").write_text(WRONG.replace("WIDGETS", Path(widgets).as_posix()), "utf8")
    config = {"extends": str(ROOT / "tsconfig.json"), "include": ["figure.js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config), "utf8")
    ran = check_types(tmp_path)
    assert ran.returncode != 0
    for fault in ("not assignable to parameter of type 'number'", "implicitly has an 'any'"):
        assert fault in ran.stdout
    assert "Cannot find name 'cleanups'" in ran.stdout


def test_a_long_function_and_a_string_of_several_lines_are_found(tmp_path):
    path = tmp_path / "figure.js"
    long = ["export function render() {", *["  work();"] * 50, "}"]
    path.write_text("\n".join([*long, "export const text = `", "import`;", ""]), "utf8")
    ran = lint(path)
    assert ran.returncode == 1
    assert "max-lines-per-function" in ran.stdout and "no-restricted-syntax" in ran.stdout


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip), ("true", pytest.fail)])
def test_without_npm_it_is_said(monkeypatch, tmp_path, ci, outcome):
    def offline(package):
        raise packages.NotFetched("could not be fetched")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(packages.Package, "read", offline)
    absent = packages.Package("absent", "0.0.0", "", "BOOK_ABSENT")
    with pytest.raises(outcome.Exception, match="could not be fetched"):
        folder_of(absent)
