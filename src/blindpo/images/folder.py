"""A file in a folder of images, by the name that a data set gives: to the letter, and never outside the folder."""

from pathlib import Path

from blindpo.errors import ImageError
from blindpo.rows.row import ImageRef


def find_image(folder: Path, name: str) -> ImageRef:
    """The image `name` of `folder` (names may be percent-encoded or lack an extension: nothing is interpreted).

    Raises ImageError for a name that leaves the folder and for a file that is missing or unreadable.
    """
    parts = name.replace("\\", "/").split("/")
    if not name or ".." in parts or name.startswith(("/", "\\")) or "\0" in name:
        raise ImageError(
            "the image's name leaves the image folder or is empty; give a plain relative name", field="image"
        )
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ImageError("the image's name leads out of the image folder through a link", field="image")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"the image file cannot be read from the image folder ({error.strerror})", field="image"
        ) from error
    if not data:
        raise ImageError("the image file is empty (0 bytes)", field="image")
    return ImageRef(data=data, file=name)
