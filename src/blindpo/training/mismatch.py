"""Name the row whose image tokens do not fit its image's features, in place of the model's stack trace.

It happens when a processor's settings are not the model's (patch size, feature selection, added tokens), or when a
token was lost on the way. Each model has its own message for it, and none knows the rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from blindpo.errors import TrainingError


class ImageTokensError(TrainingError):
    """Rows whose image tokens and image features differ in number."""


def is_mismatch(error: Exception) -> bool:
    """Whether a model's `error` says that image tokens and features do not match."""
    words = str(error).lower()
    return "do not match" in words and "image" in words and ("token" in words or "feature" in words)


@contextmanager
def naming_rows(row_ids: Sequence[str]) -> Iterator[None]:
    """Raises ImageTokensError with `row_ids` if the model inside reports a mismatch; other errors pass."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if not is_mismatch(error):
            raise
        numbers = " ".join(str(error).split())
        raise ImageTokensError(
            f"row {', '.join(row_ids)}: the prompt's image tokens do not fit the image ({numbers}). The processor's "
            "settings are not the model's, or the row's image slots are wrong: see preprocessor and processor_config "
            "beside the model, and 'blindpo check DATA --model MODEL'"
        ) from error
