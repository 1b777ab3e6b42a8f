"""Make the items of this folder: short tasks on replies to sales e-mails, each with one right answer.

    python data/routing/make_items.py              # items.jsonl, byte for byte

All sentences were written for this project; companies, persons and products are invented. Only uniform
numbers of one generator are used, so that the items do not depend on the version of Python.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SEED = 20250123
ITEMS_A_CATEGORY = 220

COMPANIES = (
    "Velmont Tools",
    "Drovania Foods",
    "Pellam Forge",
    "Ostrava Lines",
    "Kirrin Dental",
    "Halden Timber",
    "Quillon Press",
    "Brackwater Hotels",
    "Sunhope Farms",
    "Tarn & Lowe",
    "Mirabel Textiles",
    "Osprey Freight",
    "Corvane Labs",
    "Duneside Optics",
    "Ferrow Cycles",
    "Glenpark Clinics",
    "Ivoris Paints",
    "Juniper Rail",
    "Kestrel Pumps",
    "Lomond Bakery",
    "Marrowby Glass",
    "Nordaby Shipping",
    "Orrin Robotics",
    "Palisade Homes",
)
PRODUCTS = (
    "route planner",
    "invoice scanner",
    "stock app",
    "chat widget",
    "payroll tool",
    "booking desk",
    "price monitor",
    "call recorder",
    "shift planner",
    "e-mail assistant",
    "lead scorer",
    "quote builder",
)
PERSONS = (
    "Bruno",
    "Ilse",
    "Marta",
    "Tomas",
    "Priya",
    "Kofi",
    "Lena",
    "Otis",
    "Renata",
    "Samir",
    "Yara",
    "Anselm",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
OPENINGS = (
    "Hello,",
    "Hi there,",
    "Good morning,",
    "Thanks for your note.",
    "Re your e-mail of last week:",
    "I read your message on the train.",
    "A short reply from {c}.",
    "Writing on behalf of {c}.",
    "{n} passed your e-mail on to me.",
    "Sorry for the slow answer.",
)
FILLERS = (
    "We are {num} people at {c}.",
    "Our fiscal year ends in March.",
    "{n} is copied in.",
    "It has been a busy quarter here.",
    "The office moved to the second floor.",
    "We run two sites and one warehouse.",
    "I have been in this post since spring.",
    "Our old contract ran for {num} months.",
    "The {p} was the topic of our last team lunch.",
    "Most of our staff work in shifts.",
    "The lift is out of order again.",
    "{n} and I share this mailbox.",
)

SENTIMENT = {
    "question": "What is the writer's attitude to our offer? Answer with one word: positive, negative or "
    "neutral.",
    "choices": ("positive", "negative", "neutral"),
    "easy": {
        "positive": (
            "The {p} is great and my team loves it.",
            "We are very happy with the {p} and want to buy it.",
            "What a good demo! {c} would like to go ahead.",
            "I am impressed by the {p}, please send the contract.",
            "Excellent offer, we gladly accept.",
            "The trial went very well and everybody likes the {p}.",
            "Your {p} is the best we have tried.",
        ),
        "negative": (
            "The {p} is bad and we do not want it.",
            "I am annoyed by your offer, please stop.",
            "We tried the {p} and were very disappointed.",
            "This is a terrible product and far too slow.",
            "Your offer is poor, {c} will not buy.",
            "The demo was a waste of time and I disliked it.",
            "I hate the {p}, it lost our data twice.",
        ),
        "neutral": (
            "I have forwarded your e-mail to {n}.",
            "Our address has changed, please update your records.",
            "The parcel with your brochure arrived on {d}.",
            "We have {num} offices and use two suppliers.",
            "I have not looked at the {p} yet.",
            "Our purchasing form is attached.",
            "The meeting room is booked from nine to ten.",
        ),
    },
    "hard": {
        "positive": (
            "I came to find fault with the {p} and went home without any.",
            "My people complain about each new tool; about the {p} they have said nothing but 'when?'.",
            "If the {p} were a person, {n} would have hired it on {d}.",
            "Not bad at all, and from {n} that is the highest praise there is.",
            "I had my doubts until the second week. I no longer have them, so where do we sign?",
            "The price made me swallow, the result made me smile, and {c} is in.",
        ),
        "negative": (
            "Wonderful, another tool that needs {num} clicks for what we do in one.",
            "I am sure that the {p} has made somebody happy. Nobody here has met that person.",
            "Thank you so much for the demo. We now value our old spreadsheet twice as much.",
            "The {p} would be perfect if it worked.",
            "A great idea, well told, and nothing that {c} would ever pay for.",
            "Your {p} did teach us something: to read the small print first.",
        ),
        "neutral": (
            "Some of us like the {p}, some do not, and I have not made up my mind.",
            "It is neither better nor worse than what we have; I take no side until the test is over.",
            "The great thing and the poor thing about the {p} weigh the same for me today.",
            "{n} praised your offer and {d} the board will see it; I only keep the minutes.",
            "You ask whether I like it. I am the wrong person to ask, I only sort the mail.",
            "Our rules forbid me to comment on offers before {d}.",
        ),
    },
}

INTENT = {
    "question": "What kind of reply is this? Answer with one word: meeting, question, decline, unsubscribe, "
    "away or referral.",
    "choices": ("meeting", "question", "decline", "unsubscribe", "away", "referral"),
    "easy": {
        "meeting": (
            "Let us meet on {d} at ten.",
            "Can we have a call on {d} to talk about the {p}?",
            "I would like to book a meeting with you next week.",
            "Please come to our office on {d} for a meeting.",
        ),
        "question": (
            "What does the {p} cost for {num} users?",
            "Does the {p} work on a tablet?",
            "How long does it take to set up the {p}?",
            "Which languages does the {p} support?",
        ),
        "decline": (
            "No thank you, we are not interested.",
            "We have decided not to buy the {p}.",
            "Thanks, but {c} does not need this.",
            "We will not take up your offer this year.",
        ),
        "unsubscribe": (
            "Please remove me from your mailing list.",
            "Unsubscribe me from these e-mails.",
            "Stop sending me e-mails and delete my address.",
            "Take my address off your list, please.",
        ),
        "away": (
            "I am out of the office until {d}.",
            "I am on holiday and will be back on {d}.",
            "Automatic reply: I am away until {d} without access to e-mail.",
            "I am on leave until the {num}th.",
        ),
        "referral": (
            "Please contact {n}, who is in charge of this.",
            "I am the wrong person, write to {n} in purchasing.",
            "My colleague {n} handles such offers, please ask there.",
            "{n} decides about software here, not me.",
        ),
    },
    "hard": {
        "meeting": (
            "{d} at three, our place, the coffee is on me.",
            "My diary has a gap on {d}; fill it if you like.",
            "Bring the {p} along on {d} and show it to {n} and me.",
        ),
        "question": (
            "Before I go on I need to know who keeps our data.",
            "Tell me one thing: is the {p} sold by the seat?",
            "Your leaflet is silent on training, and {n} would like to know.",
        ),
        "decline": (
            "The board has other worries, so this ends here.",
            "We will stay with what we have.",
            "It was a close race, and your {p} came second.",
        ),
        "unsubscribe": (
            "Enough. Forget that this address exists.",
            "This is the {num}th message; let it be the last one ever.",
            "I never signed up for this, so take me out.",
        ),
        "away": (
            "By the time you read this I sit on a beach, and until {d} I stay there.",
            "My desk is empty until {d}; the plants are looked after.",
            "Back on {d}. Until then nobody reads this mailbox.",
        ),
        "referral": (
            "You knocked at the wrong door; the right one is {n}'s.",
            "For anything with a plug in it, {n} is your man or woman.",
            "I only pay the bills, the choosing is done by {n}.",
        ),
    },
}

YES_NO = (
    (
        "Does the writer want to meet or call? Answer yes or no.",
        (
            "Let us talk on {d} about the {p}.",
            "A call on {d} would suit me.",
            "Could we meet at {c} on {d}?",
            "I have time on {d}, shall I ring you?",
            "{d} afternoon is free, so come and see us.",
        ),
        (
            "Please send everything in writing, no calls.",
            "I have no time to meet this month.",
            "A brochure is enough for me.",
            "On {d} I meet my dentist, and that is meeting enough.",
            "We can settle this by e-mail.",
        ),
    ),
    (
        "Is the price a problem for the writer? Answer yes or no.",
        (
            "The {p} is too expensive for {c}.",
            "We cannot afford {usd} dollars.",
            "It costs more than we may spend.",
            "At half the sum we would have signed.",
            "{n} laughed when I read out the figure.",
        ),
        (
            "The price of {usd} dollars is fair.",
            "Money is not the issue, time is.",
            "It is cheaper than I feared.",
            "We have set aside more than you ask for.",
            "The budget is there; what we lack is people.",
        ),
    ),
    (
        "Has the writer used the product? Answer yes or no.",
        (
            "We have worked with the {p} for {num} days.",
            "I tried the {p} last week.",
            "My team uses it every morning.",
            "After a month with the {p} we know its corners.",
            "{n} and I tested it from end to end.",
        ),
        (
            "We have not tried the {p} yet.",
            "I only know the {p} from your leaflet.",
            "Nobody here has seen it so far.",
            "I would first like to test it.",
            "The trial version still lies unopened in my inbox.",
        ),
    ),
    (
        "Does the writer decide about the purchase? Answer yes or no.",
        (
            "I decide about this and I will tell you on {d}.",
            "The choice is mine.",
            "I sign such contracts myself.",
            "At {c} all orders end on my desk for approval.",
            "{n} advises, but the last word is mine.",
        ),
        (
            "The board decides about this.",
            "{n} makes such decisions, I do not.",
            "I have no say in what we buy.",
            "I can only recommend it; others sign.",
            "My boss will choose between the two offers.",
        ),
    ),
)

EXTRACTION = (
    (
        "day",
        "On which weekday is the meeting? Answer with the weekday only.",
        "exact",
        ("The meeting is on {d}.", "We meet on {d} at ten.", "See you on {d} for the demo of the {p}."),
        (
            "I am away on {d2}, so let us meet on {d}.",
            "Not {d2}, that is taken. I can do {d}.",
            "We had said {d2}, but {n} moved the meeting to {d}.",
        ),
    ),
    (
        "company",
        "Which company does the writer work for? Answer with the company's name only.",
        "exact",
        ("I work for {c}.", "I am {n} from {c}.", "We at {c} like the {p}."),
        (
            "I left {c2} last year and now buy for {c}.",
            "{c2} sold us the machines, here at {c} we only run them.",
            "Do not mix us up with {c2}: this is {c}, two doors down.",
        ),
    ),
    (
        "number",
        "How many seats does the writer order? Answer with digits only.",
        "numeric",
        ("We order {k} seats.", "Please send us {k} seats for the {p}.", "{c} would like to buy {k} seats."),
        (
            "There are {k2} of us, but we order {k} seats.",
            "Last year we took {k2} seats, this year it is {k}.",
            "{n} asked for {k2} seats and got {k} approved, so book those.",
        ),
    ),
    (
        "person",
        "Who should be contacted? Answer with the first name only.",
        "exact",
        ("Please contact {n}.", "Write to {n} about the {p}.", "{n} is the right contact at {c}."),
        (
            "{n2} has left us, {n} has taken over, so write there.",
            "Not {n2}, please: {n} looks after this now.",
            "I asked {n2}, who told me that you should speak with {n}.",
        ),
    ),
)

ARITHMETIC = (
    (
        "cheaper",
        1,
        "The {p} costs {x} dollars, the {p2} {y} dollars. What does the cheaper one cost in dollars?",
    ),
    ("dearer", 1, "{c} asks {x} dollars and {c2} asks {y} dollars. What is the higher price in dollars?"),
    ("now", 1, "The price was {x} dollars and is now {y} dollars. What is the price now in dollars?"),
    ("older", 1, "We pay {y} dollars today, last year it was {x}. What did we pay last year in dollars?"),
    ("two", 2, "One seat costs {m} dollars. What do two seats cost in dollars?"),
    ("sum", 2, "The {p} costs {m} dollars and the set-up {u} dollars. What is the sum in dollars?"),
    ("half", 2, "The {p} costs {m2} dollars and is now at half price. What does it cost in dollars?"),
    ("more", 2, "{c} pays {m} dollars. The price rises by {e} dollars. What does {c} pay in dollars then?"),
    ("total", 3, "{a} seats cost {b} dollars each. What is the total in dollars?"),
    ("rest", 3, "Our budget is {big} dollars. The {p} costs {m} dollars. How many dollars are left?"),
    (
        "off",
        3,
        "The {p} costs {h} dollars, and there is a discount of 10 percent. How many dollars are saved?",
    ),
    ("each", 3, "{a} users pay {t} dollars together. What does each user pay in dollars?"),
)


class Draw:
    """Uniform draws of one seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - data, no secret

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self._random.random() * n)

    def one(self, values: Any) -> Any:
        """One of them."""
        return values[self.below(len(values))]

    def two(self, values: Any) -> tuple[Any, Any]:
        """Two different ones."""
        first = self.below(len(values))
        other = (first + 1 + self.below(len(values) - 1)) % len(values)
        return values[first], values[other]

    def slots(self) -> dict[str, Any]:
        """What the sentences leave open."""
        (c, c2), (n, n2), (d, d2) = self.two(COMPANIES), self.two(PERSONS), self.two(DAYS)
        return {
            "c": c,
            "c2": c2,
            "n": n,
            "n2": n2,
            "d": d,
            "d2": d2,
            "p": self.one(PRODUCTS),
            "num": 4 + self.below(25),
            "usd": 100 * (2 + self.below(60)),
        }

    def around(self, core: str, slots: dict[str, Any], fillers: int) -> str:
        """The core between an opening and so many fillers."""
        parts = [self.one(OPENINGS)] if self.below(4) else []
        first, second = self.two(FILLERS)
        before = self.below(2)
        chosen = [first, second][:fillers]
        parts += [*chosen[:before], core, *chosen[before:]]
        return " ".join(parts).format(**slots)


def labelled(draw: Draw, task: dict[str, Any], category: str) -> dict[str, Any]:
    """One item of sentiment or intent."""
    label = draw.one(task["choices"])
    level = "hard" if draw.below(2) else "easy"
    cores = task[level][label]
    place = draw.below(len(cores))
    text = draw.around(cores[place], draw.slots(), draw.below(3))
    return {
        "category": category,
        "level": level,
        "template": f"{category}-{level}-{label}-{place + 1}",
        "text": text,
        "question": task["question"],
        "expected": label,
        "grader": "choice",
        "choices": list(task["choices"]),
    }


def yes_no(draw: Draw) -> dict[str, Any]:
    """One item of yes_no; the last two sentences of each list are the hard ones."""
    number = draw.below(len(YES_NO))
    question, yes, no = YES_NO[number]
    label = draw.one(("yes", "no"))
    cores = yes if label == "yes" else no
    place = draw.below(len(cores))
    return {
        "category": "yes_no",
        "level": "hard" if place > 2 else "easy",
        "template": f"yes_no-{number + 1}-{label}-{place + 1}",
        "text": draw.around(cores[place], draw.slots(), draw.below(3)),
        "question": question,
        "expected": label,
        "grader": "choice",
        "choices": ["yes", "no"],
    }


def extraction(draw: Draw) -> dict[str, Any]:
    """One item of extraction; hard ones hold a second value of the same kind."""
    kind, question, grader, easy, hard = draw.one(EXTRACTION)
    level, cores = ("hard", hard) if draw.below(2) else ("easy", easy)
    slots = draw.slots()
    slots["k"], slots["k2"] = draw.two(range(3, 60))
    place = draw.below(len(cores))
    # Openings and fillers name persons, companies and numbers of their own: none here.
    text = cores[place].format(**slots)
    if draw.below(2):
        text = f"{draw.one(OPENINGS[:5])} {text}"
    if draw.below(2):
        text += f" {draw.one((FILLERS[1], FILLERS[3], FILLERS[4], FILLERS[5], FILLERS[9], FILLERS[10]))}"
    right = {"day": slots["d"], "company": slots["c"], "number": str(slots["k"]), "person": slots["n"]}[kind]
    return {
        "category": "extraction",
        "level": level,
        "template": f"extraction-{kind}-{level}-{place + 1}",
        "text": text,
        "question": question,
        "expected": right,
        "grader": grader,
        "choices": None,
    }


def arithmetic(draw: Draw) -> dict[str, Any]:
    """One item of arithmetic, of one or two steps."""
    place = draw.below(len(ARITHMETIC))
    kind, steps, text = ARITHMETIC[place]
    slots = draw.slots()
    a, b, m = 2 + draw.below(8), 5 + draw.below(26), 10 * (1 + draw.below(30))
    x, y = draw.two(range(12, 400))
    u, e = 10 * (1 + draw.below(9)), 1 + draw.below(9)
    slots |= {"a": a, "b": b, "m": m, "x": x, "y": y, "u": u, "e": e, "m2": 2 * m, "t": a * b, "h": 10 * b}
    slots |= {
        "big": m + 10 * (1 + draw.below(40)),
        "p2": PRODUCTS[(PRODUCTS.index(slots["p"]) + 5) % len(PRODUCTS)],
    }
    right = {
        "cheaper": min(x, y),
        "dearer": max(x, y),
        "now": y,
        "older": x,
        "two": 2 * m,
        "sum": m + u,
        "half": m,
        "more": m + e,
        "total": a * b,
        "rest": slots["big"] - m,
        "off": b,
        "each": b,
    }[kind]
    return {
        "category": "arithmetic",
        "level": ("easy", "medium", "hard")[steps - 1],
        "template": f"arithmetic-{kind}-{place + 1}",
        "text": text.format(**slots),
        "question": "Solve the problem. Answer with the number only.",
        "expected": str(right),
        "grader": "numeric",
        "choices": None,
    }


def make(items_a_category: int = ITEMS_A_CATEGORY, seed: int = SEED) -> list[dict[str, Any]]:
    """The items, question by question, so that a server's prefix cache serves what they share; no text
    twice under one question.
    """
    draw = Draw(seed)
    makers = {
        "sentiment": lambda: labelled(draw, SENTIMENT, "sentiment"),
        "intent": lambda: labelled(draw, INTENT, "intent"),
        "yes_no": lambda: yes_no(draw),
        "extraction": lambda: extraction(draw),
        "arithmetic": lambda: arithmetic(draw),
    }
    items: list[dict[str, Any]] = []
    for category, maker in makers.items():
        found: dict[tuple[str, str], dict[str, Any]] = {}
        while len(found) < items_a_category:
            item = maker()
            found.setdefault((item["question"], item["text"]), item)
        rows = sorted(found.values(), key=lambda item: item["question"])
        items += [{"id": f"{category}-{place:03d}", **row} for place, row in enumerate(rows, start=1)]
    return items


def main() -> None:
    """Write items.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS_A_CATEGORY, help="a category")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=HERE / "items.jsonl")
    given = parser.parse_args()
    lines = [json.dumps(item, ensure_ascii=False) for item in make(given.items, given.seed)]
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
