"""Several encoders of one modality as one: their vectors laid end to end.

What one network does not see another way of looking may: random convolutions hardly tell shades apart, a histogram
of colours knows no shape. Whatever is fitted on the vectors (probes of words, adapted cosines) weighs the parts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from features.encoders.protocol import Encoder, Fittable, check_modality, fingerprint_of, unit_rows
from features.errors import InputError


class JoinedEncoder:
    """The cosine of two items is the weighted mean of their cosines by each part.

    An item that one of the parts cannot read has no vector.
    """

    def __init__(self, parts: Sequence[Encoder], weights: Sequence[float]) -> None:
        """weights: of the parts' cosines, above 0.

        Raises InputError where the parts read nothing in common, or one learns from the catalogue's texts."""
        if any(isinstance(part, Fittable) for part in parts):
            raise _bad("encoders that are made whole", "one that is fitted on texts", "join others")
        self.modalities = reduce(frozenset.__and__, (part.modalities for part in parts))
        if not self.modalities:
            read = "; ".join(", ".join(sorted(part.modalities)) for part in parts)
            raise _bad("encoders that read something in common", read, "join encoders of one modality")
        self._parts = parts
        self._lengths = np.sqrt(np.array(weights, dtype=np.float32) / sum(weights))
        self.fingerprint = self._named([part.fingerprint for part in parts])
        self.space = self._named([part.space for part in parts])

    @property
    def dimensions(self) -> int:
        return sum(part.dimensions for part in self._parts)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        made = [part.encode(items, modality) for part in self._parts]
        return unit_rows(
            np.hstack([found * length for found, length in zip(made, self._lengths, strict=True)])
        )

    def _named(self, parts: list[str]) -> str:
        return fingerprint_of({"joined": parts, "lengths": self._lengths.tolist()})


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="encoder 'joined', parts", expected=expected, got=got, cure=cure)
