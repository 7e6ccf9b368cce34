"""python -m ltr.fit_encoder --config FILE [--role image] [--aligned.minutes 20] [--distillation.layers 2]

Fit one of the config's encoders on the catalogue itself, without any download and without a judgement. Which,
says its kind: `aligned` is an image encoder in the space of the text encoder, so that photo and text become
comparable (with `aligned.pairs: judgements` or both, photos of training queries take part); `student` or `static`
is a quick text encoder made of a larger one. It is written to the folder that the config names for it. With
several such encoders --role names the one. Killed and run again, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output


def main(argv: Sequence[str] | None = None) -> Path:
    watch = output.Stopwatch()
    made = command_line.parser(__doc__)
    made.add_argument("--role", help="name of the encoder in the config; default: the only one to be fitted")
    given, config = command_line.read_settings(made, argv)

    from ltr.runs.encoders.fitted_encoders import fit_encoder

    encoder, target, found = fit_encoder(config, given.role)
    output.say(found)
    output.say(f"{encoder.kind} encoder: {target} ({watch})")
    return target


if __name__ == "__main__":
    command_line.run(main)
