"""What a person may lose: epsilon of each run with noise, what bounds it and what it assumes."""

from __future__ import annotations

from fedrec.report.cells import cell, figure, head, section, table
from fedrec.report.document import Document, Privacy
from fedrec.report.markup import Child, Html, join, tag

LEAD = (
    "User-level differential privacy of the released sums, charged for the integers that ran. A small epsilon is "
    "strong: at 1 a look at the model changes the odds of any guess about one person by a factor of 2.7 at most, but "
    "for a chance of delta."
)


def render(document: Document) -> Html | None:
    """Return one row a run with noise, its noise by statistic, and the assumptions once."""
    if not document.privacy:
        return None
    names = ("Algorithm", "Epsilon", "Delta", "Unit", "Everything released", "Least clients", "Masks", "Noise")
    header = tag("tr", [head(n, class_="" if n in ("Algorithm", "Unit", "Masks", "Noise") else "n") for n in names])
    body = [_row(p) for p in document.privacy]
    assumed = dict.fromkeys(a for p in document.privacy for a in p.assumptions)
    return section(
        "privacy",
        "What a person may lose",
        table("Privacy of each run", [header], body),
        tag("p", "This holds if:"),
        tag("ul", [tag("li", a) for a in assumed]),
        *(tag("p", "Accountant: ", a) for a in dict.fromkeys(p.accountant for p in document.privacy)),
        lead=LEAD,
    )


def _row(p: Privacy) -> Html:
    where = tag("small", f"{p.data}, {p.protocol}", class_="ci")
    cells: list[Child] = [head(tag("bdi", p.algorithm), where, class_="", scope="row")]
    cells.append(cell(figure(p.epsilon, f"{p.epsilon:.3g}")))
    cells.append(cell(figure(p.delta, f"{p.delta:g}")))
    cells.append(cell(p.unit, class_="text"))
    trainings = tag("small", f"{p.trainings} training{'' if p.trainings == 1 else 's'}", class_="ci")
    cells.append(cell(figure(p.everything, f"{p.everything:.3g}"), trainings))
    cells.append(cell(figure(p.fewest, f"{p.fewest:,}")))
    cells.append(cell("all messages ran" if p.masks == "full" else "left out: they cancel", class_="text"))
    noise = [
        tag("div", f"{n.statistic}: σ {n.sigma:.3g}, {n.rounds} round{'' if n.rounds == 1 else 's'}") for n in p.noise
    ]
    cells.append(cell(join(noise), class_="text"))
    return tag("tr", cells)
