"""The learned policy: numpy is PyTorch, any number of servers, the same text in other words; training, environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.offloading.generate import generate
from edgeopt.simulation.offloading.compare import bounds, compare
from edgeopt.solvers.offloading.closed_loop import Loop, simple_places, simulate
from edgeopt.solvers.offloading.episodes import Episodes, random_streams
from edgeopt.solvers.offloading.learned import dqn_values, read_network, weights_file
from edgeopt.solvers.offloading.policies import SIMPLE, policy
from edgeopt.solvers.offloading.serialise import ALIASES, read_texts, texts, tokens


def visited(servers: int = 6, load: float | None = 0.6) -> list[Any]:
    """States on the way of the policy."""
    loop = Loop(Episodes.of([generate(seed=s, slots=8, servers=servers, load=load) for s in range(3)]))
    going, found = policy("earliest"), []
    going.start(3, 0)
    while (states := loop.states()) is not None:
        found.append((tokens(states), texts(states, digits=12), policy("learned").decide(states)))
        loop.send(states, going.decide(states))
    return found


@pytest.mark.parametrize("servers", [1, 6, 11])
def test_the_way_over_text_is_the_same(servers: int) -> None:
    for read, text, _ in visited(servers):
        again, names = read_texts(text)
        assert [len(own) for own in names] == read.present.sum(axis=1).tolist()
        assert np.allclose(again.value[again.present], read.value[read.present], atol=1e-9)


def test_other_words_and_another_order_change_no_score() -> None:
    network = read_network(weights_file("look-ahead"))
    rng = np.random.default_rng(0)
    for read, text, _ in visited():
        scores = network.scores(read)
        for b, one in enumerate(text):
            lines = one.splitlines()
            renamed = [line for line in lines[1:]]
            for alias, field in {"backlog": "wait", "processing": "compute", "tx": "upload", "busy": "ahead"}.items():
                assert ALIASES[alias] == field
                renamed = [line.replace(f" {field}=", f" {alias.upper()}: ") for line in renamed]
            order = rng.permutation(len(renamed))
            moved, names = read_texts(["\n".join([lines[0], *(renamed[n] for n in order)])])
            found = dict(zip(names[0], network.scores(moved)[0].tolist(), strict=True))
            own = dict(zip([line.split()[0] for line in lines[1:]], scores[b][read.present[b]].tolist(), strict=True))
            assert found == pytest.approx(own)


def test_rounded_numbers_change_few_decisions() -> None:
    instances = [generate(seed=s, slots=40) for s in range(4)]
    episodes = Episodes.of(instances)
    exact = simulate(episodes, policy("learned"))
    rounded = simulate(episodes, policy("learned", text=True, digits=1))
    assert rounded.total.sum() <= 1.02 * exact.total.sum()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task deadline=1 together=0", "names no place"),
        ("local upload=0 compute=1 radio=0 wait=0 tasks=0 ahead=0", "task has no field 'deadline'"),
        ("task deadline=1 together=0\ns1 upload=1", "s1 has no field 'compute'"),
        ("task deadline=1 together=0 colour=3\nlocal upload=0", "no field 'colour'"),
    ],
)
def test_bad_texts_are_named(text: str, words: str) -> None:
    with pytest.raises(InstanceError, match=words):
        read_texts([text])


@pytest.mark.parametrize(("servers", "least"), [(3, 0.05), (6, 0.05), (11, 0.10)])
def test_trained_at_six_servers_it_is_near_the_rollouts_at_any(servers: int, least: float) -> None:
    """Within 5 % at 6 servers and 10 % at 11, at the published load, on episodes that training has not seen."""
    instances = [generate(seed=7000 + s, slots=50, servers=servers) for s in range(4)]
    rows = compare(instances, {"rollouts": policy("rollouts"), "learned": policy("learned")})
    assert rows[1].cost.mean <= (1 + least) * rows[0].cost.mean
    assert rows[1].drops <= 0.01


@pytest.mark.parametrize("load", [None, 0.5])
def test_the_dqn_has_learned(load: float | None) -> None:
    """Near the least one-step cost, on episodes that training has not seen."""
    instances = [generate(seed=8000 + s, slots=50, load=load) for s in range(4)]
    rows = compare(instances, {"greedy": policy("greedy"), "dqn": policy("dqn")})
    assert rows[1].cost.mean <= 1.05 * rows[0].cost.mean
    assert rows[1].drops <= 0.01


def test_it_runs_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    assert simulate(Episodes.of([generate(seed=1, slots=5)]), policy("learned")).total[0] > 0


def test_numpy_is_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from edgeopt.simulation.offloading.train import Transformer

    torch.manual_seed(3)
    model = Transformer()
    torch.nn.init.normal_(model.head.weight)
    for servers in (1, 6, 11):
        for read, _, _ in visited(servers)[:3]:
            with torch.no_grad():
                wanted = model(torch.tensor(read.value, dtype=torch.float32), torch.tensor(read.present)).numpy()
            found = model.network().scores(read)
            assert np.allclose(found[read.present], wanted[read.present], atol=1e-4)


def test_numpy_is_pytorch_for_the_dqn_too() -> None:
    torch = pytest.importorskip("torch")
    from edgeopt.simulation.offloading.train_dqn import Values

    torch.manual_seed(4)
    model = Values()
    for servers in (1, 6, 11):
        for read, _, _ in visited(servers)[:3]:
            with torch.no_grad():
                wanted = model(torch.tensor(read.value, dtype=torch.float32), torch.tensor(read.present)).numpy()
            found = dqn_values(model.network().weight, read)
            assert np.allclose(found[read.present], wanted[read.present], atol=1e-4)


def test_a_dqn_is_rewarded_for_its_own_task() -> None:
    """What it remembers of a decision: that task's cost, and the next decision of the same episode."""
    pytest.importorskip("torch")
    from edgeopt.simulation.offloading.train_dqn import DISCOUNT, Memory

    episodes = Episodes.of([generate(seed=s, slots=12, load=0.6) for s in (1, 2)])
    places: list[list[int]] = [[], []]
    loop, memory = Loop(episodes), Memory()

    def act(read: Any) -> Any:
        states = loop.states()
        assert states is not None
        place = simple_places(SIMPLE["earliest"], states, random_streams(0, 2))
        for episode, one in zip(states.episode.tolist(), place.tolist(), strict=True):
            places[episode].append(one)
        loop.send(states, place)
        return place

    memory.run(episodes, act)
    record = loop.finish()
    count = int(episodes.tasks.sum())
    assert len(memory) == count
    assert (memory.discount[:count] == 0).sum() == 2  # nothing comes after the last decision of an episode
    cost = record.cost / 100
    for episode in (0, 1):  # side by side at first, so their decisions alternate
        assert memory.place[episode] == places[episode][0]
        assert memory.cost[episode] == pytest.approx(cost[episode, 0])
        assert memory.cost[episode + 2] == pytest.approx(cost[episode, 1])
        gap = (episodes.arrival[episode, 1] - episodes.arrival[episode, 0]) / 100
        assert memory.discount[episode] == pytest.approx(DISCOUNT**gap)
        assert np.array_equal(memory.after[episode], memory.before[episode + 2])
    assert sorted(memory.cost[:count].tolist()) == pytest.approx(sorted(cost[~np.isnan(cost)].tolist()))


def test_a_dqn_of_another_version_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "old.npz", **{"first.weight": np.zeros((96, 70))})
    with pytest.raises(InstanceError, match="no weights of a DQN of this version"):
        policy("dqn", weights=str(tmp_path / "old.npz"))


@pytest.mark.parametrize("name", ["supervised", "dqn"])
def test_weights_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    kind = "dqn" if name == "dqn" else "learned"
    with np.load(weights_file(name)) as archive:
        whole = {key: archive[key] for key in archive.files}
    first = "first.weight" if name == "dqn" else "embed.weight"
    good, path = whole[first], tmp_path / "w.npz"
    for changed, text in (
        ({key: array for key, array in whole.items() if key != first}, "train it again"),
        (whole | {first: good[..., :-1]}, "train it again"),
        (whole | {first: good * np.nan}, f"{first}: must hold finite numbers"),
        (whole | {first: np.array(["a"])}, f"{first}: must hold finite numbers"),
        ({}, "train it again"),
    ):
        np.savez(path, **changed)
        with pytest.raises(InstanceError, match=text):
            policy(kind, weights=str(path))
    path.write_bytes(Path(weights_file(name)).read_bytes()[:3000])
    with pytest.raises(InstanceError, match="not a readable array form"):
        policy(kind, weights=str(path))
    with pytest.raises(InstanceError, match="nowhere"):
        policy(kind, weights=str(tmp_path / "nowhere.npz"))


def test_weights_are_read_anew(tmp_path: Path) -> None:
    """A file that has been trained again is not remembered as it was."""
    path = tmp_path / "w.npz"
    for name in ("supervised", "one-step"):
        path.write_bytes(Path(weights_file(name)).read_bytes())
        found, wanted = read_network(str(path)).weight, read_network(weights_file(name)).weight
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


def test_training_is_reproducible(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from edgeopt.simulation.offloading.train import train_reinforced, train_supervised, write_network
    from edgeopt.simulation.offloading.train_dqn import train_dqn

    def say(text: str) -> None: ...

    runs = []
    for _ in range(2):
        first = train_supervised(1, episodes=1, slots=3, epochs=1, say=say)
        runs.append(train_reinforced(first, 1, rounds=1, episodes=1, slots=3, say=say))
    for name, array in runs[0].weight.items():
        assert np.array_equal(array, runs[1].weight[name]), name
    dqns = [train_dqn(1, rounds=1, episodes=1, slots=3, steps=3, say=say) for _ in range(2)]
    for name, array in dqns[0].weight.items():
        assert np.array_equal(array, dqns[1].weight[name]), name
    write_network(runs[0], tmp_path / "w.npz")
    written = read_network(str(tmp_path / "w.npz"))
    assert np.allclose(written.weight["embed.weight"], runs[0].weight["embed.weight"])
    (tmp_path / "bad.npz").write_bytes(b"none")
    with pytest.raises(InstanceError, match="not a readable array form"):
        read_network(str(tmp_path / "bad.npz"))


def test_the_environment_is_one() -> None:
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    from edgeopt.simulation.offloading.environment import OffloadingEnv

    check_env(OffloadingEnv(slots=4, bound=False), skip_render_check=True)
    instance = generate(seed=2, slots=8, load=0.5)
    env = OffloadingEnv(instance)
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    total, ended = 0.0, False
    while not ended:
        action = int(np.argmin(np.where(seen["mask"] > 0, seen["places"][:, 1], np.inf)))
        seen, reward, ended, _, info = env.step(action)
        total += reward
    record = simulate(Episodes.of([instance]), policy("earliest"))
    assert -total == pytest.approx(info["cost"]) == pytest.approx(record.total[0] / 100)
    assert info["bound"] == pytest.approx(bounds([instance])[0] / 100)
    assert info["gap"] >= 0
    with pytest.raises(BackendError, match="call reset first"):
        OffloadingEnv(instance).step(0)
    with pytest.raises(BackendError, match="no episode is under way"):
        env.step(0)


def test_what_an_environment_cannot_do_is_named() -> None:
    pytest.importorskip("gymnasium")
    from edgeopt.simulation.offloading.environment import OffloadingEnv

    env = OffloadingEnv(servers=2, slots=3)
    env.reset(seed=1)
    for action in (3, -1, 0.5, "s1", None, float("nan")):
        with pytest.raises(BackendError, match="is none of the places 0 to 2"):
            env.step(action)
    for options, text in (({"servres": 2}, "servres"), ({"seed": 3}, "give it to reset"), ({"slots": 0}, "slots = 0")):
        with pytest.raises(InstanceError, match=text):
            OffloadingEnv(**options)
    with pytest.raises(InstanceError, match="leave out load"):
        OffloadingEnv(generate(seed=1, slots=3), load=0.5)
