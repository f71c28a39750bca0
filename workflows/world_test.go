package workflows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// noon is a Tuesday.
var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

func person(id string, roles ...roster.Role) roster.Member {
	return roster.Member{Person: roster.Person{ID: id, Name: id, Phone: "+1" + id, Roles: roles}}
}

func party(id string) ticket.Party { return ticket.Party{ID: id, Name: id, Via: "sms"} }

// cast is a desk: Ann asks, Bob and Eve are on duty, Dana and then Sam are on
// call, Meg manages.
func cast() people {
	eve := person("eve", roster.Agent)
	eve.JID, eve.Presence = "eve@desk.localhost", roster.Presence{State: roster.Available}
	return people{person("ann", roster.Requester), person("bob", roster.Agent), eve,
		person("dana", roster.OnCallee), person("sam", roster.OnCallee), person("meg", roster.Manager)}
}

// people is a directory in memory.
type people []roster.Member

func (p people) Members(context.Context) ([]roster.Member, error) { return slices.Clone(p), nil }
func (p people) Rota(context.Context) ([]roster.Rotation, []roster.Override, error) {
	return nil, nil, nil
}
func (p people) MarkAsked(context.Context, []string, time.Time) error { return nil }
func (p people) People(context.Context) ([]roster.Person, error) {
	out := make([]roster.Person, len(p))
	for i, m := range p {
		out[i] = m.Person
	}
	return out, nil
}

// heard is a notice that was handed to a channel.
type heard struct {
	at time.Time
	ticket.Notice
}

func (h heard) String() string {
	return fmt.Sprintf("%s %s %s", h.To.Via, h.To.ID, h.Message)
}

// world is what a ticket lives in: a clock that skips, a directory, a read model
// and channels, through as many runs as the ticket continues in.
type world struct {
	*testing.T
	*testsuite.TestWorkflowEnvironment
	tickets *activities.Tickets
	plan    []*appointment
	runs    []int // events of each run, as the engine would count them
	carried []State
	// cut tells that a run was ended while something was under way: that is handed
	// out again, and its keys keep it from having a second effect.
	cut bool

	// These decide over an activity before it runs; nil lets it run.
	beforePrepare func(ticket.Lookup) error
	beforeProject func(activities.Projection) error
	beforeNotify  func(activities.NotifyInput) error

	mu          sync.Mutex // activities run side by side; it guards what they use
	heard       []heard
	batches     []activities.NotifyInput
	projections []activities.Projection
	snapshot    activities.Projection
	timers      []time.Duration
	armed       map[string]time.Time // when each timer rings
}

type appointment struct {
	at   time.Time
	do   func()
	done bool
}

// suggestAt is how many events a run may have before the engine suggests to
// continue as new.
const suggestAt = 4096

func newWorld(t *testing.T, p policy.Policy) *world {
	w := &world{T: t}
	w.tickets = &activities.Tickets{Directory: cast(), ReadModel: (*readModel)(w), Policy: p}
	return w
}

type readModel world

func (r *readModel) Load(context.Context, int) (activities.Projection, error) { return r.snapshot, nil }

func (r *readModel) Project(_ context.Context, p activities.Projection) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.beforeProject != nil {
		if err := r.beforeProject(p); err != nil {
			return err
		}
	}
	if n := len(r.projections); r.cut && n > 0 {
		seen := r.projections[n-1].Ticket.Version
		p.Events = slices.DeleteFunc(slices.Clone(p.Events), func(e ticket.Event) bool { return e.Seq <= seen })
	}
	r.projections = append(r.projections, p)
	return nil
}

func (w *world) Notify(ctx context.Context, in activities.NotifyInput) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.beforeNotify != nil {
		if err := w.beforeNotify(in); err != nil {
			return 0, err
		}
	}
	w.batches = append(w.batches, in)
	for _, n := range in.Notices {
		if w.cut && slices.ContainsFunc(w.heard, func(h heard) bool { return h.Key == n.Key }) {
			continue
		}
		w.heard = append(w.heard, heard{in.Now, n})
	}
	return len(in.Notices), nil
}

func (w *world) Prepare(ctx context.Context, in activities.PrepareInput) (ticket.Findings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.beforePrepare != nil {
		if err := w.beforePrepare(in.Lookup); err != nil {
			return ticket.Findings{}, err
		}
	}
	return w.tickets.Prepare(ctx, in)
}

// recover lets every activity run again.
func (w *world) recover() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beforePrepare, w.beforeProject, w.beforeNotify = nil, nil, nil
}

// on makes an appointment, d after noon.
func (w *world) on(d time.Duration, do func()) {
	w.plan = append(w.plan, &appointment{at: noon.Add(d), do: do})
}

func (w *world) signal(d time.Duration, c ticket.Command) {
	w.on(d, func() { w.count(4); w.SignalWorkflow(CommandSignal, c) })
}

// outcome is how an update ended.
type outcome struct {
	rejected, done bool
	reply          Reply
	err            error
}

func (w *world) update(d time.Duration, c ticket.Command) *outcome {
	o := new(outcome)
	w.on(d, func() { w.send(c, o) })
	return o
}

func (w *world) send(c ticket.Command, o *outcome) {
	w.UpdateWorkflow(CommandUpdate, c.ID, &testsuite.TestUpdateCallback{
		OnReject: func(err error) { o.rejected, o.done, o.err = true, true, err },
		OnAccept: func() { w.count(2) },
		OnComplete: func(reply any, err error) {
			o.done, o.err = true, err
			if r, ok := reply.(Reply); ok {
				o.reply = r
			}
		},
	}, c)
}

func (w *world) count(events int) {
	n := &w.runs[len(w.runs)-1]
	*n += events
	w.SetCurrentHistoryLength(*n)
	if *n > suggestAt {
		w.suggest()
	}
}

// suggest is the engine asking a run to continue in a new one at once.
func (w *world) suggest() {
	w.mu.Lock()
	w.cut = true
	w.mu.Unlock()
	w.SetContinueAsNewSuggested(true)
}

// live runs the ticket to its end and returns its final state.
func (w *world) live(in Input) State {
	w.Helper()
	now := noon
	for {
		next, final, err := w.run(now, in)
		now = w.Now()
		if err != nil {
			w.Fatalf("run %d: %v", len(w.runs), err)
		}
		if next == nil {
			return final
		}
		in = *next
		w.carried = append(w.carried, *in.State)
		if len(w.runs) > 3000 {
			w.Fatal("continues as new for ever")
		}
	}
}

func (w *world) run(start time.Time, in Input) (next *Input, final State, err error) {
	w.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	w.TestWorkflowEnvironment, w.armed = env, map[string]time.Time{}
	w.runs = append(w.runs, 4)
	env.SetStartTime(start)
	env.SetTestTimeout(30 * time.Second)
	env.RegisterWorkflowWithOptions(Ticket, workflow.RegisterOptions{Name: TypeName})
	env.RegisterActivityWithOptions(w.Prepare, activity.RegisterOptions{Name: "Prepare"})
	env.RegisterActivityWithOptions(w.tickets.Project, activity.RegisterOptions{Name: "Project"})
	env.RegisterActivityWithOptions(w.tickets.Load, activity.RegisterOptions{Name: "Load"})
	env.RegisterActivityWithOptions(w.Notify, activity.RegisterOptions{Name: "Notify"})
	env.SetOnTimerScheduledListener(func(id string, d time.Duration) {
		w.timers, w.armed[id] = append(w.timers, d), w.Now().UTC().Add(d)
		w.count(1)
	})
	env.SetOnTimerFiredListener(func(id string) { delete(w.armed, id); w.count(4) })
	env.SetOnTimerCanceledListener(func(id string) { delete(w.armed, id); w.count(1) })
	env.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { w.count(6) })
	env.SetOnLocalActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { w.count(1) })
	w.count(0)
	for _, a := range w.plan {
		if !a.done {
			env.RegisterDelayedCallback(func() { a.done = true; a.do() }, max(0, a.at.Sub(start)))
		}
	}
	env.ExecuteWorkflow(TypeName, in)
	if !env.IsWorkflowCompleted() {
		return nil, final, errors.New("does not end")
	}
	err = env.GetWorkflowError()
	if again, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
		next = new(Input)
		return next, final, converter.GetDefaultDataConverter().FromPayloads(again.Input, next)
	}
	if err == nil {
		err = env.GetWorkflowResult(&final)
	}
	return nil, final, err
}

func quiet() tlog.Logger { return tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// said lists what was handed to the channels, in order.
func (w *world) said() []string {
	out := make([]string, len(w.heard))
	for i, h := range w.heard {
		out[i] = h.String()
	}
	return out
}

// messages returns when a text went to somebody.
func (w *world) messages(m ticket.Message, to string) (at []time.Duration) {
	for _, h := range w.heard {
		if h.Message == m && (to == "" || h.To.ID == to) {
			at = append(at, h.at.Sub(noon))
		}
	}
	return at
}

// once fails when a notice was handed over twice, or an event projected twice.
func (w *world) once() {
	w.Helper()
	seen := map[string]bool{}
	for _, h := range w.heard {
		if seen[h.Key] {
			w.Errorf("%s was sent twice: %v", h.Key, h)
		}
		seen[h.Key] = true
	}
	seq := 0
	version := 0
	for _, p := range w.projections {
		if p.Ticket.Version < version {
			w.Errorf("version %d projected after %d", p.Ticket.Version, version)
		}
		version = p.Ticket.Version
		for _, e := range p.Events {
			if e.Seq != seq+1 {
				w.Errorf("event %d projected after %d", e.Seq, seq)
			}
			seq = e.Seq
		}
	}
}

// complete fails when the last projection is not the final state.
func (w *world) complete(final State) {
	w.Helper()
	w.once()
	if len(w.projections) == 0 {
		w.Fatal("nothing was projected")
	}
	if last := w.projections[len(w.projections)-1]; last.Ticket.Version != final.Ticket.Version {
		w.Errorf("the last projection has version %d, the ticket %d", last.Ticket.Version, final.Ticket.Version)
	}
}

func opening(p policy.Policy, priority ticket.Priority) Input {
	return Input{LocalLookups: true, Opening: &ticket.Opening{Number: 142, Subject: "Printer jams", Body: "Third floor", Requester: party("ann"), Channel: "rest",
		Priority: priority, CreatedAt: noon, Plan: p.For(priority), CommandID: "submit"}}
}

func by(id string, verb ticket.Verb, change ...func(*ticket.Command)) ticket.Command {
	c := ticket.Command{ID: string(verb) + "-" + id, Verb: verb, Actor: party(id), Channel: "sms", Works: id != "ann", Manages: id == "meg", Text: "text"}
	for _, f := range change {
		f(&c)
	}
	return c
}

func refusedAs(err error) ticket.Message {
	var refusal ticket.Refusal
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.Type() == RefusedType && app.Details(&refusal) == nil {
		return refusal.Message
	}
	return ""
}
