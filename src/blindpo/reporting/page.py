"""Write the page: one HTML file that loads nothing, runs nothing, and shows strangers' text as text.

The template escapes everything; the Content-Security-Policy allows only images inside the page (`data:`) and the one
style sheet with the given hash, so that even unescaped text could not load or run anything. Folding and blurring are
done by check boxes and CSS. The same folders give the same bytes.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from blindpo import __version__
from blindpo.errors import OutputError, SourceError
from blindpo.evaluation.eval_folder import StoredEval
from blindpo.evaluation.suite.run import SUITE
from blindpo.jobs.manifest import write_text
from blindpo.reporting import compare
from blindpo.reporting.compare import Section
from blindpo.reporting.extras import RateRow, TaskRow, score_tables, task_table
from blindpo.reporting.gallery import ShownExample, examples
from blindpo.reporting.headline import ONE_SEED, control_words, short_weak
from blindpo.reporting.headline import headline as headline_of
from blindpo.reporting.load import Sources, ending, load_results, load_sources
from blindpo.reporting.plots import TrainingPart, safety_figure, scatter_points, training_parts
from blindpo.reporting.story import Story, in_order, read_story
from blindpo.reporting.tables import joint_frontier
from blindpo.rows.overlap import shared_words

MARK: Final = '<meta name="generator" content="blindpo report">'
"""A mark near the top of every page: only files with it are overwritten."""
MARK_BYTES: Final = 2000
NO_EXAMPLES: Final = "The results file does not say which evaluations belong to this table, so it has no examples."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary:
    """The contents of a page, in counts."""

    out: Path
    headline: str
    evaluations: int
    runs: int
    examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A section with its evaluations under unique names."""

    section: Section
    evaluations: Mapping[str, StoredEval]


def write_report(
    sources: Sequence[Path], out: Path, *, results: Path | None = None, tasks: Mapping[str, Path] | None = None
) -> ReportSummary:
    """Write a page about EVAL, RUN and SCORES folders to `out`; with `results`, its tables come from that file.

    `tasks` are results of lm-eval or lmms-eval by model, shown beside the effects of safety training.

    Raises SourceError for a folder of another kind, and OutputError if `out` exists and is not a page of ours.
    """
    _require_free(out)
    loaded = load_sources(sources)
    content = load_results(results) if results is not None else None
    story = read_story(content, results) if content is not None and results is not None else Story()
    root = results.parent if results is not None else Path()
    if not sources and content is None:
        raise SourceError("no folder was given; give EVAL folders of 'blindpo evaluate' or RUN folders of 'train'")
    parts = (
        _from_evaluations(loaded.evaluations) if content is None else _from_results(content, story, loaded, root=root)
    )
    galleries = {part.section.title: examples(part.evaluations) for part in parts}
    sections = [part.section for part in parts]
    headline = headline_of(sections, story.focus)
    text = _render(
        headline=headline,
        story=story,
        sections=sections,
        galleries={title: rows for title, rows in galleries.items() if rows},
        curves=training_parts(loaded.runs, story.runs(root)),
        seeds=content.get("seeds") if content is not None else None,
        evaluations=loaded.evaluations,
        scores=score_tables(loaded.scores),
        tasks=task_table(tasks or {}),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    return ReportSummary(
        out=out,
        headline=headline,
        evaluations=len(loaded.evaluations),
        runs=len(loaded.runs),
        examples=sum(map(len, galleries.values())),
    )


def _require_free(out: Path) -> None:
    if out.is_dir():
        raise OutputError(f"--out {out} is a folder; give the name of a file, such as {out / 'page.html'}")
    if out.exists() and MARK.encode() not in out.read_bytes()[:MARK_BYTES]:
        raise OutputError(f"--out {out} exists and is not a page of 'blindpo report'; give another name, or delete it")


def _from_results(results: Mapping[str, Any], story: Story, loaded: Sources, *, root: Path) -> list[_Part]:
    """Return one part per condition; its examples come from the evaluations named in the story."""
    parts = []
    for condition in in_order(results["conditions"], story.conditions):
        entry = results["conditions"][condition]
        models = story.by_title(entry["models"])
        titles = story.evaluations(condition, root)
        by_title = {titles[path]: stored for stored in loaded.evaluations if (path := stored.path.resolve()) in titles}
        named = {title: by_title[title] for title in in_order(by_title, models)}
        section = Section(
            title=story.condition_title(condition),
            models=models,
            comparisons=tuple(
                compare.comparison({**each, "a": story.title(each["a"]), "b": story.title(each["b"])})
                for each in entry["comparisons"]
            ),
            notes=(*_notes(named), *(() if titles else (NO_EXAMPLES,))),
            about=story.about(condition),
            legend={title: story.abouts[title] for title in models if title in story.abouts},
            weak=_weak(named),
        )
        parts.append(_Part(section=section, evaluations=named))
    return parts


def _from_evaluations(evaluations: Sequence[StoredEval]) -> list[_Part]:
    """Return one part per set of rows, since only models that answered the same rows are compared."""
    groups: dict[str, list[StoredEval]] = {}
    for stored in evaluations:
        groups.setdefault(stored.data, []).append(stored)
    parts = []
    for data, group in groups.items():
        named = _named(group)
        section = Section(
            title="Evaluation" if len(groups) == 1 else _rows_title(data, group),
            models={name: _measures(stored) for name, stored in named.items()},
            comparisons=compare.compare_evaluations(named),
            notes=_notes(named),
            weak=_weak(named),
        )
        parts.append(_Part(section=section, evaluations=named))
    return parts


def _notes(named: Mapping[str, StoredEval]) -> tuple[str, ...]:
    """Return a warning for each model that was trained on rows it is evaluated on."""
    warnings = {
        name: shared_words(stored.results.get("training_rows", 0), stored.results.get("rows", 0))
        for name, stored in named.items()
    }
    return tuple(f"{name}: {words}." for name, words in warnings.items() if words)


def _weak(named: Mapping[str, StoredEval]) -> str:
    return " and ".join(sorted({words for stored in named.values() if (words := short_weak(stored.results))}))


def _rows_title(data: str, group: Sequence[StoredEval]) -> str:
    """Return the suite's name for the rows, else a title with their hash."""
    names = {path.name for path in (stored.path.resolve() for stored in group) if (path.parents[1] / SUITE).is_file()}
    return names.pop() if len(names) == 1 else f"Rows {data[:8]}"


def _measures(stored: StoredEval) -> dict[str, Any]:
    """Return the measures, with safety by label if requests have labels."""
    by_label = stored.results.get("by_label", {})
    labelled = {f"safety_{label}": measures["safety_rate"] for label, measures in by_label.items()}
    return {**stored.results["measures"], **{name: measures for name, measures in labelled.items() if measures["n"]}}


def _named(group: Sequence[StoredEval]) -> dict[str, StoredEval]:
    """Name evaluations by their model; if two share a name, add the shortest distinct end of the folder's path."""
    names = [stored.model_name for stored in group]
    return {
        name if names.count(name) == 1 else f"{name} ({ending(stored.path, [each.path for each in group])})": stored
        for name, stored in zip(names, group, strict=True)
    }


def _render(
    *,
    headline: str,
    story: Story,
    sections: Sequence[Section],
    galleries: Mapping[str, Sequence[ShownExample]],
    curves: Mapping[str, TrainingPart],
    seeds: Sequence[int] | None,
    evaluations: Sequence[StoredEval],
    scores: Mapping[str, tuple[Sequence[str], Sequence[RateRow]]],
    tasks: Sequence[TaskRow],
) -> str:
    folder = files("blindpo.reporting")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        policy=content_policy(style),
        style=Markup(style),
        mark=Markup(MARK),
        headline=headline,
        details=_details(sections, story) if len(sections) > 1 else {},
        sections=sections,
        figures={section.title: _figure(section) for section in sections},
        galleries=galleries,
        curves=curves,
        seeds=seeds,
        one_seed=ONE_SEED,
        several=any(len(row.answers) > 1 for rows in galleries.values() for row in rows),
        judges=sorted({judge_words(stored.results) for stored in evaluations}),
        weak=any("refusal-rules" in str(stored.results.get("judge")) for stored in evaluations),
        fingerprints={
            stored.model_name: str(stored.manifest["identity"]["model"].get("fingerprint", "unknown"))
            for stored in evaluations
            if seeds is None
        },
        version=__version__,
        scores=scores,
        tasks=tasks,
        detail=compare.detail,
        joint=joint_frontier([section.models for section in sections]) if seeds is None else [],
        cell=compare.cell,
        shown_measure=compare.shown_measure,
    )


def _details(sections: Sequence[Section], story: Story) -> dict[str, str]:
    """Return the headline of each section, with the comparison against the control."""
    return {each.title: headline_of([each], story.focus) + control_words(each, story.control) for each in sections}


def judge_words(results: Mapping[str, Any]) -> str:
    """Describe a judge: name, agreement with people, prompt and hash, and the responses it was not asked about."""
    known = results.get("judge_identity", {})
    weak, prompt = known.get("weak"), known.get("prompt")
    facts = [f"kappa {weak['kappa']:.3f} with people on {weak['measured_on']}"] if weak else []
    facts += [f"prompt {prompt}, {str(known.get('prompt_sha256'))[:12]}"] if prompt else []
    if results.get("not_asked"):
        facts.append(f"could not be asked about {results['not_asked']} responses: no rate")
    return str(results.get("judge")) + (f" ({'; '.join(facts)})" if facts else "")


def content_policy(style: str) -> str:
    """Return the policy: only images inside the page may load, and only the style sheet with this hash."""
    digest = b64encode(sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _figure(section: Section) -> Markup | None:
    points = scatter_points(section.models)
    return safety_figure(points) if points else None
