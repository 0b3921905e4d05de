"""`blindpo evaluate`: responses made once and stored, judged, measured; and judged again without a model.

Words and rows are checked before a model is loaded. `--rejudge` reads an EVAL folder and writes another one, with the
same rows and responses and the verdicts of another judge.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindpo.answer.response import RESPONSES, json_lines, read_responses
from blindpo.answer.shards import WHOLE, Part, write_shards
from blindpo.answer.views import SAFE_IMAGES, Pictures, pictures_for
from blindpo.answer.workers import LocalShards, write_by_engine
from blindpo.errors import ConfigError, NothingKeptError, SourceError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.eval_folder import (
    MEASURES_FILE,
    ROWS,
    keep_pictures,
    link_files,
    link_rows,
    load_eval,
    stored_pictures,
)
from blindpo.evaluation.judges.run import Cases, judge_responses, measure
from blindpo.evaluation.judges.table import Judge, find_judge
from blindpo.evaluation.judges.verdict import VERDICTS
from blindpo.evaluation.measures import row_meta
from blindpo.evaluation.merge import join_parts
from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.overlap import num_trained_on, read_keys
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import count_rows, data_hash, read_rows

if TYPE_CHECKING:
    from blindpo.answer.local import PromptCache
    from blindpo.models.vlm.load import Vlm


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSummary:
    """What an evaluation found."""

    out: Path
    results: dict[str, Any]
    """The content of measures.json."""
    finished_before: bool
    """True where the folder already held this very run, and nothing was done."""

    @property
    def complete(self) -> bool:
        """Whether the judge could be asked about every response; where not, there are bounds and no rate."""
        return not self.results.get("not_asked")

    @property
    def measures(self) -> dict[str, dict[str, Any]]:
        """Value, interval and n of each measure."""
        found: dict[str, dict[str, Any]] = self.results["measures"]
        return found


def evaluate(
    config: EvaluateConfig,
    data: Path,
    model: ModelSource,
    out: Path,
    *,
    vlm: "Vlm | None" = None,
    prompt_cache: "PromptCache | None" = None,
    name: str | None = None,
    part: Part = WHOLE,
    engine: Engine = IN_PROCESS,
) -> EvalSummary:
    """Evaluate `model` on the rows of `data` into the folder `out`; resumes what a kill left.

    `vlm` is `model` already loaded; `prompt_cache` keeps tokenized prompts for the next model of the same processor;
    `name` is what reports call it; `part` makes a share of the responses and judges nothing (see `merge_parts`);
    `engine` has several processes or Ray actors make the shards, each with the model loaded anew.
    Raises UsageError, and NothingKeptError where the model gave no response at all.
    """
    config.require_options("local")
    rows_hash = data_hash(data)

    def make(folder: OutFolder, pictures: Pictures) -> list[Path]:
        if engine != IN_PROCESS:
            job = LocalShards(
                config=config,
                data=data.resolve(),
                work=folder.work.resolve(),
                model=model,
                views=config.views,
                likelihoods=config.likelihoods,
                safe_images=config.safe_images,
            )
            return write_by_engine(job, engine=engine, part=part)
        from blindpo.answer.local import Prompts, processor_identity, write_responses  # torch
        from blindpo.models.vlm.load import load_vlm

        loaded = vlm or load_vlm(model, dtype=config.dtype, image_padding=config.image_padding)
        scope = f"{rows_hash}\x1f{processor_identity(loaded.processor)}"
        prompts = Prompts(loaded.processor, scope, prompt_cache, pictures=pictures)
        views, likelihoods = config.views, config.likelihoods
        return write_responses(
            loaded, config, data, folder.work, views=views, likelihoods=likelihoods, cache=prompts, part=part
        )

    def who() -> dict[str, str | int]:
        found: dict[str, str | int] = {
            "name": name or _name(model),
            "fingerprint": vlm.fingerprint if vlm else fingerprint(model),
        }
        shared = _num_training_rows(model, data, rows_hash)
        return {**found, "training_rows": shared} if shared else found

    return _answer(config, data, out, who=who, make=make, part=part)


def evaluate_chat(
    config: EvaluateConfig, data: Path, model: str, out: Path, *, name: str | None = None, part: Part = WHOLE
) -> EvalSummary:
    """Evaluate the model that a chat server knows as `model`. Raises UnansweredError where answers are missing."""
    from blindpo.answer.chat import chat_config, remote_respond
    from blindpo.models.chat.client import ChatModel
    from blindpo.models.chat.replies import ReplyStore

    if config.likelihoods:
        raise ConfigError("a chat server gives no likelihoods of given responses; add --set likelihoods=false")
    chat = chat_config(config, model)
    asked = ChatModel(chat)
    digest = sha256(json.dumps(dict(asked.identity), sort_keys=True).encode()).hexdigest()

    def make(folder: OutFolder, pictures: Pictures) -> list[Path]:
        stored = ChatModel(chat, store=ReplyStore(folder.work / "replies.jsonl"))
        respond = remote_respond(stored, max_new_tokens=config.max_new_tokens, views=config.views, pictures=pictures)
        return write_shards(data, folder.work, respond, shard_rows=config.shard_rows, part=part)

    who = {"name": name or asked.name, "fingerprint": digest}
    return _answer(config, data, out, who=lambda: who, make=make, part=part)


def evaluate_recorded(
    config: EvaluateConfig, data: Path, recording: Path, out: Path, *, name: str | None = None
) -> EvalSummary:
    """Evaluate the responses that the file `recording` holds. Raises SourceError where it belongs to other rows."""
    from blindpo.answer.from_file import file_hash, read_recorded, recorded_respond

    config.require_options("recorded")
    who = {"name": name or f"recorded:{recording.name}", "fingerprint": file_hash(recording)}
    found = read_recorded(recording, [row.row_id for row in read_rows(data)])

    def make(folder: OutFolder, _: Pictures) -> list[Path]:
        respond = recorded_respond(found, config.views)
        return write_shards(data, folder.work, respond, shard_rows=config.shard_rows)

    return _answer(config, data, out, who=lambda: who, make=make)


def _answer(
    config: EvaluateConfig,
    data: Path,
    out: Path,
    *,
    who: Callable[[], Mapping[str, str | int]],
    make: Callable[[OutFolder, Pictures], list[Path]],
    part: Part = WHOLE,
) -> EvalSummary:
    """Claim `out`, make the responses, judge them. Everything that changes an answer is in the folder's identity."""
    judge = find_judge(config.judge, config)
    _require_rows(judge, read_rows(data))
    pictures = pictures_for(data, config.views, None if config.safe_images is None else Path(config.safe_images))
    settings = config.identity()
    if config.safe_images is not None:
        settings["safe_images"] = [image.sha256 for image in pictures.safe]
    identity = {
        "command": "evaluate",
        "config": settings,
        "judge": dict(judge.identity),
        "data": data_hash(data),
        "model": dict(who()),
    }
    folder = OutFolder(out, identity if part == WHOLE else {**identity, "part": list(part)})
    if folder.begin() == "done":
        return _finished(out, part)
    shards = make(folder, pictures)
    link_rows(data, out / ROWS)
    keep_pictures(config.safe_images, out)
    write_text(out / RESPONSES, "".join(path.read_text(encoding="utf-8") for path in shards))
    if part != WHOLE:
        folder.finish({"part": list(part), "shards": len(shards)})
        return _finished(out, part)
    return _judge_and_finish(folder, judge, config)


def merge_parts(parts: Sequence[Path], config: RejudgeConfig, out: Path) -> EvalSummary:
    """Join the parts of one evaluation that several machines made, and judge the whole, into `out`.

    The responses, verdicts and measures are those of one machine, byte for byte. Raises SourceError where a part is
    missing, unfinished or of another evaluation.
    """
    joined = join_parts(parts)
    judge = find_judge(config.judge, config)
    _require_rows(judge, read_rows(joined.rows))
    identity = {
        "command": "evaluate --merge",
        "config": config.identity(),
        "judge": dict(judge.identity),
        "data": joined.identity["data"],
        "model": joined.identity["model"],
        "responses": sha256(joined.responses.encode()).hexdigest(),
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return _finished(out)
    link_rows(joined.rows, out / ROWS)
    keep_pictures(joined.safe_images, out)
    write_text(out / RESPONSES, joined.responses)
    return _judge_and_finish(folder, judge, config)


def rejudge(eval_folder: Path, config: RejudgeConfig, out: Path) -> EvalSummary:
    """Judge the stored responses of `eval_folder` again, into the folder `out`. Raises UsageError."""
    judge = find_judge(config.judge, config)
    stored = load_eval(eval_folder)
    _require_rows(judge, read_rows(stored.rows))
    theirs = stored.manifest["identity"]
    identity = {
        "command": "evaluate --rejudge",
        "config": config.identity(),
        "judge": dict(judge.identity),
        "data": theirs["data"],
        "model": theirs["model"],
        "responses": sha256((eval_folder / RESPONSES).read_bytes()).hexdigest(),
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return _finished(out)
    link_rows(stored.rows, out / ROWS)
    link_files([eval_folder / RESPONSES], out)
    keep_pictures(eval_folder / SAFE_IMAGES if (eval_folder / SAFE_IMAGES).is_dir() else None, out)
    return _judge_and_finish(folder, judge, config)


def _finished(out: Path, part: Part = WHOLE) -> EvalSummary:
    if part != WHOLE:
        return EvalSummary(out=out, results={"part": list(part), "measures": {}}, finished_before=True)
    return EvalSummary(out=out, results=read_json(out / MEASURES_FILE), finished_before=True)


def _name(model: ModelSource) -> str:
    """The folder's own name, or the hub id with its revision: no path leaves the machine."""
    return model.path.resolve().name if model.path is not None else model.given


def _num_training_rows(model: ModelSource, data: Path, rows_hash: str) -> int:
    """How many rows of `data` the model was trained on, as far as its RUN folder (and that under it) tells."""
    runs = [source.path for source in (model, model.base) if source is not None and source.path is not None]
    keys = {key for run in runs for key in read_keys(run)}
    if keys:
        return num_trained_on(read_rows(data), keys)
    manifests = [read_json(run / "manifest.json") for run in runs if (run / "run.json").is_file()
                 and (run / "manifest.json").is_file()]  # fmt: skip
    return count_rows(data) if any(each["identity"].get("data") == rows_hash for each in manifests) else 0


def _require_rows(judge: Judge, rows: Iterable[PreferenceRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.row_id in seen:
            raise SourceError(f"row {row.row_id} stands twice in the data; verdicts go by row_id: make them differ")
        seen.add(row.row_id)
        judge.require(row)
    if not seen:
        raise SourceError("the data folder holds no row; there is nothing to evaluate")


def _judge_and_finish(folder: OutFolder, judge: Judge, config: RejudgeConfig) -> EvalSummary:
    out = folder.path
    responses = read_responses(out / RESPONSES)
    if not any(response.text for response in responses):
        reasons = Counter(response.reason for response in responses)
        raise NothingKeptError(
            f"the model gave no response to any of the rows; the reason: {reasons.most_common(1)[0][0]}"
        )
    cases = Cases(out / ROWS, responses, stored_pictures(out, responses))
    verdicts = judge_responses(judge, cases, folder.work)
    results = measure(judge, [row_meta(row) for row in read_rows(out / ROWS)], responses, verdicts, config=config)
    if shared := folder.identity["model"].get("training_rows"):
        results["training_rows"] = shared
    summary = EvalSummary(out=out, results=results, finished_before=False)
    if not summary.complete and not config.judge_allow_missing:
        return summary  # not finished: the same command asks only for what is missing
    write_text(out / VERDICTS, json_lines(verdicts))
    write_json(out / MEASURES_FILE, results)
    folder.finish({"rows": results["rows"], "responses": results["responses"], "judge": dict(judge.identity)})
    return summary
