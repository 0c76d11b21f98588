"""Reads tables and test ids out of the hand-kept pages under docs/."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TEST_ID: Final = re.compile(r"`((?:[\w.-]+/)+test_\w+\.py)::(test_\w+)`")


def table_rows(page: str) -> Iterator[list[str]]:
    """The cells of every row of every table of a page, headings left out."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    for before, line in pairwise(lines):
        if line.startswith("|") and not set(line) <= set("|-: ") and before.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def function_of(file: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The test function of an id, or None."""
    path = ROOT / file
    if not path.exists():
        return None
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
    return None
