package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/devstack"
	"deskbell/devstack/smsc"
)

// severity is how long parts are away, how often the whole desk is killed and how
// often each role, and the time from one ticket to the next: a tenth of it in an
// ordinary test run, at half the traffic because other desks are tested beside it, all
// of it with DESKBELL_SOAK set. In an ordinary run a step may
// be ten times as late.
type severity struct {
	away          time.Duration
	kills, rounds int
	pace          time.Duration
	together      int           // tickets that reach a step in the same second
	open          int           // tickets open at once
	late, apart   time.Duration // how late a step may be decided, and from one group's step to the next's
}

func howSevere() severity {
	if os.Getenv("DESKBELL_SOAK") != "" {
		return severity{time.Minute, 10, 10, 500 * time.Millisecond, 20, 1000, time.Second, 4 * time.Second}
	}
	return severity{6 * time.Second, 1, 1, time.Second, 4, 100, 10 * time.Second, time.Second}
}

// recovery is how long the desk may take to be quiet after a fault: pauses between
// attempts are bounded by half a minute.
const recovery = 2 * time.Minute

// alarm is how soon the managers must hear of what is wrong with the desk.
const alarm = time.Minute

// startApart starts the servers with a PostgreSQL for the engine and another for
// the desk, and an SMSC that lives by a clock.
func startApart(t *testing.T, now clock.Clock) (s *servers, enginePostgres *devstack.Postgres) {
	t.Helper()
	s = &servers{t: t, dir: shared(t), namespace: namespace}
	s.addPeople()
	dir := filepath.Join(s.dir, "postgresql")
	smallDisk(t, dir)
	var err error
	if s.postgres, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	s.stopLater(s.postgres.Server)
	if err := s.postgres.EnsureDatabase(t.Context(), "desk"); err != nil {
		t.Fatal(err)
	}
	if enginePostgres, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: filepath.Join(s.dir, "postgresql-engine")}); err != nil {
		t.Fatal(err)
	}
	s.stopLater(enginePostgres.Server)
	engine := filepath.Join(filepath.Dir(program(t)), "deskbell-temporal")
	if s.temporal, err = devstack.StartTemporal(t.Context(), devstack.TemporalConfig{Binary: engine, Dir: filepath.Join(s.dir, "temporal"), Postgres: enginePostgres.URL("postgres")}); err != nil {
		t.Fatal(err)
	}
	s.stopLater(s.temporal.Server)
	s.startProsody()
	var phones []smsc.Phone
	for _, p := range s.ready.People {
		phones = append(phones, smsc.Phone{Number: p.Phone, Name: p.Name})
	}
	if s.smsc, err = smsc.Start(t.Context(), smsc.Config{Dir: filepath.Join(s.dir, "smsc"), SystemID: "deskbell", Password: smppPassword, Number: deskNumber, People: phones, Clock: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.smsc.Stop(context.Background()) })
	s.ready.Temporal, s.ready.SMPP, s.ready.Phones = s.temporal.Address(), s.smsc.SMPPAddr(), s.smsc.HTTPURL()
	s.ready.DatabaseURL, s.ready.Number, s.ready.Desk = s.postgres.URL("desk"), deskNumber, deskJID
	return s, enginePostgres
}

// diskSize holds a new PostgreSQL and what a test writes, and is quickly full.
const diskSize = 400 << 20

// smallDisk mounts a disk of its own on a folder where that is allowed.
func smallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=711", diskSize), "deskbell", dir).CombinedOutput(); err != nil {
		t.Logf("no disk of its own, so it will not be full: %s", bytes.TrimSpace(out))
		return
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
}

// fill writes until the disk of a folder is full, and returns how to undo it; nil
// when the folder has no disk of its own.
func fill(t *testing.T, dir string) (undo func()) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil || !bytes.Contains(mounts, []byte(" "+dir+" ")) {
		return nil
	}
	path := filepath.Join(dir, "full")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = file.Close()
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// load is people at work: tickets are submitted by REST, taken and done by SMS and
// by chat, whatever is away.
type load struct {
	desk    *Desk
	chatty  bool // the chat may be used
	down    bool // the desk's process may be away
	without bool // the desk may be without PostgreSQL
	pace    time.Duration
	mu      sync.Mutex
	turn    sync.Mutex     // held while one ticket is worked on
	numbers map[int]string // who does it
	stop    chan struct{}
	done    sync.WaitGroup
}

func (l *load) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// run works until stop is closed.
func (l *load) run() {
	tick := time.NewTicker(l.pace)
	defer tick.Stop()
	requesters := []string{"ann", "joe", "sue"}
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.work(i, requesters[i%len(requesters)])
	}
}

// work is one ticket. Who takes it does not wait for an answer.
func (l *load) work(i int, requester string) {
	l.turn.Lock()
	defer l.turn.Unlock()
	n := l.submit(i, requester)
	if n == 0 {
		return
	}
	who := []string{"bob", "dan", "eve"}[i%3]
	l.mu.Lock()
	if who == "eve" && !l.chatty {
		who = "bob"
	}
	l.numbers[n] = who
	l.mu.Unlock()
	for _, text := range []string{fmt.Sprintf("take %d", n), fmt.Sprintf("done %d it works again", n)} {
		if who == "eve" {
			l.desk.Person("eve").Chat().Reply(text)
		} else {
			l.desk.Person(who).Phone().Reply(text)
		}
	}
}

// rest waits, while nobody writes anything new, until all is done.
func (l *load) rest() {
	l.desk.t.Helper()
	l.turn.Lock()
	defer l.turn.Unlock()
	l.desk.quiet(recovery)
}

// audit rests, and reconciles all that was written so far.
func (l *load) audit() *evidence {
	l.desk.t.Helper()
	l.turn.Lock()
	defer l.turn.Unlock()
	l.desk.quiet(recovery)
	l.mu.Lock()
	l.desk.mine = slices.Sorted(maps.Keys(l.numbers))
	l.mu.Unlock()
	return l.desk.Audit(l.desk.t, deskPassword)
}

// submit submits with one key until it is taken in. The API may refuse only as it
// is told to.
func (l *load) submit(i int, requester string) (number int) {
	body, _ := json.Marshal(map[string]string{"subject": fmt.Sprintf("Fault %d", i), "priority": "P3", "requester": requester})
	key := fmt.Sprintf("fault-%d", i)
	if !eventually(recovery, func() bool {
		select {
		case <-l.stop:
			return true
		default:
		}
		request, err := http.NewRequest(http.MethodPost, l.desk.HTTP+"/v1/tickets", bytes.NewReader(body))
		if err != nil {
			l.desk.t.Error(err)
			return true
		}
		request.Header.Set("Authorization", "Bearer "+l.desk.Token)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
		response, err := http.DefaultClient.Do(request)
		l.mu.Lock()
		down, without := l.down, l.without
		l.mu.Unlock()
		if err != nil {
			if !down {
				l.desk.t.Errorf("submission %d: %v", i, err)
			}
			return false
		}
		defer response.Body.Close()
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(response.Body)
		switch {
		case response.StatusCode == http.StatusCreated:
			var t Ticket
			if err := json.Unmarshal(answer.Bytes(), &t); err != nil {
				l.desk.t.Error(err)
			}
			number = t.Number
			return true
		case response.StatusCode == http.StatusServiceUnavailable && without:
			if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err != nil || seconds < 1 {
				l.desk.t.Errorf("503 with Retry-After %q", response.Header.Get("Retry-After"))
			}
		default:
			l.desk.t.Errorf("submission %d: %s %s", i, response.Status, answer.String())
		}
		return false
	}) {
		l.desk.t.Errorf("submission %d was never taken in", i)
	}
	return number
}

// TestFaults takes every part away in turn while people work, and audits.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("whole servers")
	}
	t.Parallel()
	severe := howSevere()
	network := &clock.Movable{}
	s, enginePostgres := startApart(t, network)
	env := append(s.environment(), "DESKBELL_TEST_CLOCK=1", "DESKBELL_POLICY_FILE="+s.file("stepwise.yaml", stepwise))
	s.mustRun(env, "migrate")
	address := freeAddress()
	env = append(env, "DESKBELL_HTTP_ADDR="+address)
	process := s.start("desk", env, "-v", "serve")
	desk := s.desk(t, env, address)
	for _, p := range desk.People {
		if p.Phone != "" {
			desk.Person(p.ID).Phone()
		}
	}
	desk.Person("eve").Chat()
	l := &load{desk: desk, chatty: true, pace: severe.pace, numbers: map[int]string{}, stop: make(chan struct{})}
	l.done.Go(l.run)
	work := sync.OnceFunc(func() { close(l.stop); l.done.Wait() })
	defer work()
	restart := func(server *devstack.Server) {
		t.Helper()
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		<-time.After(severe.away)
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, fault := range []struct {
		name  string
		cause func()
	}{
		{"PostgreSQL of the desk is away", func() {
			l.set(func() { l.without = true })
			restart(s.postgres.Server)
			desk.answers()
			l.set(func() { l.without = false })
		}},
		{"the disk of the desk's PostgreSQL is full", func() {
			undo := fill(t, filepath.Join(s.dir, "postgresql"))
			if undo == nil {
				return
			}
			l.set(func() { l.without = true })
			<-time.After(severe.away)
			undo()
			// Without room for its log PostgreSQL ends; whoever runs it starts it again.
			if !eventually(startLimit, func() bool {
				select {
				case <-s.postgres.Exited():
					if err := s.postgres.Restart(t.Context()); err != nil {
						t.Fatal(err)
					}
				default:
				}
				return desk.db.Ping(t.Context()) == nil
			}) {
				t.Fatal("PostgreSQL does not come back")
			}
			desk.answers()
			l.set(func() { l.without = false })
		}},
		{"PostgreSQL of the engine is away", func() { restart(enginePostgres.Server) }},
		{"Temporal is away", func() { restart(s.temporal.Server) }},
		{"the SMSC is away", func() {
			meg := desk.Person("meg")
			if err := meg.Chat().ping(); err != nil { // the managers hear of it there, and what they were told before has come
				t.Fatal(err)
			}
			meg.Chat().begin()
			desk.Faults(map[string]any{"down": time.Hour.Seconds()})
			began := time.Now()
			<-time.After(severe.away) // people work on
			l.turn.Lock()
			meg.Chat().ExpectWithin(alarm-time.Since(began), "SMS gateway is down")
			t.Logf("the manager knows after %s", time.Since(began).Round(time.Second))
			desk.Faults(map[string]any{"down": 0})
			meg.Chat().ExpectWithin(alarm, "SMS gateway is up again")
			l.turn.Unlock()
			if n := meg.Chat().Count("SMS gateway"); n != 2 {
				t.Errorf("the manager heard %d times:\n%s", n, meg.Chat().story())
			}
			meg.Leave()
		}},
		{"Prosody is away", func() {
			l.set(func() { l.chatty = false })
			l.rest() // what was written in the chat has come
			former := desk.Person("eve").chat
			restart(s.prosody.Server)
			former.reader.Wait()
			desk.Person("eve").chat = nil
			if desk.holder("im", "") == "" {
				t.FailNow()
			}
			desk.Person("eve").Chat()
			l.set(func() { l.chatty = true })
		}},
		{"the desk is killed", func() {
			l.set(func() { l.down = true })
			for range severe.kills {
				_ = process.command.Process.Kill()
				<-process.exited
				process = s.start("desk", env, "-v", "serve")
				desk.answers()
				<-time.After(severe.away / 3) // people work on
			}
			l.set(func() { l.down = false })
		}},
		{"a part is killed at each step of an escalation", func() {
			l.turn.Lock() // the steps alone
			defer l.turn.Unlock()
			revive := func(server *devstack.Server) func() {
				return func() {
					if err := errors.Join(server.Kill(), server.Restart(t.Context())); err != nil {
						t.Fatal(err)
					}
					desk.answers()
				}
			}
			victims := []func(){
				func() {
					_ = process.command.Process.Kill()
					<-process.exited
					process = s.start("desk", env, "-v", "serve")
					desk.answers()
				},
				revive(s.temporal.Server), revive(s.postgres.Server),
			}
			for round := range min(severe.rounds, len(victims)) { // each at each step
				for n := range escalated(t, desk, func(step int) { victims[(step+round)%len(victims)]() }) {
					l.set(func() { l.numbers[n] = "bob" })
				}
			}
		}},
		{"the clock jumps", func() {
			network.Set(time.Hour)
			desk.Advance(time.Hour)
		}},
	} {
		began := time.Now()
		fault.cause()
		healed := time.Now()
		l.rest()
		t.Logf("%s: %s, quiet %s later", fault.name, healed.Sub(began).Round(time.Second), time.Since(healed).Round(100*time.Millisecond))
		l.audit()
		if t.Failed() {
			break
		}
	}
	work()
	e := l.audit()
	for n, who := range l.numbers {
		if got := desk.Ticket(n); got.Status != "resolved" || got.Assignee != who {
			t.Errorf("ticket %d is %s with %q, not resolved by %s: %s", n, got.Status, got.Assignee, who, desk.Events(n))
		}
	}
	again := 0
	for _, d := range e.deliveries {
		if d.Repeated {
			again++
		}
	}
	t.Logf("%d tickets, %d texts said again", len(l.numbers), again)
	noticesRemoval(t, e)
	if _, err := desk.db.Exec(t.Context(), "DELETE FROM inbox WHERE id = (SELECT min(id) FROM inbox)"); err != nil {
		t.Fatal(err)
	}
	if less, err := desk.collect(t.Context(), deskPassword); err != nil || len(less.findings()) == 0 {
		t.Errorf("the auditor does not miss a message that was deleted: %v", err)
	}
}

// stepwise is patient, and calls at once for P2.
var stepwise = strings.Replace(patient, "auto_close", "  P2: {hours: always, wave: {size: 3, every: 15m}, steps: [{after: 12s, to: oncall}, {after: 27s, to: next}, {after: 42s, to: manager}], repeat: 1h, lease: 2h}\nauto_close", 1)

// escalated submits tickets that nobody takes, calls kill a moment before each step is
// due, and checks that each step was decided and called once. It returns the tickets,
// taken and solved by Bob in the end.
func escalated(t *testing.T, desk *Desk, kill func(step int)) map[int]bool {
	t.Helper()
	began := time.Now()
	numbers := map[int]bool{}
	for range howSevere().together {
		numbers[desk.Person("joe").Submit("Escalates", "P2")] = true
	}
	for step, due := range []time.Duration{12 * time.Second, 27 * time.Second, 42 * time.Second} {
		time.Sleep(time.Until(began.Add(due))) // the moment of the step is what is given here
		kill(step)
	}
	calledOnce(t, desk, slices.Collect(maps.Keys(numbers)))
	for n := range numbers {
		desk.Act(desk.Person("bob"), "claim", n, nil)
		desk.Act(desk.Person("bob"), "resolve", n, nil)
	}
	return numbers
}

// calledOnce waits until tickets that nobody takes have been through their three
// steps, and checks that each step was decided and called once.
func calledOnce(t *testing.T, desk *Desk, numbers []int) {
	t.Helper()
	for _, n := range numbers {
		if !eventually(recovery, func() bool { return strings.Count(desk.Events(n), "escalated") >= 3 }) {
			t.Errorf("ticket %d: %s", n, desk.Events(n))
		}
	}
	var calls []string
	if !eventually(recovery, func() bool {
		var err error
		calls, err = desk.rows(t.Context(), `SELECT string_agg(reason || ' ' || person, ', ' ORDER BY id) FROM deliveries
			WHERE ticket = ANY ($1) AND channel = 'sms' AND reason IN ('page', 'mgr_nobody') GROUP BY ticket`, numbers)
		return err == nil && len(calls) == len(numbers) && !slices.ContainsFunc(calls, func(c string) bool { return c != "page dana, page sam, mgr_nobody meg" })
	}) {
		t.Errorf("%d tickets called %q", len(numbers), calls)
	}
	for _, n := range numbers {
		if events := desk.Events(n); strings.Count(events, "escalated") != 3 || strings.Contains(events, "paged again") {
			t.Errorf("ticket %d: %s", n, events)
		}
	}
}

// noticesRemoval checks that the auditor misses every kind of evidence.
func noticesRemoval(t *testing.T, e *evidence) {
	t.Helper()
	if len(e.findings()) > 0 {
		return // it was reported
	}
	all := e.without()
	want := []string{"archive in", "archive out", "delivery im", "delivery sms", "delivery to the room", "history", "inbox im", "inbox sms", "ledger in", "ledger out",
		"line in the room", "line of a timeline", "notice in a history", "projection"}
	if got := kinds(all); !slices.Equal(got, want) {
		t.Errorf("evidence of %q, want %q", got, want)
	}
	for what, less := range all {
		if len(less.findings()) == 0 {
			t.Errorf("the auditor does not miss: %s", what)
		}
	}
}

// quiet waits until nothing is under way.
func (d *Desk) quiet(limit time.Duration) {
	d.t.Helper()
	busy := ""
	if !eventually(limit, func() bool {
		var err error
		if busy, err = d.unfinished(); err == nil && busy == "" {
			busy, err = d.busy()
		}
		if err != nil {
			busy = err.Error()
		}
		return busy == ""
	}) {
		d.t.Fatalf("not recovered after %s: %s", limit, busy)
	}
}

// unfinished is what the tables say is under way; it costs less to ask than busy.
func (d *Desk) unfinished() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for _, query := range []string{
		"SELECT channel || ' from ' || sender || ': ' || text FROM inbox WHERE state <> 'finished' LIMIT 3",
		"SELECT channel || ' to ' || address || ': ' || text FROM deliveries WHERE state = 'sending' OR state = 'due' AND not_before < now() LIMIT 3",
		"SELECT 'the managers will hear that it is over: ' || name FROM troubles LIMIT 3",
	} {
		rows, err := d.rows(ctx, query)
		if err != nil || len(rows) > 0 {
			return fmt.Sprintf("%q", rows), err
		}
	}
	return "", nil
}
