"""Secrets given in any way are in no file of a run or study, and in nothing that a command says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ltr import train, tune
from ltr.config import command_line
from ltr.config.tree import parse_config, read_config
from ltr.runs.saved_run import SavedRun
from tests.ltr.conftest import Trained

SECRETS = ("qz1secret word: x", "qz2&=#secret", "qz3'\"secret\\", "12345678901", "qz5*secret", "true{qz6}")


def check_nowhere(folder: Path, said: str) -> None:
    texts = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, content in (texts | {"what was said": said.encode()}).items():
        for part in (*SECRETS, "qz1secret", "qz2&", "qz3'", "qz5*", "{qz6"):
            assert part.encode() not in content, name


def test_options_of_the_store_in_every_form(
    trained: Trained, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine" / "shop.yaml"
    config.parent.mkdir()
    text = (trained.run / "config.yaml").read_text(encoding="utf-8")
    tree = text.replace(
        "storage_options: {}", f"storage_options: {{AWS_TOKEN: {SECRETS[3]}, AWS_REGION: here}}"
    )
    assert tree != text
    config.write_text(tree, encoding="utf-8")
    words = ["--config", str(config), "--ladder", "[]", "--store.root", str(tmp_path / "store")]
    for number, secret in enumerate(SECRETS):
        name = f"--store.storage_options.AWS_SECRET_{number}"
        words += [name, secret] if number % 2 else [f"{name}={secret}"]
    run = tmp_path / "run"
    train.main([*words, "--run", str(run), "--cache.folder", str(trained.work / "cache")])
    captured = capfd.readouterr()
    check_nowhere(run, captured.out + captured.err)
    check_nowhere(tmp_path / "store", "")
    assert "AWS_REGION: here" in (run / "config.yaml").read_text(encoding="utf-8")
    saved = SavedRun.open(run)
    with pytest.raises(Exception, match="a secret that was not written down"):
        _ = saved.config.store.options


def test_a_reference_is_written_and_resolved(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QZ_KEY", SECRETS[0])
    overrides = {"store.storage_options": {"AWS_SECRET_ACCESS_KEY": "${QZ_KEY}", "AWS_ALLOW_HTTP": True}}
    config = read_config(trained.run / "config.yaml", overrides)
    assert config.store.options == {"AWS_SECRET_ACCESS_KEY": SECRETS[0], "AWS_ALLOW_HTTP": "true"}
    assert SECRETS[0] not in repr(config) + config.model_dump_json()
    again = parse_config(config.model_dump(mode="json"), config.base, "again")
    assert again.store.options == config.store.options


@pytest.mark.parametrize(
    "words",
    [
        ["--storage", "postgresql://me:qz1secret@localhost:1/db"],
        ["--storage=postgresql://localhost:1/db?user=me&password=qz1secret"],
        ["--storage", "postgresql://me:qz1secret@x/y@localhost:notaport/db"],
        ["--storage", "nosuch://me:qz1secret@host/db"],
        ["--storage", "${QZ_URL}"],
        ["--storage", "postgresql://me:${QZ_PW}@localhost:1/db"],
        ["--store.storage_options", "qz1secret"],
        ["--store.storage_options", "{AWS_SECRET_ACCESS_KEY: [qz1secret]}"],
        ["--store.storage_options.AWS_SECRET_ACCESS_KEY", "*qz1secret"],
        ["--store", "{root: x, qz: 1, storage_options: {A: qz1secret}}"],
        ["--store.root", "s3://qz1secret@bucket/x?sig=qz1secret"],
        ["s3://me:qz1secret@bucket"],
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_what_cannot_be_opened_is_told_without_its_secret(
    trained: Trained,
    words: list[str],
    debug: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("QZ_PW", "qz1secret")
    monkeypatch.setenv("QZ_URL", "postgresql://me:qz1secret@localhost:1/db")
    given = [*trained.words("--runs", str(tmp_path / "runs"), "--trials", "1"), *words]
    if "*qz1secret" in words:  # YAML would take it for an alias
        given += ["--trials", "none"]
    with pytest.raises(BaseException) as caught:
        command_line.run(tune.main, [*given, *(["--debug"] if debug else [])])
    captured = capfd.readouterr()
    chain, error = [], caught.value
    while error is not None and len(chain) < 9:
        chain.append(str(error))
        error = None if error.__suppress_context__ else error.__cause__ or error.__context__
    check_nowhere(tmp_path, captured.out + captured.err + "".join(chain))
