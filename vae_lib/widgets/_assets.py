"""The text that a widget sends to the browser: its JavaScript and the shared style sheet.

A page imports a widget's module from its embedded state, where relative imports lead nowhere. So
``module`` joins an ES module and all that it imports into one, in Python: no Node.js is needed.
"""

import json
import re
from pathlib import Path
from typing import NoReturn

FOLDER = Path(__file__).parent

# What may begin a line. The linter allows no string of several lines, which could begin one too.
STATEMENT = re.compile(
    r"""^(?:
    import\ \{\s*(?P<names>[\w$]+(?:,\s*[\w$]+)*),?\s*\}\ from\ "\./(?P<source>[\w-]+\.js)";\n
    | import\ (?P<constant>[\w$]+)\ from\ "\./(?P<raw>[\w-]+\.js)\?raw";\n
    | (?P<export>export\ )?(?P<kind>(?:async\ )?function\*?|class|const|let)\ (?P<name>[\w$]+)
    | (?P<default>export\ default\ )
    | (?P<other>[ \t]*(?:import|export)\b(?!\(|\.)|(?:const|let|var)\b)
    )""",
    re.MULTILINE | re.VERBOSE,
)
COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/)[\s\S])*\*/|//.*)?[ \t]*\n", re.MULTILINE)


def module(name: str, folder: Path = FOLDER) -> str:
    """The ES module ``name`` and the files that it imports as one text, with no import in it.

    Each file stands there once, behind those that it imports, without its comments. They share one
    scope, so no two may define the same name at the top. At the beginning of a line may stand:

    * ``import { a, b } from "./file.js";``, on one line or several;
    * ``import text from "./file.js?raw";``, for the joined text of that file (a worker's);
    * ``export`` before a function, a class, or a ``const`` or ``let`` of one name;
    * ``export default``, in ``name`` alone.

    Raises:
        ValueError: for any other import or export, for one that leads nowhere or in a circle, and
            for a name that two files define. The message begins with the file and its line.
    """
    join = _Join(folder)
    join.read(name, ())
    return "\n".join(join.parts)


def style() -> str:
    """The style sheet that all widgets share."""
    return (FOLDER / "widgets.css").read_text(encoding="utf-8")


class _Join:
    """Files on their way into one scope."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.parts: list[str] = []
        self.exports: dict[str, set[str]] = {}  # of each file that has been read
        self.owners: dict[str, str] = {}  # a name at the top -> the file that defines it

    def read(self, file: str, importers: tuple[str, ...]):
        """Append a file, behind those that it imports and that are not there yet."""
        self.exports[file] = set()
        text = (self.folder / file).read_text(encoding="utf-8")
        joined = STATEMENT.sub(lambda found: self._joined(found, file, importers), text)
        self.parts.append(f"// {file}\n{COMMENT.sub('', joined)}")

    def _joined(self, found: re.Match[str], file: str, importers: tuple[str, ...]) -> str:
        """What stands for a statement in the joined text."""
        if found["source"]:
            self._import(found, (*importers, file))
            return ""
        if found["default"] and not importers:
            return found[0]
        if not (name := found["name"] or found["constant"]):
            line = found.string[found.start() :].partition("\n")[0].strip()
            _refuse(found, file, f"{line!r} is not among what _assets.module says may stand here")
        if (owner := self.owners.setdefault(name, file)) != file:
            _refuse(found, file, f"{owner} defines {name} too: rename one of the two")
        if found["constant"]:
            if found["raw"] == file or not (self.folder / found["raw"]).is_file():
                _refuse(found, file, f"there is no other file {found['raw']} to take the text of")
            return f"const {name} = {json.dumps(module(found['raw'], self.folder))};\n"
        if found["export"]:
            self.exports[file].add(name)
        return f"{found['kind']} {name}"

    def _import(self, found: re.Match[str], path: tuple[str, ...]):
        """Read the file that is imported from, if it has not been read, and look for the names."""
        source = found["source"]
        if source in path:
            _refuse(found, path[-1], f"an import in a circle: {' → '.join((*path, source))}")
        if not (self.folder / source).is_file():
            _refuse(found, path[-1], f"there is no {source} to import from")
        if source not in self.exports:
            self.read(source, path)
        if missing := set(re.findall(r"[\w$]+", found["names"])) - self.exports[source]:
            _refuse(found, path[-1], f"{source} exports no {', '.join(sorted(missing))}")


def _refuse(found: re.Match[str], file: str, why: str) -> NoReturn:
    line = found.string.count("\n", 0, found.start()) + 1
    raise ValueError(f"{file}:{line}: {why}")
