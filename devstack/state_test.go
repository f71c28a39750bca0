package devstack

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openState(t *testing.T, dir string) *State {
	t.Helper()
	state, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestStateHasOneHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := openState(t, dir)
	_, err := OpenState(dir)
	oneLineError(t, err, dir, "process "+strconv.Itoa(os.Getpid()))
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	state = openState(t, dir)
	if state.killed {
		t.Error("a closed state counts as left by a killed process")
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStateFolderCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, "/proc/deskbell"} { // root may not write there either
		_, err := OpenState(dir)
		oneLineError(t, err, "state folder", dir)
	}
}

func takePorts(t *testing.T, state *State, specification string) map[string]int {
	t.Helper()
	ports, err := state.Ports(specification)
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]int)
	for name := range portCount {
		if taken[name.String()], err = ports.Take(name); err != nil {
			t.Fatal(err)
		}
	}
	return taken
}

func TestPortsStayTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := openState(t, dir)
	first := takePorts(t, state, "auto")
	distinct := make(map[int]bool)
	for _, port := range first {
		distinct[port] = true
	}
	if len(distinct) != int(portCount) {
		t.Errorf("some are equal: %v", first)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}

	state = openState(t, dir)
	defer state.Close()
	if diff := cmp.Diff(first, takePorts(t, state, "auto")); diff != "" {
		t.Errorf("the second start has other ports (-first +second):\n%s", diff)
	}
}

func TestPortsFixed(t *testing.T) {
	t.Parallel()
	state := openState(t, t.TempDir())
	defer state.Close()
	taken := takenPort(t)
	base := taken - int(PortSMPP)
	ports, err := state.Ports(strconv.Itoa(base))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ports.Take(PortSMPP)
	var portTaken *PortTakenError
	if !errors.As(err, &portTaken) {
		t.Fatalf("got %v", err)
	}
	oneLineError(t, err, strconv.Itoa(taken), "smpp")

	for _, specification := range []string{"", "no", "0", "-1", "65535", "8080x"} {
		_, err := state.Ports(specification)
		oneLineError(t, err, "ports")
	}
}
