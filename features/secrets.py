"""Secrets in addresses and options: taken from the environment when they are used, never told or written down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, unquote_plus

from features.errors import InputError

MASK = "*****"
# Of an address's query and of options: what is no secret. Whatever is not known to be harmless is masked.
_HARMLESS = {
    *(
        "host",
        "port",
        "dbname",
        "sslmode",
        "connect_timeout",
        "application_name",
        "charset",
        "timeout",
        "mode",
    ),
    *(
        "region",
        "default_region",
        "endpoint",
        "endpoint_url",
        "allow_http",
        "bucket",
        "bucket_name",
        "profile",
    ),
    *("virtual_hosted_style_request", "s3_allow_unsafe_rename", "conditional_put", "copy_if_not_exists"),
    *("account_name", "container_name", "use_emulator", "skip_signature", "request_payer", "proxy_url"),
}
_OWNERS = re.compile(r"^(aws|azure|azure_storage|google|gs|gcs|s3)_")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_ADDRESS = re.compile(r"([A-Za-z][\w+.-]{0,40}://)(\S+)")  # bounded: else quadratic in a long word
_QUERY = re.compile(r"\?(?=[^?=&]+=)")
_SHORTEST = (
    4  # characters; to cut shorter ones from every text would spoil it, and they are masked where they stand
)
_seen: set[str] = set()


def resolve(text: str) -> str:
    """The text with each `${NAME}` as the environment has it; InputError where it has none."""

    def value(found: re.Match[str]) -> str:
        given = os.environ.get(found[1])
        if given is None:
            cure = "set it, or write another name"
            where = f"environment variable {found[1]}"
            raise InputError(where=where, expected="a value, which the settings name", got="none", cure=cure)
        remember([given])
        return given

    return _REFERENCE.sub(value, text)


def remember(secrets: Iterable[str]) -> None:
    """Have these cut from all that `scrub` sees from now on."""
    for secret in secrets:
        for form in (secret, repr(secret)[1:-1], unquote(secret), unquote_plus(secret)):
            if len(form) >= _SHORTEST and not _REFERENCE.fullmatch(form):
                _seen.add(form)


def scrub(text: str) -> str:
    """The text without the secrets that this process has seen, and with its addresses masked."""
    for secret in sorted(_seen, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _ADDRESS.sub(lambda found: masked_address(found[0]), text)


def masked_address(address: str) -> str:
    """An address for people to read: without user, password and the values of its query but for harmless ones.

    References like `${NAME}` stay: the environment keeps what they mean. A path comes back as it is.
    """
    if "://" not in address:
        return address
    scheme, _, rest = address.partition("://")
    base, query = _parts(rest)
    user, _, host = base.rpartition("@")
    if user and not _is_path(user):
        base = f"{user if _is_reference(user) else MASK}@{host}"
    elif "@" in query and ":" in base:  # which of both it belongs to, only its maker knows
        return f"{scheme}://{MASK}"
    return f"{scheme}://{base}" + ("?" + "&".join(map(_masked_pair, query.split("&"))) if query else "")


def secrets_of(address: str) -> list[str]:
    """What `masked_address` masks, whole and in the pieces that a library may take it for."""
    if "://" not in address:
        return []
    base, query = _parts(address.partition("://")[2])
    user, _, _ = base.rpartition("@")
    found = [base] if "@" in query and ":" in base else []
    if user and not _is_path(user):
        found = [user, user.partition(":")[2]]
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if _masked_pair(pair) != pair:
            found.append(value or name)
    pieces = [piece for secret in found for piece in re.split(r"[@/:?#&=]", secret)]
    return [*found, *(piece for piece in pieces if len(piece) > _SHORTEST)]


def masked_option(name: str, value: str) -> str:
    """An option's value for people to read: as it is where it is harmless or a reference, else masked."""
    if is_harmless(name) or _is_reference(value):
        return masked_address(value)
    return MASK


def secrets_of_options(options: Mapping[str, str]) -> list[str]:
    secret = [value for name, value in options.items() if not is_harmless(name)]
    return secret + [part for value in options.values() for part in secrets_of(value)]


def is_harmless(name: str) -> bool:
    return _OWNERS.sub("", name.lower()) in _HARMLESS


def _parts(rest: str) -> tuple[str, str]:
    """What stands before the query, which an @ behind it may belong to, and the query."""
    base, *queries = _QUERY.split(rest, maxsplit=1)
    return base, queries[0] if queries else ""


def _is_path(before: str) -> bool:
    """Whether the @ behind it is part of a path: without a password, no user's name has a slash."""
    return "/" in before and ":" not in before


def _masked_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return MASK if name and not _is_reference(name) else name
    return pair if name.lower() in _HARMLESS or _is_reference(value) else f"{name}={MASK}"


def _is_reference(value: str) -> bool:
    """Whether it is all references and what stands between them: a user's `${NAME}:${PASSWORD}`."""
    return bool(_REFERENCE.search(value)) and not _REFERENCE.sub("", value).strip(":")
