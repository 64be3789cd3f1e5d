"""The chat planner against a server on this machine: good and bad replies, one repair, timeouts, clear errors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from edgeopt.errors import BackendError, InstanceError
from edgeopt.planners.chat import SCHEMA, ChatPlanner, read_plan

pytest.importorskip("openai")

GOOD = {
    "steps": [
        {"id": "a", "text": "search", "after": [], "difficulty": -1.0, "output_tokens": 40},
        {"id": "b", "text": "write", "after": ["a"], "difficulty": 0.5, "output_tokens": 200},
    ]
}


@contextmanager
def server(*replies: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers each request with the next reply: text of the model, or a status, or seconds to wait."""
    asked: list[dict[str, Any]] = []
    waiting = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            reply = waiting.pop(0)
            if isinstance(reply, float):
                time.sleep(reply)
                reply = ""
            status = reply if isinstance(reply, int) else 200
            body = {
                "id": "x", "object": "chat.completion", "created": 0, "model": "m",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": str(reply)}}
                ],
            }  # fmt: skip
            data = json.dumps(body if status == 200 else {"error": {"message": "no such model"}}).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
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


def planner(url: str, **options: Any) -> ChatPlanner:
    return ChatPlanner("m", base_url=url, api_key="none", **options)


def test_a_good_reply_is_a_plan() -> None:
    with server(json.dumps(GOOD)) as (url, asked):
        plan = planner(url).plan("write about tea")
    assert [(s.id, s.after, s.output_tokens) for s in plan.steps] == [("a", [], 40), ("b", ["a"], 200)]
    (request,) = asked
    assert request["messages"][1] == {"role": "user", "content": "write about tea"}
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"] == SCHEMA


def test_a_fenced_reply_is_read() -> None:
    assert len(read_plan(f"```json\n{json.dumps(GOOD)}\n```").steps) == 2


def broken(**change: Any) -> str:
    return json.dumps({"steps": [GOOD["steps"][0], {**GOOD["steps"][1], **change}]})


BAD = [
    ("", "reply: "),
    ("here you are", "reply: "),
    (broken(after=["z"]), "no such step"),
    (broken(after=["b"]), "circle: b -> b"),
    (broken(output_tokens=-5), "output_tokens = -5"),
    (broken(output_tokens="many"), "Expected `int`"),
    (broken(surprise=1), "unknown field"),
    ('{"steps": []}', "at least one step"),
]


@pytest.mark.parametrize(("reply", "words"), BAD)
def test_a_bad_reply_is_repaired_once(reply: str, words: str) -> None:
    with server(reply, json.dumps(GOOD)) as (url, asked):
        assert len(planner(url).plan("x").steps) == 2
    again = asked[1]["messages"]
    assert again[-2] == {"role": "assistant", "content": reply}
    assert words in again[-1]["content"]


def test_two_bad_replies_are_an_error() -> None:
    with server(broken(after=["z"]), broken(after=["b"])) as (url, asked):
        with pytest.raises(InstanceError, match=r"no plan in two replies; of the second: .*circle: b -> b"):
            planner(url).plan("x")
        assert len(asked) == 2


def test_an_error_of_the_server_is_named() -> None:
    with server(404) as (url, _), pytest.raises(BackendError, match=r"m: NotFoundError: .*no such model"):
        planner(url).plan("x")


def test_a_timeout_is_named() -> None:
    with server(1.0) as (url, _), pytest.raises(BackendError, match=r"did not answer within 0.2 s"):
        planner(url, timeout_s=0.2).plan("x")


def test_nobody_there() -> None:
    with pytest.raises(BackendError, match="m: APIConnectionError"):
        planner("http://127.0.0.1:9/v1").plan("x")


def test_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match=r"timeout_s = 0 \(s\)"):
        ChatPlanner("m", api_key="x", timeout_s=0)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BackendError, match=r"refuses its settings: .*api_key"):
        ChatPlanner("m")
