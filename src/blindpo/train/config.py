"""What is ours to choose in training; everything else is `transformers.TrainingArguments` by its own names."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["bpo", "dpo"]

FIXED = {
    "output_dir": "it is --out",
    "remove_unused_columns": "the batches have columns of their own",
    "label_names": "the batches have columns of their own",
    "prediction_loss_only": "evaluation computes rewards",
    "resume_from_checkpoint": "the same command goes on from the last complete checkpoint by itself",
    "ignore_data_skip": "resuming is exact",
    "do_train": "it is the command",
    "do_eval": "it is --eval",
    "do_predict": "it is 'blindpo evaluate'",
    "push_to_hub": "upload the finished RUN folder yourself",
    "dataloader_drop_last": "no row is dropped",
    "label_smoothing_factor": "the loss has no labels",
    "include_num_input_tokens_seen": "the batches have columns of their own",
    "group_by_length": "batches hold all responses of their rows",
    "save_only_model": "resuming needs the optimizer",
    "batch_eval_metrics": "evaluation computes rewards",
    "accelerator_config": "the loss is a mean over rows, not over batches",
    "full_determinism": "runs are repeatable as they are",
}
"""Options of TrainingArguments that the trainer fixes, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How preferences are learnt."""

    method: Method = "bpo"
    """"bpo" compares chosen with rejected and blind responses, "dpo" with rejected ones alone."""
    beta: float = 0.1
    """Strength of the reward, above 0: small values let the policy move far from the reference."""
    max_length: int | None = None
    """Rows over so many tokens are rejected, never cut; None is what the model takes."""
    freeze_vision: bool = True
    """Leave the vision tower as it is (the paper's choice)."""
    lora: bool = False
    """Train a LoRA adapter on the language model instead of all weights."""
    lora_r: int = 16
    """Rank of the adapter."""
    lora_alpha: float = 32.0
    """Scale of the adapter."""
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Names of the linear layers that get an adapter, outside the vision tower."""
    reference: Literal["cached", "adapter_off"] = "cached"
    """Where the reference's log-probabilities come from: computed once and kept, or the model without its adapter."""
    reference_cache: str | None = None
    """Folder of the cache; None is RUN/reference. Entries are found by content, so runs may share it."""

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise ValueError("beta must be above 0")
        if self.max_length is not None and self.max_length < 2:
            raise ValueError("max_length must be at least 2")
        if self.lora_r < 1:
            raise ValueError("lora_r must be at least 1")
        if self.reference == "adapter_off" and not self.lora:
            raise ValueError("reference adapter_off needs lora: true; without an adapter there is nothing to turn off")
