package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"
)

// managers reads a ticket's workflow as the Temporal UI shows it, in every state,
// and holds it against the engine's own timer.
func managers(t *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "to take", "we have your request", "is on your request", "asks about", "is planned for", "is solved", "is closed")
	n := ann.Submit("Printer on *3rd* floor jams", "P3")
	until := time.Now().Add(desk.offset + 26*time.Hour).UTC().Truncate(time.Second)

	for _, s := range []struct {
		state    string // of the card
		enter    func()
		holder   string
		next     string
		in       time.Duration // from now; 0 for nothing
		status   string
		assignee string
	}{
		{"waiting", func() {}, "nobody", "ask the next people", 15 * time.Minute, "new", ""},
		{"claimed", func() { desk.Act(bob, "claim", n, nil) }, "Bob, since", "ask the holder for news", 2 * time.Hour, "assigned", "bob"},
		{"asked", func() { desk.Act(bob, "ask", n, map[string]any{"text": "Which tray?"}) }, "Bob, since",
			"tell the holder that no answer came", 48 * time.Hour, "pending", "bob"},
		{"snoozed", func() { desk.Act(bob, "snooze", n, map[string]any{"until": until}) }, "Bob, since", "wake it",
			until.Sub(time.Now().Add(desk.offset)), "pending", "bob"},
		{"solved", func() { desk.Act(bob, "resolve", n, map[string]any{"text": "new toner"}) }, "nobody; last Bob", "close it", 72 * time.Hour, "resolved", "bob"},
		{"closed", func() { desk.Act(bob, "close", n, nil) }, "nobody; last Bob", "", 0, "closed", "bob"},
		{"withdrawn", func() {
			n = ann.Submit("Never mind", "P1")
			desk.Settle()
			desk.Act(ann, "withdraw", n, nil)
		}, "nobody", "", 0, "cancelled", ""},
	} {
		s.enter()
		desk.Settle()
		card := desk.card(n)
		t.Logf("%s:\n%s", s.state, card)
		for _, want := range []string{number(n), "- Holder: " + s.holder} {
			if !strings.Contains(card, want) {
				t.Errorf("%s: the card does not say %q:\n%s", s.state, want, card)
			}
		}
		next := line(card, "- Next: ")
		fires, summary := desk.timer(n)
		switch {
		case s.in == 0:
			if !fires.IsZero() || !strings.Contains(next, "over") {
				t.Errorf("%s: the card says %q, a timer is %q at %s", s.state, next, summary, fires)
			}
		case !strings.HasSuffix(next, ": "+s.next) || !strings.HasSuffix(summary, ": "+s.next):
			t.Errorf("%s: the card says %q, the timer %q, want both %q", s.state, next, summary, s.next)
		case !says(next, fires) || !says(summary, fires):
			t.Errorf("%s: the timer fires at %s, the card says %q, its summary %q", s.state, fires, next, summary)
		}
		if due := time.Now().Add(desk.offset + s.in); s.in != 0 && fires.Sub(due).Abs() > time.Minute {
			t.Errorf("%s: the timer fires at %s, want %s", s.state, fires, due)
		}
		attributes := desk.attributes(n)
		if got := attributes["TicketStatus"]; got != s.status {
			t.Errorf("%s: TicketStatus %v, want %s", s.state, got, s.status)
		}
		if got, _ := attributes["TicketAssignee"].(string); got != s.assignee {
			t.Errorf("%s: TicketAssignee %q, want %q", s.state, got, s.assignee)
		}
		if _, ok := attributes["TicketPriority"]; !ok {
			t.Errorf("%s: no TicketPriority in %v", s.state, attributes)
		}
	}
	run, err := desk.engine.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("ticket-%d", n), "")
	if err != nil {
		t.Fatal(err)
	}
	var summary string
	if err := converter.GetDefaultDataConverter().FromPayload(run.ExecutionConfig.UserMetadata.Summary, &summary); err != nil {
		t.Fatal(err)
	}
	if want := number(n) + " Never mind - Ann Lee, P1"; summary != want {
		t.Errorf("summary %q, want %q", summary, want)
	}
}

// line returns the rest of the line that begins so.
func line(text, begin string) string {
	_, rest, _ := strings.Cut(text, begin)
	rest, _, _ = strings.Cut(rest, "\n")
	return rest
}

// says tells whether a text names a moment. The engine counts a timer from when it
// took it, some milliseconds late, so the second may be one off.
func says(text string, at time.Time) bool {
	for _, off := range []time.Duration{-time.Second, 0, time.Second} {
		second := strings.TrimSuffix(at.Add(off).UTC().Format("15:04:05"), ":00") // a full minute stands without them
		if strings.Contains(text, second) {
			return true
		}
	}
	return false
}

// card is a ticket's current details.
func (d *Desk) card(n int) string {
	d.t.Helper()
	value, err := d.engine.QueryWorkflow(context.Background(), fmt.Sprintf("ticket-%d", n), "", "__temporal_workflow_metadata")
	if err != nil {
		d.t.Fatal(err)
	}
	var metadata sdk.WorkflowMetadata
	if err := value.Get(&metadata); err != nil {
		d.t.Fatal(err)
	}
	return metadata.CurrentDetails
}

// timer is a ticket's pending timer: when it fires, on the desk's clock, and its
// summary. There is at most one.
func (d *Desk) timer(n int) (fires time.Time, summary string) {
	d.t.Helper()
	history := d.engine.GetWorkflowHistory(context.Background(), fmt.Sprintf("ticket-%d", n), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	type timer struct {
		fires   time.Time
		summary string
	}
	pending := map[string]timer{}
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			d.t.Fatal(err)
		}
		switch e.EventType {
		case enums.EVENT_TYPE_TIMER_STARTED:
			a := e.GetTimerStartedEventAttributes()
			next := timer{fires: e.EventTime.AsTime().Add(a.StartToFireTimeout.AsDuration() + d.offset)}
			if err := converter.GetDefaultDataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &next.summary); err != nil {
				d.t.Errorf("a timer has no summary: %v", err)
			}
			pending[a.TimerId] = next
		case enums.EVENT_TYPE_TIMER_FIRED:
			delete(pending, e.GetTimerFiredEventAttributes().TimerId)
		case enums.EVENT_TYPE_TIMER_CANCELED:
			delete(pending, e.GetTimerCanceledEventAttributes().TimerId)
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			clear(pending)
		}
	}
	if len(pending) > 1 {
		d.t.Errorf("ticket %d has %d timers: %v", n, len(pending), pending)
	}
	for _, p := range pending {
		return p.fires, p.summary
	}
	return time.Time{}, ""
}

// attributes are a ticket's search attributes.
func (d *Desk) attributes(n int) map[string]any {
	d.t.Helper()
	run, err := d.engine.DescribeWorkflowExecution(context.Background(), fmt.Sprintf("ticket-%d", n), "")
	if err != nil {
		d.t.Fatal(err)
	}
	found := map[string]any{}
	for name, payload := range run.WorkflowExecutionInfo.GetSearchAttributes().GetIndexedFields() {
		var v any
		if err := converter.GetDefaultDataConverter().FromPayload(payload, &v); err != nil {
			d.t.Fatal(err)
		}
		found[name] = v
	}
	return found
}
