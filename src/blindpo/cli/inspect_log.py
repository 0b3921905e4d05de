"""Write an evaluation as a log of Inspect AI, whose viewer opens it: blindpo inspect-log EVAL --out FILE.eval.

Needs the extra: pip install 'blindpo[inspect]'. The log holds the images and the responses as they are: its viewer
blurs and folds nothing.
"""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo inspect-log`."""
    parser.add_argument("eval", type=Path, metavar="EVAL", help="a folder of 'blindpo evaluate'")
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Write the log, print how many samples it holds."""
    try:
        import inspect_ai  # noqa: F401 (the extra is asked for by name before anything is read)
    except ImportError as error:
        raise ConfigError("inspect-log needs Inspect AI; install it with: pip install 'blindpo[inspect]'") from error
    from blindpo.evaluation.inspect.export import write_inspect_log

    samples = write_inspect_log(args.eval, args.out)
    text = f"{samples} samples in {args.out}; open it with: inspect view --log-dir {args.out.parent}"
    emit({"samples": samples, "out": str(args.out)}, text, as_json=args.json)
    return 0
