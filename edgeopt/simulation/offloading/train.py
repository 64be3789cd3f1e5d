"""Train the learned policy with PyTorch (extra ``learn``).

``python -m edgeopt.simulation.offloading.train --supervised FILE --out FILE``

1. *Supervised*: decisions of the rollouts policy in the closed loop, at the published number of servers and many loads,
   with the mean cost that the rollouts give each place; cross-entropy to the soft minimum of these costs.
2. *Group-relative policy optimisation* (GRPO): the policy's own decisions in the closed loop; for each, a group of
   places drawn from it, rewarded by the negative cost of their rollouts, and advantages relative to the group. The
   ratio to the policy that drew is clipped, and the policy is held to the supervised one by their divergence.

The same seed gives the same weights on the same machine, with one thread.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgeopt.errors import BackendError
from edgeopt.instances.io import write_bytes
from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.instances.offloading.generate import generate
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading.closed_loop import Loop
from edgeopt.solvers.offloading.episodes import Episodes, States
from edgeopt.solvers.offloading.learned import HEADS, Network, read_network
from edgeopt.solvers.offloading.policies import Rollouts
from edgeopt.solvers.offloading.serialise import FEATURES, Tokens, tokens

try:
    import torch
    from torch import nn
except ModuleNotFoundError as missing:
    raise BackendError("training needs PyTorch: pip install 'edgeopt[learn]' (the extra learn)") from missing

SIZE, LAYERS, WIDE = 32, 2, 64
LOADS = (None, None, 0.2, 0.4, 0.6, 0.8)
"""Loads of the training episodes; None is the published one."""
SERVERS = 6
SOFT = 0.1
"""Slots: the costs that the supervised target tells apart."""
Reward = Literal["look-ahead", "one-step"]


class Block(nn.Module):  # type: ignore[misc]
    """Attention among the places, then a small network on each, both with a norm before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
        self.attend, self.merge = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, SIZE)
        self.widen, self.narrow = nn.Linear(SIZE, WIDE), nn.Linear(WIDE, SIZE)

    def forward(self, x: Any, hide: Any) -> Any:
        """(B, P, SIZE) to the same."""
        batch, places, _ = x.shape
        mixed = self.attend(self.norm1(x)).view(batch, places, 3, HEADS, SIZE // HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = mixed[0], mixed[1], mixed[2]
        weight = torch.softmax(query @ key.transpose(2, 3) / (SIZE // HEADS) ** 0.5 + hide, dim=3)
        x = x + self.merge((weight @ value).permute(0, 2, 1, 3).reshape(batch, places, SIZE))
        return x + self.narrow(torch.relu(self.widen(self.norm2(x))))


class Transformer(nn.Module):  # type: ignore[misc]
    """Scores of the places of a decision; `edgeopt.solvers.offloading.learned.Network` is the same in numpy."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, SIZE)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.norm, self.head = nn.LayerNorm(SIZE), nn.Linear(SIZE, 1)
        self.slope = nn.Parameter(torch.tensor(2.0))
        nn.init.zeros_(self.head.weight)

    def forward(self, value: Any, present: Any) -> Any:
        """(B, P, FEATURES) and (B, P) to (B, P)."""
        hide = torch.where(present, 0.0, -1e9)[:, None, None, :]
        x = self.embed(value)
        for block in self.blocks:
            x = block(x, hide)
        found = self.head(self.norm(x))[..., 0] - self.slope * torch.expm1(value[..., 1])
        return torch.where(present, found, -1e9)

    def network(self) -> Network:
        """The weights in numpy."""
        return Network({name: array.detach().numpy().astype(np.float64) for name, array in self.state_dict().items()})


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Decisions with the cost of each place (slots), infinite where it is not there."""

    value: FloatArray
    place: IntArray
    cost: FloatArray


def training_episodes(seed: int, count: int, slots: int) -> list[list[OffloadingInstance]]:
    """Episodes of every load, drawn anew for each seed."""
    return [
        [
            generate(seed=10**6 * (1 + seed) + 1000 * n + e, slots=slots, servers=SERVERS, load=load)
            for e in range(count)
        ]
        for n, load in enumerate(LOADS)
    ]


def collect(
    episodes: Episodes,
    act: Callable[[States, FloatArray, Tokens], IntArray],
    seed: int,
    *,
    reward: Reward = "look-ahead",
    rollouts: int = 24,
    depth: int = 4,
) -> Decisions:
    """Run episodes as `act` says, and try every place of every decision by rollouts (or by its one-step cost)."""
    loop, tried = Loop(episodes), Rollouts(rollouts=rollouts, depth=depth)
    tried.start(len(episodes), seed)
    values, places, costs = [], [], []
    while (states := loop.states()) is not None:
        read = tokens(states)
        if reward == "look-ahead":
            cost = tried.scores(states) / states.slot[:, None]
        else:
            cost = np.where(read.present, np.expm1(read.value[..., 1]), np.inf)
        cost = np.where(read.present, cost, np.inf)
        values.append(read.value.astype(np.float32))
        places.append(read.place)
        costs.append(cost)
        loop.send(states, act(states, cost, read))
    loop.finish()
    return Decisions(np.concatenate(values), np.concatenate(places), np.concatenate(costs))


def joined(parts: list[Decisions]) -> Decisions:
    """All of them, in a row."""
    return Decisions(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.cost for part in parts]),
    )


def supervised(model: Transformer, data: Decisions, *, epochs: int, rng: np.random.Generator) -> None:
    """Cross-entropy to the soft minimum of the costs."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    relative = data.cost - data.cost.min(axis=1, keepdims=True)
    target = torch.softmax(torch.tensor(-relative / SOFT, dtype=torch.float32), dim=1)
    value, present = torch.tensor(data.value, dtype=torch.float32), torch.tensor(data.place >= 0)
    steps = epochs * -(-len(value) // 512)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for part in np.array_split(rng.permutation(len(value)), -(-len(value) // 512)):
            rows = torch.tensor(part)
            loss = -(target[rows] * torch.log_softmax(model(value[rows], present[rows]), dim=1)).sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def grpo(
    model: Transformer,
    reference: Transformer,
    data: Decisions,
    optimiser: Any,
    *,
    group: int = 8,
    epochs: int = 2,
    clip: float = 0.2,
    hold: float = 0.02,
    rng: np.random.Generator,
) -> None:
    """One round of group-relative policy optimisation on the decisions of the model itself."""
    value, present = torch.tensor(data.value, dtype=torch.float32), torch.tensor(data.place >= 0)
    relative = np.where(np.isfinite(data.cost), data.cost - data.cost.min(axis=1, keepdims=True), 0.0)
    cost = torch.tensor(np.minimum(relative, 20.0), dtype=torch.float32)
    with torch.no_grad():
        before = torch.log_softmax(model(value, present), dim=1)
        held = torch.log_softmax(reference(value, present), dim=1)
        drawn = torch.multinomial(before.exp(), group, replacement=True)
        reward = -torch.gather(cost, 1, drawn)
        advantage = (reward - reward.mean(dim=1, keepdim=True)) / (reward.std(dim=1, keepdim=True) + 0.05)
        old = torch.gather(before, 1, drawn)
    for _ in range(epochs):
        for part in np.array_split(rng.permutation(len(value)), -(-len(value) // 512)):
            rows = torch.tensor(part)
            now = torch.log_softmax(model(value[rows], present[rows]), dim=1)
            ratio = (torch.gather(now, 1, drawn[rows]) - old[rows]).exp()
            gain = torch.minimum(ratio * advantage[rows], ratio.clamp(1 - clip, 1 + clip) * advantage[rows])
            apart = (now.exp() * (now - held[rows])).sum(dim=1).mean()
            loss = -gain.mean() + hold * apart
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()


def train_supervised(
    seed: int = 0, *, episodes: int = 24, slots: int = 100, epochs: int = 30, say: Callable[[str], None] = print
) -> Network:
    """The first part: a network that has learned from the rollouts.

    Parameters
    ----------
    seed : int
    episodes, slots : int
        Episodes a load, and their length.
    epochs : int
    say : callable
        Hears about the progress.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    begun = time.perf_counter()

    def mixed(states: States, cost: FloatArray, read: Tokens) -> IntArray:
        """The place of least cost, one time in ten any place, so that there is something to mend."""
        best = np.argmin(cost, axis=1)
        other = [int(rng.choice(np.flatnonzero(row))) for row in read.present]
        return np.where(rng.random(len(best)) < 0.1, other, best).astype(np.int64)

    model = Transformer()
    data = joined([collect(Episodes.of(one), mixed, seed) for one in training_episodes(seed, episodes, slots)])
    say(f"{len(data.value)} decisions of the rollouts, {time.perf_counter() - begun:.0f} s")
    supervised(model, data, epochs=epochs, rng=rng)
    say(f"supervised, {time.perf_counter() - begun:.0f} s")
    return model.network()


def train_reinforced(
    first: Network,
    seed: int = 0,
    *,
    reward: Reward = "look-ahead",
    rounds: int = 16,
    episodes: int = 4,
    slots: int = 100,
    say: Callable[[str], None] = print,
) -> Network:
    """The second part: GRPO from a supervised network on.

    Parameters
    ----------
    first : Network
    seed : int
    reward : {"look-ahead", "one-step"}
        What is rewarded: the cost of the rollouts, or the end of the task alone.
    rounds, episodes, slots : int
        Rounds, episodes a load of each, and their length.
    say : callable
        Hears about the progress.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed + 1)
    rng = np.random.default_rng([seed, 1])
    begun = time.perf_counter()
    model, reference = Transformer(), Transformer()
    weight = {name: torch.tensor(array, dtype=torch.float32) for name, array in first.weight.items()}
    model.load_state_dict(weight)
    reference.load_state_dict(weight)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=1e-4)

    def own(states: States, cost: FloatArray, read: Tokens) -> IntArray:
        """A place drawn from the model."""
        with torch.no_grad():
            score = model(torch.tensor(read.value, dtype=torch.float32), torch.tensor(read.present))
            drawn = torch.multinomial(torch.softmax(score, dim=1), 1)[:, 0].numpy()
        return np.asarray(read.place[np.arange(len(drawn)), drawn], dtype=np.int64)

    for turn in range(rounds):
        drawn = training_episodes(seed * rounds + turn + 500, episodes, slots)
        visited = joined([collect(Episodes.of(one), own, seed + turn, reward=reward) for one in drawn])
        for group in optimiser.param_groups:
            group["lr"] = 5e-4 * (1 - turn / rounds)
        grpo(model, reference, visited, optimiser, rng=rng)
        say(f"GRPO round {turn + 1} of {rounds}, {time.perf_counter() - begun:.0f} s")
    return model.network()


def write_network(network: Network, path: Path) -> None:
    """Write weights, as 32-bit floats."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: array.astype(np.float32) for name, array in network.weight.items()}
    np.savez_compressed(buffer, **arrays)
    write_bytes(buffer.getvalue(), path)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--supervised", type=Path, required=True, help="weights after the first part (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="weights after the second part (.npz)")
    parser.add_argument("--resume", action="store_true", help="read the first part's weights instead of training them")
    parser.add_argument("--reward", choices=("look-ahead", "one-step"), default="look-ahead")
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    if not options.resume:
        write_network(train_supervised(options.seed, say=say), options.supervised)
    first = read_network(str(options.supervised))
    write_network(train_reinforced(first, options.seed, reward=options.reward, say=say), options.out)


if __name__ == "__main__":
    main()
