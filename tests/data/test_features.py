import numpy as np
import polars as pl
import pytest

from fedrec.contract import Interactions
from fedrec.data import load
from fedrec.data.dataset import Dataset
from fedrec.data.features import public_features


def shelf(titles: list[str] | None, **columns: list[str]) -> Dataset:
    n = len(titles) if titles is not None else len(next(iter(columns.values())))
    table = pl.DataFrame({"item_id": list(range(n)), **columns}) if columns else None
    return Dataset("shelf", Interactions.from_lists(n, [[0]]), pl.Series([0]), pl.Series(range(n)), titles, table)


def test_words_of_a_title_need_two_items_and_rare_ones_weigh_more() -> None:
    found = public_features(shelf(["Red Mug", "red cup", "Blue Mug", "Blue Cup (old)", "Red Hat"]))
    assert found is not None
    assert found.dtype == np.float32
    assert found.shape == (5, 4)  # blue, cup, mug, red; hat is there once, brackets are left out
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.full(5, 0.7), abs=1e-6)
    assert found[1, 1] > found[1, 3] > 0.0


def test_films_that_are_near_in_genre_and_year_are_near() -> None:
    titles = ["Alien (1979)", "Aliens (1986)", "Heat (1995)", "Toy Story (1995)", "Ugly (19)"]
    found = public_features(shelf(titles, genres=["Horror|Sci-Fi", "Sci-Fi|Horror", "Crime", "Comedy|Crime", ""]))
    assert found is not None
    near = found @ found.T
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[1, 3]
    assert np.isfinite(found).all()
    assert not found[4].any()  # no word that another has, no genre, no year


def test_product_codes_that_follow_each_other_are_near() -> None:
    codes = [str(20_000 + k) for k in range(40)] + ["DOT"]
    found = public_features(shelf(None, stock_code=codes))
    assert found is not None
    assert found[5] @ found[6] > 0.95
    assert found[5] @ found[30] < 0.01
    assert not found[40].any()


def test_nothing_is_made_of_ids_or_prices() -> None:
    assert public_features(shelf(None, price=["1.0", "2.0"])) is None
    assert public_features(shelf(["a", "b"])) is None
    assert (
        public_features(Dataset("bare", Interactions.from_lists(2, [[0]]), pl.Series([0]), pl.Series([0, 1]))) is None
    )


def test_the_bundled_shop_has_features_that_no_interaction_changes() -> None:
    shop = load("quickstart")
    whole = public_features(shop)
    assert whole is not None
    assert whole.shape[0] == shop.n_items
    other = Dataset(shop.name, Interactions.from_lists(shop.n_items, [[0]]), shop.user_ids, shop.item_ids)
    other.titles, other.items = shop.titles, shop.items
    again = public_features(other)
    assert again is not None
    np.testing.assert_array_equal(whole, again)
