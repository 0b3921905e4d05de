"""A tokenizer for any text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from blindpo.demo.dialogue import sentences
from blindpo.demo.tiny_vlm import build_processor, build_tokenizer

PROCESSOR = build_processor()


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_any_text_goes_in_and_comes_out(text: str) -> None:
    tokenizer = PROCESSOR.tokenizer
    if not any(token in text for token in tokenizer.all_special_tokens):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_a_sentence_costs_little_more_than_a_token_a_word() -> None:
    tokenizer = build_tokenizer()
    words = tokens = 0
    for sentence in sentences():
        words += len(sentence.replace(".", " .").replace(",", " ,").replace("?", " ?").split())
        tokens += len(tokenizer(sentence)["input_ids"])
    assert tokens / words < 1.3
