"""Made-up data: the sizes asked for, the same bytes each time, a head and a tail, groups that can be learnt."""

from __future__ import annotations

import numpy as np

from fedrec.data import Dataset, load, silos, synthetic


def rows(data: Dataset) -> np.ndarray:
    return data.interactions.items.reshape(data.n_users, -1)


def test_sizes_and_distinct_items() -> None:
    data = load("synthetic:users=300,items=200,per_user=15,seed=1")
    assert (data.n_users, data.n_items, data.n_interactions) == (300, 200, 4500)
    assert (np.diff(np.sort(rows(data), axis=1), axis=1) > 0).all()
    times = data.interactions.times
    assert times is not None
    assert (np.diff(times.reshape(300, 15), axis=1) >= 0).all()


def test_a_user_may_have_the_whole_catalogue() -> None:
    data = load("synthetic:users=5,items=30,per_user=30,seed=1")
    assert np.array_equal(np.sort(rows(data), axis=1), np.tile(np.arange(30), (5, 1)))


def test_the_seed_decides_and_blocks_differ() -> None:
    one = load("synthetic:users=100,items=200,per_user=5,seed=1")
    assert one.fingerprint() == load("synthetic:users=100,items=200,per_user=5,seed=1").fingerprint()
    assert one.fingerprint() != load("synthetic:users=100,items=200,per_user=5,seed=2").fingerprint()
    more = load(f"synthetic:users={synthetic.BLOCK + 50},items=200,per_user=5,seed=1")
    assert not np.array_equal(rows(more)[synthetic.BLOCK :], rows(more)[:50])


def test_popularity_has_a_head_and_groups_have_their_own_items() -> None:
    data = load("synthetic:users=4000,items=512,per_user=10,seed=3")
    counts = np.sort(np.bincount(data.interactions.items, minlength=512))[::-1]
    assert counts[:51].sum() > 0.25 * counts.sum()  # a tenth of the items
    assert counts[-1] < counts[0] / 10
    client_of, labels = silos(data, "group")
    assert len(labels) == 8
    table = np.zeros((8, 512))
    np.add.at(table, (np.repeat(client_of, 10), data.interactions.items), 1)
    share = np.sort(table / table.sum(axis=0, keepdims=True), axis=0)[-1]
    assert np.median(share) > 0.7  # most items are bought by one group
