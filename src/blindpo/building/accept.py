"""Conditions that an image must meet to stand for an entity: one small check per rule, run on every candidate.

A check returns a reason, `code: words`, or None. They run in the order of `CHECKS`; the first reason counts.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from PIL import Image

from blindpo.building.config import BuildConfig
from blindpo.errors import ImageError
from blindpo.images.base import Accept, Candidate, Query
from blindpo.images.decode import decode_image
from blindpo.images.names import name_key
from blindpo.images.near_duplicates import SeenImages, look_of
from blindpo.models.vlm.source import resolve_model

Check = Callable[[Query, Candidate], str | None]


@lru_cache(1)
def _image(data: bytes) -> Image.Image:
    """Decode an image; cached, since several checks in a row look at the same one."""
    return decode_image(data)


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
            image = _image(candidate.image.data)
        except ImageError as error:
            return f"image-undecodable: {error.reason}"
        if min(image.size) < config.min_image_px:
            return f"image-small: one side is below {config.min_image_px} pixels"
        return None

    return check


def _agrees(config: BuildConfig) -> Check | None:
    """Check with a CLIP-like model that image and name agree. Not cached: one image may have several names."""
    if config.agreement == "none":
        return None
    # torch is heavy, and only a recipe that names a model needs it
    from blindpo.models.classifiers.clip_score import ClipScore

    model = ClipScore(resolve_model(config.agreement.removeprefix("hf:")))

    def check(query: Query, candidate: Candidate) -> str | None:
        score = model.score(_image(candidate.image.data), query.text)
        if score >= config.min_agreement:
            return None
        return f"image-disagrees: image and name agree by {score:.3f}, needed are {config.min_agreement:g}"

    return check


def _alone(config: BuildConfig) -> Check | None:
    """Check that no two titles share an image; several names of one page may. Last, since it remembers images."""
    if config.near_duplicates == "allow":
        return None
    seen = SeenImages()

    def check(query: Query, candidate: Candidate) -> str | None:
        title = name_key(candidate.image.title or query.text)
        look = look_of(_image(candidate.image.data))
        if seen.other_name(title, look) is not None:
            return "image-duplicate: the same image, or nearly, stands for an entity of another title"
        seen.add(title, look)
        return None

    return check


CHECKS: Final[tuple[Callable[[BuildConfig], Check | None], ...]] = (_same_type, _free, _whole, _agrees, _alone)
"""Makers of checks: cheap ones first, the one that remembers last. Each returns a check, or None if the recipe does not
ask for it."""


def acceptance(config: BuildConfig) -> Accept:
    """Combine all checks into one that returns the first reason, or None."""
    checks = [check for make in CHECKS if (check := make(config)) is not None]

    def accept(query: Query, candidate: Candidate) -> str | None:
        return next((reason for check in checks if (reason := check(query, candidate)) is not None), None)

    return accept
