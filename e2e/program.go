package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Main runs the tests and removes the program that they built.
func Main(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

var built string // the folder that build made; read after all tests

// program is the deskbell to test, with the embedded engine beside it: the one
// that DESKBELL_BIN names, else one built once per test run, with the race
// detector when the tests have it.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("DESKBELL_BIN"); path != "" {
		return filepath.Abs(path)
	}
	engine, err := filepath.Abs("../bin/deskbell-temporal")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(engine); err != nil {
		if out, err := exec.Command("make", "-C", "..", "bin/deskbell-temporal").CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the engine: %w\n%s", err, out)
		}
	}
	dir, err := os.MkdirTemp("", "deskbell-e2e-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "deskbell")
	args := []string{"build", "-ldflags=-w", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../cmd/deskbell")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, os.Symlink(engine, filepath.Join(dir, "deskbell-temporal"))
})
