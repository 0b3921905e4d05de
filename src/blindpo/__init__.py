"""blindpo: multimodal assistants made harmless without being made useless (arXiv 2503.14189).

The map, in the order in which data flows; each folder answers one question, each stage meets the next on disk:

    datasets    formats and benchmarks in, preference rows out      `blindpo import`, `benchmarks`
    intake      what a data folder holds, and back into a format    `blindpo check`, `stats`, `export`
    building    text-only preferences in, multimodal ones out       `blindpo build`
    blinding    let the reference model answer without the image    `blindpo blind`
    training    Blind Preference Optimization, DPO                  `blindpo train`
    evaluation  safety, over-refusal, modality cheating             `blindpo evaluate`
    reporting   one page that a person understands                  `blindpo report`
    demo        all of it on a small world whose truth is known     `blindpo demo`

Below them: answer (rows under a view become responses), images and models (what a stage needs of the world),
jobs (how a long job runs), rows and stats (what a row is, where an interval comes from), errors. Importing the package
loads nothing heavy.
"""

__version__ = "0.1.0"
