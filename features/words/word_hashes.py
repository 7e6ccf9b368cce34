"""Words as numbers of 32 bits, so that what is learnt of words needs no vocabulary (Weinberger et al., ICML 2009)."""

from __future__ import annotations

import zlib

import numpy as np


def word_hash(word: str) -> int:
    """The same on every machine; 0 stands for no word."""
    return zlib.crc32(word.encode()) or 1


def padded(items: int, place: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """(items, most words of one) uint32: the distinct words of each item, rising, and 0 beyond the last.

    place: (e,) the item that each hash (e,) is a word of; hashes of 0 are left out.
    """
    pairs = np.unique((place.astype(np.uint64) << np.uint64(32)) | hashes.astype(np.uint64))
    pairs = pairs[(pairs & np.uint64(0xFFFFFFFF)) > 0]
    item, word = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    counts = np.bincount(item, minlength=items)
    found = np.zeros((items, int(counts.max(initial=0))), dtype=np.uint32)
    found[item, np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts, counts)] = word
    return found
