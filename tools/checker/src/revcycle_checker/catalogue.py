"""The invariants that are checked, by id, from the first sentence of each function that judges one."""

import inspect
import re
from types import ModuleType

from revcycle_checker import claims, events, money, outcomes, rows

_SENTENCE = re.compile(r"((?:[A-Z]\d, )*[A-Z]\d): (.+?)(?:\. |\.$)", re.MULTILINE)


def invariants() -> list[tuple[str, str]]:
    """Pairs of invariant id and what must hold, sorted; an id that several functions judge comes several times."""
    modules: tuple[ModuleType, ...] = (claims, events, money, outcomes, rows)
    found = []
    for module in modules:
        for _, function in inspect.getmembers(module, inspect.isfunction):
            sentence = _SENTENCE.match(function.__doc__ or "")
            if sentence and function.__module__ == module.__name__:
                found += [(one, sentence[2]) for one in sentence[1].split(", ")]
    return sorted(found)
