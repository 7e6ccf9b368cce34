"""The one error a person can mend: what was expected, what came, where, and the cure."""


class InputError(Exception):
    """Bad input, told in one line; commands print it and end with status 1.

    where: file, column, row or config path; expected and got: short noun phrases;
    cure: an imperative the reader can act on.
    """

    def __init__(self, *, where: object, expected: str, got: str, cure: str) -> None:
        self.where, self.expected, self.got, self.cure = str(where), expected, got, cure
        super().__init__(f"{where}: expected {expected}, got {got}; {cure}")

    def __reduce__(self) -> tuple[object, ...]:
        """Survives a trip through a worker process (keyword-only arguments do not pickle)."""
        return _rebuild, (type(self), self.where, self.expected, self.got, self.cure)


class NotFittedError(InputError):
    """An encoder that is fitted on a catalogue, and has not been; a caller knows by which command it would be."""


def _rebuild(kind: type[InputError], where: str, expected: str, got: str, cure: str) -> InputError:
    return kind(where=where, expected=expected, got=got, cure=cure)
