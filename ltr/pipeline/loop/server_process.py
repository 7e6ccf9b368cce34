"""`ltr.serve` as a process of its own, started for some shoppers and ended without losing a request."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from features.errors import InputError
from ltr.demo.shoppers import Client

_ADDRESS = re.compile(r"serving .* at http://([\d.]+):(\d+)/")
_ENDING = 60.0  # seconds for requests under way


@contextmanager
def served(run: Path, *words: str) -> Iterator[Client]:
    """A client of a server over a run, on a free port of this machine; words: further ones for its command line.

    Its token and the key of its pseudonyms are made up and forgotten: the shoppers are, too. Raises InputError where
    it does not start; it has said why.
    """
    token = secrets.token_hex(16)
    own = {"LTR_SERVE_TOKEN": token, "SHOP_LTR_PSEUDONYM_KEY": f"1 {secrets.token_hex(32)}"}
    command = [sys.executable, "-m", "ltr.serve", "--run", str(run), "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | own) as process:  # noqa: S603
        try:
            with closing(Client(*_address(process, run), token)) as client:
                yield client
        finally:
            process.terminate()
            try:
                process.communicate(timeout=_ENDING)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[str], run: Path) -> tuple[str, int]:
    for line in process.stdout or ():
        if found := _ADDRESS.match(line):
            return found[1], int(found[2])
    raise InputError(
        where=run,
        expected="a server of this run",
        got=f"one that ended with status {process.wait()}",
        cure="see what it said above; it needs pip install 'shop-ltr[serve]'",
    )
