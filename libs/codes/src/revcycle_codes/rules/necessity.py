"""Medical necessity: coverage articles of the contractor that serves the place of the service."""

from collections.abc import Iterator

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import CoverageTable
from revcycle_codes.findings import Finding, Severity, found, rule
from revcycle_codes.loaders.coverage import Article
from revcycle_codes.model import CodeSystem, display


@rule(
    "MN-01",
    "Medical necessity",
    source="Medicare Coverage Database: articles of the contractor, in force on the date",
    severity="switch necessity (default warning); non-covered diagnosis: error",
    carc="50",
    needs="coverage articles",
)
def medical_necessity(context: Context) -> Iterator[Finding]:
    """A procedure on an article points to at least one covered diagnosis and to none that the article excludes. A group
    with a star note needs a second diagnosis. Which diagnosis group belongs to which procedures is said in the
    article's words, so any covered group counts. A procedure on no article passes.
    """
    facts = context.facts
    table = context.table(CoverageTable)
    switch = context.switches.value("necessity", facts.date_of_service, facts.payer_id)
    if table is None or switch == "off":
        return
    for index, line in enumerate(facts.lines):
        keys = [context.keys[one - 1] for one in line.diagnosis_pointers if 1 <= one <= len(context.keys)]
        for article in table.articles(context.codes[index], facts.contractor):
            verdict = _verdict(article, keys)
            if verdict is None:
                continue
            problem, expected, excluded = verdict
            yield found(
                "MN-01",
                Severity.ERROR if excluded else Severity(switch),
                f"{line.code} on line {line.line_number}: {problem}",
                expected,
                lines=(line.line_number,),
                codes=(line.code, *(display(CodeSystem.ICD10CM, key) for key in keys)),
                field=f"services[{index}].diagnosis_pointers",
                release=table.spec.release,
                row=f"article {article.number} version {article.version}",
                override=None if excluded else "the record that shows the necessity, or a signed notice (GA)",
            )


def _verdict(article: Article, keys: list[str]) -> tuple[str, str, bool] | None:
    """Problem, remedy and whether the article excludes a diagnosis; None when the line is covered."""
    excluded = [key for key in keys if key in article.noncovered]
    if excluded:
        code = display(CodeSystem.ICD10CM, excluded[0])
        return f"the article excludes {code}", "a diagnosis that the article covers", True
    groups = {group for group, codes in article.covered.items() if codes.intersection(keys)}
    if article.covered and not groups:
        return "no diagnosis it points to is covered by the article", "a pointer to a covered diagnosis", False
    if groups and groups <= article.companions and len(keys) < 2:
        return "the article asks for a second diagnosis", "a pointer to the companion diagnosis too", False
    return None
