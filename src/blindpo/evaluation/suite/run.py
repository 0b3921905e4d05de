"""A whole comparison: several models on several sets of rows, scored under the protocols that fit, in one folder.

    data/NAME        rows that the suite made itself (imported benchmarks, the guard set, pairwise rows)
    MODEL/NAME       the evaluation of one model on one set of rows
    scores/MODEL/NAME  its decisions and scores under protocols
    suite.json       what there is; `blindpo report SUITE` reads it

Every step is a run of its own that resumes: the same command again does only what is not done.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from blindpo.answer.answerer import CHAT, Answerer, find_answerer
from blindpo.datasets.importer import import_data
from blindpo.datasets.table import find_benchmark
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.model_judges import our_prompt
from blindpo.evaluation.protocols.run import run_protocols
from blindpo.evaluation.run import EvalSummary, evaluate
from blindpo.evaluation.suite.capability_set import write_capability_set
from blindpo.evaluation.suite.config import GUARD, SuiteConfig
from blindpo.evaluation.suite.pairwise_rows import write_pairwise_rows
from blindpo.jobs.manifest import write_json
from blindpo.jobs.recipe import unknown_key
from blindpo.models.chat.client import ChatModel
from blindpo.models.chat.config import ServerConfig
from blindpo.models.chat.replies import ReplyStore
from blindpo.models.vlm.source import ModelSource, resolve_model
from blindpo.rows.shards import shard_paths

SUITE: Final = "suite.json"
PAIRWISE_SUFFIX: Final = "_pairwise"
_BENCHMARK_KEYS: Final = ("benchmark", "dir", "only")


def run_suite(config: SuiteConfig, models: Mapping[str, str], out: Path) -> dict[str, Any]:
    """Evaluate every model on every set of rows; returns the content of suite.json. Raises UsageError.

    Models and rows are looked up before anything is loaded.
    """
    sources = {name: None if text.startswith(CHAT) else resolve_model(text) for name, text in models.items()}
    if None not in sources.values():
        config.require_options("local")
    sets = dict(_sets(config, out))
    suite: dict[str, Any] = {"models": {}, "evaluations": [], "scores": [], "unfinished": []}
    for name, source in sources.items():
        summaries = dict(_evaluate_model(config, name, models[name], source, sets=sets, out=out))
        judged = {data: summary.measures for data, summary in summaries.items() if not data.endswith(PAIRWISE_SUFFIX)}
        suite["models"][name] = judged
        whole = {data for data, summary in summaries.items() if (out / name / data / "manifest.json").is_file()}
        suite["evaluations"] += [f"{name}/{data}" for data in judged if data in whole]
        suite["unfinished"] += [f"{name}/{data}" for data in summaries if data not in whole]
        for data in summaries:
            if data in whole and config.protocols and data != GUARD:
                scores = out / "scores" / name / data
                _score(config, out / name / data, data, scores)
                suite["scores"].append(str(scores.relative_to(out)))
    write_json(out / SUITE, suite)
    return suite


def _sets(config: SuiteConfig, out: Path) -> Iterator[tuple[str, Path]]:
    """Each set of rows as a data folder, made where it is not one yet."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name, source in config.data.items():
        if isinstance(source, Mapping):
            yield name, _benchmark(name, source, out / "data" / name)
        else:
            shard_paths(Path(str(source)))
            yield name, Path(str(source))
    for name in config.pairwise:
        folder = out / "data" / f"{name}{PAIRWISE_SUFFIX}"
        source = config.data[name]
        write_pairwise_rows(out / "data" / name if isinstance(source, Mapping) else Path(str(source)), folder)
        yield f"{name}{PAIRWISE_SUFFIX}", folder
    if config.guard_rows:
        write_capability_set(config.guard_rows, config.guard_seed, out / "data" / GUARD)
        yield GUARD, out / "data" / GUARD


def _benchmark(name: str, source: Mapping[str, Any], folder: Path) -> Path:
    for key in source:
        if key not in _BENCHMARK_KEYS:
            raise unknown_key(str(key), _BENCHMARK_KEYS, f"data: {name}")
    if "benchmark" not in source or "dir" not in source:
        raise ConfigError(f"data: {name} needs benchmark and dir, or the name of a data folder")
    only = source.get("only") or []
    benchmark = find_benchmark(str(source["benchmark"]))
    import_data(benchmark.name, Path(str(source["dir"])), folder, only=[str(word) for word in only])
    return folder


def _evaluate_model(
    config: SuiteConfig, name: str, text: str, source: ModelSource | None, *, sets: Mapping[str, Path], out: Path
) -> Iterator[tuple[str, EvalSummary]]:
    """One model on every set; a local one is loaded once, and only where something is left to do."""
    vlm = None
    if source is not None and any(not (out / name / data / "manifest.json").is_file() for data in sets):
        from blindpo.models.vlm.load import load_vlm

        settings = config.evaluation()
        vlm = load_vlm(source, dtype=settings.dtype, image_padding=settings.image_padding)
    answerer: Answerer
    for data, folder in sets.items():
        changes: dict[str, Any] = {}
        if data == GUARD:
            changes = {"judge": "oracle", "views": ("as_is",), "safe_images": None}
        elif data.endswith(PAIRWISE_SUFFIX):  # its protocol reads the answers themselves
            changes = {"judge": "none", "views": ("as_is",), "safe_images": None,
                       "likelihoods": False}  # fmt: skip
        if source is None:
            changes["likelihoods"] = False
            settings = config.evaluation(**changes)
            answerer = find_answerer(settings, folder, out / name / data, model=text)
        else:
            from blindpo.answer.local import LocalAnswers  # imports torch

            settings = config.evaluation(**changes, model_server=ServerConfig())
            answerer = LocalAnswers(source, settings, vlm=vlm, likelihoods=settings.likelihoods)
        yield data, evaluate(settings, folder, answerer, out / name / data, name=name)


def _score(config: SuiteConfig, stored: Path, data: str, out: Path) -> None:
    shipped = config.prompts.get(data.removesuffix(PAIRWISE_SUFFIX))
    judge = None
    if config.protocol_judge:
        chat = config.chat_config(config.protocol_judge.removeprefix(CHAT))
        judge = ChatModel(chat, store=ReplyStore(out.with_name(f"{out.name}.replies.jsonl")))
    run_protocols(
        stored,
        ("mmsafe/pairwise-prompted",) if data.endswith(PAIRWISE_SUFFIX) else config.protocols,
        out,
        judge=judge,
        prompt=our_prompt(config),
        shipped=None if shipped is None else Path(shipped),
    )
