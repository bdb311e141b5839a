// The scenarios of SCENARIOS.md in Kotlin: coroutines of a coroutineScope, on Dispatchers.Default.

import java.io.File
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flatMapMerge
import kotlinx.coroutines.flow.fold
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield

const val YIELDING_CHILDREN = 16
const val YIELDS = 1_000
const val HAND_OVERS = 1_000
const val ITEMS = 100_000
const val CHAINED = 10_000_000L
const val BUFFERED = 1_000_000L
const val BUFFER_PLACES = 64
const val MERGED_FLOWS = 64L
const val MERGED_EACH = 16_384L
const val MERGED_AT_A_TIME = 16
const val FAN_OUT_SLOTS = 64
const val STATE_SETS = 1_000_000L
const val STATE_WATCHERS = 8
const val SETS_BEFORE_GIVING_WAY = 16
const val CANCELLED_CHILDREN = 1_000
const val IDLE_CHILDREN = 100_000

class Measured(val figure: Double, val checksum: Long)

fun main() {
    for (line in generateSequence(::readLine)) {
        val (scenario, repeats) = line.split(' ')
        // Inside the dispatcher: from another thread, each wave would begin with a hand-over.
        val measured = runBlocking(Dispatchers.Default) { measure(scenario, repeats.toInt()) }
        println("${measured.figure} ${measured.checksum.toULong()}")
    }
}

/** The mean of the repeats and their checksum, which is the same for each. */
suspend fun measure(scenario: String, repeats: Int): Measured {
    val runs = List(repeats) { run(scenario) }
    return Measured(runs.sumOf { it.figure } / repeats, runs.last().checksum)
}

suspend fun run(scenario: String): Measured = when (scenario) {
    "waves-1" -> waves(1_000, 1)
    "waves-16" -> waves(64, 16)
    "waves-1000" -> waves(1, 1_000)
    "waves-100000" -> waves(1, 100_000)
    "yield" -> yielding()
    "switch" -> switching()
    "channel-1-0" -> handingOver(1, Channel.RENDEZVOUS)
    "channel-1-64" -> handingOver(1, 64)
    "channel-1-1024" -> handingOver(1, 1_024)
    "channel-4-0" -> handingOver(4, Channel.RENDEZVOUS)
    "channel-4-64" -> handingOver(4, 64)
    "channel-4-1024" -> handingOver(4, 1_024)
    "flow-chain" -> chained()
    "flow-buffer" -> buffered()
    "flow-merge" -> merged()
    "flow-fan-8" -> fanningOut(8, 50_000)
    "flow-fan-1000" -> fanningOut(1_000, 640)
    "flow-state" -> settingState()
    "cancel" -> cancelling()
    "idle" -> idling()
    else -> error("unknown scenario: $scenario")
}

/** What a child computes. */
fun mix(number: Long): Long = number * 6364136223846793005 + 1442695040888963407

suspend fun waves(count: Int, size: Int): Measured {
    var checksum = 0L
    val start = System.nanoTime()
    repeat(count) { checksum += wave(size) }
    return Measured(per(start, count * size), checksum)
}

suspend fun wave(size: Int): Long {
    val results = LongArray(size)
    coroutineScope {
        repeat(size) { number -> launch { results[number] = mix(number.toLong()) } }
    }
    return results.sum()
}

suspend fun yielding(): Measured {
    val results = LongArray(YIELDING_CHILDREN)
    val start = System.nanoTime()
    coroutineScope {
        repeat(YIELDING_CHILDREN) { number ->
            launch {
                var value = number.toLong()
                repeat(YIELDS) {
                    yield()
                    value = mix(value)
                }
                results[number] = value
            }
        }
    }
    return Measured(per(start, YIELDING_CHILDREN * YIELDS), results.sum())
}

suspend fun switching(): Measured {
    val there = Channel<Long>()
    val back = Channel<Long>()
    var result = 0L
    val start = System.nanoTime()
    coroutineScope {
        launch {
            var value = 0L
            repeat(HAND_OVERS) {
                there.send(mix(value))
                value = back.receive()
            }
            result = value
        }
        launch { repeat(HAND_OVERS) { back.send(mix(there.receive())) } }
    }
    return Measured(per(start, HAND_OVERS), result)
}

suspend fun handingOver(producers: Int, places: Int): Measured {
    val channel = Channel<Long>(places)
    var sum = 0L
    val start = System.nanoTime()
    coroutineScope {
        launch { for (number in channel) sum += mix(number) }
        coroutineScope {
            repeat(producers) {
                launch { for (number in 0L until ITEMS / producers) channel.send(number) }
            }
        }
        channel.close()
    }
    return Measured(per(start, ITEMS), sum)
}

suspend fun chained(): Measured {
    val start = System.nanoTime()
    val sum = (0 until CHAINED).asFlow()
        .map { mix(it) }
        .filter { it ushr 61 != 0L }
        .map { it xor (it ushr 32) }
        .fold(0L) { sum, number -> sum.rotateLeft(5) + number }
    return Measured(per(start, CHAINED.toInt()), sum)
}

suspend fun buffered(): Measured {
    val start = System.nanoTime()
    val sum = (0 until BUFFERED).asFlow().buffer(BUFFER_PLACES).fold(0L) { sum, number -> sum + mix(number) }
    return Measured(per(start, BUFFERED.toInt()), sum)
}

@OptIn(ExperimentalCoroutinesApi::class)
suspend fun merged(): Measured {
    val start = System.nanoTime()
    val sum = (0 until MERGED_FLOWS).asFlow()
        .flatMapMerge(MERGED_AT_A_TIME) { flow -> (flow * MERGED_EACH until (flow + 1) * MERGED_EACH).asFlow() }
        .fold(0L) { sum, number -> sum + mix(number) }
    return Measured(per(start, (MERGED_FLOWS * MERGED_EACH).toInt()), sum)
}

suspend fun fanningOut(subscribers: Int, items: Int): Measured {
    val flow = MutableSharedFlow<Long>(extraBufferCapacity = FAN_OUT_SLOTS)
    val sums = LongArray(subscribers)
    val start = System.nanoTime()
    coroutineScope {
        for (subscriber in sums.indices) {
            launch {
                var sum = 0L
                flow.take(items).collect { sum += mix(it) }
                sums[subscriber] = sum
            }
        }
        flow.subscriptionCount.first { it == subscribers }
        for (number in 0L until items) flow.emit(number)
    }
    return Measured(per(start, subscribers * items), sums.sum())
}

suspend fun settingState(): Measured {
    val state = MutableStateFlow(0L)
    val last = LongArray(STATE_WATCHERS)
    val start = System.nanoTime()
    coroutineScope {
        for (watcher in last.indices) {
            launch { last[watcher] = mix(state.first { it == STATE_SETS }) }
        }
        state.subscriptionCount.first { it == STATE_WATCHERS }
        for (value in 1..STATE_SETS) {
            state.value = value
            if (value % SETS_BEFORE_GIVING_WAY == 0L) yield()
        }
    }
    return Measured(per(start, STATE_SETS.toInt()), last.sum())
}

suspend fun cancelling(): Measured {
    val results = LongArray(CANCELLED_CHILDREN)
    var start = 0L
    coroutineScope {
        startWaiting(results)
        start = System.nanoTime()
        coroutineContext.cancelChildren()
    }
    return Measured(per(start, CANCELLED_CHILDREN), results.sum())
}

suspend fun idling(): Measured {
    val results = LongArray(IDLE_CHILDREN)
    var gained = 0L
    coroutineScope {
        val before = resident()
        startWaiting(results)
        gained = resident() - before
        coroutineContext.cancelChildren()
    }
    return Measured(gained.toDouble() / IDLE_CHILDREN, results.sum())
}

/** Starts a child for each result and returns once all have run. Each leaves its result when it is cancelled. */
suspend fun CoroutineScope.startWaiting(results: LongArray) {
    val started = AtomicInteger()
    for (number in results.indices) {
        launch {
            started.incrementAndGet()
            try {
                awaitCancellation()
            } finally {
                results[number] = mix(number.toLong())
            }
        }
    }
    while (started.get() < results.size) yield()
}

/** The memory of the process that stands in RAM, in bytes, after a collection. */
fun resident(): Long {
    System.gc()
    val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
    return line.filter(Char::isDigit).toLong() * 1024
}

/** The time since `start` for each of so many, in nanoseconds. */
fun per(start: Long, count: Int): Double = (System.nanoTime() - start).toDouble() / count
