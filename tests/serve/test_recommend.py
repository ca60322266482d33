"""Recommending with the original ids: for people of a run, for new people, with stock, at the edges."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import fedrec
from fedrec.contract import ConfigError, History, InputError, StorageError, UnknownIdError
from fedrec.serve import Bundle, Recommendation

N_USERS, N_ITEMS = 40, 12


def frame() -> dict[str, list[Any]]:
    """Even users like even items; user 0 has everything; times in seconds."""
    draw = np.random.Generator(np.random.Philox(key=1))
    rows: dict[str, list[Any]] = {"user_id": [], "item_id": [], "timestamp": []}
    for user in range(N_USERS):
        own = draw.permutation(np.arange(user % 2, N_ITEMS, 2))[:4].tolist()
        for place, item in enumerate(range(N_ITEMS) if user == 0 else own):
            rows["user_id"].append(1000 + user)
            rows["item_id"].append(f"sku {item}, blue")
            rows["timestamp"].append(1_000_000 + 1000 * user + place)
    return rows


@pytest.fixture(scope="module")
def fitted() -> fedrec.Recommender:
    return fedrec.fit(frame(), "ease", reg=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("serve") / "run"
    fedrec.fit(frame(), "fedmf", out=out, rounds=4, dim=8)
    return out


def ids(found: list[Recommendation]) -> list[Any]:
    return [r.item_id for r in found]


def sku(*numbers: int) -> list[str]:
    return [f"sku {n}, blue" for n in numbers]


def history_of(user: int) -> list[str]:
    rows = frame()
    return [i for u, i in zip(rows["user_id"], rows["item_id"], strict=True) if u == user]


def test_people_get_what_their_group_likes_and_nothing_they_have(fitted: fedrec.Recommender) -> None:
    for user in (1002, 1003, 1017):
        found = fitted.recommend(user, k=2)
        assert [r.rank for r in found] == [1, 2]
        assert all(int(i.split()[1].strip(",")) % 2 == user % 2 for i in ids(found))
        assert not set(ids(found)) & set(history_of(user))
        assert found[0].score >= found[1].score


def test_a_user_id_may_be_given_as_text(fitted: fedrec.Recommender) -> None:
    assert fitted.recommend("1002") == fitted.recommend(1002)


def test_new_people_are_folded_in(fitted: fedrec.Recommender) -> None:
    found = fitted.recommend(items=sku(2, 4), k=3)
    assert set(ids(found)) <= set(sku(0, 6, 8, 10))
    same = fitted.recommend("nobody", history=fitted.history_of(sku(2, 4)), k=3)
    assert same == found


def test_seen_items_come_back_only_when_allowed(fitted: fedrec.Recommender) -> None:
    assert len(fitted.recommend(1002, k=N_ITEMS)) == N_ITEMS - 4
    allowed = fitted.recommend(1002, k=N_ITEMS, exclude_seen=False)
    assert set(ids(allowed)) == set(sku(*range(N_ITEMS)))
    assert len(allowed) == N_ITEMS


def test_stock(fitted: fedrec.Recommender) -> None:
    assert set(ids(fitted.recommend(1001, k=9, only=sku(0, 2)))) == set(sku(0, 2))
    without = ids(fitted.recommend(1001, k=9, exclude=sku(0, 2)))
    assert not set(without) & set(sku(0, 2))
    assert ids(fitted.recommend(1001, k=9, only=sku(0, 2), exclude=sku(0))) == sku(2)
    assert fitted.recommend(1001, k=9, only=[]) == []
    with pytest.raises(UnknownIdError, match="item 'sku 99, blue' is not in the model"):
        fitted.recommend(1001, only=sku(99))
    with pytest.raises(UnknownIdError, match="item 'sku 99, blue' is not in the model"):
        fitted.recommend(1001, exclude=sku(99))


def test_a_user_with_every_item_gets_nothing(fitted: fedrec.Recommender) -> None:
    assert fitted.recommend(1000) == []
    assert len(fitted.recommend(1000, exclude_seen=False)) == 10


@pytest.mark.parametrize("k", [0, -1, N_ITEMS + 1])
def test_k_outside_the_catalogue_is_refused(fitted: fedrec.Recommender, k: int) -> None:
    with pytest.raises(InputError, match=f"k = {k}: expected 1 to 12, the number of items in the model"):
        fitted.recommend(1002, k=k)
    with pytest.raises(InputError, match="expected 1 to 12"):
        fitted.recommend_many([1002], k=k)


def test_unknown_ids_are_told_the_nearest(fitted: fedrec.Recommender) -> None:
    with pytest.raises(UnknownIdError, match=r"user '10002' is not in the model \(40 users.*Did you mean '10"):
        fitted.recommend(10002)
    with pytest.raises(UnknownIdError, match=r"item 'sku 3, blu' is not .*Did you mean 'sku 3, blue'\?"):
        fitted.recommend(items=["sku 3, blu"])
    with pytest.raises(UnknownIdError, match=r"--items ID,ID,\.\.\."):
        fitted.recommend("somebody else entirely")


def test_exactly_one_of_user_and_items(fitted: fedrec.Recommender) -> None:
    for arguments in (
        {},
        {"user": 1002, "items": sku(1)},
        {"items": sku(1), "history": History(np.zeros(1, np.int32))},
    ):
        with pytest.raises(InputError, match="give exactly one of the two"):
            fitted.recommend(**arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="items is empty"):
        fitted.recommend(items=[])


def test_many_at_once_equal_one_at_a_time(fitted: fedrec.Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedrec.serve.recommender.BLOCK", 7)
    users = [1005, "1006", *range(1010, 1030)]
    many = fitted.recommend_many(users, k=3, exclude=sku(1))
    assert list(many) == users
    assert many == {u: fitted.recommend(u, k=3, exclude=sku(1)) for u in users}
    assert fitted.recommend_many([], k=3) == {}


@pytest.mark.parametrize("algorithm", ["ease", "slist", "popularity", "fedmf"])
def test_what_is_loaded_equals_what_was_fitted(tmp_path: Path, algorithm: str) -> None:
    settings: dict[str, Any] = {"rounds": 3, "dim": 8} if algorithm == "fedmf" else {}
    fitted = fedrec.fit(frame(), algorithm, out=tmp_path / "run", seed=3, **settings)
    loaded = fedrec.load(tmp_path / "run")
    for user in (1000, 1002, 1003):
        assert loaded.recommend(user, k=5) == fitted.recommend(user, k=5)
    assert loaded.recommend(items=sku(1, 3), k=5) == fitted.recommend(items=sku(1, 3), k=5)
    many = [1001, 1007, 1030]
    assert loaded.recommend_many(many, k=4) == fitted.recommend_many(many, k=4)


def test_ids_keep_their_type(tmp_path: Path) -> None:
    rows = frame()
    rows["item_id"] = [int(i.split()[1].strip(",")) for i in rows["item_id"]]
    loaded = [fedrec.fit(rows, "ease"), fedrec.fit(rows, "ease", out=tmp_path / "run"), fedrec.load(tmp_path / "run")]
    for model in loaded:
        found = model.recommend("1003", k=2)
        assert all(type(r.item_id) is int for r in found)
        assert model.recommend(items=[1, "3"], k=2) == model.recommend(items=["1", 3], k=2)
        assert found[0].title == str(found[0].item_id)


@pytest.mark.parametrize("awkward", ["a,b", 'say "hi"', "💡", "אבג", "123456789012345678901234567890", " x ", "\\N"])
def test_awkward_ids_come_back_as_they_are(tmp_path: Path, awkward: str) -> None:
    rows = frame()
    rows["item_id"] = [awkward if i == "sku 3, blue" else i for i in rows["item_id"]]
    rows["user_id"] = [awkward if u == 1002 else str(u) for u in rows["user_id"]]
    fedrec.fit(rows, "ease", out=tmp_path / "run")
    model = fedrec.load(tmp_path / "run")
    assert model.recommend(awkward, k=1)[0].item_id
    assert awkward in ids(model.recommend(items=sku(1, 5), k=N_ITEMS - 2))
    assert model.recommend(items=[awkward], k=1)


class PandasLike:
    """A frame with columns and to_numpy, as pandas has (pandas itself is no dependency)."""

    class Column:
        def __init__(self, values: list[Any]) -> None:
            self.values = values

        def to_numpy(self) -> np.ndarray:
            return np.array(self.values)

    def __init__(self, rows: dict[str, list[Any]]) -> None:
        self.rows, self.columns = rows, list(rows)

    def __getitem__(self, name: str) -> Column:
        return PandasLike.Column(self.rows[name])


def test_frames_of_every_kind_give_the_same_model(fitted: fedrec.Recommender) -> None:
    expected = fitted.recommend(1003, k=5)
    for data in (pl.DataFrame(frame()), PandasLike(frame())):
        assert fedrec.fit(data, "ease", reg=1.0).recommend(1003, k=5) == expected


def test_fit_measures_where_a_protocol_holds_out() -> None:
    model = fedrec.fit(frame(), "ease", protocol="leave-last-out", tune=True)
    assert model.metrics["test"]["users"] == N_USERS
    assert model.metrics["test"]["ndcg@10"] > 0.2
    assert model.outcome.prepared.config.settings.keys() == {"reg"}
    assert fedrec.fit(frame(), "ease").metrics["test"] == {"users": 0, "reads": 0}


def test_tuned_fit_writes_what_it_chose(tmp_path: Path) -> None:
    model = fedrec.fit(frame(), "ease", protocol="leave-last-out", tune=True, out=tmp_path / "run")
    loaded = fedrec.load(tmp_path / "run")
    assert loaded.config.settings == model.outcome.prepared.config.settings
    assert (tmp_path / "run" / "search.jsonl").exists()


def test_fit_refuses_what_is_wrong_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting of ease 'regg'.*'reg'"):
        fedrec.fit(frame(), "ease", regg=1)
    with pytest.raises(ConfigError, match="no algorithm is called 'eaze'"):
        fedrec.fit(frame(), "eaze")
    with pytest.raises(InputError, match="item_id"):
        fedrec.fit({"user_id": [1, 2], "thing": [1, 2]})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ConfigError, match="already holds other files"):
        fedrec.fit(frame(), "ease", out=tmp_path / "full")
    with pytest.raises(InputError):
        fedrec.fit(3)


def test_without_private_new_people_are_still_served(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "public")
    whole = fedrec.load(folder).recommend(items=sku(1, 3), k=4)
    shutil.rmtree(tmp_path / "public" / "private")
    public = fedrec.load(tmp_path / "public")
    assert public.recommend(items=sku(1, 3), k=4) == whole
    assert len(public.recommend("anybody", history=public.history_of(sku(1, 3)), k=4)) == 4
    with pytest.raises(InputError, match=r"private is not here: it stays with the people"):
        public.recommend(1002)


def test_a_history_of_ones_own_keeps_ones_private_state(folder: Path) -> None:
    model = fedrec.load(folder)
    mine = model.history_of(history_of(1002))
    known, new = model.recommend(1002, history=mine, k=5), model.recommend(items=history_of(1002), k=5)
    assert [r.score for r in known] != [r.score for r in new]  # fedmf: the user's own vector, trained for rounds
    stored = model.people.histories.history(model.user_code(1002))
    assert model.recommend(1002, history=stored, k=5) == model.recommend(1002, k=5)


DAMAGE = {
    "metrics.json": ("{", StorageError, "metrics.json is damaged"),
    "model.safetensors": ("x", StorageError, "model.safetensors is damaged"),
    "items.parquet": ("x", StorageError, "cannot read .*items.parquet"),
    "config.toml": ("a = = 1", ConfigError, "config.toml is not valid TOML"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_and_missing_files_are_named(folder: Path, tmp_path: Path, name: str) -> None:
    content, kind, words = DAMAGE[name]
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(kind, match=words):
        fedrec.load(tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises((StorageError, ConfigError), match=name):
        fedrec.load(tmp_path / "run")


def test_files_of_another_run_are_noticed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run")
    fedrec.fit(frame(), "ease", out=tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", tmp_path / "run" / "model.safetensors")
    with pytest.raises(StorageError, match="the files are not of one run"):
        fedrec.load(tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text('{"data": {"items": 12, "users": 40}}')
    with pytest.raises(StorageError, match="lacks what fedrec wrote"):
        fedrec.load(tmp_path / "run")


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing does not exist: give the --out folder"):
        fedrec.load(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"holds no finished run \(metrics.json is missing\)"):
        Bundle(tmp_path)
