"""One run: hand the encounters over, play the hospital's people, and watch until nothing moves any more."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from revcycle_hospital_simulator.generator import PlannedEncounter
from revcycle_hospital_simulator.intake import IntakeAnswer, Pace, send_files
from revcycle_hospital_simulator.planting import Correction
from revcycle_hospital_simulator.rest import Api
from revcycle_hospital_simulator.staff import Biller, Cashier, Coder, corrections_by_id
from revcycle_hospital_simulator.tasks import task_group
from revcycle_hospital_simulator.watch import Board, Calm, in_flight, look

_TURN_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Delivery:
    """An encounter file to be sent in a wave; ``correction``: what a person corrects later."""

    file: object
    wave: int = 1
    correction: Correction | None = None

    @classmethod
    def planned(cls, encounter: PlannedEncounter) -> "Delivery":
        """A planned encounter as it is sent."""
        return cls(encounter.file, encounter.wave, encounter.correction)


@dataclass(slots=True)
class Simulation:
    """A run against live services. ``payer``: client of the payer's door, None when there is no payer simulator.

    ``tell`` is called with the board whenever it was brought up to date; ``run`` keeps the keys of two runs apart.
    """

    api: Api
    deliveries: Sequence[Delivery]
    run: str
    deposits_file: Path
    payer: httpx.AsyncClient | None
    tell: Callable[[Board], None]
    pace: Pace = field(default_factory=Pace)
    calm: Callable[[], Calm] = Calm

    async def play(self) -> Board:
        """Send every wave and wait for quiet after each; returns what is known of every encounter at the end.

        Raises:
            StillWaitingError: nothing moves and something waits.
            ServiceUnreachableError, UnexpectedAnswerError: see `Api.call`.
        """
        board = Board(len(self.deliveries))
        coder, biller = Coder(self.api), Biller(self.api, self.run)
        cashier = Cashier(self.api, self.deposits_file)
        for wave in sorted({each.wave for each in self.deliveries}):
            await self._play_wave(wave, board, coder, biller, cashier)
        return board

    async def _play_wave(self, wave: int, board: Board, coder: Coder, biller: Biller, cashier: Cashier) -> None:
        numbered = [(line, each) for line, each in enumerate(self.deliveries, start=1) if each.wave == wave]
        corrections = {line: each.correction for line, each in numbered}

        def take_note(answers: Sequence[IntakeAnswer]) -> None:
            board.answers.extend(answers)
            corrections_by_id(((each.encounter_id, corrections[each.line]) for each in answers), coder, biller)

        files = ((line, each.file) for line, each in numbered)
        async with task_group() as tasks:
            intake = tasks.create_task(send_files(self.api, files, f"{self.run}-{wave}", self.pace, take_note))
            tasks.create_task(self._follow(intake, board, coder, biller, cashier))

    async def _follow(
        self, intake: "asyncio.Task[None]", board: Board, coder: Coder, biller: Biller, cashier: Cashier
    ) -> None:
        """Look, act and look again until the intake is over and nothing moves."""
        calm = self.calm()
        while True:
            await look(self.api, board, _finished(board))
            self.tell(board)
            await coder.work(board.worklist)
            await biller.work(board.rejected)
            await cashier.work()
            waiting = ["encounter files to be sent"] if not intake.done() else await in_flight(self.api, self.payer)
            waiting += _human_work(coder, biller, cashier)
            if calm.settled(waiting, board.fingerprint(), time.monotonic()):
                await look(self.api, board)
                self.tell(board)
                return
            await asyncio.sleep(_TURN_SECONDS)


def _finished(board: Board) -> set[str]:
    """Encounters whose claim will not change any more."""
    return {
        encounter_id
        for encounter_id, claim in board.claims.items()
        if claim.outcome is not None and claim.outcome not in ("held", "rejected")
    }


def _human_work(coder: Coder, biller: Biller, cashier: Cashier) -> list[str]:
    counts = {
        "codings for the coder to correct": len(coder.corrections),
        "rejected claims for the biller to correct": len(biller.corrections),
        "deposits to be posted": cashier.waiting(),
    }
    return [f"hospital: {count} {what}" for what, count in counts.items() if count]
