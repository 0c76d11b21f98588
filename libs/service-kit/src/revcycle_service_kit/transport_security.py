"""TLS and SASL of the three ways into and out of a service: Kafka, PostgreSQL, HTTP.

Secrets come as files, never as variables: a variable is inherited by children and shown by tools that list processes.
The files are read once, at start; a renewed certificate takes effect with the next start.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

KafkaProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_CHECKED: Final = "verify-full"


class TransportSecurityError(Exception):
    """A certificate, key or password file cannot be used; the text names variable, file and what would be right."""


class TransportSecuritySettings(BaseSettings):
    """The part of a service's settings that says how its connections are protected.

    Attributes:
        require_tls: refuse to start unless all three are encrypted and their servers checked: for production.
        kafka_security_protocol: SSL and SASL_SSL check the broker's certificate and name.
        kafka_ca_file: authority of the brokers' certificates; absent: those the system trusts.
        kafka_certificate_file, kafka_key_file: this service's own certificate, where the brokers ask for one.
        kafka_sasl_password_file: holds the password and nothing else; a newline at its end is not part of it.
        database_tls: ``verify-full`` encrypts and checks certificate and host name, whatever the address says;
            ``as-url`` does what ``sslmode`` of the address says.
        http_certificate_file, http_key_file: serve HTTPS and nothing else.
        http_client_ca_file: ask every client for a certificate of this authority.
    """

    require_tls: bool = False
    kafka_security_protocol: KafkaProtocol = "PLAINTEXT"
    kafka_ca_file: Path | None = None
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_sasl_username: str | None = Field(default=None, repr=False)
    kafka_sasl_password_file: Path | None = None
    database_tls: Literal["as-url", "verify-full"] = "as-url"
    database_ca_file: Path | None = None
    database_certificate_file: Path | None = None
    database_key_file: Path | None = None
    http_certificate_file: Path | None = None
    http_key_file: Path | None = None
    http_client_ca_file: Path | None = None

    @model_validator(mode="after")
    def _refuse_what_does_not_fit_together(self) -> Self:
        wrong = [*self._unpaired(), *self._wrong_kafka(), *self._wrong_database(), *self._wrong_http()]
        if self.require_tls:
            wrong += self._plain()
        if wrong:
            raise PydanticCustomError("transport_security", "{wrong}", {"wrong": "\n  ".join(wrong)})
        return self

    def _unpaired(self) -> Iterator[str]:
        for way in ("kafka", "database", "http"):
            certificate, key = getattr(self, f"{way}_certificate_file"), getattr(self, f"{way}_key_file")
            if (certificate is None) != (key is None):
                name = f"REVCYCLE_{way.upper()}"
                yield f"{name}_CERTIFICATE_FILE and {name}_KEY_FILE belong together: set both or neither"

    def _wrong_kafka(self) -> Iterator[str]:
        protocol = self.kafka_security_protocol
        sasl = (self.kafka_sasl_mechanism, self.kafka_sasl_username, self.kafka_sasl_password_file)
        if protocol.startswith("SASL") and None in sasl:
            yield (
                f"REVCYCLE_KAFKA_SECURITY_PROTOCOL={protocol} needs REVCYCLE_KAFKA_SASL_MECHANISM, _SASL_USERNAME and "
                "_SASL_PASSWORD_FILE"
            )
        if not protocol.startswith("SASL") and any(part is not None for part in sasl):
            yield f"REVCYCLE_KAFKA_SASL_… has no effect with protocol {protocol}: use SASL_SSL, or unset them"
        files = (self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)
        if not protocol.endswith("SSL") and any(files):
            yield (
                f"REVCYCLE_KAFKA_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE have no effect with protocol {protocol}: "
                "use SSL or SASL_SSL, or unset them"
            )

    def _wrong_database(self) -> Iterator[str]:
        files = (self.database_ca_file, self.database_certificate_file, self.database_key_file)
        if self.database_tls != _CHECKED and any(files):
            yield (
                "REVCYCLE_DATABASE_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE need REVCYCLE_DATABASE_TLS=verify-full; "
                "without it nothing is checked"
            )
        for name, mode in self._sslmodes().items():
            if self.database_tls == _CHECKED and mode is not None:
                yield f"{name} says sslmode={mode} while REVCYCLE_DATABASE_TLS=verify-full: leave sslmode out"

    def _wrong_http(self) -> Iterator[str]:
        if self.http_client_ca_file is not None and self.http_certificate_file is None:
            yield "REVCYCLE_HTTP_CLIENT_CA_FILE needs REVCYCLE_HTTP_CERTIFICATE_FILE: plain HTTP knows no certificates"

    def _sslmodes(self) -> dict[str, str | None]:
        """``sslmode`` of each database address that is set."""
        modes: dict[str, str | None] = {}
        for field in ("database_url", "database_owner_url"):
            address = getattr(self, field, None)
            if address:
                modes[f"REVCYCLE_{field.upper()}"] = parse_qs(urlsplit(address).query).get("sslmode", [None])[-1]
        return modes

    def _plain(self) -> Iterator[str]:
        """What is not protected although it has to be."""
        if not self.kafka_security_protocol.endswith("SSL"):
            yield "REVCYCLE_REQUIRE_TLS: REVCYCLE_KAFKA_SECURITY_PROTOCOL must be SSL or SASL_SSL"
        if self.database_tls != _CHECKED and any(mode != _CHECKED for mode in self._sslmodes().values()):
            yield "REVCYCLE_REQUIRE_TLS: REVCYCLE_DATABASE_TLS must be verify-full"
        if self.http_certificate_file is None:
            yield "REVCYCLE_REQUIRE_TLS: REVCYCLE_HTTP_CERTIFICATE_FILE and REVCYCLE_HTTP_KEY_FILE must be set"


def kafka_security(settings: TransportSecuritySettings) -> dict[str, Any]:
    """What every Kafka client of the service is given. TransportSecurityError when a file cannot be used."""
    security: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if settings.kafka_security_protocol.endswith("SSL"):
        security["ssl_context"] = client_context(
            "REVCYCLE_KAFKA", settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file
        )
    if settings.kafka_sasl_password_file is not None:
        name = "REVCYCLE_KAFKA_SASL_PASSWORD_FILE"
        security["sasl_mechanism"] = settings.kafka_sasl_mechanism
        security["sasl_plain_username"] = settings.kafka_sasl_username
        security["sasl_plain_password"] = _password(name, settings.kafka_sasl_password_file)
    return security


def database_tls(settings: TransportSecuritySettings) -> ssl.SSLContext | None:
    """TLS of connections to PostgreSQL; None: as the address says. TransportSecurityError when a file is unusable."""
    if settings.database_tls != _CHECKED:
        return None
    return client_context(
        "REVCYCLE_DATABASE",
        settings.database_ca_file,
        settings.database_certificate_file,
        settings.database_key_file,
    )


def http_server_tls(settings: TransportSecuritySettings) -> dict[str, Any]:
    """uvicorn's TLS options; empty: plain HTTP. TransportSecurityError when a file cannot be used."""
    certificate, key = settings.http_certificate_file, settings.http_key_file
    if certificate is None or key is None:
        return {}
    # Loaded here once for the clear refusal; uvicorn would fail with a bare traceback.
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load_pair(context, "REVCYCLE_HTTP", certificate, key)
    options: dict[str, Any] = {"ssl_certfile": certificate, "ssl_keyfile": key}
    if settings.http_client_ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(settings.http_client_ca_file))
        except (ssl.SSLError, OSError) as error:
            raise _unusable_authority("REVCYCLE_HTTP_CLIENT_CA_FILE", settings.http_client_ca_file, error) from None
        options |= {"ssl_ca_certs": str(settings.http_client_ca_file), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def client_context(
    prefix: str,
    ca_file: Path | None,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
    *,
    ca_name: str | None = None,
) -> ssl.SSLContext:
    """A client's TLS: TLS 1.2 or newer, certificate and host name of the server checked.

    ``prefix`` names the settings in refusals (``REVCYCLE_KAFKA``), ``ca_name`` that of the authority where it has
    another one. Raises TransportSecurityError.
    """
    try:
        # With a file: only the authority it names, not any of the hundred that a system trusts.
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (ssl.SSLError, OSError) as error:
        raise _unusable_authority(ca_name or f"{prefix}_CA_FILE", ca_file, error) from None
    if certificate_file is not None and key_file is not None:
        _load_pair(context, prefix, certificate_file, key_file)
    return context


def _unusable_authority(name: str, file: Path | None, error: Exception) -> TransportSecurityError:
    return TransportSecurityError(
        f"{name}: {file} cannot be used ({_why(error)}); it must hold certificates in PEM form"
    )


def _load_pair(context: ssl.SSLContext, prefix: str, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(str(certificate), str(key))
    except (ssl.SSLError, OSError) as error:
        raise TransportSecurityError(
            f"{prefix}_CERTIFICATE_FILE, {prefix}_KEY_FILE: {certificate} and {key} cannot be used ({_why(error)}); "
            "they must hold a certificate in PEM form and its own key without a password"
        ) from None


def _password(name: str, file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TransportSecurityError(f"{name}: {file} cannot be read ({_why(error)})") from None
    if not password:
        raise TransportSecurityError(f"{name}: {file} is empty; it must hold the password")
    return password


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
