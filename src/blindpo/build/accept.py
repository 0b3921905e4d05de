"""What a picture must be to stand for an entity: one small check a rule, asked of every candidate of every source.

A check gives a reason, `code: words`, or None. They run in the order of `CHECKS`; the first reason counts.
"""

from collections.abc import Callable
from typing import Final

from blindpo.build.config import BuildConfig
from blindpo.errors import ImageError
from blindpo.images.base import Accept, Candidate, Query
from blindpo.images.decode import decode_image

Check = Callable[[Query, Candidate], str | None]


def _same_type(config: BuildConfig) -> Check:
    def check(query: Query, candidate: Candidate) -> str | None:
        if query.type is None or candidate.entity_type is None or query.type == candidate.entity_type:
            return None
        return f"image-type: the source says {candidate.entity_type}, the recogniser {query.type}"

    return check


def _free(config: BuildConfig) -> Check | None:
    def check(query: Query, candidate: Candidate) -> str | None:
        return "image-nonfree: the licence is not a free one" if candidate.free is False else None

    return check if config.free_only else None


def _whole(config: BuildConfig) -> Check:
    def check(query: Query, candidate: Candidate) -> str | None:
        try:
            picture = decode_image(candidate.image.data)
        except ImageError as error:
            return f"image-undecodable: {error.reason}"
        if min(picture.size) < config.min_image_px:
            return f"image-small: one side is below {config.min_image_px} pixels"
        return None

    return check


CHECKS: Final[tuple[Callable[[BuildConfig], Check | None], ...]] = (_same_type, _free, _whole)
"""Cheap ones first; each makes its check from the recipe, or None where the recipe does not ask for it."""


def acceptance(config: BuildConfig) -> Accept:
    """All checks as one. Reasons about the same bytes are the same, so a picture is looked at once for each entity."""
    checks = [check for make in CHECKS if (check := make(config)) is not None]

    def accept(query: Query, candidate: Candidate) -> str | None:
        return next((reason for check in checks if (reason := check(query, candidate)) is not None), None)

    return accept
