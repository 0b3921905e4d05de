"""The order of the stages, in this one place.

    pass 1, shard by shard      read -> entities
    between, once for all       look up distinct entities; find duplicate dialogues
    pass 2, shard by shard      match -> rephrase (template, then a model) -> filter -> categorise -> twins -> out

A pass is a value that can be sent to another process; its heavy parts are made there, once.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from blindpo.building.categorise import ByModel, ByRules, read_taxonomy
from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft, Mention, Outcome, Stage
from blindpo.building.duplicates import FirstPositions
from blindpo.building.entities import CapitalisedRecognizer, CatalogueRecognizer, ModelRecognizer, Recognize, Recognizer
from blindpo.building.filters import Filter, flag_counts
from blindpo.building.funnel import tally
from blindpo.building.match import Match, StoredImages
from blindpo.building.out import Out
from blindpo.building.read import STAGE as READ
from blindpo.building.read import Reader
from blindpo.building.rephrase import Template
from blindpo.building.rewrite import Rewrite
from blindpo.building.text_models import find_model, is_model
from blindpo.building.twins import TwinModels, Twins, verdict_counts
from blindpo.errors import ConfigError
from blindpo.images.base import Query
from blindpo.images.catalogue import read_index
from blindpo.jobs.shards import Reject, ShardResult
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_shard, shard_name


def make_recognizers(config: BuildConfig) -> list[Recognizer]:
    """Return the recognisers of the recipe, in its order. Raises ConfigError, SourceError and ModelError."""
    return [_recognizer(name, config) for name in config.recognizers]


def _recognizer(name: str, config: BuildConfig) -> Recognizer:
    if name == "catalogue":
        if not config.catalogue:
            raise ConfigError("the recogniser 'catalogue' needs a folder: --catalogue DIR")
        entries = read_index(config.catalogue_folder)
        return CatalogueRecognizer((alias, entry.type) for entry in entries for alias in entry.names)
    if name == "capitalised":
        return CapitalisedRecognizer()
    kind, _, model = name.partition(":")
    if kind == "hf" and model:
        return ModelRecognizer(resolve_model(model))
    raise ConfigError(f"recognizers: '{name}' is unknown; allowed: catalogue, capitalised, hf:MODEL")


class FirstPass:
    """read -> entities; its rows hold the mention in `extra` until the second pass."""

    def __init__(self, reader: Reader, config: BuildConfig) -> None:
        self._reader = reader
        self._config = config
        self._recognize: Recognize | None = None

    def __call__(self, number: int) -> ShardResult:
        """Process one shard of the source."""
        if self._recognize is None:
            config = self._config
            self._recognize = Recognize(
                make_recognizers(config), min_score=config.min_entity_score, most=config.max_entities
            )
        read = self._reader.shard(number)
        counts = tally(READ, read.size, read.rejects)
        outcome = self._recognize([row for _, row in read.rows])
        counts += tally(self._recognize.name, len(read.rows), outcome.rejects, len(outcome.drafts))
        start = number * self._config.shard_dialogues
        positions = {row.row_id: start + position for position, row in read.rows}
        rows = [_packed(draft, positions[draft.dialogue_row]) for draft in outcome.drafts]
        return ShardResult(rows=rows, rejects=[*read.rejects, *outcome.rejects], counts=dict(counts))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what each process makes anew."""
        return {**self.__dict__, "_recognize": None}


def _packed(draft: Draft, position: int) -> PreferenceRow:
    return replace(draft.row, extra=json.dumps({"mention": asdict(draft.mention), "place": position}))


def found_queries(folder: Path, num_shards: int) -> Iterator[Query]:
    """Yield name and type of every mention of the first pass, reading only the column that holds them."""
    for record in _column(folder, num_shards, "entity"):
        yield Query(text=record["text"], type=record["type"])


def found_positions(folder: Path, num_shards: int) -> Iterator[tuple[str, int]]:
    """Yield dialogue id and position in the source of every mention of the first pass."""
    ids = (record["dialogue_id"] for record in _column(folder, num_shards, "provenance"))
    positions = (json.loads(extra)["place"] for extra in _column(folder, num_shards, "extra"))
    return zip(ids, positions, strict=True)


def _column(folder: Path, num_shards: int, name: str) -> Iterator[Any]:
    for path in (folder / shard_name(number) for number in range(num_shards)):
        if path.is_file():
            yield from pq.read_table(path, columns=[name]).column(name).to_pylist()


class SecondPass:
    """match -> rephrase -> filter -> categorise -> twins -> out."""

    def __init__(self, config: BuildConfig, work: Path, first_pass: Path) -> None:
        self._config = config
        self._work = work
        self._found = first_pass
        self._stages: list[Stage] = []
        self._first: FirstPositions | None = None

    def __call__(self, number: int) -> ShardResult:
        """Process one shard of the first pass."""
        if self._first is None:
            self._first = FirstPositions(self._work)
            self._stages = make_stages(self._config, self._work)
        path = self._found / shard_name(number)
        drafts: Sequence[Draft] = [_unpacked(row, self._first) for row in read_shard(path)] if path.is_file() else []
        rejects: list[Reject] = []
        counts: Counter[str] = Counter()
        for stage in self._stages:
            outcome = stage(drafts)
            counts += tally(stage.name, len(drafts), outcome.rejects, len(outcome.drafts))
            drafts = outcome.drafts
            rejects += outcome.rejects
        counts.update({f"flag\t{name}": times for name, times in flag_counts(drafts)})
        counts["responses"] += sum((d.row.chosen is not None) + (d.row.rejected is not None) for d in drafts)
        counts.update({f"twin\t{words}": times for words, times in verdict_counts(drafts).items()})
        counts.update(f"image\t{image.sha256}" for draft in drafts for image in draft.row.images)
        counts.update(f"split\t{draft.row.provenance.split or ''}" for draft in drafts)
        return ShardResult(rows=[draft.row for draft in drafts], rejects=rejects, counts=dict(counts))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what each process makes anew."""
        return {**self.__dict__, "_stages": [], "_first": None}


def _unpacked(row: PreferenceRow, first: FirstPositions) -> Draft:
    kept = json.loads(row.extra or "")
    mention = Mention(**kept["mention"])
    position = {key: value for key, value in asdict(mention).items() if key not in ("text", "type")}
    notes: dict[str, Any] = {"mention": position}
    if first.came_before(row.provenance.dialogue_id, kept["place"]):
        notes["duplicate"] = True
    return Draft(row=replace(row, extra=None), mention=mention, notes=notes)


def make_stages(config: BuildConfig, work: Path) -> list[Stage]:
    """Return the second pass's stages in order. Raises the errors of the models and files that the recipe names."""
    stop = config.unanswered == "stop"
    rephrase: list[Stage] = [Template(config)]
    if is_model(config.rephrase):
        model = find_model(config.rephrase, config, work, temperature=config.rewrite_temperature)
        rephrase.append(Rewrite(model, tries=config.rewrites, stop_unanswered=stop))
    images = StoredImages(work)
    stages: list[Stage] = [Match(images), Chain("rephrase", rephrase), Filter(config)]
    if config.categorise == "rules":
        stages.append(ByRules(read_taxonomy(config.taxonomy_file)))
    elif is_model(config.categorise):
        model = find_model(config.categorise, config, work)
        stages.append(ByModel(model, read_taxonomy(config.taxonomy_file), stop_unanswered=stop))
    if config.twins != "none":
        judge = find_model(config.twins, config, work)
        answers = (
            find_model(config.twin_answers, config, work) if is_model(config.twin_answers) else config.twin_answers
        )
        models = TwinModels(judge=judge, answers=answers)  # type: ignore[arg-type]  # check_names allows no other text
        stages.append(Twins(models, images, tries=config.twin_images, seed=config.seed, stop_unanswered=stop))
    return [*stages, Out(config)]


class Chain:
    """Several steps that count as one stage."""

    def __init__(self, name: str, steps: Sequence[Stage]) -> None:
        self.name = name
        self._steps = steps

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Run each step on the result of the one before."""
        rejects: list[Reject] = []
        for step in self._steps:
            outcome = step(drafts)
            drafts = outcome.drafts
            rejects += outcome.rejects
        return Outcome(drafts, rejects)
