"""A correct command, and broken ones for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from defects import Offered, Proofs

from mlperf_mobile.plugin import HOOK_API, CommandInfo, Ref
from mlperf_mobile.testing.command_kit import CommandConformance


def add(parser):
    parser.add_argument("name")
    parser.set_defaults(handler=print)


OFFER = CommandInfo(
    name="greet", summary="says hello", command=Ref("command_defects:add"), group="results", hook_api=HOOK_API
)


class TestCorrect(Offered, CommandConformance):
    offer = OFFER


PROOFS = Proofs(TestCorrect, "command")


def raises(parser):
    raise OSError("no server")


def collides(parser):
    parser.add_argument("--debug")
    add(parser)


def without_handler(parser):
    parser.add_argument("name")


def with_half_a_handler(parser):
    parts = parser.add_subparsers(required=True)
    parts.add_parser("now").set_defaults(handler=print)
    parts.add_parser("later")


def percent(parser):
    parser.add_argument("--share", help="100%")
    add(parser)


RAISES, *MORE_DEFECTS = (
    PROOFS.broken(function.__name__.title().replace("_", ""), function)
    for function in (raises, collides, without_handler, with_half_a_handler, percent)
)
DEFECTS = {
    **PROOFS.of_any_offer("test_adds_arguments_and_a_handler"),
    "test_adds_arguments_and_a_handler": RAISES,
}
MORE = [("test_adds_arguments_and_a_handler", case) for case in MORE_DEFECTS]
PROOFS.publish(*DEFECTS.values(), *MORE_DEFECTS)
