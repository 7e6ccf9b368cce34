"""Names in a table → files in a folder: several in a field, two Unicode forms, never outside."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.media.folder import OUTSIDE, WEB, Folder, names_in

NAMES = st.lists(
    st.text(st.sampled_from("abcé0-_ü"), min_size=1, max_size=6).map(lambda stem: f"{stem}.jpg"),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=200)
@given(
    names=NAMES,
    between=st.sampled_from(
        [*",;|^~&+、，；\n\t ", ", ", " | ", "  ", "::", "||", "//", "<br>", " and ", " & ", "\r\n"]
    ),
)
def test_names_are_parted_however_a_feed_parts_them(names: list[str], between: str) -> None:
    assert names_in(between.join(names)) == names


@given(names=NAMES, quote=st.sampled_from(["'", '"']))
def test_names_in_a_written_list(names: list[str], quote: str) -> None:
    assert names_in("[" + ", ".join(f"{quote}{name}{quote}" for name in names) + "]") == names


@given(names=NAMES, key=st.sampled_from(["src", "url", "file"]))
def test_names_in_a_list_of_objects(names: list[str], key: str) -> None:
    assert names_in(json.dumps([{key: name, "position": 1} for name in names], ensure_ascii=False)) == names


@pytest.mark.parametrize(
    "field",
    [
        "my photo.jpg",
        "black+white.jpg",
        "a & b.png",
        "../b.jpg",
        "a#1.jpg",
        "a b c.png",
        "x",
        "shirt (1).jpg",
        "a.jpg",
    ],
)
def test_one_name_stays_whole(field: str) -> None:
    assert names_in(field) == [field]


def test_a_file_whose_name_has_a_comma_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg, b.jpg").touch()
    assert Folder(tmp_path).find("a.jpg, b.jpg") == [(str(tmp_path / "a.jpg, b.jpg"), None)]


@pytest.mark.parametrize(("on_disk", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("name", ["café.jpg", "Ångström/größe é.png", "日本/が.webp", "한글.jpg"])
def test_names_in_two_unicode_forms_are_one(tmp_path: Path, name: str, on_disk: str, asked: str) -> None:
    path = tmp_path / unicodedata.normalize(on_disk, name)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    ((found, problem),) = Folder(tmp_path).find(unicodedata.normalize(asked, name))
    assert Path(found).samefile(path)
    assert problem is None


@pytest.mark.parametrize(
    "asked", ["sub/Red Hat.JPG", "SUB\\red hat.jpg", ".\\sub\\RED HAT.jpg", "Sub/red hat.jpg\u200b"]
)
def test_a_name_as_windows_takes_it(tmp_path: Path, asked: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "Red Hat.jpg").touch()
    assert Folder(tmp_path).find(asked) == [(str(tmp_path / "sub" / "Red Hat.jpg"), None)]


def test_a_name_as_it_is_goes_before_one_in_other_capitals(tmp_path: Path) -> None:
    for name in ("A.jpg", "a.jpg"):
        (tmp_path / name).touch()
        assert Folder(tmp_path).find(name)[0][0] == str(tmp_path / name)


def _outside(base: Path) -> list[str]:
    inside = base / "photos"
    (inside / "sub").mkdir(parents=True)
    (base / "secret").mkdir()
    (base / "secret" / "s.jpg").touch()
    (base / "photos2").mkdir()
    (base / "photos2" / "s.jpg").touch()
    (inside / "link.jpg").symlink_to(base / "secret" / "s.jpg")
    (inside / "linked").symlink_to(base / "secret")
    (inside / "sub" / "up").symlink_to("../..")
    (inside / "ring").symlink_to("ring")
    names = [
        "../secret/s.jpg",
        str(base / "secret" / "s.jpg"),
        "link.jpg",
        "linked/s.jpg",
        "sub/up/secret/s.jpg",
    ]
    names += [
        "..",
        "sub/../../secret/s.jpg",
        "/etc/passwd",
        "linked",
        "../photos2/s.jpg",
        "linked/../secret/s.jpg",
    ]
    return [*names, "../nowhere.jpg", "sub/up", "/dev/zero", "ring/x.jpg"]


def test_what_lies_outside_is_named_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    names = _outside(tmp_path)
    for name in names:
        assert [problem for _, problem in Folder(folder).find(name)] == [OUTSIDE], name
        assert [problem for _, problem in Folder(folder).find(f"a.jpg,{name}")] == [None, OUTSIDE], name
        assert [problem for _, problem in Folder(folder, outside=True).find(name)] == [None], name


def test_links_and_dots_that_stay_inside_are_fine(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "real" / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "photos").symlink_to("real")  # the folder itself may be one
    for name in ("a.jpg", "link.jpg", "./a.jpg", "sub/../a.jpg", str(tmp_path / "photos" / "a.jpg")):
        ((path, problem),) = Folder(tmp_path / "photos").find(name)
        assert problem is None
        assert Path(path).samefile(tmp_path / "real" / "a.jpg")


@pytest.mark.parametrize(
    "name",
    [
        "https://shop.example/a.jpg",
        "HTTP://x/y.png",
        "s3://b/c.jpg",
        "//cdn.x.io/a.jpg",
        "file:///a.jpg",
        "data:image/png;x",
    ],
)
def test_web_addresses_are_called_so(tmp_path: Path, name: str) -> None:
    assert Folder(tmp_path).find(name)[0][1] == WEB


@settings(max_examples=300)
@given(field=st.text(max_size=40))
def test_no_field_breaks_it(field: str) -> None:
    for path, problem in Folder(Path("/nowhere/at/all")).find(field):
        assert isinstance(path, str)
        assert problem in {None, OUTSIDE, WEB}


@given(
    names=NAMES,
    form=st.sampled_from(["{{{}}}", "({})", "[{}]", "[[{}]]"]),
    quote=st.sampled_from(["", "'", '"']),
)
def test_names_in_any_brackets(names: list[str], form: str, quote: str) -> None:
    assert names_in(form.format(", ".join(f"{quote}{name}{quote}" for name in names))) == names


@given(names=NAMES)
def test_names_as_python_and_numpy_print_them(names: list[str]) -> None:
    assert names_in(repr([{"src": name} for name in names])) == names
    assert names_in("[" + " ".join(map(repr, names)) + "]") == names
    assert names_in("".join(f"<img src='{name}' alt='red'>" for name in names)) == names


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ("my photo.jpg", ["my%20photo.jpg", "/my%20photo.jpg", "my photo.jpg?v=12", "shots/my photo.jpg"]),
        ("x&y.jpg", ["x&amp;y.jpg", "x%26y.jpg", "/x&y.jpg"]),
        (
            "m/h/mh01.jpg",
            ["/m/h/mh01.jpg", "m/h/mh01.jpg?w=200&h=3", "\\m\\h\\mh01.jpg", "/shots/m/h/mh01.jpg"],
        ),
        ("é.jpg", ["%C3%A9.jpg", "e%CC%81.jpg", "&eacute;.jpg", "/É.JPG#1"]),
    ],
)
def test_names_as_pages_write_them(tmp_path: Path, there: str, written: list[str]) -> None:
    (tmp_path / "shots" / there).parent.mkdir(parents=True)
    (tmp_path / "shots" / there).touch()
    for name in written:
        ((path, problem),) = Folder(tmp_path / "shots").find(name)
        assert (Path(path), problem) == (tmp_path / "shots" / there, None)


@pytest.mark.parametrize("there", ["a?v=1.jpg", "a#1.jpg", "100%25.jpg", "a&amp;b.jpg"])
def test_a_file_of_just_that_name_comes_first(tmp_path: Path, there: str) -> None:
    for name in (there, "a.jpg", "100%.jpg", "a&b.jpg"):
        (tmp_path / name).touch()
    assert Folder(tmp_path).find(there) == [(str(tmp_path / there), None)]


@pytest.mark.parametrize(
    "name", ["%2e%2e/secret.jpg", "/%2e%2e/secret.jpg", "&period;&period;/secret.jpg", "a%00.jpg"]
)
def test_no_other_writing_leads_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "shots").mkdir()
    assert all(not Path(path).is_file() or problem for path, problem in Folder(tmp_path / "shots").find(name))
