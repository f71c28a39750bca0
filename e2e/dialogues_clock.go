package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// now is the desk's present.
func (p *play) now() time.Time { return time.Now().Add(p.offset) }

// moveTo sets the desk's clock; it never goes back.
func (p *play) moveTo(at time.Time) {
	p.t.Helper()
	if by := at.Sub(p.now()); by > 0 {
		p.setOffset(p.offset + by)
	}
}

// setOffset moves the desk's clock and those of the tickets. Tickets that cannot be
// reached learn of it when the engine is back.
func (p *play) setOffset(offset time.Duration) {
	p.t.Helper()
	p.offset = offset
	browser := http.Client{Timeout: Patience}
	if p.down["temporal"] {
		browser.Timeout = time.Second
	}
	response, err := browser.PostForm(p.HTTP+"/test/clock", url.Values{"offset": {offset.String()}})
	if err != nil {
		if len(p.down) == 0 {
			p.t.Fatal(err)
		}
		return
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK && len(p.down) == 0 {
		p.t.Fatalf("the clock does not move: %s", response.Status)
	}
}

// Limits of a wait for quiet: what is broken stays busy.
const (
	quietLimit  = 10 * time.Second
	brokenLimit = 300 * time.Millisecond
)

// quiet waits until nothing is under way before the next alarm. Parts of a message
// whose others never came may wait.
func (p *play) quiet() {
	p.t.Helper()
	limit := quietLimit
	if len(p.down) > 0 {
		limit = brokenLimit
	}
	var busy string
	if !eventually(limit, func() bool {
		var err error
		if busy, err = p.underWay(); err != nil {
			busy = err.Error()
		}
		return busy == ""
	}) && len(p.down) == 0 {
		p.t.Logf("not quiet after %s: %s", limit, busy)
	}
	for _, who := range p.persons {
		if who.chat != nil && !p.down["xmpp"] {
			if err := who.chat.ping(); err != nil {
				p.t.Error(err)
			}
		}
	}
}

func (p *play) underWay() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), quietLimit)
	defer cancel()
	ledger, err := phonesAPI{p.Phones}.rows() // as it is now
	if err != nil {
		return "", err
	}
	for _, r := range ledger {
		if r.State == "waiting" {
			return "typed and not delivered: " + r.Text, nil
		}
	}
	for _, who := range p.persons {
		if who.chat != nil && !who.chat.arrived(ctx, p.db, who.JID) {
			return "a chat of " + who.Name + " is not in the inbox", nil
		}
	}
	if rows, err := p.rows(ctx, "SELECT channel || ' from ' || sender || ': ' || text FROM inbox WHERE state <> 'finished' AND part_group IS NULL"); err != nil || len(rows) > 0 {
		return fmt.Sprintf("unanswered %q", rows), err
	}
	open, err := p.rows(ctx, "SELECT number::text FROM tickets WHERE status NOT IN ('closed', 'cancelled') OR version = 0")
	if err != nil {
		return "", err
	}
	for _, n := range open {
		run, err := p.engine.DescribeWorkflowExecution(ctx, "ticket-"+n, "")
		if err != nil {
			return "", err
		}
		if run.PendingWorkflowTask != nil || len(run.PendingActivities) > 0 {
			return fmt.Sprintf("ticket-%s: %v %v", n, run.PendingWorkflowTask, run.PendingActivities), nil
		}
	}
	late, err := p.rows(ctx, `SELECT 'ticket-' || number || ' ' || (a->>'kind') FROM tickets t, jsonb_array_elements(t.doc->'alarms') a WHERE (a->>'at')::timestamptz <= $1
		UNION ALL SELECT id || ' is back' FROM people WHERE away_until <= $1`, p.now())
	if err != nil || len(late) > 0 {
		return fmt.Sprintf("about to happen: %q", late), err
	}
	rows, err := p.rows(ctx, "SELECT channel || ' to ' || address || ': ' || text FROM deliveries WHERE state = 'sending' OR state = 'due' AND not_before <= $1", p.now())
	if err != nil || len(rows) > 0 {
		return fmt.Sprintf("unsent %q", rows), err
	}
	return "", nil
}

// next is the next moment at which something may happen by itself, or zero: an
// alarm of a ticket, a message whose time comes, somebody's return. While a message
// is unanswered, or a server is away, it is a moment from now.
func (p *play) next() time.Time {
	p.t.Helper()
	now := p.now()
	if len(p.down) > 0 {
		return now.Add(2 * time.Second)
	}
	var at *time.Time
	if err := p.db.QueryRow(context.Background(), `SELECT min(at) FROM (
		SELECT (a->>'at')::timestamptz AS at FROM tickets t, jsonb_array_elements(t.doc->'alarms') a
		UNION ALL SELECT not_before FROM deliveries WHERE state = 'due'
		UNION ALL SELECT away_until FROM people
		UNION ALL SELECT $1::timestamptz + interval '20 seconds' FROM inbox WHERE state <> 'finished'
	) moments WHERE at > $1 AND at < '9000-01-01'`, now).Scan(&at); err != nil && err != pgx.ErrNoRows {
		p.t.Fatal(err)
	}
	if at == nil {
		return time.Time{}
	}
	return at.Add(2 * time.Millisecond)
}

// until moves the clock on, from one thing that happens to the next, until the
// condition holds, and not beyond the bound.
func (p *play) until(bound time.Time, condition func() bool) bool {
	p.t.Helper()
	for {
		p.quiet()
		if condition() {
			return true
		}
		if !p.now().Before(bound) {
			return eventually(Patience, condition)
		}
		at := p.next()
		if at.IsZero() || at.After(bound) {
			at = bound
		}
		if p.late != nil && at.After(p.late.at) {
			at = p.late.at
		}
		p.moveTo(at)
		p.catchUp()
	}
}

// catchUp does what the setup promised for a time after the start.
func (p *play) catchUp() {
	if l := p.late; l != nil && !p.now().Before(l.at) {
		p.late = nil
		p.quiet()
		l.do()
		p.catchUp()
	}
}
