"""metrics.json's ``groups`` as the report's tables: by history length, by head and tail, by client."""

from __future__ import annotations

from typing import Any


def breakdowns(document: dict[str, Any], where: dict[str, str], metrics: dict[str, Any]) -> None:
    """Add one run's groups and spread to the document; ``where``: algorithm, data, protocol."""
    groups = metrics.get("groups") or {}
    for by, rows in groups.items():
        if isinstance(rows, list) and rows:
            _add(document["groups"], by, rows, where)
    spread = groups.get("spread")
    if isinstance(spread, dict):
        worst = groups.get("worst client") or {}
        row: dict[str, Any] = {**where, "metric": "ndcg@10", "clients": metrics["test"].get("users")}
        row |= {key.replace(" ", "_"): value for key, value in spread.items()}
        if worst:
            row |= {"worst_client": str(worst["client"]), "worst": worst.get("ndcg@10")}
        document["spread"].append(row)


def _add(tables: list[dict[str, Any]], by: str, rows: list[dict[str, Any]], where: dict[str, str]) -> None:
    """Put one run's groups into the table with the same groups, or into a new one."""
    label = "client" if "client" in rows[0] else "group"
    metric = next((k for k in rows[0] if "@" in k), None)
    counted = next((k for k, v in rows[0].items() if isinstance(v, int)), None)
    if metric is None:
        return
    key: dict[str, Any] = {"by": by, "data": where["data"], "protocol": where["protocol"], "metric": metric}
    key["names"] = [str(r[label]) for r in rows]
    table = next((t for t in tables if all(t[k] == v for k, v in key.items())), None)
    if table is None:
        table = key | {"users": [r[counted] for r in rows] if counted else [], "values": {}}
        tables.append(table)
    table["values"][where["algorithm"]] = [r[metric] for r in rows]
