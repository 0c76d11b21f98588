"""Build the documentation site: docs/ and the pages made from the contracts, with Sphinx; a warning is an error.

The site lies under docs/_site/html. Nothing is fetched.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from revcycle_cli.contracts import site

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SITE = DOCS / "_site"
FOLDERS = {
    "adr": ("Decisions", "One page each: context, decision, consequences."),
    "runbooks": ("Runbooks", "What an alert means, how to see it, what to do, how to know that it is over."),
}


def generated() -> Iterator[tuple[str, str]]:
    """Name and text of every page made from the contracts."""
    documents = {
        path.name.removesuffix(".openapi.json"): json.loads(path.read_text())
        for path in sorted((DOCS / "contracts" / "rest").glob("*.openapi.json"))
    }
    yield "rest", site.rest_index(list(documents))
    for service, document in documents.items():
        yield f"rest-{service}", site.rest_page(service, document)
    asyncapi = json.loads((DOCS / "contracts" / "asyncapi.json").read_text())
    yield "events", site.events_index(asyncapi)
    for topic in asyncapi["channels"]:
        yield f"topic-{topic}", site.topic_page(topic, asyncapi)
    for folder, (title, introduction) in FOLDERS.items():
        names = sorted(path.stem for path in (DOCS / folder).glob("*.md"))
        yield folder, site.folder_page(title, introduction, folder, names)


def main() -> int:
    """Lay out the sources, then let Sphinx build them."""
    source = SITE / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("_site"))
    for page in source.rglob("*.md"):
        page.write_text(site.without_links_outside(page.read_text(), page, source))
    (source / "generated").mkdir()
    for name, text in generated():
        (source / "generated" / f"{name}.md").write_text(text)
    options = ["-b", "html", "-W", "--keep-going", "-q", "-d", str(SITE / "doctrees")]
    built = subprocess.run([sys.executable, "-m", "sphinx", *options, str(source), str(SITE / "html")], check=False)
    if built.returncode == 0:
        pages = len(list((SITE / "html").rglob("*.html")))
        sys.stdout.write(f"site: {pages} pages under {(SITE / 'html' / 'index.html').relative_to(ROOT)}\n")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
