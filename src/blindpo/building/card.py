"""The data card (README.md) and the authors of every image (attributions.csv).

Both are written from counts and from what the image sources state, hold no text of a row, and have the same bytes for
the same build.
"""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from blindpo.building.config import BuildConfig
from blindpo.building.funnel import PAPER, lines_of
from blindpo.building.match import MATCHES
from blindpo.jobs.manifest import write_text

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """One image: its hash, what its source states (empty if nothing), and the number of rows that show it."""

    sha256: str
    names: str
    file: str
    title: str
    page: str
    licence: str
    licence_url: str
    author: str
    free: str
    source: str
    rows: int


def attributions(work: Path, counts: Mapping[str, float]) -> list[Attribution]:
    """List the images that rows show, in order of their hash; `counts` has `image<TAB>HASH` for each."""
    used = {key.removeprefix("image\t"): int(n) for key, n in counts.items() if key.startswith("image\t")}
    names: defaultdict[str, list[str]] = defaultdict(list)
    stated: dict[str, dict[str, Any]] = {}
    with (work / MATCHES).open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            candidate = line["candidate"]
            if candidate is not None and candidate["image"]["sha256"] in used:
                stated.setdefault(candidate["image"]["sha256"], candidate)
                names[candidate["image"]["sha256"]].append(line["key"].partition("\t")[0])
    return [_attribution(key, stated[key], names[key], used[key]) for key in sorted(stated)]


def _attribution(key: str, candidate: Mapping[str, Any], names: Sequence[str], rows: int) -> Attribution:
    image = {field: candidate["image"][field] or "" for field in ("file", "title", "page", "licence", "author")}
    return Attribution(
        sha256=key,
        names="; ".join(sorted(set(names))),
        licence_url=candidate["details"].get("licence_url", ""),
        free={True: "yes", False: "no", None: ""}[candidate["free"]],
        source=candidate["source"],
        rows=rows,
        **image,
    )


def write_attributions(path: Path, used: Sequence[Attribution]) -> None:
    """Write a CSV file with a header and one line per image."""
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, fieldnames=list(Attribution.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in used)
    write_text(path, sink.getvalue())


def write_card(
    path: Path, made_of: tuple[BuildConfig, str], summary: Mapping[str, Any], used: Sequence[Attribution]
) -> None:
    """Write README.md of a data folder; `made_of` is the recipe and the source's name."""
    config, source = made_of
    parts = [
        _head(summary),
        "# Multimodal preference data, built by blindpo",
        "> **Content warning.** The texts come from red-teaming and are offensive; some of them name real people. They "
        "are for making assistants harmless, not for reading aloud. The images show what the texts talk about: that "
        "a person or place is shown says nothing about them.",
        _counts(summary),
        "## Funnel\n\n```text\n" + "\n".join(lines_of(summary["funnel"])) + "\n```\n\n"
        "`rejects.jsonl` has stage, field and reason of everything that was not kept, without its text. "
        + _paper_says(),
        _licences(used),
        _limits(config, summary),
        _rebuild(config, source),
    ]
    write_text(path, "\n\n".join(parts) + "\n")


def _head(summary: Mapping[str, Any]) -> str:
    """Return the front matter that data hubs read."""
    splits = summary["splits"]
    files = {name: f"{name}/rows-*.parquet" for name in splits} if len(splits) > 1 else {"train": "rows-*.parquet"}
    listed = "\n".join(f"  - split: {name}\n    path: {pattern}" for name, pattern in files.items())
    return (
        "---\nlanguage: en\ntags: [preference, multimodal, safety, red-teaming]\n"
        f"configs:\n- config_name: default\n  data_files:\n{listed}\n---"
    )


def _counts(summary: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{name} {n}" for name, n in summary["splits"].items())
    flags = ", ".join(f"{name} {n}" for name, n in summary["flags"].items()) or "none"
    entities = summary["entities"]
    return (
        "| | |\n|---|---|\n"
        f"| rows | {summary['kept']} |\n| responses | {summary['responses']} |\n"
        f"| rows by split | {splits} |\n| distinct images | {summary['images']} |\n"
        f"| distinct entities looked up | {entities['entities']} (found {entities['found']}, "
        f"missed {entities['missed']}, unanswered {entities['unanswered']}) |\n"
        f"| rows with a flag | {flags} |\n\n"
        "A row is one (dialogue, entity). Dialogues, not rows, are independent: split and bootstrap by "
        '`provenance.dialogue_id`. `extra` says under "build" what each stage did to the row.'
    )


def _paper_says() -> str:
    changes = ", ".join(f"{before} to {after} ({name})" for name, (before, after) in PAPER.items())
    return f"The paper (arXiv 2503.14189) reports of its own data: {changes} instructions."


def _licences(used: Sequence[Attribution]) -> str:
    images: Counter[str] = Counter(one.licence or UNKNOWN for one in used)
    rows: Counter[str] = Counter()
    for one in used:
        rows[one.licence or UNKNOWN] += one.rows
    table = "\n".join(f"| {name} | {images[name]} | {rows[name]} |" for name in sorted(images))
    unnamed = sum(not one.author for one in used)
    return (
        "## Licences\n\nTexts: as the source's (Anthropic HH-RLHF is MIT). Images, as their sources state:\n\n"
        f"| licence | images | rows |\n|---|---|---|\n{table}\n\n"
        "`attributions.csv` names file, title, page, licence and author of every image; whoever passes images on "
        f"passes it on too. For {unnamed} of {len(used)} images the source states no author."
    )


def _limits(config: BuildConfig, summary: Mapping[str, Any]) -> str:
    limits = [
        "Responses were written and ranked for the text-only dialogue; nobody ranked them beside the image.",
        "A name can be read wrongly (a company for a fruit): images are checked for type where both sides state one.",
        "`label` says nothing of a request's harm unless the source did.",
    ]
    if config.rephrase == "template":
        limits.append(
            "Phrases come from a template: mended determiners and number, but stiff, and at times ungrammatical."
        )
    if config.template == "paper":
        limits.append("Only the first mention in the last user turn is replaced: names stand in the history still.")
    if config.categorise == "rules":
        limits.append("Harm categories come from lists of words: a rough instrument.")
    if not config.free_only:
        limits.append("Images that are not free are among them.")
    if summary["twins"].get("twin"):
        limits.append(
            f"{summary['twins']['twin']} rows are benign twins, derived from others by the judge {config.twins}: their "
            'ids end in "-twin", `pair_id` links them. Their labels are that judge\'s. '
            + ("They have no responses." if config.twin_answers == "none" else
               f"Their chosen response is by {config.twin_answers}, their rejected one a fixed refusal.")
        )  # fmt: skip
    if summary["entities"]["unanswered"]:
        limits.append("Some entities could not be asked about; their rows are missing.")
    return "## Known limits\n\n" + "\n".join(f"- {line}" for line in limits)


def _rebuild(config: BuildConfig, source: str) -> str:
    return (
        "## Rebuild\n\n```sh\n"
        f"blindpo build {source} --recipe recipe.yaml --out DATA\n```\n\n"
        f"`recipe.yaml` holds every key (recognisers {', '.join(config.recognizers)}; sources "
        f"{', '.join(config.sources)}; rephrase {config.rephrase}, template {config.template}), `manifest.json` the "
        "hashes of what was read and the versions of the packages. With the same source, answers and versions the "
        "rows have the same bytes."
    )
