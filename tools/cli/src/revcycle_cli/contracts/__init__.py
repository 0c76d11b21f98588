"""The published contracts as documents: event schemas, AsyncAPI, and what may change between releases."""

from revcycle_cli.contracts.asyncapi import asyncapi_document
from revcycle_cli.contracts.compatibility import incompatibilities
from revcycle_cli.contracts.events import event_example, event_schema, published_events

__all__ = ["asyncapi_document", "event_example", "event_schema", "incompatibilities", "published_events"]
