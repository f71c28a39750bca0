package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"deskbell/activities"
	"deskbell/notice"
	"deskbell/policy"
	"deskbell/ticket"
)

// A new run knows what the old one knew, whatever was under way.
func TestContinueAsNewCarriesEverything(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	w.on(time.Minute, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.beforeNotify = func(activities.NotifyInput) error { return activity.ErrResultPending }
		w.beforeProject = func(activities.Projection) error { return activity.ErrResultPending }
	})
	w.signal(2*time.Minute, by("bob", ticket.Take))
	w.signal(3*time.Minute, by("bob", ticket.Note))
	w.on(4*time.Minute, w.suggest)
	w.signal(4*time.Minute, by("bob", ticket.Tell))
	w.on(4*time.Minute, w.recover)
	w.signal(5*time.Minute, by("meg", ticket.Cancel))
	final := w.live(opening(p, ticket.P1))
	w.complete(final)
	if len(w.carried) != 1 {
		t.Fatalf("%d runs", len(w.runs))
	}
	c := w.carried[0]
	if want := []string{"submit", "take-bob", "note-bob", "tell-bob"}; !slices.Equal(c.Commands, want) {
		t.Errorf("carried commands %v, want %v", c.Commands, want)
	}
	var kinds []ticket.Kind
	for _, e := range c.Unprojected {
		kinds = append(kinds, e.Kind)
	}
	if want := []ticket.Kind{ticket.Taken, ticket.Noted, ticket.Told}; !slices.Equal(kinds, want) {
		t.Errorf("carried events %v, want %v", kinds, want)
	}
	var told []ticket.Message
	for _, n := range c.Outbox {
		told = append(told, n.Message)
	}
	for _, m := range []ticket.Message{"take_ok", "req_claimed", "offer_gone", "note_ok", "tell_ok", "req_told"} {
		if !slices.Contains(told, m) {
			t.Errorf("%s is lost; carried %v", m, told)
		}
		if len(w.messages(m, "")) != 1 {
			t.Errorf("%s was handed over %d times", m, len(w.messages(m, "")))
		}
	}
}

// Every field of State survives a round trip through the engine's converter.
func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	tkt, events := ticket.Open(*opening(policy.Default(), ticket.P2).Opening, noon)
	state := State{Ticket: tkt, Commands: []string{"a", "b"}, Unprojected: events, Outbox: ticket.Notices(ticket.Ticket{}, tkt, events[0])}
	if len(state.Outbox) == 0 {
		t.Fatal("nothing in the outbox")
	}
	payload, err := converter.GetDefaultDataConverter().ToPayloads(Input{State: &state})
	if err != nil {
		t.Fatal(err)
	}
	var got Input
	if err := converter.GetDefaultDataConverter().FromPayloads(payload, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(state, *got.State); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// The ring keeps the last commands only.
func TestCommandMemory(t *testing.T) {
	t.Parallel()
	var d driver
	for i := range commandMemory + 50 {
		d.know(fmt.Sprint(i))
	}
	if len(d.Commands) != commandMemory || d.Commands[0] != "50" {
		t.Errorf("%d commands, the first %s", len(d.Commands), d.Commands[0])
	}
}

// A run continues as new at the first quiet moment after its limit; commands that
// arrive around it are applied once each, in order.
func TestSignalsAroundContinueAsNew(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	w.signal(time.Minute, by("bob", ticket.Take))
	const notes = 200
	want := map[string]bool{}
	for i := range notes {
		c := by("bob", ticket.Note, func(c *ticket.Command) { c.ID, c.Text = fmt.Sprintf("note-%d", i), fmt.Sprint(i); c.Channel = "rest" })
		want[c.Text] = true
		w.signal(2*time.Minute+time.Duration(i)*100*time.Millisecond, c)
	}
	w.signal(10*time.Minute, by("meg", ticket.Cancel))
	final := w.live(opening(p, ticket.P1))
	w.complete(final)
	if len(w.runs) < 3 {
		t.Fatalf("%d runs", len(w.runs))
	}
	var texts []string
	for _, projection := range w.projections {
		for _, e := range projection.Events {
			if e.Kind == ticket.Noted {
				texts = append(texts, e.Text)
			}
		}
	}
	if len(texts) != notes {
		t.Fatalf("%d notes of %d", len(texts), notes)
	}
	for i, text := range texts {
		if text != fmt.Sprint(i) {
			t.Fatalf("note %d says %s", i, text)
		}
	}
}

// A ticket whose workflow has ended is loaded, and goes on where it was: opened
// again by signal or by update, or left as it is by what changes nothing.
func TestReopeningRun(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	closed := newWorld(t, p)
	closed.signal(time.Minute, by("bob", ticket.Take))
	closed.signal(2*time.Minute, by("bob", ticket.Close, func(c *ticket.Command) { c.Channel = "rest" }))
	end := closed.live(opening(p, ticket.P3))
	if end.Ticket.Status != ticket.Closed {
		t.Fatal(end.Ticket.Status)
	}
	reopen := by("bob", ticket.Reopen)
	tests := map[string]struct {
		send func(*world) *outcome
		want ticket.Status
		err  ticket.Message
	}{
		"signal":            {func(w *world) *outcome { w.signal(0, reopen); return nil }, ticket.Assigned, ""},
		"update":            {func(w *world) *outcome { return w.update(0, reopen) }, ticket.Assigned, ""},
		"update known":      {func(w *world) *outcome { return w.update(0, by("bob", ticket.Take)) }, ticket.Closed, ""},
		"update refused":    {func(w *world) *outcome { return w.update(0, by("eve", ticket.Take)) }, ticket.Closed, "take_closed"},
		"signal and update": {func(w *world) *outcome { w.signal(0, reopen); return w.update(0, by("eve", ticket.Take)) }, ticket.Assigned, "owned"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, p)
			w.snapshot = activities.Projection{Ticket: end.Ticket, Commands: end.Commands}
			o := test.send(w)
			status := end.Ticket.Status
			w.on(time.Second, func() { status = w.state().Ticket.Status })
			w.signal(time.Minute, by("meg", ticket.Cancel))
			final := w.live(Input{Number: 142})
			if status != test.want && final.Ticket.Status != test.want {
				t.Errorf("is %s, want %s", status, test.want)
			}
			if o != nil {
				message := refusedAs(o.err)
				if message == "take_lost" {
					message = "owned"
				}
				if !o.done || (o.err != nil) != (test.err != "") || message != test.err {
					t.Errorf("the update: %+v", o)
				}
			}
			if test.want == ticket.Assigned && (final.Ticket.Reopened != 1 || final.Ticket.Version <= end.Ticket.Version) {
				t.Errorf("reopened %d times, version %d after %d", final.Ticket.Reopened, final.Ticket.Version, end.Ticket.Version)
			}
		})
	}
}

func (w *world) state() (s State) {
	w.Helper()
	value, err := w.QueryWorkflow(SnapshotQuery)
	if err == nil {
		err = value.Get(&s)
	}
	if err != nil {
		w.Errorf("snapshot: %v", err)
	}
	return s
}

// The validator refuses without an event, but only when nothing waits before it.
func TestValidator(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	w.signal(time.Minute, by("bob", ticket.Take))
	rest := func(c *ticket.Command) { c.Channel = "rest" }
	free := w.update(2*time.Minute, by("eve", ticket.Take, rest))
	forbidden := w.update(2*time.Minute, by("ann", ticket.Take, rest))
	shapeless := w.update(2*time.Minute, by("bob", ticket.Pass, rest))
	unknown := w.update(2*time.Minute, by("bob", "fly", rest))
	internal := w.update(2*time.Minute, by("bob", ticket.Found(ticket.Lookup{}, ticket.Findings{}).Verb, rest))
	var before, after int
	w.on(2*time.Minute-time.Millisecond, func() { before = w.runs[0] })
	w.on(2*time.Minute+time.Millisecond, func() { after = w.runs[0] })
	// Bob gives it back; Eve's claim in the same moment must not be judged by the
	// state before.
	behind := new(outcome)
	w.on(3*time.Minute, func() {
		w.SignalWorkflowSkippingWorkflowTask(CommandSignal, by("bob", ticket.Drop))
		w.send(by("eve", ticket.Take, rest, func(c *ticket.Command) { c.ID = "second" }), behind)
	})
	w.signal(4*time.Minute, by("meg", ticket.Cancel))
	w.complete(w.live(opening(p, ticket.P1)))
	if !free.rejected || refusedAs(free.err) != "take_lost" || !forbidden.rejected || refusedAs(forbidden.err) != "req_agents_only" {
		t.Errorf("%+v %+v", free, forbidden)
	}
	for _, o := range []*outcome{shapeless, unknown, internal} {
		if !o.rejected || refusedAs(o.err) != "" {
			t.Errorf("%+v", o)
		}
	}
	if before != after {
		t.Errorf("refusals cost %d events", after-before)
	}
	if behind.err != nil || behind.reply.Ticket.Assignee.ID != "eve" {
		t.Errorf("the claim behind a release: %+v", behind)
	}
}

// In every state the one timer is the ticket's next alarm, and the card that
// managers read says so.
func TestCardAndTimer(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	steps := []struct {
		at    time.Duration
		c     ticket.Command
		card  []string // on the card a moment later
		alarm time.Duration
	}{
		{0, ticket.Command{}, []string{"**waiting**", "Holder: nobody", "ask the next people", "Asked: "}, 5 * time.Minute},
		{16 * time.Minute, ticket.Command{}, []string{"call the last person again", "Called: dana by sms"}, 20 * time.Minute},
		{17 * time.Minute, by("bob", ticket.Take), []string{"**claimed**", "Holder: bob", "ask the holder for news"}, 47 * time.Minute},
		{18 * time.Minute, by("bob", ticket.Pass, func(c *ticket.Command) { c.To = party("eve") }), []string{"Offered to: eve", "end the hand-over"}, 28 * time.Minute},
		{19 * time.Minute, by("bob", ticket.Ask), []string{"end the hand-over"}, 28 * time.Minute},
		{30 * time.Minute, by("ann", ticket.Write), []string{"ask the holder for news"}, time.Hour},
		{31 * time.Minute, by("bob", ticket.Snooze, func(c *ticket.Command) { c.Until = noon.Add(5 * time.Hour) }), []string{"wake it"}, 5 * time.Hour},
		{32 * time.Minute, by("bob", ticket.Done), []string{"**solved**", "close it"}, 72*time.Hour + 32*time.Minute},
		{33 * time.Minute, by("bob", ticket.TakeBack), []string{"**on hold**", "wake it"}, 5 * time.Hour},
		{34 * time.Minute, by("bob", ticket.Done, func(c *ticket.Command) { c.ID = "again" }), []string{"**solved**", "close it"}, 72*time.Hour + 34*time.Minute},
	}
	w := newWorld(t, p)
	for i, step := range steps {
		if step.c.Verb != "" {
			w.signal(step.at, step.c)
		}
		w.on(step.at+500*time.Millisecond, func() {
			s := w.state().Ticket
			card := w.card()
			due, ok := s.Due()
			if !ok {
				t.Errorf("step %d: nothing is due", i)
			}
			if step.alarm != 0 && due.At != noon.Add(step.alarm) {
				t.Errorf("step %d: due %v, want %v", i, due.At.Sub(noon), step.alarm)
			}
			if armed := slices.Collect(maps.Values(w.armed)); !slices.Equal(armed, []time.Time{due.At}) {
				t.Errorf("step %d: the timers ring at %v, the ticket is due at %v", i, armed, due.At)
			}
			if want := notice.Card(s, w.Now().UTC()); strings.Split(card, "Times are UTC")[0] != strings.Split(want, "Times are UTC")[0] {
				t.Errorf("step %d: the card is\n%s\nand the ticket\n%s", i, card, want)
			}
			for _, part := range step.card {
				if !strings.Contains(card, part) {
					t.Errorf("step %d: no %q on\n%s", i, part, card)
				}
			}
		})
	}
	final := w.live(opening(p, ticket.P1))
	w.complete(final)
	if final.Ticket.Status != ticket.Closed {
		t.Errorf("ends %s", final.Ticket.Status)
	}
}

// card is the current details in the Temporal UI.
func (w *world) card() string {
	w.Helper()
	value, err := w.QueryWorkflow("__temporal_workflow_metadata")
	var metadata sdk.WorkflowMetadata
	if err == nil {
		err = value.Get(&metadata)
	}
	if err != nil {
		w.Errorf("current details: %v", err)
	}
	return metadata.GetCurrentDetails()
}
