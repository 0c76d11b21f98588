"""The changes a mutation run makes: one comparison, operator, constant, condition or returned value at a time."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

FOLDER = Path(__file__).resolve().parents[1] / "src" / "revcycle_codes" / "rules"
_TEXT_CALLS = {"found", "_line_finding", "rule"}

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: module, its number within it, the top-level function ("" for a constant), line, and what it does."""

    module: str
    number: int
    function: str
    line: int
    what: str


class Mutator(ast.NodeTransformer):
    """Counts every possible change of a module and makes the one with a wanted number."""

    def __init__(self, wanted: int | None = None) -> None:
        self.wanted = wanted
        self.found: list[tuple[str, int, str]] = []
        self._function = ""

    def _here(self, node: ast.expr | ast.stmt, what: str) -> bool:
        self.found.append((self._function, node.lineno, what))
        return len(self.found) - 1 == self.wanted

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: D102
        # Decorators and annotations are texts and types.
        outer, self._function = self._function, self._function or node.name
        node.body = [self.visit(one) for one in node.body]
        self._function = outer
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # noqa: D102
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:  # noqa: D102
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:  # noqa: D102
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:  # noqa: D102
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return node if names & {"message", "expected", "problem", "override"} else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: D102
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _TEXT_CALLS:
            # The id, severity, lines, codes and the override are checked; messages and places are words.
            kept = {"lines", "codes", "override"}
            node.keywords = [
                ast.keyword(one.arg, self.visit(one.value)) if one.arg in kept else one for one in node.keywords
            ]
            return node
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:  # noqa: D102
        for place, operator in enumerate(node.ops):
            instead = COMPARISONS[type(operator)]
            if self._here(node, f"{type(operator).__name__} -> {instead.__name__}"):
                node.ops[place] = instead()
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:  # noqa: D102
        if self._here(node, "and <-> or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:  # noqa: D102
        instead = OPERATORS.get(type(node.op))
        if instead and self._here(node, f"{type(node.op).__name__} -> {instead.__name__}"):
            node.op = instead()
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:  # noqa: D102
        if isinstance(node.op, ast.Not) and self._here(node, "not removed"):
            return self.generic_visit(node.operand)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:  # noqa: D102
        for value in (True, False):
            if self._here(node, f"if -> {value}"):
                node.test = ast.copy_location(ast.Constant(value), node.test)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:  # noqa: D102
        if self._here(node, "if-else swapped"):
            node.body, node.orelse = node.orelse, node.body
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # noqa: D102
        value = node.value
        if isinstance(value, bool):
            instead: bool | int | str = not value
        elif isinstance(value, int):
            instead = value + 1
        elif isinstance(value, str) and value and " " not in value:
            instead = value + "?"
        else:
            return node
        if self._here(node, f"{value!r} -> {instead!r}"):
            return ast.copy_location(ast.Constant(instead), node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:  # noqa: D102
        if node.value is not None and not isinstance(node.value, ast.Constant) and self._here(node, "returns None"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
        return self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> ast.AST:  # noqa: D102
        return ast.copy_location(ast.Break(), node) if self._here(node, "continue -> break") else node


def mutants(module: str) -> list[Mutant]:
    """Every mutant of a module."""
    mutator = Mutator()
    mutator.visit(ast.parse((FOLDER / f"{module}.py").read_text()))
    return [Mutant(module, number, *place) for number, place in enumerate(mutator.found)]


def mutated(mutant: Mutant) -> CodeType:
    """A module with one change, compiled."""
    path = FOLDER / f"{mutant.module}.py"
    tree = Mutator(mutant.number).visit(ast.parse(path.read_text()))
    return compile(ast.fix_missing_locations(tree), str(path), "exec")
