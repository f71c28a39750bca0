package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"deskbell/store"
	"deskbell/ticket"
)

// project writes a ticket in a state, with a number of its own.
func project(t testing.TB, s *store.Store, change func(*ticket.Ticket)) ticket.Ticket {
	t.Helper()
	got := submit(t, s, "x")
	got.Version = 1
	change(&got)
	must(t, s.Project(t.Context(), store.Projection{Ticket: got}))
	return got
}

func numbers(list []ticket.Ticket) []int {
	got := []int{}
	for _, t := range list {
		got = append(got, t.Number)
	}
	return got
}

func TestLists(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	if got := value(s.Counts(t.Context()))(t); got != (store.Counts{}) {
		t.Errorf("an empty desk: %+v", got)
	}
	set := func(status ticket.Status, p ticket.Priority, assignee string) ticket.Ticket {
		clk.pass(time.Minute)
		return project(t, s, func(x *ticket.Ticket) {
			x.Status, x.Priority, x.Assignee = status, p, ticket.Party{ID: assignee}
			x.Recent = []ticket.Line{{Text: "recent"}}
			x.RespondBy = noon
		})
	}
	low := set(ticket.New, ticket.P4, "")             // 100
	set(ticket.New, ticket.P1, "")                    // 101
	set(ticket.New, ticket.P1, "")                    // 102
	set(ticket.Assigned, ticket.P3, "dana")           // 103
	full := set(ticket.Pending, ticket.P3, "dana")    // 104
	solved := set(ticket.Resolved, ticket.P3, "dana") // 105
	set(ticket.Cancelled, ticket.P2, "")              // 106

	check := func(what string, want []int, list []ticket.Ticket, err error) {
		t.Helper()
		must(t, err)
		if diff := cmp.Diff(want, numbers(list)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	list, err := s.Waiting(t.Context(), 10)
	check("waiting", []int{101, 102, 100}, list, err)
	m, err := s.Mentionable(t.Context(), "dana", true, []int{105, 99, 102})
	check("held", []int{103, 104}, m.Held, err)
	check("waiting too", []int{101, 102, 100}, m.Waiting, err)
	check("offered", []int{102, 105}, m.Offered, err)
	if got := m.Held[1]; got.Subject != full.Subject || got.Status != full.Status || !got.ClaimedAt.Equal(full.ClaimedAt) {
		t.Errorf("%+v", got)
	}
	m, err = s.Mentionable(t.Context(), "ann", false, nil)
	check("her own", []int{106, 105, 104, 103, 102, 101, 100}, m.Own, err)
	check("nothing else", []int{}, slices.Concat(m.Held, m.Waiting, m.Offered), err)
	if got := value(s.Counts(t.Context()))(t); got != (store.Counts{New: 3, Assigned: 1, Pending: 1, Oldest: low.CreatedAt}) {
		t.Errorf("%+v", got)
	}
	list, next, err := s.Tickets(t.Context(), store.Filter{Assignee: "dana", Status: []ticket.Status{ticket.Assigned, ticket.Resolved}})
	check("filtered", []int{105, 103}, list, err)
	light := solved
	light.Recent, light.Plan = nil, ticket.Plan{}
	if diff := cmp.Diff(light, list[0]); diff != "" || next != "" {
		t.Errorf("next %q, %s", next, diff)
	}
	if _, err := s.Ticket(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.Ticket(t.Context(), 1<<40); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for range 7 {
		submit(t, s, "x")
	}
	var got [][]int
	for f := (store.Filter{Limit: 3}); ; {
		list, next, err := s.Tickets(t.Context(), f)
		must(t, err)
		got = append(got, numbers(list))
		if next == "" {
			break
		}
		f.Cursor = next
	}
	if diff := cmp.Diff([][]int{{106, 105, 104}, {103, 102, 101}, {100}}, got); diff != "" {
		t.Error(diff)
	}
	for _, cursor := range []string{"x", "-1", "99999999999"} {
		if _, _, err := s.Tickets(t.Context(), store.Filter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
			t.Errorf("%s: %v", cursor, err)
		}
	}
}

func TestRecentEvents(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for i := range 3 {
		x := submit(t, s, "x")
		x.Version = 1
		at := noon.Add(time.Duration(i%2) * time.Second)
		must(t, s.Project(t.Context(), store.Projection{Ticket: x, Events: []ticket.Event{{Seq: 1, At: at, Kind: ticket.Opened, Text: fmt.Sprint(i)}}}))
	}
	asked := submit(t, s, "x")
	asked.Version = 1
	offers := make([]ticket.Event, 20)
	for i := range offers {
		offers[i] = ticket.Event{Seq: i + 1, At: noon.Add(time.Minute), Kind: ticket.Offered}
	}
	must(t, s.Project(t.Context(), store.Projection{Ticket: asked, Events: offers}))
	var got string
	for _, e := range value(s.RecentEvents(t.Context(), 2, ticket.Offered))(t) {
		got += fmt.Sprint(e.Number, " ", e.Event.Text, "; ")
	}
	if got != "101 1; 102 2; " {
		t.Error(got)
	}
	if all := value(s.RecentEvents(t.Context(), 2))(t); len(all) != 2 || all[0].Number != asked.Number {
		t.Errorf("of all kinds: %+v", all)
	}
}

// The limit on what a person may hold stands against takes at once, and what is
// only asked for counts for 10 s.
func TestHolds(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	won := make(chan int, 20)
	must(t, together(20, func(i int) error {
		ok, err := s.AskHold(t.Context(), "dana", 200+i, 2)
		if ok {
			won <- 200 + i
		}
		return err
	}))
	if len(won) != 2 {
		t.Fatalf("%d takes within a limit of 2", len(won))
	}
	if asked := value(s.Asked(t.Context()))(t); len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	if ok := value(s.AskHold(t.Context(), "dana", <-won, 2))(t); !ok {
		t.Error("the same take again is refused")
	}
	if ok := value(s.AskHold(t.Context(), "dana", 300, 0))(t); !ok {
		t.Error("refused without a limit")
	}
	clk.pass(11 * time.Second)
	if asked := value(s.Asked(t.Context()))(t); len(asked) != 0 {
		t.Errorf("asked %v, long ago", asked)
	}
	if ok := value(s.AskHold(t.Context(), "dana", 400, 2))(t); ok {
		t.Error("a third ticket while two takes are under way")
	}
	clk.pass(time.Minute)
	held := func(x *ticket.Ticket) { x.Status, x.Assignee = ticket.Assigned, ticket.Party{ID: "dana"} }
	first := project(t, s, held)
	project(t, s, held)
	if ok := value(s.AskHold(t.Context(), "dana", 400, 2))(t); ok {
		t.Error("a third ticket")
	}
	first.Version, first.Status = 2, ticket.New
	must(t, s.Project(t.Context(), store.Projection{Ticket: first}))
	if ok := value(s.AskHold(t.Context(), "dana", 400, 2))(t); !ok {
		t.Error("refused after a release")
	}
	must(t, s.DropAsk(t.Context(), "dana", 400))
	if ok := value(s.AskHold(t.Context(), "dana", 401, 2))(t); !ok {
		t.Error("refused after a take that failed")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	add := func(subject, body string, p ticket.Priority) {
		t.Helper()
		_, _, err := s.Submit(t.Context(), store.Submission{Opening: ticket.Opening{Subject: subject, Body: body, Priority: p, Group: "it", Requester: ticket.Party{ID: "ann"}}})
		must(t, err)
	}
	add("Printers on floor 3 are jammed", "paper everywhere", ticket.P1)                                 // 100
	add("Drucker klemmt", "im dritten Stock; die Rechnungen kommen nicht", ticket.P2)                    // 101
	add("No network", "the printer works, e-mail to bob@example.org does not", ticket.P3)                // 102
	add("'; DROP TABLE tickets; --", strings.Repeat("ü🖨 ", 20_000)+strings.Repeat("x", 3000), ticket.P4) // 103
	for _, c := range []struct {
		filter store.Filter
		want   []int
	}{
		{store.Filter{Words: "printer"}, []int{102, 100}},
		{store.Filter{Words: "PRINTER -network"}, []int{100}},
		{store.Filter{Words: `"floor 3"`}, []int{100}},
		{store.Filter{Words: "jam or klemmt"}, []int{101, 100}},
		{store.Filter{Words: "rechnung"}, []int{101}},
		{store.Filter{Words: "bob@example.org"}, []int{102}},
		{store.Filter{Words: "printer", Priority: []ticket.Priority{ticket.P1, ticket.P2}}, []int{100}},
		{store.Filter{Words: "printer", Requester: "dana"}, nil},
		{store.Filter{Words: "printer", Limit: 1}, []int{102}},
		{store.Filter{Words: `'; DROP & | ! <-> :* (" \`}, []int{103}},
		{store.Filter{Words: "drop table"}, []int{103}},
		{store.Filter{Words: "a\x00b"}, nil},
		{store.Filter{Group: "it", Since: noon}, []int{103, 102, 101, 100}},
		{store.Filter{Group: "hr"}, nil},
		{store.Filter{Before: noon}, nil},
	} {
		list, _, err := s.Tickets(t.Context(), c.filter)
		must(t, err)
		var got []int
		for _, tk := range list {
			got = append(got, tk.Number)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c.filter, diff)
		}
	}
}

// What the desk asks every second reads the index of what may be news, and nothing of
// what was sent long ago.
func TestAlertsAreReadByTheirIndex(t *testing.T) {
	t.Parallel()
	_, _, url := openAt(t)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), "SET enable_seqscan = off") // a small table is read as a whole
	must(t, err)
	for name, file := range map[string]string{"FailedAlerts": "queries/deliveries.sql", "UnreadAlerts": "queries/chats.sql"} {
		queries, err := os.ReadFile(file)
		must(t, err)
		_, query, _ := strings.Cut(string(queries), "-- name: "+name+" :many\n")
		query, _, _ = strings.Cut(query, "ORDER BY")
		rows, err := conn.Query(t.Context(), "EXPLAIN "+strings.ReplaceAll(query, "@before", "now()"))
		must(t, err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		if !strings.Contains(strings.Join(plan, "\n"), "Index Scan using deliveries_alerts") {
			t.Errorf("%s:\n%s", name, strings.Join(plan, "\n"))
		}
	}
}
