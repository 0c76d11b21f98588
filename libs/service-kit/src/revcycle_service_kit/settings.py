"""What a service learns from its environment: variables named ``REVCYCLE_…``."""

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from revcycle_service_kit.transport_security import TransportSecuritySettings


class ServiceSettings(TransportSecuritySettings):
    """Settings every service has. A service subclasses it; each field it adds needs a default.

    Attributes:
        service_name: name of the service, also the name of its consumer group.
        instance: name of this process among several of the service.
        database_url: address with the role that owns nothing; the service runs with it.
        database_owner_url: address with the owning role; only ``migrate`` needs it.
        business_date: pins the business date (demos); absent: the real one.
        drain_seconds: how long a terminated process may finish what it has in hand.
        drain_notice_seconds: how long it says "not ready" before it closes its port (for load balancers).
        restore_check: compare the database with its own topics before anything is written. Off only where a fresh
            database is to be filled from topics that are full already.
        http_concurrency: requests in work at once; more are answered 503.
        otlp_endpoint: base address of an OpenTelemetry collector (OTLP over HTTP) that spans go to.
        trace_file: file that spans go to where there is no collector; with neither, none are recorded.
        trace_ratio: share of encounters that are traced, the same ones in every service with the same ratio.
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
    keyring_file: Path = Path("keyring.json")
    token_key_file: Path = Path("token-key.json")
    business_date: date | None = None
    log_format: Literal["json", "text"] = "json"
    ca_file: Path | None = None
    restore_check: bool = True
    drain_seconds: float = Field(default=25, gt=0)
    drain_notice_seconds: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _name_the_instance(self) -> Self:
        if not self.instance:
            object.__setattr__(self, "instance", self.service_name)
        return self
