// Package e2e drives the whole program from outside, on real servers: it types on
// phones, chats, calls the API and looks at what the engine shows. It knows the
// program by its command line, its ready file and its wires, and imports nothing
// of it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
)

// Patience is how long a story waits for what must come: it bounds a failing test,
// on a machine that several desks share.
const Patience = 10 * time.Second

// Limits of a start and of a stop (architecture: everything stops within 15 s).
const (
	startLimit = 90 * time.Second
	stopLimit  = 15 * time.Second
)

// Options say how a desk is started. The zero value is `deskbell dev` with its
// demo desk.
type Options struct {
	State  string   // folder; a temporary one when empty
	People string   // content of a people file
	Policy string   // content of a policy file
	Clock  bool     // the desk's clock can be moved
	Env    []string // more environment, NAME=VALUE
	Ports  string   // "auto" when empty
}

// Ready is what the program tells of itself when everything answers.
type Ready struct {
	HTTP        string `json:"http"`
	Temporal    string `json:"temporal"`
	TemporalUI  string `json:"temporal_ui"`
	Phones      string `json:"phones"`
	SMPP        string `json:"smpp"`
	XMPP        string `json:"xmpp"`
	XMPPCA      string `json:"xmpp_ca"`
	DatabaseURL string `json:"database_url"`
	Token       string `json:"token"`
	Number      string `json:"number"`
	Desk        string `json:"desk"`
	Room        string `json:"room"`
	People      []struct {
		ID, Name, Phone, JID, Password string
		Role                           any // one or a list
	} `json:"people"`
}

// server is one run of the program. Stories share it.
type server struct {
	Ready
	State   string
	log     string // file
	command *exec.Cmd
	exited  chan struct{} // closed when the process is gone
	status  error         // how it ended; read after exited
	phones  exchange
	db      *pgxpool.Pool
	engine  client.Client
	offset  time.Duration
	ended   map[string]bool // tickets whose workflow is over, by number
}

// Desk is a running desk as one test sees it.
type Desk struct {
	*server
	t       testing.TB
	persons map[string]*Person
	mine    []int     // tickets submitted here
	away    []*Person // who must come back
}

// Start starts a desk and returns when it is ready. It is stopped, and checked to
// leave nothing, when the test ends.
func Start(t testing.TB, o Options) *Desk {
	t.Helper()
	s := launch(t, o)
	d := &Desk{server: s, t: t, persons: map[string]*Person{}}
	t.Cleanup(func() {
		d.Stop()
		s.complain(t)
	})
	s.await(t)
	s.connect(t)
	return d
}

// launch starts the program without waiting for it.
func launch(t testing.TB, o Options) *server {
	t.Helper()
	dir := shared(t)
	if o.State == "" {
		o.State = filepath.Join(dir, "state")
	}
	if o.Ports == "" {
		o.Ports = "auto"
	}
	s := &server{State: o.State, log: filepath.Join(dir, "log"), exited: make(chan struct{}), ended: map[string]bool{}}
	ready := filepath.Join(dir, "ready.json")
	args := []string{"-v", "dev", "--state", o.State, "--ports", o.Ports, "--ready", ready}
	for flag, content := range map[string]string{"--people": o.People, "--policy": o.Policy} {
		if content == "" {
			continue
		}
		path := filepath.Join(dir, flag[2:]+".yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, flag, path)
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.command = exec.Command(program(t), args...)
	s.command.Env = append(environment(), o.Env...)
	if o.Clock {
		s.command.Env = append(s.command.Env, "DESKBELL_TEST_CLOCK=1")
	}
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the tests is not one at the desk
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.status = s.command.Wait()
		close(s.exited)
	}()
	return s
}

// environment is this process's without what would change a desk.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !ours.MatchString(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

var ours = regexp.MustCompile(`^(DESKBELL_|TEMPORAL_|DATABASE_URL=|XDG_STATE_HOME=)`)

// shared is a temporary folder that the servers' own users may pass through.
func shared(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// await waits for the ready file.
func (s *server) await(t testing.TB) {
	t.Helper()
	var data []byte
	if !eventually(startLimit, func() bool {
		select {
		case <-s.exited:
			return true
		default:
		}
		var err error
		data, err = os.ReadFile(filepath.Join(filepath.Dir(s.log), "ready.json"))
		return err == nil
	}) || data == nil {
		t.Fatalf("the desk did not get ready:\n%s", s.tail())
	}
	if err := json.Unmarshal(data, &s.Ready); err != nil {
		t.Fatalf("ready file: %v", err)
	}
}

func (s *server) connect(t testing.TB) {
	t.Helper()
	if s.Phones != "" {
		s.phones = watchPhones(s.Phones)
	}
	var err error
	if s.db, err = pgxpool.New(context.Background(), s.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	if s.engine, err = client.Dial(client.Options{HostPort: s.Temporal, Logger: discard{}}); err != nil {
		t.Fatal(err)
	}
}

// discard is a logger for the engine's client, whose complaints are the tests'.
type discard struct{}

func (discard) Debug(string, ...any) {}
func (discard) Info(string, ...any)  {}
func (discard) Warn(string, ...any)  {}
func (discard) Error(string, ...any) {}

func (s *server) disconnect() {
	if w, ok := s.phones.(*watchedPhones); ok {
		w.close()
	}
	if s.db != nil {
		s.db.Close()
		s.engine.Close()
		s.db, s.engine = nil, nil
	}
}

func (s *server) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// Stop presses Ctrl-C and checks that everything is gone in time.
func (d *Desk) Stop() {
	d.t.Helper()
	d.disconnect()
	if !d.running() {
		return
	}
	children := descendants(d.command.Process.Pid)
	if err := d.command.Process.Signal(os.Interrupt); err != nil {
		d.t.Error(err)
	}
	select {
	case <-d.exited:
	case <-time.After(stopLimit):
		d.t.Errorf("still running %s after Ctrl-C", stopLimit)
		_ = d.command.Process.Kill()
		<-d.exited
	}
	if d.status != nil {
		d.t.Errorf("ended with %v after Ctrl-C", d.status)
	}
	if names := left(children, 0); len(names) > 0 {
		d.t.Errorf("left running after Ctrl-C: %s", strings.Join(names, "; "))
	}
	d.portsFree()
}

// portsFree checks that nobody listens where the desk did.
func (d *Desk) portsFree() {
	d.t.Helper()
	for _, address := range []string{d.HTTP, d.Temporal, d.TemporalUI, d.Phones, d.SMPP, d.XMPP, d.DatabaseURL} {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			address = u.Host
		}
		if address == "" || d.foreign(address) {
			continue
		}
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			d.t.Errorf("somebody still listens on %s", address)
		}
	}
}

// foreign tells whether an address was given to the program from outside.
func (s *server) foreign(address string) bool {
	for _, v := range s.command.Env {
		if strings.HasSuffix(v, "="+address) {
			return true
		}
	}
	return false
}

// Kill ends the program with SIGKILL.
func (d *Desk) Kill() {
	d.t.Helper()
	d.disconnect()
	if err := d.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Fatal(err)
	}
	<-d.exited
}

// complain reports what the log says in any case, and the rest when the test
// failed.
func (s *server) complain(t testing.TB) {
	log, err := os.ReadFile(s.log)
	if err != nil {
		t.Error(err)
		return
	}
	for _, sign := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if i := bytes.Index(log, []byte(sign)); i >= 0 {
			t.Errorf("the program's log:\n%s", log[max(0, i-200):min(len(log), i+4000)])
		}
	}
	if t.Failed() {
		t.Logf("the end of the program's log:\n%s", s.tail())
	}
}

// tail is the end of the program's output.
func (s *server) tail() string {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-6000):])
}

// refuses runs the program until it ends, which it must do by itself, and returns
// what it wrote to standard error.
func refuses(t testing.TB, path string, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	command := exec.CommandContext(ctx, path, args...)
	command.Env = append(environment(), env...)
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended || ctx.Err() != nil {
		t.Fatalf("%v does not refuse to start: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return errs.String()
}

// oneLine checks that a refusal is one line that says what it must.
func oneLine(t testing.TB, said string, parts ...string) {
	t.Helper()
	if strings.Count(said, "\n") != 1 || !strings.HasSuffix(said, "\n") {
		t.Errorf("not one line: %q", said)
	}
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Errorf("%q does not say %q", said, part)
		}
	}
}
