"""A local model that answers: its response depends on row, seed and sample alone, and it is loaded where it answers."""

import pickle

import pytest
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import row

from blindpo.answer.answerer import Ask
from blindpo.answer.config import AnswerConfig
from blindpo.answer.local import LocalAnswers, encode_row, score_batches
from blindpo.errors import RowError
from blindpo.models.vlm.prompt import encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn

CONFIG = AnswerConfig(max_new_tokens=4, temperature=1.0, batch_size=3)


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> LocalAnswers:
    return LocalAnswers(resolve_model(save_tiny_llava(tmp_path_factory.mktemp("model") / "tiny")), CONFIG)


def asks(number: int) -> list[Ask]:
    own = row(number)
    return [Ask(row=own, view="as_is", shown=own, draw=draw, sample=draw) for draw in range(3)]


def test_a_sampled_response_is_the_same_whatever_is_asked_beside_it(answerer: LocalAnswers) -> None:
    together = answerer.respond([*asks(0), *asks(1)])
    alone = [answerer.respond([ask])[0] for ask in reversed([*asks(0), *asks(1)])][::-1]
    assert [(each.text, each.num_tokens) for each in together] == [(each.text, each.num_tokens) for each in alone]
    assert [(each.row_id, each.draw) for each in together] == [(f"r{n}", draw) for n in (0, 1) for draw in range(3)]
    assert len({each.text for each in together}) > 1


def test_a_view_that_cannot_be_shown_has_its_reason_and_costs_no_other(answerer: LocalAnswers) -> None:
    own = row(0)
    refused = Ask(row=own, view="swapped", shown="there is no other image to show")
    first, second = answerer.respond([refused, *asks(0)[:1]])
    assert (first.text, first.reason) == (None, "there is no other image to show")
    assert second.text == answerer.respond(asks(0)[:1])[0].text


def test_another_process_is_sent_no_weights(answerer: LocalAnswers) -> None:
    assert answerer.vlm is answerer.vlm
    content = pickle.dumps(answerer)
    assert len(content) < 4000
    there = pickle.loads(content)
    assert there.respond(asks(0)) == answerer.respond(asks(0))
    assert (there.name, there.fingerprint) == ("tiny", answerer.fingerprint)


def test_the_likelihood_in_sight_is_that_of_each_response_alone(answerer: LocalAnswers) -> None:
    pairs = [(row(0), answerer.respond(asks(0)[:1])[0]), (row(1), answerer.respond(asks(1)[:1])[0])]
    total, num_tokens = answerer.logp_in_sight(pairs)
    sums, counted = 0.0, 0
    for own, response in pairs:
        ids = encode_response(answerer.vlm.processor, own.prompt, response.text or "", cut=response.cut)
        (logps,) = score_batches(answerer.vlm, [(encode_row(answerer.vlm, own), ids)], 1)
        sums, counted = sums + float(logps.sums_N[0]), counted + len(ids)
    assert total == pytest.approx(sums, abs=1e-4) and num_tokens == counted
    assert answerer.logp_in_sight([]) == (0.0, 0)


def test_a_row_that_the_processor_refuses_is_told_before_it_is_asked(answerer: LocalAnswers) -> None:
    answerer.check(row(0))
    with pytest.raises(RowError):
        answerer.check(row(1, prompt=(Turn(role="user", content=(IMAGE, "<image> ?")),)))
