package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/store"
)

// pages are as many as a bad night has.
const pages = 100

// TestPages is what pages must survive: every carrier away for three minutes (six seconds
// outside make soak), and the gateway killed while it sends them. None is
// lost, and none comes more than once again, which then says so.
func TestPages(t *testing.T) {
	away := 6 * time.Second
	if os.Getenv("DESKBELL_SOAK") != "" {
		away = 3 * time.Minute
	}
	d := start(t)
	d.startChild()
	defer d.stopChild()
	s, err := store.Open(t.Context(), d.database, clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := pgx.Connect(t.Context(), d.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	count := func(condition string) (n int) {
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM deliveries WHERE "+condition).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	page := func(what string) {
		t.Helper()
		var w store.Write
		for i := range pages {
			text := fmt.Sprintf("%s %03d", what, i)
			w.Outgoing = append(w.Outgoing, store.Outgoing{Key: text, Channel: gateway.SMS, Address: fmt.Sprintf("+491557%06d", i%37), Reason: "page",
				Text: text, Again: again + text, Alert: true, Urgent: true})
		}
		if _, err := s.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	arrived := func(what string) {
		t.Helper()
		until(t, time.Minute, "all of "+what+" to be settled", func() bool { return count("state IN ('due', 'sending')") == 0 })
		times := map[string]int{}
		for i := range d.smscs {
			for _, row := range d.ledger(i) {
				times[row.Text]++
			}
		}
		lost, repeated := 0, 0
		for i := range pages {
			text := fmt.Sprintf("%s %03d", what, i)
			first, second := times[text], times[again+text]
			if first+second == 0 {
				lost++
			}
			repeated += second
			if first > 1 || second > 1 {
				t.Errorf("%s came %d times, and %d times marked", text, first, second)
			}
		}
		if lost > 0 {
			t.Errorf("%s: %d of %d lost", what, lost, pages)
		}
		t.Logf("%s: %d pages, %d lost, %d repeated and marked", what, pages, lost, repeated)
	}

	for i := range d.smscs {
		d.fault(i, map[string]any{"down": away.Seconds()})
	}
	page("outage")
	time.Sleep(away) // the length of the outage is what is given here
	arrived("outage")

	for i := range d.smscs {
		d.fault(i, map[string]any{"silent": true}) // it has them, and we do not know
	}
	page("kill")
	until(t, time.Minute, "pages in flight", func() bool { return count("state = 'sending'") > 0 && len(d.ledger(0))+len(d.ledger(1)) > pages+5 })
	d.stopChild()
	if n := count("state = 'sending'"); n == 0 {
		t.Error("nothing was in flight")
	}
	for i := range d.smscs {
		d.fault(i, map[string]any{"silent": false})
	}
	d.startChild()
	arrived("kill")
}

// until waits for a condition.
func until(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
