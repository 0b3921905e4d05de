"""Tell the golden story with a base commit and with this checkout, on this machine, and compare what both left.

  make golden                                              in a checkout; or, with its options:
  .venv/bin/python -m tests.golden [--base REV] [--head FOLDER] [--keep FOLDER] [--base-from FOLDER] \
      [--demo] [--rows FOLDER] [--steps GLOBS]

Prints a line for every file (same, excepted with the reason, DIFFERENT), then counts; exit status 1 where a difference
is not explained, an explanation was not needed, or a step failed. Both sides read the same sources and the same base
model, run under the same interpreter with one thread, offline, each in a folder of its own and side by side. About six
minutes of CPU time; --demo adds three minutes a side. After --keep FOLDER the next comparison with the same base and
story takes its base from there (--base-from FOLDER), in half the time.

The hash seed is fixed, since PEFT writes an adapter's target modules as a set. Whatever else two runs of one program do
not share stands in `exceptions.py` as VOLATILE.
"""

import argparse
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal

from tests.golden.compare import Comparison, Outcome
from tests.golden.exceptions import (
    CHANGED,
    DEMO_CHANGED,
    DEMO_RENAMED,
    DEMO_RESPELLED,
    RENAMED,
    RESPELLED,
    VOLATILE,
)
from tests.golden.story import Step, steps

BASE: Final = "1145fd5ab336156c0abd09749e9d819bffa47c64"
"""The last commit before the modules moved to their rooms: what the redesign must not change is what this one did."""
CHECKOUT: Final = Path(__file__).resolve().parents[2]
OFFLINE: Final = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",  # PEFT writes an adapter's target modules as a set, in the order of their hashes
    "COLUMNS": "100",
}
STORY_OF_BASE: Final = "base.json"
"""In a kept folder: which base told which story there."""
MOST_LINES: Final = 12
"""Of what a failed step said."""


@dataclass(slots=True)
class Side:
    """One version of the program, and the folder that it works in."""

    name: Literal["base", "head"]
    tree: Path
    folder: Path
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with the side's own sources before anything installed."""
        return {**os.environ, **OFFLINE, "PYTHONPATH": str(self.tree / "src")}

    def require_own_sources(self) -> None:
        """Raise RuntimeError where Python would import another blindpo: both sides would be the same program."""
        command = [sys.executable, "-c", "import blindpo; print(blindpo.__file__)"]
        imported = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        if not Path(imported.stdout.strip()).is_relative_to(self.tree / "src"):
            raise RuntimeError(
                f"side {self.name} would import {imported.stdout.strip()}, not what lies in {self.tree}/src"
            )

    def run(self, story: Sequence[Step]) -> None:
        """Run all steps; one that fails is noted, and those after it are still tried."""
        start = time.monotonic()
        (self.folder / "printed").mkdir()
        (self.folder / "out").mkdir()
        for step in story:
            line = step.head if self.name == "head" and step.head is not None else step.line
            command = [sys.executable, "-m", "blindpo", *shlex.split(line), *(["--json"] if step.json else [])]
            done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
            if step.json:
                (self.folder / "printed" / f"{step.name}.json").write_text(done.stdout, encoding="utf-8")
            if done.returncode != step.status:
                last = "\n    ".join(done.stderr.strip().split("\n")[-MOST_LINES:])
                self.failed.append(f"{self.name}: {step.name} ended with {done.returncode}: blindpo {line}\n    {last}")
            state = "" if done.returncode == step.status else "  FAILED"
            _say(f"{time.monotonic() - start:6.0f} s  {self.name}  {step.name}{state}")
        self.seconds = time.monotonic() - start


def main() -> int:
    """The whole comparison."""
    args = _arguments()
    story = [
        step
        for step in steps(rows=args.rows is not None, demo=args.demo)
        if any(fnmatchcase(step.name, each) for each in args.steps.split(","))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch) if args.keep is None else args.keep.resolve()
        work.mkdir(exist_ok=True, parents=True)
        base, head = _sides(args, work, [step.line for step in story])
        to_run = [head] if args.base_from else [base, head]
        for side in to_run:
            side.folder.mkdir()
            shutil.copytree(base.folder.parent / "in", side.folder / "in")
            side.require_own_sources()
        with ThreadPoolExecutor(len(to_run)) as pool:
            list(pool.map(lambda side: side.run(story), to_run))
        comparison = _comparison(demo=args.demo)
        outcomes = comparison.folders(base.folder, head.folder)
        unused = comparison.unused() if args.steps == "*" else []
        return _report(outcomes, unused, [base, head])


def _comparison(*, demo: bool) -> Comparison:
    """With the tables; those of the demo only where it is told, since an entry that is not needed is an error."""
    if not demo:
        return Comparison([*VOLATILE, *CHANGED], RENAMED, RESPELLED)
    return Comparison([*VOLATILE, *CHANGED, *DEMO_CHANGED], [*RENAMED, *DEMO_RENAMED], [*RESPELLED, *DEMO_RESPELLED])


def _sides(args: argparse.Namespace, work: Path, lines: list[str]) -> tuple[Side, Side]:
    """Both sides with the sources that they read; the base as an earlier comparison left it, where that is asked for.

    Raises RuntimeError where the earlier one was of another base or story.
    """
    head = Side("head", args.head.resolve(), work / "head")
    command = ["git", "-C", str(head.tree), "rev-parse", f"{args.base}^{{commit}}"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    record = {"base": commit, "story": lines}
    if args.base_from is not None:
        earlier: Path = args.base_from.resolve()
        if json.loads((earlier / STORY_OF_BASE).read_text()) != record:
            raise RuntimeError(f"--base-from {earlier} is of another base commit or other steps; leave it out")
        return Side("base", earlier / "tree", earlier / "base"), head
    _check_out(head.tree, commit, work / "tree")
    _write_inputs(work / "in", args.rows)
    (work / STORY_OF_BASE).write_text(json.dumps(record))
    return Side("base", work / "tree", work / "base"), head


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default=BASE, metavar="REV", help=f"what to compare with (default {BASE[:7]})")
    parser.add_argument("--head", type=Path, default=CHECKOUT, metavar="FOLDER", help="another checkout than this one")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="new folder that keeps what both sides left")
    parser.add_argument(
        "--base-from", type=Path, metavar="FOLDER", help="take the base's side from an earlier --keep FOLDER"
    )
    parser.add_argument("--demo", action="store_true", help="also 'blindpo demo --quick' (some minutes more)")
    parser.add_argument(
        "--rows", type=Path, metavar="FOLDER", help="also the released MMSafe-PO rows: test.json, images/"
    )
    parser.add_argument("--steps", default="*", metavar="GLOBS", help="only the steps of these names, by commas")
    args = parser.parse_args()
    if args.keep is not None and args.keep.exists():
        parser.error(f"--keep {args.keep} is there already; give a new folder")
    return args


def _check_out(repository: Path, revision: str, tree: Path) -> None:
    """Unpack the base commit. No git worktree: that would leave a record in the repository after a kill."""
    packed = subprocess.run(["git", "-C", str(repository), "archive", revision], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")


def _write_inputs(folder: Path, rows: Path | None) -> None:
    os.environ.update(OFFLINE)  # before torch is imported, which reads them then
    from tests.golden.inputs import write_inputs
    from tests.golden.model import save_model

    folder.mkdir()
    write_inputs(folder)
    save_model(folder / "tiny")
    if rows is not None:
        shutil.copytree(rows, folder / "released")


def _report(outcomes: Sequence[Outcome], unused: Sequence[str], sides: Sequence[Side]) -> int:
    width = max(len(each.file) for each in outcomes)
    for each in outcomes:
        _say(f"{each.state:<10} {each.file:<{width if each.why else 0}}  {each.why}".rstrip())
    failed = [text for side in sides for text in side.failed]
    for text in failed:
        _say(f"FAILED     {text}")
    for text in unused:
        _say(f"NOT NEEDED {text}")
    counts = Counter(each.state for each in outcomes)
    spent = ", ".join(f"{side.name} {side.seconds:.0f} s" for side in sides)
    _say(
        f"{len(outcomes)} files: {counts['same']} same, {counts['excepted']} excepted, "
        f"{counts['DIFFERENT']} DIFFERENT; "
        f"{len(failed)} steps failed; {len(unused)} exceptions not needed; {spent}"
    )
    return 1 if counts["DIFFERENT"] or failed or unused else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
