"""Draw a scene: one icon on a pale background, 36 pixels square, slightly rotated, scaled, moved and noisy.

Scenes are drawn four times larger and shrunk, so that edges are smooth. An icon is a list of strokes on a 100 x 100
board; a stroke is a shape, its points, and its colour: the thing's or dark grey.
"""

import io
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from blindpo.demo.world import COLOURS, Scene

IMAGE_PX: Final = 36
_BOARD_PX: Final = 144
_GREY: Final = (95, 95, 100)
_TURN_DEGREES: Final = 8.0
_SHIFT_PX: Final = 5
_NOISE: Final = 6.0


class Stroke(NamedTuple):
    """One shape of an icon; `points` on the 100 x 100 board: a polygon's corners, or the two corners of a box."""

    shape: str
    points: tuple[float, ...]
    grey: bool = False


def _poly(*points: float, grey: bool = False) -> Stroke:
    return Stroke("polygon", points, grey)


def _disc(*box: float, grey: bool = False) -> Stroke:
    return Stroke("ellipse", box, grey)


def _bar(*box: float, grey: bool = False) -> Stroke:
    return Stroke("rectangle", box, grey)


ICONS: Final[dict[str, tuple[Stroke, ...]]] = {
    "gun": (_bar(12, 28, 88, 46), _poly(58, 46, 80, 46, 90, 84, 68, 84), _disc(42, 44, 60, 62, grey=True)),
    "drill": (_bar(38, 24, 88, 50), _poly(60, 50, 78, 50, 78, 84, 60, 84), _poly(38, 28, 38, 46, 8, 37, grey=True)),
    "knife": (_poly(46, 6, 62, 20, 62, 60, 46, 60), _bar(46, 60, 62, 94, grey=True)),
    "spoon": (_disc(36, 6, 68, 46), _bar(47, 46, 57, 94)),
    "bomb": (_disc(20, 32, 80, 92), _bar(46, 18, 58, 34, grey=True), _poly(52, 18, 74, 4, 80, 10, 58, 22, grey=True)),
    "ball": (_disc(18, 20, 82, 84), _poly(18, 48, 82, 44, 82, 56, 18, 60, grey=True)),
    "grenade": (_disc(28, 36, 72, 92), _bar(40, 18, 60, 38, grey=True), _poly(60, 18, 82, 30, 82, 56, 74, 56, 74, 34),
                _bar(28, 60, 72, 66, grey=True)),
    "pear": (_disc(24, 46, 76, 94), _disc(36, 24, 64, 62), _poly(48, 26, 54, 26, 62, 6, 56, 6, grey=True)),
    "firework": (_bar(40, 34, 60, 78), _poly(32, 36, 50, 6, 68, 36), _bar(47, 78, 53, 98, grey=True)),
    "candle": (_bar(38, 38, 62, 94), _disc(42, 8, 58, 34, grey=True)),
    "pill": (_disc(6, 36, 38, 68), _bar(22, 36, 50, 68), _bar(50, 36, 78, 68, grey=True),
             _disc(62, 36, 94, 68, grey=True)),
    "bean": (_disc(10, 28, 56, 72), _disc(44, 34, 90, 78), _disc(38, 60, 60, 84, grey=True)),
    "syringe": (_bar(38, 26, 62, 70), _bar(48, 70, 52, 98, grey=True), _bar(47, 10, 53, 26, grey=True),
                _bar(32, 4, 68, 12, grey=True)),
    "pen": (_bar(40, 6, 60, 72), _poly(40, 72, 60, 72, 50, 96, grey=True)),
    "hatchet": (_bar(44, 10, 54, 96, grey=True), _poly(54, 14, 88, 4, 88, 52, 54, 42)),
    "flag": (_bar(18, 6, 26, 96, grey=True), _poly(26, 8, 90, 28, 26, 50)),
    "cup": (_poly(18, 30, 66, 30, 60, 86, 24, 86), _bar(66, 40, 86, 48), _bar(78, 40, 86, 70), _bar(62, 64, 86, 71)),
    "hat": (_bar(6, 66, 94, 80), _poly(28, 66, 32, 22, 68, 22, 72, 66), _bar(28, 56, 72, 66, grey=True)),
    "key": (_disc(6, 32, 44, 70), _disc(17, 43, 33, 59, grey=True), _bar(44, 46, 94, 56), _bar(80, 56, 90, 74),
            _bar(64, 56, 72, 70)),
    "fish": (_disc(8, 28, 72, 74), _poly(64, 50, 94, 26, 94, 76), _disc(20, 42, 30, 52, grey=True)),
}  # fmt: skip


def draw(scene: Scene) -> Image.Image:
    """Return the scene's image, RGB, `IMAGE_PX` square; the same scene always gives the same image."""
    generator = np.random.default_rng(scene.pose)
    ground = tuple(int(value) for value in generator.integers(215, 250, 3))
    scale = generator.uniform(0.80, 0.94) * _BOARD_PX / 100
    corner = (_BOARD_PX - 100 * scale) / 2 + generator.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    board = Image.new("RGB", (_BOARD_PX, _BOARD_PX), ground)
    pen = ImageDraw.Draw(board)
    for stroke in ICONS[scene.thing]:
        _put(pen, stroke, _placed(stroke.points, scale, corner), colour=COLOURS[scene.colour])
    turn = generator.uniform(-_TURN_DEGREES, _TURN_DEGREES)
    board = board.rotate(turn, Image.Resampling.BILINEAR, fillcolor=ground)
    small = np.asarray(board.resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BOX), dtype=np.float32)
    noisy = small + generator.normal(0.0, _NOISE, small.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def draw_png(scene: Scene) -> bytes:
    """Return the scene's image as PNG bytes."""
    stream = io.BytesIO()
    draw(scene).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def _placed(points: Sequence[float], scale: float, corner: np.ndarray) -> list[tuple[float, float]]:
    return [(x * scale + corner[0], y * scale + corner[1]) for x, y in zip(points[::2], points[1::2], strict=True)]


def _put(pen: ImageDraw.ImageDraw, stroke: Stroke, points: list[tuple[float, float]], *,
         colour: tuple[int, int, int]) -> None:  # fmt: skip
    fill = _GREY if stroke.grey else colour
    if stroke.shape == "polygon":
        pen.polygon(points, fill=fill)
    elif stroke.shape == "ellipse":
        pen.ellipse(points, fill=fill)
    else:
        pen.rectangle(points, fill=fill)
