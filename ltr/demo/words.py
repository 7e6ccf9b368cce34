"""What the demo shop sells and how shopkeepers and shoppers put it in words, seldom the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kind:
    """A kind of product: other words for it, its shelf, its usual price, what it is made of and for."""

    names: tuple[str, ...]
    category: str
    price: float
    materials: tuple[str, ...]
    uses: tuple[str, ...]

    @property
    def shelf(self) -> str:
        """The category one level up: `Clothing > Tops` of `Clothing > Tops > T-shirts`."""
        return self.category.rpartition(" > ")[0]


_WEAR = ("running", "office", "beach", "hiking", "party")
_CARRY = ("office", "travel", "school", "hiking", "gym")
_HOME = ("gift", "nursery", "garden", "desk")

KINDS: dict[str, Kind] = {
    "t-shirt": Kind(("t-shirt", "tee", "short-sleeved top"), "Clothing > Tops > T-shirts", 24,
                    ("cotton", "linen", "wool", "silk"), _WEAR),
    "jumper": Kind(("jumper", "sweater", "pullover"), "Clothing > Tops > Knitwear", 58,
                   ("cotton", "wool", "cashmere", "fleece"), _WEAR),
    "dress": Kind(("dress", "frock", "sundress"), "Clothing > Dresses > Day dresses", 72,
                  ("cotton", "linen", "silk", "denim"), _WEAR),
    "trousers": Kind(("trousers", "pants", "slacks"), "Clothing > Bottoms > Trousers", 55,
                     ("cotton", "linen", "wool", "denim"), _WEAR),
    "trainers": Kind(("trainers", "sneakers", "sports shoes"), "Shoes > Footwear > Trainers", 80,
                     ("canvas", "leather", "suede", "nylon"), ("running", "office", "hiking", "gym")),
    "boots": Kind(("boots", "ankle boots", "high-tops"), "Shoes > Footwear > Boots", 120,
                  ("leather", "suede", "rubber", "canvas"), ("hiking", "office", "party", "garden")),
    "handbag": Kind(("handbag", "purse", "tote"), "Accessories > Bags > Handbags", 95,
                    ("leather", "suede", "canvas", "nylon"), ("office", "party", "travel", "beach")),
    "backpack": Kind(("backpack", "rucksack", "daypack"), "Accessories > Bags > Backpacks", 70,
                     ("leather", "canvas", "nylon", "denim"), _CARRY),
    "cap": Kind(("cap", "baseball hat", "snapback"), "Accessories > Headwear > Caps", 22,
                ("cotton", "wool", "denim", "nylon"), ("running", "beach", "hiking", "garden")),
    "watch": Kind(("watch", "wristwatch", "timepiece"), "Accessories > Watches > Wristwatches", 140,
                  ("leather", "steel", "rubber", "nylon"), ("running", "office", "party", "gift")),
    "mug": Kind(("mug", "coffee cup", "beaker"), "Home > Kitchen > Mugs", 14,
                ("ceramic", "glass", "steel"), (*_HOME, "travel")),
    "lamp": Kind(("lamp", "table light", "bedside light"), "Home > Lighting > Table lamps", 65,
                 ("linen", "glass", "silk", "cotton"), ("nursery", "desk", "gift", "bedroom")),
    "cushion": Kind(("cushion", "throw pillow", "scatter cushion"), "Home > Textiles > Cushions", 28,
                    ("cotton", "linen", "velvet", "wool"), (*_HOME, "bedroom")),
}  # fmt: skip

# The first word is the plain one; the others are how a copywriter, or another shopper, would put it.
WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet"), "orange": ("orange", "tangerine"), "yellow": ("yellow", "mustard"),
    "green": ("green", "forest green", "emerald"), "blue": ("blue", "cobalt", "navy"),
    "purple": ("purple", "violet", "plum"), "pink": ("pink", "rose", "blush"),
    "brown": ("brown", "chocolate", "tan"), "black": ("black", "jet black"), "white": ("white", "ivory"),
    "plain": ("plain", "solid", "single-coloured"), "striped": ("striped", "stripy", "banded"),
    "dotted": ("dotted", "polka dot", "spotted"), "checked": ("checked", "gingham", "plaid"),
    "cotton": ("cotton", "jersey cotton"), "linen": ("linen", "flax"), "wool": ("wool", "merino"),
    "silk": ("silk", "satin"), "cashmere": ("cashmere",), "fleece": ("fleece",), "denim": ("denim", "jean"),
    "canvas": ("canvas", "sailcloth"), "leather": ("leather", "cowhide"), "suede": ("suede", "nubuck"),
    "nylon": ("nylon", "ripstop"), "rubber": ("rubber", "silicone"), "steel": ("steel", "stainless metal"),
    "ceramic": ("ceramic", "stoneware"), "glass": ("glass", "crystal"), "velvet": ("velvet", "plush"),
    "running": ("running", "jogging"), "office": ("the office", "work"), "gym": ("the gym", "workouts"),
    "hiking": ("hiking", "mountain walks"), "party": ("parties", "an evening out"),
    "beach": ("the beach", "seaside days"), "travel": ("travel", "long journeys"),
    "school": ("school", "the classroom"),
    "gift": ("a gift", "giving as a present"), "nursery": ("the nursery", "a child's room"),
    "garden": ("the garden", "outdoors"), "desk": ("the desk", "a study"), "bedroom": ("the bedroom", "rest"),
}  # fmt: skip

# How dear a brand is, as a factor on the usual price.
BRANDS: dict[str, float] = {
    "Fairweather": 0.7, "Pennywise": 0.6, "Oakline": 0.9, "Harbour & Co": 1.0, "Northwind": 1.1,
    "Juniper": 1.0, "Solstice": 1.3, "Marlowe": 1.5, "Atelier Roux": 1.8,
}  # fmt: skip

_MODELS = (
    "Aster", "Birch", "Comet", "Dune", "Ember", "Fjord", "Grove", "Haven", "Iris", "Jasper", "Kestrel",
    "Linden", "Meadow", "Nova", "Opal", "Pebble", "Quill", "River", "Sage", "Tundra", "Umber", "Vista",
)  # fmt: skip
_OPENINGS = (
    "A {name} you will reach for again and again.", "Our best-loved {name}, now better finished.",
    "Designed in our own studio.", "Simple, honest and made to last.", "The {name} everybody asks about.",
)  # fmt: skip
_MATERIAL = ("Made of {material}.", "Fine {material} throughout.", "Crafted from {material}.")
_MADE_FOR = ("Ideal for {use}.", "Made with {use} in mind.", "A good companion for {use}.")
_LOOKS = ("Comes in {look}.", "Finished in {look}.", "This season in {look}.")
_CLOSINGS = ("Two-year guarantee.", "Free returns within 30 days.", "Ships in recycled packaging.", "")
_LIMITS = ("under {0}", "below ${0}", "less than {0}", "{0} dollars or less", "up to ${0}")
_LIKE_THIS = ("like this", "something like this", "the same", "similar")


def title(hidden: dict[str, str], rng: np.random.Generator) -> str:
    """Brand, model and kind; what a photo shows or a description says is mostly left out."""
    parts = [
        hidden["brand"] if rng.random() < 0.6 else "",
        _pick(_MODELS, rng),
        *(_word(hidden[name], rng) if rng.random() < share else "" for name, share in _IN_TITLE),
        _pick(KINDS[hidden["kind"]].names, rng),
    ]
    return " ".join(filter(None, parts))


_IN_TITLE = (("colour", 0.2), ("pattern", 0.15), ("material", 0.3))


def description(hidden: dict[str, str], rng: np.random.Generator) -> str:
    """Two to five sentences: material and use mostly told, the looks seldom."""
    name = _pick(KINDS[hidden["kind"]].names, rng)
    look = " and ".join(_word(hidden[a], rng) for a in ("colour", "pattern") if rng.random() < 0.6)
    sentences = [
        _pick(_OPENINGS, rng).format(name=name),
        _pick(_MATERIAL, rng).format(material=_word(hidden["material"], rng)) if rng.random() < 0.85 else "",
        _pick(_MADE_FOR, rng).format(use=_word(hidden["use"], rng)) if rng.random() < 0.85 else "",
        _pick(_LOOKS, rng).format(look=look) if look and rng.random() < 0.3 else "",
        _pick(_CLOSINGS, rng),
    ]
    return " ".join(filter(None, sentences))


def query_text(wanted: dict[str, str | float | None], rng: np.random.Generator, *, with_photo: bool) -> str:
    """What a shopper types for the attributes told; with a photo the looks follow ("…, in blue")."""
    looks = [_word(str(wanted[name]), rng) for name in ("colour", "pattern", "material") if wanted.get(name)]
    if with_photo:
        parts = [_pick(_LIKE_THIS, rng), "in " + " ".join(looks) if looks else ""]
    else:
        parts = [*looks, _pick(KINDS[str(wanted["kind"])].names, rng)]
    parts += [
        f"for {_word(str(wanted['use']), rng)}" if wanted.get("use") else "",
        f"by {wanted['brand']}" if wanted.get("brand") else "",
        _pick(_LIMITS, rng).format(f"{wanted['max_price']:.0f}") if wanted.get("max_price") else "",
    ]
    return " ".join(filter(None, parts))


def _word(attribute: str, rng: np.random.Generator) -> str:
    """The plain word half of the time, else any of its synonyms."""
    return WORDS[attribute][0] if rng.random() < 0.5 else _pick(WORDS[attribute], rng)


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
