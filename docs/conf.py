"""The documentation site: these pages, the project's own Markdown files, and every package's docstrings."""

from __future__ import annotations

import re
from typing import Any

project = "shop-ltr"
author = "shop-ltr"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.apidoc"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing",
    "myst.header",
    "ref.python",
    "ref.ref",
    "ref.term",
]  # links to files that are no pages of the site
html_theme = "furo"
html_title = "shop-ltr"
default_role = "code"  # docstrings put names in `single backticks`
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_mock_imports = [
    "torch",
    "torchvision",
    "sentence_transformers",
    "transformers",
    "onnx",
    "onnxruntime",
]
apidoc_modules = [
    {"path": f"../{package}", "destination": f"api/{package}", "max_depth": 2, "module_first": True}
    for package in ("features", "ltr")
]
exclude_patterns = ["_build", "api/*/modules.rst"]

MAP_LINE = re.compile(r"^ *[a-z_0-9]+/? {2,}\S")


def keep_maps(_app: Any, what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: bars and final underscores are what they are, and a package's map of its
    files, in two columns, is shown as it stands.
    """
    lines[:] = [re.sub(r"(?<=\w)_(?!\w)", r"\\_", line.replace("|", "\\|")) for line in lines]
    places = [place for place, line in enumerate(lines) if MAP_LINE.match(line)]
    if what == "module" and len(places) > 1:
        first = places[0]
        rest = [f"   {line}" for line in lines[first:]]
        lines[first:] = ["::", "", *rest]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", keep_maps)
