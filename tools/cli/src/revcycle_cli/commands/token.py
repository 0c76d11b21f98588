"""`revcycle token`: a bearer token for the REST APIs of this machine."""

import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(token)


def token(
    tenant: Annotated[
        UUID | None, typer.Option(help="Tenant id, a UUID. [default: the development tenant]", show_default=False)
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="integration, coder, biller, operator or auditor; may be given several times."),
    ] = None,
    subject: Annotated[str, typer.Option(help="Who acts; the audit trail names it.")] = "me",
    minutes: Annotated[int, typer.Option(min=1, max=7 * 24 * 60, help="How long the token holds.")] = 60,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the stack's state. [default: .revcycle of the checkout]")
    ] = None,
) -> None:
    """Print a token, signed with the development key of this checkout; nothing else goes to standard output.

    For example: curl -H "Authorization: Bearer $(revcycle token --role biller)" http://127.0.0.1:8103/v1/claims
    """
    from revcycle_devstack import DEVELOPMENT_TENANT
    from revcycle_devstack.layout import StateLayout, default_state_folder
    from revcycle_service_kit.auth import ROLES, ensure_development_key, issue_token

    if not role or set(role) - ROLES:
        raise typer.BadParameter(f"name at least one of {', '.join(sorted(ROLES))}", param_hint="--role")
    layout = StateLayout((state_dir or default_state_folder()).resolve())
    key = ensure_development_key(layout.token_key_file)
    sys.stdout.write(issue_token(key, tenant or DEVELOPMENT_TENANT, subject, role, minutes * 60) + "\n")
