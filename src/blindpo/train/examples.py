"""Rows to examples: tokens of the prompt and of every response, each response under its own full prompt.

This is the plain, readable path, and the oracle of any faster one. A row that cannot be trained on is rejected with
its reason; one that is too long with its length. Nothing is cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from blindpo.errors import RowError
from blindpo.images.decode import decode_image
from blindpo.models.prompt import PromptInputs, encode_prompt, encode_response
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.runs.local import Reject

CHOSEN: Final = 0
REJECTED: Final = 1
BLIND: Final = 2


@dataclass(frozen=True, slots=True)
class Example:
    """One row, tokenized. `kinds` says of each response what it is; the first is the chosen one."""

    row_id: str
    prompt: PromptInputs
    responses: tuple[tuple[int, ...], ...]
    kinds: tuple[int, ...]
    keys: tuple[str, ...]
    """Content address of each response under its prompt: tokens and image bytes."""

    @property
    def length(self) -> int:
        """Tokens of the prompt with its longest response."""
        return len(self.prompt.input_ids) + max(map(len, self.responses))


def encode_row(processor: Any, row: PreferenceRow, *, use_blind: bool) -> Example:
    """The example of `row`. Raises RowError where it has no pair or breaks an invariant."""
    require_valid(row, pair=True)
    named = [(CHOSEN, row.chosen or "", False), (REJECTED, row.rejected or "", False)]
    named += [(REJECTED, text, False) for text in row.more_rejected]
    named += [(BLIND, answer.text, answer.cut) for answer in row.blind if use_blind]
    prompt = encode_prompt(processor, row.prompt, [decode_image(image.data) for image in row.images])
    responses = tuple(tuple(encode_response(processor, row.prompt, text, cut=cut)) for _, text, cut in named)
    context = sha256(repr((prompt.input_ids.tolist(), [image.sha256 for image in row.images])).encode()).hexdigest()
    keys = tuple(sha256(f"{context}{list(ids)}".encode()).hexdigest()[:32] for ids in responses)
    return Example(row.row_id, prompt, responses, tuple(kind for kind, _, _ in named), keys)


def encode_rows(
    processor: Any, rows: Iterable[PreferenceRow], *, use_blind: bool, max_length: int | None
) -> tuple[list[Example], list[Reject]]:
    """Examples of all rows that can be trained on, and why the others cannot."""
    examples: list[Example] = []
    rejects: list[Reject] = []
    for row in rows:
        try:
            example = encode_row(processor, row, use_blind=use_blind)
            _require_fit(example, max_length)
            examples.append(example)
        except RowError as error:
            rejects.append(Reject(row_id=row.row_id, field=error.field, reason=error.reason, stage="train"))
    return examples, rejects


def _require_fit(example: Example, max_length: int | None) -> None:
    if max_length is not None and example.length > max_length:
        reason = f"{example.length} tokens with its longest response; the limit is {max_length} (max_length)"
        raise RowError(reason, row_id=example.row_id, field="prompt")


def count_without_blind(examples: Sequence[Example]) -> int:
    """How many examples have no blind response."""
    return sum(BLIND not in example.kinds for example in examples)
