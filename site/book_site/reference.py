"""The library's reference: docstrings on pages, and links between them and the chapters.

A page below ``book/reference/`` names modules in a sentence that begins "On the site this page
lists"; in its place comes what Sphinx's autodoc makes of them. Each entry says which chapters use
it, from the code of their notebooks, and where its source is. On any other page, the first time
that a public name stands as code in the text, it links to its entry.
"""

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.util.nodes import make_refnode

HERE = "book/reference/"
LISTS = re.compile(r"^On the site this page\s+lists.*?\.\s*\Z", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"`(vae_lib[\w.]*)`")


def modules_below(name: str) -> list[str]:
    """A module's name; for a package that says not what is in it, its public modules too."""
    module = importlib.import_module(name)
    if not hasattr(module, "__path__") or hasattr(module, "__all__"):
        return [name]
    inner = (found.name for found in pkgutil.iter_modules(module.__path__) if found.name[0] != "_")
    return [name, *(f"{name}.{part}" for part in inner)]


def listing(name: str) -> str:
    """What shows a module: its docstring, then each of its public functions and classes."""
    automodule = f".. automodule:: {name}\n   :members:\n   :member-order: bysource\n"
    return f"## `{name}`\n\n```{{eval-rst}}\n{automodule}```\n"


def list_modules(app, docname, source):
    """Put the modules in the place of the sentence that names them."""
    if not docname.startswith(HERE):
        return
    sentence = LISTS.search(source[0])
    names = [name for named in MODULE.findall(sentence[0]) for name in modules_below(named)]
    source[0] = source[0].replace(sentence[0], "\n".join(map(listing, names)))


# Which chapters use what


def used_in(path: Path) -> set[str]:
    """The full names of all that a notebook's code takes from the library."""
    code = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    tree = ast.parse("\n".join(code))
    known, used = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vae_lib"):
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    used |= set(known.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{known.get(node.value.id)}.{node.attr}")
    return used


@cache
def users(folder: Path) -> dict[str, list[str]]:
    """For each name of the library, the notebooks that use it, in the book's order."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*.ipynb")):
        for name in used_in(path):
            found[name].append(path.stem)
    return found


def name_users(app, what, name, thing, options, lines):
    """End a docstring with the chapters that use it."""
    pages = users(Path(app.srcdir) / "book").get(name, [])
    if not pages:
        return
    numbered = [page for page in pages if page[:2].isdigit()]
    links = [f":doc:`{int(page[:2])} </book/{page}>`" for page in numbered]
    if links:
        links[0] = f"chapter{'s' * (len(links) > 1)} {links[0]}"
    links += [f":doc:`/book/{page}`" for page in pages if page not in numbered]
    lines += ["", f"*Used in* {', '.join(links)}", ""]


def skip_fields(app, what, name, thing, skip, options):
    """Leave out what named tuples say of their fields: the class's own text tells them."""
    return True if type(thing).__name__ == "_tuplegetter" else None


# Links from chapters


def entries(env) -> dict[str, object]:
    """Each public name that means one thing, and with its module, and its entry."""
    found, twice = {}, set()
    for full, entry in env.domaindata["py"]["objects"].items():
        if not entry.docname.startswith(HERE) or entry.objtype not in ("function", "class"):
            continue
        if full.startswith("vae_lib.checks."):
            continue
        name = full.rpartition(".")[2]
        twice |= {name} & set(found)
        found[name] = found[full] = (full, entry)
        found[full.removeprefix("vae_lib.")] = (full, entry)
    return {name: entry for name, entry in found.items() if name not in twice}


def link_names(app, doctree, docname):
    """Make the first mention of each public name in a page's text a link."""
    if docname.startswith(HERE):
        return
    known, done = entries(app.env), set()
    for literal in list(doctree.findall(nodes.literal)):
        name = re.sub(r"\(.*\)$", "", literal.astext())
        if name not in known or name in done or isinstance(literal.parent, nodes.reference):
            continue
        done.add(name)
        full, entry = known[name]
        link = make_refnode(
            app.builder, docname, entry.docname, entry.node_id, literal.deepcopy(), full
        )
        link["classes"].append("to-library")
        literal.replace_self(link)


def setup(app):
    """Set autodoc up, and connect to Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("source-read", list_modules)
    app.connect("autodoc-process-docstring", name_users, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-resolved", link_names)
