"""Train the DQN baseline with PyTorch (extra ``learn``).

``python -m edgeopt.simulation.offloading.train_dqn --out FILE``

Double Q-learning with dueling values, a replay memory and a target network that follows the other slowly. One small
network reads each place beside the mean and the least of all places, so its weights know no number of servers.

A decision is rewarded by the negative cost of its **own** task, which is known when that task has left: an episode is
run to its end, then remembered. What a decision does to later tasks comes through the value of the next decision, and
is discounted by the slots until then, since several tasks may arrive in one. Costs are taken less the mean and in its
units; the constant changes no decision, because arrivals do not depend on them, but it takes the number of tasks to
come out of the values.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.errors import BackendError
from edgeopt.instances.offloading.instance import IntArray
from edgeopt.simulation.offloading.train import LOADS, SERVERS, training_episodes, write_network
from edgeopt.solvers.offloading.closed_loop import Loop
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.learned import FAR, Network
from edgeopt.solvers.offloading.serialise import FEATURES, Tokens, tokens

try:
    import torch
    from torch import nn
except ModuleNotFoundError as missing:
    raise BackendError("training needs PyTorch: pip install 'edgeopt[learn]' (the extra learn)") from missing

WIDE, BATCH, MEMORY = 64, 256, 100_000
DISCOUNT = 0.7
"""A slot."""
FOLLOW = 0.005
"""How far the target network goes at a step."""


class Values(nn.Module):  # type: ignore[misc]
    """Value of each place; `edgeopt.solvers.offloading.learned.dqn_values` is the same in numpy."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * FEATURES, WIDE), nn.Linear(WIDE, WIDE)
        self.last = nn.Linear(WIDE, 1)
        self.whole, self.level = nn.Linear(2 * FEATURES, WIDE), nn.Linear(WIDE, 1)

    def forward(self, value: Any, present: Any) -> Any:
        """(B, P, FEATURES) and (B, P) to (B, P)."""
        there = present[..., None]
        count = there.sum(dim=1)
        mean = torch.where(there, value, 0.0).sum(dim=1) / count
        least = torch.where(there, value, -FAR).amin(dim=1)
        both = torch.cat([mean, least], dim=1)
        x = torch.cat([value, both[:, None, :].expand(-1, value.shape[1], -1)], dim=2)
        own = self.last(torch.relu(self.second(torch.relu(self.first(x)))))
        own = own - torch.where(there, own, 0.0).sum(dim=1, keepdim=True) / count[:, None, :]
        level = self.level(torch.relu(self.whole(both)))
        return torch.where(present, own[..., 0] + level, FAR)

    def network(self) -> Network:
        """The weights in numpy."""
        return Network({name: array.detach().numpy().astype(np.float64) for name, array in self.state_dict().items()})


@dataclass(slots=True)
class Memory:
    """The last decisions, with what became of them."""

    before: Any = field(default_factory=lambda: np.zeros((MEMORY, SERVERS + 1, FEATURES), dtype=np.float32))
    after: Any = field(default_factory=lambda: np.zeros((MEMORY, SERVERS + 1, FEATURES), dtype=np.float32))
    here: Any = field(default_factory=lambda: np.zeros((MEMORY, SERVERS + 1), dtype=np.bool_))
    there: Any = field(default_factory=lambda: np.ones((MEMORY, SERVERS + 1), dtype=np.bool_))
    place: Any = field(default_factory=lambda: np.zeros(MEMORY, dtype=np.int64))
    cost: Any = field(default_factory=lambda: np.zeros(MEMORY, dtype=np.float32))
    discount: Any = field(default_factory=lambda: np.zeros(MEMORY, dtype=np.float32))
    stored: int = 0

    def __len__(self) -> int:
        return min(self.stored, MEMORY)

    def run(self, episodes: Episodes, act: Callable[[Tokens], IntArray]) -> None:
        """Run episodes to their end, and remember their decisions; costs and discounts are in slots."""
        loop = Loop(episodes)
        rows = np.full(episodes.device.shape, -1, dtype=np.int64)
        while (states := loop.states()) is not None:
            read = tokens(states)
            place = act(read)
            own = (self.stored + np.arange(len(states))) % MEMORY
            self.stored += len(states)
            rows[states.episode, states.task] = own
            self.before[own], self.here[own], self.place[own] = read.value, read.present, place
            self.discount[own] = 0.0
            later = states.task > 0
            last = rows[states.episode[later], states.task[later] - 1]
            known = episodes.arrival[states.episode[later], states.task[later] - 1]
            self.after[last], self.there[last] = read.value[later], read.present[later]
            self.discount[last] = DISCOUNT ** ((states.now[later] - known) / states.slot[later])
            loop.send(states, place)
        record = loop.finish()
        done = rows >= 0
        self.cost[rows[done]] = (record.cost / episodes.slot[:, None])[done]


def train_dqn(
    seed: int = 0,
    *,
    rounds: int = 40,
    episodes: int = 4,
    slots: int = 100,
    steps: int = 500,
    say: Callable[[str], None] = print,
) -> Network:
    """Train from a seed.

    Parameters
    ----------
    seed : int
    rounds, episodes, slots : int
        Rounds of new episodes, so many a load side by side, and their length.
    steps : int
        Gradient steps of a round.
    say : callable
        Hears about the progress.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    begun = time.perf_counter()
    model, target = Values(), Values()
    target.load_state_dict(model.state_dict())
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, rounds * steps)
    memory = Memory()
    usual = 1.0

    def learn() -> None:
        rows = rng.integers(0, len(memory), BATCH)
        before, here = torch.tensor(memory.before[rows]), torch.tensor(memory.here[rows])
        after, there = torch.tensor(memory.after[rows]), torch.tensor(memory.there[rows])
        with torch.no_grad():
            best = model(after, there).argmax(dim=1, keepdim=True)
            worth = torch.gather(target(after, there), 1, best)[:, 0]
            wanted = torch.tensor(1 - memory.cost[rows] / usual) + torch.tensor(memory.discount[rows]) * worth
        chosen = torch.gather(model(before, here), 1, torch.tensor(memory.place[rows])[:, None])[:, 0]
        loss = nn.functional.smooth_l1_loss(chosen, wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, FOLLOW)

    def act(read: Tokens) -> IntArray:
        """The place of most value, or now and then any."""
        with torch.no_grad():
            found = model(torch.tensor(read.value, dtype=torch.float32), torch.tensor(read.present)).argmax(dim=1)
        other = np.argmax(np.where(read.present, rng.random(read.present.shape), -1.0), axis=1)
        return np.asarray(np.where(rng.random(len(other)) < explore, other, found.numpy()), dtype=np.int64)

    for turn in range(rounds):
        explore = max(0.05, 1 - turn / (0.5 * rounds))
        drawn = training_episodes(seed * rounds + turn + 9000, episodes, slots)
        memory.run(Episodes.of([one for group in drawn for one in group]), act)
        if turn == 0:
            usual = float(memory.cost[: len(memory)].mean())
        for _ in range(steps):
            learn()
        recent = memory.cost[(memory.stored - 1 - np.arange(min(4000, len(memory)))) % MEMORY].mean()
        say(
            f"DQN round {turn + 1} of {rounds} ({len(LOADS)} loads): {recent:.2f} slots a task with {explore:.0%} "
            f"explored, {time.perf_counter() - begun:.0f} s"
        )
    return target.network()


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="file for the weights (.npz)")
    options = parser.parse_args()
    write_network(train_dqn(options.seed, say=lambda text: print(text, flush=True)), options.out)


if __name__ == "__main__":
    main()
