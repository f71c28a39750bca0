package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/store"
	"deskbell/ticket"
)

func TestForget(t *testing.T) {
	t.Parallel()
	s, clk, url := openAt(t)
	desk(t, s)
	conn := value(pgx.Connect(t.Context(), url))(t)
	t.Cleanup(func() { conn.Close(t.Context()) })
	value(conn.Exec(t.Context(), "TRUNCATE audit"))(t) // of the import
	const month, keep = 30 * 24 * time.Hour, 400 * 24 * time.Hour

	said := func(word string, finish bool) string {
		t.Helper()
		key := keep1(t, s, word)
		if finish {
			must(t, s.Drop(t.Context(), key, ""))
		}
		return key
	}
	sent := func(key string, number int) {
		t.Helper()
		o := text(key)
		o.Ticket = number
		write(t, s, o)
		for _, d := range take(t, s) {
			settle(t, s, d.ID, gateway.Outcome{State: gateway.Sent, WireIDs: []string{key}})
		}
	}
	// project writes a ticket at some state with one event more.
	project := func(number, version int, status ticket.Status, cause string) {
		t.Helper()
		changed := value(s.Ticket(t.Context(), number))(t)
		changed.Version, changed.Status = version, status
		must(t, s.Project(t.Context(), store.Projection{Ticket: changed, Events: []ticket.Event{{Seq: version, At: clk.Now(), Kind: ticket.Noted}}, Commands: []string{cause}}))
	}
	note := func(subject, detail string) {
		t.Helper()
		must(t, s.Note(t.Context(), store.Audit{Actor: "root", Act: "acted", Subject: subject, Detail: detail}))
	}
	keyed := func(key string) ticket.Ticket {
		t.Helper()
		made, _, err := s.Submit(t.Context(), store.Submission{Scope: "ann", Key: key, Opening: ticket.Opening{Subject: key, Priority: ticket.P3, Requester: ticket.Party{ID: "ann"}}})
		must(t, err)
		return made
	}

	value(s.CreateWebhook(t.Context(), store.Webhook{URL: "https://example.org", Secret: []byte{1}}, byRoot))(t)
	ended, lately, open := keyed("ended").Number, keyed("lately").Number, keyed("open").Number
	cause := said("cause", true)
	for _, number := range []int{ended, open} {
		value(s.Announce(t.Context(), number, "down", store.Audit{}))(t)
	}
	value(conn.Exec(t.Context(), `DELETE FROM audit WHERE act = 'incident.announced'`))(t)
	project(ended, 1, ticket.Closed, "")
	project(lately, 1, ticket.Assigned, said("of another", true))
	project(open, 1, ticket.Assigned, cause)
	for _, number := range []int{ended, open} {
		must(t, s.KeepPromise(t.Context(), number, store.Promise{At: clk.Now(), Place: 1, Method: "m"}))
		sent(fmt.Sprint("about ", number), number)
		note(fmt.Sprint("ticket ", number), "")
		note("person ann", fmt.Sprint("note ticket ", number))
	}
	sent("old", 0)
	later := text("waits")
	later.NotBefore = clk.Now().Add(10 * keep)
	write(t, s, later)
	list := said("list", true)
	must(t, s.Confirm(t.Context(), gateway.SMS, []string{list}))
	said("unfinished", false)
	note("webhook 1", "https://example.org/ticket 99999999999999")
	value(conn.Exec(t.Context(), `INSERT INTO audit (at, actor, channel, act, subject) SELECT $1, 'root', 'cli', 'many', 'x' FROM generate_series(1, 1200)`, clk.Now()))(t)
	value(s.Stranger(t.Context(), gateway.SMS, "+4911", clk.Now()))(t)

	clk.pass(2 * month)
	project(lately, 2, ticket.Closed, "")
	said("new", true)
	sent("new", 0)
	note("new", "")
	clk.pass(keep - month)

	charts := func(zone string) map[ticket.Priority]store.Charts { // all is counted again for another zone
		value(s.CountCharts(t.Context(), clk.Now().Add(-keep), zone, 0))(t)
		return value(s.Charts(t.Context(), clk.Now().Add(-keep), true))(t)
	}
	before := charts("UTC")
	gone := value(s.Forget(t.Context(), clk.Now().Add(-keep)))(t)
	want := map[string]int64{"inbox": 2, "deliveries": 2, "timeline": 1, "audit": 1204, "idempotency": 3, "incidents": 1, "webhook_deliveries": 3, "strangers": 1}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Error("gone:", diff)
	}
	if diff := cmp.Diff(before, charts("Etc/UTC")); diff != "" {
		t.Error("charts:", diff)
	}
	for _, left := range []struct {
		of, sql string
		want    []string
	}{
		{"inbox", `SELECT text FROM inbox ORDER BY id`, []string{"cause", "unfinished", "new"}},
		{"deliveries", `SELECT key FROM deliveries ORDER BY id`, []string{fmt.Sprint("about ", open), "waits", "new"}},
		{"segments", `SELECT wire FROM segments ORDER BY delivery`, []string{fmt.Sprint("about ", open), "new"}},
		{"timelines", `SELECT concat(ticket, ' ', seq) FROM timeline ORDER BY ticket, seq`, []string{fmt.Sprint(lately, " 1"), fmt.Sprint(lately, " 2"), fmt.Sprint(open, " 1")}},
		{"promises", `SELECT ticket::text FROM promises`, []string{fmt.Sprint(open)}},
		{"incidents", `SELECT ticket::text FROM incidents`, []string{fmt.Sprint(open)}},
		{"tickets", `SELECT doc->>'subject' FROM tickets ORDER BY number`, []string{"ended", "lately", "open"}},
		{"audit", `SELECT concat(subject, detail) FROM audit ORDER BY id`, []string{fmt.Sprint("ticket ", open), fmt.Sprint("person ann", "note ticket ", open), "new"}},
	} {
		rows := value(conn.Query(t.Context(), left.sql))(t)
		got := value(pgx.CollectRows(rows, pgx.RowTo[string]))(t)
		if diff := cmp.Diff(left.want, got); diff != "" {
			t.Errorf("left of %s: %s", left.of, diff)
		}
	}
	if again := keep1(t, s, "list"); again == list {
		t.Error("a message has the key of one that is gone")
	}
	if again := keyed("ended"); again.Number == ended {
		t.Error("a key counts that is gone")
	}
	if gone := value(s.Forget(t.Context(), clk.Now().Add(-keep)))(t); len(gone) > 0 {
		t.Error("gone the second time:", gone)
	}
}

// keep1 keeps an SMS and returns its key.
func keep1(t testing.TB, s *store.Store, word string) string {
	t.Helper()
	kept := keep(t, s, sms(word))[0]
	if kept.Repeat {
		t.Fatalf("%q is a repeat", word)
	}
	return kept.Key
}
