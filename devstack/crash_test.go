package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary runs itself once more as the process that is to be killed.
const holdVariable = "DEVSTACK_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		if err := hold(dir, os.Getenv("DEVSTACK_TEST_ENGINE")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// stack is everything that a desk runs, in one state folder.
type stack struct {
	state    *State
	postgres *Postgres
	temporal *Temporal
	prosody  *Prosody
}

// addresses is what a second start must find again.
type addresses struct {
	Postgres, Temporal, TemporalUI, XMPP, Websocket string
	Pids                                            []int
}

func (s *stack) addresses() addresses {
	return addresses{
		Postgres: s.postgres.URL("postgres"), Temporal: s.temporal.Address(), TemporalUI: s.temporal.UIURL(),
		XMPP: s.prosody.Addr(), Websocket: s.prosody.WebsocketURL(),
		Pids: []int{s.postgres.Pid(), s.temporal.Pid(), s.prosody.Pid()},
	}
}

func (s *stack) stop(ctx context.Context) error {
	var errs []error
	for _, server := range []*Server{s.prosody.Server, s.temporal.Server, s.postgres.Server} {
		errs = append(errs, server.Stop(ctx))
	}
	return errors.Join(append(errs, s.state.Close())...)
}

func startStack(ctx context.Context, dir, engine string) (*stack, error) {
	s := &stack{}
	var err error
	if s.state, err = OpenState(dir); err != nil {
		return nil, err
	}
	ports, err := s.state.Ports("auto")
	if err != nil {
		return nil, err
	}
	var taken [portCount]int
	for name := range portCount {
		if taken[name], err = ports.Take(name); err != nil {
			return nil, err
		}
	}
	if s.postgres, err = StartPostgres(ctx, PostgresConfig{Dir: s.state.Path("postgres"), Port: taken[PortPostgres]}); err != nil {
		return nil, err
	}
	if s.prosody, err = StartProsody(ctx, ProsodyConfig{
		Dir: s.state.Path("prosody"), Bot: testBot, Accounts: []Account{testAlice},
		Port: taken[PortXMPP], HTTPPort: taken[PortXMPPHTTP],
	}); err != nil {
		return nil, err
	}
	s.temporal, err = StartTemporal(ctx, TemporalConfig{
		Binary: engine, Dir: s.state.Path("temporal"), Postgres: s.postgres.URL("postgres"),
		Port: taken[PortTemporal], UIPort: taken[PortTemporalUI],
	})
	return s, err
}

func hold(dir, engine string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	s, err := startStack(ctx, dir, engine)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.addresses()); err != nil {
		return err
	}
	<-ctx.Done()
	return s.stop(context.WithoutCancel(ctx))
}

// holdElsewhere starts the stack in a process of its own.
func holdElsewhere(t *testing.T, dir, engine string) (*os.Process, addresses, func() error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+dir, "DEVSTACK_TEST_ENGINE="+engine)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the stack did not come up: %v", err)
	}
	var a addresses
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	return cmd.Process, a, cmd.Wait
}

// One folder through three lives. While the first holds it, a second start is told by whom.
// The first is interrupted, as by Ctrl-C at a terminal, and stops its servers in order. The
// second is killed: its servers die with it. The third finds folder, addresses and data.
func TestHolderEnds(t *testing.T) {
	t.Parallel()
	engine := temporalBinary(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	holder, first, wait := holdElsewhere(t, dir, engine)
	_, err := OpenState(dir)
	oneLineError(t, err, dir, "process "+strconv.Itoa(holder.Pid))
	execute(t, connect(t, first.Postgres), "CREATE TABLE kept ()")
	startTicket(t, first.Temporal, "ticket-1")
	if startSkipping(t, first.Temporal) == nil {
		t.Error("time skipping is on although nobody asked for it")
	}

	began := time.Now()
	if err := holder.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
	t.Logf("orderly stop %v", time.Since(began).Round(time.Millisecond))
	expectGone(t, first.Pids)

	began = time.Now()
	holder, second, wait := holdElsewhere(t, dir, engine)
	t.Logf("warm start %v", time.Since(began).Round(time.Millisecond))
	if err := holder.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = wait() // says only that it was killed

	began = time.Now()
	s, err := startStack(t.Context(), dir, engine)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("start after kill %v", time.Since(began).Round(time.Millisecond))
	expectGone(t, second.Pids)
	third := s.addresses()
	first.Pids, second.Pids, third.Pids = nil, nil, nil
	for _, later := range []addresses{second, third} {
		if diff := cmp.Diff(first, later); diff != "" {
			t.Errorf("addresses changed (-before +after):\n%s", diff)
		}
	}
	execute(t, connect(t, third.Postgres), "DROP TABLE kept")
	if _, err := dial(t, third.Temporal).DescribeWorkflowExecution(t.Context(), "ticket-1", ""); err != nil {
		t.Errorf("the workflow is gone: %v", err)
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func expectGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if !eventually(t, func() bool { return commandLine(pid) == "" }) {
			t.Errorf("process %d is still there", pid)
		}
	}
}
