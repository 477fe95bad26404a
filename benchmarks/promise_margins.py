"""How near each promise's bound stands to what is measured, over three shifts of every seed.

    python benchmarks/promise_margins.py [book/10-the-vae.ipynb …] [--shifts 0 100 200]

Each notebook is run once a shift, which is added to every seed that a generator is given, in the
notebook and in the library, so trainings, draws and binarisations are others. The comparisons in a
promise are taken apart, and both sides of each are printed. The side that another seed leaves as it
is, or that is written with a number in it, is the bound. A margin is the distance between measured
value and bound, as a share of the larger: 0 is on the bound, 1 is far off, and below 0 the promise
does not hold with these seeds. Promises whose numbers do not move with the seed (identities, closed
forms) are counted and not listed, and so are tolerances below 1e-3 (`gap < 1e-9`), which are met by
rounding and not by training.
"""

import argparse
import ast
import contextlib
import io
import os
import warnings
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TQDM_DISABLE", "1")

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import torch

matplotlib.use("Agg")

BOOK = Path(__file__).parents[1] / "book"
TOLERANCE = 1e-3
SYMBOLS = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥"}


class Side(NamedTuple):
    """One comparison of a promise, with this shift's values; ``below``: left is to be less."""

    where: str  # cell and claim
    text: str
    left: float
    right: float
    below: bool

    @property
    def margin(self) -> float:
        small, large = (self.left, self.right) if self.below else (self.right, self.left)
        return (large - small) / (max(abs(large), abs(small)) or 1.0)


class Shifted(torch.Generator):
    """A generator whose seeds are all moved, those inside the library too."""

    shift = 0

    def manual_seed(self, seed: int) -> torch.Generator:
        return super().manual_seed(seed + self.shift)


class Instrument(ast.NodeTransformer):
    """Have the comparisons of a cell's promises recorded."""

    inside = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if getattr(node.func, "id", "") == "promise":
            return self._promise(node)
        return self.generic_visit(node)

    def _promise(self, node: ast.Call) -> ast.AST:
        node.args[0] = self.visit(node.args[0])
        self.inside = True
        node.args[1] = self.visit(node.args[1])
        self.inside = False
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        text = ast.unparse(node)
        self.generic_visit(node)
        if not self.inside or not all(type(op) in SYMBOLS for op in node.ops):
            return node
        sides = ast.List([node.left, *node.comparators], ast.Load())
        signs = ast.Constant("".join(SYMBOLS[type(op)] for op in node.ops))
        return ast.Call(ast.Name("_compare", ast.Load()), [ast.Constant(text), signs, sides], [])


def run(notebook: Path, shift: int) -> tuple[list[Side], list[str]]:
    """The comparisons of one run, in order, and the cells that failed."""
    Shifted.shift = shift
    torch.set_default_dtype(torch.float32)  # a notebook may have set another
    found: list[Side] = []
    fallen: list[str] = []
    here = ""
    waiting: list[tuple] = []

    def compare(text: str, signs: str, sides: list):
        answer = True
        for sign, left, right in zip(signs, sides, sides[1:], strict=False):
            below = sign in "<≤"
            a, b = (torch.as_tensor(v, dtype=torch.float64).detach().cpu() for v in (left, right))
            a, b = torch.broadcast_tensors(a, b)
            tightest = (b - a if below else a - b).flatten().argmin()
            waiting.append(
                (text, float(a.flatten()[tightest]), float(b.flatten()[tightest]), below)
            )
            one = {"<": a < b, "≤": a <= b, ">": a > b, "≥": a >= b}[sign]
            answer = answer & one
        return answer if isinstance(answer, torch.Tensor) and answer.ndim else bool(answer)

    def promise(claim: str, holds, **numbers) -> None:
        found.extend(Side(f"{here}: {claim}", *each) for each in waiting)
        waiting.clear()

    space: dict = {"__name__": "__main__", "_compare": compare}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code" or "return None" in cell.source or "# Solution" in cell.source:
            continue
        here = cell.id
        tree = ast.fix_missing_locations(Instrument().visit(ast.parse(cell.source)))
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(tree, cell.id, "exec"), space)
        except Exception as error:  # an assert that other seeds do not meet, above all
            fallen.append(f"{here}: {type(error).__name__} {error}")
        space["promise"] = promise
        plt.close("all")
    return found, fallen


def report(notebook: Path, shifts: list[int]) -> list[tuple[float, str]]:
    """Print one line for each comparison that moves with the seed; return (least margin, line)."""
    runs, lines, still, tight = [], [], 0, 0
    print(f"\n{notebook.stem}")
    for shift in shifts:
        sides, fallen = run(notebook, shift)
        runs.append(sides)
        for each in fallen:
            print(f"  with shift {shift}, {each}")
    by_text = defaultdict(list)
    for sides in runs:
        seen: dict = defaultdict(int)
        for side in sides:
            key = (side.where, side.text, side.below, seen[side.where, side.text, side.below])
            seen[side.where, side.text, side.below] += 1
            by_text[key].append(side)
    for (where, text, *_), sides in by_text.items():
        moves = {(f"{side.left:.5g}", f"{side.right:.5g}") for side in sides}
        if len(moves) == 1:
            still += 1
        elif max(min(abs(side.left), abs(side.right)) for side in sides) < TOLERANCE and any(
            min(abs(side.left), abs(side.right)) < 0.1 * max(abs(side.left), abs(side.right))
            for side in sides
        ):
            tight += 1
        else:
            values = "; ".join(f"{side.left:.4g} against {side.right:.4g}" for side in sides)
            margins = [side.margin for side in sides]
            least = "FAILS" if min(margins) < 0 else f"{min(margins):.2f}"
            line = f"  {least:>5}  {where}\n         {text}: {values}"
            print(line)
            lines.append((min(margins), f"{notebook.stem} {line.strip()}"))
    print(f"  {len(lines)} move with the seed, {still} do not, {tight} are met by rounding")
    return lines


def main() -> None:
    torch.Generator = Shifted  # what notebooks and library make their generators from
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--shifts", nargs="+", type=int, default=[0, 100, 200])
    wanted = parser.parse_args()
    lines = []
    for notebook in wanted.notebooks or sorted(BOOK.glob("*.ipynb")):
        lines += report(notebook.resolve(), wanted.shifts)
    lines.sort(key=lambda each: each[0])
    print("\nThe loosest ten\n" + "\n".join(line for _, line in lines[:-11:-1]))
    print("\nThe tightest ten\n" + "\n".join(line for _, line in lines[:10]))


if __name__ == "__main__":
    main()
