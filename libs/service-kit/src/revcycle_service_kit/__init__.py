"""What every service of revcycle needs and none owns: settings, the door, commands, jobs, timers, the process itself.

A service is its :class:`ServiceParts`; ``main(parts)`` makes a program of them. Everything public is importable here,
the helpers for revisions from :mod:`revcycle_service_kit.migrations`, those for tests from
:mod:`revcycle_service_kit.testing`.
"""

from revcycle_service_kit.access import AccessTable, CurrentCaller, Permission, UndeclaredAccess, allow
from revcycle_service_kit.app import create_base_app
from revcycle_service_kit.auth import (
    ROLES,
    Caller,
    InvalidToken,
    TokenKey,
    TokenVerifier,
    ensure_development_key,
    issue_token,
    read_token_keys,
)
from revcycle_service_kit.clock import Clock, SettableClock
from revcycle_service_kit.commands import ReadUnitOfWork, Reply, request_cause, run_command, service_context
from revcycle_service_kit.context import MIB, Background, ServiceContext, ServiceParts, build_parts
from revcycle_service_kit.etag import etag, not_modified, require_if_match
from revcycle_service_kit.figures import BusinessFigures, Figure
from revcycle_service_kit.ids import new_id
from revcycle_service_kit.jobs import Job, JobKind, JobResult, NotAttempted, Prepared, resolve_jobs
from revcycle_service_kit.openapi import takes
from revcycle_service_kit.paging import Page, PageParameters, PageRequest, decode_cursor, encode_cursor
from revcycle_service_kit.problems import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    ProblemBody,
    ProblemType,
    RequestModel,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
)
from revcycle_service_kit.program import main
from revcycle_service_kit.settings import ServiceSettings
from revcycle_service_kit.telemetry import TracedTransport, working
from revcycle_service_kit.timers import DueTimer, TimerHandler, TimerKind

__all__ = [
    "MIB",
    "ROLES",
    "AccessTable",
    "Background",
    "BadRequest",
    "BusinessFigures",
    "Caller",
    "Clock",
    "Conflict",
    "CurrentCaller",
    "DueTimer",
    "FieldError",
    "Figure",
    "Forbidden",
    "InvalidToken",
    "Job",
    "JobKind",
    "JobResult",
    "NotAttempted",
    "NotFound",
    "Page",
    "PageParameters",
    "PageRequest",
    "PayloadTooLarge",
    "Permission",
    "PreconditionFailed",
    "PreconditionRequired",
    "Prepared",
    "Problem",
    "ProblemBody",
    "ProblemType",
    "ReadUnitOfWork",
    "Reply",
    "RequestModel",
    "ServiceContext",
    "ServiceParts",
    "ServiceSettings",
    "ServiceUnavailable",
    "SettableClock",
    "TimerHandler",
    "TimerKind",
    "TokenKey",
    "TokenVerifier",
    "TooManyRequests",
    "TracedTransport",
    "Unauthorized",
    "UndeclaredAccess",
    "Unprocessable",
    "UnsupportedMediaType",
    "allow",
    "build_parts",
    "create_base_app",
    "decode_cursor",
    "encode_cursor",
    "ensure_development_key",
    "etag",
    "issue_token",
    "main",
    "new_id",
    "not_modified",
    "read_token_keys",
    "request_cause",
    "require_if_match",
    "resolve_jobs",
    "run_command",
    "service_context",
    "takes",
    "working",
]
