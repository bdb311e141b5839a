"""The scenarios of SCENARIOS.md in Python: tasks of an asyncio TaskGroup, all in one thread."""

import asyncio

from common import CANCELLED_CHILDREN, HAND_OVERS, IDLE_CHILDREN, ITEMS, YIELDING_CHILDREN, YIELDS
from common import mix, now, per, resident, serve


async def waves(count, size):
    checksum = 0
    start = now()
    for _ in range(count):
        checksum += await wave(size)
    return per(start, count * size), checksum


async def wave(size):
    async def child(number):
        return mix(number)

    async with asyncio.TaskGroup() as group:
        children = [group.create_task(child(number)) for number in range(size)]
    return sum(task.result() for task in children)


async def yielding():
    async def child(number):
        value = number
        for _ in range(YIELDS):
            await asyncio.sleep(0)
            value = mix(value)
        return value

    start = now()
    async with asyncio.TaskGroup() as group:
        children = [group.create_task(child(number)) for number in range(YIELDING_CHILDREN)]
    return per(start, YIELDING_CHILDREN * YIELDS), sum(task.result() for task in children)


async def switching():
    # The standard library has no rendezvous; a queue of one place is the nearest.
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def first():
        value = 0
        for _ in range(HAND_OVERS):
            await there.put(mix(value))
            value = await back.get()
        return value

    async def second():
        for _ in range(HAND_OVERS):
            await back.put(mix(await there.get()))

    start = now()
    async with asyncio.TaskGroup() as group:
        result = group.create_task(first())
        group.create_task(second())
    return per(start, HAND_OVERS), result.result()


async def handing_over(producers, places):
    queue = asyncio.Queue(max(places, 1))

    async def producer():
        for number in range(ITEMS // producers):
            await queue.put(number)

    async def consumer():
        return sum([mix(await queue.get()) for _ in range(ITEMS)])

    start = now()
    async with asyncio.TaskGroup() as group:
        for _ in range(producers):
            group.create_task(producer())
        result = group.create_task(consumer())
    return per(start, ITEMS), result.result()


async def cancelling():
    results = [0] * CANCELLED_CHILDREN
    async with asyncio.TaskGroup() as group:
        children = await waiting(group, results)
        start = now()
        for task in children:
            task.cancel()
    return per(start, CANCELLED_CHILDREN), sum(results)


async def idling():
    results = [0] * IDLE_CHILDREN
    async with asyncio.TaskGroup() as group:
        before = resident()
        children = await waiting(group, results)
        gained = resident() - before
        for task in children:
            task.cancel()
    return gained / IDLE_CHILDREN, sum(results)


async def waiting(group, results):
    """Starts a child for each result and returns once all wait. Each leaves its result when it is cancelled."""
    for_ever = asyncio.Event()

    async def child(number):
        try:
            await for_ever.wait()
        finally:
            results[number] = mix(number)

    children = [group.create_task(child(number)) for number in range(len(results))]
    # The loop runs every task once before it comes back here.
    await asyncio.sleep(0)
    return children


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
    serve(lambda measure, *arguments: asyncio.run(measure(*arguments)), SCENARIOS)
