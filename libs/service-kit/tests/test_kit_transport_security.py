"""Promise: settings that leave a connection less protected than they look are refused, with what would be right."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from revcycle_service_kit import ServiceSettings
from revcycle_service_kit.program import _wrong_settings
from revcycle_service_kit.transport_security import (
    TransportSecurityError,
    client_context,
    database_tls,
    http_server_tls,
    kafka_security,
)

PROTECTED: dict[str, Any] = {
    "require_tls": True,
    "kafka_security_protocol": "SSL",
    "database_tls": "verify-full",
    "http_certificate_file": "/tls.crt",
    "http_key_file": "/tls.key",
}


def settings(**values: Any) -> ServiceSettings:
    return ServiceSettings(**{"service_name": "s", "database_url": "postgresql://h/d", **values})


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        settings(**values)
    return "\n".join(_wrong_settings(refused.value))


def test_nothing_is_asked_of_a_development_stack_and_everything_of_production() -> None:
    assert settings().require_tls is False
    assert settings(**PROTECTED).require_tls is True
    owner = {"database_owner_url": "postgresql://h/d?sslmode=verify-full"}
    by_url = {**PROTECTED, **owner, "database_tls": "as-url", "database_url": "postgresql://h/d?sslmode=verify-full"}
    assert settings(**by_url).require_tls is True


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**PROTECTED, "kafka_security_protocol": "PLAINTEXT"}, "KAFKA_SECURITY_PROTOCOL must be SSL or SASL_SSL"),
        ({**PROTECTED, "database_tls": "as-url"}, "DATABASE_TLS must be verify-full"),
        (
            {**PROTECTED, "database_tls": "as-url", "database_url": "postgresql://h/d?sslmode=require"},
            "DATABASE_TLS must be verify-full",
        ),
        ({**PROTECTED, "http_certificate_file": None, "http_key_file": None}, "HTTP_KEY_FILE must be set"),
        ({"http_certificate_file": "/tls.crt"}, "REVCYCLE_HTTP_KEY_FILE belong together"),
        ({"http_client_ca_file": "/ca.crt"}, "plain HTTP knows no certificates"),
        ({"kafka_security_protocol": "SASL_SSL"}, "needs REVCYCLE_KAFKA_SASL_MECHANISM"),
        ({"kafka_sasl_username": "claims"}, "has no effect with protocol PLAINTEXT"),
        ({"kafka_ca_file": "/ca.crt"}, "have no effect with protocol PLAINTEXT"),
        ({"kafka_security_protocol": "SSL", "kafka_key_file": "/k"}, "REVCYCLE_KAFKA_KEY_FILE belong together"),
        ({"database_ca_file": "/ca.crt"}, "without it nothing is checked"),
        (
            {"database_tls": "verify-full", "database_owner_url": "postgresql://h/d?sslmode=disable"},
            "REVCYCLE_DATABASE_OWNER_URL says sslmode=disable",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, Any], says: str) -> None:
    assert says in refusal(**values)


def test_all_that_is_wrong_is_said_at_once_and_no_value_is_repeated() -> None:
    text = refusal(require_tls=True, database_url="postgresql://u:SECRET-CANARY@h/d", kafka_sasl_username="x")
    assert text.count("REVCYCLE_REQUIRE_TLS") == 3
    assert "has no effect" in text
    assert "SECRET-CANARY" not in text


def test_a_file_that_cannot_be_used_is_named_with_what_it_should_be(tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty.pem", tmp_path / "missing.pem"
    empty.write_text("")
    kafka = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": "u"}
    wrong: list[tuple[Any, ServiceSettings, str]] = [
        (database_tls, settings(database_tls="verify-full", database_ca_file=missing), "REVCYCLE_DATABASE_CA_FILE"),
        (database_tls, settings(database_tls="verify-full", database_ca_file=empty), "certificates in PEM form"),
        (http_server_tls, settings(http_certificate_file=empty, http_key_file=empty), "REVCYCLE_HTTP_CERTIFICATE_FILE"),
        (kafka_security, settings(**kafka, kafka_sasl_password_file=empty), "is empty"),
        (kafka_security, settings(**kafka, kafka_sasl_password_file=missing), "REVCYCLE_KAFKA_SASL_PASSWORD_FILE"),
    ]
    for function, given, says in wrong:
        with pytest.raises(TransportSecurityError, match=says):
            function(given)


def test_a_client_checks_certificate_and_name_of_its_server() -> None:
    context = client_context("TEST", None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert database_tls(settings()) is None
    assert http_server_tls(settings()) == {}
    assert kafka_security(settings()) == {"security_protocol": "PLAINTEXT"}


def test_the_password_is_what_the_file_holds_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" with blanks \n")
    given = settings(
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_sasl_username="claims",
        kafka_sasl_password_file=file,
    )
    assert kafka_security(given) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "claims",
        "sasl_plain_password": " with blanks ",
    }
