"""Figures that others printed, beside ours. Never one table: their judge, prompt and denominator are not these.

Sources: MMSafe-PO, arXiv 2503.14189, tables of section 5 (GPT-4V judges; its prompts were never published); SPA-VL,
arXiv 2406.12030, table 2. A figure is repeated with the model it was printed for and always marked.
"""

from typing import Any, Final

DIFFERS: Final = "protocol differs"
_PAPER: Final = "arXiv 2503.14189 (judge GPT-4V, prompt not published)"
_SPA_VL: Final = "arXiv 2406.12030, table 2 (judge and prompt not fully published)"

FIGURES: Final[dict[str, tuple[tuple[str, str, float, str], ...]]] = {
    "mmsafe/safety-rate/ours": (
        ("safety_rate", "LLaVA-1.5", 0.6145, _PAPER),
        ("safety_rate", "LLaVA-1.5 + DPO", 0.8218, _PAPER),
        ("safety_rate", "LLaVA-1.5 + BPO", 0.8909, _PAPER),
    ),
    "mmsafe/pairwise-prompted": (
        ("pairwise_accuracy", "LLaVA-1.5", 0.4327, _PAPER),
        ("pairwise_accuracy", "LLaVA-1.5 + DPO", 0.4473, _PAPER),
        ("pairwise_accuracy", "LLaVA-1.5 + BPO", 0.4691, _PAPER),
    ),
    "mmsafe/pairwise-likelihood": (
        ("pairwise_accuracy", "LLaVA-1.5", 0.4327, _PAPER),
        ("pairwise_accuracy", "LLaVA-1.5 + DPO", 0.4473, _PAPER),
        ("pairwise_accuracy", "LLaVA-1.5 + BPO", 0.4691, _PAPER),
    ),
    "mmsafe/cheating": (("answers_the_safe_twin", "the model of section 2.2, ten instructions", 0.5, _PAPER),),
    "mmsb/official": (
        ("asr_SD", "LLaVA-1.5", 0.4537, _PAPER),
        ("asr_SD", "LLaVA-1.5 + DPO", 0.4518, _PAPER),
        ("asr_SD", "LLaVA-1.5 + BPO", 0.4250, _PAPER),
        ("asr_TYPO", "LLaVA-1.5", 0.7152, _PAPER),
        ("asr_TYPO", "LLaVA-1.5 + DPO", 0.6071, _PAPER),
        ("asr_TYPO", "LLaVA-1.5 + BPO", 0.6387, _PAPER),
        ("asr_SD_TYPO", "LLaVA-1.5", 0.7214, _PAPER),
        ("asr_SD_TYPO", "LLaVA-1.5 + DPO", 0.6196, _PAPER),
        ("asr_SD_TYPO", "LLaVA-1.5 + BPO", 0.6298, _PAPER),
        ("asr_text_only", "LLaVA-1.5", 0.7708, _PAPER),
        ("asr_text_only", "LLaVA-1.5 + DPO", 0.7560, _PAPER),
        ("asr_text_only", "LLaVA-1.5 + BPO", 0.5804, _PAPER),
    ),
    "mmsb/tiny": (
        ("asr_average", "LLaVA-1.5", 0.2054, _SPA_VL),
        ("asr_average", "LLaVA-1.5 + SPA-VL-DPO", 0.0060, _SPA_VL),
    ),
    "harmeval/mdjudge-v0.1": (("usr", "LLaVA-1.5", 0.4415, _SPA_VL), ("usr", "LLaVA-1.5 + SPA-VL-DPO", 0.0, _SPA_VL)),
    "harmeval/usr/ours": (
        ("usr", "LLaVA-1.5", 0.4415, _PAPER),
        ("usr", "LLaVA-1.5 + DPO", 0.2830, _PAPER),
        ("usr", "LLaVA-1.5 + BPO", 0.0755, _PAPER),
    ),
}


def beside(protocol_id: str) -> list[dict[str, Any]]:
    """The figures printed elsewhere for this protocol's rates, each marked."""
    return [
        {"rate": rate, "model": model, "value": value, "source": source, "note": DIFFERS}
        for rate, model, value, source in FIGURES.get(protocol_id, ())
    ]
