"""The rule catalogue as a page, generated from the rules themselves."""

from revcycle_codes.engine import CATALOGUE


def catalogue_page() -> str:
    """The catalogue in Markdown: one section a rule, in the order of evaluation."""
    lines = [
        "# Rule catalogue",
        "",
        "Generated from the rules (`revcycle codes rules`). Every finding names the rule and its version. Severity:"
        " *error* blocks billing, *warning* needs a look or a documented reason, *info* is only shown.",
        "",
    ]
    for entry in CATALOGUE:
        lines += [
            f"## {entry.id} {entry.title}",
            "",
            " ".join(entry.text.split()),
            "",
            f"- Version: {entry.version}",
            f"- Severity: {entry.severity}",
            f"- Payer's answer: {'CARC ' + entry.carc if entry.carc else 'none'}",
            f"- Reads: {entry.needs}",
            f"- Source: {entry.source}",
            "",
        ]
    return "\n".join(lines)
