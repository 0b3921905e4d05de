"""What the settings of a chat model may be."""

from typing import Any

import pytest

from blindpo.errors import ConfigError
from blindpo.models.chat.config import ChatConfig, ServerConfig


@pytest.mark.parametrize(
    "named",
    [
        {"model": " "},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"concurrency": 0},
        {"retries": -1},
        {"timeout_seconds": 0.0},
        {"give_up_after": 0},
        {"budget_tokens": 0},
    ],
)
def test_a_setting_out_of_range_is_named(named: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(named))):
        if next(iter(named)) in ServerConfig.__dataclass_fields__:
            ServerConfig(**named)
        else:
            ChatConfig(**{"model": "m", **named})
