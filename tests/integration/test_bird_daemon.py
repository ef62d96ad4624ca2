"""Moving to the provider's successor with the backlog in place."""

from collections import Counter
from typing import Any

import pytest_twisted

from tests.integration.bird_provider import BirdProvider
from tests.integration.daemon import free_port, until


def moved(server: Any, bird: BirdProvider, gateway: str = "bird") -> None:
    """Set ``server`` to send by Bird from its next start on."""
    server.environment |= {
        "SMSD_GATEWAY": gateway,
        "SMSD_BIRD_KEY": "bk_eu1_secret",
        "SMSD_BIRD_URL": bird.url,
        "SMSD_RATE": "10",
    }


@pytest_twisted.ensureDeferred
async def test_what_was_taken_under_one_gateway_goes_out_under_the_other_once(
    daemon: Any, provider: Any, bird: BirdProvider
) -> None:
    bird.script.extend(["cut", "works", "500", "broken", "422"])
    server = daemon(rate="1", grace="0.5", retry_base="0.2")
    await server.start()
    ids = [await server.accepted(reference=f"n{n}") for n in range(6)]
    await until(lambda: provider.stored, "the first is sent by the classic gateway")
    assert await server.terminate() == 0
    gone = [each["reference"] for each in provider.stored.values()]
    moved(server, bird)
    await server.start()

    async def states() -> Counter[str]:
        return Counter([(await server.shown(id))["state"] for id in ids])

    async def is_settled() -> bool:
        return (await states()) == Counter(sent=5, dead=1)

    await until(is_settled, "all are settled")
    assert len(set(bird.references())) == len(bird.references()) == 6 - 1 - len(gone)
    [dead] = [shown for id in ids if (shown := await server.shown(id))["state"] == "dead"]
    assert "That is no number of a phone." in dead["error"]


@pytest_twisted.ensureDeferred
async def test_the_second_takes_over_while_the_first_is_away(daemon: Any, bird: BirdProvider) -> None:
    server = daemon(rate="10", retry_base="0.2", failover="1")
    moved(server, bird, "messagebird,bird")
    server.environment["SMSD_MESSAGEBIRD_URL"] = f"http://127.0.0.1:{free_port()}"
    await server.start()
    ids = [await server.accepted() for _ in range(12)]
    await until(lambda: len(bird.stored) >= len(ids) - 1, "the second takes them", 60)

    async def are_sent() -> bool:
        return all([(await server.shown(id))["state"] == "sent" for id in ids])

    await until(are_sent, "all are sent")


@pytest_twisted.ensureDeferred
async def test_what_waits_goes_in_one_request_and_after_a_kill_as_the_same_one(daemon: Any, bird: BirdProvider) -> None:
    server = daemon(coalesce="yes", timeout="60", grace="0.5")
    moved(server, bird)
    server.environment |= {"SMSD_RATE": "1"}
    await server.start()
    bird.script.append("withheld")
    ids = await server.accepted_all(40)
    await until(lambda: len(bird.stored) > 1, "a request with several arrives")
    await server.kill()
    taken = bird.references()
    await server.start()

    async def are_sent() -> bool:
        return all([(await server.shown(id))["state"] == "sent" for id in ids])

    await until(are_sent, "all are sent")
    assert sorted(bird.references()) == sorted(ids)
    again = [key for _, key, _ in bird.arrived].count(bird.arrived[0][1])
    assert (len(taken) > 1, again) == (True, 2)


@pytest_twisted.ensureDeferred
async def test_one_that_is_refused_does_not_take_down_those_beside_it(daemon: Any, bird: BirdProvider) -> None:
    server = daemon(coalesce="yes")
    moved(server, bird)
    bird.script.append("422")
    await server.start()
    ids = await server.accepted_all(20)

    async def is_settled() -> bool:
        return Counter([(await server.shown(id))["state"] for id in ids]) == Counter(sent=19, dead=1)

    await until(is_settled, "all are settled")
    [dead] = [shown for id in ids if (shown := await server.shown(id))["state"] == "dead"]
    assert "That is no number of a phone." in dead["error"]
    assert sorted([*bird.references(), dead["id"]]) == sorted(ids)


@pytest_twisted.ensureDeferred
async def test_a_broadcast_goes_a_hundred_in_a_request(daemon: Any, bird: BirdProvider) -> None:
    server = daemon()
    moved(server, bird)
    await server.start()
    numbers = [str(31612000000 + number) for number in range(250)]
    response = await server.post({"recipients": numbers, "originator": "MB", "message": "all", "category": "service"})
    assert response.code == 200
    await until(lambda: len(bird.stored) == 250, "all are taken")
    assert sorted(each["to"] for each in bird.stored) == [f"+{number}" for number in numbers]
    assert {each["category"] for each in bird.stored} == {"service"}
    assert len(bird.arrived) == 3


@pytest_twisted.ensureDeferred
async def test_of_many_recipients_one_who_is_refused_without_a_name_is_found_and_the_others_get_it_once(
    daemon: Any, bird: BirdProvider
) -> None:
    server = daemon(grace="0.5", retry_base="0.2")
    moved(server, bird)
    numbers = [31612000000 + number for number in range(40)]
    bird.refused = {f"+{numbers[28]}"}
    bird.script.extend(["works"] * 3 + ["cut", "works", "500"])
    await server.start()
    response = await server.post({"recipients": numbers, "originator": "MB", "message": "all"})
    id = (await response.json())["id"]

    async def is_sent() -> bool:
        return bool((await server.shown(id))["state"] == "sent")

    for arrivals in (1, 3, 5, 8):
        await until(lambda arrivals=arrivals: len(bird.arrived) >= arrivals, "a request arrives")
        await server.kill()
        await server.start()
    # A key that was forgotten is only known of by the answer: who dies before he has read it can but trust the key.
    bird.script.append("broken")
    await until(is_sent, "it is sent")
    assert not bird.script
    assert sorted(each["to"] for each in bird.stored) == [f"+{each}" for each in numbers if each != numbers[28]]
    failed = [each for each in (await server.shown(id))["deliveries"] if each["status"] == "delivery_failed"]
    assert [each["recipient"] for each in failed] == [numbers[28]]
    assert "That is no number of a phone." in failed[0]["reason"]
    assert len({key for _, key, _ in bird.arrived}) > 3
