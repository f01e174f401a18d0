"""What askers get, from the cache and from servers that do well, badly or nothing, and when."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from dnsreplies import AAAA, CNAME, MX, A, address, cname, opt, query, records, reply, rr, soa
from edgecore.modules.edgemesh.dns.packets.packet import read_query
from edgecore.modules.edgemesh.dns.resolver.nameservers import Nameservers
from edgecore.modules.edgemesh.dns.resolver.resolved import Resolved, ResolverSettings
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.resolver.zones import Zones
from edgecore.modules.edgemesh.dns.zone.aliases import Alias, Chase

WWW = query("www.example")
POINTER = b"\xc0\x0c"


class Names:
    version = 0


class Resolving:
    """A resolver, and short ways to ask it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def ask(self, packet: bytes = WWW, *, is_tcp: bool = False, client: str = "") -> asyncio.Task[Resolved]:
        read = read_query(packet)
        return asyncio.ensure_future(self.resolver.resolve(packet, read, is_tcp=is_tcp, client=client))

    def at_once(self, packet: bytes = WWW) -> Resolved | None:
        return self.resolver.at_once(packet, read_query(packet), is_tcp=False)

    def chase(self, packet: bytes, *targets: str, search: bool = False) -> asyncio.Task[Resolved]:
        read = read_query(packet)
        names = tuple(tuple(label.encode() for label in target.split(".")) for target in targets)
        aliases = () if search else (Alias(read.labels, names[0], 64),)
        chase = Chase(packet, read, aliases, names, 1232, search=(read.labels, 5) if search else None)
        return asyncio.ensure_future(self.resolver.chase(chase))


@pytest.fixture
def resolving(clock, random_id, tmp_path):
    """``async with resolving(servers, zones=..., cache_size=...) as r``."""

    @asynccontextmanager
    async def run(servers, zones=None, **settings):
        resolver = Resolver(
            Nameservers(servers, tmp_path / "resolv.conf", clock),
            Zones(zones or {}),
            Names(),
            ResolverSettings(**settings),
            clock=clock,
            random_id=random_id,
            listening=list,
        )
        try:
            yield Resolving(resolver)
        finally:
            await resolver.close()
            assert (resolver.in_flight, resolver.waiting.total, resolver.upstream.sockets) == (0, 0, 0)

    return run


def answering(text: str = "192.0.2.1", ttl: int = 300):
    return lambda asked: [reply(asked, address(POINTER, text, ttl))]


class Switch:
    """An upstream script that can be turned to another while it runs."""

    def __init__(self, script) -> None:
        self.script = script

    def __call__(self, asked: bytes) -> list[bytes]:
        return self.script(asked)


def addresses(resolved: Resolved) -> list[str]:
    return [".".join(map(str, data)) for _, rtype, _, data in records(resolved.reply) if rtype == A]


def ttls(resolved: Resolved) -> list[int]:
    return [ttl for _, _, ttl, _ in records(resolved.reply)]


def rcode(resolved: Resolved) -> int:
    return resolved.reply[3] & 15


# The cache.


async def test_second_question_is_answered_from_the_cache_with_a_smaller_ttl(resolving, upstream, clock):
    server = await upstream(answering(ttl=300))
    async with resolving([server.address]) as r:
        first = await r.ask()
        await clock.advance(12.5)
        second = r.at_once(query("WWW.Example", query_id=b"zz"))
        assert (first.how.outcome, second.how.outcome) == ("miss", "hit")
        assert (ttls(first), ttls(second)) == ([300], [288])
        assert second.reply[:2] == b"zz"
        assert (second.how.server, second.how.age_s) == (server.address, 12.5)
        assert len(server.queries) == 1
        assert r.resolver.cached(WWW) == r.at_once().reply


async def test_answer_is_asked_for_again_when_its_ttl_is_over(resolving, upstream, clock):
    server = await upstream(answering(ttl=10))
    async with resolving([server.address]) as r:
        await r.ask()
        await clock.advance(10)
        assert r.at_once() is None
        assert r.resolver.cached(WWW) is None
        assert (await r.ask()).how.outcome == "miss"


@pytest.mark.parametrize("rcode_given", [0, 3])
async def test_negative_answer_is_kept_for_as_long_as_its_soa_says(rcode_given, resolving, upstream, clock):
    server = await upstream(lambda asked: [reply(asked, authority=(soa("example", 900, 60),), rcode=rcode_given)])
    async with resolving([server.address]) as r:
        assert ttls(await r.ask()) == [60]
        await clock.advance(59)
        kept = r.at_once()
        assert (rcode(kept), ttls(kept)) == (rcode_given, [1])
        await clock.advance(1)
        assert r.at_once() is None


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answering(ttl=0), id="TTL of zero"),
        pytest.param(lambda asked: [reply(asked)], id="nothing and no SOA"),
        pytest.param(lambda asked: [reply(asked, address(POINTER), address("bank.example"))], id="something beside it"),
    ],
)
async def test_what_may_not_be_kept_is_passed_on_and_asked_for_each_time(script, resolving, upstream):
    server = await upstream(script)
    async with resolving([server.address]) as r:
        for _ in range(2):
            assert (await r.ask()).how.outcome == "miss"
        assert len(server.queries) == 2


@pytest.mark.parametrize("ttl", [86_400, 2**31 - 1, 2**32 - 1])
async def test_enormous_ttl_is_cut_to_the_setting(ttl, resolving, upstream):
    server = await upstream(answering(ttl=ttl))
    async with resolving([server.address], max_ttl_s=600) as r:
        assert ttls(await r.ask()) == [600]


@pytest.mark.parametrize("settings", [{"cache_size": 0}, {"max_ttl_s": 0}])
async def test_cache_that_is_turned_off_keeps_nothing(settings, resolving, upstream):
    server = await upstream(answering(ttl=300))
    async with resolving([server.address], **settings) as r:
        for _ in range(2):
            assert ttls(await r.ask()) == [300]
        assert len(server.queries) == 2


async def test_cache_holds_no_more_than_is_set(resolving, upstream):
    server = await upstream(answering())
    async with resolving([server.address], cache_size=5) as r:
        for n in range(12):
            await r.ask(query(f"n{n}.example"))
        assert len(r.resolver.cache) == 5
        assert r.at_once(query("n11.example")) is not None
        assert r.at_once(query("n6.example")) is None


async def test_questions_of_other_types_and_flags_have_answers_of_their_own(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, authority=(soa("example"),))])
    dnssec = query("www.example", opt=opt(dnssec_ok=True))
    packets = [
        WWW,
        query("www.example", AAAA),
        query("www.example", flags=0x0110),
        dnssec,
        query("www.example", flags=0),
    ]
    async with resolving([server.address]) as r:
        for packet in packets:
            assert (await r.ask(packet)).how.outcome == "miss"
        for packet in packets:
            assert r.at_once(packet).how.outcome == "hit"
        assert len(server.queries) == len(packets)
        assert [asked[-4] for asked in server.queries] == [0, 0, 0, 0x80, 0]


async def test_additional_records_answer_no_other_question(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, address(POINTER), additional=(address("bank.example"),))])
    async with resolving([server.address]) as r:
        assert len(records((await r.ask()).reply)) == 1
        assert r.at_once(query("bank.example")) is None


async def test_popular_answer_is_fetched_again_before_its_end(resolving, upstream, clock):
    server = await upstream(answering(ttl=100))
    async with resolving([server.address]) as r:
        await r.ask()
        for _ in range(3):
            assert r.resolver.cached(WWW)
        await clock.advance(90)
        r.at_once()  # what is due is looked at no more often than once a second
        assert r.resolver.cached(WWW) is not None
        await server.asked(2)
        while r.resolver.in_flight:
            await asyncio.sleep(0)
        kept = r.at_once()
        assert (ttls(kept), kept.how.is_prefetched, r.resolver.prefetches) == ([100], True, 1)


async def test_nothing_is_fetched_ahead_when_that_is_turned_off(resolving, upstream, clock):
    server = await upstream(answering(ttl=100))
    async with resolving([server.address], prefetch=False) as r:
        await r.ask()
        for _ in range(5):
            assert r.resolver.cached(WWW)
        await clock.advance(95)
        assert r.resolver.cached(WWW)
        assert len(server.queries) == 1


async def test_answer_from_before_a_name_of_ours_came_is_quick_again_after_a_closer_look(resolving, upstream):
    server = await upstream(answering())
    async with resolving([server.address]) as r:
        await r.ask()
        r.resolver._names.version += 1
        assert r.resolver.cached(WWW) is None
        assert r.at_once().how.outcome == "hit"
        assert r.resolver.cached(WWW) is not None


async def test_answer_that_was_asked_for_before_a_name_of_ours_came_takes_a_closer_look(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        answer = r.ask()
        await server.asked()
        r.resolver._names.version += 1
        server.transport.sendto(answering()(server.queries[0])[0], server.askers[0])
        await answer
        assert r.resolver.cached(WWW) is None


# One question, many askers.


async def test_answer_to_a_question_that_became_ours_before_it_was_asked_takes_a_closer_look(resolving, upstream):
    server = await upstream(answering())
    async with resolving([server.address]) as r:
        asked = r.ask()
        r.resolver._names.version += 1
        await asked
        assert r.resolver.cached(WWW) is None
        assert r.at_once().how.outcome == "hit"


async def test_answer_to_a_target_that_became_ours_during_the_search_takes_a_closer_look(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        answer = r.chase(query("www.default.svc.cluster.local"), "www.example", search=True)
        r.resolver._names.version += 1
        await server.asked()
        server._script = answering()
        server.transport.sendto(answering()(server.queries[0])[0], server.askers[0])
        assert (await answer).how.outcome == "miss"
        assert r.resolver.cached(WWW) is None


async def test_identical_questions_are_one_and_each_asker_gets_its_own_reply(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        answers = [r.ask(query("wWw.example", query_id=bytes((0, n)))) for n in range(20)]
        await server.asked()
        assert (r.resolver.in_flight, r.resolver.waiting.total) == (1, 20)
        server.transport.sendto(answering()(server.queries[0])[0], server.askers[0])
        resolved = await asyncio.gather(*answers)
        assert [one.reply[:2] for one in resolved] == [bytes((0, n)) for n in range(20)]
        assert [one.how.outcome for one in resolved] == ["miss"] + ["joined"] * 19
        assert len(server.queries) == 1


async def test_asker_that_goes_away_takes_nothing_from_the_others(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        first, second = r.ask(), r.ask()
        await server.asked()
        first.cancel()
        await asyncio.wait([first])
        server.transport.sendto(answering()(server.queries[0])[0], server.askers[0])
        assert addresses(await second) == ["192.0.2.1"]


async def test_questions_beyond_the_limit_are_servfail_at_once(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address], in_flight_limit=2) as r:
        waiting = [r.ask(query(f"n{n}.example")) for n in range(2)]
        await server.asked(2)
        busy = await r.ask(query("n2.example"))
        assert (rcode(busy), busy.how.outcome) == (2, "busy")
        joined = r.ask(query("n1.example"))
        await asyncio.sleep(0)
        assert not joined.done()
        for task in (*waiting, joined):
            task.cancel()
        await asyncio.wait([*waiting, joined])


async def test_question_beyond_the_limit_gets_an_old_answer_if_there_is_one(resolving, upstream, silent, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address], in_flight_limit=1) as r:
        await r.ask()
        await clock.advance(61)
        switch.script = silent
        waiting = r.ask(query("other.example"))
        await server.asked(2)
        assert (await r.ask()).how.outcome == "stale"
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_one_client_s_questions_leave_room_for_another_s(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address], client_limit=3) as r:
        waiting = [r.ask(query(f"n{n}.example"), client="192.0.2.66") for n in range(3)]
        await server.asked(3)
        assert r.resolver.waiting.of("192.0.2.66") == 3
        assert (await r.ask(query("n3.example"), client="192.0.2.66")).how.outcome == "busy"
        waiting.append(r.ask(query("n3.example"), client="192.0.2.77"))
        await server.asked(4)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert r.resolver.waiting.of("192.0.2.66") == 0


# What askers get of servers that do badly.


async def test_silent_servers_are_servfail_within_four_and_a_half_seconds(resolving, upstream, silent, clock):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        answer = r.ask(query("www.example", opt=opt()))
        await server.asked()
        await clock.advance(4.5)
        resolved = await answer
        assert (rcode(resolved), resolved.how.outcome, resolved.how.reason) == (2, "failed", "no_reply")
        assert [(tried.server, tried.word) for tried in resolved.how.tried] == [(server.address, "silent")]
        assert resolved.reply.endswith(bytes.fromhex("000f 0002 0016"))


async def test_failure_is_remembered_for_a_moment(resolving, upstream, clock):
    server = await upstream(lambda asked: [reply(asked, rcode=2)])
    async with resolving([server.address]) as r:
        assert rcode(await r.ask()) == 2
        again = r.at_once()
        assert (rcode(again), again.how.outcome) == (2, "remembered")
        await clock.advance(1)
        assert r.at_once() is None
        assert len(server.queries) == 1


async def test_without_servers_it_is_servfail_at_once_and_not_remembered(resolving):
    async with resolving([]) as r:
        resolved = await r.ask()
        assert (rcode(resolved), resolved.how.reason) == (2, "no_upstream")
        assert r.at_once() is None


async def test_part_of_an_answer_is_truncated_over_udp_and_servfail_over_tcp(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, address(POINTER), flags=0x8380)])
    async with resolving([server.address]) as r:
        over_udp = await r.ask()
        assert over_udp.reply[2] & 2
        assert addresses(over_udp) == ["192.0.2.1"]
        over_tcp = await r.ask(is_tcp=True)
        assert (rcode(over_tcp), over_tcp.reply[2] & 2, records(over_tcp.reply)) == (2, 0, [])


async def test_long_answer_is_truncated_over_udp_and_whole_over_tcp(resolving, upstream):
    many = [address(POINTER, f"192.0.{n // 200}.{n % 200}") for n in range(1000)]
    server = await upstream(
        lambda asked: [reply(asked, flags=0x8380)],
        stream=lambda asked: len(whole := reply(asked, *many)).to_bytes(2, "big") + whole,
    )
    async with resolving([server.address]) as r:
        for packet, limit in ((WWW, 512), (query("www.example", opt=opt(4096)), 1232)):
            short = await r.ask(packet)
            assert short.reply[2] & 2
            assert limit - 16 < len(short.reply) <= limit
        assert len(addresses(await r.ask(is_tcp=True))) == 1000
        assert len(server.queries) == 1


# Old answers.


async def test_old_answer_is_given_after_1800_ms_when_servers_are_silent(resolving, upstream, silent, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address]) as r:
        await r.ask()
        await clock.advance(100)
        switch.script = silent
        answer = r.ask(query("www.example", opt=opt()))
        await server.asked(2)
        await clock.advance(1.79)
        assert not answer.done()
        await clock.advance(0.01)
        stale = await answer
        assert (addresses(stale), ttls(stale), stale.how.outcome) == (["192.0.2.1"], [30], "stale")
        assert (stale.how.reason, stale.how.age_s) == ("slow", 101.8)
        assert stale.reply.endswith(bytes.fromhex("000f 0002 0003"))


async def test_late_answer_is_kept_though_the_old_one_was_given(resolving, upstream, silent, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address]) as r:
        await r.ask()
        await clock.advance(100)
        switch.script = silent
        answer = r.ask()
        await server.asked(2)
        await clock.advance(1.8)
        await answer
        server.transport.sendto(answering("192.0.2.2")(server.queries[1])[0], server.askers[1])
        while r.resolver.in_flight:
            await asyncio.sleep(0)
        assert addresses(r.at_once()) == ["192.0.2.2"]


async def test_old_answer_is_given_at_once_when_every_server_is_away_and_asked_for_behind_it(
    resolving, upstream, dead_address, clock
):
    server = await upstream(answering(ttl=60))
    servers = [server.address]
    async with resolving(servers) as r:
        await r.ask()
        await clock.advance(100)
        r.resolver._nameservers._servers = (dead_address,)
        await r.ask(query("other.example"))
        stale = await r.ask()
        assert (stale.how.outcome, stale.how.reason, ttls(stale)) == ("stale", "no_server", [30])
        while r.resolver.in_flight:
            await asyncio.sleep(0)
        assert r.at_once().how.outcome == "stale"  # and nobody is asked for a second
        r.resolver._nameservers._servers = (server.address,)
        await clock.advance(2)
        assert (await r.ask()).how.outcome == "miss"


@pytest.mark.parametrize("rcode_given", [2, 5])
async def test_old_answer_is_given_when_servers_refuse(rcode_given, resolving, upstream, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address]) as r:
        await r.ask()
        await clock.advance(100)
        switch.script = lambda asked: [reply(asked, rcode=rcode_given)]
        stale = await r.ask()
        assert (stale.how.outcome, stale.how.reason, addresses(stale)) == ("stale", "refused", ["192.0.2.1"])


async def test_name_that_is_gone_has_no_old_answer(resolving, upstream, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address]) as r:
        await r.ask()
        await clock.advance(100)
        switch.script = lambda asked: [reply(asked, authority=(soa("example"),), rcode=3)]
        assert rcode(await r.ask()) == 3
        assert rcode(r.at_once()) == 3


@pytest.mark.parametrize(("stale_s", "passes_s"), [(0, 61), (100, 161)])
async def test_answer_that_is_too_old_is_not_given(stale_s, passes_s, resolving, upstream, clock):
    switch = Switch(answering(ttl=60))
    server = await upstream(switch)
    async with resolving([server.address], stale_s=stale_s) as r:
        await r.ask()
        await clock.advance(passes_s)
        switch.script = lambda asked: [reply(asked, rcode=2)]
        assert rcode(await r.ask()) == 2


async def test_failures_are_forgotten_when_a_server_is_back(resolving, upstream, silent, clock):
    switch = Switch(silent)
    server = await upstream(switch)
    async with resolving([server.address]) as r:
        for n in range(3):
            answer = r.ask(query(f"n{n}.example"))
            await server.asked(3 * n + 1)
            await clock.advance(4.5)
            assert rcode(await answer) == 2
        with capture_logs() as logs:
            switch.script = answering()
            assert addresses(await r.ask(query("n9.example"))) == ["192.0.2.1"]
        assert [(entry["event"], entry["server"]) for entry in logs] == [("dns_upstream_back", "127.0.0.1")]
        assert r.at_once(query("n2.example")) is None


async def test_server_that_goes_away_is_one_log_line(resolving, dead_address):
    async with resolving([dead_address]) as r:
        with capture_logs() as logs:
            for n in range(3):
                await r.ask(query(f"n{n}.example"))
        assert [(entry["event"], entry["port"], entry["reason"]) for entry in logs] == [
            ("dns_upstream_away", dead_address[1], "unreachable")
        ]


# Zones and aliases.


async def test_names_of_a_zone_are_asked_of_its_servers_alone(resolving, upstream, dead_address):
    corp, lab, other = await upstream(answering("192.0.2.1")), await upstream(answering("192.0.2.2")), await upstream()
    zones = {"corp.example": [corp.address], "lab.corp.example": [lab.address], "dead.example": [dead_address]}
    async with resolving([other.address], zones) as r:
        in_corp, in_lab = await r.ask(query("www.Corp.example")), await r.ask(query("www.lab.corp.example"))
        assert (addresses(in_corp), in_corp.how.zone) == (["192.0.2.1"], "corp.example")
        assert (addresses(in_lab), in_lab.how.zone) == (["192.0.2.2"], "lab.corp.example")
        assert rcode(await r.ask(query("www.dead.example"))) == 2
        assert other.queries == []
        assert addresses(await r.ask(query("mycorp.example"))) == ["127.0.9.9"]


async def test_alias_of_ours_stands_in_front_of_what_its_target_is(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, cname(POINTER, b"\3web\xc0\x10", 50), address("web.example"))])
    packet = query("Db.default", opt=opt())
    async with resolving([server.address]) as r:
        for outcome in ("miss", "hit"):
            resolved = await r.chase(packet, "www.example")
            assert resolved.how.outcome == outcome
            assert [(owner, rtype, ttl) for owner, rtype, ttl, _ in records(resolved.reply)] == [
                ("Db.default", CNAME, 64),
                ("www.example", CNAME, 50),
                ("web.example", A, 300),
            ]
            assert resolved.reply[2:4] == b"\x85\x80"
            assert resolved.reply.endswith(opt())
        assert len(server.queries) == 1


async def test_alias_whose_target_nobody_knows_is_nxdomain_behind_the_alias(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, authority=(soa("example"),), rcode=3)])
    async with resolving([server.address]) as r:
        resolved = await r.chase(query("db.default"), "www.example")
        assert (rcode(resolved), len(records(resolved.reply))) == (3, 2)


async def test_alias_whose_target_is_not_resolved_is_servfail(resolving, dead_address):
    async with resolving([dead_address]) as r:
        resolved = await r.chase(query("db.default", MX), "www.example")
        assert (rcode(resolved), records(resolved.reply)) == (2, [])


async def test_targets_of_a_search_are_asked_for_four_and_a_half_seconds_in_all(resolving, upstream, silent, clock):
    nobody = lambda asked: [reply(asked, authority=(soa("example"),), rcode=3)]  # noqa: E731 - a script
    server = await upstream(lambda asked: nobody(asked) if b"first" in asked else [])
    async with resolving([server.address]) as r:
        answer = r.chase(query("www.default.svc.cluster.local"), "first.example", "second.example", search=True)
        await server.asked(2)
        await clock.advance(4.5)
        resolved = await answer
        assert (rcode(resolved), resolved.how.outcome) == (2, "failed")


async def test_closing_gives_up_what_is_in_flight(resolving, upstream, silent):
    server = await upstream(silent)
    async with resolving([server.address]) as r:
        answer = r.ask()
        await server.asked()
        await r.resolver.close()
        assert rcode(await answer) == 2


async def test_records_of_unknown_types_are_passed_on_and_kept(resolving, upstream):
    server = await upstream(lambda asked: [reply(asked, rr(POINTER, 65, 300, b"\0\1\0"))])
    async with resolving([server.address]) as r:
        assert (await r.ask(query("www.example", 65))).how.outcome == "miss"
        assert records(r.at_once(query("www.example", 65)).reply) == [("www.example", 65, 300, b"\0\1\0")]
