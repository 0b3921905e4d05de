"""No dead code: whatever vulture finds unused is on a list here that says who uses it, and the list holds no more.

At confidence 60 vulture reports functions, methods and fields that no code of `src` or `bench` names. Most such names
are for callers that it cannot see: transformers, the page's template, JSON, the pages of docs.
"""

from typing import Final

from vulture import Vulture

from tests.house.source import ROOT

CALLBACK: Final = "called by transformers' Trainer: TrainerCallback"
TRAINER: Final = "read or called by transformers' Trainer, which ours extends"
TEMPLATE: Final = "read by page.html.j2"
RECORD: Final = "written by asdict: a key of the JSON"
PAGE: Final = "for users: docs/measures.md shows how"
TOKENIZERS: Final = "read by the tokenizers library"
SIGNATURE: Final = "an argument that another library's signature has"
USERS: Final = {
    "__getattr__": "called by Python for blindpo.train and the other stages",
    "__dir__": "called by dir(blindpo)",
    "_get_num_items_in_batch": TRAINER,
    "_n_gpu": TRAINER,
    "_load_best_model": TRAINER,
    "balance": TEMPLATE,
    "beaten_by": TEMPLATE,
    "cheating": "a key of the cards that `blindpo benchmarks` prints",
    "decoder": TOKENIZERS,
    "design_effect": PAGE,
    "equation": "docs/training.md shows it: tests/unit/training/test_methods.py holds the page to it",
    "forward": "called by PyTorch",
    "get_eval_dataloader": TRAINER,
    "get_train_dataloader": TRAINER,
    "ignore_keys": SIGNATURE,
    "image_tokens": "a world of bench/ has it as the tests' worlds have",
    "invariant": RECORD,
    "items_for_width": PAGE,
    "judged_by": TEMPLATE,
    "kind_S": 'a key of the batch, which the trainer reads as batch["kind_S"]',
    "loss_is_scaled_for_ga": TRAINER,
    "max_connections": "called by Inspect: ModelAPI",
    "missed": RECORD,
    "model_accepts_loss_kwargs": TRAINER,
    "on_epoch_end": CALLBACK,
    "on_log": CALLBACK,
    "on_step_end": CALLBACK,
    "on_train_begin": CALLBACK,
    "on_train_end": CALLBACK,
    "pad_token": TOKENIZERS,
    "power_of_mcnemar": PAGE,
    "pre_tokenizer": TOKENIZERS,
    "prediction_loss_only": SIGNATURE,
    "prediction_step": TRAINER,
    "recogniser": "tells in a debugger, and in tests, whose mention it is",
    "reference_S": 'a key of the batch, which the trainer reads as batch["reference_S"]',
    "returns": "read by Python's compiler: a node of ast",
    "start_time": SIGNATURE,
    "tool_choice": SIGNATURE,
    "without_data": TEMPLATE,
}
"""Who uses what no code of ours names."""


def unused() -> dict[str, str]:
    """Each name that vulture reports, with its first place."""
    vulture = Vulture()
    vulture.scavenge([str(ROOT / "src"), str(ROOT / "bench")])
    items = vulture.get_unused_code(min_confidence=60)
    return {item.name: f"{item.filename}:{item.first_lineno}" for item in reversed(items)}


def test_what_no_code_names_has_a_user_all_the_same() -> None:
    names = unused()
    dead = {name: place for name, place in names.items() if name not in USERS}
    assert not dead, f"remove it, use it, or say in USERS who does: {dead}"
    known = sorted(USERS.keys() - names.keys())
    assert not known, f"code of ours names it now, or it is gone: take it off the list: {known}"
