"""What is expected of products before they are on sale."""

from dataclasses import dataclass

from tfrec.launch.rivals import RivalEffect
from tfrec.launch.season import Season


@dataclass(frozen=True)
class Interval:
    """A forecast count with the interval that holds it in `coverage` of cases."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Neighbour:
    """A product on sale beside one to come.

    Attributes:
        item_id: its id.
        title: its title.
        price: None if not known.
        similarity: cosine of the centred title vectors.
        on_sale_since: None where that was before the log began.
        start_customers: customers of its first days, None where they are not in the log.
        start_units: units of them.
        recent_customers: customers of the last days.
        rivalry: how much it competes, of 1; None where that was not asked.
    """

    item_id: str
    title: str
    price: float | None
    similarity: float
    on_sale_since: str | None
    start_customers: int | None
    start_units: int | None
    recent_customers: int
    rivalry: float | None = None


@dataclass(frozen=True)
class Audience:
    """The shoppers most likely to buy.

    Attributes:
        shoppers: hashed ids, most likely first.
        probability: of each, to buy in the first days.
        segments: share of the list in each segment.
        segments_of_all: the same of all active shoppers.
        words: title words that the list bought more often than all.
    """

    shoppers: list[str]
    probability: list[float]
    segments: dict[str, float]
    segments_of_all: dict[str, float]
    words: list[str]


@dataclass(frozen=True)
class Launch:
    """What is expected of one product.

    Attributes:
        item_id: its id.
        title: its title.
        price: None if not known.
        day: the date on which it is taken to be launched.
        customers: of the first days.
        units: of the first days.
        rank: place by customers among the products on sale in the last days, 1 is best.
        catalogue: how many those are.
        better_starts: share of the earlier launches that started with more customers.
        audience: who may buy it.
        closest: products on sale most like it.
        at_risk: products on sale that may lose customers to it.
        season: when products of its kind are wanted.
    """

    item_id: str
    title: str
    price: float | None
    day: str
    customers: Interval
    units: Interval
    rank: int
    catalogue: int
    better_starts: float
    audience: Audience
    closest: list[Neighbour]
    at_risk: list[Neighbour]
    season: Season


@dataclass(frozen=True)
class LaunchKit:
    """The forecast of all products of a file.

    Attributes:
        launches: best expected start first.
        known_until: last date of the log.
        days: length of a start.
        coverage: share of outcomes that the intervals should hold.
        learnt_from: how many earlier launches.
        rival_effect: what earlier launches did to products like them.
    """

    launches: list[Launch]
    known_until: str
    days: int
    coverage: float
    learnt_from: int
    rival_effect: RivalEffect
