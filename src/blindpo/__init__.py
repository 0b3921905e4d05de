"""blindpo: multimodal assistants made harmless without being made useless (arXiv 2503.14189).

The map, in the order in which data flows; each folder answers one question, each stage meets the next on disk:

    datasets    formats and benchmarks in, preference rows out      `blindpo import`, `benchmarks`
    intake      what a data folder holds, and back into a format    `blindpo check`, `stats`, `export`
    building    text-only preferences in, multimodal ones out       `blindpo build`
    blinding    let the reference model answer without the image    `blindpo blind`
    training    Blind Preference Optimization (BPO), DPO, IPO       `blindpo train`
    evaluation  safety, over-refusal, modality cheating             `blindpo evaluate`
    reporting   one page that a person understands                  `blindpo report`
    demo        all of it on a small world whose truth is known     `blindpo demo`

Below them: answer (rows under a view become responses), images and models (what a stage needs of the world),
jobs (how a long job runs), rows and stats (what a row is, where an interval comes from), errors. Importing the package
loads nothing heavy.

Each stage is a function too, loaded when it is first named:

    blindpo.build(BuildConfig(...), source, out)             blindpo.blind(BlindConfig(...), data, answerer, out)
    blindpo.train(TrainConfig(...), {}, data=data, model=model, out=out)
    blindpo.evaluate(EvaluateConfig(...), data, answerer, out)
    blindpo.report([eval_folder, run_folder], out)

No package or module beside this file has the name of one of them, so none of them is hidden by an import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from blindpo.blinding.run import run_blind as blind
    from blindpo.building.run import run_build as build
    from blindpo.evaluation.run import evaluate
    from blindpo.reporting.page import write_report as report
    from blindpo.training.run import train

__version__ = "0.1.0"
__all__ = ["build", "blind", "train", "evaluate", "report"]

_STAGES: Final = {
    "build": ("blindpo.building.run", "run_build"),
    "blind": ("blindpo.blinding.run", "run_blind"),
    "train": ("blindpo.training.run", "train"),
    "evaluate": ("blindpo.evaluation.run", "evaluate"),
    "report": ("blindpo.reporting.page", "write_report"),
}


def __getattr__(name: str) -> Any:
    """The stage of that name: torch takes seconds to load, so it is loaded for whoever asks for a stage."""
    if name not in _STAGES:
        raise AttributeError(f"module 'blindpo' has no attribute '{name}'")
    module, function = _STAGES[name]
    return getattr(import_module(module), function)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
