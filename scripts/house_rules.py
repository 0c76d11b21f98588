"""Small rules of the house that no off-the-shelf linter knows. Prints each breach with its place; exit status 1.

Each rule is a function over the nodes of one parsed file; STYLE.md gives the reasons.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500
MONEY_WORD = re.compile(r"(cents|amount|charge|paid|price|balance)$")
FORBIDDEN_TEXT = {
    "a package registry's address": re.compile(
        r"https?://[a-z0-9.-]*(?:pypi|pythonhosted|npmjs|crates|maven|golang|debian)\.[a-z]+|repo1\.maven"
    ),
    "a path of one machine": re.compile(r"(?<![\w.~])/(?:work|root|farm)/\w"),
}
Breach = tuple[int, str]


def tracked_files() -> list[Path]:
    """Files git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def long_functions(nodes: Sequence[ast.AST]) -> Iterator[Breach]:
    """A function fits on a screen."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {length} lines; at most {FUNCTION_LINES_MAX}"


def commits(nodes: Sequence[ast.AST]) -> Iterator[Breach]:
    """One unit of work at the edge: application code never commits."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield node.lineno, "commit() belongs to the unit of work at the edge"


def float_money(nodes: Sequence[ast.AST]) -> Iterator[Breach]:
    """Money is integer cents: no float annotation or conversion near a money word."""
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.arg) and node.annotation is not None:
            name, annotation = node.arg, node.annotation
        else:
            continue
        if MONEY_WORD.search(name) and "float" in ast.unparse(annotation):
            yield node.lineno, f"{name} is money and money is integer cents"


def wait_for(nodes: Sequence[ast.AST]) -> Iterator[Breach]:
    """asyncio.wait_for of Python 3.11 swallows a cancellation that meets the result."""
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.wait_for":
            yield node.lineno, "use `async with asyncio.timeout(...)`: wait_for can swallow a cancellation"


def sleeping_tests(nodes: Sequence[ast.AST]) -> Iterator[Breach]:
    """A test polls for its condition; a sleep longer than a poll is a guess."""
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"} and node.args:
            seconds = node.args[0]
            if not (isinstance(seconds, ast.Constant) and isinstance(seconds.value, int | float)):
                continue
            if seconds.value > 0.25:
                yield node.lineno, f"a test sleeps {seconds.value} s; poll for the condition with a limit"


def breaches_of(path: Path) -> Iterator[Breach]:
    """Every breach in one file."""
    text = path.read_text(errors="replace")
    for what, pattern in FORBIDDEN_TEXT.items():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield number, what
    if path.suffix != ".py":
        return
    # Walked once: every rule wants all nodes, and walking is most of the work.
    nodes = list(ast.walk(ast.parse(text)))
    is_test = "tests" in path.parts
    is_application = "src" in path.parts and path.relative_to(ROOT).parts[0] in {"services", "libs"}
    yield from float_money(nodes)
    if is_test:
        yield from sleeping_tests(nodes)
        return
    if "migrations" not in path.parts:
        yield from long_functions(nodes)
    if is_application:
        yield from wait_for(nodes)
        if len(text.splitlines()) > MODULE_LINES_MAX and "tables of data" not in text[:2000]:
            yield 1, f"{len(text.splitlines())} lines; at most {MODULE_LINES_MAX}"
    if is_application and path.relative_to(ROOT).parts[0] == "services":
        yield from commits(nodes)


def main() -> int:
    """Check every tracked file; 1 when any rule is broken."""
    found = 0
    for path in tracked_files():
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".sh", ".json", ".txt", ""}:
            if path == Path(__file__).resolve():
                continue
            for line, what in breaches_of(path):
                found += 1
                sys.stdout.write(f"{path.relative_to(ROOT)}:{line}: {what}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
