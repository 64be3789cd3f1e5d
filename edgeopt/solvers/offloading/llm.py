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
    ask : callable, optional
        Prompt to answer, in the place of an endpoint.
    """

    model: str = ""
    base_url: str = ""
    ask: Callable[[str], str] | None = None
    name: str = "llm"
    refused: int = field(default=0, init=False)
    client: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.ask is None and not self.model:
            raise InstanceError("policy llm: model = '': must be a model of the endpoint")

    def start(self, episodes: int, seed: int) -> None:
        """Nothing to forget."""
        self.refused = 0

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        found = simple_places(EARLIEST, states, random_streams(0, len(states._episodes)))
        for b, text in enumerate(texts(states)):
            answer = self._answer(PROMPT.format(text=text))
            named = re.findall(r"\b(local|s\d+)\b", answer.lower())
            place = (0 if named[-1] == "local" else int(named[-1][1:])) if named else -1
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
            self.client = OpenAI(base_url=self.base_url) if self.base_url else OpenAI()
        try:
            reply = self.client.chat.completions.create(
                model=self.model, messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=16
            )
        except Exception as error:
            raise BackendError(f"the endpoint of the policy llm failed: {type(error).__name__}: {error}") from error
        return str(reply.choices[0].message.content or "")
