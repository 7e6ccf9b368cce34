"""Sounds and videos on a page: played where a browser can and there is room, else named; never a page too large."""

from __future__ import annotations

import base64
from pathlib import Path

import polars as pl
import pytest

from features.groups.likeness import PARTS
from ltr.reporting.clips import Clips, kind_of
from ltr.reporting.product_page import attributes, page
from ltr.reporting.run_page.query_gains import query_text
from ltr.reporting.run_page.report import write_report
from tests.ltr.reporting import report_world
from tests.ltr.reporting.report_world import SCRIPT, photo, sound


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sound(), "audio/wav"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x00\x1cftypM4A \x00", "audio/mp4"),
        (b"\x00\x00\x00\x0aftypisom\x00", "video/mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\xf7\x81\x01B\x82\x88matroska", ""),
        (b"\x00\x00\x00\x1cftypavif", ""),
        (b"RIFF but no wave", ""),
        (b"MThd\x00", ""),
        (photo(), ""),
        (SCRIPT.encode(), ""),
        (b"", ""),
    ],
)
def test_what_browsers_play_is_known_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_a_clip_holds_its_file_and_an_unplayable_one_its_name(tmp_path: Path) -> None:
    (tmp_path / "hum.wav").write_bytes(sound())
    (tmp_path / "notes.mid").write_bytes(b"MThd\x00")
    row = {
        "media.audio": str(tmp_path / "hum.wav"),
        "media.score": str(tmp_path / "notes.mid"),
        "media.gone": str(tmp_path / "gone.mp3"),
        "media.none": None,
        "media.bytes": b"x" * 1234,
        "image": photo(),
        "title": "no file",
    }
    clips = Clips(10_000).of(row)
    assert [(clip.modality, clip.name) for clip in clips] == [
        *(("audio", "hum.wav"), ("score", "notes.mid"), ("gone", "gone.mp3"), ("bytes", "1,234 bytes"))
    ]
    head, data = clips[0].source.split(",")
    assert (head, base64.b64decode(data)) == ("data:audio/wav;base64", sound())
    assert clips[0].element == "audio"
    assert [clip.source for clip in clips[1:]] == ["", "", ""]


@pytest.mark.parametrize("held", ["bytes", "path"])
def test_a_page_has_room_for_so_many_characters(held: str, tmp_path: Path) -> None:
    (tmp_path / "hum.wav").write_bytes(sound())
    item = sound() if held == "bytes" else str(tmp_path / "hum.wav")
    (one,) = Clips(10**6).of({"media.audio": item})
    size = len(one.source)
    clips = Clips(3 * size + size // 2)
    played = [bool(clips.of({"media.audio": item})[0].source) for _ in range(5)]
    assert played == [True, True, True, False, False]
    assert not Clips(size - 1).of({"media.audio": item})[0].source
    assert Clips(size).of({"media.audio": item})[0].source


def test_what_does_not_fit_leaves_the_room_to_the_next() -> None:
    clips = Clips(5_000)
    large, small = (clips.of({"media.audio": sound(seconds)})[0] for seconds in (5, 0.1))
    assert (bool(large.source), bool(small.source)) == (False, True)


def test_a_report_of_large_sounds_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_world, "sound", lambda: sound(10))
    write_report(tmp_path, report_world.made_report())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 0 < page.count("data:audio/wav") < page.count("audio: 80,044 bytes")
    assert len(page) < 5_000_000 - 3_300_000  # what the longest table of queries takes
    assert 80_044 * 4 / 3 * page.count("data:audio/wav") < 500_000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"text": "hum", "media.audio": b"x"}, "hum"),
        ({"text": None, "image": b"x", "media.audio": b"x", "media.video": None}, "(photo, audio)"),
        ({"text": None, "image": None, "media.audio": "hum.wav"}, "(audio)"),
        ({"text": None, "image": None, "media.audio": None}, "q1"),
    ],
)
def test_a_query_without_words_is_called_what_it_plays(query: dict[str, object], message: str) -> None:
    assert query_text({"query_id": "q1", **query}) == message


def test_products_side_by_side_are_heard(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "hum.wav").write_bytes(sound(0.1 + number))
    chosen = pl.DataFrame(
        {
            "product_id": ["1", "2"],
            "title": [SCRIPT, "y"],
            "media.audio": [str(folder / "hum.wav") for folder in folders],
            "media.video": [b"12345678", b"12345678"],
        }
    )
    lines = {line.name: line for line in attributes(chosen)}
    assert (lines["audio"].values, lines["audio"].differs) == (("hum.wav", "hum.wav"), True)
    assert (lines["video"].values, lines["video"].differs) == (("8 bytes", "8 bytes"), False)
    alike = pl.DataFrame({"a": ["1"], "b": ["2"]} | {name: [None] for name in (*PARTS, "overall")})
    written = page(chosen, list(lines.values()), alike)
    assert written.count("<audio controls") == written.count("data:audio/wav") == 2
    assert written.count("<video") == 0
    assert SCRIPT not in written
