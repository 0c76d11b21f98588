"""Pages of the documentation site that are made from the contracts: REST per service, events per topic."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")


def rest_index(services: Sequence[str]) -> str:
    """The page that lists the services."""
    lines = ["# REST", "", "One OpenAPI 3.1 document per service; `/docs` of a running service shows it interactively."]
    lines += ["Every refusal is `application/problem+json` with field, rule and what would be right.", ""]
    lines += ["```{toctree}", ":maxdepth: 1", "", *(f"rest-{service}" for service in services), "```", ""]
    return "\n".join(lines)


def rest_page(service: str, document: Document) -> str:
    """Every operation of a service with its example, then every problem."""
    lines = [f"# {service}", "", document["info"].get("description", ""), ""]
    lines += [
        f"The document itself: {{download}}`{service}.openapi.json <../contracts/rest/{service}.openapi.json>`",
        "",
    ]
    for path, methods in document["paths"].items():
        for method in (each for each in _METHODS if each in methods):
            lines += _operation(method, path, methods[method])
    lines += ["## Problems", "", "| status | code | what it means and what to do |", "|---|---|---|"]
    for response in document["components"]["responses"].values():
        for code, example in response["content"]["application/problem+json"]["examples"].items():
            lines.append(f"| {example['value']['status']} | `{code}` | {_cell(example['summary'])} |")
    return "\n".join(lines) + "\n"


def _operation(method: str, path: str, operation: Document) -> Iterator[str]:
    yield from (
        f"## {operation['summary']}",
        "",
        f"`{method.upper()} {path}`",
        "",
        operation.get("description", ""),
        "",
    )
    if parameters := operation.get("parameters"):
        yield from ("| parameter | in | required | example |", "|---|---|---|---|")
        for each in parameters:
            required = "yes" if each.get("required") else ""
            yield f"| `{each['name']}` | {each['in']} | {required} | {_cell(_code(each.get('example')))} |"
        yield ""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _example(f"Request, {media_type}", content)
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for media_type, content in response.get("content", {}).items():
                yield from _example(f"{status}, {media_type}", content)
    refusals = [status for status in operation["responses"] if not status.startswith("2")]
    yield from (f"May be refused with {', '.join(refusals)}.", "")


def _code(value: object) -> str:
    return "" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _example(label: str, content: Document) -> Iterator[str]:
    example = content["example"] if "example" in content else next(iter(content.get("examples", {}).values()))["value"]
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    language = "text" if isinstance(example, str) else "json"
    yield from (f"{label}:", "", f"```{language}", *text.strip().splitlines(), "```", "")


def events_index(document: Document) -> str:
    """The page that lists the topics."""
    lines = ["# Topics and messages", ""]
    lines += [
        "From {download}`asyncapi.json <../contracts/asyncapi.json>` (AsyncAPI 3.0): all topics and messages.",
        "",
    ]
    lines += ["```{toctree}", ":maxdepth: 1", "", *(f"topic-{name}" for name in document["channels"]), "```", ""]
    return "\n".join(lines)


def topic_page(name: str, document: Document) -> str:
    """Every message of a topic: fields, where each travels, and a record as it lies on the topic."""
    channel = document["channels"][name]
    kafka = channel["bindings"]["kafka"]
    lines = [f"# {name}", "", f"{channel['description']} {kafka['partitions']} partitions.", ""]
    for event_type in channel["messages"]:
        message = document["components"]["messages"][event_type]
        schema = document["components"]["schemas"][event_type]["schema"]
        lines += [f"## {message['title']}", "", f"`{event_type}`", "", message["summary"], ""]
        lines += ["| field | required | travels |", "|---|---|---|"]
        for field in schema["properties"]:
            if field != "sealed":
                lines.append(f"| `{field}` | {'yes' if field in schema['required'] else ''} | in the clear |")
        for compartment, blob in schema["properties"].get("sealed", {}).get("properties", {}).items():
            for field in blob["description"].removeprefix("Opens to ").split(", "):
                lines.append(f"| `{field}` | | sealed: {compartment} |")
        lines += ["", *_example("On the wire", {"example": message["examples"][0]["payload"]})]
    return "\n".join(lines) + "\n"


def folder_page(title: str, introduction: str, folder: str, names: Sequence[str]) -> str:
    """The page that lists what lies in a folder of docs."""
    lines = [f"# {title}", "", introduction, ""]
    if names:
        lines += ["```{toctree}", ":maxdepth: 1", "", *(f"../{folder}/{name}" for name in names), "```", ""]
    return "\n".join(lines)


def without_links_outside(text: str, page: Path, docs: Path) -> str:
    """A page whose links into the code are its text and path: the site holds no code."""

    def shown(link: re.Match[str]) -> str:
        label, target = link.groups()
        inside = (page.parent / target.partition("#")[0]).resolve().is_relative_to(docs)
        return link.group() if inside or "://" in target else f"{label} (`{target.lstrip('./')}`)"

    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)", shown, text)
