"""Upload a finished RUN to the Hugging Face Hub, once, after training, and only with `push_to_hub`.

Weights or adapter, processor, card and records go; checkpoints, rejected rows, probe answers and clock times stay here:
they hold row ids, texts of a safety data set, or nothing that a reader needs. The token is the one that `hf auth login`
or HF_TOKEN gave: one on the command line would stay in the shell's history.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blindpo.errors import ConfigError, TrainingError

SENT: Final = (
    "*.safetensors", "*.safetensors.index.json", "*config.json", "tokenizer*", "*.jinja", "*.model", "special_tokens*",
    "added_tokens.json", "vocab.*", "merges.txt", "README.md", "run.json", "manifest.json", "metrics.jsonl",
)  # fmt: skip
UPLOAD_KEYS: Final = ("push_to_hub", "hub_model_id", "hub_private_repo")
"""Options of transformers that are read here instead; its trainer would upload in the middle of training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The repository that a finished run is uploaded to."""

    hub_model_id: str
    private: bool | None
    """None leaves it to the account's default."""


def asked_upload(options: Mapping[str, Any]) -> Upload | None:
    """The upload that the options ask for. Raises ConfigError where they are incomplete or have no effect."""
    wanted = str(options.get("push_to_hub", "false")).lower() in ("true", "1", "yes")
    if not wanted:
        idle = next((key for key in UPLOAD_KEYS[1:] if key in options), None)
        if idle is not None:
            raise ConfigError(f"options: '{idle}' has no effect without push_to_hub=true; add it or leave it out")
        return None
    name = str(options.get("hub_model_id", ""))
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigError(f"options: push_to_hub needs hub_model_id as OWNER/NAME; it is '{name}'")
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes"):
        raise ConfigError("options: push_to_hub cannot work while HF_HUB_OFFLINE is set; unset it or leave the option")
    private = options.get("hub_private_repo")
    return Upload(hub_model_id=name, private=None if private is None else str(private).lower() in ("true", "1", "yes"))


def push(run: Path, upload: Upload, *, api: Any = None) -> str:
    """Upload a finished `run`; returns the address. Raises TrainingError: the run itself stays whole."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = api or HfApi()
    try:
        repo = hub.create_repo(upload.hub_model_id, private=upload.private, repo_type="model", exist_ok=True)
        hub.upload_folder(
            repo_id=repo.repo_id, folder_path=str(run), repo_type="model", allow_patterns=list(SENT),
            ignore_patterns=["checkpoint-*", ".*"], commit_message="Upload a run of blindpo",
        )  # fmt: skip
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise TrainingError(
            f"{run} is finished and whole, but could not be uploaded to {upload.hub_model_id}: "
            f"{' '.join(str(error).split())[:300]}. Run the same command again to try once more."
        ) from error
    return f"https://huggingface.co/{repo.repo_id}"
