"""python -m ltr.settings [SECTION] [--json-schema | --markdown]

Every setting of a config file, and of the command line as `--section.key VALUE`: what it takes, its default, and
what it is. A section such as `ranker`, `data.products` or `evaluation` limits the list. For editors that check
YAML against a schema: --json-schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ltr.config import command_line, output
from ltr.config.settings import Setting, read_schema, settings, to_markdown


def main(argv: Sequence[str] | None = None) -> list[Setting]:
    made = command_line.parser(__doc__, config=False)
    made.add_argument("section", nargs="?", help="a section, such as ranker or data.products")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--json-schema", action="store_true", help="print the JSON Schema, for editors")
    how.add_argument("--markdown", action="store_true", help="print the page of all settings")
    given = command_line.read_given(made, argv)
    found = settings(given.section)
    if given.json_schema:
        sys.stdout.write(json.dumps(read_schema(), ensure_ascii=False, indent=1) + "\n")
    elif given.markdown:
        sys.stdout.write(to_markdown())
    else:
        rows = [
            (one.name, one.kind, one.takes.replace("`", ""), one.default.strip("`"), one.about)
            for one in found
        ]
        output.show("", ["key", "kind", "takes", "default", "what it is"], rows)
    return found


if __name__ == "__main__":
    command_line.run(main)
