"""Figures as inline SVG, drawn here so that the page needs no library, no script and no network.

Colours and strokes are attributes and classes, never style attributes: the page's Content-Security-Policy refuses
those. Text is escaped.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

WIDTH: Final = 440
HEIGHT: Final = 300
MARGIN: Final = 46
COLOURS: Final = ("#555555", "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def frontier(models: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """Safety (up) against over-refusal (right), a cross of intervals per model; the good corner is top left."""
    drawn = [_axes("over-refusal", "safety", (0.0, 1.0), (0.0, 1.0))]
    for number, (name, found) in enumerate(models.items()):
        over, safe = found.get("over_refusal") or {}, found.get("safety_rate") or {}
        if over.get("value") is None or safe.get("value") is None:
            continue
        drawn.append(_cross(over, safe, COLOURS[number % len(COLOURS)]))
        drawn.append(_legend(number, name))
    return _svg(drawn, title)


def curves(points: Sequence[Mapping[str, float]], names: Sequence[str], title: str) -> str:
    """Lines over training steps, one per name that the log holds; "" where it holds none."""
    series = {name: [(p["step"], p[name]) for p in points if name in p] for name in names}
    series = {name: values for name, values in series.items() if len(values) > 1}
    if not series:
        return ""
    flat = [pair for values in series.values() for pair in values]
    x_range = _span([x for x, _ in flat])
    y_range = _span([y for _, y in flat])
    drawn = [_axes("step", "value", x_range, y_range)]
    for number, (name, values) in enumerate(series.items()):
        path = " ".join(f"{_x(x, x_range):.1f},{_y(y, y_range):.1f}" for x, y in values)
        colour = COLOURS[number % len(COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(_legend(number, name))
    return _svg(drawn, title)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x(value: float, span: tuple[float, float]) -> float:
    return MARGIN + (value - span[0]) / (span[1] - span[0]) * (WIDTH - 2 * MARGIN)


def _y(value: float, span: tuple[float, float]) -> float:
    return HEIGHT - MARGIN - (value - span[0]) / (span[1] - span[0]) * (HEIGHT - 2 * MARGIN)


def _axes(x_name: str, y_name: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    parts = [
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{WIDTH - 2 * MARGIN}" height="{HEIGHT - 2 * MARGIN}" class="frame"/>'
    ]
    for share in (0.0, 0.5, 1.0):
        x_value = x_range[0] + share * (x_range[1] - x_range[0])
        y_value = y_range[0] + share * (y_range[1] - y_range[0])
        x_at, y_at = _x(x_value, x_range), _y(y_value, y_range)
        parts.append(f'<text x="{x_at:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{x_value:.3g}</text>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y_at + 4:.1f}" text-anchor="end">{y_value:.3g}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>')
    parts.append(f'<text x="{MARGIN}" y="{MARGIN - 26}">{escape(y_name)}</text>')
    return "".join(parts)


def _cross(x: Mapping[str, Any], y: Mapping[str, Any], colour: str) -> str:
    unit = (0.0, 1.0)
    x_at, y_at = _x(x["value"], unit), _y(y["value"], unit)
    x_low, x_high = _x(x.get("low") or x["value"], unit), _x(x.get("high") or x["value"], unit)
    y_low, y_high = _y(y.get("low") or y["value"], unit), _y(y.get("high") or y["value"], unit)
    return (
        f'<line x1="{x_low:.1f}" x2="{x_high:.1f}" y1="{y_at:.1f}" y2="{y_at:.1f}" stroke="{colour}"/>'
        f'<line x1="{x_at:.1f}" x2="{x_at:.1f}" y1="{y_low:.1f}" y2="{y_high:.1f}" stroke="{colour}"/>'
        f'<circle cx="{x_at:.1f}" cy="{y_at:.1f}" r="5" fill="{colour}"/>'
    )


def _legend(number: int, name: str) -> str:
    colour = COLOURS[number % len(COLOURS)]
    left = MARGIN + 100 * (number % 3)
    top = MARGIN - 30 + 13 * (number // 3) + 8
    dot = f'<circle cx="{left + 60}" cy="{top}" r="4" fill="{colour}"/>'
    return f'{dot}<text x="{left + 68}" y="{top + 4}">{escape(name)}</text>'


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
