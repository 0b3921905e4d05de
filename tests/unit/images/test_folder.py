"""Image names are taken to the letter, and never lead out of their folder."""

from pathlib import Path

import pytest

from blindpo.errors import ImageError
from blindpo.images import folder as images
from blindpo.images.folder import find_image


@pytest.mark.parametrize(
    "name", ["a%20b%2Fc.svg.png", "tbn:ANd9", "no_extension", "sub/one.png", "..two", "caf\u00e9.png"]
)
def test_a_name_is_taken_to_the_letter(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    image = find_image(tmp_path, name)
    assert (image.data, image.file) == (b"x", name)


@pytest.mark.parametrize("name", ["../a", "x/../../a", "/etc/hostname", "..\\a", "\\a", "", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a").write_bytes(b"secret")
    with pytest.raises(ImageError, match="leaves the image folder"):
        find_image(tmp_path / "in", name)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a").write_bytes(b"secret")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "a")
    with pytest.raises(ImageError, match="through a link"):
        find_image(tmp_path / "in", "link")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.png", "No such file"),
        ("a" * 5000, "too long"),
        ("folder", "folder or device"),
        ("\ud800", "no path"),
        ("empty", "0 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ImageError, match=message):
        find_image(tmp_path, name)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ImageError):
        find_image(tmp_path, "a")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large").write_bytes(b"x" * 11)
    monkeypatch.setattr(images, "DEFAULT_LIMITS", images.DEFAULT_LIMITS.__class__(max_bytes=10))
    with pytest.raises(ImageError, match="larger than 10"):
        find_image(tmp_path, "large")
