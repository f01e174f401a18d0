"""What a node makes of the recording."""


def test_what_was_recorded_happens_again(edgecore_replay):
    verdict = edgecore_replay("web.jsonl")
    assert verdict.compared["acknowledgement"] == 10


def test_it_happens_on_another_node_in_another_namespace_too(edgecore_replay):
    edgecore_replay("web.jsonl", map="node=edge-7,namespace=shop")


def test_it_happens_again_after_a_first_time(edgecore_replay, tmp_path):
    edgecore_replay("web.jsonl", directory=tmp_path)
    assert (tmp_path / "edgecore.db").exists()
