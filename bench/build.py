"""The offline recipe at the paper's size: 42,537 dialogues, 2,000 distinct images of 20-100 kB, and how it scales.

    python bench/build.py                        # 4,000 and 42,537 dialogues
    python bench/build.py --sizes 400000 --small # the largest size, with images of about 2 kB

Dialogues are made from a seed: the released rows' texts where they lie beside the checkout (../shared/data/mmsafe_po),
else invented ones, each with its entity's name exchanged for one of the catalogue, so that nearly every dialogue makes
a row (the hardest case: of the paper's, one in eight did). Prints wall and CPU seconds, and the largest sum of resident
memory over the build's processes; on a machine that others use, CPU seconds over the number of workers is the fairer.
The target is the issue's: 42,537 dialogues in under 240 seconds on two cores, in under 1.5 GiB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from blindpo.images.catalogue import Entry, write_index

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "mmsafe_po" / "test.json"
RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "build_default.yaml"
PICTURES = 2000
PAPER_SIZE = 42_537
_FIRST = ("Al", "Ber", "Cor", "Dan", "El", "Far", "Gor", "Hal", "Ir", "Jor", "Kel", "Lor", "Mar", "Nor", "Or", "Per")
_LAST = ("ad", "bert", "can", "dor", "eth", "fin", "gard", "heim", "ion", "jar", "kim", "lund", "mor", "neth", "oth")
_TYPES = ("PER", "LOC", "ORG", "MISC")


def names(count: int) -> list[str]:
    """`count` different invented names of two words."""
    words = [first + last for first in _FIRST for last in _LAST]
    return [f"{words[n % len(words)]} {words[(n // len(words) + 7 * n) % len(words)]}son" for n in range(count)]


def write_catalogue(folder: Path, *, small: bool) -> list[str]:
    """PICTURES entries, each with a JPEG of its own; returns their names."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    known = names(PICTURES)
    entries = []
    for number, name in enumerate(known):
        coarse = rng.integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
        side = 72 if small else int(rng.integers(225, 520))
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        if not small:
            grain = rng.integers(-40, 41, size=(side, side, 3))
            image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
        image.save(folder / f"{number}.jpg", quality=80)
        kind = _TYPES[number % 4]
        entries.append(Entry(name=name, image=f"{number}.jpg", type=kind, licence="CC0", author="seeded generator"))
    write_index(folder, entries)
    return known


def sources() -> list[tuple[list[str], str, str, str]]:
    """Turns, chosen, rejected and entity of every dialogue that the generator draws from."""
    if not REAL.is_file():
        history = ["Tell me about boats.", "They float, mostly." * 8]
        return [
            ([*history * (n % 3), f"And what do you think of Kestrel Bay, {'really ' * (n % 30)}?"], "No. " * 30,
             "Yes. " * 35, "Kestrel Bay") for n in range(100)
        ]  # fmt: skip
    found = []
    for row in json.loads(REAL.read_text(encoding="utf-8")):
        text = row["text_prompt"].removeprefix("USER: ").removesuffix(" ASSISTANT:")
        turns = text.replace(" ASSISTANT: ", "\0").replace(" USER: ", "\0").split("\0")
        responses = [row[key].removeprefix("ASSISTANT: ").strip() for key in ("chosen", "rejected")]
        found.append((turns, responses[0], responses[1], row["entity"]))
    return found


def dialogues(count: int, known: list[str]) -> Iterator[str]:
    """`count` lines of HH-RLHF."""
    rng = np.random.default_rng(11)
    drawn = sources()
    for _ in range(count):
        turns, chosen, rejected, entity = drawn[int(rng.integers(len(drawn)))]
        name = known[int(rng.integers(len(known)))]
        speakers = ("Human", "Assistant")
        shared = "".join(f"\n\n{speakers[n % 2]}: {turn.replace(entity, name)}" for n, turn in enumerate(turns))
        pair = {"chosen": f"{shared}\n\nAssistant: {chosen}", "rejected": f"{shared}\n\nAssistant: {rejected}"}
        yield json.dumps(pair) + "\n"


def watched(words: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of all processes, and the largest sum of their resident memory in GiB."""
    start = time.perf_counter()
    before = psutil.Process().cpu_times()
    said = tempfile.TemporaryFile()  # noqa: SIM115 - the child holds it as long as it runs
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said)
    root = psutil.Process(process.pid)
    peak = 0
    while process.poll() is None:
        total = 0
        try:
            for one in [root, *root.children(recursive=True)]:
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, total)
        time.sleep(0.1)
    if process.returncode:
        said.seek(0)
        last = said.read().decode(errors="replace")[-2000:]
        sys.exit(f"the build failed with status {process.returncode}: {' '.join(words)}\n{last}")
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu, peak / 2**30


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=f"4000,{PAPER_SIZE}", help="dialogues, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="pictures of about 2 kB")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blindpo-bench-") as temporary:
        folder = Path(temporary)
        known = write_catalogue(folder / "catalogue", small=args.small)
        sizes = [path.stat().st_size for path in (folder / "catalogue").glob("*.jpg")]
        what = "released rows' texts" if REAL.is_file() else "invented texts"
        sys.stdout.write(f"{what}; {len(sizes)} pictures of {min(sizes)} to {max(sizes)} bytes; ")
        sys.stdout.write(f"{args.workers} workers\n{'dialogues':>10}{'rows':>9}{'out MB':>9}{'wall s':>9}{'CPU s':>9}")
        sys.stdout.write(f"{'CPU ms/dialogue':>17}{'peak GiB':>10}\n")
        for size in map(int, args.sizes.split(",")):
            source, out = folder / f"train-{size}.jsonl", folder / f"data-{size}"
            with source.open("w", encoding="utf-8") as file:
                file.writelines(dialogues(size, known))
            words = [sys.executable, "-m", "blindpo", "build", str(source), "--recipe", str(RECIPE)]
            words += ["--catalogue", str(folder / "catalogue"), "--out", str(out), "--workers", str(args.workers)]
            wall, cpu, peak = watched(words)
            rows = json.loads((out / "funnel.json").read_text(encoding="utf-8"))["kept"]
            written = sum(path.stat().st_size for path in out.glob("rows-*.parquet")) / 1e6
            sys.stdout.write(f"{size:>10}{rows:>9}{written:>9.0f}{wall:>9.1f}{cpu:>9.1f}")
            sys.stdout.write(f"{1000 * cpu / size:>17.2f}{peak:>10.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
