"""Where a study is kept: a journal file by default, or any database that SQLAlchemy reaches."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy import exc

from features import secrets
from features.errors import InputError
from ltr.tuning.journal import Journal

ATTEMPTS = 5  # to make the tables, which another process may be making at the same moment
# Optuna's own lines would break up ours; what it warns of stays.
optuna.logging.set_verbosity(logging.WARNING)


def open_storage(address: str | None, folder: Path) -> BaseStorage:
    """A database's URL, a journal file's path, or None for `journal.log` in the study's folder.

    `${NAME}` in an address stands for a variable of the environment. Raises InputError for an address that cannot
    be opened.
    """
    given = None if address is None else _resolved(address)
    if given is not None and "://" in given:
        return _database(given)
    path = folder / "journal.log" if given is None else Path(given)
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Journal(path))


def shown(address: str | None, folder: Path) -> str:
    """The address for people to read: without its secrets."""
    return str(folder / "journal.log") if address is None else secrets.masked_address(address)


@contextmanager
def storage_errors(address: str | None, folder: Path) -> Iterator[None]:
    """Raise what a database that is lost on the way raises as an InputError, without its secrets."""
    try:
        yield
    except (exc.SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        cure = "start the database, and run the same command again: no finished trial is lost"
        # From None: with --debug, the driver's own words would be told.
        raise _bad(shown(address, folder), f"none ({_in_words(cause)})", cure) from None


def _resolved(address: str) -> str:
    secrets.remember(secrets.secrets_of(address))
    address = secrets.resolve(address)
    secrets.remember(secrets.secrets_of(address))
    return address


def _database(address: str) -> BaseStorage:
    where = secrets.masked_address(address)
    try:
        url = sqlalchemy.make_url(address)
        return _with_tables(url)
    except (exc.ArgumentError, exc.NoSuchModuleError, ValueError) as error:
        kind = address.partition("://")[0]
        cure = "write it like postgresql://user@host/database"
        raise _bad(kind, f"none such ({_in_words(error)})", cure) from None
    except ImportError:
        got, cure = "an installation without its driver", "run pip install 'shop-ltr[postgres]'"
        if url.get_backend_name() != "postgresql":
            cure = f"install a driver of {url.get_backend_name()}"
        raise _bad(where, got, cure) from None
    except (exc.SQLAlchemyError, StorageInternalError) as error:
        cure = "check the address and your rights, or start the database"
        raise _bad(where, f"none ({_in_words(error)})", cure) from None


def _in_words(error: BaseException) -> str:
    return secrets.scrub(str(getattr(error, "orig", None) or error)).strip().split("\n")[0]


def _with_tables(url: sqlalchemy.URL) -> RDBStorage:
    # A connection for each question: none idles through a long trial, or is left open at the end.
    settings: dict[str, object] = {"poolclass": sqlalchemy.NullPool}
    if url.get_backend_name() == "sqlite":
        settings["connect_args"] = {"timeout": 60}
    elif url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    for attempt in range(ATTEMPTS):
        try:
            return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=settings)
        except (exc.IntegrityError, exc.ProgrammingError, exc.OperationalError) as error:
            if attempt == ATTEMPTS - 1 or not any(
                w in str(error) for w in ("already exists", "duplicate", "UNIQUE")
            ):
                raise
            time.sleep(0.2 * (attempt + 1))
    raise AssertionError("the last attempt returns or raises")


def _bad(where: str, got: str, cure: str) -> InputError:
    return InputError(where=f"--storage {where}", expected="a database that opens", got=got, cure=cure)
