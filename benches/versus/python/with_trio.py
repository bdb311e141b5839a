"""The scenarios of SCENARIOS.md in Python: tasks of a Trio nursery, all in one thread."""

import trio

from common import CANCELLED_CHILDREN, HAND_OVERS, IDLE_CHILDREN, ITEMS, YIELDING_CHILDREN, YIELDS
from common import mix, now, per, resident, serve


async def waves(count, size):
    checksum = 0
    start = now()
    for _ in range(count):
        checksum += await wave(size)
    return per(start, count * size), checksum


async def wave(size):
    results = [0] * size

    async def child(number):
        results[number] = mix(number)

    async with trio.open_nursery() as nursery:
        for number in range(size):
            nursery.start_soon(child, number)
    return sum(results)


async def yielding():
    results = [0] * YIELDING_CHILDREN

    async def child(number):
        value = number
        for _ in range(YIELDS):
            await trio.lowlevel.checkpoint()
            value = mix(value)
        results[number] = value

    start = now()
    async with trio.open_nursery() as nursery:
        for number in range(YIELDING_CHILDREN):
            nursery.start_soon(child, number)
    return per(start, YIELDING_CHILDREN * YIELDS), sum(results)


async def switching():
    send_there, receive_there = trio.open_memory_channel(0)
    send_back, receive_back = trio.open_memory_channel(0)
    result = 0

    async def first():
        nonlocal result
        value = 0
        for _ in range(HAND_OVERS):
            await send_there.send(mix(value))
            value = await receive_back.receive()
        result = value

    async def second():
        for _ in range(HAND_OVERS):
            await send_back.send(mix(await receive_there.receive()))

    start = now()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        nursery.start_soon(second)
    return per(start, HAND_OVERS), result


async def handing_over(producers, places):
    send, receive = trio.open_memory_channel(places)
    result = 0

    async def producer(send):
        async with send:
            for number in range(ITEMS // producers):
                await send.send(number)

    async def consumer():
        nonlocal result
        async for number in receive:
            result += mix(number)

    start = now()
    async with trio.open_nursery() as nursery:
        for _ in range(producers):
            nursery.start_soon(producer, send.clone())
        send.close()
        nursery.start_soon(consumer)
    return per(start, ITEMS), result


async def cancelling():
    results = [0] * CANCELLED_CHILDREN
    async with trio.open_nursery() as nursery:
        await start_waiting(nursery, results)
        start = now()
        nursery.cancel_scope.cancel()
    return per(start, CANCELLED_CHILDREN), sum(results)


async def idling():
    results = [0] * IDLE_CHILDREN
    async with trio.open_nursery() as nursery:
        before = resident()
        await start_waiting(nursery, results)
        gained = resident() - before
        nursery.cancel_scope.cancel()
    return gained / IDLE_CHILDREN, sum(results)


async def start_waiting(nursery, results):
    """Starts a child for each result and returns once all wait. Each leaves its result when it is cancelled."""
    started = 0

    async def child(number):
        nonlocal started
        started += 1
        try:
            await trio.sleep_forever()
        finally:
            results[number] = mix(number)

    for number in range(len(results)):
        nursery.start_soon(child, number)
    while started < len(results):
        await trio.lowlevel.checkpoint()


SCENARIOS = {
    "waves-1": lambda: waves(1_000, 1),
    "waves-16": lambda: waves(64, 16),
    "waves-1000": lambda: waves(1, 1_000),
    "waves-100000": lambda: waves(1, 100_000),
    "yield": yielding,
    "switch": switching,
    "channel-1-0": lambda: handing_over(1, 0),
    "channel-1-64": lambda: handing_over(1, 64),
    "channel-1-1024": lambda: handing_over(1, 1_024),
    "channel-4-0": lambda: handing_over(4, 0),
    "channel-4-64": lambda: handing_over(4, 64),
    "channel-4-1024": lambda: handing_over(4, 1_024),
    "cancel": cancelling,
    "idle": idling,
}

if __name__ == "__main__":
    serve(trio.run, SCENARIOS)
