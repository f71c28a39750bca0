package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ, 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// usage is the CPU time of each part: of its process, of those below it and of
// those below it that have ended. It is empty elsewhere than on Linux.
func usage(parts map[string]int) map[string]time.Duration {
	type process struct {
		parent int
		cpu    time.Duration
	}
	all := map[int]process{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		// pid (name) state ppid ... utime stime cutime cstime; the name may hold anything.
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) < 15 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(fields[1])
		p := process{parent: parent}
		for _, field := range fields[11:15] {
			ticks, _ := strconv.ParseInt(field, 10, 64)
			p.cpu += time.Duration(ticks) * tick
		}
		all[pid] = p
	}
	// A part may be below another, as the servers are below this process: each
	// process belongs to the nearest part above it.
	pids := map[int]string{}
	used := map[string]time.Duration{}
	for name, pid := range parts {
		pids[pid] = name
		used[name] = 0
	}
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if name, ok := pids[at]; ok {
				used[name] += p.cpu
				break
			}
		}
	}
	return used
}

// spent is the CPU time between two readings, per ticket and in milliseconds.
func spent(before, after map[string]time.Duration, tickets int) map[string]float64 {
	out := map[string]float64{}
	for name, used := range after {
		out[name] = rounded(float64((used - before[name]).Milliseconds()) / float64(tickets))
	}
	return out
}

// load is the machine's load average over the last minute.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

// Quantiles of a latency, in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func quantiles(durations []time.Duration) Quantiles {
	if len(durations) == 0 {
		return Quantiles{}
	}
	sorted := slices.Sorted(slices.Values(durations))
	at := func(q float64) float64 {
		i := min(len(sorted)-1, int(q*float64(len(sorted))))
		return rounded(float64(sorted[i].Microseconds()) / 1000)
	}
	return Quantiles{at(0.5), at(0.99)}
}

func rounded(x float64) float64 {
	f, _ := strconv.ParseFloat(fmt.Sprintf("%.1f", x), 64)
	return f
}
