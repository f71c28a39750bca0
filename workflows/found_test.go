package workflows

import (
	"slices"
	"testing"
	"time"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/ticket"
)

// What whoever starts a ticket has looked up is not looked up again, unless the
// ticket had to wait for a worker.
func TestFirstLookupComesWithTheStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		age     time.Duration
		lookups int
	}{{"fresh", 50 * time.Millisecond, 0}, {"stale", time.Minute, 1}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := policy.Default()
			w := newWorld(t, p)
			in := opening(p, ticket.P1)
			at := noon.Add(-test.age)
			opened, _ := ticket.Open(*in.Opening, at)
			l, _ := opened.Lookup(at)
			f, err := w.tickets.Prepare(t.Context(), activities.PrepareInput{Lookup: l, Now: at})
			if err != nil {
				t.Fatal(err)
			}
			in.Found = &Found{l, f}
			lookups := 0
			w.beforePrepare = func(ticket.Lookup) error { lookups++; return nil } // one at a time in a life so short
			w.signal(time.Minute, by("bob", ticket.Take))
			w.signal(2*time.Minute, by("bob", ticket.Done))
			final := w.live(in)
			if lookups != test.lookups {
				t.Errorf("%d lookups, want %d", lookups, test.lookups)
			}
			if said := w.said(); !slices.Contains(said, "sms bob offer") || !slices.Contains(said, "im eve offer") {
				t.Errorf("said %q", said)
			}
			w.complete(final)
		})
	}
}
