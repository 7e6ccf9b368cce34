"""Every endpoint with a bad body: values and fields that it does not expect, broken JSON, broken photos.

Never a fault of ours, never a hang; each kind of mistake is made at each route.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from tests.ltr.serving.http.auditing import GOOD, A, Ask, Mistake, go, go_wrong, good, photo, serves_well
from tests.ltr.serving.http.conftest import Audited
from tests.ltr.serving.http.test_limits import of_noise, png

DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
NUMBERS = (
    0,
    -1,
    101,
    1001,
    10**9,
    10**18,
    10**400,
    -(10**30),
    0.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
)
TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2028",
    "x" * 600,
    "x" * 300_000,
    "://" * 4000 + "a@b",
    "null",
    "../../etc/passwd",
    "<script>window.hacked=1</script>",
    "%00%2f",
    "=cmd()",
    "☃" * 400,
    "NaN",
    "' OR 1=1 --",
    "{{7*7}}",
)
ODD = (None, True, [], {}, [[]], {"a": 1}, [None], {"": {}}, *NUMBERS, *TEXTS)


def some_place(body: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container within a body and a key or place of it."""
    holders: list[Any] = []

    def walk(one: Any) -> None:
        if isinstance(one, dict | list) and one:
            holders.append(one)
            for inner in one.values() if isinstance(one, dict) else one:
                walk(inner)

    walk(body)
    holder = chance.choice(holders)
    return holder, chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))


def odd_value(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        holder[place] = chance.choice(ODD)


def left_out(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        del holder[place]


def unknown_field(one: Ask, chance: random.Random) -> None:
    if one.body:
        one.body[chance.choice(("x", "__class__", "constructor", "k" * 300_000, "\0", "Text", ""))] = 1


def odd_key(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        if isinstance(holder, dict):
            holder[chance.choice(TEXTS)] = holder.pop(place)


def too_many(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        count = chance.choice((300, 25_000))
        many = chance.choice(
            (
                [1] * count,
                [A] * count,
                {f"k{n}": 1 for n in range(count)},
                {f"k{n}": ["a"] for n in range(count)},
            )
        )
        holder[place] = many


def twice(one: Ask, chance: random.Random) -> None:
    if one.body:
        name = chance.choice(list(one.body))
        one.body = (one.content() or b"")[:-1] + f', "{name}": {json.dumps(chance.choice(ODD))}}}'.encode()


def cut_short(one: Ask, chance: random.Random) -> None:
    content = one.content() or b"{"
    one.body = content[: chance.randrange(len(content))]


def no_json(one: Ask, chance: random.Random) -> None:
    one.body = chance.choice(
        (
            b"",
            b"\xff\xfe{\0}\0",
            b"\xef\xbb\xbf{}",
            DEEP,
            b"[" * 100_000,
            b"9" * 5000,
            b"NaN",
            b"{}{}",
            b"null",
            b"[]",
            b"\0" * 99,
            b'{"text": "\\ud800"}',
            b'{"text": "\xed\xa0\x80"}',
            b"{" + b"," * 50_000 + b"}",
            b" " * 2_000_001,
            chance.randbytes(200),
        )
    )


def animated() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def text_bomb() -> bytes:
    """A PNG whose compressed text takes 20 MB unpacked."""
    packed = zlib.compress(b"a" * 20_000_000, 9)
    data = b"k\0\0" + packed
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    plain = base64.b64decode(photo())
    return plain[:33] + chunk + plain[33:]


PHOTOS = (
    b"",
    b"x",
    png(50_000, 50_000),
    png(2000, 2000),
    of_noise(32)[:300],
    b"<svg onload=alert(1)>",
    b"%!PS-Adobe-3.0 EPSF",
    b"%PDF-1.4",
    b"\xff\xd8\xff\xe0" + b"\0" * 64,
    b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 40,
    b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 200,
    b"GIF89a\xff\xff\xff\xff",
    b"\0\0\0\x20ftypheic" + b"\0" * 64,
    b"\0\0\0\x20ftypavif" + b"\0" * 64,
    b"BM" + b"\xff" * 100,
    animated(),
    animated()[:60],
    text_bomb(),
)


def odd_photo(one: Ask, chance: random.Random) -> None:
    if one.body and "photo" in one.body:
        encoded = base64.b64encode(chance.choice(PHOTOS)).decode()
        one.body["photo"] = chance.choice(
            (encoded, f"data:image/png;base64,{encoded}", encoded[:-1], f"{encoded}\n", "http://x/y.png")
        )


IN_BODIES: tuple[Mistake, ...] = (
    odd_value,
    left_out,
    unknown_field,
    odd_key,
    too_many,
    twice,
    cut_short,
    no_json,
    odd_photo,
)


@pytest.mark.parametrize("kind", IN_BODIES, ids=lambda kind: kind.__name__)
def test_each_kind_of_mistake_in_the_body_of_each_route(audited: Audited, kind: Mistake) -> None:
    go_wrong(audited, kind)


@pytest.mark.parametrize("content", PHOTOS, ids=range(len(PHOTOS)))
def test_each_photo_where_photos_are_taken(audited: Audited, content: bytes) -> None:
    for route, (_, body) in GOOD.items():
        if body and "photo" in body:
            one = good(route)
            one.body["photo"] = base64.b64encode(content).decode()
            go(audited, one)
    serves_well(audited)
