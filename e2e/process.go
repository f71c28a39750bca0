package e2e

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

// process is one running process; the start time keeps a reused id apart.
type process struct {
	pid, parent int
	start       string
	command     string
}

// processes lists what runs on this machine. Elsewhere than on Linux it is empty,
// and what depends on it is not checked.
func processes() []process {
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	var all []process
	for _, path := range entries {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		// pid (name) state ppid ...; the name may hold anything.
		end := bytes.LastIndexByte(data, ')')
		fields := strings.Fields(string(data[end+1:]))
		if end < 0 || len(fields) < 20 || fields[0] == "Z" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(fields[1])
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		command := strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		all = append(all, process{pid: pid, parent: parent, start: fields[19], command: command})
	}
	return all
}

// descendants are the children of a process, their children and so on.
func descendants(pid int) []process {
	all := processes()
	var found []process
	for parents := []int{pid}; len(parents) > 0; {
		var next []int
		for _, p := range all {
			if slices.Contains(parents, p.parent) {
				found, next = append(found, p), append(next, p.pid)
			}
		}
		parents = next
	}
	return found
}

// left returns which of these processes still run after some patience.
func left(gone []process, patience time.Duration) []string {
	var names []string
	eventually(patience, func() bool {
		names = nil
		for _, p := range processes() {
			if slices.ContainsFunc(gone, func(g process) bool { return g.pid == p.pid && g.start == p.start }) {
				names = append(names, fmt.Sprintf("%d %s", p.pid, p.command))
			}
		}
		return len(names) == 0
	})
	return names
}

// eventually polls a condition; the deadline only bounds a failing test.
func eventually(limit time.Duration, condition func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		if condition() {
			return true
		}
	}
	return condition()
}
