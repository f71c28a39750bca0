package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"deskbell/activities"
	"deskbell/devstack"
	"deskbell/notice"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
	"deskbell/workers"
	"deskbell/workflows"
)

// shared is the engine of this package's tests. It starts with the first that
// needs it.
var shared struct {
	sync.Mutex
	dir      string
	postgres *devstack.Postgres
	temporal *devstack.Temporal
	client   client.Client
}

func TestMain(m *testing.M) {
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if shared.client != nil {
		shared.client.Close()
	}
	if shared.temporal != nil {
		code = max(code, stopped(shared.temporal.Stop(ctx)))
	}
	if shared.postgres != nil {
		code = max(code, stopped(shared.postgres.Stop(ctx)))
		code = max(code, stopped(os.RemoveAll(shared.dir)))
	}
	os.Exit(code)
}

func stopped(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// engine is the client of a real server. Without one the test is skipped, and
// fails in CI.
func engine(t *testing.T) client.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real server")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.client != nil {
		return shared.client
	}
	binary := os.Getenv("DESKBELL_ENGINE")
	if binary == "" {
		binary, _ = filepath.Abs("../bin/deskbell-temporal")
	}
	if _, err := os.Stat(binary); err != nil {
		missing(t, fmt.Errorf("no engine: %w; run make build, or name one in DESKBELL_ENGINE", err))
	}
	// The folder outlives the test that starts the servers.
	dir, err := os.MkdirTemp("", "deskbell-workflows-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	shared.dir = dir
	shared.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: filepath.Join(dir, "postgres"), Test: true})
	if _, absent := errors.AsType[*devstack.MissingError](err); absent {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	shared.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalConfig{
		Binary: binary, Dir: filepath.Join(dir, "temporal"), Postgres: shared.postgres.URL("postgres"), TimeSkipping: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	shared.client, err = client.Dial(client.Options{HostPort: shared.temporal.Address(), Logger: silent()})
	if err != nil {
		t.Fatal(err)
	}
	return shared.client
}

func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("CI must have every server: %v", err)
	}
	t.Skip(err)
}

func silent() tlog.Logger { return tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// desk is the world of the tickets of one test on the real server: the workers of
// every queue as in production, on a directory, a read model and channels in
// memory.
type desk struct {
	*testing.T
	client client.Client
	policy policy.Policy
	stop   func() // ends the workers

	mu        sync.Mutex
	away      chan struct{} // while it is open the directory does not answer
	changed   chan struct{} // closed and made anew whenever something below changes
	posts     map[int][]activities.Post
	snapshots map[int]activities.Projection
}

var cast = []roster.Member{person("ann", roster.Requester), person("bob", roster.Agent), person("eve", roster.Agent),
	person("dana", roster.OnCallee), person("sam", roster.OnCallee), person("meg", roster.Manager)}

func person(id string, roles ...roster.Role) roster.Member {
	return roster.Member{Person: roster.Person{ID: id, Name: id, Phone: "+1" + id, Roles: roles}}
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, client: engine(t), policy: policy.Default(), changed: make(chan struct{}),
		posts: map[int][]activities.Post{}, snapshots: map[int]activities.Projection{}, stop: func() {}}
	d.work()
	t.Cleanup(func() { d.stop() })
	return d
}

// work starts the workers; stop ends them.
func (d *desk) work() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.Context()))
	var group sync.WaitGroup
	run := func(f func() error) {
		group.Go(func() {
			if err := f(); err != nil {
				d.Error(err)
			}
		})
	}
	notices := &activities.Notices{Addresses: d, Waiting: d, Outbox: d, Zone: time.UTC}
	run(func() error {
		return workers.RunTickets(ctx, d.client, &activities.Tickets{Directory: d, ReadModel: d, Policy: d.policy})
	})
	run(func() error { return workers.RunNotices(ctx, d.client, workflows.SMSQueue, notices) })
	run(func() error { return workers.RunNotices(ctx, d.client, workflows.IMQueue, notices) })
	d.stop = sync.OnceFunc(func() { cancel(); group.Wait() })
}

func (d *desk) Members(ctx context.Context) ([]roster.Member, error) {
	d.mu.Lock()
	away := d.away
	d.mu.Unlock()
	if away != nil {
		select {
		case <-ctx.Done():
		case <-away:
		}
		return nil, errors.New("the directory was away")
	}
	return slices.Clone(cast), nil
}
func (d *desk) Rota(context.Context) ([]roster.Rotation, []roster.Override, error) {
	return nil, nil, nil
}
func (d *desk) MarkAsked(context.Context, []string, time.Time) error { return nil }
func (d *desk) People(context.Context) ([]roster.Person, error) {
	var out []roster.Person
	for _, m := range cast {
		out = append(out, m.Person)
	}
	return out, nil
}

func (d *desk) PeopleByID(_ context.Context, ids []string) (map[string]roster.Person, error) {
	people := map[string]roster.Person{}
	for _, id := range ids {
		people[id] = person(id).Person
	}
	return people, nil
}
func (d *desk) ReplyTo(context.Context, string) (string, error)       { return "", nil }
func (d *desk) Waiting(context.Context, int) ([]ticket.Ticket, error) { return nil, nil }
func (d *desk) Load(_ context.Context, n int) (activities.Projection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.snapshots[n], nil
}

func (d *desk) Project(_ context.Context, p activities.Projection) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.Events = append(slices.Clone(d.snapshots[p.Ticket.Number].Events), p.Events...)
	d.snapshots[p.Ticket.Number] = p
	d.wake()
	return nil
}

func (d *desk) Post(_ context.Context, posts []activities.Post) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range posts {
		d.posts[p.Ticket.Number] = append(d.posts[p.Ticket.Number], p)
	}
	d.wake()
	return nil
}

func (d *desk) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// until waits for a condition over what was posted and projected.
func (d *desk) until(what string, condition func() bool) {
	d.Helper()
	deadline := time.After(30 * time.Second)
	for {
		d.mu.Lock()
		ok, changed := condition(), d.changed
		d.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			d.Fatalf("waited too long: %s", what)
		}
	}
}

// told waits until somebody was told something.
func (d *desk) told(number int, m ticket.Message, to string) (post activities.Post) {
	d.Helper()
	d.until(fmt.Sprintf("%s to %s", m, to), func() bool {
		i := slices.IndexFunc(d.posts[number], func(p activities.Post) bool { return p.Notice.Message == m && p.Notice.To.ID == to })
		if i >= 0 {
			post = d.posts[number][i]
		}
		return i >= 0
	})
	return post
}

// is waits until the read model has a ticket in a state.
func (d *desk) is(number int, status ticket.Status) {
	d.Helper()
	d.until(fmt.Sprintf("ticket %d is %s", number, status), func() bool { return d.snapshots[number].Ticket.Status == status })
}

func (d *desk) count(number int, kind ticket.Kind) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.snapshots[number].Events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

var numbers atomic.Int64

func party(id string) ticket.Party { return ticket.Party{ID: id, Name: id, Via: "sms"} }

func (d *desk) opening(priority ticket.Priority) ticket.Opening {
	return ticket.Opening{Number: int(numbers.Add(1)), Subject: "Printer jams", Body: "Third floor", Requester: party("ann"), Channel: "rest",
		Priority: priority, CreatedAt: time.Now().UTC(), Plan: d.policy.For(priority), CommandID: "submit"}
}

func options(t ticket.Ticket) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: workflows.ID(t.Number), TaskQueue: workflows.Queue, TypedSearchAttributes: temporal.NewSearchAttributes(workflows.Attributes(t)...),
		StaticSummary:            notice.Summary(t.Number, t.Subject, t.Requester.Name, t.Priority),
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}

// submit starts a ticket and returns its number.
func (d *desk) submit(o ticket.Opening) int {
	d.Helper()
	t, _ := ticket.Open(o, o.CreatedAt)
	offset := time.Duration(0)
	if _, err := d.client.ExecuteWorkflow(d.Context(), options(t), workflows.TypeName, workflows.Input{Opening: &o, LocalLookups: true, TestClock: &offset}); err != nil {
		d.Fatal(err)
	}
	return o.Number
}

func by(id string, verb ticket.Verb, change ...func(*ticket.Command)) ticket.Command {
	c := ticket.Command{ID: string(verb) + "-" + id, Verb: verb, Actor: party(id), Channel: "sms", Works: id != "ann", Manages: id == "meg", Text: "text"}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (d *desk) signal(number int, c ticket.Command) {
	d.Helper()
	if err := d.client.SignalWorkflow(d.Context(), workflows.ID(number), "", workflows.CommandSignal, c); err != nil {
		d.Fatal(err)
	}
}

// clock moves the ticket's idea of the present.
func (d *desk) clock(number int, offset time.Duration) {
	d.Helper()
	if err := d.client.SignalWorkflow(d.Context(), workflows.ID(number), "", workflows.ClockSignal, offset); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) update(ctx context.Context, number int, c ticket.Command) (workflows.Reply, error) {
	handle, err := d.client.UpdateWorkflow(ctx, updateOptions(number, c))
	var reply workflows.Reply
	if err == nil {
		err = handle.Get(ctx, &reply)
	}
	return reply, err
}

func updateOptions(number int, c ticket.Command) client.UpdateWorkflowOptions {
	return client.UpdateWorkflowOptions{WorkflowID: workflows.ID(number), UpdateID: c.ID, UpdateName: workflows.CommandUpdate,
		Args: []any{c}, WaitForStage: client.WorkflowUpdateStageCompleted}
}

// history is a run's history; with done it is read to its end.
func (d *desk) history(number int, run string, done bool) *history.History {
	d.Helper()
	h := &history.History{}
	for it := d.client.GetWorkflowHistory(d.Context(), workflows.ID(number), run, done, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		if err != nil {
			d.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	return h
}

func refusedAs(err error) ticket.Message {
	var refusal ticket.Refusal
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.Type() == workflows.RefusedType && app.Details(&refusal) == nil {
		return refusal.Message
	}
	return ""
}

// admitted waits until an update waits in the server for a worker.
func (d *desk) admitted(number int, update string) {
	d.Helper()
	request := &workflowservice.PollWorkflowExecutionUpdateRequest{Namespace: "default",
		UpdateRef:  &updatepb.UpdateRef{WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflows.ID(number)}, UpdateId: update},
		WaitPolicy: &updatepb.WaitPolicy{LifecycleStage: enums.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED}}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(20 * time.Second); ; {
		if _, err := d.client.WorkflowService().PollWorkflowExecutionUpdate(d.Context(), request); err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			d.Fatalf("the update %s of ticket %d does not arrive", update, number)
		}
	}
}
