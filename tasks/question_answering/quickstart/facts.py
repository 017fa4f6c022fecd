"""The facts of made-up passages, about people, things and towns, with their wordings and questions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """A fact with its wordings and questions: ``{s}`` is the subject, ``{v}`` the answer, ``{x}`` a detail."""

    value: str
    says: tuple[str, ...]
    asks: tuple[str, ...]
    detail: str = ""


PERSON = (
    Attribute(
        "job",
        ("{s} works as a {v}.", "{s} is a {v} by trade.", "By profession, {s} is a {v}."),
        ("What is the job of {s}?", "What does {s} do for a living?", "As what does {s} work?"),
    ),
    Attribute(
        "town",
        ("{s} was born in {v}.", "{s} comes from {v}.", "The birthplace of {s} is {v}."),
        ("Where was {s} born?", "Which town does {s} come from?", "What is the birthplace of {s}?"),
    ),
    Attribute(
        "town",
        ("{s} lives in {v}.", "{s} has a house in {v}.", "The home of {s} is in {v}."),
        ("Where does {s} live?", "In which town does {s} have a house?", "Where is the home of {s}?"),
    ),
    Attribute(
        "date",
        ("{s} was born on {v}.", "The birthday of {s} is {v}."),
        ("When was {s} born?", "On which day was {s} born?", "What is the birthday of {s}?"),
    ),
    Attribute(
        "dish",
        ("{s} likes to eat {v}.", "The favourite dish of {s} is {v}.", "{s} often cooks {v}."),
        ("What does {s} like to eat?", "What is the favourite dish of {s}?", "What does {s} often cook?"),
    ),
    Attribute(
        "pet",
        ("{s} has a {x} called {v}.", "The {x} of {s} is named {v}.", "{s} owns {v}, a {x}."),
        ("What is the {x} of {s} called?", "What is the name of the {x} that {s} has?"),
        "animal",
    ),
    Attribute(
        "company",
        ("{s} works for the {v}.", "{s} is employed by the {v}.", "The employer of {s} is the {v}."),
        ("Who employs {s}?", "For whom does {s} work?", "Who is the employer of {s}?"),
    ),
    Attribute(
        "name",
        ("{s} is married to {v}.", "{s} and {v} are a couple."),
        ("Who is {s} married to?", "Who is the partner of {s}?"),
    ),
)
THING = (
    Attribute(
        "price",
        ("The {s} costs {v}.", "One pays {v} for the {s}.", "The price of the {s} is {v}."),
        ("How much does the {s} cost?", "What is the price of the {s}?"),
    ),
    Attribute(
        "weight",
        ("The {s} weighs {v}.", "The weight of the {s} is {v}."),
        ("How much does the {s} weigh?", "How heavy is the {s}?", "What is the weight of the {s}?"),
    ),
    Attribute(
        "name",
        ("{v} made the {s}.", "The {s} was made by {v}.", "The {s} is the work of {v}."),
        ("Who made the {s}?", "By whom was the {s} made?"),
    ),
    Attribute(
        "name",
        ("{v} owns the {s}.", "The {s} belongs to {v}."),
        ("Who owns the {s}?", "Who is the owner of the {s}?", "To whom does the {s} belong?"),
    ),
    Attribute(
        "town",
        ("The {s} was found in {v}.", "The {s} is kept in {v}."),
        ("Where was the {s} found?", "Where is the {s} kept?"),
    ),
)
TOWN = (
    Attribute(
        "river",
        ("{s} lies on the river {v}.", "The river {v} flows through {s}."),
        ("On which river does {s} lie?", "Which river flows through {s}?"),
    ),
    Attribute(
        "name",
        ("The mayor of {s} is {v}.", "{v} governs {s}.", "{v} is mayor of {s}."),
        ("Who is the mayor of {s}?", "Who governs {s}?"),
    ),
    Attribute(
        "year",
        ("{s} was founded in {v}.", "{s} became a town in {v}.", "The town of {s} dates from {v}."),
        ("When was {s} founded?", "In which year did {s} become a town?", "From when does {s} date?"),
    ),
    Attribute(
        "count",
        ("{s} has {v}.", "There are {v} in {s}.", "{v} live in {s}."),
        ("How many people live in {s}?", "How large is {s}?", "What is the population of {s}?"),
    ),
    Attribute(
        "dish",
        ("{s} is famous for {v}.", "The {v} of {s} is well known."),
        ("What is {s} famous for?", "For which dish is {s} known?"),
    ),
)
KINDS = {"name": PERSON, "thing": THING, "town": TOWN}
