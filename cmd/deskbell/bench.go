package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"

	"deskbell/bench"
	"deskbell/devstack"
	"deskbell/policy"
	"deskbell/roster"
)

type benchCmd struct {
	JSON    bool    `help:"Print one JSON object."`
	Tickets int     `default:"200" help:"Whole lives of tickets in the measurement of throughput."`
	Rate    float64 `default:"5" help:"Tickets a second in the measurement of latency."`
	Burst   int     `default:"120" help:"Tickets at once."`
	Keep    string  `help:"Keep the servers' state and the desk's log in this folder." type:"path"`
}

// The desk of the measurement: more agents with a phone than are asked within a
// minute, because offers within a minute to one person wait for each other; one
// colleague in IM; and requesters, one in four of whom is told by IM.
const (
	benchAgents     = 360
	benchRequesters = 32
	benchPresent    = "present"
)

func benchPeople() roster.File {
	f := roster.File{People: []roster.Person{
		{ID: benchPresent, Name: "Pat", Roles: roster.Roles{roster.Agent}, JID: benchPresent + "@" + demoDomain},
		{ID: "oncall", Name: "Olga", Roles: roster.Roles{roster.OnCallee}, Phone: "+447700900001"},
		{ID: "manager", Name: "Meg", Roles: roster.Roles{roster.Manager}, Phone: "+447700900002"},
	}}
	for i := range benchAgents {
		id := fmt.Sprintf("agent-%d", i+1)
		f.People = append(f.People, roster.Person{ID: id, Name: fmt.Sprintf("Agent %d", i+1), Roles: roster.Roles{roster.Agent},
			Phone: fmt.Sprintf("+44770092%04d", i), JID: id + "@" + demoDomain})
	}
	for i := range benchRequesters {
		id := fmt.Sprintf("req-%d", i+1)
		p := roster.Person{ID: id, Name: fmt.Sprintf("Requester %d", i+1), Roles: roster.Roles{roster.Requester},
			Phone: fmt.Sprintf("+4477009300%02d", i), Loc: fmt.Sprintf("room %d", 300+i)}
		if i%4 == 3 {
			p.JID, p.Prefers = id+"@"+demoDomain, roster.ViaIM
		}
		f.People = append(f.People, p)
	}
	return f
}

func (b benchCmd) Run(ctx context.Context, log *slog.Logger) error {
	return withBenchDesk(ctx, b.Keep, benchPeople(), log, func(s *stack, desk *child) error { return b.measure(ctx, s, desk, log) })
}

func (b benchCmd) measure(ctx context.Context, s *stack, desk *child, log *slog.Logger) error {
	parts := map[string]int{"desk": desk.command.Process.Pid}
	for name, server := range s.servers {
		parts[strings.ToLower(strings.Replace(name, "Temporal", "engine", 1))] = server.Pid()
	}
	engine, err := client.Dial(client.Options{HostPort: s.config.TemporalAddress, Namespace: s.config.TemporalNamespace, Logger: temporallog.NewStructuredLogger(log),
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}}})
	if err != nil {
		return err
	}
	defer engine.Close()
	bar := newBar(os.Stderr)
	report, err := bench.Run(ctx, bench.Config{
		API: s.ready.HTTP, Token: s.ready.Token, Phones: s.ready.Phones,
		XMPP:   bench.XMPP{Addr: s.ready.XMPP, CAFile: s.ready.XMPPCA, Desk: s.ready.Desk},
		People: s.people.People, Present: benchPresent, Engine: engine, Parts: parts,
		Tickets: b.Tickets, Rate: b.Rate, Burst: b.Burst, Progress: bar.show,
	})
	bar.end()
	if b.JSON {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(report))
	}
	return errors.Join(err, printReport(os.Stdout, report))
}

// withBenchDesk runs a desk with these people and servers of its own for a measurement,
// in a folder that stays, or in one that goes with it.
func withBenchDesk(ctx context.Context, dir string, people roster.File, log *slog.Logger, measure func(*stack, *child) error) (err error) {
	for _, name := range []string{"DESKBELL_SMPP_ADDR", "DESKBELL_XMPP_ADDR"} {
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s: the bench types on phones and in chats of its own; only DATABASE_URL and TEMPORAL_ADDRESS may name others", name)
		}
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "deskbell-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s, err := benchServers(ctx, dir, people, log)
	if s != nil {
		defer s.down()
	}
	if err != nil {
		return err
	}
	desk, err := startDesk(ctx, s, filepath.Join(dir, "desk.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, desk.stop()) }()
	if err := desk.await(ctx, s.ready.HTTP+"/readyz"); err != nil {
		return err
	}
	return measure(s, desk)
}

// benchServers starts the development servers with the people of a measurement.
func benchServers(ctx context.Context, dir string, people roster.File, log *slog.Logger) (*stack, error) {
	state, err := devstack.OpenState(dir)
	if err != nil {
		return nil, err
	}
	s := &stack{cmd: devCmd{State: dir, Ports: "auto"}, log: log, clock: present(), state: state, progress: newProgress(os.Stderr), people: people}
	if s.ports, err = state.Ports(s.cmd.Ports); err != nil {
		return s, err
	}
	if err := givePasswords(s.people, state.Path("passwords.json")); err != nil {
		return s, err
	}
	if err := s.up(ctx); err != nil {
		return s, err
	}
	if s.noIM != nil {
		return s, s.noIM
	}
	sys, err := newSystem(ctx, s.config, nil, policy.Default(), s.clock, log)
	if err != nil {
		return s, err
	}
	defer sys.close()
	return s, s.settle(ctx, sys)
}

// child is the desk: a process of its own, so that its CPU can be told apart.
type child struct {
	command *exec.Cmd
	log     string
	exited  chan struct{}
	status  error
}

func startDesk(ctx context.Context, s *stack, log string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	key, err := kept(s.state.Path("token-key"), 40)
	if err != nil {
		return nil, err
	}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	smsc, x := s.config.SMSCs[0], s.config.XMPP
	c := &child{command: exec.CommandContext(ctx, self, "serve"), log: log, exited: make(chan struct{})}
	c.command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DESKBELL_") }),
		"DATABASE_URL="+s.config.Database.Reveal(), "TEMPORAL_ADDRESS="+s.config.TemporalAddress,
		"DESKBELL_HTTP_ADDR="+s.config.HTTPAddr, "DESKBELL_PUBLIC_URL="+s.ready.HTTP, "DESKBELL_TOKEN_KEY="+key,
		"DESKBELL_SMPP_ADDR="+smsc.Addr, "DESKBELL_SMPP_SYSTEM_ID="+smsc.SystemID, "DESKBELL_SMPP_PASSWORD="+smsc.Password.Reveal(),
		"DESKBELL_SMPP_SOURCE="+smsc.Source, fmt.Sprintf("DESKBELL_SMPP_STAMP_TAG=%#x", smsc.StampTag),
		"DESKBELL_XMPP_ADDR="+x.Addr, "DESKBELL_XMPP_JID="+x.JID, "DESKBELL_XMPP_PASSWORD="+x.Password.Reveal(), "DESKBELL_XMPP_CA_FILE="+x.CAFile)
	c.command.Stdout, c.command.Stderr = file, file
	c.command.Cancel = func() error { return c.command.Process.Signal(syscall.SIGTERM) }
	c.command.WaitDelay = stopIn
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.status = c.command.Wait()
		close(c.exited)
	}()
	return c, nil
}

// await waits until the desk is ready.
func (c *child) await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-c.exited:
			return c.died()
		case <-ctx.Done():
			return errors.New("the desk does not get ready; see " + c.log)
		case <-ticker.C:
		}
	}
}

func (c *child) died() error {
	log, _ := os.ReadFile(c.log)
	return fmt.Errorf("the desk ended (%w): %s", c.status, log[max(0, len(log)-2000):])
}

func (c *child) stop() error {
	_ = c.command.Process.Signal(syscall.SIGTERM) // it may have ended
	<-c.exited
	return c.status
}

// bar shows how far things are: on a terminal a bar, elsewhere nothing.
type bar struct {
	w  io.Writer
	mu sync.Mutex
	at time.Time // of the last drawing
}

func newBar(f *os.File) *bar {
	b := &bar{}
	if stat, err := f.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		b.w = f
	}
	return b
}

const barWidth = 32

func (b *bar) show(what string, done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w == nil || time.Since(b.at) < 50*time.Millisecond && done < total {
		return
	}
	b.at = time.Now()
	full := barWidth * done / total
	fmt.Fprintf(b.w, "\r\x1b[K  %-24s %s%s %d/%d", what, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), done, total)
}

func (b *bar) end() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

func printReport(w io.Writer, r bench.Report) error {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("History of one ticket until it was solved")
	for _, line := range r.History {
		p("  %s", line)
	}
	p("\nCPU per step, milliseconds per ticket")
	for _, s := range r.Steps {
		p("  %-18s ours %s", s.Name, partsOf(s.Ours))
		p("  %-18s bare %s", "", partsOf(s.Bare))
	}
	p("\n%d lives, %d cores, load average %s before", r.Tickets, runtime.NumCPU(), r.Load)
	p("  lives per second     %6.1f   (bare %.1f, ratio %.2f)", r.Lifecycles, r.Bare, r.Ratio)
	p("  per block            %v", r.Blocks)
	p("  CPU, ms per ticket   ours %s", partsOf(r.CPUOurs))
	p("                       bare %s", partsOf(r.CPUBare))
	p("  events per ticket    %6.1f   (%d signals, %.1f activities)", r.Events, r.Signals, r.Activities)
	p("\n%g tickets a second, milliseconds          p50      p99", r.Rate)
	for _, q := range []struct {
		name string
		bench.Quantiles
	}{{"submission to SMS", r.SubmitToSMS}, {"submission to IM", r.SubmitToIM}, {"SMS reply to answer", r.ReplyTo}} {
		p("  %-34s %8.1f %8.1f", q.name, q.P50, q.P99)
	}
	p("\n%d tickets at once: the last person was texted after %.1f s", r.Burst.Tickets, r.Burst.LastTexted)
	p("lost %d, duplicated %d, double claims %d", r.Lost, r.Duplicated, r.DoubleClaims)
	_, err := io.WriteString(w, b.String())
	return err
}

func partsOf(used map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		parts = append(parts, fmt.Sprintf("%s %.1f", name, used[name]))
	}
	return strings.Join(parts, ", ")
}
