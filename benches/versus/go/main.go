// The scenarios of SCENARIOS.md in Go: goroutines, a WaitGroup that joins them, a Context that cancels them.
package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"math/bits"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	yieldingChildren  = 16
	yields            = 1_000
	handOvers         = 1_000
	items             = 100_000
	cancelledChildren = 1_000
	chainedItems      = 10_000_000
	bufferedItems     = 1_000_000
	bufferPlaces      = 64
	idleChildren      = 100_000
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var scenario string
		var repeats int
		if _, err := fmt.Sscan(lines.Text(), &scenario, &repeats); err != nil {
			fmt.Fprintln(os.Stderr, "not a request:", lines.Text())
			os.Exit(1)
		}
		figure, checksum := measure(scenario, repeats)
		fmt.Println(figure, checksum)
	}
}

// measure gives the mean of the repeats and their checksum, which is the same for each.
func measure(scenario string, repeats int) (float64, uint64) {
	var figures float64
	var checksum uint64
	for range repeats {
		var figure float64
		figure, checksum = run(scenario)
		figures += figure
	}
	return figures / float64(repeats), checksum
}

func run(scenario string) (float64, uint64) {
	switch scenario {
	case "waves-1":
		return waves(1_000, 1)
	case "waves-16":
		return waves(64, 16)
	case "waves-1000":
		return waves(1, 1_000)
	case "waves-100000":
		return waves(1, 100_000)
	case "yield":
		return yielding()
	case "switch":
		return switching()
	case "channel-1-0":
		return handingOver(1, 0)
	case "channel-1-64":
		return handingOver(1, 64)
	case "channel-1-1024":
		return handingOver(1, 1_024)
	case "channel-4-0":
		return handingOver(4, 0)
	case "channel-4-64":
		return handingOver(4, 64)
	case "channel-4-1024":
		return handingOver(4, 1_024)
	case "flow-chain":
		return chained()
	case "flow-buffer":
		return buffered()
	case "cancel":
		return cancelling()
	case "idle":
		return idling()
	}
	panic("unknown scenario: " + scenario)
}

// mix is what a child computes.
func mix(number uint64) uint64 {
	return number*6364136223846793005 + 1442695040888963407
}

func sum(results []uint64) uint64 {
	var sum uint64
	for _, result := range results {
		sum += result
	}
	return sum
}

func waves(count, size int) (float64, uint64) {
	var checksum uint64
	start := time.Now()
	for range count {
		checksum += wave(size)
	}
	return per(start, count*size), checksum
}

func wave(size int) uint64 {
	results := make([]uint64, size)
	var children sync.WaitGroup
	for number := range size {
		children.Go(func() { results[number] = mix(uint64(number)) })
	}
	children.Wait()
	return sum(results)
}

func yielding() (float64, uint64) {
	results := make([]uint64, yieldingChildren)
	var children sync.WaitGroup
	start := time.Now()
	for number := range yieldingChildren {
		children.Go(func() {
			value := uint64(number)
			for range yields {
				runtime.Gosched()
				value = mix(value)
			}
			results[number] = value
		})
	}
	children.Wait()
	return per(start, yieldingChildren*yields), sum(results)
}

func switching() (float64, uint64) {
	there, back := make(chan uint64), make(chan uint64)
	var result uint64
	var children sync.WaitGroup
	start := time.Now()
	children.Go(func() {
		var value uint64
		for range handOvers {
			there <- mix(value)
			value = <-back
		}
		result = value
	})
	children.Go(func() {
		for range handOvers {
			back <- mix(<-there)
		}
	})
	children.Wait()
	return per(start, handOvers), result
}

func handingOver(producers, places int) (float64, uint64) {
	channel := make(chan uint64, places)
	var sum uint64
	var senders, consumer sync.WaitGroup
	start := time.Now()
	for range producers {
		senders.Go(func() {
			for number := range items / producers {
				channel <- uint64(number)
			}
		})
	}
	consumer.Go(func() {
		for number := range channel {
			sum += mix(number)
		}
	})
	senders.Wait()
	close(channel)
	consumer.Wait()
	return per(start, items), sum
}

// chained is a chain of range-over-func iterators: Go's nearest to a flow.
func chained() (float64, uint64) {
	start := time.Now()
	mixed := mapped(numbers(chainedItems), mix)
	kept := filtered(mixed, func(number uint64) bool { return number>>61 != 0 })
	var sum uint64
	for number := range mapped(kept, func(number uint64) uint64 { return number ^ number>>32 }) {
		sum = bits.RotateLeft64(sum, 5) + number
	}
	return per(start, chainedItems), sum
}

func numbers(count uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for number := range count {
			if !yield(number) {
				return
			}
		}
	}
}

func mapped(numbers iter.Seq[uint64], change func(uint64) uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for number := range numbers {
			if !yield(change(number)) {
				return
			}
		}
	}
}

func filtered(numbers iter.Seq[uint64], isWanted func(uint64) bool) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for number := range numbers {
			if isWanted(number) && !yield(number) {
				return
			}
		}
	}
}

func buffered() (float64, uint64) {
	items := make(chan uint64, bufferPlaces)
	start := time.Now()
	go func() {
		for number := range uint64(bufferedItems) {
			items <- number
		}
		close(items)
	}()
	var sum uint64
	for number := range items {
		sum += mix(number)
	}
	return per(start, bufferedItems), sum
}

func cancelling() (float64, uint64) {
	results := make([]uint64, cancelledChildren)
	ctx, cancel := context.WithCancel(context.Background())
	children := waiting(ctx, results)
	start := time.Now()
	cancel()
	children.Wait()
	return per(start, cancelledChildren), sum(results)
}

func idling() (float64, uint64) {
	results := make([]uint64, idleChildren)
	before := resident()
	ctx, cancel := context.WithCancel(context.Background())
	children := waiting(ctx, results)
	after := resident()
	cancel()
	children.Wait()
	return (after - before) / idleChildren, sum(results)
}

// waiting starts a child for each result and returns once all of them have run. Each leaves its result when it is cancelled.
func waiting(ctx context.Context, results []uint64) *sync.WaitGroup {
	var children, started sync.WaitGroup
	started.Add(len(results))
	for number := range results {
		children.Go(func() {
			started.Done()
			<-ctx.Done()
			results[number] = mix(uint64(number))
		})
	}
	started.Wait()
	return &children
}

// resident is the memory of the process that stands in RAM, in bytes, after a collection.
func resident() float64 {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kibibytes float64
	if _, err := fmt.Sscan(after, &kibibytes); err != nil {
		panic(err)
	}
	return kibibytes * 1024
}

// per is the time since start for each of so many, in nanoseconds.
func per(start time.Time, count int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}
