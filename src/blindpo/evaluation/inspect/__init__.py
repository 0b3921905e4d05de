"""Inspect AI (extra `blindpo[inspect]`): our rows as tasks, our judges as scorers, local VLMs as models, runs as logs.

    inspect eval blindpo/mmsafe_po -T data=DATA -T judge=refusal-rules --model blindpo/MODEL_FOLDER

Inspect finds these through the entry point `blindpo` of the group `inspect_ai`. Its own `hf` provider takes no images,
and two of its traps would give false numbers (seen in 0.3.285): a mean over string labels such as 'safe' and 'unsafe'
is 0.0 whatever they are, so scores here are numbers; and `grouped()` over a metric that returns a dict ends the run
after the generation, so here one metric returns one flat dict. Tests hold both.
"""
