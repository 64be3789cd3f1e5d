"""Train the DQN baseline with PyTorch (extra ``learn``).

``python -m edgeopt.simulation.offloading.train_dqn --out FILE``

A network of its own for the published number of servers, on a flat list of all places' features; double Q-learning with
a replay memory and a target network. The reward is the negative cost (slots) of the tasks that have left since the last
decision, as in the environment.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.errors import BackendError
from edgeopt.simulation.offloading.train import LOADS, SERVERS, training_episodes, write_network
from edgeopt.solvers.offloading.closed_loop import Loop
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.learned import Network
from edgeopt.solvers.offloading.serialise import FEATURES, tokens

try:
    import torch
    from torch import nn
except ModuleNotFoundError as missing:
    raise BackendError("training needs PyTorch: pip install 'edgeopt[learn]' (the extra learn)") from missing

WIDE, DISCOUNT, BATCH, MEMORY = 96, 0.9, 256, 60_000


class Values(nn.Module):  # type: ignore[misc]
    """Value of each place, from the features of all."""

    def __init__(self) -> None:
        super().__init__()
        places = SERVERS + 1
        self.first, self.second = nn.Linear(places * FEATURES, WIDE), nn.Linear(WIDE, WIDE)
        self.last = nn.Linear(WIDE, places)

    def forward(self, value: Any) -> Any:
        """(B, P, FEATURES) to (B, P)."""
        x = torch.relu(self.first(value.flatten(1)))
        return self.last(torch.relu(self.second(x)))


def train_dqn(
    seed: int = 0, *, rounds: int = 14, episodes: int = 4, slots: int = 100, say: Callable[[str], None] = print
) -> Network:
    """Train from a seed.

    Parameters
    ----------
    seed : int
    rounds, episodes, slots : int
        Rounds of new episodes, so many a load side by side, and their length.
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
    shape = (MEMORY, SERVERS + 1, FEATURES)
    before, after = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    action, reward = np.zeros(MEMORY, dtype=np.int64), np.zeros(MEMORY, dtype=np.float32)
    going = np.zeros(MEMORY, dtype=np.float32)
    stored, steps = 0, 0

    def learn() -> None:
        rows = rng.integers(0, min(stored, MEMORY), BATCH)
        with torch.no_grad():
            then = torch.tensor(after[rows])
            best = model(then).argmax(dim=1, keepdim=True)
            worth = torch.gather(target(then), 1, best)[:, 0] * torch.tensor(going[rows])
            wanted = torch.tensor(reward[rows]) + DISCOUNT * worth
        chosen = torch.gather(model(torch.tensor(before[rows])), 1, torch.tensor(action[rows])[:, None])[:, 0]
        loss = nn.functional.smooth_l1_loss(chosen, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    for turn in range(rounds):
        explore = max(0.03, 1 - turn / (0.6 * rounds))
        drawn = training_episodes(seed * rounds + turn + 9000, episodes, slots)
        loop = Loop(Episodes.of([one for group in drawn for one in group]))
        count = len(loop.episodes)
        place_of = np.full(count, -1, dtype=np.int64)
        paid, last = np.zeros(count), np.zeros(count, dtype=np.int64)
        while (states := loop.states()) is not None:
            read = tokens(states).value.astype(np.float32)
            with torch.no_grad():
                found = model(torch.tensor(read)).argmax(dim=1).numpy()
            random = rng.integers(0, SERVERS + 1, len(states))
            place = np.where(rng.random(len(states)) < explore, random, found)
            cost = loop.queues.acc[states.episode, 0] / states.slot
            for b, episode in enumerate(states.episode.tolist()):
                if place_of[episode] >= 0:
                    reward[last[episode]] = paid[episode] - cost[b]
                    after[last[episode]] = read[b]
                    going[last[episode]] = 1.0
                row = stored % MEMORY
                before[row], action[row], reward[row], going[row] = read[b], place[b], 0.0, 0.0
                stored += 1
                place_of[episode], last[episode], paid[episode] = place[b], row, cost[b]
            loop.send(states, place)
            for _ in range(2):
                learn()
            steps += 2
            if steps % 200 == 0:
                target.load_state_dict(model.state_dict())
        loop.finish()
        say(f"DQN round {turn + 1} of {rounds} ({len(LOADS)} loads), {time.perf_counter() - begun:.0f} s")
    weight = {name: array.detach().numpy().astype(np.float64) for name, array in model.state_dict().items()}
    return Network(weight)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="file for the weights (.npz)")
    options = parser.parse_args()
    write_network(train_dqn(options.seed, say=lambda text: print(text, flush=True)), options.out)


if __name__ == "__main__":
    main()
