"""`blindpo build`: the two passes, the step between them, and the files of a data folder beside its rows.

A killed build continues where it was: pieces of the source, shards of either pass and answers of a source are on disk
before they count. The same source, recipe and answers give the same bytes on any engine.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.building.accept import acceptance
from blindpo.building.card import Attribution, attributions, write_attributions, write_card
from blindpo.building.categorise import read_taxonomy, taxonomy_hash_text
from blindpo.building.config import BuildConfig
from blindpo.building.duplicates import write_first_positions
from blindpo.building.filters import RULES
from blindpo.building.funnel import PAPER, funnel_of
from blindpo.building.match import MATCHES, MatchTotals, distinct, match_all, why_unanswered
from blindpo.building.out import write_splits
from blindpo.building.pipeline import FirstPass, SecondPass, found_positions, found_queries, make_recognizers
from blindpo.building.read import Reader, find_reader
from blindpo.building.text_models import is_model, require_known
from blindpo.errors import ConfigError, NothingKeptError, UnansweredError
from blindpo.images.base import ImageSource
from blindpo.images.catalogue import Catalogue
from blindpo.images.table import make_sources
from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import write_json, write_text
from blindpo.jobs.settings import identity_of
from blindpo.jobs.shards import Place, RowJob, Totals, make_shards, merge_rejects, sum_counts
from blindpo.models.vlm.source import fingerprint, resolve_model

PERSONAL: Final = frozenset({"contact", "lookup_cache"})
"""Keys about who builds and on which machine: no published file holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSummary:
    """The counts of a build."""

    kept: int
    rejected: int
    images: int
    """Number of distinct images in the rows."""
    funnel: list[dict[str, Any]]
    flags: dict[str, int]
    entities: dict[str, int]
    """Numbers of distinct entities: looked up, found, missed, unanswered."""
    splits: dict[str, int]
    twins: dict[str, int]
    """Rows by the judge's verdict; empty if the recipe asks for no twins."""
    responses: int


def run_build(config: BuildConfig, source: Path, out: Path, *, engine: Engine = IN_PROCESS) -> BuildSummary:
    """Build `source` into the data folder `out`. Raises UsageError, UnansweredError and NothingKeptError."""
    check_names(config)
    reader = find_reader(source)
    make_recognizers(config)
    sources = make_sources(config.sources, config)
    folder = OutFolder(out, _identity(config, reader, sources))
    if folder.begin() == "done":
        return _summary(folder.manifest()["summary"])
    shards = reader.split(folder.work, config.shard_dialogues)
    first_pass = Place(folder.work / "found", folder.work / "found")
    first_pass.rows.mkdir(exist_ok=True)
    make_shards(RowJob(first_pass, FirstPass(reader, config)), shards, what="read, find entities", engine=engine)
    entities = _between(config, sources, folder, (first_pass.rows, shards))
    rows = Place(folder.path, folder.work)
    # one process: a build that asks models waits for servers, not for cores
    asks = any(map(is_model, (config.rephrase, config.categorise, config.twins)))
    work = SecondPass(config, folder.work, first_pass.rows)
    make_shards(RowJob(rows, work), shards, what="make rows", engine=IN_PROCESS if asks else engine)
    merge_rejects(out / "rejects.jsonl", [(first_pass, shards), (rows, shards)])
    second = sum_counts(rows, shards)
    summary = _summarise(sum_counts(first_pass, shards), second, entities)
    if not summary.kept:
        reasons = {code: n for stage in summary.funnel for code, n in stage["rejected"].items()}
        most = max(reasons, key=lambda code: reasons[code], default="the source holds no dialogue")
        raise NothingKeptError(f"no row could be built; most often: {most}; {out / 'rejects.jsonl'} gives all reasons")
    _finish((config, source.name), folder, summary, attributions(folder.work, second.counts))
    return summary


def check_names(config: BuildConfig) -> None:
    """Raise ConfigError for names of rules and models that do not exist."""
    for key in ("filters", "flags"):
        for name in getattr(config, key):
            if name not in RULES:
                raise ConfigError(f"{key}: unknown rule '{name}'; allowed: {', '.join(RULES)}")
    twice = sorted(set(config.filters) & set(config.flags))
    if twice:
        raise ConfigError(f"flags: '{twice[0]}' is also among the filters, which reject; keep it in one of them")
    require_known(config.rephrase, ("template",), "rephrase")
    require_known(config.categorise, ("none", "rules"), "categorise")
    require_known(config.twins, ("none",), "twins")
    require_known(config.twin_answers, ("none", "template"), "twin_answers")


def _between(
    config: BuildConfig, sources: list[ImageSource], folder: OutFolder, first_pass: tuple[Path, int]
) -> MatchTotals:
    """Look up the distinct entities, and store the first position of every dialogue."""
    if not (folder.work / "places.npy").is_file():
        write_first_positions(found_positions(*first_pass), folder.work)
    drop = config.unanswered == "drop"
    totals = match_all(distinct(found_queries(*first_pass)), sources, acceptance(config), folder.work, drop=drop)
    if totals.unanswered and not drop:
        raise UnansweredError(
            f"{totals.unanswered} of {totals.entities} entities got no answer (most often: "
            f"{why_unanswered(folder.work)}); {folder.work / MATCHES} says which. Run the same command again: it asks "
            "only for those. --set unanswered=drop goes on without them"
        )
    return totals


def _identity(config: BuildConfig, reader: Reader, sources: list[ImageSource]) -> dict[str, object]:
    models = [
        name
        for name in (
            *config.recognizers,
            config.rephrase,
            config.categorise,
            config.agreement,
            config.twins,
            config.twin_answers,
        )
        if name[:3] in ("hf:", "vlm")
    ]
    read: dict[str, object] = {source.name: source.identity() for source in sources}
    if "catalogue" in config.recognizers and "catalogue" not in read:
        read["catalogue"] = Catalogue(config.catalogue_folder).identity()
    if config.categorise != "none":
        text = taxonomy_hash_text(read_taxonomy(config.taxonomy_file))
        read["taxonomy"] = sha256(text.encode()).hexdigest()
    return {
        "command": "build",
        "config": identity_of(config),
        "source": reader.identity(),
        "read": read,
        "models": {name: fingerprint(resolve_model(name.partition(":")[2])) for name in models},
    }


def _summarise(first: Totals, second: Totals, entities: MatchTotals) -> BuildSummary:
    counts = {**first.counts, **second.counts}

    def part(start: str) -> dict[str, int]:
        return {key.removeprefix(start): int(n) for key, n in sorted(counts.items()) if key.startswith(start)}

    return BuildSummary(
        kept=second.kept,
        rejected=first.rejected + second.rejected,
        images=len(part("image\t")),
        funnel=funnel_of(counts),
        flags=part("flag\t"),
        entities=asdict(entities),
        splits={name or "none": n for name, n in part("split\t").items()},
        twins=part("twin\t"),
        responses=int(counts.get("responses", 0)),
    )


def _summary(saved: Any) -> BuildSummary:
    return BuildSummary(**saved)


def _finish(
    made_of: tuple[BuildConfig, str], folder: OutFolder, summary: BuildSummary, used: list[Attribution]
) -> None:
    """Write everything beside the rows, the manifest last. `made_of` is the recipe and the source's name."""
    write_splits(folder.path, summary.splits)
    record = asdict(summary)
    write_json(folder.path / "funnel.json", {**record, "paper": {name: list(pair) for name, pair in PAPER.items()}})
    write_attributions(folder.path / "attributions.csv", used)
    write_text(folder.path / "recipe.yaml", recipe_text(asdict(made_of[0])))
    write_card(folder.path / "README.md", made_of, record, used)
    folder.finish({"kept": summary.kept, "rejected": summary.rejected, "summary": record})


def recipe_text(keys: Mapping[str, Any]) -> str:
    """Return the keys as the YAML of a recipe, in the order of the dataclass, without the personal ones."""
    # building needs no yaml; only this file does, for its quoting
    import yaml

    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
    for key in PERSONAL:
        plain.pop(key, None)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
