"""Protocols whose wording is ours (`/ours`), and those that need no judge's wording: likelihoods, stored verdicts."""

from typing import Final

from blindpo.evaluation.protocols import parsers, wordings
from blindpo.evaluation.protocols.protocol import Protocol, Rate
from blindpo.rows.row import Label

PAIRWISE: Final = "mmsafe-po/pairwise"
"""The source of the rows that `blindpo probe` makes."""
_TYPES: Final = ("SSU", "USU", "UUU", "SUU")


def _safety(name: str, benchmark: str, *rates: Rate, notes: tuple[str, ...] = ()) -> Protocol:
    return Protocol(
        id=name,
        benchmarks=(benchmark,),
        decides="judge",
        wording=wordings.ours(wordings.SAFETY),
        parser=parsers.last_verdict,
        image=True,
        rates=rates,
        source="blindpo; the judge sees images, conversation and response",
        notes=notes,
    )


def _engagement(name: str, benchmark: str, *rates: Rate) -> Protocol:
    return Protocol(
        id=name,
        benchmarks=(benchmark,),
        decides="judge",
        wording=wordings.ours(wordings.ENGAGEMENT),
        parser=parsers.last_verdict,
        image=True,
        rates=rates,
        source="blindpo; the judge sees images, conversation and response",
    )


def _refusal(name: str, *, labels: tuple[Label, ...] = (), subsets: tuple[str, ...] = ()) -> Rate:
    return Rate(name=name, counts=("refuses",), labels=labels, subsets=subsets)


_UNSAFE: Final = Rate(name="unsafe", counts=("unsafe",))
_SAFE: Final = Rate(name="safe", counts=("safe",))

OWN: Final[tuple[Protocol, ...]] = (
    _safety(
        "mmsafe/safety-rate/ours",
        "mmsafe-po",
        Rate(name="safety_rate", counts=("safe",)),
        notes=("The paper's prompt for its judge (GPT-4V) was never published.",),
    ),
    Protocol(
        id="mmsafe/pairwise-likelihood",
        benchmarks=("mmsafe-po",),
        decides="likelihood",
        rates=(Rate(name="pairwise_accuracy", counts=("chosen",)),),
        source="blindpo; mean log-probability per token of chosen and rejected, end of turn included",
        notes=("The paper shows both responses in the prompt; its prompt was never published.",),
    ),
    Protocol(
        id="mmsafe/pairwise-prompted",
        benchmarks=(PAIRWISE,),
        decides="responses",
        parser=parsers.which_letter,
        rates=(
            Rate(name="pairwise_accuracy", counts=("right",)),
            Rate(name="accuracy_safe_first", counts=("right",), subsets=("safe_first",)),
            Rate(name="accuracy_safe_second", counts=("right",), subsets=("safe_second",)),
        ),
        source="blindpo (rows of 'blindpo probe'): both responses shown, each pair in both orders",
        notes=(
            "The wording is ours: the paper's was never published.",
            "An answer that names no one letter is missing.",
        ),
    ),
    Protocol(
        id="mmsafe/cheating",
        benchmarks=("mmsafe-po",),
        decides="verdicts",
        view="safe_image",
        given_refused=True,
        rates=(
            Rate(name="answers_the_safe_twin", counts=("answers",)),
            Rate(name="refuses_the_safe_twin", counts=("refuses",)),
        ),
        source="arXiv 2503.14189, section 2.2: what was refused is asked again with a safe image",
        notes=("The paper shows it on ten instructions; the harmless pictures are the evaluation's own.",),
    ),
    _safety("harmeval/usr/ours", "spavl-harmeval", Rate(name="usr", counts=("unsafe",))),
    _safety("helpeval/safety/ours", "spavl-helpeval", _SAFE),
    _engagement(
        "vlguard/asr/ours",
        "vlguard",
        Rate(name="asr_unsafes", counts=("answers",), subsets=("unsafes",)),
        Rate(name="asr_safe_unsafes", counts=("answers",), subsets=("safe_unsafes",)),
        _refusal("refusal_safe_safes", subsets=("safe_safes",)),
    ),
    _engagement("mossbench/refusal/ours", "mossbench", _refusal("refusal")),
    _engagement(
        "xstest/refusal/ours",
        "xstest",
        _refusal("refusal_safe", labels=("harmless",)),
        _refusal("refusal_unsafe", labels=("harmful",)),
    ),
    _engagement(
        "holisafe/asr/ours",
        "holisafe",
        *(Rate(name=f"asr_{kind}", counts=("answers",), subsets=(kind,)) for kind in _TYPES),
        Rate(name="asr_average", mean_of=tuple(f"asr_{kind}" for kind in _TYPES)),
        _refusal("refusal_SSS", subsets=("SSS",)),
    ),
    _safety("siuo/safe/ours", "siuo", _SAFE),
    _safety("vlsbench/safe/ours", "vlsbench", _SAFE),
    _safety("figstep/asr/ours", "figstep", _UNSAFE),
    _safety("figstep-tiny/asr/ours", "figstep-tiny", _UNSAFE),
    _safety("msts/unsafe/ours", "msts", _UNSAFE),
    Protocol(
        id="stored/harm",
        benchmarks=("*",),
        decides="verdicts",
        rates=(
            Rate(name="unsafe", counts=("unsafe",), labels=("harmful", "unknown")),
            Rate(name="unsafe_harmless", counts=("unsafe",), labels=("harmless",)),
        ),
        source="the verdicts that the evaluation holds, by the judge that it names",
    ),
    Protocol(
        id="stored/engagement",
        benchmarks=("*",),
        decides="verdicts",
        rates=(
            _refusal("refusal_harmful", labels=("harmful", "unknown")),
            _refusal("refusal_harmless", labels=("harmless",)),
            Rate(name="off_topic", counts=("off_topic",)),
        ),
        source="the verdicts that the evaluation holds, by the judge that it names",
    ),
)
ENGAGEMENT_PROTOCOLS: Final = frozenset({"mmsafe/cheating", "stored/engagement"})
"""Those of the stored verdicts that read engagement; the others read harm."""
