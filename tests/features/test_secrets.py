"""No part of a secret is left in what people read, wherever in an address or an option it stands."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features import secrets
from features.errors import InputError
from features.secrets import MASK, masked_address, masked_option, resolve, scrub, secrets_of

BEGIN, END = "QZBEGIN", "ENDQZ"
middle = st.text(
    st.sampled_from(string.punctuation + string.ascii_letters + string.digits + " äß"), max_size=12
)
places = [
    "postgresql://user:{}@host/db",
    "postgresql+psycopg://user:{}@host:5432/db?sslmode=require",
    "postgresql://host/db?password={}",
    "postgresql://user@host/db?user=me&password={}&sslmode=require",
    "mysql://:{}@host",
    "s3://{}:x@bucket/path",
    "az://container/path?sig={}",
    "https://{}@host/path",
]


@example(inner="@/:", place=places[0], quoted=False)
@example(inner="&a=b", place=places[2], quoted=False)
@given(inner=middle, place=st.sampled_from(places), quoted=st.booleans())
def test_no_part_of_a_secret_is_left_of_an_address(inner: str, place: str, quoted: bool) -> None:
    secret = BEGIN + inner + END
    if "?" not in place and "{}@" in place and place.startswith("https") and not quoted:
        return  # no user's name is written so
    address = place.format(quote(secret, safe="") if quoted else secret)
    shown = masked_address(address)
    assert BEGIN not in shown
    assert END not in shown
    assert shown.startswith(address.partition("://")[0])


@given(inner=middle, place=st.sampled_from(places[:5]))
def test_what_an_address_holds_is_cut_from_what_a_library_says(inner: str, place: str) -> None:
    secret = BEGIN + quote(inner, safe="") + END
    secrets.remember(secrets_of(place.format(secret)))
    for said in (f"no password {secret} for user", f"could not parse '{place.format(secret)}'"):
        assert BEGIN not in scrub(said)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("runs/study.log", "runs/study.log"),
        ("sqlite:////tmp/x@y/study.db", "sqlite:////tmp/x@y/study.db"),
        ("s3://bucket/some/folder", "s3://bucket/some/folder"),
        ("postgresql://host:5432/db?sslmode=require", "postgresql://host:5432/db?sslmode=require"),
        ("postgresql://me:${PW}@host/db", f"postgresql://{MASK}@host/db"),
        (
            "postgresql://${USER}:${PW}@host/db?password=${PW}",
            "postgresql://${USER}:${PW}@host/db?password=${PW}",
        ),
    ],
)
def test_what_is_no_secret_stays(address: str, shown: str) -> None:
    assert masked_address(address) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("AWS_REGION", "eu-west-1", "eu-west-1"),
        ("aws_endpoint_url", "http://me:pw@host", f"http://{MASK}@host"),
        ("AWS_SECRET_ACCESS_KEY", "abc", MASK),
        ("AWS_ACCESS_KEY_ID", "${KEY}", "${KEY}"),
        ("azure_storage_account_key", "x${KEY}", MASK),
        ("something_new", "1", MASK),
    ],
)
def test_of_options_only_the_harmless_and_references_stay(name: str, value: str, shown: str) -> None:
    assert masked_option(name, value) == shown


def test_references_are_resolved_when_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PW", "s3cret-one")
    assert resolve("postgresql://me:${SHOP_PW}@host") == "postgresql://me:s3cret-one@host"
    assert scrub("password s3cret-one is wrong") == f"password {MASK} is wrong"
    monkeypatch.delenv("SHOP_PW")
    with pytest.raises(InputError, match="environment variable SHOP_PW: expected a value"):
        resolve("${SHOP_PW}")
