"""Every third-party import of features/ and ltr/ is declared, every direct dependency pinned and freely licensed.

Run in the environment of `make lint`; ends with status 1 and a line for each fault.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, metadata, packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = {"features", "ltr", "configs", "shop-ltr"}
FREE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software|MPL|HPND|Unlicense|CC0|LGPL|Zlib", re.IGNORECASE)


def plain(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]).lower()


def declared(project: dict[str, object], *extras: str) -> set[str]:
    optional: dict[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
    needed: list[str] = [*project["dependencies"]]  # type: ignore[misc]
    for extra in extras or tuple(optional):
        needed += optional[extra]
    return {plain(name) for name in needed} - OURS


def imported() -> Iterator[tuple[Path, str]]:
    for path in sorted([*ROOT.glob("features/**/*.py"), *ROOT.glob("ltr/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module.partition(".")[0]


def licence(name: str) -> str:
    about = metadata(name)
    classifiers = [c for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    texts = [file for file in distribution(name).files or () if "LICEN" in file.name.upper()]
    told = " ".join([about.get("License-Expression") or "", *classifiers, (about.get("License") or "")[:80]])
    return told.strip() or " ".join(file.read_text()[:300] for file in texts)


def faults() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {plain(line) for line in lines if "==" in line}
    extras = tuple(name for name in project["optional-dependencies"] if name not in {"dev", "all"})
    used, sold = declared(project, *extras), packages_distributions()
    known = OURS | set(sys.stdlib_module_names)
    for path, module in sorted(set(imported())):
        if module not in known and not {plain(name) for name in sold.get(module, [module])} & used:
            yield f"{path.relative_to(ROOT)}: imports {module}, which pyproject.toml does not declare"
    for name in sorted(declared(project)):
        if name not in pinned:
            yield f"constraints.txt: no pin of {name}"
        try:
            if not FREE.search(licence(name)):
                yield f"{name}: no licence known to be free ({licence(name)[:80] or 'none told'})"
        except PackageNotFoundError:
            yield f"{name}: not installed"
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    if checked.returncode:
        yield from checked.stdout.splitlines()


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "dependencies: declared, pinned, freely licensed, and at peace with each other")
    sys.exit(bool(found))
