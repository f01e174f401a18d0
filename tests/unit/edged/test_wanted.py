"""Which objects are asked for, and when."""

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecore.beehive.resource import EdgeResource
from edgecore.modules.edged.wanted import AGAIN_AFTER_S, MISSING_SHOWN, USES_LIMIT, Wanted


def _secret(name: str) -> EdgeResource:
    return EdgeResource("ns", "secret", name)


A, B = _secret("a"), _secret("b")


def _begun(wanted: Wanted, now: float) -> list[EdgeResource]:
    """Begin all that is due."""
    begun = []
    while (name := wanted.next(now)) is not None:
        begun.append(name)
    return begun


def _with(*objects: EdgeResource, is_there: bool) -> Wanted:
    """Return one with a pod that uses these, which were asked for at 0 and answered."""
    wanted = Wanted()
    wanted.use("u1", objects)
    for name in _begun(wanted, 0):
        wanted.answered(name, 0, is_there=is_there)
    return wanted


def test_what_a_pod_uses_is_asked_for_once() -> None:
    wanted = Wanted()
    wanted.use("u1", [A, B])
    assert _begun(wanted, 0) == [A, B]
    assert _begun(wanted, 0) == []
    assert wanted.under_way == 2


def test_what_is_there_is_not_asked_for_again() -> None:
    wanted = _with(A, is_there=True)
    assert (wanted.next_at(), _begun(wanted, 1e9)) == (None, [])


def test_what_is_missing_is_asked_for_again_a_minute_after_the_question() -> None:
    wanted = _with(A, is_there=False)
    assert (wanted.next_at(), _begun(wanted, AGAIN_AFTER_S - 1)) == (AGAIN_AFTER_S, [])
    assert _begun(wanted, AGAIN_AFTER_S) == [A]


def test_a_question_that_takes_longer_than_a_minute_is_not_asked_twice() -> None:
    wanted = Wanted()
    wanted.use("u1", [A, B])
    assert wanted.next(0) == A
    assert wanted.next(AGAIN_AFTER_S) == B
    assert _begun(wanted, AGAIN_AFTER_S + 1) == []
    assert wanted.next_at() is None
    wanted.answered(A, 1, is_there=False)
    assert _begun(wanted, AGAIN_AFTER_S + 1) == [A]


def test_new_ones_are_asked_for_before_missing_ones() -> None:
    wanted = _with(A, is_there=False)
    wanted.use("u2", [B])
    assert _begun(wanted, AGAIN_AFTER_S) == [B, A]


def test_each_pod_that_comes_to_use_it_has_it_asked_for_at_once() -> None:
    """If it is there MetaManager has it, and the cloud hears nothing."""
    for is_there in (False, True):
        wanted = _with(A, is_there=is_there)
        wanted.use("u2", [A])
        assert _begun(wanted, 1) == [A]


def test_an_object_is_asked_for_as_long_as_one_pod_uses_it() -> None:
    wanted = _with(A, is_there=False)
    wanted.use("u2", [A])
    wanted.release("u1")
    assert _begun(wanted, 1) == [A]
    wanted.release("u2")
    wanted.answered(A, 1, is_there=False)
    assert (_begun(wanted, 1e9), wanted.view()["used"]) == ([], 0)


def test_an_unknown_pod_is_released_without_a_word() -> None:
    Wanted().release("nobody")


def test_when_the_link_comes_up_what_is_missing_is_asked_for_at_once() -> None:
    wanted = _with(A, is_there=False)
    wanted.use("u2", [B])
    wanted.answered(B, 1, is_there=True)
    assert wanted.next(1) == B
    wanted.answered(B, 1, is_there=True)
    wanted.link_up()
    assert _begun(wanted, 2) == [A]


def test_a_question_of_before_the_link_came_up_is_followed_by_another() -> None:
    wanted = Wanted()
    wanted.use("u1", [A])
    wanted.next(0)
    wanted.link_up()
    assert _begun(wanted, 1) == []
    wanted.answered(A, 1, is_there=False)
    assert _begun(wanted, 1) == [A]


def test_what_the_cloud_sends_by_itself_is_not_asked_for() -> None:
    wanted = _with(A, is_there=False)
    assert wanted.told(A, 1, is_there=True) is True
    assert wanted.told(A, 1, is_there=True) is False
    assert _begun(wanted, 1e9) == []


def test_what_the_cloud_deletes_is_asked_for_a_minute_later() -> None:
    wanted = _with(A, is_there=True)
    assert wanted.told(A, 5, is_there=False) is False
    assert wanted.view()["names_missing"] == ["ns/secret/a"]
    assert wanted.next_at() == 5 + AGAIN_AFTER_S
    assert _begun(wanted, 5 + AGAIN_AFTER_S) == [A]


def test_what_no_pod_uses_is_none_of_its_business() -> None:
    wanted = Wanted()
    assert wanted.told(A, 1, is_there=True) is False
    assert wanted.told(A, 1, is_there=False) is False
    assert wanted.answered(A, 1, is_there=False) is False
    assert (wanted.next_at(), wanted.view()) == (None, {"used": 0, "missing": 0, "names_missing": []})


def test_an_answer_that_came_late_and_says_missing_is_asked_about_again() -> None:
    wanted = Wanted()
    wanted.use("u1", [A])
    wanted.next(0)
    wanted.told(A, 1, is_there=True)
    wanted.answered(A, 2, is_there=False)
    assert wanted.next_at() == 2 + AGAIN_AFTER_S


def test_only_the_first_of_equal_answers_is_news() -> None:
    wanted = Wanted()
    wanted.use("u1", [A])
    assert [wanted.answered(A, 1, is_there=there) for there in (False, False, True, True)] == [True, False, True, False]


def test_the_number_of_uses_is_bounded_and_the_room_given_back() -> None:
    wanted = Wanted()
    many = [_secret(f"s{number}") for number in range(USES_LIMIT)]
    assert wanted.use("u1", many[:-1]) == 0
    assert wanted.use("u2", [A, B]) == 1
    assert wanted.use("u3", [A]) == 1
    wanted.release("u1")
    assert wanted.use("u3", [A, B]) == 0


def test_many_names_are_not_shown_all() -> None:
    wanted = _with(*(_secret(f"s{number}") for number in range(MISSING_SHOWN + 5)), is_there=False)
    view = wanted.view()
    assert (view["missing"], len(view["names_missing"])) == (MISSING_SHOWN + 5, MISSING_SHOWN)


def test_who_uses_an_object_and_whether_it_is_there_is_known() -> None:
    wanted = _with(A, is_there=True)
    wanted.use("u2", [A, B])
    assert (wanted.users(A), wanted.users(B)) == (["u1", "u2"], ["u2"])
    assert (wanted.is_there(A), wanted.is_there(B)) == (True, None)


def test_what_only_one_pod_used_is_told_when_it_goes() -> None:
    wanted = Wanted()
    wanted.use("u1", [A])
    wanted.use("u2", [A, B])
    assert wanted.release("u2") == [B]
    assert wanted.release("u1") == [A]
    assert wanted.release("u1") == []
    assert wanted.is_there(A) is None


class AnyOrder(RuleBasedStateMachine):
    """Whatever is told in whatever order: in the end all that is used was asked for, and nothing else is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = Wanted()
        self.now = 0.0
        self.used: dict[str, set[EdgeResource]] = {}
        self.begun: set[EdgeResource] = set()

    names = st.sampled_from([_secret(name) for name in "abcd"])
    pods = st.sampled_from(["u1", "u2", "u3"])

    @rule(uid=pods, objects=st.sets(names))
    def use(self, uid: str, objects: Iterable[EdgeResource]) -> None:
        self.wanted.use(uid, objects)
        self.used[uid] = set(objects)

    @rule(uid=pods)
    def release(self, uid: str) -> None:
        self.wanted.release(uid)
        self.used.pop(uid, None)

    @rule(name=names, is_there=st.booleans())
    def told(self, name: EdgeResource, is_there: bool) -> None:
        self.wanted.told(name, self.now, is_there=is_there)

    @rule()
    def link_up(self) -> None:
        self.wanted.link_up()

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        name = self.wanted.next(self.now)
        if name is not None:
            assert name not in self.begun
            assert any(name in objects for objects in self.used.values())
            self.begun.add(name)

    @rule(is_there=st.booleans(), data=st.data())
    def answer(self, is_there: bool, data: st.DataObject) -> None:
        if self.begun:
            name = data.draw(st.sampled_from(sorted(self.begun)))
            self.begun.discard(name)
            self.wanted.answered(name, self.now, is_there=is_there)

    @invariant()
    def all_that_is_used_is_kept_and_nothing_else(self) -> None:
        assert self.wanted.view()["used"] == len(set().union(*self.used.values()))
        assert self.wanted.under_way == len(self.begun)

    def teardown(self) -> None:
        for name in self.begun:
            self.wanted.answered(name, self.now, is_there=False)
        missing = self.wanted.view()["names_missing"]
        due = _begun(self.wanted, self.now + AGAIN_AFTER_S)
        assert {str(name) for name in due} >= set(missing)


TestAnyOrder = AnyOrder.TestCase
