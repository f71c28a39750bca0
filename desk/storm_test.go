package desk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/ticket"
)

// sent are the texts that leave now to somebody's phone.
func (w *world) sent(who string) (texts []string) {
	w.t.Helper()
	list, err := w.store.Take(w.t.Context(), gateway.SMS, 10)
	must(w.t, err)
	for _, d := range list {
		must(w.t, w.store.Settle(w.t.Context(), d.ID, gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint(d.ID)}}))
		if d.To == phones[who] {
			texts = append(texts, d.Text)
		}
	}
	return texts
}

// Beyond the budget offers wait in a bundle, and the ticket says so. BACK opens it to
// one text, and one YES takes all that is in it; nothing of it comes later.
func TestBackOpensAStorm(t *testing.T) {
	w := open(t, "budget: 1")
	w.submit("Printer jams", "bob")
	w.sent("bob")
	w.clock.pass(5 * time.Minute)
	second := w.submit("VPN drops", "bob")
	w.clock.pass(5 * time.Minute)
	third := w.submit("Beamer dark", "bob")
	if got := w.sent("bob"); got != nil {
		t.Errorf("beyond the budget %q", got)
	}
	why, err := w.desk.Why(t.Context(), third)
	must(t, err)
	waits := false
	for _, decision := range why.Decisions {
		for _, fate := range decision.Delivered {
			waits = waits || fate.Person == "bob" && fate.State == "due" && fate.Detail == "waits in a bundle"
		}
	}
	if !waits {
		t.Errorf("the ticket does not say that its offer waits: %+v", why.Decisions)
	}
	if got := w.say("eve", fmt.Sprintf("why %d", third)); !strings.Contains(got, "waits in a bundle") {
		t.Errorf("by text: %q", got)
	}
	want := fmt.Sprintf("back_storm: Welcome back. 2 wait for you: #%d VPN drops, #%d Beamer dark. Reply YES to take them all, or a number.", second, third)
	if got := w.say("bob", "back"); got != want {
		t.Errorf("awake: %q", got)
	}
	if got := w.say("bob", "yes"); !strings.HasPrefix(got, "take_some_all: ") {
		t.Errorf("the take code: %q", got)
	}
	for _, n := range []int{second, third} {
		if tk := w.ticket(n); tk.Assignee.ID != "bob" || tk.Status != ticket.Assigned {
			t.Errorf("#%d is %s of %q", n, tk.Status, tk.Assignee.ID)
		}
	}
	w.sent("bob") // the answers
	w.sent("bob")
	w.clock.pass(2 * time.Hour)
	if got := w.sent("bob"); got != nil {
		t.Errorf("later %q", got)
	}
	if got := w.say("bob", "back"); strings.HasPrefix(got, "back_storm") {
		t.Errorf("awake again: %q", got)
	}
}

// A low priority does not wake anybody: its offer comes in the morning, and a number
// takes it then. Others come at once.
func TestQuietHours(t *testing.T) {
	w := open(t, "priorities: {P4: {quiet: 22:00-07:00}}\noffice: {zone: UTC}")
	w.clock.pass(13 * time.Hour) // 23:38
	submit := func(priority ticket.Priority, subject string) int {
		t.Helper()
		got, _, err := w.desk.Submit(t.Context(), desk.Submission{Subject: subject, Requester: "ann", Priority: priority, Channel: "rest"})
		must(t, err)
		w.until("the ticket is open", func() bool { return w.ticket(got.Number).Version > 0 })
		w.offer(got.Number, "bob")
		return got.Number
	}
	low := submit(ticket.P4, "Squeaking chair")
	submit(ticket.P3, "Printer jams")
	if got := w.sent("bob"); len(got) != 1 || !strings.Contains(got[0], "Printer") {
		t.Errorf("at night %q", got)
	}
	w.clock.pass(7*time.Hour + 21*time.Minute) // 06:59
	if got := w.sent("bob"); got != nil {
		t.Errorf("before the morning %q", got)
	}
	w.clock.pass(time.Minute)
	if got := w.sent("bob"); len(got) != 1 || !strings.Contains(got[0], "chair") {
		t.Errorf("in the morning %q", got)
	}
	w.clock.pass(10 * time.Second)
	if got := w.say("bob", fmt.Sprint(low)); !strings.HasPrefix(got, "take_ok") {
		t.Errorf("taken: %q", got)
	}
}
