"""How much the tests would notice: each mutant is one module of the package with one thing changed.

What came of each is kept in build/mutants; delete that folder once the code or the tests have changed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "build" / "mutants"
SETTINGS = "[run]\nsource_pkgs = requests_thingspace\ndynamic_context = test_function\ndata_file = {}\n"
LEFT_OUT = ("cli", "deploy", "hostile", "sandbox", "torture", "typing")  # folders that do not take part
PATIENCE = 60  # seconds; a test that takes longer has noticed

OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip


def changes_of(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    twin = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        twin.ops = [OTHER[type(node.ops[0])](), *node.ops[1:]]
        yield twin
    elif isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in OTHER:
        twin.op = OTHER[type(node.op)]()
        yield twin
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        twin.value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield twin
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        for value in (True, False) if not isinstance(node, ast.While) else (False,):
            twin = copy.copy(node)
            twin.test = ast.Constant(value)
            yield twin
    elif isinstance(node, ast.Return) and ast.unparse(node) not in ("return", "return None"):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, (ast.Raise, ast.Assign, ast.AugAssign, ast.Break, ast.Continue)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield ast.Pass()


def mutants_of(source: str) -> Iterator[tuple[str, int, str]]:
    """The name, line and source of each mutant; what runs at the import alone is left as it is."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    parents = {id(node): node for function in functions for node in ast.walk(function)}
    for parent in parents.values():
        for field, held in ast.iter_fields(parent):
            if not (isinstance(parent, (ast.FunctionDef, ast.AnnAssign, ast.arguments)) and field != "body"):
                yield from _in_place(tree, held if isinstance(held, list) else [held], parent, field)


def _in_place(tree: ast.AST, nodes: list, parent: ast.AST, field: str) -> Iterator[tuple[str, int, str]]:
    """The mutants whose change is to one of these children."""
    for number, node in enumerate(nodes):
        for change in changes_of(node) if isinstance(node, ast.AST) else ():
            is_list = isinstance(getattr(parent, field), list)
            changed = [*nodes[:number], change, *nodes[number + 1 :]] if is_list else change
            setattr(parent, field, changed)
            source = ast.unparse(ast.fix_missing_locations(tree))
            what = f"{ast.unparse(node)[:60]} -> {ast.unparse(change)[:60]}".replace("\n", " ")
            setattr(parent, field, nodes if is_list else node)
            yield f"{node.lineno}:{node.col_offset} {what}", node.lineno, source


def run(folder: Path, arguments: list[str]) -> bool:
    command = [sys.executable, "-m", *arguments, "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def contexts(files: list[str]) -> CoverageData:
    """Which test runs which line, measured once."""
    path = KEPT / "contexts"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / "settings").write_text(SETTINGS.format(path))
        if not run(ROOT, ["coverage", "run", f"--rcfile={KEPT / 'settings'}", "-m", "pytest", *files]):
            sys.exit("the tests do not pass without any mutant")
    data = CoverageData(str(path))
    data.read()
    return data


def node_of(context: str) -> str:
    """A test as pytest names it, of a context such as ``tests.test_tokens.test_it`` or with a class in it."""
    parts = context.split(".")
    module = next(
        n for n in range(len(parts), 0, -1) if (ROOT / Path(*parts[:n])).with_suffix(".py").exists()
    )
    return "::".join([f"{'/'.join(parts[:module])}.py", *parts[module:]])


def judge(path: Path, tests: list[str], sample: int | None) -> dict[str, bool]:
    """Whether each mutant of a module was noticed; what was judged before is not judged again."""
    kept = KEPT / f"{path.stem}.json"
    noticed: dict[str, bool] = json.loads(kept.read_text()) if kept.exists() else {}
    mutants = list(mutants_of(path.read_text(encoding="utf-8")))
    if sample is not None and sample < len(mutants):
        mutants = random.Random(1).sample(mutants, sample)
    by_line = contexts(tests).contexts_by_lineno(str(path))
    everything = {name for names in by_line.values() for name in names if name}
    copy_of = KEPT / "copy"
    shutil.rmtree(copy_of, ignore_errors=True)
    left_out = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, copy_of, ignore=left_out)
    for name, line, source in mutants:
        if name not in noticed:
            (copy_of / path.relative_to(ROOT)).write_text(source, encoding="utf-8")
            near = set(filter(None, by_line.get(line, ()))) or everything
            tests_of_it = sorted(near, key=lambda test: path.stem.strip("_") not in test)
            noticed[name] = not run(copy_of, ["pytest", f"--timeout={PATIENCE}", *map(node_of, tests_of_it)])
            kept.write_text(json.dumps(noticed, indent=1))
    return {name: noticed[name] for name, _, _ in mutants}


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.mutants", description="How much the tests notice.")
    parser.add_argument("modules", nargs="+", help="such as _turns or _endpoints/answers")
    parser.add_argument("--tests", nargs="+", help="those that take part (default: all but a few folders)")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, chosen by a fixed seed")
    given = parser.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    tests = given.tests or [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").iterdir())
        if path.match("test_*.py") or ((path / "__init__.py").exists() and path.name not in LEFT_OUT)
    ]
    for module in given.modules:
        noticed = judge(ROOT / "requests_thingspace" / f"{module}.py", tests, given.sample)
        killed = sum(noticed.values())
        told = [f"{module}: {killed} of {len(noticed)} killed ({killed / max(len(noticed), 1):.1%})"]
        told += [f"    survived: {name}" for name, was in noticed.items() if not was]
        sys.stdout.write("\n".join([*told, ""]))


if __name__ == "__main__":
    main()
