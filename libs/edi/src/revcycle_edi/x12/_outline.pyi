from collections.abc import Sequence

LANGUAGE: int

class Outline:
    def __init__(self, steps: tuple[object, ...], code: bytes, words: bytes, refused: type[Exception], /) -> None: ...
    def run(self, records: Sequence[object], at: int, levels: int, parent: int, /) -> tuple[str, int, int, int]: ...
