"""Small promises that need nothing but themselves."""

import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from revcycle_messaging import KeyRing, Transient
from revcycle_messaging.testing import OTHER_TENANT, TENANT, make_key_ring
from revcycle_service_kit import BadRequest, Clock, RequestModel, ServiceSettings, SettableClock, new_id
from revcycle_service_kit.ids import uuid7
from revcycle_service_kit.jobs import BACKOFF_SECONDS, JobResult, _final
from revcycle_service_kit.logging import ALLOWED_KEYS, configure_logging, describe_exception, escape
from revcycle_service_kit.paging import Scalar, decode_cursor, encode_cursor
from revcycle_service_kit.timers import timer_cause
from revcycle_service_kit.validation import MAX_ERRORS, field_error, path_of, problem_of_errors

CANARY = "SECRET-CANARY"
NOW = datetime(2026, 9, 30, 3, 30, tzinfo=UTC)


# -- clock, ids, settings -------------------------------------------------------------------------------------------


def test_the_business_date_is_the_facility_s_day() -> None:
    """At half past three UTC it is still yesterday in Los Angeles; a pinned date wins everywhere."""
    clock = SettableClock(NOW)
    assert clock.business_date("America/Los_Angeles") == date(2026, 9, 29)
    assert clock.business_date("UTC", datetime(2026, 1, 1, tzinfo=UTC)) == date(2026, 1, 1)
    assert Clock(date(2026, 9, 30)).business_date("America/Los_Angeles", NOW) == date(2026, 9, 30)
    with pytest.raises(ValueError, match="aware"):
        SettableClock(NOW.replace(tzinfo=None))


def test_ids_are_uuid7_in_the_order_of_time() -> None:
    """Version 7, the variant of the RFC, the time in front."""
    made = uuid7(NOW, bytes(range(10)))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert int.from_bytes(made.bytes[:6], "big") == int(NOW.timestamp() * 1000)
    assert new_id(NOW) != new_id(NOW)


def test_settings_come_from_the_environment_and_hide_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with a prefix; addresses with passwords are in no repr."""
    monkeypatch.setenv("REVCYCLE_SERVICE_NAME", "claims")
    monkeypatch.setenv("REVCYCLE_DATABASE_URL", f"postgresql://u:{CANARY}@h/d")
    monkeypatch.setenv("REVCYCLE_BUSINESS_DATE", "2026-09-30")
    settings = ServiceSettings()
    assert (settings.instance, settings.business_date) == ("claims", date(2026, 9, 30))
    assert CANARY not in repr(settings) + str(settings)


# -- logs -----------------------------------------------------------------------------------------------------------


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 1
    line: dict[str, object] = json.loads(lines[0])
    return line


def test_a_log_line_holds_what_is_on_the_list_and_names_what_was_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown keys go, whatever they hold; objects are only types."""
    log = configure_logging("claims", "claims-1")
    log.info("claim held", claim_id=UUID(int=1), patient_name=CANARY, count=3, reason={"ssn": CANARY})
    line = logged(capsys)
    assert line["claim_id"] == str(UUID(int=1))
    assert (line["event"], line["service"], line["instance"], line["count"]) == ("claim held", "claims", "claims-1", 3)
    assert line["dropped"] == ["patient_name"]
    assert line["reason"] == "<dict>"
    assert CANARY not in json.dumps(line)


def test_a_service_may_add_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own ids and counts pass once it has named them."""
    configure_logging("claims", "claims-1", more_keys=("lanes",)).info("x", lanes=3, lane=4)
    line = logged(capsys)
    assert (line["lanes"], line["dropped"]) == (3, ["lane"])


def test_a_value_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks, escapes, direction marks: all made visible, in both formats."""
    for log_format in ("json", "text"):
        log = configure_logging("claims", "claims-1", log_format)
        log.info("x", reason='a\n{"level":"error"}\r\x1b[31m\u202e\u2028')
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        assert not {"\r", "\x1b", "\u202e", "\u2028"} & set(out)


@given(st.text())
def test_escaped_text_is_printable(text: str) -> None:
    """No character that does anything but show itself."""
    assert escape(text).isprintable()


def test_foreign_exceptions_keep_their_text_to_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """Type and places of the whole chain; the text only of errors of ours."""
    log = configure_logging("claims", "claims-1")
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as cause:
            raise ValueError(f"no such name {CANARY}") from cause
    except ValueError as failure:
        log.error("failed", exc_info=failure)
    line = logged(capsys)
    assert line["exception"] == "ValueError < KeyError"
    assert str(line["where"]).count("test_kit_pure.py:") == 2
    assert CANARY not in json.dumps(line)
    assert describe_exception(Transient("database: sqlstate=40001"))["because"] == "database: sqlstate=40001"


def test_foreign_loggers_keep_their_values_to_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library logs is its fixed words; tracebacks and arguments stay inside."""
    configure_logging("claims", "claims-1")
    try:
        raise RuntimeError(CANARY)
    except RuntimeError:
        logging.getLogger("somelibrary").exception("could not insert %s\nfuture: %s", CANARY, CANARY)
    line = logged(capsys)
    assert line["event"] == "could not insert %s"
    assert (line["logger"], line["exception"]) == ("somelibrary", "RuntimeError")
    assert CANARY not in json.dumps(line)


def test_a_library_that_repeats_itself_is_heard_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A broker that is away is one line in ten seconds, not a thousand; our own lines all pass."""
    configure_logging("claims", "claims-1")
    for number in range(50):
        logging.getLogger("somelibrary").error("unable to connect to %s", number)
        logging.getLogger("revcycle_x").error("counted")
    lines = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert (lines.count("unable to connect to %s"), lines.count("counted")) == (1, 50)


def test_the_chassis_own_lines_keep_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Extra values of the standard library's loggers pass the same list."""
    configure_logging("claims", "claims-1")
    logging.getLogger("revcycle_messaging.consumer").warning(
        "consumer begins again", extra={"consumer": "claims", "reason": "broker: X", "note": CANARY}
    )
    line = logged(capsys)
    assert (line["level"], line["consumer"], line["reason"]) == ("warning", "claims", "broker: X")
    assert CANARY not in json.dumps(line)
    assert "note" not in ALLOWED_KEYS


# -- validation errors ----------------------------------------------------------------------------------------------


class Coverage(RequestModel):
    payer_id: str
    rank: int


class Intake(RequestModel):
    coverages: list[Coverage]


def test_a_validation_error_names_the_place_and_repeats_nothing() -> None:
    """Field path, rule, what is expected; no text that was sent, unknown names that look like data included."""
    with pytest.raises(ValidationError) as refused:
        Intake.model_validate({"coverages": [{"rank": CANARY, "123-45-6789": 1, "frist_name": 1}]})
    problem = problem_of_errors(refused.value.errors())
    told = {(error.field, error.rule) for error in problem.errors}
    assert told == {
        ("coverages[0].payer_id", "missing"),
        ("coverages[0].rank", "int_parsing"),
        ("coverages[0].?", "extra_forbidden"),
        ("coverages[0].frist_name", "extra_forbidden"),
    }
    assert CANARY not in str(problem.errors)
    assert "6789" not in str(problem.errors)
    assert problem.status == 422
    assert all(error.expected for error in problem.errors)


def test_a_refusal_names_so_many_errors_and_no_more() -> None:
    errors = [{"type": "missing", "loc": ("body", "rows", number, "code")} for number in range(MAX_ERRORS + 50)]
    problem = problem_of_errors(errors)
    assert len(problem.errors) == MAX_ERRORS == 100
    assert problem.errors[-1].field == "rows[99].code"


def test_own_rules_speak_unless_they_repeat_the_value() -> None:
    """A validator's text is for the client, its value is not."""
    base = {"type": "value_error", "loc": ("body", "end"), "input": "1999-01-01"}
    good = field_error({**base, "msg": "Value error, must not be before start"})
    assert (good.field, good.message) == ("end", "must not be before start")
    assert field_error({**base, "msg": "Value error, 1999-01-01 is too early"}).message == "does not fit"


def test_paths_are_written_as_people_write_them() -> None:
    """Index in brackets, names with dots, the source left out."""
    assert path_of(("body", "coverages", 0, "payer_id")) == "coverages[0].payer_id"
    assert path_of(("query", "service_date[gte]")) == "service_date[gte]"
    assert path_of(("body", "Testperson")) == path_of(("body", "123-45-6789")) == "?"
    assert path_of(("body", 12), "json_invalid") == ""
    assert path_of(("body",)) == ""


# -- cursors --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return make_key_ring(tmp_path_factory.mktemp("keys"))


POSITIONS: st.SearchStrategy[list[Scalar]] = st.lists(
    st.one_of(
        st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), st.uuids(), st.dates(),
        st.datetimes(timezones=st.just(UTC)),
    ),
    max_size=4,
)  # fmt: skip


@given(POSITIONS)
def test_a_position_comes_back_as_it_was(keys: KeyRing, position: list[Scalar]) -> None:
    """Types included."""
    token = encode_cursor(position, keys, TENANT, "list")
    assert decode_cursor(token, keys, TENANT, "list") == tuple(position)


def test_a_cursor_shows_nothing_and_opens_nowhere_else(keys: KeyRing) -> None:
    """Opaque, bound to tenant and list, safe in a URL; every single changed character is noticed."""
    token = encode_cursor([CANARY], keys, TENANT, "list")
    assert CANARY not in token
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()
    for tenant_id, scope in ((OTHER_TENANT, "list"), (TENANT, "other")):
        with pytest.raises(BadRequest):
            decode_cursor(token, keys, tenant_id, scope)
    # The last character may hold bits that base64 does not use.
    for place in range(len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadRequest):
            decode_cursor(changed, keys, TENANT, "list")


# -- jobs and timers ------------------------------------------------------------------------------------------------


def test_retries_back_off_and_end() -> None:
    """Each pause is at least as long as the one before; the last attempt's retry is a failure."""
    pauses = []
    for attempts in range(1, 12):
        state, _, run_at = _final(JobResult.retry("busy"), attempts, NOW, 12)
        assert state == "ready"
        assert run_at is not None
        pauses.append((run_at - NOW).total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[-1] == BACKOFF_SECONDS[-1]
    assert _final(JobResult.retry("busy"), 12, NOW, 12)[0] == "failed"
    assert _final(JobResult.retry("later", NOW), 3, NOW, 12)[2] == NOW
    assert _final(JobResult.unknown("x"), 99, NOW, 12)[0] == "unknown"


def test_a_timer_is_the_same_cause_whenever_it_fires() -> None:
    """Its time is when it was due; another due time is another cause."""
    first = timer_cause(TENANT, "claim/1", "filing", NOW)
    assert first == timer_cause(TENANT, "claim/1", "filing", NOW)
    assert first.now == NOW
    assert first.id != timer_cause(TENANT, "claim/2", "filing", NOW).id


def test_the_package_says_what_it_offers() -> None:
    """Every public name is there."""
    import revcycle_service_kit

    assert all(hasattr(revcycle_service_kit, name) for name in revcycle_service_kit.__all__)
    assert Path(revcycle_service_kit.__file__).with_name("py.typed").exists()
