"""card.md: what a stranger should know of a model before using it."""

from __future__ import annotations

from typing import Any

from fedrec.data.dataset import Dataset
from fedrec.experiment.fit import Model


def card(data: Dataset, model: Model, metrics: dict[str, Any]) -> str:
    """Return the model card in Markdown."""
    about, test = model.algorithm.card, metrics["test"]
    numbers = [f"| {name} | {value:.4f} |" for name, value in test.items() if isinstance(value, float)]
    traffic = metrics["bytes"]
    lines = [
        f"# {model.algorithm.name}, trained on {data.name}",
        "",
        f"{about.summary[0].upper()}{about.summary[1:]}. Source: {about.source}.",
        *([about.differs] if about.differs else []),
        "",
        f"* Data: {data.n_users:,} users, {data.n_items:,} items, {data.n_interactions:,} interactions, "
        f"fingerprint {metrics['data']['fingerprint']}.",
        f"* Protocol: {metrics['protocol']['name']}, fingerprint {metrics['protocol']['fingerprint']}; "
        f"{test['users']:,} users tested, test part read {test['reads']} time(s).",
        f"* Rounds: {metrics['rounds']}; at most {traffic['up_per_client_round']:,} bytes up and "
        f"{traffic['down_per_client_round']:,} bytes down a client and round.",
        f"* Privacy: simulated {metrics['simulated']}. {_promise(metrics['privacy'])}",
        "",
        *(["| metric | test |", "| --- | --- |", *numbers, ""] if numbers else ["Not tested (protocol none).", ""]),
        "`model.safetensors` is what a device downloads to recommend; `private/` is what stays with users and must not "
        "be published.",
    ]
    return "\n".join(lines) + "\n"


def _promise(privacy: dict[str, Any] | None) -> str:
    """Return what may be claimed of the model."""
    if privacy is None:
        return "Nothing here is a privacy guarantee."
    return (
        f"The model is ({privacy['epsilon']:.4g}, {privacy['delta']:g})-differentially private for each "
        f"{privacy['unit']}, under these assumptions: {'; '.join(privacy['assumptions'])}. Everything that this "
        f"command released: epsilon {privacy['epsilon_of_everything_released']:.4g}."
    )
