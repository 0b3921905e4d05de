"""PreferenceRow, one row of multimodal preference data: the one data model of the project.

A row is a conversation that ends with a user turn, the images that belong to its turns, and the responses that people
or models gave to it. The fields follow TRL's vision-preference columns (prompt, chosen, rejected, images), so that a
saved folder trains with TRL as it is; what TRL has no column for (blind responses, the textual twin, provenance,
truth) has columns beside them. Images are kept as the original encoded bytes and are decoded late.

Invariants, which need the whole row, are in `rows/checks.py`.
"""

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final, Literal, get_args

from blindpo.rows.view_names import BlindView

Role = Literal["system", "user", "assistant"]
Label = Literal["harmful", "harmless", "unknown"]
LABELS: Final[tuple[str, ...]] = get_args(Label)


class ImageSlot(Enum):
    """The position of one image inside a turn; the n-th slot of a row belongs to the n-th of its `images`."""

    IMAGE = "image"


IMAGE: Final = ImageSlot.IMAGE
Part = str | ImageSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation: the speaker, and text and image slots in reading order."""

    role: Role
    content: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The turn's text parts, joined without a separator."""
        return "".join(part for part in self.content if isinstance(part, str))

    @property
    def num_images(self) -> int:
        """The number of image slots in the turn."""
        return sum(part is IMAGE for part in self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """One image: its original encoded bytes and their provenance. Unknown provenance is None, never guessed."""

    data: bytes
    file: str | None = None
    """The file name exactly as the source gave it (percent signs, colons, a missing extension: all kept)."""
    title: str | None = None
    page: str | None = None
    licence: str | None = None
    author: str | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the encoded bytes, in hex: the image's identity for clusters, caches and duplicates."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """The named entity that the image stands for, and the deictic phrase that replaced its mention."""

    text: str
    type: str | None = None
    replacement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindResponse:
    """A response that the reference model gave under a view of the row, and how it was made (paper, section 3.2).

    The view `removed` is the paper's: no image at all. `as_is` keeps the image: the on-policy control.
    """

    text: str
    cut: bool = False
    """True if generation stopped at `max_new_tokens`: such a response has no end of turn."""
    view: BlindView = "removed"
    model: str
    """Fingerprint of the model, server or file that answered (see `answer/answerer.py`)."""
    revision: str | None = None
    temperature: float | None
    """0 is greedy. Here and below, None means unknown: the response was recorded elsewhere."""
    top_p: float | None = 1.0
    top_k: int | None = 0
    max_new_tokens: int | None
    seed: int | None
    draw: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The origin of a row."""

    source: str
    """Name of the source, such as a file name; never an absolute path."""
    source_row_id: str
    dialogue_id: str
    """Shared by all rows made from one dialogue: splits and intervals are by dialogue."""
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRow:
    """One row. `chosen` and `rejected` hold the text of one assistant turn, unchanged; None in evaluation rows."""

    row_id: str
    prompt: tuple[Turn, ...]
    images: tuple[ImageRef, ...] = ()
    chosen: str | None = None
    rejected: str | None = None
    more_rejected: tuple[str, ...] = ()
    blind: tuple[BlindResponse, ...] = ()
    text_prompt: tuple[Turn, ...] | None = None
    """The textual twin: the same request with the entity named and no image."""
    entity: Entity | None = None
    categories: tuple[str, ...] = ()
    label: Label = "unknown"
    """Label of the request, as its source stated it; never inferred from a data set's name."""
    pair_id: str | None = None
    """Shared by rows with the same text and different images."""
    truth: str | None = None
    """Opaque JSON that an oracle judge reads."""
    provenance: Provenance
    extra: str | None = None
    """Opaque JSON with what the source's format needs for a byte-exact export."""
