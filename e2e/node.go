package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a program on Node.js that is driven by lines of JSON and ends with its
// input.
type node struct {
	t     testing.TB
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startNode installs the locked packages of a folder into a temporary one and
// starts a script of it. The test is skipped where Node.js is missing, and fails
// there when CI is set.
func startNode(t testing.TB, folder, script string, args ...string) *node {
	t.Helper()
	dir := t.TempDir()
	if err := install(dir, folder); err != nil {
		missing(t, err)
	}
	n := &node{t: t}
	cmd := exec.Command("node", append([]string{script}, args...)...)
	cmd.Dir, cmd.Stderr = dir, t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.stdin, n.lines = stdin, bufio.NewScanner(stdout)
	n.lines.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	})
	return n
}

// missing skips a test for want of a program.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("required where CI is set: %v", err)
	}
	t.Skipf("SKIPPED: %v", err)
}

func install(dir, folder string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.[jt]s*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600); err != nil {
			return err
		}
	}
	command := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
}

// tell sends a command.
func (n *node) tell(command map[string]any) {
	n.t.Helper()
	if err := json.NewEncoder(n.stdin).Encode(command); err != nil {
		n.t.Fatal(err)
	}
}

// hear reads the next line that the program writes.
func (n *node) hear(into any) error {
	if !n.lines.Scan() {
		return errors.Join(n.lines.Err(), io.EOF)
	}
	return json.Unmarshal(n.lines.Bytes(), into)
}

// chromium is the installed browser.
func chromium(t testing.TB) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, fmt.Errorf("no browser: none of %s", strings.Join(names, ", ")))
	return ""
}
