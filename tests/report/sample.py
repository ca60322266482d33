"""A made-up document of the shape of ``fedrec bench quick``'s, from a seed. Its numbers are NOT measurements."""

from __future__ import annotations

from typing import Any

import numpy as np

SHOPS = {
    "United Kingdom": 2322,
    "Germany": 64,
    "France": 59,
    "Other": 41,
    "Belgium": 19,
    "Switzerland": 18,
    "Spain": 15,
    "Portugal": 12,
    "Norway": 7,
    "Italy": 7,
    "Australia": 7,
    "Finland": 6,
    "Channel Islands": 6,
    "Sweden": 5,
    "Denmark": 5,
}
TITLES = [
    "Regency Milk Jug Pink",
    "Lunch Bag Red Retrospot",
    "Jumbo Bag Pink Polkadot",
    "Gingham Heart Doorstop Red",
    "White Hanging Heart T-Light Holder",
    "Set of 3 Cake Tins Pantry Design",
    "Wrap 50's Christmas",
    'Sign "Please One Person" Metal',
    "Sweetheart Ceramic Trinket Box",
    "Alarm Clock Bakelike Green",
    "Party Bunting",
    "Hot Water Bottle Tea and Sympathy",
    "Wooden Picture Frame White Finish",
    "Rex Cash+Carry Jumbo Shopper & Friends",
    "🎄 Paper Chain Kit <Vintage>",
    "صندوق هدايا",
    "Heart of Wicker Large",
    "Natural Slate Heart Chalkboard",
    "Assorted Colour Bird Ornament",
    "Set of 12 Fairy Cake Baking Cases",
]
FEDERATED = {  # name: (recall@20, ndcg@20, hr@10, ndcg@10, rounds, kB up, kB down, seconds)
    "slist": (0.146, 0.126, 0.303, 0.212, 1, 6478, 0, 1.9),
    "ease": (0.130, 0.107, 0.202, 0.111, 1, 2161, 0, 0.8),
    "ials": (0.121, 0.098, 0.140, 0.069, 8, 532, 268, 4.2),
    "itemknn": (0.118, 0.095, 0.130, 0.069, 1, 2161, 0, 0.5),
    "lowpass": (0.124, 0.101, 0.181, 0.094, 5, 266, 266, 2.6),
    "fedmf": (0.071, 0.060, 0.069, 0.034, 80, 137, 137, 14.1),
    "pfedrec": (0.063, 0.055, 0.064, 0.031, 60, 137, 137, 21.7),
}
PROTOCOLS = ("last-basket", "leave-last-out", "pfedrec-leaky")
METRICS = {"last-basket": ("recall@20", "ndcg@20"), "leave-last-out": ("hr@10", "ndcg@10")}


def estimate(value: float, wide: float = 0.011) -> dict[str, float]:
    """Return a value with an interval around it."""
    return {"value": value, "low": max(0.0, value - wide), "high": value + wide}


def sample(seed: int = 7) -> dict[str, Any]:
    """Return the whole document; the same bytes for the same seed."""
    rng = np.random.default_rng(seed)
    return {
        "schema": 1,
        "kind": "bench",
        "title": "SAMPLE with made-up numbers: gift-shop purchases",
        "command": "fedrec bench quick --report report.html",
        "protection": "simulated on one machine; masks and noise off",
        "environment": {"fedrec": "0.1.0", "python": "3.11.2", "numpy": "2.4.6", "numba": "0.68.1", "cores": "2"},
        "data": [
            {
                "name": "quickstart",
                "users": 2593,
                "items": 1039,
                "interactions": 176102,
                "fingerprint": "9c1f5a7be2d04311",
                "about": "Purchases of an on-line gift shop (UCI Online Retail, CC BY 4.0).",
                "facts": {"users with one day only (not tested)": 473, "first day": "2010-12-01"},
            }
        ],
        "protocols": _protocols(),
        "shops": _shops(rng),
        "results": _results(rng),
        "curves": _curves(rng),
        "groups": _groups(rng),
        "spread": _spread(),
        "ledger": _ledger(),
        "examples": _examples(rng),
        "controls": _controls(),
        "ceiling": "The pooled twin of slist reaches 0.146, so federation costs nothing; what is left is the model.",
        "config": {"bench.toml": '[bench]\ndata = ["quickstart"]\nseeds = 1\n\n[algorithms.ease]\nreg = 300.0\n'},
        "notes": ["One seed for random methods: this is the quick bench; fedrec bench FILE.toml runs five."],
    }


def _protocols() -> list[dict[str, Any]]:
    about = {
        "last-basket": "All new items of a customer's last day are held out: nothing of the same basket helps.",
        "leave-last-out": "Only the very last item is held out; the rest of its basket stays and gives it away.",
        "pfedrec-leaky": "As published: training negatives avoid the test item, which leaks it.",
    }
    return [
        {
            "name": name,
            "data": "quickstart",
            "split": name,
            "candidates": "the held-out item and 99 sampled" if "pfedrec" in name else "all items not in the history",
            "negatives": "all items minus train, validation and test" if "pfedrec" in name else "none",
            "ties": "pessimistic" if "pfedrec" in name else "1 + greater + half of the others tied",
            "fingerprint": f"{1000003 * (k + 1):08x}",
            "users": [2120, 2593, 2593][k],
            "about": about[name],
        }
        for k, name in enumerate(PROTOCOLS)
    ]


def _shops(rng: np.random.Generator) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    small = sum(n for name, n in SHOPS.items() if name != "United Kingdom")
    for name, users in [("14 small shops", small), *SHOPS.items()]:
        total, large = name.startswith("14"), name == "United Kingdom"
        wide = 0.9 / users**0.5 * 0.35
        scores = {}
        for k, algorithm in enumerate(("slist", "ease")):
            base = 0.130 if large else 0.093 if total else float(rng.uniform(0.05, 0.13))
            gain = 0.001 if large else 0.035 if total else float(rng.normal(0.035, 0.03))
            alone, federated = base + 0.01 * (1 - k), base + gain + 0.012 * (1 - k)
            scores[algorithm] = {
                "alone": estimate(alone, wide),
                "federated": estimate(federated, wide),
                "pooled": estimate(federated, wide),
                "gain": {"value": federated - alone, "low": federated - alone - wide, "high": federated - alone + wide},
            }
        rows.append({"name": name, "users": users, "total": total, "scores": scores})
    return {
        "data": "quickstart",
        "protocol": "last-basket",
        "metric": "recall@20",
        "algorithms": ["slist", "ease"],
        "rows": rows,
        "note": "The pooled column uses one table of all purchases in one place: what federation avoids.",
    }


def _result(name: str, role: str, protocol: str, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"algorithm": name, "role": role, "data": "quickstart", "protocol": protocol, "metrics": metrics, **more}


def _results(rng: np.random.Generator) -> list[dict[str, Any]]:
    out = []
    for name, (r20, n20, h10, n10, rounds, up, down, secs) in FEDERATED.items():
        for protocol in PROTOCOLS:
            leaky = protocol == "pfedrec-leaky"
            if leaky and name not in ("fedmf", "pfedrec"):
                continue
            pair = (r20, n20) if protocol == "last-basket" else (h10, n10) if not leaky else (0.719, 0.438)
            names = METRICS.get(protocol, ("hr@10[99]", "ndcg@10[99]"))
            metrics = {m: estimate(v) for m, v in zip(names, pair, strict=True)}
            exact = name not in ("fedmf", "pfedrec")
            gap = pair[0] - 0.045
            cost = {
                "rounds": rounds,
                "up_bytes_per_client_round": 1000 * up,
                "down_bytes_per_client_round": 1000 * down,
                "seconds": secs,
            }
            difference = {"metric": names[0], "reference": "popularity", "value": gap, "low": gap - 0.01}
            difference |= {"high": gap + 0.01, "p": 0.0004 if gap > 0.02 else 0.031}
            out.append(
                _result(
                    name,
                    "federated",
                    protocol,
                    metrics,
                    users=2120,
                    seeds=1,
                    difference=None if leaky else difference,
                    max_relative_difference=float(rng.uniform(1e-10, 9e-9)) if exact else None,
                    failures={"straggler: no answer in time": 12} if name == "fedmf" else {},
                    flag="the off control reaches this" if leaky else "",
                    **cost,
                )
            )
            if not leaky:
                out.append(_result(f"{name}, pooled", "twin", protocol, metrics, twin_of=name, seconds=secs / 2))
    plain = {"popularity": (0.045, 0.043, 0.037, 0.018), "markov": (0.088, 0.075, 0.151, 0.090)}
    off = {"alone": (0.021, 0.018, 0.034, 0.019), "permuted labels": (0.019, 0.009, 0.010, 0.004)}
    for role, table in (("baseline", plain), ("control", off)):
        for name, values in table.items():
            for k, protocol in enumerate(PROTOCOLS[:2]):
                pair = values[2 * k : 2 * k + 2]
                out.append(
                    _result(
                        name,
                        role,
                        protocol,
                        {m: estimate(v, 0.004) for m, v in zip(METRICS[protocol], pair, strict=True)},
                        rounds=1,
                        up_bytes_per_client_round=4156,
                        down_bytes_per_client_round=0,
                        seconds=0.02,
                    )
                )
    leak = {"hr@10[99]": estimate(1.0, 0.0), "ndcg@10[99]": estimate(0.977, 0.004)}
    out.append(_result("pfedrec, federation off", "control", "pfedrec-leaky", leak))
    return out


def _curves(rng: np.random.Generator) -> list[dict[str, Any]]:
    out = []
    for name, (_, ndcg, _, _, rounds, up, down, secs) in FEDERATED.items():
        steps = np.arange(1, rounds + 1)
        values = ndcg * (1 - np.exp(-4 * steps / rounds)) / (1 - np.exp(-4)) + rng.normal(0, 0.001, rounds)
        points = [
            {
                "round": int(r),
                "megabytes": 2593 * (up + down) / 1e3 * r,
                "seconds": secs * r / rounds,
                "value": float(values[r - 1]) if r % 5 == 0 or rounds < 10 else None,
            }
            for r in steps.tolist()
        ]
        out.append({"algorithm": name, "data": "quickstart", "protocol": "last-basket", "metric": "ndcg@20"})
        out[-1]["points"] = points
    return out


def _groups(rng: np.random.Generator) -> list[dict[str, Any]]:
    groupings = {
        "history length": (["1 to 10 items", "11 to 50", "51 to 200", "over 200"], [412, 980, 571, 157], 1.0),
        "held-out item": (["head (most bought fifth)", "tail"], [1640, 1921], 0.4),
    }
    out = []
    for by, (names, users, fall) in groupings.items():
        values = {
            name: [
                estimate(float(f[0] * (1.1 - 0.15 * k * fall) * (1 if by != "held-out item" or k == 0 else 0.4)))
                for k in range(len(names))
            ]
            for name, f in FEDERATED.items()
        }
        out.append({"by": by, "data": "quickstart", "protocol": "last-basket", "metric": "recall@20"})
        out[-1] |= {"names": names, "users": users, "values": values}
    return out


def _spread() -> list[dict[str, Any]]:
    return [
        {
            "algorithm": name,
            "data": "quickstart",
            "protocol": "last-basket",
            "metric": "ndcg@20",
            "clients": 2120,
            "worst": 0.0,
            "p10": 0.0,
            "p50": f[1] * 0.7,
            "p90": f[1] * 2.4,
            "worst_decile": 0.0,
        }
        for name, f in FEDERATED.items()
    ]


def _ledger() -> list[dict[str, Any]]:
    n = 1039
    pairs = {"where": "uploaded", "phase": "sums", "name": "pairs", "shape": [n, n], "bytes": 2161120}
    steps = {"where": "uploaded", "phase": "sums", "name": "steps", "shape": [n, n], "bytes": 4318084}
    weights = {"where": "shared", "name": "weights", "shape": [n, n], "bytes": 4318084, "note": "sent once, to score"}
    factors = {"where": "shared", "name": "items", "shape": [n, 64], "bytes": 265984, "note": "sent every round"}
    return [
        {"algorithm": "slist", "rounds": 1, "rows": [{**pairs, "note": "symmetric: one half travels"}, steps, weights]},
        {"algorithm": "ease", "rounds": 1, "rows": [{**pairs, "note": "symmetric: one half travels"}, weights]},
        {
            "algorithm": "ials",
            "rounds": 8,
            "rows": [
                {"where": "uploaded", "phase": "sweep", "name": "gram", "shape": [64, 64], "bytes": 8320},
                {"where": "uploaded", "phase": "sweep", "name": "items", "shape": [n, 64], "bytes": 531968},
                factors,
                {"where": "private", "name": "user", "shape": [64], "bytes": 512, "note": "solved by the user, kept"},
            ],
        },
    ]


def _item(index: int, hit: bool = False) -> dict[str, Any]:
    return {"id": str(20000 + index), "title": TITLES[index % len(TITLES)], "hit": hit}


def _examples(rng: np.random.Generator) -> list[dict[str, Any]]:
    out = []
    for number, country in enumerate(("Germany", "United Kingdom", "Finland")):
        held = rng.choice(len(TITLES), 4, replace=False).tolist()
        lists = []
        for name in [*FEDERATED, "popularity"]:
            picks = rng.choice(len(TITLES), 10, replace=False).tolist()
            lists.append({"algorithm": name, "items": [_item(i, i in held) for i in picks]})
        out.append(
            {
                "customer": f"{12347 + 31 * number}",
                "about": f"{country}, 34 different items on 6 days",
                "data": "quickstart",
                "protocol": "last-basket",
                "bought": [_item(i) for i in rng.choice(len(TITLES), 14, replace=False).tolist()],
                "held_out": [_item(i) for i in held],
                "lists": lists,
            }
        )
    return out


def _controls() -> list[dict[str, Any]]:
    return [
        {
            "name": "Federation off",
            "text": "Every customer alone scores 0.021: what can be had without anybody else. The rest is far above.",
            "ok": True,
        },
        {
            "name": "Federation off, leaky negatives",
            "text": "With the field's training negatives the same lonely client scores 1.000: the test item leaks.",
            "ok": False,
        },
        {"name": "Permuted labels", "text": "0.019, chance is 0.019 (within 4 standard errors).", "ok": True},
    ]
