"""`blindpo demo`: run the story's tasks, collect their measures, write the page, report how long each stage took.

OUT/results.json   every value with its interval        OUT/report.html    the page
OUT/timings.json   seconds of every task and stage      OUT/seed_S/        all other outputs (see `story.py`)
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from blindpo.demo import results, search
from blindpo.demo.schedule import run_tasks
from blindpo.demo.settings import BASE, DemoConfig, searched_variants
from blindpo.demo.story import story_tasks
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json
from blindpo.reporting.page import write_report

RESULTS: Final = "results.json"
REPORT: Final = "report.html"
SEARCH: Final = "search.json"


def run_demo(seeds: tuple[int, ...], out: Path) -> tuple[dict[str, Any], str]:
    """Run the story for `seeds`; returns the content of results.json and the text for a terminal."""
    return tell(DemoConfig(seeds=seeds, variants=searched_variants()), out)


def tell(config: DemoConfig, out: Path) -> tuple[dict[str, Any], str]:
    """Run the story at any size. Raises OutputError if `out` holds another one.

    A run for other seeds counts as the same story: finished seeds in `out` are reused.
    """
    config_without_seeds = {name: value for name, value in asdict(config).items() if name != "seeds"}
    folder = OutFolder(out, {"command": "demo", "config": config_without_seeds})
    if folder.begin() != "done" or not _is_told(out, config.seeds):
        started = time.time()
        stages = run_tasks(story_tasks(config, out), num_workers=config.num_workers, what="demo")
        story_seconds = time.time() - started
        write_json(out / RESULTS, results.collect(config, out))
        write_report(_sources(config, out), out / REPORT, results=out / RESULTS)
        total = time.time() - started
        folder.finish(
            {"seeds": list(config.seeds)}, {"total_seconds": total, "story_seconds": story_seconds, "tasks": stages}
        )
    content = read_json(out / RESULTS)
    return (
        content,
        f"{results.results_text(content)}\n\n{_timings_text(read_json(out / 'timings.json'))}\n{out / REPORT}",
    )


def _is_told(out: Path, seeds: tuple[int, ...]) -> bool:
    """Return whether the results are of these seeds: a run for others may have been killed before its manifest."""
    return all(read_json(out / name)["seeds"] == list(seeds) for name in ("manifest.json", RESULTS))


def run_search(out: Path) -> tuple[dict[str, Any], str]:
    """Run the search; returns the content of search.json and the text for a terminal."""
    config = search.search_config()
    folder = OutFolder(out, {"command": "demo --search", "config": asdict(config)})
    if folder.begin() != "done":
        stages = run_tasks(story_tasks(config, out), num_workers=config.num_workers, what="search")
        write_json(out / SEARCH, search.collect_search(config, out))
        folder.finish({"seeds": list(config.seeds)}, {"tasks": stages})
    content = read_json(out / SEARCH)
    return content, f"{search.search_text(content)}\n{out / SEARCH}"


def _sources(config: DemoConfig, out: Path) -> list[Path]:
    """List the evaluations and runs of all seeds, in the order of the tables."""
    folders = [out / f"seed_{seed}" / condition for condition in config.variants for seed in config.seeds]
    evaluations = [
        folder / f"eval_{model}"
        for folder in folders
        for model in (BASE, *(variant.name for variant in config.variants[folder.name]))
    ]
    runs = [folder / variant.name for folder in folders for variant in config.variants[folder.name]]
    return [*evaluations, *runs]


def _timings_text(timings: Mapping[str, Any]) -> str:
    seconds: Counter[str] = Counter()
    for stages in timings["tasks"].values():
        for stage, spent in stages.items():
            seconds[stage] += spent
    listed = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in seconds.items())
    return f"{timings['total_seconds']:.0f} s in all; work of the stages, all processes together: {listed}"
