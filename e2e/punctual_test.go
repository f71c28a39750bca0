package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

// punctual counts the steps of three priorities from the opening of the office, so that
// all tickets of one priority fall due at the same moment: P1 one unit after it, P2 two,
// P3 three, and P1 again after four. P4 only stays open.
func punctual(unit time.Duration) string {
	var b strings.Builder
	b.WriteString("office: {zone: UTC, days: sun-sat, from: \"08:00\", to: \"20:00\", holidays: none}\npriorities:\n")
	const rest = "hours: office, quiet: none, wave: {size: 1, every: 8h}, repeat: 8h, lease: 8h"
	for group := range groups {
		fmt.Fprintf(&b, "  P%d: {%s, steps: [{after: %s, to: oncall}, {after: %s, to: next}, {after: %s, to: manager}]}\n",
			group+1, rest, stepAfter(unit, group, 0), stepAfter(unit, group, 1), stepAfter(unit, group, 2))
	}
	fmt.Fprintf(&b, "  P%d: {%s, steps: [{after: 8h, to: oncall}]}\n", groups+1, rest)
	return b.String()
}

const groups = 3

func stepAfter(unit time.Duration, group, step int) time.Duration {
	return time.Duration(1+group+groups*step) * unit
}

// TestPunctual has groups of tickets reach their steps in the same instant while many
// more are open, and holds what the engine's histories say against the policy's times: a
// step is due by the office's clock, and where the one before it came more than a second
// late, no sooner after it than the policy has them apart.
func TestPunctual(t *testing.T) {
	if testing.Short() {
		t.Skip("whole servers")
	}
	t.Parallel()
	severe := howSevere()
	desk := Start(t, Options{People: people, Policy: punctual(severe.apart), Clock: true})
	now := func() time.Time { return time.Now().UTC().Add(desk.offset) }
	office := now().Truncate(24 * time.Hour).Add(32 * time.Hour) // tomorrow at 8
	desk.Advance(office.Add(-time.Hour).Sub(now()))

	began := time.Now()
	group := map[int]int{} // of a ticket that falls due
	for i := range severe.open {
		if i < groups*severe.together {
			group[desk.Person("joe").Submit("Falls due", fmt.Sprintf("P%d", 1+i%groups))] = i % groups
		} else {
			desk.Person("ann").Submit("Stays open", fmt.Sprintf("P%d", 1+groups))
		}
	}
	busy := ""
	if !eventually(time.Duration(severe.open)*time.Second, func() bool { // a tenth of it where nothing else runs
		var err error
		if busy, err = desk.deciding(t.Context()); err != nil {
			busy = err.Error()
		}
		return busy == ""
	}) {
		t.Fatalf("still busy: %s", busy)
	}
	took := time.Since(began)
	began = time.Now()
	desk.Advance(office.Add(-3*time.Second - took/2).Sub(now())) // to hear of it costs a ticket a tenth of opening, or more beside other tests
	if !now().Before(office) {
		t.Fatalf("the office opened while the clock was moved, %s for %d tickets", time.Since(began), severe.open)
	}
	t.Logf("%d tickets opened in %s, clock moved in %s", severe.open, took.Round(time.Second), time.Since(began).Round(time.Second))
	time.Sleep(office.Add(stepAfter(severe.apart, groups-1, 2)).Sub(now())) // the moments of the steps are what is given here
	numbers := slices.Collect(maps.Keys(group))
	calledOnce(t, desk, numbers)

	var late []time.Duration // by the office's clock
	for _, n := range numbers {
		due := office.Add(stepAfter(severe.apart, group[n], 0))
		for step, e := range desk.escalations(n) {
			clock := office.Add(stepAfter(severe.apart, group[n], step))
			late = append(late, e.decided.Sub(clock))
			if e.at.Before(due) || e.decided.Sub(clock) > severe.late {
				t.Errorf("step %d of ticket %d was decided %s after its time, %s by the clock", step+1, n, e.decided.Sub(due), e.decided.Sub(clock))
			}
			if e.at.Sub(due) > time.Second {
				due = e.at
			}
			due = due.Add(groups * severe.apart)
		}
	}
	slices.Sort(late)
	t.Logf("%d steps, %d at once, %d tickets open: decided p50 %s, p99 %s, at most %s after their time",
		len(late), severe.together, severe.open, late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	if got := len(late); got != 3*groups*severe.together {
		t.Errorf("%d steps", got)
	}
}

// escalation is a ticket's step: when the workflow task that decided it began, and when
// the engine had the decision in its history.
type escalation struct{ at, decided time.Time }

// escalations are a ticket's steps, on the desk's clock.
func (d *Desk) escalations(n int) (steps []escalation) {
	d.t.Helper()
	var completed []time.Time
	for history := d.engine.GetWorkflowHistory(d.t.Context(), fmt.Sprintf("ticket-%d", n), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		e, err := history.Next()
		if err != nil {
			d.t.Fatal(err)
		}
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			completed = append(completed, e.EventTime.AsTime().Add(d.offset))
		}
	}
	for _, line := range d.Timeline(n) {
		if line.Event != "escalated" {
			continue
		}
		// A line has the time at which the workflow task that decided it started.
		i := slices.IndexFunc(completed, line.At.Before)
		if i < 0 {
			d.t.Errorf("ticket %d: no workflow task ended after %s", n, line.At)
			continue
		}
		steps = append(steps, escalation{line.At, completed[i]})
	}
	return steps
}
