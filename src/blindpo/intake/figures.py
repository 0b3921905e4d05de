"""`blindpo stats DATA --figures DIR`: draw the paper's figures about its data for this data, beside the paper's.

Each figure is written as SVG and PNG, and the numbers behind them to `figures.json`. Drawn with matplotlib (extra
`blindpo[figures]`), which brings its fonts and writes letters as outlines, so the same rows and version give the same
bytes on any machine. Figures hold counts and names of categories; no text of a row, no image, no entity.
"""

import math
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blindpo.errors import ConfigError, OutputError
from blindpo.intake.profile import ENTITIES, PAPER_PROFILES, UNKNOWN_NAME, Profile, numbers
from blindpo.jobs.manifest import write_json

OUR_COLOUR: Final = "#1f6fb2"
PAPER_COLOUR: Final = "#c9ccd1"
INK: Final = "#1d2126"
RING_COLOURS: Final = ("#1f6fb2", "#c8501e", "#7a3fa0", "#237a3b", "#a8730a", "#b02a6b", "#0f7f86", "#4b5563")
GREY: Final = "#d5d7da"
STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "blindpo",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.edgecolor": INK,
}


def draw_figures(data: Profile, folder: Path) -> list[Path]:
    """Write to `folder` every figure that `data` has numbers for. Raises ConfigError, OutputError."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("--figures needs matplotlib: pip install 'blindpo[figures]'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--figures {folder} cannot be made ({error.strerror}); give a folder") from error
    paper = PAPER_PROFILES[-1]
    drawers: dict[str, tuple[bool, Callable[[Any], None]]] = {
        "turns": (True, lambda axes: _shares(axes, "User turns", data.turns, paper.turns)),
        "entity_types": (True, lambda axes: _shares(axes, "Entity types", _types(data), paper.entity_types)),
        "instruction_tokens": (bool(data.instruction_lengths), lambda axes: _lengths(
            axes, "Tokens an instruction", data.instruction_lengths, paper.tokens_per_instruction)),
        "conversation_tokens": (bool(data.conversation_lengths), lambda axes: _lengths(
            axes, "Tokens a conversation", data.conversation_lengths, paper.tokens_per_conversation)),
        "categories": (any(data.categories), lambda axes: _sunburst(axes, data.categories)),
        "funnel": (bool(data.funnel), lambda axes: _funnel(axes, data.funnel)),
    }  # fmt: skip
    written = []
    with matplotlib.rc_context(STYLE):
        for name, (wanted, draw) in drawers.items():
            if wanted:
                figure = Figure(figsize=(6.4, 6.4) if name == "categories" else (6.4, 3.4), layout="constrained")
                draw(figure.add_subplot())
                written += _save(figure, folder / name)
    write_json(folder / "figures.json", numbers(data))
    return [*written, folder / "figures.json"]


def _save(figure: Any, path: Path) -> list[Path]:
    """Write SVG and PNG without a date or program name in them."""
    targets = {path.with_suffix(".svg"): {"Date": None, "Creator": None}, path.with_suffix(".png"): {"Software": None}}
    for target, metadata in targets.items():
        figure.savefig(target, dpi=150, metadata=metadata)
    return list(targets)


def _types(data: Profile) -> dict[str, int]:
    """Return counts in the paper's order; rows without a type come last, if there are any."""
    counts = {name: data.entity_types.get(name, 0) for name in ENTITIES}
    unknown = data.entity_types.get(UNKNOWN_NAME, 0)
    return {**counts, UNKNOWN_NAME: unknown} if unknown else counts


def _shares(axes: Any, title: str, ours: Mapping[str, int], paper: Mapping[str, int]) -> None:
    """Draw bars of shares in per cent, this data beside the paper's."""
    names = list(ours)
    for offset, counts, colour, label in (
        (-0.2, ours, OUR_COLOUR, "this data"),
        (0.2, paper, PAPER_COLOUR, "MMSafe-PO (paper)"),
    ):
        total = sum(counts.values()) or 1
        shares = [100 * counts.get(name, 0) / total for name in names]
        bars = axes.bar([index + offset for index in range(len(names))], shares, 0.38, color=colour, label=label)
        axes.bar_label(bars, [f"{share:.1f}" for share in shares], padding=2, fontsize=7.5)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("share of rows, %")
    axes.set_title(f"{title} ({sum(ours.values())} rows)", loc="left")
    axes.legend(frameon=False)


def _lengths(axes: Any, title: str, lengths: Sequence[int], paper_mean: float | None) -> None:
    """Draw a histogram that ends at the 99th percentile; longer rows count in the last bar."""
    ordered = sorted(lengths)
    top = max(10, ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))])
    axes.hist([min(length, top) for length in lengths], bins=30, range=(0, top), color=OUR_COLOUR)
    mean = sum(lengths) / len(lengths)
    axes.axvline(mean, color=INK, linewidth=1.2, label=f"mean {mean:.2f}")
    if paper_mean is not None:
        axes.axvline(paper_mean, color=INK, linewidth=1.2, linestyle=":", label=f"paper's mean {paper_mean:.2f}")
    axes.set_xlabel("words, role words and image tags counted")
    axes.set_ylabel("rows")
    axes.set_title(f"{title} ({len(lengths)} rows)", loc="left")
    axes.legend(frameon=False)


def _funnel(axes: Any, steps: Sequence[tuple[str, int]]) -> None:
    """Draw what was left after each step of the build, with the share that the paper kept."""
    names, counts = zip(*steps, strict=True)
    positions = range(len(steps))
    bars = axes.barh(positions, counts, color=OUR_COLOUR)
    axes.bar_label(bars, [str(count) for count in counts], padding=3, fontsize=7.5)
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    train = PAPER_PROFILES[0]
    share = 100 * train.instructions / (train.before_filtering or 1)
    kept = 100 * counts[-1] / counts[0] if counts[0] else 0.0
    axes.set_title(f"What was left after each step: {kept:.1f} % (paper, train: {share:.1f} %)", loc="left")


def _sunburst(axes: Any, categories: Mapping[tuple[str, ...], int]) -> None:
    """Draw rings from the widest category inside to the narrowest outside; grey is unknown."""
    total = sum(categories.values())
    depth = max(map(len, categories))
    width = 0.7 / depth
    for level in range(1, depth + 1):
        ring: Counter[tuple[str, ...]] = Counter()
        for path, number in sorted(categories.items()):
            ring[path[:level]] += number
        tops = sorted({path[0] for path in categories if path})
        colours = [_colour(path, level, tops) for path in ring]
        wedges, _ = axes.pie(
            list(ring.values()), radius=0.3 + width * level, startangle=90, counterclock=False, colors=colours,
            wedgeprops={"width": width, "edgecolor": "white", "linewidth": 0.6},
        )  # fmt: skip
        for wedge, (path, number) in zip(wedges, ring.items(), strict=True):
            if number / total >= 0.03:
                _write(axes, wedge, (*path, *("",) * depth)[level - 1], radius=0.3 + width * (level - 0.5))
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02))
    axes.set_title(f"Categories of harm ({total} rows, {categories.get((), 0)} of them unknown)", loc="left")


def _colour(path: tuple[str, ...], level: int, tops: Sequence[str]) -> str:
    """Return the colour of a wedge: unknown rows are grey in the first ring; beyond a path's end it is white."""
    if len(path) < level:
        return GREY if level == 1 else "white"
    return RING_COLOURS[tops.index(path[0]) % len(RING_COLOURS)] + ("", "c0", "90")[min(level, 3) - 1]


def _write(axes: Any, wedge: Any, text: str, *, radius: float) -> None:
    """Write a name along its wedge, in at most three short lines."""
    angle = math.radians((wedge.theta1 + wedge.theta2) / 2)
    lines = textwrap.wrap(text, 15, max_lines=3, placeholder="..")
    degrees = math.degrees(angle) % 360
    turned = degrees - 180 if 90 < degrees < 270 else degrees
    ink = "white" if wedge.get_facecolor()[3] > 0.95 else INK
    centre = radius * math.cos(angle), radius * math.sin(angle)
    axes.text(*centre, "\n".join(lines), rotation=turned, ha="center", va="center", fontsize=6.5, color=ink)
