"""Vision-language models: found, loaded, prompted, scored and sampled from, whatever the family.

source -> vlm -> prompt -> logprobs | generate. Nothing here knows a model by name: chat templates, image tokens and
end-of-turn tokens come from the processor. Whatever answers a conversation with text, a chat server (`chat.py`), a
model in this process (`local_text.py`, `guard.py`) or a recording (`replay.py`), is a `TextModel` (`text.py`).
"""
