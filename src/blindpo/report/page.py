"""The page: one self-contained HTML file. No script, no network, everything escaped, a strict policy in the page."""

import base64
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from blindpo.report.compare import MEASURES, condition_tables, evaluation_table, headline
from blindpo.report.gallery import examples
from blindpo.report.load import Source, load_results, load_sources
from blindpo.report.plots import curves, frontier
from blindpo.runs.manifest import write_text

CURVES = (
    ("rewards", ("rewards/chosen", "rewards/rejected", "rewards/blind")),
    ("accuracies", ("rewards/accuracies", "rewards/blind_accuracies")),
    ("log-probability", ("logps/chosen", "logps/rejected")),
)


def write_report(sources: Sequence[Path], out: Path, *, results: Path | None = None) -> Path:
    """Write the page of `sources` (evaluations and runs) and a demo's `results` to `out`. Raises SourceError."""
    # With a demo's results the tables come from there; curves and examples are shown for the first condition and seed.
    named = [path for path in sources if path.parent == sources[0].parent] if results else sources
    page = render(load_sources(named), load_results(results))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, page)
    return out


def render(sources: Sequence[Source], results: dict[str, Any]) -> str:
    """The page's HTML."""
    style = files("blindpo.report").joinpath("page.css").read_text(encoding="utf-8")
    template = files("blindpo.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(
        style=Markup(style),  # ours, not a user's; hashed in the policy
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        measures=MEASURES,
        headline=headline(results, sources),
        seeds=results.get("seeds", []),
        conditions=condition_tables(results),
        table=evaluation_table(sources),
        figures=[Markup(figure) for figure in _figures(sources, results)],
        examples=examples(sources),
    )


def _figures(sources: Sequence[Source], results: dict[str, Any]) -> list[str]:
    found = [frontier(c["models"], f"{name}: safety") for name, c in results.get("conditions", {}).items()]
    judged = {s.name: s.evaluation.results["measures"] for s in sources if s.evaluation}
    if judged and not found:
        found.append(frontier(judged, "safety against over-refusal"))
    for source in sources:
        found += [curves(source.curve, names, f"{source.name}: {title}") for title, names in CURVES if source.curve]
    return [figure for figure in found if figure]
