"""Sums of what processes count."""

from edgecore.modules.edgemesh.dns.tally import Tally, added


def test_figures_are_copies():
    tally = Tally()
    figures = tally.figures()
    tally.queries["answered"] += 1
    assert figures["queries"]["answered"] == 0


def test_labels_that_only_one_process_has_are_in_the_sum():
    first, second = Tally(), Tally()
    first.queries["answered"], second.queries["answered"] = 2, 3
    second.bad_packets["short"] = 1
    sums = added([first.figures(), second.figures(), {"now": {"in_flight": 4}}, {}])
    assert (sums["queries"]["answered"], sums["bad_packets"], sums["now"]) == (5, {"short": 1}, {"in_flight": 4})
