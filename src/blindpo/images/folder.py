"""Read a file from a folder of images by exactly the name that a data set gives, and never outside the folder."""

from pathlib import Path

from blindpo.errors import ImageError
from blindpo.images.decode import DEFAULT_LIMITS
from blindpo.rows.row import ImageRef


def is_plain_name(name: str) -> bool:
    """Return whether `name` is a relative path inside its folder; percent signs and colons have no special meaning."""
    parts = name.replace("\\", "/").split("/")
    return bool(name) and not name.startswith(("/", "\\")) and ".." not in parts and "\0" not in name


def find_image(folder: Path, name: str) -> ImageRef:
    """Return the image `name` of `folder` (names may be percent-encoded or lack an extension: nothing is interpreted).

    Raises ImageError for a name that leaves the folder and for a file that is missing, unreadable or too large.
    """
    if not is_plain_name(name):
        raise ImageError(
            "the image's name leaves the image folder or is empty; give a plain relative name", field="image"
        )
    data = _read(folder, folder / name)
    if not data:
        raise ImageError("the image file is empty (0 bytes)", field="image")
    return ImageRef(data=data, file=name)


def _read(folder: Path, path: Path) -> bytes:
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ImageError("the image's name leads out of the image folder through a link", field="image")
        if path.exists() and not path.is_file():
            raise ImageError("the image's name is that of a folder or device, not of a file", field="image")
        if path.stat().st_size > DEFAULT_LIMITS.max_bytes:
            raise ImageError(f"the image file is larger than {DEFAULT_LIMITS.max_bytes} bytes", field="image")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be opened"
        raise ImageError(f"the image file cannot be read from the image folder ({reason})", field="image") from error
    except (RuntimeError, ValueError) as error:  # a loop of links; half of a surrogate pair
        raise ImageError("the image's name is no path on this machine", field="image") from error
