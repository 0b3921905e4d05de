"""Every difference that may be, with its reason. An entry that explains nothing is an error (see `compare.py`).

VOLATILE differs when the same program runs twice. CHANGED is what HEAD does otherwise on purpose: each entry stands in
CHANGELOG as well. RENAMED are files that HEAD calls otherwise.
"""

from typing import Final

from tests.golden.compare import Allowed, Renamed

VOLATILE: Final = (
    Allowed(reason="clock times, which stand in this file alone", files="*timings.json"),
    Allowed(
        reason="the share of the loop's time that went to waiting for data",
        files="printed/train_*.json",
        keys=("data_share",),
    ),
    Allowed(
        reason="the packing check of the base draws an adapter's first matrices unseeded; the difference is rounding",
        files="out/*lora/run.json",
        keys=("packing.largest_difference_nats.*",),
        is_chance=True,
    ),
)

CHANGED: Final[tuple[Allowed, ...]] = (
    Allowed(
        reason="an import says which keys it did not use",
        files="out/*/manifest.json",
        keys=("not_used", "not_used.*"),
    ),
    Allowed(
        reason="an import says which keys it did not use",
        files="printed/import_*.json",
        keys=("not_used", "not_used.*"),
    ),
    Allowed(
        reason="a benchmark's import counts its rows as every import does",
        files="out/[mx]st*/manifest.json",
        keys=("read", "kept"),
    ),
    Allowed(
        reason="a benchmark's import counts its rows as every import does",
        files="printed/import_[mx]st*.json",
        keys=("read", "kept"),
    ),
    Allowed(
        reason="blind counts thoughts, and rows that have no response",
        files="out/blind*/manifest.json",
        keys=("summary.thoughts", "summary.missing", "summary.missing.*"),
    ),
    Allowed(
        reason="blind counts thoughts, and rows that have no response",
        files="printed/blind*.json",
        keys=("thoughts", "missing", "missing.*"),
    ),
    Allowed(
        reason="PIL is asked of the image processor alone, so a saved tokenizer no longer says it",
        files="out/*/tokenizer_config.json",
        keys=("backend",),
        becomes={"pil": "tokenizers"},
    ),
    Allowed(
        reason="the fingerprint of a trained model follows its tokenizer_config.json",
        files="out/*eval_*/manifest.json",
        keys=("identity.model.fingerprint",),
    ),
    Allowed(
        reason="an image is called image",
        files="out/built*/manifest.json",
        keys=("identity.config.twin_pictures", "identity.config.twin_images"),
    ),
    Allowed(reason="an image is called image", files="out/built*/recipe.yaml", words="twin_(pictures|images)"),
    Allowed(reason="an image is called image", files="out/built*/README.md", words=r"\b([Pp]icture|[Ii]mage)s?\b"),
    Allowed(reason="an image is called image", files="printed/benchmarks.json", keys=("benchmarks.*.fetch",)),
)

RENAMED: Final[tuple[Renamed, ...]] = ()
