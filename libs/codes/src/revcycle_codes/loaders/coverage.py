"""Medicare Coverage Database: articles and local determinations as their CSV exports."""

import re
from collections import defaultdict

from msgspec import Struct, field

from revcycle_codes.loaders.layout import LayoutError, rows_of, squeezed, text_of

_TAG = re.compile(r"<[^>]*>")
_FILES = {
    "hcpc_code": ("hcpc_code_id", "hcpc_code_group"),
    "icd10_covered": ("icd10_code_id", "icd10_covered_group"),
    "icd10_noncovered": ("icd10_code_id", "icd10_noncovered_group"),
    "icd10_covered_group": ("icd10_covered_group", "paragraph", "icd10_covered_ast"),
    "hcpc_modifier": ("hcpc_modifier_code_id",),
    "contractor": ("contractor_id",),
}


class Article(Struct, kw_only=True):
    """One article version: its procedures, and covered and non-covered diagnoses by group.

    A diagnosis group has no fixed tie to a procedure group: `paragraphs` says which belong together, in words.
    `companions` are groups whose star note asks for a second diagnosis.
    """

    number: str
    version: str
    procedures: dict[str, str] = field(default_factory=dict)
    covered: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    noncovered: set[str] = field(default_factory=set)
    paragraphs: dict[str, str] = field(default_factory=dict)
    companions: set[str] = field(default_factory=set)
    contractors: set[str] = field(default_factory=set)


def read_coverage(files: dict[str, bytes]) -> list[Article]:
    """Articles of a set of exports, by file name (`article_x_hcpc_code.csv`, `lcd_x_…`; other files are refused).

    Descriptions are never kept. Raises LayoutError naming file and column.
    """
    articles: dict[tuple[str, str], Article] = {}
    for name in sorted(files):
        kind, prefix = _kind(name)
        rows = rows_of(text_of(files[name]))
        header = [squeezed(cell).lower() for cell in next(rows, [])]
        places = {
            column: _place(name, header, column) for column in (f"{prefix}_id", f"{prefix}_version", *_FILES[kind])
        }
        for row in rows:
            if len(row) < len(header):
                continue
            key = (row[places[f"{prefix}_id"]], row[places[f"{prefix}_version"]])
            article = articles.setdefault(key, Article(number=key[0], version=key[1]))
            _take(article, kind, [row[places[column]].strip() for column in _FILES[kind]])
    return [articles[key] for key in sorted(articles)]


def _kind(name: str) -> tuple[str, str]:
    stem = name.rsplit("/", 1)[-1].removesuffix(".csv")
    prefix, _, kind = stem.partition("_x_")
    if prefix not in ("article", "lcd") or kind not in _FILES:
        wanted = ", ".join(f"article_x_{one}" for one in _FILES)
        raise LayoutError(name, stem, f"is no known export; expected {wanted} or the lcd_x_ twins")
    return kind, prefix


def _place(name: str, header: list[str], column: str) -> int:
    if column not in header:
        raise LayoutError(name, column, "is missing")
    return header.index(column)


def _take(article: Article, kind: str, cells: list[str]) -> None:
    if kind == "hcpc_code":
        article.procedures[cells[0]] = cells[1]
    elif kind == "icd10_covered":
        article.covered[cells[1]].add(cells[0].replace(".", ""))
    elif kind == "icd10_noncovered":
        article.noncovered.add(cells[0].replace(".", ""))
    elif kind == "icd10_covered_group":
        article.paragraphs[cells[0]] = squeezed(_TAG.sub(" ", cells[1]))
        if cells[2]:
            article.companions.add(cells[0])
    elif kind == "contractor":
        article.contractors.add(cells[0])
