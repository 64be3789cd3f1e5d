"""The planner that asks a language model over an OpenAI-compatible server, and does not believe what it says.

The reply must fit a strict JSON schema; it is read and validated like an instance. A reply that is no plan is sent back
once with what is wrong; a second one is an error.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgeopt.errors import BackendError, InstanceError
from edgeopt.planners.base import Plan, PlannedStep

PROMPT = """\
Split the user's task into as few subtasks as help, for language models that run side by side.
For every subtask give: id; text, what is to be done; after, the ids of the subtasks whose results it needs;
difficulty, the logit of failing for an average model (0: every second try, -3: hardly ever, 3: nearly always);
output_tokens, how many tokens its answer will have. Answer with JSON only."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["steps"],
    "properties": {
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "text", "after", "difficulty", "output_tokens"],
                "properties": {
                    "id": {"type": "string"},
                    "text": {"type": "string"},
                    "after": {"type": "array", "items": {"type": "string"}},
                    "difficulty": {"type": "number"},
                    "output_tokens": {"type": "integer"},
                },
            },
        }
    },
}
"""What the server is asked to hold its model to."""


class _Reply(msgspec.Struct, forbid_unknown_fields=True):
    steps: list[PlannedStep]


class ChatPlanner:
    """Plans from a chat model.

    Parameters
    ----------
    model : str
        Name of the model at the server.
    base_url : str, optional
        Of the server; what the client takes from its environment when not given.
    api_key : str, optional
        As above.
    timeout_s : float
        Of each request (s).
    prompt : str
        What the model is told to do.

    Raises
    ------
    BackendError
        If the client library is not installed, or refuses these settings.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        prompt: str = PROMPT,
    ) -> None:
        try:
            import openai
        except ModuleNotFoundError as error:
            raise BackendError("the chat planner needs openai: pip install 'edgeopt[llm]' (the extra llm)") from error
        if not timeout_s > 0:
            raise BackendError(f"timeout_s = {timeout_s} (s): must be above 0")
        self.model, self.timeout_s, self.prompt = model, timeout_s, prompt
        self._errors = openai.OpenAIError
        self._timeout = openai.APITimeoutError
        try:
            self._client = openai.OpenAI(base_url=base_url, api_key=api_key, timeout=timeout_s, max_retries=0)
        except openai.OpenAIError as error:
            raise BackendError(f"the chat client refuses its settings: {error}") from error

    def plan(self, text: str) -> Plan:
        """Ask, read, and ask once more if the reply is no plan.

        Raises
        ------
        BackendError
            If the server does not answer in time, or with an error.
        InstanceError
            If two replies are no plan; says what is wrong with the second.
        """
        messages = [{"role": "system", "content": self.prompt}, {"role": "user", "content": text}]
        reply = self._ask(messages)
        try:
            return read_plan(reply)
        except InstanceError as error:
            wrong = str(error)
        messages += [
            {"role": "assistant", "content": reply},
            {"role": "user", "content": f"That is no plan: {wrong}. Send the whole plan again, as JSON only."},
        ]
        try:
            return read_plan(self._ask(messages))
        except InstanceError as error:
            raise InstanceError(f"{self.model} gave no plan in two replies; of the second: {error}") from error

    def _ask(self, messages: list[dict[str, str]]) -> str:
        try:
            answer = self._client.chat.completions.create(
                model=self.model,
                messages=messages,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "plan", "strict": True, "schema": SCHEMA},
                },
            )
        except self._timeout as error:
            raise BackendError(f"{self.model} did not answer within {self.timeout_s:g} s") from error
        except self._errors as error:
            raise BackendError(f"{self.model}: {type(error).__name__}: {error}"[:500]) from error
        choices = getattr(answer, "choices", None) or []
        return str((choices[0].message.content if choices else None) or "")


def read_plan(reply: str) -> Plan:
    """The plan in a reply, fenced or not.

    Raises
    ------
    InstanceError
        If it is not the JSON that was asked for, or no plan.
    """
    text = reply.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        content = msgspec.json.decode(text, type=_Reply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InstanceError(f"reply: {error}") from error
    return Plan(tuple(content.steps))
