"""What each view shows the model of a row."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.simple_rows import png, simple

from blindpo.errors import ConfigError, ImageError, RowError
from blindpo.rows.image_index import ImageIndex
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Turn
from blindpo.rows.view_names import OLD_VIEWS, VIEWS, current_view, require_view
from blindpo.rows.views import OtherImages, view_row


def pixels(image: ImageRef) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.data)))


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_removed_takes_image_placeholder_and_the_newline_after_it() -> None:
    row = simple("1", prompt=(Turn(role="user", content=(IMAGE, "\nwhat is this?")),))
    seen = view_row(row, "removed", generator=draw())
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
def test_removed_takes_only_the_breaks_that_set_an_image_off(content: tuple, seen: tuple) -> None:
    turns = (Turn(role="user", content=(IMAGE,)), Turn(role="user", content=content))
    assert view_row(simple("1", prompt=turns), "removed", generator=draw()).prompt[1].content == seen


def test_blank_shows_what_the_model_would_see_upright_and_on_white() -> None:
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(sink, format="PNG", exif=exif)
    blank = pixels(view_row(simple("1", images=(ImageRef(data=sink.getvalue()),)), "blank", generator=draw()).images[0])
    assert blank.shape == (4, 3, 3) and (blank == 255).all()


def test_an_image_that_cannot_be_decoded_is_a_row_error() -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        view_row(simple("1", images=(ImageRef(data=b"<html>"),)), "blank", generator=draw())


def test_removed_leaves_a_turn_of_an_image_alone_empty() -> None:
    row = simple("1", prompt=(Turn(role="user", content=(IMAGE,)),))
    assert view_row(row, "removed", generator=draw()).prompt[0].content == ()


def test_rows_as_they_are_and_text_rows_stay_as_they_are() -> None:
    row = simple("1")
    assert view_row(row, "as_is", generator=draw()) is row
    text_only = simple("2", prompt=(Turn(role="user", content=("hi",)),), images=())
    assert view_row(text_only, "noise", generator=draw()) is text_only


def test_blank_is_the_mean_colour_and_noise_is_seeded() -> None:
    row = simple("1")
    assert (pixels(view_row(row, "blank", generator=draw()).images[0]) == (255, 0, 0)).all()
    noisy = [view_row(row, "noise", generator=draw(3)).images[0] for _ in range(2)]
    assert noisy[0] == noisy[1] and pixels(noisy[0]).std() > 10
    assert pixels(noisy[0]).shape == (3, 4, 3)


def coloured(*colours: str) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(data=png(colour)) for colour in colours)


def with_images(*images: ImageRef) -> PreferenceRow:
    return simple("1", prompt=(Turn(role="user", content=(IMAGE,) * len(images)),), images=images)


def others_in(*images: ImageRef, safe: tuple[ImageRef, ...] = ()) -> OtherImages:
    return OtherImages(of_data=ImageIndex.of_rows([with_images(image) for image in images]), safe=safe)


def test_swapped_puts_a_different_other_image_into_every_slot() -> None:
    red, green, blue, black = coloured("red", "green", "blue", "black")
    row = with_images(red, green)
    for seed in range(20):
        shown = view_row(row, "swapped", generator=draw(seed), others=others_in(red, green, blue, black))
        assert {image.data for image in shown.images} == {blue.data, black.data} and len(shown.images) == 2
        assert shown.prompt == row.prompt
    alone = view_row(row, "swapped", generator=draw(), others=others_in(red, green, blue)).images
    assert [image.data for image in alone] == [blue.data, blue.data]  # the data have one other image


def test_swapped_never_shows_an_image_of_the_row_and_any_other_may_come() -> None:
    images = coloured("red", "green", "blue", "black", "white")
    seen = [
        view_row(with_images(images[1]), "swapped", generator=draw(n), others=others_in(*images)) for n in range(99)
    ]
    assert {row.images[0].data for row in seen} == {image.data for image in images} - {images[1].data}


def test_the_choice_does_not_depend_on_the_order_of_the_data() -> None:
    images = coloured("red", "green", "blue", "black", "white")
    for seed in range(9):
        one, other = (
            view_row(with_images(images[0]), "swapped", generator=draw(seed), others=others_in(*order)).images
            for order in (images, images[::-1])
        )
        assert one == other


def test_a_safe_image_stands_in_every_slot() -> None:
    red, green, blue, black = coloured("red", "green", "blue", "black")
    shown = view_row(with_images(red, green), "safe_image", generator=draw(), others=others_in(safe=(blue, black)))
    assert {image.data for image in shown.images} == {blue.data, black.data}


@pytest.mark.parametrize("view", ["swapped", "safe_image"])
def test_without_another_image_there_is_no_such_view(view: str) -> None:
    row = with_images(*coloured("red"))
    for others in (None, others_in(*row.images)):
        with pytest.raises(RowError, match="no other image"):
            view_row(row, view, generator=draw(), others=others)  # type: ignore[arg-type]


def test_the_textual_twin_has_no_image_and_the_deictic_stage_keeps_them() -> None:
    turns = (Turn(role="user", content=("what is a card?",)),)
    twin = view_row(simple("1", text_prompt=turns), "text", generator=draw())
    assert twin.images == () and twin.prompt == turns
    deictic = view_row(simple("1"), "deictic", generator=draw(), deictic=turns)
    assert deictic.images == simple("1").images and deictic.prompt == turns
    for view in ("text", "deictic"):
        with pytest.raises(RowError, match=f"no {view} prompt"):
            view_row(simple("1"), view, generator=draw())  # type: ignore[arg-type]


def test_old_names_are_read_and_refused_where_they_are_typed() -> None:
    assert {current_view(name) for name in OLD_VIEWS} == {"removed", "swapped", "as_is", "deictic"}
    assert all(current_view(name) == name for name in VIEWS)
    require_view("noise", where="views")
    with pytest.raises(ConfigError, match="views: 'mid' is now called 'deictic'"):
        require_view("mid", where="views")
    with pytest.raises(ConfigError, match="views: 'upside' is unknown; allowed: as_is"):
        require_view("upside", where="views")
