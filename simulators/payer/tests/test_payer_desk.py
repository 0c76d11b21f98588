"""The payer as a whole, without a network: what it answers, what survives a restart, what never completes."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from revcycle_payer_simulator.benefit_plan import PAYER_IDS, adjudicate, draw
from revcycle_payer_simulator.desk import Clocks, Desk, DisownedError, Settings
from revcycle_payer_simulator.faults import Faults
from revcycle_payer_simulator.files import StateFileError
from revcycle_payer_simulator.reception import read_arrival
from revcycle_payer_simulator.remittance835 import ReadRemittance, read_remittances
from revcycle_payer_simulator.x12 import IncompleteInterchangeError, element, read_interchange

BUSINESS_DATE = date(2026, 9, 30)
ClaimFile = Callable[..., bytes]


class House:
    """A desk with a clock under control and the eyes of a sender."""

    def __init__(self, directory: Path, *, steady: bool = True, seed: int = 7, day: date = BUSINESS_DATE) -> None:
        self.directory = directory
        self.seconds = 0.0
        self.faults = Faults()
        clocks = Clocks(lambda: datetime(2026, 9, 30, 12, 0, tzinfo=UTC), lambda: self.seconds)
        self.desk = Desk(Settings(directory, seed, day, steady=steady), self.faults, clocks)

    async def send(self, data: bytes, payer_id: str = "REVPAY1", began: int | None = None) -> bool:
        moment = self.desk.began() if began is None else began
        return await self.desk.deliver(read_arrival(payer_id, data), data, moment)

    async def later(self, seconds: float = 10.0) -> None:
        self.seconds += seconds
        await self.desk.remit_due()

    async def fetch(self, payer_id: str = "REVPAY1") -> list[bytes]:
        """Take everything out of the mailbox."""
        items = self.desk.mailbox(payer_id, 500)
        await self.desk.acknowledge(payer_id, [item for item, _ in items])
        return [data for _, data in items]

    def deposits(self) -> list[dict[str, str]]:
        with (self.directory / "deposits.csv").open() as file:
            return list(csv.DictReader(file))

    def raw(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.directory / "raw.jsonl").read_text().splitlines()]


@contextmanager
def opened(directory: Path, **options: object) -> Iterator[House]:
    house = House(directory, **options)  # type: ignore[arg-type]  # the options are House's own
    try:
        yield house
    finally:
        house.desk.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with opened(tmp_path) as some:
        yield some


def kinds(items: list[bytes]) -> list[str]:
    found = []
    for data in items:
        interchange = read_interchange(data)
        sets = [each for group in interchange.groups for each in group.transactions]
        found.append(sets[0].code + sets[0].guide[-3:] if sets else "TA1")
    return found


def found_in(items: list[bytes], name: str, *qualifiers: str) -> list[tuple[str, ...]]:
    return [
        segment
        for data in items
        for group in read_interchange(data).groups
        for each in group.transactions
        for segment in each.segments
        if segment[0] == name and segment[1 : 1 + len(qualifiers)] == qualifiers
    ]


def remittances(items: list[bytes]) -> list[ReadRemittance]:
    return [found for data in items for found in read_remittances(read_interchange(data))]


async def test_a_claim_is_acknowledged_at_once_and_paid_later(house: House, claim_file: ClaimFile) -> None:
    await house.send(claim_file(ta1="1"))
    acknowledgments = await house.fetch()
    assert kinds(acknowledgments)[1:] == ["9991A1", "277214"]
    assert b"TA1*000000001*260930*1200*A*000~" in acknowledgments[0]
    (status,) = [each for each in found_in(acknowledgments, "STC") if each[1].startswith("A2")]
    assert status[1:5] == ("A2:20:PR", "20260930", "WQ", "250")
    assert (await house.desk.owed())["owed"] == 1
    await house.later()
    (remittance,) = remittances(paid := await house.fetch())
    assert remittance.balanced
    (number,) = found_in(acknowledgments, "REF", "1K")
    (payment,) = found_in(paid, "CLP")
    assert payment[1] == "CLAIM0001" and payment[7] == number[2]
    assert found_in(paid, "REF", "6R") == [("REF", "6R", "L1")]
    assert await house.desk.owed() == {
        "owed": 0,
        "mailbox": 0,
        "by_payer": {payer_id: {"owed": 0, "mailbox": 0} for payer_id in PAYER_IDS},
    }


async def test_every_835_balances_and_pays_what_the_plan_says(
    house: House, claim_file: ClaimFile, sample_claim: Callable[..., object], sample_line: Callable[..., object]
) -> None:
    """Three payers, codes of every fate: claim by claim the money equals the pure function's."""
    codes = ["T1015", "G0463", "G0444", "Z9999", "J1010", "L1830", "A9150", "G0447"]
    for number, payer_id in enumerate(PAYER_IDS):
        claims = [
            sample_claim(
                f"P{number}C{index:03d}",
                f"M{index:05d}",
                lines=[
                    sample_line(codes[index % 8], str(20 + index), "1", "20260901", "A"),
                    sample_line(codes[(index * 3 + 1) % 8], "310", "2", f"202608{index % 28 + 1:02d}", "B"),
                ],
                diagnoses=("I10", "F32A", "M25561")[index % 3 :],
            )
            for index in range(60)
        ]
        data = claim_file(claims)
        await house.send(data, payer_id)
        (claim_set,) = read_arrival(payer_id, data).claim_sets[0]
        await house.later()
        items = await house.fetch(payer_id)
        found = remittances(items)
        assert len(found) >= 3 and all(each.balanced and len(each.claims) <= 25 for each in found)
        paid = {each[1]: each[4] for each in found_in(items, "CLP")}
        assert len(paid) == 60
        outcomes = {each.claim_id: adjudicate(7, payer_id, each.plan_claim(BUSINESS_DATE)) for each in claim_set.claims}
        total = sum(each.paid_cents for each in outcomes.values())
        assert sum(each.paid_cents for each in found) == total
        assert {each.kind for each in outcomes.values()} >= {"denied", "partly_paid"}
        assert sum(int(row["amount_cents"]) for row in house.deposits() if row["payer_id"] == payer_id) == total
    assert len({(row["payer_id"], row["trace_number"]) for row in house.deposits()}) == len(house.deposits())


async def test_the_payers_have_different_manners(
    house: House, claim_file: ClaimFile, sample_claim: Callable[..., object], sample_line: Callable[..., object]
) -> None:
    denied = sample_claim("C1", lines=[sample_line("Z9999", modifiers=":LT")])
    seen = {}
    for payer_id in PAYER_IDS:
        await house.send(claim_file([denied]), payer_id)
        await house.later()
        items = await house.fetch(payer_id)
        (payment,), (service,) = found_in(items, "CLP"), found_in(items, "SVC")
        seen[payer_id] = (payment[2], service[1], bool(found_in(items, "REF", "6R")))
    assert seen == {
        "REVPAY1": ("1", "HC:Z9999:LT", True),
        "REVPAY2": ("4", "HC:Z9999:LT", False),
        "REVPAY3": ("1", "HC:Z9999", True),
    }


async def test_an_exact_duplicate_is_denied_whoever_numbers_it(
    house: House, claim_file: ClaimFile, sample_claim: Callable[..., object]
) -> None:
    await house.send(claim_file([sample_claim("FIRST")]))
    await house.later()
    await house.send(claim_file([sample_claim("SECOND")], control=2))
    await house.later()
    reasons = [each[1:3] for each in found_in(await house.fetch(), "CAS")]
    assert reasons[-1] == ("CO", "18")
    assert ("CO", "18") not in reasons[:-1]


async def test_a_replacement_reverses_and_a_void_only_reverses(
    house: House, claim_file: ClaimFile, sample_claim: Callable[..., object], sample_line: Callable[..., object]
) -> None:
    await house.send(claim_file([sample_claim("C1")]))
    await house.later()
    (first,) = found_in(await house.fetch(), "CLP")
    cheaper = sample_claim("C1", frequency="7", original=first[7], lines=[sample_line(charge="90")])
    await house.send(claim_file([cheaper], control=2))
    await house.later()
    items = await house.fetch()
    reversal, correction = found_in(items, "CLP")
    assert (reversal[2], reversal[3], reversal[5], reversal[7]) == ("22", "-250", "", first[7])
    assert element(reversal, 4) == (f"-{first[4]}" if first[4] != "0" else "0")
    assert (correction[2], correction[3]) == ("1", "90") and correction[7] != first[7]
    assert all(each.balanced for each in remittances(items))
    void = sample_claim("C1", frequency="8", original=correction[7], lines=[sample_line(charge="90")])
    await house.send(claim_file([void], control=3))
    await house.later()
    items = await house.fetch()
    (voided,) = found_in(items, "CLP")
    assert (voided[2], voided[3], voided[7]) == ("22", "-90", correction[7])
    (remittance,) = remittances(items)
    assert remittance.balanced and remittance.paid_cents == 0
    await house.send(claim_file([sample_claim("C2")], control=4))
    await house.later()
    assert "18" not in {each[2] for each in found_in(await house.fetch(), "CAS")}


async def test_a_negative_balance_is_carried_forward_and_taken_from_the_next_payment(
    tmp_path: Path, claim_file: ClaimFile, sample_claim: Callable[..., object]
) -> None:
    """Also across a restart: paid minus reversed equals what the bank got, to the cent."""
    member = next(m for m in (f"M{n:05d}" for n in range(500)) if _pays_well(claim_file, sample_claim, m))
    with opened(tmp_path) as house:
        await house.send(claim_file([sample_claim("C1", member)]))
        await house.later()
        (first,) = found_in(await house.fetch(), "CLP")
        await house.send(claim_file([sample_claim("C1", member, "8", first[7])], control=2))
        await house.later()
        (voided,) = remittances(await house.fetch())
        owed = -voided.provider_adjustments[0].amount_cents
        assert voided.paid_cents == 0 and owed > 0
    with opened(tmp_path) as house:
        await house.send(claim_file([sample_claim("C3", member)], control=3))
        await house.later()
        (recovered,) = remittances(await house.fetch())
        assert [each.amount_cents for each in recovered.provider_adjustments] == [owed]
        assert recovered.balanced and recovered.paid_cents == 0
        assert [row["amount_cents"] for row in house.deposits()] == [str(owed)]


def _pays_well(claim_file: ClaimFile, sample_claim: Callable[..., object], member: str) -> bool:
    (claim_set,) = read_arrival("REVPAY1", claim_file([sample_claim("X", member)])).claim_sets[0]
    return adjudicate(7, "REVPAY1", claim_set.claims[0].plan_claim(BUSINESS_DATE)).paid_cents > 0


async def test_a_front_end_edit_rejects_one_claim_and_leaves_its_neighbour(
    house: House, claim_file: ClaimFile, sample_claim: Callable[..., object], sample_line: Callable[..., object]
) -> None:
    future = sample_claim("BAD", lines=[sample_line(day="20261001")])
    await house.send(claim_file([future, sample_claim("GOOD", "W0000000B2")]))
    items = await house.fetch()
    statuses = [each[1:4] for each in found_in(items, "STC")][1:]
    assert statuses == [("A7:187", "20260930", "U"), ("A2:20:PR", "20260930", "WQ")]
    assert found_in(items, "QTY") == [("QTY", "90", "1"), ("QTY", "AA", "1")]
    assert (await house.desk.owed())["owed"] == 1


async def test_a_fault_of_syntax_refuses_the_set_and_repeats_no_value(house: House, claim_file: ClaimFile) -> None:
    await house.send(claim_file().replace(b"D8*20260901", b"D8*20269901"))
    items = await house.fetch()
    assert kinds(items) == ["9991A1"]
    assert [each[0] for each in found_in(items, "IK3")] == ["IK3"]
    assert found_in(items, "IK5") == [("IK5", "R", "5")]
    assert found_in(items, "AK9") == [("AK9", "R", "1", "1", "0")]
    assert b"20269901" not in items[0]


async def test_a_bad_envelope_gets_a_ta1_and_nothing_else(house: House, claim_file: ClaimFile) -> None:
    await house.send(claim_file().replace(b"IEA*1*", b"IEA*3*"))
    items = await house.fetch()
    assert kinds(items) == ["TA1"] and b"*R*021~" in items[0]


async def test_a_duplicate_interchange_is_recorded_and_answered_025(house: House, claim_file: ClaimFile) -> None:
    await house.send(claim_file())
    await house.fetch()
    await house.send(claim_file())
    items = await house.fetch()
    assert kinds(items) == ["TA1"] and b"*R*025~" in items[0]
    assert [line["direction"] for line in house.raw()].count("in") == 2
    assert (await house.desk.owed())["owed"] == 1


async def test_the_same_claim_number_in_another_interchange_is_rejected(house: House, claim_file: ClaimFile) -> None:
    await house.send(claim_file())
    await house.fetch()
    await house.send(claim_file(control=2))
    assert found_in(await house.fetch(), "STC")[1][1] == "A3:54"


async def test_an_inquiry_learns_where_a_claim_stands(
    house: House, claim_file: ClaimFile, inquiry_file: Callable[..., bytes]
) -> None:
    await house.send(claim_file())
    await house.send(inquiry_file(["CLAIM0001", "NOBODY"]))
    answers = (await house.fetch())[-1:]
    assert [each[2] for each in found_in(answers, "TRN", "2")] == ["TRACE0", "TRACE1"]
    assert [each[1] for each in found_in(answers, "STC")] == ["A2:20", "D0:35"]
    await house.later()
    (paid,) = found_in(await house.fetch(), "CLP")
    await house.send(inquiry_file(["CLAIM0001"], 901))
    (status,) = found_in(await house.fetch(), "STC")
    assert status[1] in {"F1:65", "F2:1", "F4:1"} and status[5] == paid[4]


async def test_an_inquiry_about_a_replacement_never_finds_its_original(
    house: House, claim_file: ClaimFile, inquiry_file: Callable[..., bytes]
) -> None:
    """CLM01 is kept by frequency 7, so the bill type says which submission is meant."""
    await house.send(claim_file())
    await house.fetch()
    await house.send(inquiry_file(["CLAIM0001"], 900, "7"))
    await house.send(inquiry_file(["CLAIM0001"], 901, "1"))
    assert [each[1] for each in found_in(await house.fetch(), "STC")] == ["D0:35", "A2:20"]


async def test_what_was_disowned_never_completes_but_a_new_sending_does(
    house: House, claim_file: ClaimFile, inquiry_file: Callable[..., bytes]
) -> None:
    """A request that began before "not found" was fetched is refused, however late its last byte comes."""
    in_flight = house.desk.began()
    await house.send(inquiry_file(["CLAIM0001"]))
    hurried = house.desk.began()
    await house.fetch()
    for began in (in_flight, hurried):
        with pytest.raises(DisownedError):
            await house.send(claim_file(), began=began)
    assert [line["direction"] for line in house.raw()].count("in") == 1
    assert await house.send(claim_file())
    await house.later()
    assert len(found_in(await house.fetch(), "CLP")) == 1
    with pytest.raises(DisownedError):
        await house.send(claim_file(), began=in_flight)


async def test_silence_after_the_bytes_ends_with_an_inquiry_even_after_a_restart(
    tmp_path: Path, claim_file: ClaimFile, inquiry_file: Callable[..., bytes]
) -> None:
    with opened(tmp_path) as house:
        house.faults.plan({"silent_after_bytes": 1})
        assert not await house.send(claim_file())
        await house.later()
        assert await house.fetch() == []
    with opened(tmp_path) as house:
        await house.later()
        assert await house.fetch() == [] and (await house.desk.owed())["owed"] == 1
        await house.send(inquiry_file(["CLAIM0001"]))
        assert kinds(await house.fetch()) == ["277212", "9991A1", "277214"]
        await house.later()
        assert len(found_in(await house.fetch(), "CLP")) == 1
        assert [line["direction"] for line in house.raw()].count("in") == 2


async def test_a_restart_stands_where_it_stood(
    tmp_path: Path, claim_file: ClaimFile, sample_claim: Callable[..., object]
) -> None:
    with opened(tmp_path) as house:
        await house.send(claim_file([sample_claim("PAID")]))
        await house.later()
        await house.send(claim_file([sample_claim("WAITING", "W0000000B2")], control=2))
        kept = house.desk.mailbox("REVPAY1", 500)
        await house.desk.acknowledge("REVPAY1", [kept[0][0]])
    before = house.raw()
    # Another business day must not change what earlier claims are judged by.
    with opened(tmp_path, day=date(2027, 3, 1)) as house:
        assert house.desk.mailbox("REVPAY1", 500) == kept[1:]
        assert house.raw() == before
        await house.later()
        items = await house.fetch()
        assert [each[1] for each in found_in(items, "CLP")] == ["PAID", "WAITING"]
        assert "29" not in {each[2] for each in found_in(items, "CAS")}
        await house.send(claim_file([sample_claim("AGAIN")], control=3))
        await house.later()
        assert found_in(await house.fetch(), "CAS")[-1][1:3] == ("CO", "18")


async def test_answers_lost_in_a_crash_are_written_again(tmp_path: Path, claim_file: ClaimFile) -> None:
    """The arrival is on disk, its answers are not, the last line is torn: nothing is forgotten, nothing doubled."""
    with opened(tmp_path) as house:
        await house.send(claim_file())
    raw = tmp_path / "raw.jsonl"
    whole = raw.read_bytes()
    lines = whole.splitlines(keepends=True)
    raw.write_bytes(lines[0] + lines[1] + lines[2][:40])
    with opened(tmp_path) as house:
        assert raw.read_bytes() == whole
        assert kinds(await house.fetch()) == ["9991A1", "277214"]


async def test_another_seed_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with pytest.raises(StateFileError, match="seed 7"), opened(tmp_path, seed=8):
        pass


async def test_a_deposit_lost_in_a_crash_is_made_once(tmp_path: Path, claim_file: ClaimFile, sample_claim) -> None:
    member = next(m for m in (f"M{n:05d}" for n in range(500)) if _pays_well(claim_file, sample_claim, m))
    with opened(tmp_path) as house:
        await house.send(claim_file([sample_claim("C1", member)]))
        await house.later()
        expected = house.deposits()
    assert len(expected) == 1
    header = (tmp_path / "deposits.csv").read_text().splitlines()[0]
    (tmp_path / "deposits.csv").write_text(header + "\nREVPAY1-D1")
    for _ in range(2):
        with opened(tmp_path) as house:
            assert house.deposits() == expected


async def test_pended_claims_say_so_first(house: House, claim_file: ClaimFile) -> None:
    house.faults.plan({"pend_all": 1})
    await house.send(claim_file())
    items = await house.fetch()
    assert kinds(items) == ["9991A1", "277214", "277212"]
    assert found_in(items[2:], "STC")[0][1] == "P1:20"
    assert found_in(items[2:], "REF", "EJ") == [("REF", "EJ", "CLAIM0001")]
    await house.later(1.5)
    assert await house.fetch() == []
    await house.later()
    assert kinds(await house.fetch()) == ["835"]


async def test_answering_twice_is_the_same_bytes_under_two_ids(house: House, claim_file: ClaimFile) -> None:
    house.faults.plan({"answer_twice": 1})
    await house.send(claim_file())
    items = house.desk.mailbox("REVPAY1", 10)
    assert items[0][1] == items[1][1] and items[0][0] != items[1][0]
    assert kinds([data for _, data in items]) == ["9991A1", "9991A1", "277214"]


async def test_a_planted_error_comes_beside_the_right_answer(tmp_path: Path, claim_file: ClaimFile) -> None:
    """An unbalanced 835, one for nobody's claim, a torn answer: the right ones still come, money follows only those."""
    with opened(tmp_path) as house:
        house.faults.plan({"unbalanced_835": 1, "unknown_claim_835": 1, "malformed_answer": 1})
        await house.send(claim_file())
        torn, *rest = await house.fetch()
        with pytest.raises(IncompleteInterchangeError):
            read_interchange(torn)
        assert kinds(rest) == ["9991A1", "277214"]
        await house.later()
        found = remittances(await house.fetch())
        assert [each.balanced for each in found] == [True, False, True]
        assert len({each.trace_number for each in found}) == 3
        banked = {row["trace_number"] for row in house.deposits()}
        assert found[0].trace_number in banked and found[1].trace_number not in banked
    with opened(tmp_path) as house:
        assert {row["trace_number"] for row in house.deposits()} == banked
        assert (await house.desk.owed())["owed"] == 0


async def test_the_bank_and_the_provider_adjustments_deviate_now_and_then(
    tmp_path: Path, claim_file: ClaimFile, sample_claim: Callable[..., object]
) -> None:
    """What deviates is listed; everything else arrives in full; interest and recovery touch no claim."""
    with opened(tmp_path, steady=False) as house:
        found: dict[str, ReadRemittance] = {}
        for number in range(150):
            await house.send(claim_file([sample_claim(f"C{number}", f"M{number:05d}")], control=number + 1))
            await house.later()
            found |= {each.trace_number: each for each in remittances(await house.fetch())}
        planted = [json.loads(line) for line in (tmp_path / "planted_exceptions.jsonl").read_text().splitlines()]
        assert {each["kind"] for each in planted} == {"late", "short"}
        arrived = {row["trace_number"]: int(row["amount_cents"]) for row in house.deposits()}
        for trace, remittance in found.items():
            deviation = next((each for each in planted if each["trace_number"] == trace), None)
            if deviation is None:
                assert arrived.get(trace, 0) == remittance.paid_cents
            else:
                assert deviation["expected_cents"] == remittance.paid_cents > deviation["deposited_cents"]
                assert arrived.get(trace, 0) == deviation["deposited_cents"]
        adjustments = [each for remittance in found.values() for each in remittance.provider_adjustments]
        assert {each.code for each in adjustments} == {"L6", "WO"}
        assert all((each.amount_cents < 0) == (each.code == "L6") for each in adjustments)
        assert all(each.balanced and each.paid_cents >= 0 for each in found.values())


def test_drawing_depends_on_every_part() -> None:
    assert draw("a", 1, "b") == draw("a", 1, "b") != draw("a", 1, "c")
    assert draw("ab", "c") != draw("a", "bc")
