"""A language model as a policy, through any OpenAI-compatible endpoint (extra ``llm``), on the text of `serialise`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.offloading.instance import IntArray
from edgeopt.solvers.offloading.closed_loop import simple_places
from edgeopt.solvers.offloading.episodes import States, random_streams
from edgeopt.solvers.offloading.policies import at_least
from edgeopt.solvers.offloading.policy_kernel import EARLIEST
from edgeopt.solvers.offloading.serialise import texts

PROMPT = """A task has arrived at a device. Choose where it runs: 'local', or one of the servers.
Times are in slots. A task sent to a server waits for the radio ('radio'), is sent ('upload'), waits until the server is
free ('ahead', from now) and is computed ('compute'); a local one waits ('wait') and is computed. It is dropped at its
deadline. Tasks that come later wait behind it. Answer with the name of the place only.

{text}"""


@dataclass(slots=True)
class LanguageModel:
    """Asks a language model for every decision; what it does not answer clearly goes where it ends earliest.

    Parameters
    ----------
    model : str
        As the endpoint calls it.
    base_url : str
        Of the endpoint; the client's own default without. Its key comes from the environment, as the client reads it.
    timeout_s : float
        Of each request (s).
    retries : int
        Further requests after one that failed; then the policy fails.
    ask : callable, optional
        Prompt to answer, in the place of an endpoint.
    """

    model: str = ""
    base_url: str = ""
    timeout_s: float = 60.0
    retries: int = 2
    ask: Callable[[str], str] | None = None
    name: str = "llm"
    refused: int = field(default=0, init=False)
    client: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.ask is None and not self.model:
            raise InstanceError("policy llm: model = '': must be a model of the endpoint")
        if not self.timeout_s > 0:
            raise InstanceError(f"policy llm: timeout_s = {self.timeout_s} (s): must be above 0")
        at_least("retries", self.retries, 0)

    def start(self, episodes: int, seed: int) -> None:
        """Nothing to forget."""
        self.refused = 0

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        found = simple_places(EARLIEST, states, random_streams(0, len(states._episodes)))
        for b, text in enumerate(texts(states)):
            place = named_place(self._answer(PROMPT.format(text=text)))
            if 0 <= place < states.allowed.shape[1] and states.allowed[b, place]:
                found[b] = place
            else:
                self.refused += 1
        return np.asarray(found, dtype=np.int64)

    def _answer(self, prompt: str) -> str:
        if self.ask is not None:
            return self.ask(prompt)
        if self.client is None:
            try:
                from openai import OpenAI
            except ModuleNotFoundError as error:
                raise BackendError("the policy llm needs openai: pip install 'edgeopt[llm]' (the extra llm)") from error
            try:
                self.client = OpenAI(base_url=self.base_url or None, timeout=self.timeout_s, max_retries=self.retries)
            except Exception as error:
                raise BackendError(f"the client of the policy llm refuses its settings: {error}") from error
        try:
            reply = self.client.chat.completions.create(
                model=self.model, messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=16
            )
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:500]
            raise BackendError(f"the endpoint of the policy llm failed for the model {self.model}: {text}") from error
        try:
            return str(reply.choices[0].message.content or "")
        except (AttributeError, IndexError, TypeError) as error:
            shown = repr(reply)[:200]
            raise BackendError(f"the endpoint of the policy llm sent no chat completion: {shown}") from error


def named_place(answer: str) -> int:
    """The one place that the last line of an answer names, 0 for the device itself; -1 where it names none or several.

    The whole answer of a small model that only says a name is such a line; what it thinks aloud before does not count.
    """
    lines = answer.lower().split("</think>")[-1].strip().splitlines()
    named = set(re.findall(r"\b(?:local|s[1-9][0-9]{0,5})\b", lines[-1])) if lines else set()
    if len(named) != 1:
        return -1
    name = named.pop()
    return 0 if name == "local" else int(name[1:])
