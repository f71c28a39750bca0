package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	enums "go.temporal.io/api/enums/v1"
)

// Story returns the desk for one story of several that share it. At the story's
// end nothing may be left that it did not expect; its tickets are closed and its
// chats end.
func (d *Desk) Story(t *testing.T) *Desk {
	t.Helper()
	if !d.running() {
		t.Fatalf("the desk ended by itself (%v):\n%s", d.status, d.tail())
	}
	s := &Desk{server: d.server, t: t, persons: map[string]*Person{}}
	for _, r := range s.People {
		s.Person(r.ID) // so that its phone is watched
		if r.Phone != "" {
			s.persons[r.ID].Phone()
		}
	}
	t.Cleanup(func() {
		if !t.Failed() {
			s.Done()
		}
		s.tidy()
	})
	return s
}

// Done fails on every message that nobody expected.
func (d *Desk) Done() {
	d.t.Helper()
	d.Settle()
	for _, id := range slices.Sorted(maps.Keys(d.persons)) {
		for _, w := range d.persons[id].wires() {
			for _, m := range w.unexpected() {
				d.t.Errorf("%s got a message that nobody expected: %s", w.who, m.Text)
			}
		}
	}
}

// tidy leaves the desk as the next story needs it.
func (d *Desk) tidy() {
	d.t.Helper()
	if !d.running() {
		return
	}
	for _, n := range d.mine {
		if t := d.Ticket(n); t.Status != "closed" && t.Status != "cancelled" {
			verb, who := "close", d.manager()
			if t.Status == "new" {
				d.Act(who, "claim", n, nil)
			}
			d.Act(who, verb, n, nil)
		}
	}
	d.Settle() // what a chat did not get before its end waits for the next one
	for _, p := range d.persons {
		p.Leave()
	}
	d.Advance(time.Minute) // the next story's offers are not bundled with this one's
	for _, p := range d.away {
		p.Phone().Reply("back").ExpectOne("Welcome back", "Nothing is waiting")
	}
	d.Settle()
}

// manager is the first manager of the people file.
func (d *Desk) manager() *Person {
	for _, r := range d.People {
		if slices.Contains(strings.Fields(fmt.Sprint(r.Role)), "manager") {
			return d.Person(r.ID)
		}
	}
	d.t.Fatal("this desk has no manager")
	return nil
}

// Free makes these agents the only ones on duty.
func (d *Desk) Free(ids ...string) {
	d.t.Helper()
	for _, r := range d.People {
		if fmt.Sprint(r.Role) == "agent" && !slices.Contains(ids, r.ID) {
			p := d.Person(r.ID)
			p.Phone().Reply("away").Expect("You are away")
			d.away = append(d.away, p)
		}
	}
}

// settleLimit bounds the wait for quiet.
const settleLimit = 15 * time.Second

// Settle waits until nothing is under way: every message that came in is
// answered, no workflow has anything to do before its next alarm, and nothing that
// is due waits to be sent.
func (d *Desk) Settle() {
	d.t.Helper()
	var busy string
	if !eventually(settleLimit, func() bool {
		var err error
		if busy, err = d.busy(); err != nil {
			busy = err.Error()
		}
		return busy == ""
	}) {
		d.t.Fatalf("not quiet after %s: %s", settleLimit, busy)
	}
	if w, ok := d.phones.(*watchedPhones); ok {
		w.again()
	}
	for _, p := range d.persons {
		if p.chat == nil {
			continue
		}
		if err := p.chat.ping(); err != nil {
			d.t.Error(err)
		}
	}
}

// busy says what is under way. What leads to what is asked in that order.
func (d *Desk) busy() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	if d.Phones != "" {
		for _, r := range d.Ledger() {
			if r.State == "waiting" {
				return "typed and not delivered: " + r.Text, nil
			}
		}
	}
	for _, p := range d.persons {
		if p.chat != nil && !p.chat.arrived(ctx, d.db, p.JID) {
			return "a chat of " + p.Name + " is not in the inbox", nil
		}
	}
	if rows, err := d.rows(ctx, "SELECT channel || ' from ' || sender || ': ' || text FROM inbox WHERE state <> 'finished'"); err != nil || len(rows) > 0 {
		return fmt.Sprintf("unanswered %q", rows), err
	}
	if what, err := d.deciding(ctx); err != nil || what != "" {
		return what, err
	}
	rows, err := d.rows(ctx, "SELECT channel || ' to ' || address || ': ' || text FROM deliveries WHERE state = 'sending' OR state = 'due' AND not_before <= $1", time.Now().Add(d.offset))
	if err != nil || len(rows) > 0 {
		return fmt.Sprintf("unsent %q", rows), err
	}
	return "", nil
}

// deciding says which ticket's workflow has something to do. One that has ended
// has not: a story reopens nothing that an earlier one closed.
func (d *Desk) deciding(ctx context.Context) (string, error) {
	numbers, err := d.rows(ctx, "SELECT number::text FROM tickets ORDER BY number DESC") // what is under way is mostly new
	if err != nil {
		return "", err
	}
	for _, n := range numbers {
		if d.ended[n] {
			continue
		}
		run, err := d.engine.DescribeWorkflowExecution(ctx, "ticket-"+n, "")
		if err != nil {
			return "", fmt.Errorf("ticket-%s: %w", n, err)
		}
		if run.PendingWorkflowTask != nil || len(run.PendingActivities) > 0 {
			return fmt.Sprintf("ticket-%s: %v %v", n, run.PendingWorkflowTask, run.PendingActivities), nil
		}
		d.ended[n] = run.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}
	return "", nil
}

func (d *Desk) rows(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := d.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
