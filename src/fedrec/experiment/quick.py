"""The main job: everything on the bundled gift-shop purchases, offline, in about two minutes."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from fedrec.experiment import run
from fedrec.experiment.bench import Bench, BenchConfig, Entry, Say, Source, add_data, compare_on, start
from fedrec.experiment.config import RunConfig
from fedrec.experiment.examples import examples
from fedrec.experiment.shops import shops

CONTROL_USERS = 400
PROTOCOLS = ["last-basket", "leave-last-out"]
WHY = (
    "last-basket is the headline: it hides a customer's whole last shopping day. leave-last-out hides one product and "
    "leaves the rest of its basket in view, so models that learn baskets look better than they are."
)


def quick_config() -> BenchConfig:
    """Return the comparison, with settings that were chosen on validation (see quick_settings.toml)."""
    text = files("fedrec.experiment").joinpath("quick_settings.toml").read_text(encoding="utf-8")
    chosen: dict[str, Any] = tomllib.loads(text)
    entries = [Entry(algorithm=name, per_protocol=per) for name, per in chosen.items()]
    return BenchConfig(
        title="Gift-shop purchases: what a shop gains, and what each method reaches",
        data=[Source(data="quickstart")],
        algorithms=entries,
        protocols=PROTOCOLS,
        seeds=1,
        control_users=CONTROL_USERS,
    )


def quick(command: str, say: Say) -> Bench:
    """Run the main job and return the comparison with its document complete."""
    config = quick_config()
    base = RunConfig(algorithm="slist", data="quickstart")
    data = run.load_data(base)
    bench = start(config, command, say)
    add_data(bench, data)
    say("the shopkeeper's question: 15 country groups as shops, alone / federated / pooled")
    wanted = [e for name in ("slist", "ease") for e in config.algorithms if e.algorithm == name]
    bench.document["shops"] = shops(base.model_copy(update={"silos": "country"}), data, wanted)
    say("one customer = one client: every algorithm federated, its centralised twin, and the controls")
    for protocol in PROTOCOLS:
        compare_on(bench, base, data, protocol)
    shown = [bench.outcomes[(data.name, PROTOCOLS[0], e.algorithm)] for e in config.algorithms]
    bench.document["examples"] = examples(shown)
    bench.document["notes"] += [
        WHY,
        f"Federation off is run for {CONTROL_USERS} customers drawn at random; everything else is for all of them.",
        "One seed for the methods whose result depends on one; fedrec bench FILE.toml takes five.",
        "Settings were chosen on validation, not on the test part; experiment/quick_settings.toml holds them.",
    ]
    return bench
