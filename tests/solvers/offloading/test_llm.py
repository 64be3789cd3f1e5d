"""The policy of a language model: clear and unclear answers, and an endpoint on this machine that misbehaves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.offloading.generate import generate
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.llm import named_place
from edgeopt.solvers.offloading.policies import policy


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("s2", 2),
        ("  S11.\n", 11),
        ("local", 0),
        ("I would take s2.", 2),
        ("s2, yes, s2", 2),
        ("<think>s1 is busy, s3 is slow</think>\n\ns4", 4),
        ("s1 is busy.\nTherefore: s3", 3),
        ("s2, not s1", -1),  # which one?
        ("tasks1", -1),
        ("the second one", -1),
        ("", -1),
        ("\n \n", -1),
        ("s-1", -1),
        ("s" + "9" * 5000, -1),
        ("s²", -1),
    ],
)
def test_what_an_answer_names(answer: str, place: int) -> None:
    assert named_place(answer) == place


@pytest.mark.parametrize("answer", ["", "s99", "s0", "none of them", "s1 or s2", "s" + "9" * 5000, "\x00", "{'s': 1}"])
def test_an_unclear_answer_goes_where_the_task_ends_earliest(answer: str) -> None:
    instance = generate(seed=3, slots=6)
    asking = policy("llm", ask=lambda prompt: answer)
    record = simulate(Episodes.of([instance]), asking)
    assert asking.refused == len(instance)  # type: ignore[attr-defined]
    assert record.total[0] == simulate(Episodes.of([instance]), policy("earliest")).total[0]


def test_a_place_that_the_task_cannot_go_to_is_unclear() -> None:
    instance = generate(seed=3, slots=3, device_hz=0.0)
    asking = policy("llm", ask=lambda prompt: "local")
    simulate(Episodes.of([instance]), asking)
    assert asking.refused == len(instance)  # type: ignore[attr-defined]


@pytest.mark.parametrize("option", [{"timeout_s": 0.0}, {"timeout_s": float("nan")}, {"retries": -1}, {"retries": 0.5}])
def test_bad_options_are_named(option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(InstanceError, match=name):
        policy("llm", model="m", **option)


def test_a_solver_without_a_model_says_so() -> None:
    with pytest.raises(InstanceError, match="needs the option model"):
        eo.solve(generate(seed=3, slots=3), "llm")


@contextmanager
def endpoint(reply: Any, status: int = 200, kind: str = "application/json", wait_s: float = 0.0) -> Iterator[Any]:
    """An endpoint that always gives the same bytes, or a chat completion with a text; its URL, and what it got."""
    asked: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            time.sleep(wait_s)
            message = {"role": "assistant", "content": reply}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
            data = reply if isinstance(reply, bytes) else json.dumps(whole).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # the client did not wait
                pass

        def log_message(self, *_: Any) -> None: ...

    host = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=host.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{host.server_port}/v1", asked
    finally:
        host.shutdown()
        host.server_close()
        thread.join()


def ask(url: str, **options: Any) -> Any:
    """A short episode, whose policy asks the endpoint."""
    return eo.solve(generate(seed=3, slots=3), "llm", model="small", base_url=url, **options)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client wants one, whoever it asks."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def test_an_endpoint_is_asked() -> None:
    pytest.importorskip("openai")
    with endpoint("s3") as (url, asked):
        result = ask(url)
    instance = generate(seed=3, slots=3)
    assert result.solution.place.tolist() == [3] * len(instance)
    assert len(asked) == len(instance)
    path, request = asked[0]
    assert path == "/v1/chat/completions"
    assert request["model"] == "small"
    assert "s3 upload=" in request["messages"][0]["content"]


@pytest.mark.parametrize(
    ("reply", "options", "text"),
    [
        (b'{"error": {"message": "no such model"}}', {"status": 404}, "NotFoundError.*no such model"),
        (b"wrong key", {"status": 401}, "AuthenticationError"),
        (b"", {"status": 500}, "InternalServerError"),
        (b'{"choices": []}', {}, "sent no chat completion"),
        (b'{"choices": null}', {}, "sent no chat completion"),
        (b'{"choices": [{"index": 0}]}', {}, "sent no chat completion"),
        (b"{}", {}, "sent no chat completion"),
        (b"[1]", {}, "sent no chat completion"),
        (b'{"choices": [', {}, "failed for the model small"),
        (b"<html>hello</html>", {"kind": "text/html"}, "sent no chat completion"),
        ("s1", {"wait_s": 0.6}, "APITimeoutError"),
    ],
)
def test_an_endpoint_that_misbehaves_is_named(reply: Any, options: dict[str, Any], text: str) -> None:
    pytest.importorskip("openai")
    with endpoint(reply, **options) as (url, _), pytest.raises(BackendError, match=text):
        ask(url, timeout_s=0.3, retries=0)


def test_an_answer_without_text_is_unclear() -> None:
    pytest.importorskip("openai")
    with endpoint(None) as (url, _):
        assert ask(url).value == eo.solve(generate(seed=3, slots=3), "earliest").value


def test_an_endpoint_that_is_not_there_is_named() -> None:
    pytest.importorskip("openai")
    for url, text in (("http://127.0.0.1:9/v1", "APIConnectionError"), ("here", "failed for the model small")):
        with pytest.raises(BackendError, match=text):
            ask(url, retries=0)


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(BackendError, match="OPENAI_API_KEY"):
        ask("http://127.0.0.1:9/v1")


def test_a_failure_in_between_is_tried_again() -> None:
    pytest.importorskip("openai")
    with endpoint(b"", status=503) as (url, asked), pytest.raises(BackendError, match="InternalServerError"):
        ask(url, retries=1)
    assert len(asked) == 2
