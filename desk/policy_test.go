package desk_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/desk"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// A ticket takes a copy of its group's policy when it opens. Another policy reaches
// it when a manager says so, and not before.
func TestPolicyOfAGroupAndReplan(t *testing.T) {
	w := open(t, "groups: {water: {priorities: {P3: {lease: 7h}, P1: {lease: 5m}}}}")
	lease := func(n int, want time.Duration) {
		t.Helper()
		if got := w.ticket(n).Plan.Lease; got != want {
			t.Errorf("#%d has a lease of %s, want %s", n, got, want)
		}
	}
	var numbers []int
	for _, group := range []string{"water", ""} {
		got, _, err := w.desk.Submit(t.Context(), desk.Submission{Subject: "The tap drips", Requester: "ann", Group: group, Channel: "rest"})
		must(t, err)
		w.until("the ticket is open", func() bool { return w.ticket(got.Number).Version > 0 })
		numbers = append(numbers, got.Number)
	}
	lease(numbers[0], 7*time.Hour)
	lease(numbers[1], 2*time.Hour)

	meg := roster.Person{ID: "eve", Roles: roster.Roles{roster.Manager}}
	replan := func(d *desk.Desk, n int, id string) int {
		t.Helper()
		_, err := d.Do(t.Context(), desk.Act{ID: id, Person: meg, Channel: "rest", Number: n, Verb: ticket.Replan})
		must(t, err)
		return w.ticket(n).Version
	}
	if before := w.ticket(numbers[0]).Version; replan(w.desk, numbers[0], "same") != before {
		t.Error("the policy that it has made another version")
	}
	changed := w.desk.Config
	var err error
	changed.Policy, err = policy.Load([]byte("priorities: {P3: {lease: 3h}}"))
	must(t, err)
	lease(numbers[1], 2*time.Hour) // a policy that is loaded changes nothing by itself
	older := func(d *desk.Desk) (numbers []int) {
		t.Helper()
		v, err := d.RunningPolicy(t.Context())
		must(t, err)
		for _, older := range v.Older {
			numbers = append(numbers, older.Number)
		}
		return numbers
	}
	if before, after := older(w.desk), older(desk.New(changed)); before != nil || !slices.Equal(after, numbers) {
		t.Errorf("by an older policy: %v, and after another one was loaded %v; want %v", before, after, numbers)
	}
	for i, n := range numbers {
		replan(desk.New(changed), n, string(rune('a'+i)))
		lease(n, 3*time.Hour)
	}
	if after := older(desk.New(changed)); after != nil {
		t.Errorf("by an older policy still: %v", after)
	}
	story, err := w.desk.Timeline(t.Context(), numbers[0])
	if must(t, err); story[len(story)-1].Event != string(ticket.Replanned) {
		t.Errorf("its last line: %+v", story[len(story)-1])
	}

	_, err = w.desk.Do(t.Context(), desk.Act{ID: "up", Person: meg, Channel: "rest", Number: numbers[0], Verb: ticket.Reprioritise, Priority: ticket.P1})
	must(t, err)
	lease(numbers[0], 5*time.Minute)
}

// The board says that the desk is closed only when every group's office is, and opens
// with the first of them; a chart has the target of each group that has its own.
func TestPolicyOfAGroupOnTheBoard(t *testing.T) {
	w := open(t, `priorities: {P3: {respond: 4h}}
office: {zone: UTC, days: mon-fri, from: "08:00", to: "18:00", holidays: none}
groups:
  early: {office: {from: "06:00", to: "12:00"}}
  late: {priorities: {P3: {respond: 2h}}, office: {from: "12:00", to: "20:00"}}`)
	day := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC) // a Tuesday
	for _, c := range []struct{ at, opens time.Duration }{{19 * time.Hour, 0}, {21 * time.Hour, 30 * time.Hour}, {31 * time.Hour, 0}, {36 * time.Hour, 0}} {
		w.clock.pass(day.Add(c.at).Sub(w.clock.Now()))
		b, err := w.desk.Board(t.Context())
		must(t, err)
		if b.Closed != (c.opens > 0) || b.Closed && !b.Opens.Equal(day.Add(c.opens)) {
			t.Errorf("at %v: closed %v, opens %v", c.at, b.Closed, b.Opens)
		}
	}
	all, err := w.desk.Charts(t.Context(), desk.ChartFilter{})
	must(t, err)
	want := []desk.Target{{Respond: 4 * time.Hour, Resolve: 20 * time.Hour}, {Group: "late", Respond: 2 * time.Hour, Resolve: 20 * time.Hour}}
	if diff := cmp.Diff(want, all.Targets[ticket.P3]); diff != "" || len(all.Targets[ticket.P1]) != 1 {
		t.Errorf("targets: %s", diff)
	}
}
