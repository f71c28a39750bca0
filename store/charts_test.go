package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/store"
	"deskbell/ticket"
)

// TestCharts draws a small desk's two days, whose figures are worked out by hand.
func TestCharts(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	bob, sys := ticket.Party{ID: "dana", Name: "Dana"}, ticket.System
	start := noon
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	type happening struct {
		minute  int
		kind    ticket.Kind
		by      ticket.Party
		channel string
	}
	tell := func(p ticket.Priority, respond, resolve int, story ...happening) int {
		opened := submit(t, s, "x")
		opened.Priority, opened.Version, opened.RespondBy, opened.ResolveBy = p, len(story)+1, at(respond), at(resolve)
		opened.CreatedAt = start
		events := []ticket.Event{{Seq: 1, At: start, Kind: ticket.Opened, Actor: opened.Requester}}
		for i, h := range story {
			e := ticket.Event{Seq: i + 2, At: at(h.minute), Kind: h.kind, Actor: h.by, Channel: h.channel}
			if h.kind == ticket.Offered || h.kind == ticket.Escalated {
				e.To = []ticket.Party{bob}
			}
			events = append(events, e)
			switch h.kind {
			case ticket.Taken:
				opened.Status, opened.Assignee = ticket.Assigned, bob
			case ticket.Solved:
				opened.Status = ticket.Resolved
			}
		}
		must(t, s.Project(t.Context(), store.Projection{Ticket: opened, Events: events}))
		return opened.Number
	}
	// Taken after 10 and 30 min by text and chat, solved after 60 min of which the
	// requester was asked for 20, by when it was late, and after 90; the second one
	// late and called about.
	one := tell(ticket.P1, 15, 55, happening{0, ticket.Offered, sys, ""}, happening{10, ticket.Taken, bob, "sms"}, happening{20, ticket.Asked, bob, "sms"}, happening{40, ticket.Answered, sys, "web"}, happening{60, ticket.Solved, bob, "sms"})
	two := tell(ticket.P3, 15, 95, happening{0, ticket.Offered, sys, ""}, happening{15, ticket.Escalated, sys, ""}, happening{30, ticket.Taken, bob, "im"}, happening{90, ticket.Solved, bob, "im"}, happening{100, ticket.Reopened, sys, "sms"})
	tell(ticket.P3, 500, 900) // waits
	must(t, s.KeepPromise(t.Context(), one, store.Promise{At: start, Place: 1, Method: "m", Low: 5 * time.Minute, High: 12 * time.Minute}))
	must(t, s.KeepPromise(t.Context(), two, store.Promise{At: start, Place: 1, Method: "m", Low: 5 * time.Minute, High: 12 * time.Minute}))
	clk.pass(150 * time.Minute)

	day := noon.UTC().Format(time.DateOnly)
	midnight := noon.Add(-12 * time.Hour)
	charts := func(oldest time.Time, zone string, weeks bool) map[ticket.Priority]store.Charts {
		t.Helper()
		value(s.CountCharts(t.Context(), oldest, zone, time.Minute))(t)
		return value(s.Charts(t.Context(), oldest, weeks))(t)
	}
	got := charts(midnight, "UTC", false)[""]
	if n := len(got["queue"]); n < 2 {
		t.Errorf("%d hours of the queue", n)
	}
	// At the first full hour after the start only the third waits, but for those two
	// whose first half hour holds the hour.
	waited := slices.MaxFunc(got["queue"], func(a, b store.ChartRow) int { return int(a.Values[0] - b.Values[0]) })
	if waited.Values[0] < 1 || waited.Values[0] > 3 {
		t.Errorf("the longest queue: %+v", waited)
	}
	delete(got, "queue")
	load := slices.IndexFunc(got["load"], func(r store.ChartRow) bool { return r.Values[1] > 0 })
	if load < 0 {
		t.Fatalf("nobody took anything: %+v", got["load"])
	}
	got["load"] = got["load"][load : load+1]
	want := store.Charts{
		"claim":       {{Key: day, Values: []float64{1200, 1680, 2, 1}}}, // 10 and 30 min: the half is 20, nine tenths 28
		"resolve":     {{Key: day, Values: []float64{3900, 5100, 2, 1}}}, // 40 and 90 min
		"escalations": {{Key: day, Values: []float64{1, 0, 0}}},
		"nights":      got["nights"],
		"load":        {{Key: got["load"][0].Key, Values: []float64{0, 2, 2, 2, 0, 0}}},
		"promises":    {{Key: day, Values: []float64{720, 1200, 2, 1, 1}}},
		"reopened":    {{Key: day, Values: []float64{2, 1}}},
		"channels":    {{Key: day, Values: []float64{1, 1, 0, 0}}},
		"delivery":    {}, "unknown": {}, "words": {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	monday := midnight.AddDate(0, 0, -1).In(time.FixedZone("", 2*60*60)).Add(-2 * time.Hour)
	if c := charts(monday, "-02:00", true)[ticket.P1]["claim"]; len(c) != 1 || c[0].Values[0] != 600 || c[0].Values[2] != 1 || c[0].Key != "2026-03-02" {
		t.Errorf("urgent ones alone: %+v", c)
	}
	waits, err := s.Waits(t.Context(), 10)
	must(t, err)
	slices.SortFunc(waits, func(a, b store.Wait) int { return int(a.Took - b.Took) })
	if diff := cmp.Diff([]store.Wait{{Place: 1, Took: 10 * time.Minute}, {Place: 1, Took: 30 * time.Minute}}, waits); diff != "" {
		t.Error(diff)
	}
	if n := value(s.Claims(t.Context(), at(20)))(t); n != 1 {
		t.Errorf("%d claims", n)
	}
}

// TestLinksAndNotices finds a ticket by its link alone, and what was sent about it.
func TestLinksAndNotices(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	a, b := submit(t, s, "a"), submit(t, s, "b")
	link := value(s.Link(t.Context(), a.Number))(t)
	if other := value(s.Link(t.Context(), b.Number))(t); len(link) != 22 || link == other {
		t.Errorf("links %q and %q", link, other)
	}
	must(t, s.Project(t.Context(), store.Projection{Ticket: func() ticket.Ticket { a.Version = 3; return a }()}))
	if n := value(s.Linked(t.Context(), link))(t); n != a.Number {
		t.Errorf("the link leads to %d", n)
	}
	if got := value(s.Versions(t.Context(), []int{a.Number, b.Number, 999}))(t); !cmp.Equal(got, map[int]int{a.Number: 3, b.Number: 0}) {
		t.Errorf("versions %v", got)
	}
	place, waiting, err := s.Place(t.Context(), b.Number)
	if must(t, err); place != 2 || waiting != 2 {
		t.Errorf("%d of %d", place, waiting)
	}
	write(t, s, store.Outgoing{Key: "k", Channel: gateway.SMS, Person: "ann", Address: "+4930200", Reason: "req_created", Ticket: a.Number, Text: "we have it"}, text("of no ticket"))
	got := value(s.Notices(t.Context(), a.Number))(t)
	if len(got) != 1 || got[0].Text != "we have it" || got[0].State != "due" || got[0].Person != "ann" {
		t.Errorf("%+v", got)
	}
	if _, err := s.Linked(t.Context(), "none"); err == nil {
		t.Error("found what nobody has")
	}
}

// TestDaysThatAreOverStay counts on every day, and all of them at
// once in the end: the figures are the same. A count that is young is not made again.
func TestDaysThatAreOverStay(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	dana, sys := ticket.Party{ID: "dana", Name: "Dana"}, ticket.System
	oldest := noon.Add(-12*time.Hour).AddDate(0, 0, -2)
	charts := func(zone string, lasts time.Duration) map[ticket.Priority]store.Charts {
		t.Helper()
		value(s.CountCharts(t.Context(), oldest, zone, lasts))(t)
		return value(s.Charts(t.Context(), oldest, false))(t)
	}
	for day := range 8 {
		var tickets []ticket.Ticket
		for i := range 3 { // one is solved on its day, one the day after, one is taken the day after
			opened := submit(t, s, "x")
			opened.Priority, opened.CreatedAt = []ticket.Priority{ticket.P1, ticket.P3, ticket.P4}[i], noon.AddDate(0, 0, day-2) // its events come late
			tickets = append(tickets, opened)
			hours := [][]int{{1, 3}, {2, 20}, {19, 40}}[i]
			at := func(h int) time.Time { return opened.CreatedAt.Add(time.Duration(h) * time.Hour) }
			value(0, s.KeepPromise(t.Context(), opened.Number, store.Promise{At: opened.CreatedAt, Place: 1, Method: "m", High: 2 * time.Hour}))(t)
			happened := []ticket.Event{{Seq: 1, At: opened.CreatedAt, Kind: ticket.Opened, Actor: opened.Requester}, {Seq: 2, At: at(0), Kind: ticket.Offered, Actor: sys, To: []ticket.Party{dana}},
				{Seq: 3, At: at(11), Kind: ticket.Escalated, Actor: sys, To: []ticket.Party{dana}}, {Seq: 4, At: at(hours[0]), Kind: ticket.Taken, Actor: dana, Channel: "sms"},
				{Seq: 5, At: at(hours[0]), Kind: ticket.Asked, Actor: dana}, {Seq: 6, At: at(hours[1] - 1), Kind: ticket.Answered, Actor: opened.Requester}, {Seq: 7, At: at(hours[1]), Kind: ticket.Solved, Actor: dana}}
			tickets[i].Status, tickets[i].Version = ticket.Resolved, 7
			must(t, s.Project(t.Context(), store.Projection{Ticket: tickets[i], Events: happened}))
		}
		clk.pass(24 * time.Hour)
		charts("UTC", time.Minute)
	}
	clk.pass(time.Hour)
	byDay := charts("UTC", time.Minute)
	if rows := byDay[""]["claim"]; len(rows) != 9 || rows[4].Values[2] != 3 {
		t.Fatalf("claims: %+v", rows)
	}
	if diff := cmp.Diff(charts("Etc/UTC", time.Minute), byDay); diff != "" {
		t.Errorf("at once, and (+) day by day: %s", diff)
	}
	submitted := submit(t, s, "late")
	submitted.Version, submitted.Status = 2, ticket.Assigned
	must(t, s.Project(t.Context(), store.Projection{Ticket: submitted, Events: []ticket.Event{{Seq: 1, At: clk.Now(), Kind: ticket.Taken, Actor: dana, Channel: "im"}}}))
	total := func(c map[ticket.Priority]store.Charts) (n float64) {
		for _, row := range c[""]["channels"] {
			n += row.Values[1]
		}
		return n
	}
	if young, anew := total(charts("Etc/UTC", time.Hour)), total(charts("Etc/UTC", 0)); young != 0 || anew != 1 {
		t.Errorf("%v claims by chat in the young count, %v in the next", young, anew)
	}
}
