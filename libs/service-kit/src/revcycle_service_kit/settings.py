"""What a service learns from its environment: variables named ``REVCYCLE_…``."""

from datetime import date
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from revcycle_service_kit.rate_limits import RateClass
from revcycle_service_kit.transport_security import TransportSecuritySettings


class ServiceSettings(TransportSecuritySettings):
    """Settings every service has. A service subclasses it; each field it adds needs a default.

    Attributes:
        service_name: name of the service, also the name of its consumer group.
        instance: name of this process among several of the service.
        database_url: address with the role that owns nothing; the service runs with it.
        database_owner_url: address with the owning role; only ``migrate`` needs it.
        environment: in production only tokens of an identity provider are taken, never those of a development key.
        token_jwks_url, token_jwks_file: the identity provider's keys; without either, ``token_key_file`` is used.
        token_jwks_ca_file: whom to trust at that address; absent: the authorities of the system.
        token_issuer, token_audience: what ``iss`` and ``aud`` of a token must be.
        token_leeway_seconds: how far the issuer's clock may be ahead of ours.
        business_date: pins the business date (demos); absent: the real one.
        drain_seconds: how long a terminated process may finish what it has in hand.
        drain_notice_seconds: how long it says "not ready" before it closes its port (for load balancers).
        restore_check: compare the database with its own topics before anything is written. Off only where a fresh
            database is to be filled from topics that are full already.
        http_concurrency: requests in work at once; more are answered 503.
        otlp_endpoint: base address of an OpenTelemetry collector (OTLP over HTTP) that spans go to.
        trace_file: file that spans go to where there is no collector; with neither, none are recorded.
        trace_ratio: share of encounters that are traced, the same ones in every service with the same ratio.
        rate_window_seconds: how long a window of the rate limits lasts.
        rate_limit_read, rate_limit_write, rate_limit_bulk: requests of one credential per window, in this process.
    """

    model_config = SettingsConfigDict(env_prefix="REVCYCLE_", extra="ignore", frozen=True, hide_input_in_errors=True)

    service_name: str
    instance: str = ""
    database_url: str = Field(repr=False)
    database_owner_url: str | None = Field(default=None, repr=False)
    database_service_role: str | None = None
    database_pool_size: int = Field(default=8, ge=2, le=100)
    kafka_bootstrap_servers: str = ""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8100, ge=0, le=65535)
    http_concurrency: int = Field(default=256, ge=1)
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://")
    trace_file: Path | None = None
    trace_ratio: float = Field(default=0.01, ge=0, le=1)
    rate_window_seconds: int = Field(default=60, ge=1)
    rate_limit_read: int = Field(default=6000, ge=1)
    rate_limit_write: int = Field(default=3000, ge=1)
    rate_limit_bulk: int = Field(default=600, ge=1)
    keyring_file: Path = Path("keyring.json")
    environment: Literal["development", "production"] = "development"
    token_key_file: Path = Path("token-key.json")
    token_jwks_url: str | None = None
    token_jwks_file: Path | None = None
    token_jwks_ca_file: Path | None = None
    token_issuer: str = "revcycle"
    token_audience: str = "revcycle"
    token_leeway_seconds: int = Field(default=30, ge=0, le=300)
    business_date: date | None = None
    log_format: Literal["json", "text"] = "json"
    ca_file: Path | None = None
    restore_check: bool = True
    drain_seconds: float = Field(default=25, gt=0)
    drain_notice_seconds: float = Field(default=0, ge=0)

    @property
    def rate_limits(self) -> dict[RateClass, int]:
        """Requests per window and class."""
        return {"read": self.rate_limit_read, "write": self.rate_limit_write, "bulk": self.rate_limit_bulk}

    @model_validator(mode="after")
    def _name_the_instance(self) -> Self:
        if not self.instance:
            object.__setattr__(self, "instance", self.service_name)
        return self

    @model_validator(mode="after")
    def _know_the_issuer(self) -> Self:
        if self.token_jwks_url and self.token_jwks_file:
            raise ValueError("set REVCYCLE_TOKEN_JWKS_URL or REVCYCLE_TOKEN_JWKS_FILE, not both")
        if self.token_jwks_url and not _safe_address(self.token_jwks_url):
            raise ValueError("REVCYCLE_TOKEN_JWKS_URL must be an https:// address")
        if self.environment == "production":
            if not (self.token_jwks_url or self.token_jwks_file):
                raise ValueError(
                    "REVCYCLE_ENVIRONMENT=production takes no tokens of a development key: set REVCYCLE_TOKEN_JWKS_URL "
                    "or REVCYCLE_TOKEN_JWKS_FILE to the keys of the identity provider"
                )
            if not {"token_issuer", "token_audience"} <= self.model_fields_set:
                raise ValueError(
                    "REVCYCLE_ENVIRONMENT=production needs REVCYCLE_TOKEN_ISSUER and REVCYCLE_TOKEN_AUDIENCE"
                )
        return self


def _safe_address(url: str) -> bool:
    """Whether keys may be fetched from there: over TLS, or from this very machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
