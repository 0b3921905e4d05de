"""`blindpo protocols EVAL --use ...`: one set of stored responses under several protocols, each with its hash.

Nothing is generated again. Every decision is stored with the judge's raw reply. A judge with a store of its own (see
`models/chat/replies.py`) is asked nothing twice. A folder whose judge failed for some items is not finished: its
scores stand there with bounds, and the same command goes on.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blindpo.answer.response import RESPONSES, View
from blindpo.datasets.download import Download
from blindpo.datasets.table import BENCHMARKS
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.evaluation.eval_folder import StoredEval, load_eval, stored_pictures
from blindpo.evaluation.measures import RowMeta, row_meta
from blindpo.evaluation.protocols.decide import Decision, Stored, as_record, decide, decisions_by_row, items
from blindpo.evaluation.protocols.protocol import Protocol, Wording, protocol_hash
from blindpo.evaluation.protocols.published_figures import beside
from blindpo.evaluation.protocols.rates import score
from blindpo.evaluation.protocols.refusal_strings import StringRule
from blindpo.evaluation.protocols.table import find_protocol, fitting
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.stats.clusters import NUM_DRAWS

if TYPE_CHECKING:
    from blindpo.models.chat.interface import TextModel

SCORES: Final = "scores.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A protocol with the texts that were read for it."""

    protocol: Protocol
    wording: Wording | None
    rule: StringRule | None
    hash: str


def prepare(protocol: Protocol, shipped: Path | None) -> Prepared:
    """Read the protocol's texts from `shipped`. Raises UsageError with what to fetch."""
    if protocol.wording is None and protocol.rule is None:
        return Prepared(protocol=protocol, wording=None, rule=None, hash=protocol_hash(protocol, ()))
    if protocol.shipped and shipped is None:
        raise ConfigError(
            f"{protocol.id} reads its texts from the benchmark's own files ({protocol.source}); name the folder that "
            "holds them with --prompts DIR"
        )
    fetch = f"fetch it as {protocol.source} and put it there"
    download = Download(shipped or Path(), fetch)
    wording = protocol.wording(download) if protocol.wording is not None else None
    rule = protocol.rule(download) if protocol.rule is not None else None
    texts = wording.texts if wording is not None else rule.texts if rule is not None else ()
    return Prepared(protocol=protocol, wording=wording, rule=rule, hash=protocol_hash(protocol, texts))


def chosen(
    names: Sequence[str], rows: Sequence[PreferenceRow], views: Collection[View], *, judge: bool, shipped: bool
) -> tuple[list[Protocol], dict[str, str]]:
    """The protocols called `names`; "all" takes those that fit the rows and have what they need.

    The second is what "all" passed over though it fits, by id with the reason. Raises ConfigError where one that was
    named does not fit the rows, or what was asked of them (`views`).
    """
    if list(names) == ["all"]:
        fit = [each for each in fitting(rows) if (judge or each.decides != "judge") and (shipped or not each.shipped)]
        skipped = {each.id: reason for each in fit if (reason := _lacks(each, rows, views))}
        return [each for each in fit if each.id not in skipped], skipped
    found = [find_protocol(name) for name in names]
    for protocol in found:
        stranger = next((row for row in rows if not protocol.fits(row)), None)
        if stranger is not None:
            allowed = ", ".join(each.id for each in fitting(rows))
            raise ConfigError(
                f"{protocol.id} is for {', '.join(protocol.benchmarks)}, and row {stranger.row_id} comes from "
                f"{stranger.provenance.source}; what fits these rows: {allowed}"
            )
        reason = _lacks(protocol, rows, views)
        if reason:
            raise ConfigError(f"{protocol.id}: {reason}")
    return found, {}


def _lacks(protocol: Protocol, rows: Sequence[PreferenceRow], views: Collection[View]) -> str | None:
    """Why these rows cannot be scored by it, though they are of its benchmark."""
    if protocol.view not in views:
        return (
            f"these rows were not asked under the view {protocol.view}; evaluate them with "
            f"--set views=as_is,{protocol.view}"
        )
    if protocol.needs_prefix and any('"prefix": null' in (row.extra or "") for row in rows):
        return (
            "these rows were asked without the benchmark's own instruction; import them again with utils/prompts.py "
            "in the download"
        )
    return None


def run_protocols(
    eval_folder: Path,
    names: Sequence[str],
    out: Path,
    *,
    judge: "TextModel | None" = None,
    shipped: Path | None = None,
    num_draws: int = NUM_DRAWS,
) -> dict[str, Any]:
    """Score the stored responses of `eval_folder` under the protocols `names` into `out`; the content of scores.json.

    Raises UsageError, and UnansweredError where the judge did not answer for all.
    """
    stored = load_eval(eval_folder)
    rows, metas = without_images(stored.rows)
    views = {each.view for each in stored.responses}
    wanted, skipped = chosen(names, rows, views, judge=judge is not None, shipped=shipped is not None)
    prepared = [prepare(protocol, shipped) for protocol in wanted]
    if not prepared:
        raise SourceError(f"no protocol fits the rows of {eval_folder}; 'blindpo protocols' lists all")
    asks = any(each.protocol.decides == "judge" for each in prepared)
    identity = {
        "command": "protocols",
        "protocols": {each.protocol.id: each.hash for each in prepared},
        "judge": None if judge is None or not asks else {"name": judge.name, **judge.identity},
        "responses": sha256((eval_folder / RESPONSES).read_bytes()).hexdigest(),
        "data": stored.manifest["identity"]["data"],
        "num_draws": num_draws,
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return dict(read_json(out / SCORES))
    material = _material(stored, rows, metas)
    found = {}
    unanswered = 0
    for each in prepared:
        decisions = list(decide(each.protocol, material, wording=each.wording, rule=each.rule, judge=judge))
        unanswered += sum(decision.again for decision in decisions)
        lines = "".join(json.dumps(as_record(decision), ensure_ascii=False) + "\n" for decision in decisions)
        write_text(out / f"decisions-{slug(each.protocol.id)}.jsonl", lines)
        found[each.protocol.id] = _record(each, stored, material, decisions, judge=judge, num_draws=num_draws)
    results = {"model": stored.manifest["identity"]["model"], "scores": found, "skipped": skipped}
    write_json(out / SCORES, results)
    if unanswered:
        raise UnansweredError(
            f"{unanswered} decisions are missing since the judge did not answer; bounds stand in {out / SCORES}, and "
            "the same command asks only for these"
        )
    folder.finish({"protocols": sorted(found)})
    return results


def without_images(folder: Path) -> tuple[list[PreferenceRow], dict[str, RowMeta]]:
    """All rows of a data folder without their images, and what measures read of each, image clusters included."""
    rows, metas = [], {}
    for row in read_rows(folder):
        metas[row.row_id] = row_meta(row)
        rows.append(replace(row, images=()))
    return rows, metas


def _material(stored: StoredEval, rows: Sequence[PreferenceRow], metas: Mapping[str, RowMeta]) -> Stored:
    return Stored(
        folder=stored.rows,
        rows=rows,
        metas=metas,
        responses={(each.row_id, each.view): each for each in stored.responses},
        verdicts={(each.row_id, each.view): each for each in stored.verdicts},
        pictures=stored_pictures(stored.path, stored.responses),
    )


def _record(
    each: Prepared,
    stored: StoredEval,
    material: Stored,
    decisions: Sequence[Decision],
    *,
    judge: "TextModel | None",
    num_draws: int,
) -> dict[str, Any]:
    """What stands beside the numbers, so that nobody takes them for others."""
    protocol = each.protocol
    rows = items(protocol, material)
    by_judge = None if judge is None else {"name": judge.name, **judge.identity}
    who = {
        "judge": by_judge,
        "strings": "the benchmark's list",
        "verdicts": stored.results.get("judge"),
        "likelihood": "the model's own likelihoods",
        "responses": "a parser of the model's own answer",
    }
    source = rows[0].provenance.source if rows else None
    released = BENCHMARKS[source].card.num_rows if source in BENCHMARKS else None
    return {
        "protocol": protocol.id,
        "hash": each.hash,
        "decided_by": who[protocol.decides],
        "source": protocol.source,
        "notes": list(protocol.notes),
        "unverified": protocol.unverified,
        "rows": len(material.rows),
        "released": released,
        "complete": None if released is None else len(material.rows) == released,
        **score(protocol, rows, decisions_by_row(decisions), metas=material.metas, num_draws=num_draws),
        "printed_elsewhere": beside(protocol.id),
    }


def slug(protocol_id: str) -> str:
    """A file name of an id."""
    return protocol_id.replace("/", "_")
