package workflows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/policy"
	"deskbell/rehearsal"
	"deskbell/ticket"
)

// What a rehearsal says is what the workflow then does, to the second.
func TestRehearsalIsWhatHappens(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		policy   policy.Policy
		priority ticket.Priority
		for_     time.Duration
	}{
		"P1":          {policy.Default(), ticket.P1, 6 * time.Hour},
		"P2":          {policy.Default(), ticket.P2, day},
		"P3":          {policy.Default(), ticket.P3, 7 * day},
		"P4":          {policy.Default(), ticket.P4, 14 * day},
		"development": {policy.Development(), ticket.P3, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.policy)
			w.on(test.for_, func() { w.SignalWorkflow(CommandSignal, by("meg", ticket.Cancel)) })
			end := noon.Add(test.for_).Add(-time.Second)
			w.live(opening(test.policy, test.priority))
			var really, rehearsed []string
			for _, h := range w.heard {
				if (h.Alert || h.Page) && !h.at.After(end) {
					really = append(really, fmt.Sprintf("%v %s %s %s", h.at.Sub(noon), h.To.ID, h.To.Via, h.Message))
				}
			}
			lines, err := rehearsal.Run(t.Context(), cast(), test.policy, test.priority, "", noon, end)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				if l.Hole != "" {
					t.Errorf("a hole at %v: %s", l.At, l.Hole)
				}
				rehearsed = append(rehearsed, fmt.Sprintf("%v %s %s %s", l.At.Sub(noon), l.To.ID, l.To.Via, l.Message))
			}
			slices.Sort(really) // the channels' queues run side by side
			slices.Sort(rehearsed)
			if diff := cmp.Diff(really, rehearsed); diff != "" || len(really) < 4 {
				t.Errorf("%d really (-really +rehearsed):\n%s", len(really), diff)
			}
		})
	}
}
