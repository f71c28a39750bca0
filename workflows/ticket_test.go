package workflows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/ticket"
)

func TestStandardLife(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	w.signal(2*time.Minute, by("bob", ticket.Take))
	w.signal(20*time.Minute, by("bob", ticket.Done))
	final := w.live(opening(p, ticket.P3))
	if final.Ticket.Status != ticket.Closed {
		t.Errorf("ends %s", final.Ticket.Status)
	}
	want := []string{"sms ann req_created", "sms bob offer", "im eve offer",
		"sms bob take_ok", "sms ann req_claimed", "im eve offer_gone", "sms bob done_ok", "sms ann req_done"}
	said := w.said()
	slices.Sort(want)
	slices.Sort(said) // SMS and IM go side by side
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("who heard what (-want +got):\n%s", diff)
	}
	if closed := final.Ticket.ClosedAt.Sub(noon); closed != 72*time.Hour+20*time.Minute {
		t.Errorf("closed after %v", closed)
	}
	w.complete(final)
	t.Logf("%d events by the count of the test environment", w.runs[0])
}

// Fifty people claim one ticket at the same moment, half of them by signal.
func TestFiftyClaimsAtOnce(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	outcomes := map[string]*outcome{}
	w.on(time.Minute, func() {
		for i := range 50 {
			c := by(fmt.Sprintf("p%d", i), ticket.Take)
			if i%2 == 0 {
				w.SignalWorkflow(CommandSignal, c)
				continue
			}
			c.Channel = "rest"
			outcomes[c.Actor.ID] = new(outcome)
			w.send(c, outcomes[c.Actor.ID])
		}
	})
	var before int
	w.on(59*time.Second, func() { before = w.runs[0] })
	w.on(2*time.Minute, func() {
		if events := w.runs[0] - before; events > 80 {
			t.Errorf("50 claims cost %d events", events)
		}
		w.SignalWorkflow(CommandSignal, by("meg", ticket.Cancel))
	})
	final := w.live(opening(p, ticket.P1))
	w.complete(final)
	winner := ""
	for _, n := range w.heard {
		if n.Message == "take_ok" {
			winner = n.To.ID
		}
	}
	wins := len(w.messages("take_ok", ""))
	lost := len(w.messages("take_lost", ""))
	for id, o := range outcomes {
		switch {
		case !o.done:
			t.Errorf("%s never heard", id)
		case o.err == nil:
			wins, winner = wins+1, id
		case refusedAs(o.err) == "take_lost":
			lost++
		default:
			t.Errorf("%s: %v", id, o.err)
		}
	}
	if wins != 1 || lost != 49 {
		t.Errorf("%d won and %d lost", wins, lost)
	}
	taken := 0
	for _, projection := range w.projections {
		for _, e := range projection.Events {
			if e.Kind == ticket.Taken {
				taken++
				if e.Actor.ID != winner {
					t.Errorf("%s has it, %s was told so", e.Actor.ID, winner)
				}
			}
		}
	}
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}

// The same command arrives again: by signal, by update, and in the next run.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	take, drop := by("bob", ticket.Take), by("bob", ticket.Drop)
	note := by("bob", ticket.Note)
	w.signal(1*time.Minute, take)
	w.signal(1*time.Minute, take)
	again := w.update(2*time.Minute, take)
	noted := w.update(3*time.Minute, note)
	w.signal(4*time.Minute, note)
	w.signal(5*time.Minute, drop)
	w.on(6*time.Minute, func() { w.count(longRun) }) // from here on: another run
	w.signal(7*time.Minute, by("eve", ticket.Note))  // which wakes the loop
	late := w.update(8*time.Minute, take)
	w.signal(8*time.Minute, drop)
	w.signal(9*time.Minute, take)
	w.signal(10*time.Minute, by("meg", ticket.Cancel))
	final := w.live(opening(p, ticket.P3))
	w.complete(final)
	if len(w.runs) != 2 {
		t.Fatalf("%d runs", len(w.runs))
	}
	for name, o := range map[string]*outcome{"take": again, "note": noted, "take in the next run": late} {
		if !o.done || o.err != nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
	kinds := map[ticket.Kind]int{}
	for _, projection := range w.projections {
		for _, e := range projection.Events {
			kinds[e.Kind]++
		}
	}
	for kind, want := range map[ticket.Kind]int{ticket.Taken: 1, ticket.Noted: 2, ticket.Released: 1, ticket.Withdrawn: 1} {
		if kinds[kind] != want {
			t.Errorf("%s %d times, want %d", kind, kinds[kind], want)
		}
	}
}

// A cancellation in the Temporal UI is a manager's: the ticket ends as any other.
func TestCancellation(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	hang := true
	w.beforeNotify = func(in activities.NotifyInput) error {
		if hang { // in flight while the cancellation arrives
			hang = false
			return fmt.Errorf("not yet")
		}
		return nil
	}
	w.on(500*time.Millisecond, func() { w.CancelWorkflow() })
	final := w.live(opening(p, ticket.P1))
	w.complete(final)
	if final.Ticket.Status != ticket.Cancelled {
		t.Errorf("ends %s", final.Ticket.Status)
	}
	if len(w.messages("req_cancelled", "ann")) != 1 || len(w.messages("req_created", "ann")) != 1 {
		t.Errorf("told: %v", w.said())
	}
}
