"""Models of any family: find, load and prompt vision-language models, score and sample responses, and ask text models.

source -> load -> prompt -> logprobs | generate. Nothing here knows a model by name: chat templates, image tokens and
end-of-turn tokens come from the processor. Everything that answers a conversation with text, be it a chat server
(`chat/client.py`), a model in this process (`chat/local.py`, `classifiers/guard_model.py`) or a recording
(`chat/recorded.py`), is a `TextModel` (`chat/interface.py`).
"""
