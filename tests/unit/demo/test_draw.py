"""Every scene can be drawn."""

import pytest

from blindpo.demo.draw import IMAGE_PX, draw, draw_png
from blindpo.demo.world import COLOURS, THINGS, Scene


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("colour", COLOURS)
def test_every_thing_can_be_drawn_and_the_same_scene_is_the_same_image(thing: str, colour: str) -> None:
    scene = Scene(thing=thing, colour=colour, pose=5)
    assert draw(scene).size == (IMAGE_PX, IMAGE_PX)
    assert draw_png(scene) == draw_png(scene)


def test_the_pose_moves_the_image() -> None:
    assert draw_png(Scene(thing="gun", colour="red", pose=1)) != draw_png(Scene(thing="gun", colour="red", pose=2))
