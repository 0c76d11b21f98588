"""The `revcycle` command. Each module in `revcycle_cli.commands` adds its own commands through `register(app)`."""

import importlib
import pkgutil
import sys

import typer
from revcycle_devstack import DevstackError

from revcycle_cli import commands

_HELP = """An open, event-driven platform for the US healthcare revenue cycle, on your machine.

First steps:

* `revcycle up` starts PostgreSQL, Kafka and the five services; Ctrl-C stops them.

* `revcycle status` says what runs and where the API documentation is; `revcycle down` stops it.

* `make demo` (or `revcycle demo`) sends a few hundred encounters the whole way, from the note to the posted remittance.

Broker and databases are spoken to as the variables of the services say: `REVCYCLE_KAFKA_SECURITY_PROTOCOL`, `_CA_FILE`,
`_CERTIFICATE_FILE` and `_KEY_FILE`, `_SASL_MECHANISM`, `_SASL_USERNAME`, `_SASL_PASSWORD_FILE`, and
`REVCYCLE_DATABASE_TLS=verify-full` with `_CA_FILE`; see `deploy/kubernetes/README.md`.

State and logs lie in `.revcycle/` of the checkout. Every command explains itself with `--help`.
"""


def build_app() -> typer.Typer:
    """The command with everything that the modules of `revcycle_cli.commands` register, in the order of their names."""
    app = typer.Typer(
        name="revcycle",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point; what a person has to act on is said in words, without a traceback."""
    try:
        build_app()()
    except DevstackError as error:
        sys.stderr.write(f"revcycle: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
