"""What each view shows the model of a row."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.simple_rows import png, simple

from blindpo.errors import ImageError
from blindpo.rows.row import IMAGE, ImageRef, Turn
from blindpo.rows.views import textual_twin, view


def pixels(image: ImageRef) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.data)))


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_remove_takes_image_placeholder_and_the_newline_after_it() -> None:
    row = simple("1", prompt=(Turn(role="user", content=(IMAGE, "\nwhat is this?")),))
    seen = view(row, "remove", generator=draw())
    assert seen.images == () and seen.prompt[0].content == ("what is this?",)
    assert seen.chosen == row.chosen


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (("what?\n", IMAGE), ("what?",)),
        (("\nkeep this break", IMAGE), ("\nkeep this break",)),
        ((IMAGE, "\n", IMAGE, "\nboth?"), ("", "\nboth?")),
        (("no image here\n",), ("no image here\n",)),
    ],
)
def test_remove_takes_only_the_breaks_that_set_an_image_off(content: tuple, seen: tuple) -> None:
    turns = (Turn(role="user", content=(IMAGE,)), Turn(role="user", content=content))
    assert view(simple("1", prompt=turns), "remove", generator=draw()).prompt[1].content == seen


def test_blank_shows_what_the_model_would_see_upright_and_on_white() -> None:
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(sink, format="PNG", exif=exif)
    blank = pixels(view(simple("1", images=(ImageRef(data=sink.getvalue()),)), "blank", generator=draw()).images[0])
    assert blank.shape == (4, 3, 3) and (blank == 255).all()


def test_an_image_that_cannot_be_decoded_is_a_row_error() -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        view(simple("1", images=(ImageRef(data=b"<html>"),)), "blank", generator=draw())


def test_remove_leaves_a_turn_of_an_image_alone_empty() -> None:
    row = simple("1", prompt=(Turn(role="user", content=(IMAGE,)),))
    assert view(row, "remove", generator=draw()).prompt[0].content == ()


def test_sight_and_text_rows_stay_as_they_are() -> None:
    row = simple("1")
    assert view(row, "sight", generator=draw()) is row
    text_only = simple("2", prompt=(Turn(role="user", content=("hi",)),), images=())
    assert view(text_only, "noise", generator=draw()) is text_only


def test_blank_is_the_mean_colour_and_noise_is_seeded() -> None:
    row = simple("1")
    assert (pixels(view(row, "blank", generator=draw()).images[0]) == (255, 0, 0)).all()
    noisy = [view(row, "noise", generator=draw(3)).images[0] for _ in range(2)]
    assert noisy[0] == noisy[1] and pixels(noisy[0]).std() > 10
    assert pixels(noisy[0]).shape == (3, 4, 3)


def test_swap_shows_the_other_image() -> None:
    other = ImageRef(data=png("green"))
    assert view(simple("1"), "swap", generator=draw(), other=other).images == (other,)
    with pytest.raises(ValueError, match="another row"):
        view(simple("1"), "swap", generator=draw())


def test_the_textual_twin_has_no_image() -> None:
    twin = textual_twin(simple("1", text_prompt=(Turn(role="user", content=("what is a card?",)),)))
    assert twin is not None and twin.images == () and twin.prompt[0].text == "what is a card?"
    assert textual_twin(simple("1")) is None
