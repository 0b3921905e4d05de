"""The names of the views, that is of the ways to show a row to a model: one set for every command, file and page.

    as_is       the row's own prompt with its images       blank       each image in its mean colour
    text        the textual twin, which has no image       swapped     other images of the data in their place
    deictic     the stage between the two, with images     safe_image  harmless images in their place
    removed     the prompt without its images              noise       uniform noise in their place

Version 0.1 had three sets. Names in its files are translated (`current_view`); an old name on the command line is
refused with its new name (`require_view`).
"""

from collections.abc import Sequence
from typing import Final, Literal, cast, get_args

from blindpo.errors import ConfigError

View = Literal["as_is", "text", "deictic", "removed", "blank", "swapped", "safe_image", "noise"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
"""In the order in which a row is asked. A view's position seeds the samples under it: append, never insert."""
DEFAULT_VIEWS: Final[tuple[View, ...]] = ("as_is", "text")
"""The views of an evaluation unless others are given."""
BlindView = Literal["removed", "blank", "noise", "swapped", "as_is"]
"""The views for blind responses: the row's own prompt, with or without the content of its images."""
BLIND_VIEWS: Final[tuple[BlindView, ...]] = get_args(BlindView)
OLD_VIEWS: Final[dict[str, View]] = {
    "remove": "removed",
    "swap": "swapped",
    "sight": "as_is",
    "mid": "deictic",
    "with_image": "as_is",
    "without_image": "removed",
    "other_image": "swapped",
}
"""Names of version 0.1 for blind responses, evaluations and the probe in training."""


def current_view(name: str) -> View:
    """Return the current name of a view named in a file; an unknown name is returned unchanged.

    >>> current_view("mid"), current_view("deictic")
    ('deictic', 'deictic')
    """
    return cast(View, OLD_VIEWS.get(name, name))


def require_view(name: str, allowed: Sequence[str] = VIEWS, *, where: str) -> None:
    """Raise ConfigError if `name` is not in `allowed`; for an old name the error gives the new one.

    >>> require_view("swap", where="views")
    Traceback (most recent call last):
    blindpo.errors.ConfigError: views: 'swap' is now called 'swapped'; write that instead
    """
    if name in allowed:
        return
    if OLD_VIEWS.get(name) in allowed:
        raise ConfigError(f"{where}: '{name}' is now called '{OLD_VIEWS[name]}'; write that instead")
    raise ConfigError(f"{where}: '{name}' is unknown; allowed: {', '.join(allowed)}")
