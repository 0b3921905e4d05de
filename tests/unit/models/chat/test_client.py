"""The chat client against a server on this machine: order, images, retries, failures, budget, and reruns."""

import base64
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fakes import BROKEN, BUSY, HANG_UP, PAGE, FakeChatServer, Fault, completion

from blindpo.errors import BudgetError, ModelError
from blindpo.models.chat.client import ChatModel, data_url, read_completion
from blindpo.models.chat.config import ChatConfig, ServerConfig
from blindpo.models.chat.interface import TextRequest
from blindpo.models.chat.replies import ReplyStore
from blindpo.rows.row import IMAGE, ImageRef, Turn

KEY = "k-not-a-real-key-7351"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off of milliseconds, and a key whose way can be followed."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.002)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def drawn_image(kind: str = "PNG") -> ImageRef:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 10, 10)).save(data, kind)
    return ImageRef(data=data.getvalue())


def asks(text: str, **named: Any) -> TextRequest:
    return TextRequest(turns=(Turn(role="user", content=(text,)),), **{"max_tokens": 16, **named})


def asked_text(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def model(server: FakeChatServer, *, store: ReplyStore | None = None, **named: Any) -> ChatModel:
    return ChatModel(chat_config(base_url=server.base_url, **named), store=store)


def chat_config(**named: Any) -> ChatConfig:
    """The options of the server and of the model, told apart by their names."""
    reached = {key: value for key, value in named.items() if key in ServerConfig.__dataclass_fields__}
    own = {key: value for key, value in named.items() if key not in reached}
    return ChatConfig(**{"model": "m", "server": ServerConfig(**reached), **own})


def failing(fault: Any, *, times: int) -> Callable[[dict[str, Any]], Any]:
    """Faults the first `times` requests, then answers."""
    left = iter([fault] * times)
    return lambda body: next(left, asked_text(body))


def test_answers_come_in_order_with_many_in_flight() -> None:
    with FakeChatServer(asked_text, delay_seconds=0.02) as server:
        found = list(model(server, concurrency=8).replies(asks(f"q{n}") for n in range(40)))
    assert [reply.text for reply in found] == [f"q{n}" for n in range(40)]
    assert 2 <= server.most_at_once <= 8
    assert (found[0].model, found[0].tokens, found[0].finish) == ("fake-2026", 10, "stop")


def test_requests_are_read_only_a_little_ahead() -> None:
    read: list[int] = []

    def requests() -> Iterator[TextRequest]:
        for number in range(1000):
            read.append(number)
            yield asks(f"q{number}")

    with FakeChatServer(asked_text) as server:
        replies = model(server, concurrency=2).replies(requests())
        assert next(replies).text == "q0"
        assert len(read) < 20
        replies.close()  # type: ignore[attr-defined]  # a generator


def test_turns_and_images_reach_the_server_to_the_letter() -> None:
    image = drawn_image()
    turns = (
        Turn(role="system", content=("Be brief.",)),
        Turn(
            role="user",
            content=(
                "before ",
                IMAGE,
                " after",
            ),
        ),
        Turn(role="assistant", content=("yes",)),
        Turn(role="user", content=("and now?",)),
    )
    with FakeChatServer(lambda _: "ok") as server:
        chat = model(server, seed=7, top_p=0.9, extra={"own": 1}, limit_field="max_completion_tokens")
        request = TextRequest(turns=turns, images=(image,), max_tokens=5, draw=2)
        assert next(chat.replies([request])).text == "ok"
        chat.close()
    sent = server.requests[0]
    url = sent["messages"][1]["content"][1]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")) == image.data
    assert sent["messages"][1]["content"][2] == {"type": "text", "text": " after"}
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][3]["content"] == "and now?"
    del sent["messages"]
    assert sent == {"model": "m", "max_completion_tokens": 5, "temperature": 0.0, "top_p": 0.9, "seed": 9, "own": 1}
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("fault", [BUSY, BROKEN, HANG_UP])
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    with FakeChatServer(failing(fault, times=2)) as server:
        assert [reply.text for reply in model(server).replies([asks("q")])] == ["q"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "words", "again"),
    [
        (BUSY, "HTTP 429", True),
        (BROKEN, "HTTP 500", True),
        (HANG_UP, "cannot be reached", True),
        (PAGE, "no chat completion", True),
        (Fault(body="[1, 2"), "no chat completion", True),
        (Fault(body='{"choices": []}'), "no chat completion", True),
        (completion(""), "empty", True),
        (completion(None), "empty", True),
        (completion(" \n"), "empty", True),
        (completion("", finish="length"), r"empty \(finish: length\)", False),
        (completion(None, refusal="I will not."), "empty", False),
        (Fault(status=400, body='{"error": {"code": "content_filter"}}'), "HTTP 400, content_filter", False),
        (Fault(status=422, body='{"error": {"code": "words of the row!"}}'), r"HTTP 422\)", False),
    ],
)
def test_a_failure_is_a_reply_without_text_and_never_an_answer(
    fault: Any, words: str, again: bool, tmp_path: Path
) -> None:
    store = ReplyStore(tmp_path / "replies.jsonl")
    with FakeChatServer(lambda _: fault) as server:
        (found,) = model(server, retries=1, store=store).replies([asks("q")])
    assert (found.text, found.again) == (None, again)
    assert re.search(words, found.failure or "")
    assert len(store) == (0 if again else 1)


def test_a_slow_server_is_a_failure_that_may_pass() -> None:
    with FakeChatServer(asked_text, delay_seconds=0.5) as server:
        (found,) = model(server, retries=0, timeout_seconds=0.1).replies([asks("q")])
    assert (found.failure, found.again) == ("the server did not answer in time", True)


def test_a_broken_image_costs_its_own_request_alone(tmp_path: Path) -> None:
    broken = TextRequest(turns=(Turn(role="user", content=(IMAGE,)),), images=(ImageRef(data=b"\x89PNG nothing"),))
    with FakeChatServer(asked_text) as server:
        found = list(model(server).replies([asks("q1"), broken, asks("q2")]))
    assert [reply.text for reply in found] == ["q1", None, "q2"]
    assert "no image" in (found[1].failure or "")
    assert len(server.requests) == 2


def test_other_formats_are_sent_as_png() -> None:
    assert data_url(drawn_image("JPEG").data).startswith("data:image/jpeg;base64,/9j/")
    assert data_url(drawn_image("GIF").data).startswith("data:image/gif;base64,")
    sent = base64.b64decode(data_url(drawn_image("WEBP").data).removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(sent)) as image:
        assert (image.format, image.size) == ("PNG", (8, 6))


def test_a_rerun_asks_only_for_what_is_missing_when_the_server_died(tmp_path: Path) -> None:
    requests = [asks(f"q{number}") for number in range(100)]
    with FakeChatServer(asked_text, die_after=30) as server:
        chat = model(server, store=ReplyStore(tmp_path / "replies.jsonl"), retries=1, concurrency=4)
        first = list(chat.replies(requests))
    answered = sum(reply.text is not None for reply in first)
    assert answered == 30
    assert first[-1].failure == "not asked, since the server is down"
    assert chat.budget.requests < 50
    with FakeChatServer(asked_text, port=server.port) as back:
        second = list(model(back, store=ReplyStore(tmp_path / "replies.jsonl")).replies(requests))
    assert [reply.text for reply in second] == [f"q{number}" for number in range(100)]
    assert len(back.requests) == 70
    with FakeChatServer(lambda _: pytest.fail("asked again"), port=server.port) as idle:
        assert list(model(idle, store=ReplyStore(tmp_path / "replies.jsonl")).replies(requests)) == second
    assert idle.requests == []


def test_everything_that_changes_an_answer_is_part_of_the_key(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.jsonl")
    looks = Turn(role="user", content=("q", IMAGE))
    requests = [
        asks("q"),
        asks("q", max_tokens=17),
        asks("q", draw=1),
        TextRequest(turns=(looks,), images=(drawn_image(),)),
        TextRequest(turns=(looks,), images=(drawn_image("JPEG"),)),
        TextRequest(turns=(Turn(role="assistant", content=("q",)),), max_tokens=16),
    ]
    with FakeChatServer(lambda _: "a") as server:
        for chat in (model(server, store=store), model(server, store=store, temperature=0.5)):
            assert len(list(chat.replies(requests))) == 6
        list(model(server, store=store, concurrency=3, retries=9).replies(requests))  # what changes no answer
    assert len(server.requests) == 12


def test_a_spent_budget_stops_with_an_error_and_what_was_paid_is_kept(tmp_path: Path) -> None:
    requests = [asks(f"q{number}") for number in range(50)]
    with FakeChatServer(asked_text) as server:
        chat = model(server, store=ReplyStore(tmp_path / "replies.jsonl"), budget_tokens=205, concurrency=4)
        with pytest.raises(BudgetError, match=r"budget of 205 tokens is spent .* raise budget_tokens"):
            list(chat.replies(requests))
    assert 10 <= len(server.requests) <= 20
    assert chat.budget.spent == 10 * len(server.requests) <= 205
    assert len(ReplyStore(tmp_path / "replies.jsonl")) == len(server.requests)


def test_tokens_that_a_server_does_not_count_are_counted_by_characters() -> None:
    found = read_completion(json.dumps(completion("four letters", tokens=None)), prompt_characters=9)
    assert found.tokens == 6
    assert read_completion(json.dumps(completion("x", tokens=50))).tokens == 50
    assert read_completion(json.dumps({**completion("x"), "system_fingerprint": "fp1"})).model == "fake-2026@fp1"


@pytest.mark.parametrize(("status", "words"), [(401, "refuses the key"), (403, "forbids"), (404, "no such model")])
def test_what_no_other_request_can_mend_stops_the_run(status: int, words: str) -> None:
    echo = json.dumps({"error": {"message": f"bad key {KEY}"}})
    with (
        FakeChatServer(lambda _: Fault(status=status, body=echo)) as server,
        pytest.raises(ModelError, match=words) as caught,
    ):
        list(model(server).replies([asks("q")]))
    assert KEY not in str(caught.value)


def test_the_key_and_the_conversation_stand_in_no_log_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with FakeChatServer(lambda _: "a") as server:
        chat = model(server, store=ReplyStore(tmp_path / "replies.jsonl"))
        list(chat.replies([asks("a question of secrets")]))
    for text in (caplog.text, (tmp_path / "replies.jsonl").read_text(), repr(chat.config), json.dumps(chat.identity)):
        assert KEY not in text
        assert "secrets" not in text


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"base_url": "ftp://x"}, "http://"),
        ({"base_url": "http://me:pass@127.0.0.1/v1"}, "a password"),
        ({"base_url": "http://127.0.0.1/v1?key=pass"}, "a query"),
        ({"key_env": "NO_SUCH_KEY"}, r"\$NO_SUCH_KEY holds no key"),
    ],
)
def test_an_address_or_key_that_cannot_be_is_refused_before_anything_is_sent(named: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        ChatModel(chat_config(**named))
    assert "pass@" not in str(caught.value) and "=pass" not in str(caught.value)


def test_without_an_address_it_is_openai_and_the_environment_can_say_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ChatModel(ChatConfig(model="m")).identity["server"] == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert ChatModel(ChatConfig(model="m")).identity["server"] == "http://127.0.0.1:9/v1"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.models.chat.client.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"pip install 'blindpo\[chat\]'"):
        ChatModel(ChatConfig(model="m"))


def test_ctrl_c_closes_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    def interrupted() -> Iterator[TextRequest]:
        yield asks("q")
        raise KeyboardInterrupt

    with FakeChatServer(asked_text) as server:
        chat = model(server)
        monkeypatch.setattr(chat, "close", lambda: closed.append(True))
        with pytest.raises(KeyboardInterrupt):
            list(chat.replies(interrupted()))
    assert closed == [True]
