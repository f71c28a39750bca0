package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	stopGrace   = 5 * time.Second
	logRotateAt = 10 << 20 // bytes

	// A server whose parent was killed stops by itself where there is a parent's death
	// signal; elsewhere it is asked to after stalePatience. Its process may then stay a
	// zombie for a second or two.
	stalePatience = 2 * time.Second
	staleTimeout  = 20 * time.Second
)

// command describes a child process.
type command struct {
	name string // for errors
	path string
	args []string
	env  []string // complete
	log  string   // file that gets stderr, and stdout unless that is read
	user *account // nil runs it as ourselves

	stdout      io.Writer      // nil sends it to the log
	stdin       bool           // keep a pipe open to its stdin for as long as we live
	stopSignal  syscall.Signal // asks it to end in order
	deathSignal syscall.Signal // what it gets when we die
}

// process is a running child. It dies with us: on Linux through the parent's death signal,
// elsewhere through its stdin or the next start.
type process struct {
	name       string
	pid        int
	handle     *os.Process
	stopSignal syscall.Signal
	log        string
	logFrom    int64 // where this run begins in the log

	expected atomic.Bool
	done     chan struct{} // closed when the process is gone
	err      error         // why; read it after done
}

// startProcess returns once the child is running. The parent's death signal belongs to the
// thread that forked, so one thread stays with the child until it ends.
func startProcess(c command) (*process, error) {
	log, from, err := openLog(c.log)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = c.env
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	cmd.SysProcAttr = childAttributes(c.deathSignal, c.user)
	var stdin io.Closer = io.NopCloser(nil)
	if c.stdin {
		if stdin, err = cmd.StdinPipe(); err != nil {
			return nil, errors.Join(fmt.Errorf("start %s: %w", c.name, err), log.Close())
		}
	}

	p := &process{name: c.name, stopSignal: c.stopSignal, log: c.log, logFrom: from, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		if err == nil {
			p.pid, p.handle = cmd.Process.Pid, cmd.Process
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		_ = stdin.Close()
		_ = log.Close()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return p, nil
}

func openLog(path string) (*os.File, int64, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logRotateAt {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, 0, fmt.Errorf("rotate log: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open log: %w", err)
	}
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open log: %w", err), log.Close())
	}
	return log, from, nil
}

// onUnexpectedExit calls f once if the process ends before stop or kill.
func (p *process) onUnexpectedExit(f func(error)) {
	go func() {
		<-p.done
		if !p.expected.Load() {
			f(p.exitError())
		}
	}()
}

// stop asks the process to end and kills it when the context or stopGrace runs out first.
func (p *process) stop(ctx context.Context) error {
	p.expected.Store(true)
	_ = p.handle.Signal(p.stopSignal) // fails only when the process is gone
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.done:
		return nil
	case <-grace.C:
	case <-ctx.Done():
	}
	if err := p.kill(); err != nil {
		return err
	}
	return fmt.Errorf("%s did not stop in time and was killed", p.name)
}

func (p *process) kill() error {
	p.expected.Store(true)
	if err := p.handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// waitReady polls probe until it succeeds, the process ends or the context is done.
func (p *process) waitReady(ctx context.Context, interval time.Duration, probe func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.exitError()
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w", p.name, err), p.kill())
		case <-ticker.C:
		}
	}
}

// exitError gives the reason of an exit with the last line the process logged.
func (p *process) exitError() error {
	reason := "exited"
	if p.err != nil {
		reason = p.err.Error()
	}
	if line := lastLine(p.output()); line != "" {
		return fmt.Errorf("%s ended (%s): %s", p.name, reason, line)
	}
	return fmt.Errorf("%s ended (%s)", p.name, reason)
}

// output is what this run has logged so far, at most its last 64 kB.
func (p *process) output() []byte {
	file, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	from := max(p.logFrom, end-64<<10)
	text, err := io.ReadAll(io.NewSectionReader(file, from, end-from))
	if err != nil {
		return nil
	}
	return text
}

func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return strings.TrimSpace(string(lines[len(lines)-1]))
}

// stopStale ends a server that a killed parent left behind: the process in the pid file, if
// its command line still contains the marker.
func stopStale(ctx context.Context, pidFile, marker string, signal syscall.Signal) error {
	began, asked := time.Now(), false
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for pid := stalePid(pidFile, marker); pid != 0; pid = stalePid(pidFile, marker) {
		waited := time.Since(began)
		if waited > staleTimeout {
			return fmt.Errorf("process %d still works on %s and does not stop", pid, marker)
		}
		if waited > stalePatience && !asked {
			asked = true
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop process %d, which works on %s: %w", pid, marker, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

func stalePid(pidFile, marker string) int {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !strings.Contains(commandLine(pid), marker) {
		return 0
	}
	return pid
}
