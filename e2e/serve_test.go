package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"

	"deskbell/devstack"
	"deskbell/devstack/smsc"
)

// The accounts of the tests' servers.
const (
	deskNumber   = "+447700900100"
	deskJID      = "helpdesk@" + devstack.XMPPDomain
	deskRoom     = "desk@" + devstack.XMPPRooms
	deskPassword = "desk-of-the-tests"
	smppPassword = "smpp-pw1"
	namespace    = "tickets"
)

// servers are the parts that a desk stands on, each by itself, in this process's
// care.
type servers struct {
	t        testing.TB
	dir      string
	postgres *devstack.Postgres
	temporal *devstack.Temporal
	prosody  *devstack.Prosody
	smsc     *smsc.Server
	people   []byte // the file
	// namespace of the engine that the desk uses
	namespace string
	ready     Ready // without HTTP and Token
}

// startServers starts all of them with the people of the dialogues.
func startServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{t: t, dir: shared(t), namespace: namespace}
	s.addPeople()
	var err error
	if s.postgres, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: filepath.Join(s.dir, "postgresql"), Test: true}); err != nil {
		t.Fatal(err)
	}
	s.stopLater(s.postgres.Server)
	if err := s.postgres.EnsureDatabase(t.Context(), "desk"); err != nil {
		t.Fatal(err)
	}
	engine := filepath.Join(filepath.Dir(program(t)), "deskbell-temporal")
	if s.temporal, err = devstack.StartTemporal(t.Context(), devstack.TemporalConfig{Binary: engine, Dir: filepath.Join(s.dir, "temporal"), Postgres: s.postgres.URL("postgres")}); err != nil {
		t.Fatal(err)
	}
	s.stopLater(s.temporal.Server)
	s.startProsody()
	var phones []smsc.Phone
	for _, p := range s.ready.People {
		phones = append(phones, smsc.Phone{Number: p.Phone, Name: p.Name})
	}
	if s.smsc, err = smsc.Start(t.Context(), smsc.Config{Dir: filepath.Join(s.dir, "smsc"), SystemID: "deskbell", Password: smppPassword, Number: deskNumber, People: phones}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.smsc.Stop(context.Background()) })
	s.ready.Temporal, s.ready.SMPP, s.ready.Phones = s.temporal.Address(), s.smsc.SMPPAddr(), s.smsc.HTTPURL()
	s.ready.DatabaseURL, s.ready.Number, s.ready.Desk = s.postgres.URL("desk"), deskNumber, deskJID
	return s
}

func (s *servers) addPeople() {
	s.t.Helper()
	var file map[string][]map[string]any
	if err := json.Unmarshal([]byte(people), &file); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range file["people"] {
		p["password"] = fmt.Sprintf("password-of-%s", p["id"])
	}
	var err error
	if s.people, err = json.Marshal(file); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(s.people, &s.ready); err != nil {
		s.t.Fatal(err)
	}
}

func (s *servers) startProsody() {
	s.t.Helper()
	c := devstack.ProsodyConfig{Dir: filepath.Join(s.dir, "prosody"), Bot: devstack.Account{JID: deskJID, Password: deskPassword, Name: "Helpdesk"}}
	for _, p := range s.ready.People {
		if p.JID != "" {
			c.Accounts = append(c.Accounts, devstack.Account{JID: p.JID, Password: p.Password, Name: p.Name})
		}
	}
	var err error
	if s.prosody, err = devstack.StartProsody(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
	s.stopLater(s.prosody.Server)
	s.ready.XMPP, s.ready.XMPPCA, s.ready.Room = s.prosody.Addr(), s.prosody.CAFile(), deskRoom
}

func (s *servers) stopLater(server *devstack.Server) {
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	})
}

// file writes a file that the roles read.
func (s *servers) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// environment names the servers.
func (s *servers) environment() []string {
	return []string{
		"DATABASE_URL=" + s.ready.DatabaseURL,
		"TEMPORAL_ADDRESS=" + s.ready.Temporal, "TEMPORAL_NAMESPACE=" + s.namespace,
		"DESKBELL_SMPP_ADDR=" + s.ready.SMPP, "DESKBELL_SMPP_SYSTEM_ID=deskbell", "DESKBELL_SMPP_PASSWORD=" + smppPassword,
		"DESKBELL_SMPP_SOURCE=" + deskNumber, "DESKBELL_SMPP_STAMP_TAG=" + strconv.Itoa(smsc.StampTag),
		"DESKBELL_XMPP_ADDR=" + s.ready.XMPP, "DESKBELL_XMPP_JID=" + deskJID, "DESKBELL_XMPP_PASSWORD=" + deskPassword, "DESKBELL_XMPP_CA_FILE=" + s.ready.XMPPCA, "DESKBELL_XMPP_ROOM=" + deskRoom,
		"DESKBELL_POLICY_FILE=" + s.file("policy.yaml", patient), "DESKBELL_PEOPLE_FILE=" + s.file("people.json", string(s.people)),
		"DESKBELL_TOKEN_KEY=0123456789abcdef0123456789abcdef",
	}
}

// role is one process of the desk.
type role struct {
	name    string
	command *exec.Cmd
	log     string
	exited  chan struct{}
	status  error // read after exited
}

// start starts the program with arguments and exactly this environment beside the
// machine's. What still runs at the end of the test is killed.
func (s *servers) start(name string, env []string, args ...string) *role {
	s.t.Helper()
	log, err := os.CreateTemp(s.dir, name+"-*.log")
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	r := &role{name: name, log: log.Name(), exited: make(chan struct{})}
	r.command = exec.Command(program(s.t), args...)
	r.command.Env = append(environment(), env...)
	r.command.Stdout, r.command.Stderr = log, log
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		r.status = r.command.Wait()
		close(r.exited)
	}()
	s.t.Cleanup(func() {
		_ = r.command.Process.Kill()
		<-r.exited
		(&server{log: r.log}).complain(s.t)
	})
	return r
}

// run runs the program to its end and returns what it printed.
func (s *servers) run(env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	command := exec.CommandContext(ctx, program(s.t), args...)
	command.Env = append(environment(), env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// mustRun is run that must succeed.
func (s *servers) mustRun(env []string, args ...string) string {
	s.t.Helper()
	out, err := s.run(env, args...)
	if err != nil {
		s.t.Fatalf("deskbell %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// desk is the desk whose API is at address, once that and both links are up.
func (s *servers) desk(t *testing.T, env []string, address string) *Desk {
	t.Helper()
	d := &Desk{t: t, persons: map[string]*Person{}, server: &server{Ready: s.ready, exited: make(chan struct{}), ended: map[string]bool{}, phones: watchPhones(s.ready.Phones)}}
	d.HTTP = "http://" + address
	var err error
	if d.db, err = pgxpool.New(t.Context(), s.ready.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	if d.engine, err = client.Dial(client.Options{HostPort: s.ready.Temporal, Namespace: s.namespace, Logger: discard{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.disconnect)
	d.answers()
	for _, channel := range []string{"sms", "im"} {
		if d.holder(channel, "") == "" {
			t.FailNow()
		}
	}
	d.Token = strings.TrimSpace(s.mustRun(env, "token", "meg", "--scope", "admin"))
	return d
}

// answers waits until the API is ready.
func (d *Desk) answers() {
	d.t.Helper()
	if !eventually(startLimit, func() bool {
		response, err := http.Get(d.HTTP + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}) {
		d.t.Fatalf("%s is not ready", d.HTTP)
	}
}

// holder waits until somebody else than a former holder has a channel's link, and
// returns who; nobody is an error.
func (d *Desk) holder(channel, former string) (holder string) {
	d.t.Helper()
	if !eventually(startLimit, func() bool {
		err := d.db.QueryRow(context.Background(), "SELECT holder FROM leases WHERE name = $1 AND expires > clock_timestamp() AND up_since IS NOT NULL", channel).Scan(&holder)
		return err == nil && holder != former
	}) {
		d.t.Errorf("nobody holds %s", channel)
		return ""
	}
	return holder
}

func freeAddress() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(devstack.FreePort()))
}

// runs tells whether a lease's holder, HOST-PID-ID, is this process.
func (r *role) runs(holder string) bool {
	return strings.Contains(holder, fmt.Sprintf("-%d-", r.command.Process.Pid))
}

// TestServe is a desk whose roles are processes of their own, on servers that the
// environment names, two of each.
func TestServe(t *testing.T) {
	t.Parallel()
	s := startServers(t)
	env := s.environment()
	t.Run("doctor", func(t *testing.T) { examined(t, s, env) })
	collected := newCollector(t)
	env = append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+collected.URL)
	f := &fleet{servers: s, env: env}
	f.double("sms")
	f.double("im")
	f.double("tickets")
	f.apis = [2]string{freeAddress(), freeAddress()}
	f.roles["api"] = []*role{f.api(0), f.api(1)}
	desk := s.desk(t, env, f.apis[0])
	t.Run("doctor of a running desk", func(t *testing.T) { examine(t, s, env, true, "ok smpp up since", "ok xmpp up since") })
	stands := standStill(t, s, desk)
	t.Run("a day by the book", func(t *testing.T) { bookInRealTime(t, desk.with(t)) })
	t.Run("kill -9 under traffic", func(t *testing.T) { f.killed(t, desk.with(t)) })
	t.Run("SIGTERM under traffic", func(t *testing.T) {
		desk := desk.with(t)
		desk.HTTP = "http://" + f.apis[1]
		desk.answers()
		f.drained(t, desk)
	})
	t.Run("a ticket that stands still", func(t *testing.T) { stands(t, env) })
	t.Run("the nightly rehearsal", func(t *testing.T) { rehearsedAtNight(t, desk) })
	t.Run("under another policy", func(t *testing.T) { backtested(t, s, env) })
	t.Run("logs", func(t *testing.T) { s.noPersonalData(t) })
	f.stop()
	t.Run("traces", collected.complete)
	t.Run("without the engine", func(t *testing.T) { engineless(t, s, desk.with(t), env) })
	t.Run("restored", func(t *testing.T) { restored(t, s) })
	t.Run("as composed", func(t *testing.T) { composed(t, s) })
}

// standStill starts a ticket whose workflow fails at its first step, again and again:
// three times in half a minute, when nothing else runs. The manager hears of it once, whatever is killed meanwhile, and once when it is over:
// what it returns checks that.
func standStill(t *testing.T, s *servers, desk *Desk) func(*testing.T, []string) {
	const id = "ticket-99999"
	meg := desk.Person("meg").Phone()
	began := time.Now()
	if _, err := desk.engine.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "deskbell"}, "Ticket",
		map[string]any{
			"opening": map[string]any{"number": 99999, "priority": ""}, // without one its row in the list cannot be written
			"found":   map[string]any{"lookup": map[string]any{"at": "2001-01-01T00:00:00Z"}},
		}); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, env []string) {
		told, ok := meg.within(2*alarm-time.Since(began), []string{"#99999 stands still"})
		if !ok {
			t.Fatalf("the manager does not know:\n%s", meg.story())
		}
		t.Logf("the manager knew after %s", told.At.Sub(began).Round(time.Second))
		if said, err := s.run(env, "doctor"); err == nil || !strings.Contains(said, "stuck") {
			t.Errorf("%v\n%s", err, said)
		}
		if err := desk.engine.TerminateWorkflow(t.Context(), id, "", "it never works"); err != nil {
			t.Fatal(err)
		}
		if _, ok := meg.within(alarm, []string{"No ticket stands still"}); !ok {
			t.Errorf("the manager does not know that it is over:\n%s", meg.story())
		}
		if n := meg.Count("still"); n != 2 {
			t.Errorf("the manager heard %d times", n)
		}
	}
}

// rehearsedAtNight runs the schedule that both ticket workers made: without a hole
// nobody is told, with holes the manager is.
func rehearsedAtNight(t *testing.T, desk *Desk) {
	night := func() {
		t.Helper()
		var before, after *client.ScheduleDescription
		handle := desk.engine.ScheduleClient().GetHandle(t.Context(), "rehearsal")
		before, err := handle.Describe(t.Context())
		if err == nil {
			err = handle.Trigger(t.Context(), client.ScheduleTriggerOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if !eventually(Patience, func() bool {
			after, err = handle.Describe(t.Context())
			return err == nil && len(after.Info.RunningWorkflows) == 0 && after.Info.NumActions > before.Info.NumActions
		}) {
			t.Fatalf("the rehearsal does not end: %+v, %v", after.Info, err)
		}
		if hours := after.Schedule.Spec.Calendars[0].Hour; len(after.Schedule.Spec.Calendars) != 1 || hours[0].Start != 19 {
			t.Errorf("%+v", after.Schedule.Spec)
		}
	}
	told := func() (n int) {
		if err := desk.db.QueryRow(t.Context(), "SELECT count(*) FROM deliveries WHERE reason = 'mgr_holes'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	night()
	if n := told(); n != 0 {
		t.Errorf("%d told of no hole", n)
	}
	stop := func(stopped bool) {
		if _, err := desk.db.Exec(t.Context(), "UPDATE people SET stopped = $1 WHERE id IN ('dana', 'sam')", stopped); err != nil {
			t.Fatal(err)
		}
	}
	stop(true)
	night()
	stop(false)
	if n := told(); n != 1 {
		t.Errorf("%d managers told of the holes", n)
	}
}

// backtested replays the tickets of this test under a policy that asks one at a time.
func backtested(t *testing.T, s *servers, env []string) {
	file := filepath.Join(s.dir, "backtest.html")
	shy := s.file("shy.yaml", "priorities: {P3: {hours: always, wave: {size: 1, every: 15m}}}")
	said, err := s.run(env, "backtest", "--policy", shy, "--since", "1d", "--out", file)
	if err != nil || !strings.Contains(said, "What is assumed") {
		t.Fatalf("%v: %s", err, said)
	}
	var tickets, was, now int
	all := said[max(0, strings.Index(said, "all: ")):]
	if _, err := fmt.Sscanf(strings.Join(strings.Fields(all), " "), "all: %d tickets messages to ask and call %d %d", &tickets, &was, &now); err != nil || tickets == 0 || now < tickets || was <= now {
		t.Errorf("%v: %s", err, said)
	}
	if page, err := os.ReadFile(file); err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("no picture: %v", err)
	}
}

// collector takes traces.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	took []byte
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "want traces", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.took = append(c.took, body...)
	}))
	t.Cleanup(c.Close)
	return c
}

// complete checks that each role told what it did, and nothing personal.
func (c *collector) complete(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range []string{"HTTP POST", "StartWorkflow:Ticket", "RunWorkflow:Ticket", "RunActivity:", "SignalWorkflow:command"} {
		if !bytes.Contains(c.took, []byte(span)) {
			t.Errorf("no span %q", span)
		}
	}
	if phoneNumber.Match(c.took) || bytes.Contains(c.took, []byte("Printer")) {
		t.Error("personal data in a trace")
	}
}

// with is the same desk for another test.
func (d *Desk) with(t *testing.T) *Desk {
	s := *d.server
	another := &Desk{server: &s, t: t, persons: map[string]*Person{}}
	for _, r := range s.People {
		if r.Phone != "" {
			another.Person(r.ID).Phone() // watched from the start
		}
	}
	return another
}

// bookInRealTime is dialogue d01 without its pauses.
func bookInRealTime(t *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	desk.Free("bob")
	n := ann.Submit("Printer on 3rd floor jams", "P3")
	id := number(n)
	ann.Phone().Expect(id, "we have your request", "Printer on 3rd floor jams")
	bob.Phone().Expect(id, "Printer", fmt.Sprintf("Reply %d to take", n)).Reply(fmt.Sprint(n)).Expect(id+" is yours", "Ann Lee")
	ann.Phone().Expect("Bob", id)
	ann.Phone().Reply("status").Expect(id, "Bob is on it")
	bob.Chat().Reply(fmt.Sprintf("done %d took a torn page out of tray 2", n)).Expect(id + " closed")
	ann.Phone().Expect(id, "solved", "torn page")
	desk.Await(n, "resolved", "bob")
	for _, p := range desk.away {
		p.Phone().Reply("back")
	}
	bob.Leave()
	desk.Settle()
}

// fleet is the processes of a desk.
type fleet struct {
	*servers
	env    []string
	roles  map[string][]*role
	apis   [2]string // addresses
	serial int
}

// api starts one of the two APIs.
func (f *fleet) api(i int) *role {
	return f.start(f.name("api"), append(slices.Clone(f.env), "DESKBELL_HTTP_ADDR="+f.apis[i]), "-v", "serve", "api")
}

func (f *fleet) name(role string) string {
	f.serial++
	return fmt.Sprintf("%s%d", role, f.serial)
}

// double sees to it that two processes of a role run.
func (f *fleet) double(name string) {
	if f.roles == nil {
		f.roles = map[string][]*role{}
	}
	alive := f.roles[name][:0]
	for _, r := range f.roles[name] {
		select {
		case <-r.exited:
		default:
			alive = append(alive, r)
		}
	}
	for len(alive) < 2 {
		alive = append(alive, f.start(f.name(name), f.env, "-v", "serve", name))
	}
	f.roles[name] = alive
}

// stop ends all processes in order.
func (f *fleet) stop() {
	f.t.Helper()
	for _, roles := range f.roles {
		for _, r := range roles {
			_ = r.command.Process.Signal(syscall.SIGTERM) // those that ended already
			<-r.exited
		}
	}
}

// holding is the process that holds a channel.
func (f *fleet) holding(desk *Desk, channel string) (r *role, holder string) {
	desk.t.Helper()
	holder = desk.holder(channel, "")
	for _, r := range f.roles[channel] {
		if r.runs(holder) {
			return r, holder
		}
	}
	desk.t.Fatalf("%s is held by %s, none of ours", channel, holder)
	return nil, ""
}

// traffic has two agents take tickets, one by SMS, the other by chat, and calls what
// is to happen at some of them. It returns when all are taken.
func traffic(desk *Desk, count int, at map[int]func()) {
	desk.t.Helper()
	ann, bob, eve := desk.Person("ann"), desk.Person("bob"), desk.Person("eve")
	chat := eve.Chat()
	var numbers []int
	for i := range count {
		n := ann.Submit(fmt.Sprintf("Traffic %d", i), "P3")
		numbers = append(numbers, n)
		if i%2 == 0 {
			bob.Phone().Reply(fmt.Sprint(n))
		} else {
			chat.Reply(fmt.Sprintf("take %d", n))
		}
		if f := at[i]; f != nil {
			f()
		}
	}
	for i, n := range numbers {
		who := []string{"bob", "eve"}[i%2]
		var t Ticket
		if !eventually(30*time.Second, func() bool { t = desk.Ticket(n); return t.Assignee == who }) {
			desk.t.Fatalf("ticket %d is %s with %q, not with %s", n, t.Status, t.Assignee, who)
		}
	}
	desk.Settle()
	for _, n := range numbers {
		if got := strings.Count(desk.Events(n), "taken"); got != 1 {
			desk.t.Errorf("ticket %d: %s", n, desk.Events(n))
		}
	}
}

// takeover is the longest that a channel may be without a link after its holder was
// killed.
const takeover = 15 * time.Second

// killed kills the holders, a worker of the tickets and the API that is spoken to, one
// after the other, while messages come and go.
func (f *fleet) killed(t *testing.T, desk *Desk) {
	kill := func(r *role) {
		if err := r.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	take := func(channel string) func() {
		return func() {
			r, holder := f.holding(desk, channel)
			kill(r)
			began := time.Now()
			f.later(t, func() {
				desk.holder(channel, holder)
				took := time.Since(began)
				t.Logf("%s: the other process is up after %s", channel, took.Round(10*time.Millisecond))
				if took > takeover {
					t.Errorf("%s: bound %s after the kill, want at most %s", channel, took, takeover)
				}
			})
		}
	}
	for round := range howSevere().rounds {
		api := round % len(f.apis)
		for _, i := range []int{1 - api, api} { // the other is back from its last round
			desk.HTTP = "http://" + f.apis[i]
			desk.answers()
		}
		traffic(desk, 16, map[int]func(){
			2:  take("sms"),
			6:  take("im"),
			10: func() { kill(f.roles["tickets"][0]) },
			13: func() {
				kill(f.roles["api"][api])
				desk.HTTP = "http://" + f.apis[1-api] // whoever submits tries the other
			},
		})
		audit(t, desk)
		for _, name := range []string{"sms", "im", "tickets"} {
			f.double(name)
		}
		f.roles["api"][api] = f.api(api)
	}
}

// later runs a check beside the test, which waits for it.
func (f *fleet) later(t *testing.T, check func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		check()
	}()
	t.Cleanup(func() { <-done })
}

// drained ends the holders in order, while messages come and go: nothing's outcome
// is unknown, and nothing is sent twice.
func (f *fleet) drained(t *testing.T, desk *Desk) {
	unknown := func() (n int) {
		if err := desk.db.QueryRow(t.Context(), "SELECT count(*) FROM deliveries WHERE state = 'unknown' OR repeated").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := unknown()
	term := func(r *role) {
		if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		f.later(t, func() {
			select {
			case <-r.exited:
				if r.status != nil {
					t.Errorf("%s ended with %v after SIGTERM", r.name, r.status)
				}
			case <-time.After(stopLimit):
				t.Errorf("%s still runs %s after SIGTERM", r.name, stopLimit)
			}
		})
	}
	holder := func(channel string) func() {
		return func() {
			r, _ := f.holding(desk, channel)
			term(r)
		}
	}
	traffic(desk, 16, map[int]func(){
		2:  holder("sms"),
		6:  holder("im"),
		10: func() { term(f.roles["tickets"][0]) },
	})
	audit(t, desk)
	if after := unknown(); after != before {
		t.Errorf("%d messages have an unknown outcome after an orderly end", after-before)
	}
}

// engineless starts a desk whose engine is away: it binds, takes in what comes, and
// ends in order all the same.
func engineless(t *testing.T, s *servers, desk *Desk, env []string) {
	address := freeAddress()
	began := time.Now()
	r := s.start("engineless", append(slices.Clone(env), "TEMPORAL_ADDRESS=127.0.0.1:1", "DESKBELL_HTTP_ADDR="+address), "-v", "serve")
	desk.HTTP = "http://" + address
	for _, channel := range []string{"sms", "im"} {
		if holder := desk.holder(channel, ""); !r.runs(holder) {
			t.Errorf("%s is held by %s", channel, holder)
		}
	}
	t.Logf("bound and logged in after %s", time.Since(began).Round(10*time.Millisecond))
	bob := desk.Person("bob").Phone()
	bob.Reply("help").Expect("take")
	n := desk.Person("ann").Submit("The engine is away", "P3")
	if got := desk.Ticket(n); got.Status != "new" || got.Version != 0 {
		t.Errorf("%+v", got)
	}
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	select {
	case <-r.exited:
		if r.status != nil {
			t.Errorf("ended with %v", r.status)
		}
		t.Logf("ended after %s", time.Since(began).Round(10*time.Millisecond))
	case <-time.After(stopLimit):
		t.Errorf("still runs %s after SIGTERM", stopLimit)
	}
}

// audit compares what the SMSC has with what the desk knows: every text that was
// sent is there once, one with an unknown outcome at most once, and once more when
// it was marked; what was typed was kept once.
func audit(t *testing.T, desk *Desk) {
	t.Helper()
	type span struct{ least, most int }
	want := map[[2]string]span{}
	add := func(address, text string, least, most int) {
		w := want[[2]string{address, text}]
		want[[2]string{address, text}] = span{w.least + least, w.most + most}
	}
	rows, err := desk.db.Query(t.Context(), "SELECT address, text, again, state, repeated FROM deliveries WHERE channel = 'sms'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var address, text, again, state string
		var repeated bool
		if err := rows.Scan(&address, &text, &again, &state, &repeated); err != nil {
			t.Fatal(err)
		}
		switch {
		case (state == "sent" || state == "delivered") && !repeated:
			add(address, text, 1, 1)
		case state == "sent" || state == "delivered":
			add(address, text, 0, 1)
			add(address, again, 1, 1)
		case state == "unknown":
			add(address, text, 0, 1)
			if repeated {
				add(address, again, 0, 1)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	got := map[[2]string]int{}
	typed := 0
	for _, r := range desk.People {
		if r.Phone == "" {
			continue
		}
		list, err := desk.phones.messages(r.Phone)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Own {
				typed++
			} else {
				got[[2]string{r.Phone, m.Text}]++
			}
		}
	}
	for key, w := range want {
		if n := got[key]; n < w.least || n > w.most {
			t.Errorf("%d times at the phone, want %d to %d: %q", n, w.least, w.most, key)
		}
	}
	for key := range got {
		if _, known := want[key]; !known {
			t.Errorf("nobody sent this: %q", key)
		}
	}
	var kept int
	if err := desk.db.QueryRow(t.Context(), "SELECT count(*) FROM inbox WHERE channel = 'sms' AND state = 'finished'").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if kept != typed {
		t.Errorf("%d messages were typed, %d were kept and finished", typed, kept)
	}
	for _, p := range desk.persons {
		if p.chat != nil {
			auditChat(t, desk, p)
		}
	}
}

// auditChat checks that a person read no message twice and that what they wrote was
// kept once. Each text of the traffic names its ticket.
func auditChat(t *testing.T, desk *Desk, p *Person) {
	t.Helper()
	list, err := p.chat.history()
	if err != nil {
		t.Fatal(err)
	}
	own, got := 0, map[string]int{}
	for _, m := range list {
		if m.Own {
			own++
		} else if got[m.Text]++; got[m.Text] == 2 {
			t.Errorf("%s read twice: %s", p.Name, m.Text)
		}
	}
	if kept, err := written(t.Context(), desk.db, p.JID); err != nil || kept != p.chat.kept+own {
		t.Errorf("%s wrote %d messages, %d were kept: %v", p.Name, own, kept-p.chat.kept, err)
	}
}

var phoneNumber = regexp.MustCompile(`\+?4477009[0-9]{5}`)

// noPersonalData looks through what the roles logged at info and above.
func (s *servers) noPersonalData(t *testing.T) {
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for scan := bufio.NewScanner(bytes.NewReader(data)); scan.Scan(); lines++ {
			line := scan.Text()
			if !json.Valid([]byte(line)) {
				t.Errorf("not a JSON object: %s", line)
			}
			if phoneNumber.MatchString(line) || strings.Contains(line, "@"+devstack.XMPPDomain) || strings.Contains(line, "Printer") || strings.Contains(line, "Traffic") || strings.Contains(line, "Ann Lee") {
				t.Errorf("personal data: %s", line)
			}
		}
	}
	if lines < 8 {
		t.Errorf("only %d lines were logged", lines)
	}
}
