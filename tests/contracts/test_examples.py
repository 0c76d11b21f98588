"""Promise: the REST documents show every operation, every answer and every kind of refusal by an example that holds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")
Place = tuple[str, dict[str, Any]]


def document_of(service: str) -> dict[str, Any]:
    """The committed document; the drift test says that it is what the code says."""
    document: dict[str, Any] = json.loads((ROOT / "docs/contracts/rest" / f"{service}.openapi.json").read_text())
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def bodies(document: dict[str, Any]) -> Iterator[Place]:
    """Every request and response body with its media type object."""
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} request {media_type}", content
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                yield f"{name} {status} {media_type}", content
    for name, response in document["components"]["responses"].items():
        for media_type, content in response["content"].items():
            yield f"{name} {media_type}", content


def parameters(document: dict[str, Any]) -> Iterator[Place]:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            yield f"{name} {parameter['name']}", parameter


def examples_in(holder: dict[str, Any]) -> list[Any]:
    found = [holder["example"]] if "example" in holder else []
    return [*found, *(each["value"] for each in holder.get("examples", {}).values())]


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_and_refusal_has_an_example(service: str) -> None:
    document = document_of(service)
    without = [place for place, content in bodies(document) if not examples_in(content)]
    # A page token is sealed: one from a document belongs to nobody.
    without += [
        place
        for place, parameter in parameters(document)
        if parameter["name"] != "page_token" and not examples_in(parameter)
    ]
    assert not without, f"without example: {without}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_example_fits_its_schema(service: str) -> None:
    document = document_of(service)
    registry: Registry[Any] = Registry().with_resource("urn:service", Resource(document, DRAFT202012))
    wrong = []
    for place, content in [*bodies(document), *parameters(document)]:
        schema = json.loads(json.dumps(content["schema"]).replace('"#/components', '"urn:service#/components'))
        validator = Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        for example in examples_in(content):
            wrong += [f"{place}: {error.json_path} {error.message}" for error in validator.iter_errors(example)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("service", SERVICES)
def test_every_refusal_is_a_documented_problem(service: str) -> None:
    document = document_of(service)
    for name, operation in operations(document):
        assert "default" not in operation["responses"], f"{name} hides statuses behind default"
        refusals = [response for status, response in operation["responses"].items() if status.startswith(("4", "5"))]
        assert refusals and all(set(each) == {"$ref"} for each in refusals), name
    shown = {
        (example["value"]["code"], example["value"]["status"])
        for response in document["components"]["responses"].values()
        for example in response["content"]["application/problem+json"]["examples"].values()
    }
    assert len(shown) >= 20
