package desk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deskbell/activities"
	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/store/storetest"
	"deskbell/ticket"
	"deskbell/workflows"
)

var server *storetest.Server

func TestMain(m *testing.M) { os.Exit(storetest.Run(m, &server)) }

var morning = time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)

// patience bounds a failing test.
const patience = 20 * time.Second

// stopped is a clock that only a test moves.
type stopped struct{ offset atomic.Int64 }

func (c *stopped) Now() time.Time { return morning.Add(time.Duration(c.offset.Load())) }

func (c *stopped) pass(d time.Duration) { c.offset.Add(int64(d)) }

// engine is the tickets' workflows in this process: a command is applied when it is
// signalled, and its notices are told at once.
type engine struct {
	client.Client
	world *world

	mu      sync.Mutex
	tickets map[int]ticket.Ticket
	known   map[string]bool  // commands that were applied
	signals []ticket.Command // as they came, repetitions too
	most    map[string]int   // the most tickets that somebody ever held
	away    bool             // nothing is taken
	mute    bool             // commands are taken, and not applied
	fails   int              // so many commands are not taken
	// webhooks are the deliveries to make.
	webhooks []int64
	service  workflowservice.WorkflowServiceClient
}

func (e *engine) WorkflowService() workflowservice.WorkflowServiceClient { return e.service }

var errAway = errors.New("no engine")

func (e *engine) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return nil, errAway
	}
	if o.TaskQueue == workflows.WebhookQueue {
		e.webhooks = append(e.webhooks, args[0].(int64))
		return nil, nil
	}
	t, events := ticket.Open(*args[0].(workflows.Input).Opening, e.world.clock.Now())
	return nil, e.became(ctx, ticket.Ticket{}, t, events)
}

func (e *engine) SignalWorkflow(ctx context.Context, id, _, _ string, arg any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return errAway
	}
	if e.fails > 0 {
		e.fails--
		return errAway
	}
	c := arg.(ticket.Command)
	e.signals = append(e.signals, c)
	if e.mute {
		return nil
	}
	t, err := e.apply(ctx, number(id), c)
	if refusal, ok := ticket.Refused(err); ok {
		return e.tell(ctx, t, ticket.Answer(t, c, refusal))
	}
	return err
}

func (e *engine) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return nil, errAway
	}
	t, err := e.apply(ctx, number(o.WorkflowID), o.Args[0].(ticket.Command))
	if refusal, ok := ticket.Refused(err); ok {
		err = temporal.NewNonRetryableApplicationError(refusal.Error(), workflows.RefusedType, nil, *refusal)
	}
	return handle{t: t, err: err}, nil
}

// number is the ticket of a workflow.
func number(id string) (n int) {
	_, _ = fmt.Sscanf(id, "ticket-%d", &n) // our own ids
	return n
}

// handle is the outcome of an update.
type handle struct {
	client.WorkflowUpdateHandle
	t   ticket.Ticket
	err error
}

func (h handle) Get(_ context.Context, into any) error {
	if h.err == nil {
		into.(*workflows.Reply).Ticket = h.t
	}
	return h.err
}

func (e *engine) apply(ctx context.Context, number int, c ticket.Command) (ticket.Ticket, error) {
	before := e.tickets[number]
	if e.known[c.ID] {
		return before, nil
	}
	after, events, err := ticket.Apply(before, c, e.world.clock.Now())
	if err != nil {
		return before, err
	}
	e.known[c.ID] = true
	return after, e.became(ctx, before, after, events)
}

func (e *engine) became(ctx context.Context, before, after ticket.Ticket, events []ticket.Event) error {
	e.tickets[after.Number] = after
	if holder := after.Assignee.ID; after.Holder(holder) {
		held := 0
		for _, t := range e.tickets {
			if t.Holder(holder) {
				held++
			}
		}
		e.most[holder] = max(e.most[holder], held)
	}
	if err := e.world.desk.TicketActivities().Project(ctx, activities.Projection{Ticket: after, Events: events}); err != nil {
		return err
	}
	var notices []ticket.Notice
	for _, event := range events {
		next := ticket.Evolve(before, event)
		notices = append(notices, ticket.Notices(before, next, event)...)
		before = next
	}
	return e.tell(ctx, after, notices)
}

func (e *engine) tell(ctx context.Context, t ticket.Ticket, notices []ticket.Notice) error {
	_, err := e.world.desk.NoticeActivities().Notify(ctx, activities.NotifyInput{Ticket: t, Notices: notices, Now: e.world.clock.Now()})
	return err
}

func (e *engine) set(change func(*engine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// count is how many commands with this verb were signalled.
func (e *engine) count(verb ticket.Verb) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.signals {
		if c.Verb == verb {
			n++
		}
	}
	return n
}

// world is a desk on a database of its own, with tickets in this process and
// nothing that sends.
type world struct {
	t      *testing.T
	store  *store.Store
	db     *pgxpool.Pool
	clock  *stopped
	engine *engine
	desk   *desk.Desk
	// another is one more process of the same desk, which serves no channel.
	another func() *desk.Desk
	stop    func() // ends the process that does
	serial  int
	files   string
}

// open opens one, with a team's room if that is named.
func open(t *testing.T, limits string, room ...string) *world {
	t.Helper()
	t.Parallel()
	url := server.Database(t)
	w := &world{t: t, clock: &stopped{}}
	var err error
	w.db, err = pgxpool.New(t.Context(), url)
	must(t, err)
	t.Cleanup(w.db.Close)
	log := slog.New(slog.DiscardHandler)
	w.store, err = store.Open(t.Context(), url, w.clock, log)
	must(t, err)
	t.Cleanup(w.store.Close)
	agent := roster.Roles{roster.Agent}
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "bob", Name: "Bob", Roles: agent, Phone: "+15550101", JID: "bob@desk.localhost"},
		{ID: "eve", Name: "Eve", Roles: agent, Phone: "+15550102", JID: "eve@desk.localhost"},
		{ID: "ann", Name: "Ann Lee", Roles: roster.Roles{roster.Requester}, Phone: "+15550201"},
	}}))
	pol, err := policy.Load([]byte(limits))
	must(t, err)
	w.engine = &engine{world: w, tickets: map[int]ticket.Ticket{}, known: map[string]bool{}, most: map[string]int{}}
	process := func(s *store.Store) *desk.Desk {
		return desk.New(desk.Config{Store: s, Engine: w.engine, Policy: pol, Clock: w.clock, Log: log, Join: join, Zone: time.UTC, Own: []string{"+15550000", "desk@desk.localhost"}, Room: strings.Join(room, ""), URL: "http://desk", Org: "Desk",
			Key: "0123456789abcdef0123456789abcdef", Files: w.files, WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	}
	w.another = func() *desk.Desk {
		s, err := store.Open(t.Context(), url, w.clock, log)
		must(t, err)
		t.Cleanup(s.Close)
		return process(s)
	}
	w.files = t.TempDir()
	w.desk = process(w.store)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.desk.Run(ctx) })
	for _, channel := range []gateway.Channel{gateway.SMS, gateway.IM} {
		wg.Go(func() { _ = w.desk.Serve(ctx, channel) })
	}
	w.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(w.stop)
	return w
}

// givePIN gives Bob one. Its hash is slow on purpose, so that the others go without.
func (w *world) givePIN(pin string) {
	w.t.Helper()
	must(w.t, w.store.Import(w.t.Context(), roster.File{People: []roster.Person{
		{ID: "bob", Name: "Bob", Roles: roster.Roles{roster.Agent}, Phone: "+15550101", JID: "bob@desk.localhost", PIN: pin}}}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// submit makes a ticket of Ann's that waits, and has it offered to some.
func (w *world) submit(subject string, offered ...string) int {
	w.t.Helper()
	got, _, err := w.desk.Submit(w.t.Context(), desk.Submission{Subject: subject, Requester: "ann", Channel: "rest"})
	must(w.t, err)
	w.until("the ticket is open", func() bool { return w.ticket(got.Number).Version > 0 })
	if len(offered) > 0 {
		w.offer(got.Number, offered...)
	}
	return got.Number
}

// offer has a ticket that waits offered to some.
func (w *world) offer(n int, offered ...string) {
	w.t.Helper()
	w.engine.set(func(e *engine) {
		before := e.tickets[n]
		l, _ := before.Lookup(w.clock.Now())
		var to []ticket.Party
		for _, id := range offered {
			to = append(to, ticket.Party{ID: id, Name: id, Via: "sms"})
		}
		found, err := w.desk.TicketActivities().Prepare(w.t.Context(), activities.PrepareInput{Lookup: l, Now: w.clock.Now()})
		must(w.t, err)
		found.Wave = to
		after, events, err := ticket.Apply(before, ticket.Found(l, found), w.clock.Now())
		must(w.t, err)
		must(w.t, e.became(w.t.Context(), before, after, events))
	})
}

func (w *world) ticket(n int) ticket.Ticket {
	w.t.Helper()
	t, err := w.store.Ticket(w.t.Context(), n)
	must(w.t, err)
	return t
}

var phones = map[string]string{"bob": "+15550101", "eve": "+15550102", "ann": "+15550201"}

// text is an SMS of somebody's.
func (w *world) text(who, text string) gateway.Message {
	w.serial++
	number, ok := phones[who]
	if !ok {
		number = who
	}
	return gateway.Message{Channel: gateway.SMS, Key: fmt.Sprintf("%s-%d", who, w.serial), From: number, ReplyTo: number, Text: text}
}

// keep puts messages into the inbox, together, and returns their keys.
func (w *world) keep(messages ...gateway.Message) []string {
	w.t.Helper()
	kept, err := w.store.Keep(w.t.Context(), messages)
	must(w.t, err)
	keys := make([]string, len(kept))
	for i, k := range kept {
		keys[i] = k.Key
	}
	w.desk.Kick(messages[0].Channel)
	return keys
}

// say is a text and its answer.
func (w *world) say(who, text string) string {
	w.t.Helper()
	return w.answer(w.keep(w.text(who, text))[0])
}

// answer waits until a message is finished, and returns the reason and the text of
// what answered it; "" for nothing.
func (w *world) answer(key string) string {
	w.t.Helper()
	w.until("an answer to "+key, func() bool { return w.state(key) == store.Finished })
	answers := w.answers(key)
	if len(answers) > 1 {
		w.t.Errorf("%s has %d answers: %q", key, len(answers), answers)
	}
	return slices.Concat(answers, []string{""})[0]
}

func (w *world) answers(key string) []string {
	return w.rows("SELECT reason || ': ' || text FROM deliveries WHERE answers = $1 ORDER BY id", key)
}

func (w *world) state(key string) string {
	return slices.Concat(w.rows("SELECT state FROM inbox WHERE key = $1", key), []string{""})[0]
}

func (w *world) rows(query string, args ...any) []string {
	w.t.Helper()
	rows, err := w.db.Query(w.t.Context(), query, args...)
	must(w.t, err)
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		must(w.t, rows.Scan(&s))
		list = append(list, s)
	}
	must(w.t, rows.Err())
	return list
}

func (w *world) until(what string, condition func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// join is for parts whose data is their text.
func join(parts []gateway.Part) (string, error) {
	var text string
	for _, p := range parts {
		text += string(p.Data)
	}
	return text, nil
}
