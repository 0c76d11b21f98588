"""What can be set from outside, beside what every service has."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from revcycle_service_kit import ServiceSettings

from revcycle_adjudication_gateway.domain.policy import SendingPolicy


class GatewaySettings(ServiceSettings):
    """Environment variables REVCYCLE_…; times in seconds.

    ``payer_certificate_file`` and ``payer_key_file``: what this gateway shows payers that ask who it is.
    """

    payer_certificate_file: Path | None = None
    payer_key_file: Path | None = None
    payer_connect_timeout_seconds: float = Field(5.0, gt=0, le=60)
    payer_read_timeout_seconds: float = Field(5.0, gt=0, le=300)
    flush_after_seconds: float = Field(0.2, ge=0, le=60)
    inquiry_after_seconds: float = Field(2.0, gt=0, le=3600)
    retry_first_seconds: float = Field(1.0, gt=0, le=600)
    lanes_per_route: int = Field(4, ge=1, le=32)

    @model_validator(mode="after")
    def _pair_the_payer_files(self) -> Self:
        if (self.payer_certificate_file is None) != (self.payer_key_file is None):
            pair = "REVCYCLE_PAYER_CERTIFICATE_FILE and REVCYCLE_PAYER_KEY_FILE"
            raise PydanticCustomError("transport_security", f"{pair} belong together: set both or neither")
        return self

    @property
    def delivery_limit_seconds(self) -> float:
        """The longest a delivery may take, all in all: connecting, writing and waiting for the answer."""
        return self.payer_connect_timeout_seconds + 2 * self.payer_read_timeout_seconds

    @property
    def policy(self) -> SendingPolicy:
        """The sending policy. The lease outlives every delivery, so a lease that ran out means a lost worker."""
        return SendingPolicy(
            flush_after_seconds=self.flush_after_seconds,
            lease_seconds=self.delivery_limit_seconds + 5,
            retry_first_seconds=self.retry_first_seconds,
            inquiry_after_seconds=self.inquiry_after_seconds,
        )
