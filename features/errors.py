"""The one error a person can mend, and texts of strangers made fit to be shown."""

import re

# What moves a cursor, hides or turns round what stands beside it, or cannot be written at all: controls, marks of
# direction, tags, halves of signs. Joiners stay: emoji and several scripts need them.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """One line: controls and other unseen signs as escapes that can be read (`\\x1b`, `\\n`, `\\u202e`).

    Every text of a user's data passes through this before a terminal or a page shows it.
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """The same for JSON, which stays the same JSON, its own line ends too."""
    return _UNSEEN.sub(lambda found: _json_escape(found[0]), text)


def _json_escape(sign: str) -> str:
    if sign == "\n":  # JSON itself escapes those within a text
        return sign
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class InputError(Exception):
    """Bad input, told in one line; commands print it and end with status 1.

    where: file, column, row or config path; expected and got: short noun phrases;
    cure: an imperative the reader can act on.
    """

    def __init__(self, *, where: object, expected: str, got: str, cure: str) -> None:
        self.where, self.expected, self.got, self.cure = str(where), expected, got, cure
        super().__init__(visible(f"{where}: expected {expected}, got {got}; {cure}"))

    def __reduce__(self) -> tuple[object, ...]:
        """Survives a trip through a worker process (keyword-only arguments do not pickle)."""
        return _rebuild, (type(self), self.where, self.expected, self.got, self.cure)


class NotFittedError(InputError):
    """An encoder that is fitted on a catalogue, and has not been; a caller knows by which command it would be."""


def _rebuild(kind: type[InputError], where: str, expected: str, got: str, cure: str) -> InputError:
    return kind(where=where, expected=expected, got=got, cure=cure)
