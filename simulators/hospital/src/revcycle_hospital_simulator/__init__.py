"""Documents encounters at a set rate, plays coder and biller, knows the truth.

The core is pure: `generate` plans encounters with what becomes of each. `Simulation` is the edge: it sends them to live
services through their public REST APIs, does the work of the hospital's people, and waits until nothing moves.
"""

from revcycle_hospital_simulator.fee_schedule import fee_schedule_rows, price_cents
from revcycle_hospital_simulator.generator import PlannedEncounter, generate
from revcycle_hospital_simulator.intake import IntakeAnswer, Pace, send_files
from revcycle_hospital_simulator.rest import Api, ServiceUnreachableError, UnexpectedAnswerError
from revcycle_hospital_simulator.simulation import Delivery, Simulation
from revcycle_hospital_simulator.tenant import facilities_of, set_up_tenant
from revcycle_hospital_simulator.truth import write_truth
from revcycle_hospital_simulator.watch import STAGES, Board, Reading, StillWaitingError, read_messaging

__all__ = [
    "STAGES",
    "Api",
    "Board",
    "Delivery",
    "IntakeAnswer",
    "Pace",
    "PlannedEncounter",
    "Reading",
    "ServiceUnreachableError",
    "Simulation",
    "StillWaitingError",
    "UnexpectedAnswerError",
    "facilities_of",
    "fee_schedule_rows",
    "generate",
    "price_cents",
    "read_messaging",
    "send_files",
    "set_up_tenant",
    "write_truth",
]
