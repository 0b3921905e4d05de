"""What a request may be."""

import pytest

from blindpo.models.chat.interface import TextRequest
from blindpo.rows.row import IMAGE, Turn


def test_a_request_must_fit_its_images() -> None:
    with pytest.raises(ValueError, match="1 image slots, and there are 0 images"):
        TextRequest(turns=(Turn(role="user", content=(IMAGE,)),))
    with pytest.raises(ValueError, match="needs at least one turn"):
        TextRequest(turns=())
