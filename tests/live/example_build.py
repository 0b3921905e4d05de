"""The example of docs/example_build, made again: real rows, raw text, a build with the local wiki as Wikipedia.

    python -m tests.live.example_build MMSAFE_PO docs/example_build

MMSAFE_PO is the folder of the released rows. They become HH-RLHF raw text (their `text_prompt` and responses); a wiki
on this machine gets a page for each of their entities, with a drawn mosaic as its image; `blindpo build` then knows
the raw text and the wiki alone.
Kept are the funnel, the data card and the figures: counts, no text of a row, no name. BLINDPO_WIKI_DIR names a folder
where the built wiki stays.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.live.wiki_server import local_wiki, why_not
from tests.live.wiki_world import write_entity, write_world

from blindpo.answer.views import has_view, shown_row
from blindpo.cli.main import main
from blindpo.datasets.formats.hh_rlhf import HHRLHF
from blindpo.rows.shards import read_rows
from blindpo.rows.views import OtherImages

CATEGORIES: Final = {
    "PER": "Living people",
    "LOC": "Cities in Fiction",
    "ORG": "Companies of Fiction",
    "MISC": "Entries",
}
KEPT: Final = {"funnel.json": "funnel.json", "README.md": "data_card.md"}
RECIPE: Final = Path(__file__).parents[2] / "recipes" / "build_wikipedia.yaml"


def write_entities(data: Path, content: Path) -> int:
    """A page for every entity of the rows that a wiki can have; returns how many."""
    write_world(content)
    titles: dict[str, tuple[str, str]] = {}
    for row in read_rows(data):
        if row.entity is not None and not set(row.entity.text) & set("/|#<>[]{}"):
            name = row.entity.text
            titles.setdefault(name[:1].upper() + name[1:], (name, CATEGORIES[row.entity.type or "MISC"]))
    for title, (_, category) in sorted(titles.items()):
        write_entity(content, title, category)
    return len(titles)


def make(source: Path, out: Path, work: Path) -> int:
    """All steps; returns the first exit status that is not 0."""
    data, raw, built = work / "released", work / "raw.jsonl", work / "built"
    status = main(
        ["import", "mmsafe-po", str(source / "test.json"), "--images", str(source / "images"), "--out", str(data)]
    )
    if status:
        return status
    raw_format = HHRLHF()
    twins = (shown_row(row, "text", OtherImages()) for row in read_rows(data) if has_view(row, "text"))
    raw_format.write((raw_format.to_record(twin) for twin in twins), raw)
    print(f"{write_entities(data, work / 'content')} pages in the wiki")  # noqa: T201
    wiki = Path(os.environ.get("BLINDPO_WIKI_DIR") or work / "wiki")
    with local_wiki(wiki, work / "content") as url:
        sets = ("contact=example@example.org", f"wikipedia_api={url}/api.php", f"lookup_cache={work / 'cache'}",
                "requests_per_minute=6000")  # fmt: skip
        words = [word for one in sets for word in ("--set", one)]
        status = main(["build", str(raw), "--recipe", str(RECIPE), "--out", str(built), *words])
    status = status or main(["stats", str(built), "--figures", str(out / "figures")])
    for name, kept in KEPT.items() if not status else ():
        shutil.copy(built / name, out / kept)
    return status


if __name__ == "__main__":
    reason = why_not()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(make(Path(sys.argv[1]), Path(sys.argv[2]), Path(folder)))
