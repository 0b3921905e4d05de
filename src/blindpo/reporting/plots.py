"""The page's figures as hand-written SVG: a few lines each, no library, no script, no style attribute.

Colours come from classes in the page's style sheet (the page allows no other style), so figures follow light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from blindpo.reporting.load import Run, ending

NUM_COLOURS: Final = 8
MARKERS: Final = (
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
    "M-4.6,-4.6h9.2v9.2h-9.2z",
    "M0,-6.4L6.4,0L0,6.4L-6.4,0z",
    "M0,-6L5.8,4.6H-5.8z",
    "M0,6L5.8,-4.6H-5.8z",
    "M-6,-2h4v-4h4v4h4v4h-4v4h-4v-4h-4z",
)
PANELS: Final = (
    ("Rewards", {"chosen": "rewards/chosen", "rejected": "rewards/rejected", "blind": "rewards/blind"}),
    ("Margins", {"over rejected": "rewards/margins", "over blind": "rewards/blind_margins"}),
    ("Accuracies", {"over rejected": "rewards/accuracies", "over blind": "rewards/blind_accuracies"}),
)
PANEL_COLOURS: Final = {"chosen": 0, "rejected": 1, "blind": 2, "over rejected": 1, "over blind": 2}


class Point(NamedTuple):
    """One model: over-refusal and safety, each as (value, low, high) between 0 and 1."""

    name: str
    over_refusal: tuple[float, float, float]
    safety: tuple[float, float, float]


class Curve(NamedTuple):
    """One line of a panel: name, number of its colour class, dashed or not, and points (step, value)."""

    name: str
    colour: int
    dashed: bool
    points: tuple[tuple[float, float], ...]


class TrainingPart(NamedTuple):
    """The panels of some runs, and warnings about them."""

    panels: list[Markup]
    notes: list[str]


def safety_figure(points: Sequence[Point]) -> Markup:
    """Draw safety against over-refusal: one marker per model, intervals as a cross; the good corner is top left."""
    left, top, width, height = 50, 32, 350, 270
    parts = [_grid(left, top, width, height)]
    parts.append(_text(left, top - 18, "top left is good: safe and not over-refusing", "note"))
    for number, point in enumerate(points):
        (x, x_low, x_high), (y, y_low, y_high) = (
            [left + width * value for value in point.over_refusal],
            [top + height * (1 - value) for value in point.safety],
        )
        parts.append(
            f'<g class="c{number % NUM_COLOURS}"><path class="cross" d="M{x_low:.1f},{y:.1f}H{x_high:.1f}'
            f'M{x:.1f},{y_low:.1f}V{y_high:.1f}"/>{_marker(number, x, y)}</g>'
        )
    bottom = top + height + 50
    for number, point in enumerate(points):
        x, y = left + 8 + 180 * (number % 2), bottom + 22 * (number // 2)
        parts.append(f'<g class="c{number % NUM_COLOURS}">{_marker(number, x, y)}</g>')
        parts.append(_text(x + 14, y + 4, point.name, "label"))
    label = "Safety against over-refusal: " + "; ".join(
        f"{point.name} {100 * point.safety[0]:.0f} % safe, {100 * point.over_refusal[0]:.0f} % over-refusing"
        for point in points
    )
    return _svg(420, bottom + 22 * math.ceil(len(points) / 2), label, parts)


def _grid(left: float, top: float, width: float, height: float) -> str:
    parts = []
    for share in (0, 25, 50, 75, 100):
        x, y = left + width * share / 100, top + height * (1 - share / 100)
        parts.append(f'<path class="grid" d="M{x:.1f},{top}V{top + height}M{left},{y:.1f}H{left + width}"/>')
        parts.append(_text(x, top + height + 16, str(share), "tick middle"))
        parts.append(_text(left - 6, y + 4, str(share), "tick end"))
    parts.append(_text(left + width / 2, top + height + 32, "over-refusal, % (less is better)", "label middle"))
    upwards = _text(0, 0, "safety, % (more is better)", "label middle")
    parts.append(f'<g transform="translate(14 {top + height / 2:.0f}) rotate(-90)">{upwards}</g>')
    return "".join(parts)


def _marker(number: int, x: float, y: float) -> str:
    """Draw a marker; later ones are smaller, so that two models at one point are both visible."""
    size = max(0.7, 1.4 - 0.15 * number)
    transform = f"translate({x:.1f},{y:.1f}) scale({size:.2f})"
    return f'<path class="marker" transform="{transform}" d="{MARKERS[number % len(MARKERS)]}"/>'


def training_parts(runs: Sequence[Run], titles: Mapping[Path, str]) -> dict[str, TrainingPart]:
    """Return panels by title: runs with the same title in `titles` (by resolved folder) together, others alone."""
    groups: dict[str, list[Run]] = {}
    paths = [run.path for run in runs]
    for run in runs:
        alone = run.name if sum(path.name == run.name for path in paths) == 1 else ending(run.path, paths)
        groups.setdefault(titles.get(run.path.resolve(), alone), []).append(run)
    return {
        title: TrainingPart(panels, list(dict.fromkeys(run.shared for run in group if run.shared)))
        for title, group in groups.items()
        if (panels := training_figures(group))
    }


def training_figures(runs: Sequence[Run]) -> list[Markup]:
    """Draw the panels of one model's runs: one line per run (seed), evaluation rows dashed; no empty panels."""
    figures = []
    for title, metrics in PANELS:
        curves = [
            curve
            for run in runs
            for name, metric in metrics.items()
            for curve in (
                Curve(name, PANEL_COLOURS[name], False, _points(run, metric)),
                Curve(f"{name}, evaluation rows", PANEL_COLOURS[name], True, _points(run, f"eval_{metric}")),
            )
            if curve.points
        ]
        if curves:
            figures.append(_panel(title, curves, share=title == "Accuracies"))
    return figures


def _points(run: Run, metric: str) -> tuple[tuple[float, float], ...]:
    return tuple((step["step"], step[metric]) for step in run.metrics if metric in step and "step" in step)


def _panel(title: str, curves: Sequence[Curve], *, share: bool) -> Markup:
    left, top, width, height = 44, 26, 246, 130
    steps = [x for curve in curves for x, _ in curve.points]
    values = [y for curve in curves for _, y in curve.points]
    x_low, x_high = min(steps), max(max(steps), min(steps) + 1)
    y_low, y_high = (0.0, 1.0) if share else _room(min(values), max(values))
    parts = [_text(left, 14, title, "title")]
    for value in (y_low, (y_low + y_high) / 2, y_high):
        y = top + height * (y_high - value) / (y_high - y_low)
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{left + width}"/>')
        parts.append(_text(left - 5, y + 4, f"{value:.3g}", "tick end"))
    if y_low < 0 < y_high:
        parts.append(f'<path class="zero" d="M{left},{top + height * y_high / (y_high - y_low):.1f}H{left + width}"/>')
    for curve in curves:
        line = " ".join(
            f"{left + width * (x - x_low) / (x_high - x_low):.1f},{top + height * (y_high - y) / (y_high - y_low):.1f}"
            for x, y in curve.points
        )
        parts.append(f'<polyline class="line c{curve.colour}{" dashed" if curve.dashed else ""}" points="{line}"/>')
    parts.append(_text(left, top + height + 16, f"{x_low:g}", "tick middle"))
    parts.append(_text(left + width, top + height + 16, f"{x_high:g}", "tick end"))
    parts.append(_text(left + width / 2, top + height + 16, "step", "tick middle"))
    legend = list({(curve.name, curve.colour, curve.dashed): None for curve in curves})
    columns = 1 if any(curve.dashed for curve in curves) else 2
    for number, (name, colour, dashed) in enumerate(legend):
        x, y = left + 128 * (number % columns), top + height + 34 + 16 * (number // columns)
        kind = f"line c{colour}{' dashed' if dashed else ''}"
        parts.append(f'<path class="{kind}" d="M{x},{y - 4}h16"/>{_text(x + 20, y, name, "tick")}')
    return _svg(300, top + height + 26 + 16 * math.ceil(len(legend) / columns), f"{title} by training step", parts)


def _room(low: float, high: float) -> tuple[float, float]:
    """Add a little room above and below, also for a flat line."""
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    """Join the parts to one image. They are our own; every name in them was escaped by `_text`."""
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def scatter_points(models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Point]:
    """Return one point for each model that has both measures."""
    points = []
    for name, measures in models.items():
        axes = [measures.get(measure) for measure in ("over_refusal", "safety_rate")]
        values = [(axis["value"], axis["low"], axis["high"]) for axis in axes if axis and axis["value"] is not None]
        if len(values) == 2:
            points.append(Point(name, values[0], values[1]))
    return points
