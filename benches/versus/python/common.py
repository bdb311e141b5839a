"""What both Python programs share: what a child computes, the clock, the memory, the loop over requests."""

import gc
import sys
import time

YIELDING_CHILDREN = 16
YIELDS = 1_000
HAND_OVERS = 1_000
ITEMS = 100_000
CANCELLED_CHILDREN = 1_000
IDLE_CHILDREN = 100_000
MASK = (1 << 64) - 1


def mix(number):
    """What a child computes."""
    return (number * 6364136223846793005 + 1442695040888963407) & MASK


def now():
    return time.perf_counter_ns()


def per(start, count):
    """The time since start for each of so many, in nanoseconds."""
    return (now() - start) / count


def resident():
    """The memory of the process that stands in RAM, in bytes, after a collection."""
    gc.collect()
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def serve(run, scenarios):
    """Answers requests; `run` runs an async function and its arguments."""
    for line in sys.stdin:
        scenario, repeats = line.split()
        figure, checksum = run(measure, scenarios[scenario], int(repeats))
        print(figure, checksum, flush=True)


async def measure(scenario, repeats):
    """The mean of the repeats and their checksum, which is the same for each."""
    runs = [await scenario() for _ in range(repeats)]
    return sum(figure for figure, _ in runs) / repeats, runs[-1][1] & MASK
