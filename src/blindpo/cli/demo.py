"""Tell the whole story offline on a small world whose truth is known: base, DPO, BPO and the control, measured.

Example: blindpo demo --quick --out runs/demo
"""

import argparse
from pathlib import Path

from blindpo.cli.options import emit
from blindpo.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo demo`."""
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--quick", action="store_true", help="one seed instead of three")
    seeds.add_argument("--seeds", type=int, metavar="N", help="how many seeds (default: 3)")
    seeds.add_argument("--seed-list", metavar="S,S", help="the seeds themselves, such as 7,8")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), metavar="PATH", help="default: runs/demo")
    parser.add_argument(
        "--search", action="store_true", help="search learning rate and beta on validation worlds instead"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the story, or the search."""
    from blindpo.demo.run import run_demo, run_search

    out: Path = args.out
    if args.search:
        if args.quick or args.seeds is not None or args.seed_list is not None:
            raise ConfigError("--search has validation seeds of its own; leave --quick, --seeds and --seed-list out")
        target = out.with_name("demo_search") if out == Path("runs/demo") else out
        content, text = run_search(target)
    else:
        content, text = run_demo(chosen_seeds(args), out)
    emit(content, text, as_json=args.json)
    return 0


def chosen_seeds(args: argparse.Namespace) -> tuple[int, ...]:
    """The seeds that the command line asks for: 1, 2, 3, ... unless they are named."""
    if args.seed_list is not None:
        words = args.seed_list.split(",")
        if not all(word.strip().isdecimal() for word in words) or len({int(word) for word in words}) < len(words):
            raise ConfigError(f"--seed-list {args.seed_list}: give different whole numbers, such as 7,8")
        return tuple(int(word) for word in words)
    count = 1 if args.quick else 3 if args.seeds is None else args.seeds
    if count < 1:
        raise ConfigError(f"--seeds {count}: give 1 or more")
    return tuple(range(1, count + 1))
