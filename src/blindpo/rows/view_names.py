"""The names of the views: what a model can be shown of a row, in one set of words for every command, file and page.

    as_is       the row's own prompt with its images       blank       each image in its mean colour
    text        the textual twin, which has no image       swapped     other images of the data in their place
    deictic     the stage between the two, with images     safe_image  harmless images in their place
    removed     the prompt without its images              noise       uniform noise in their place

Version 0.1 had three sets. Its files are read with the names of today (`current_view`); whoever types one of its names
is told the name of today (`require_view`).
"""

from collections.abc import Sequence
from typing import Final, Literal, cast, get_args

from blindpo.errors import ConfigError

View = Literal["as_is", "text", "deictic", "removed", "blank", "swapped", "safe_image", "noise"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
"""In the order in which a row is asked. A view's place seeds what is sampled under it: append, never insert."""
DEFAULT_VIEWS: Final[tuple[View, ...]] = ("as_is", "text")
"""Of an evaluation."""
BlindView = Literal["removed", "blank", "noise", "swapped", "as_is"]
"""Those under which a blind response is made: the row's own prompt, with or without what its images show."""
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
"""Names of version 0.1, of blind responses, of evaluations and of the probe in training."""


def current_view(name: str) -> View:
    """The name of today for a view that a file names; a name that nobody knows stays what it is.

    >>> current_view("mid"), current_view("deictic")
    ('deictic', 'deictic')
    """
    return cast(View, OLD_VIEWS.get(name, name))


def require_view(name: str, allowed: Sequence[str] = VIEWS, *, where: str) -> None:
    """Raise ConfigError where `name` is not in `allowed`; for an old name it says the new one.

    >>> require_view("swap", where="views")
    Traceback (most recent call last):
    blindpo.errors.ConfigError: views: 'swap' is now called 'swapped'; write that instead
    """
    if name in allowed:
        return
    if OLD_VIEWS.get(name) in allowed:
        raise ConfigError(f"{where}: '{name}' is now called '{OLD_VIEWS[name]}'; write that instead")
    raise ConfigError(f"{where}: '{name}' is unknown; allowed: {', '.join(allowed)}")
