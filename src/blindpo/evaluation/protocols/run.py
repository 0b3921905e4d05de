"""`blindpo protocols EVAL --use ...`: one set of stored responses under several protocols, each with its hash.

Nothing is generated again. Whoever the protocol says decides: a judge, a list of strings, the stored verdicts, the
stored likelihoods, or a parser of the response. Each decision is a `Verdict`, stored with the judge's raw reply. A
reply that never came may be asked for again; one without a decision ("unparsed") is the judge's own.

A judge with a store of its own (see `models/chat/replies.py`) is asked nothing twice. A folder whose judge failed for
some items is not finished: its scores have bounds, and the same command goes on.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blindpo.answer.response import RESPONSES, Response
from blindpo.datasets.benchmarks.base import item_meta
from blindpo.datasets.download import Download
from blindpo.datasets.table import BENCHMARKS
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.evaluation.eval_folder import StoredEval, load_eval
from blindpo.evaluation.judges.judge import Cases
from blindpo.evaluation.judges.prompts import JudgePrompt, OurPrompt, ask_judge
from blindpo.evaluation.judges.verdict import NO_RESPONSE, UNREADABLE, Verdict, decision_lines
from blindpo.evaluation.measures import RowMeta, row_meta
from blindpo.evaluation.protocols.ours import OUR_PROMPT
from blindpo.evaluation.protocols.protocol import ScoringProtocol, protocol_hash
from blindpo.evaluation.protocols.published_figures import beside
from blindpo.evaluation.protocols.rates import score
from blindpo.evaluation.protocols.refusal_strings import REFUSES, StringRule
from blindpo.evaluation.protocols.table import find_protocol, fitting
from blindpo.evaluation.protocols.wordings import TemplatePrompt
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.rows.view_names import View
from blindpo.stats.clusters import NUM_DRAWS

if TYPE_CHECKING:
    from blindpo.models.chat.interface import TextModel

SCORES_FILE: Final = "scores.json"


NO_VERDICT: Final = "no stored verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A protocol with the texts that were read for it."""

    protocol: ScoringProtocol
    prompt: JudgePrompt | None
    rule: StringRule | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What decisions are made of: a stored evaluation, its rows by themselves, the rest by row and view.

    `rows` are held without their images (a benchmark's may be gigabytes): the folder is read again where a judge sees
    them.
    """

    stored: StoredEval
    rows: Sequence[PreferenceRow]
    metas: Mapping[str, RowMeta]
    responses: Mapping[tuple[str, View], Response]
    verdicts: Mapping[tuple[str, View], Verdict]


def prepare(protocol: ScoringProtocol, shipped: Path | None) -> Prepared:
    """Read the protocol's texts from `shipped`. Raises UsageError with what to fetch."""
    if protocol.wording is None and protocol.rule is None:
        return Prepared(protocol=protocol, prompt=protocol.prompt, rule=None, hash=protocol_hash(protocol, ()))
    if protocol.shipped and shipped is None:
        raise ConfigError(
            f"{protocol.id} reads its texts from the benchmark's own files ({protocol.source}); name the folder that "
            "holds them with --prompts DIR"
        )
    download = Download(shipped or Path(), f"fetch it as {protocol.source} and put it there")
    prompt = TemplatePrompt(protocol, protocol.wording(download)) if protocol.wording is not None else None
    rule = protocol.rule(download) if protocol.rule is not None else None
    texts = prompt.wording.texts if prompt is not None else rule.texts if rule is not None else ()
    return Prepared(protocol=protocol, prompt=prompt, rule=rule, hash=protocol_hash(protocol, texts))


def chosen(
    names: Sequence[str], rows: Sequence[PreferenceRow], views: Collection[View], *, judge: bool, shipped: bool
) -> tuple[list[ScoringProtocol], dict[str, str]]:
    """The protocols called `names`; "all" takes those that fit the rows and have what they need.

    The second is what "all" passed over though it fits, by id with the reason. Raises ConfigError where one that was
    named does not fit the rows, or what was asked of them (`views`).
    """
    if list(names) == ["all"]:
        fit = [each for each in fitting(rows) if (shipped or not each.shipped) and _in_all(each, judge=judge)]
        skipped = {each.id: reason for each in fit if (reason := _lacks(each, rows, views))}
        return [each for each in fit if each.id not in skipped], skipped
    protocols = [find_protocol(name) for name in names]
    for protocol in protocols:
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
    return protocols, {}


def _in_all(protocol: ScoringProtocol, *, judge: bool) -> bool:
    """Whether "all" includes it. One that asks a judge about any rows must be named, since judges cost money."""
    return protocol.decides != "judge" or (judge and "*" not in protocol.benchmarks)


def _lacks(protocol: ScoringProtocol, rows: Sequence[PreferenceRow], views: Collection[View]) -> str | None:
    """Why these rows cannot be scored by it, though they are of its benchmark."""
    if protocol.view not in views:
        return (
            f"these rows were not asked under the view {protocol.view}; evaluate them with "
            f"--views as_is,{protocol.view}"
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
    prompt: OurPrompt = OUR_PROMPT,
    shipped: Path | None = None,
    num_draws: int = NUM_DRAWS,
) -> dict[str, Any]:
    """Score the stored responses of `eval_folder` under the protocols `names` into `out`; the content of scores.json.

    `prompt` is what `judge` is asked where a protocol's prompt is ours: with another limit, or its instructions
    elsewhere. Raises UsageError, and UnansweredError where the judge did not answer for all.
    """
    stored = load_eval(eval_folder)
    rows, metas = without_images(stored.rows)
    views = {each.view for each in stored.responses}
    wanted, skipped = chosen(names, rows, views, judge=judge is not None, shipped=shipped is not None)
    prepared = [prepare(_asking_by(prompt, protocol), shipped) for protocol in wanted]
    if not prepared:
        raise SourceError(f"no protocol fits the rows of {eval_folder}; 'blindpo protocols' lists all")
    asks = any(each.protocol.decides == "judge" for each in prepared)
    identity = {
        "command": "protocols",
        "protocols": {each.protocol.id: each.hash for each in prepared},
        "judge": None if judge is None or not asks else {"name": judge.name, **judge.identity},
        "responses": sha256((eval_folder / RESPONSES).read_bytes()).hexdigest(),
        "data": stored.data,
        "num_draws": num_draws,
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return dict(read_json(out / SCORES_FILE))
    material = Material(
        stored=stored,
        rows=rows,
        metas=metas,
        responses={(each.row_id, each.view): each for each in stored.responses},
        verdicts={(each.row_id, each.view): each for each in stored.verdicts},
    )
    scores = {}
    unanswered = 0
    for each in prepared:
        decisions = list(decide(each, material, judge=judge))
        unanswered += sum(decision.again for decision in decisions)
        lines = decision_lines(decisions, each.protocol.axis)
        write_text(out / f"decisions-{each.protocol.id.replace('/', '_')}.jsonl", lines)
        scores[each.protocol.id] = _record(each, material, decisions, judge=judge, num_draws=num_draws)
    results = {"model": stored.manifest["identity"]["model"], "scores": scores, "skipped": skipped}
    write_json(out / SCORES_FILE, results)
    if unanswered:
        raise UnansweredError(
            f"{unanswered} decisions are missing since the judge did not answer; bounds are in {out / SCORES_FILE}, "
            "and the same command asks only for these"
        )
    folder.finish({"protocols": sorted(scores)})
    return results


def without_images(folder: Path) -> tuple[list[PreferenceRow], dict[str, RowMeta]]:
    """All rows of a data folder without their images, and what measures read of each, image clusters included."""
    rows, metas = [], {}
    for row in read_rows(folder):
        metas[row.row_id] = row_meta(row)
        rows.append(replace(row, images=()))
    return rows, metas


def _asking_by(prompt: OurPrompt, protocol: ScoringProtocol) -> ScoringProtocol:
    return protocol if protocol.prompt is None else replace(protocol, prompt=prompt)


def items(protocol: ScoringProtocol, material: Material) -> list[PreferenceRow]:
    """The rows that this protocol decides on."""
    if not protocol.given_refused:
        return list(material.rows)
    refused = {row_id for (row_id, view), v in material.verdicts.items() if view == "as_is" and v.engagement == REFUSES}
    return [row for row in material.rows if row.row_id in refused]


def decide(prepared: Prepared, material: Material, *, judge: "TextModel | None" = None) -> Iterator[Verdict]:
    """The decisions, in the order of `items`. Raises ConfigError where the judge is missing."""
    protocol = prepared.protocol
    rows = items(protocol, material)
    if protocol.decides == "judge":
        if judge is None or prepared.prompt is None:
            raise ConfigError(f"{protocol.id} needs a judge; name one with --judge chat:MODEL")
        yield from _ask(prepared.prompt, rows, material, view=protocol.view, judge=judge)
        return
    for row in rows:
        response = material.responses.get((row.row_id, protocol.view))
        if protocol.decides == "verdicts":
            yield _stored(protocol, row, material)
        elif protocol.decides == "likelihood":
            yield _likelier(protocol, row, response)
        elif response is None or response.text is None:
            yield _decided(protocol, row, None, NO_RESPONSE)
        elif prepared.rule is not None:
            yield _decided(protocol, row, prepared.rule(response.text))
        else:
            letter = protocol.parser(response.text) if protocol.parser is not None else None
            word = None if letter is None else "right" if letter == item_meta(row).get("safe") else "wrong"
            yield _decided(protocol, row, word, UNREADABLE)


def _decided(protocol: ScoringProtocol, row: PreferenceRow, word: str | None, reason: str = UNREADABLE) -> Verdict:
    """A decision that no judge made; without a word, for `reason`."""
    return Verdict(
        row_id=row.row_id,
        view=protocol.view,
        judge=protocol.decides,
        decision=word,
        reason=reason if word is None else None,
    )


def _stored(protocol: ScoringProtocol, row: PreferenceRow, material: Material) -> Verdict:
    verdict = material.verdicts.get((row.row_id, protocol.view))
    if verdict is None:
        return _decided(protocol, row, None, NO_VERDICT)
    return verdict if verdict.word(protocol.axis) else replace(verdict, reason=NO_VERDICT, again=False)


def _likelier(protocol: ScoringProtocol, row: PreferenceRow, response: Response | None) -> Verdict:
    chosen = None if response is None else response.chosen_logp_per_token
    rejected = None if response is None else response.rejected_logp_per_token
    if chosen is None or rejected is None:
        return _decided(protocol, row, None, "no stored likelihoods")
    return _decided(protocol, row, "chosen" if chosen > rejected else "rejected")


def _ask(
    prompt: JudgePrompt, rows: Sequence[PreferenceRow], material: Material, *, view: View, judge: "TextModel"
) -> Iterator[Verdict]:
    """Only rows with a response are asked about; the judge's replies come back in the order of the requests."""
    stored = material.stored
    responses = {row.row_id: material.responses.get((row.row_id, view)) for row in rows}
    with_text = [each for each in responses.values() if each is not None and each.text is not None]
    cases = Cases(stored.rows, with_text, stored.images())
    verdicts = {verdict.row_id: verdict for verdict in ask_judge(prompt, judge, cases, judge=judge.name)}
    for row in rows:
        missing = Verdict(row_id=row.row_id, view=view, judge=judge.name, reason=NO_RESPONSE)
        yield verdicts.get(row.row_id, missing)


def _record(
    each: Prepared, material: Material, decisions: Sequence[Verdict], *, judge: "TextModel | None", num_draws: int
) -> dict[str, Any]:
    """The numbers with everything that tells them from numbers of another protocol."""
    protocol = each.protocol
    rows = items(protocol, material)
    by_judge = None if judge is None else {"name": judge.name, **judge.identity}
    who = {
        "judge": by_judge,
        "strings": "the benchmark's list",
        "verdicts": material.stored.results.get("judge"),
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
        **score(
            protocol,
            rows,
            {decision.row_id: decision for decision in decisions},
            metas=material.metas,
            num_draws=num_draws,
        ),
        "printed_elsewhere": beside(protocol.id),
    }
