package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// Submission is a new ticket. The store fills in its number and its time.
type Submission struct {
	Opening ticket.Opening
	// Key makes the submission idempotent within Scope; empty for none. Hash
	// identifies the request's content.
	Scope, Key, Hash string
}

// changes is the channel on which readers hear that something changed: a payload
// is "ticket:142" or "agent".
const changes = "deskbell_change"

// Submit writes a ticket and its key in one transaction. The same scope, key and
// hash give the same ticket and repeat; another hash gives ErrKeyReused.
func (s *Store) Submit(ctx context.Context, sub Submission) (t ticket.Ticket, repeat bool, err error) {
	o := sub.Opening
	o.CreatedAt = s.now()
	t = ticket.Ticket{Subject: o.Subject, Body: o.Body, Requester: o.Requester, Group: o.Group,
		Channel: o.Channel, CreatedAt: o.CreatedAt, Priority: o.Priority, Plan: o.Plan}
	t.Status = ticket.New
	doc, err := json.Marshal(t)
	if err != nil {
		return ticket.Ticket{}, false, fail("submit", err)
	}
	opening, err := json.Marshal(o)
	if err != nil {
		return ticket.Ticket{}, false, fail("submit", err)
	}
	t.Number, err = s.q.InsertTicket(ctx, db.InsertTicketParams{Scope: sub.Scope, Key: sub.Key, Hash: sub.Hash, Status: string(t.Status),
		Priority: string(t.Priority), Requester: t.Requester.ID, CreatedAt: t.CreatedAt, Doc: doc, Opening: opening})
	if errors.Is(err, pgx.ErrNoRows) {
		t, err = s.submitted(ctx, sub)
		repeat = true
	}
	if err != nil {
		return ticket.Ticket{}, false, fail("submit", err)
	}
	return t, repeat, nil
}

func (s *Store) submitted(ctx context.Context, sub Submission) (ticket.Ticket, error) {
	key, err := s.q.Key(ctx, db.KeyParams{Scope: sub.Scope, Key: sub.Key})
	if err != nil {
		return ticket.Ticket{}, err
	}
	if key.Hash != sub.Hash || key.Ticket == nil {
		return ticket.Ticket{}, ErrKeyReused
	}
	row, err := s.q.Ticket(ctx, *key.Ticket)
	if err != nil {
		return ticket.Ticket{}, err
	}
	return decode[ticket.Ticket](row.Doc)
}

// Unstarted returns the openings of tickets that were submitted before a time and
// that no workflow has written yet, oldest first.
func (s *Store) Unstarted(ctx context.Context, before time.Time, limit int) ([]ticket.Opening, error) {
	docs, err := s.q.Unstarted(ctx, db.UnstartedParams{Before: before, Max: limit})
	return decodeAll[ticket.Opening]("unstarted tickets", docs, err)
}

// Projection is what a ticket's workflow writes: the ticket as it is, events that
// may not be written yet, and the ids of its last commands.
type Projection struct {
	Ticket   ticket.Ticket
	Events   []ticket.Event
	Commands []string
	// News are lines about the events, each written once like its event.
	News []Outgoing
}

// Project writes a projection. An older version never replaces a newer one, and
// an event is written once, whatever the order and however often it comes.
func (s *Store) Project(ctx context.Context, p Projection) error {
	what := fmt.Sprintf("project ticket %d", p.Ticket.Number)
	doc, err := json.Marshal(p.Ticket)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	events := db.InsertTimelineParams{Ticket: p.Ticket.Number, Now: s.now()}
	for _, e := range p.Events {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		events.Seqs = append(events.Seqs, e.Seq)
		events.Ats = append(events.Ats, e.At)
		events.Docs = append(events.Docs, string(line))
	}
	return s.together(ctx, what, func(q *db.Queries) error {
		t := p.Ticket
		err := q.ProjectTicket(ctx, db.ProjectTicketParams{Number: t.Number, Version: t.Version, Status: string(t.Status),
			Priority: string(t.Priority), Requester: t.Requester.ID, Assignee: t.Assignee.ID, CreatedAt: t.CreatedAt,
			Doc: doc, Commands: append([]string{}, p.Commands...)})
		if err != nil {
			return err
		}
		if len(p.Events) > 0 {
			if err := q.InsertTimeline(ctx, events); err != nil {
				return err
			}
		}
		if err := s.hold(ctx, q, t); err != nil {
			return err
		}
		if err := s.post(ctx, q, p.News); err != nil {
			return err
		}
		return q.Notify(ctx, db.NotifyParams{Channel: changes, Payload: "ticket:" + strconv.Itoa(t.Number)})
	})
}

// hold notes who holds the ticket, and that nobody else does.
func (s *Store) hold(ctx context.Context, q *db.Queries, t ticket.Ticket) error {
	holder := ""
	if t.Holder(t.Assignee.ID) {
		holder = t.Assignee.ID
	}
	err := q.ClearHolds(ctx, db.ClearHoldsParams{Ticket: t.Number, Version: t.Version, Holder: holder, Waiting: t.Status == ticket.New})
	if err != nil || holder == "" {
		return err
	}
	return q.SetHold(ctx, db.SetHoldParams{Ticket: t.Number, Version: t.Version, Person: holder, At: s.now()})
}

const (
	// askedFor is how long NEXT leaves a ticket to a take that is under way. An
	// answer takes milliseconds.
	askedFor = 10 * time.Second
	// claimedFor is how long such a take counts as a ticket held. A worker that
	// crashed is replaced within half of it, and takes what waited.
	claimedFor = time.Minute
)

// AskHold notes that a person is about to take a ticket, before the take is handed
// over. It is false, and nothing is noted, when the person has limit tickets
// already; a limit of 0 is none.
func (s *Store) AskHold(ctx context.Context, person string, number, limit int) (ok bool, err error) {
	const what = "ask for a hold"
	now := s.now()
	ask := db.AskHoldParams{Ticket: number, Person: person, At: now}
	if limit == 0 {
		// Nobody misses it after a crash of the database: it is good for seconds.
		err := s.together(ctx, what, func(q *db.Queries) error {
			return errors.Join(q.CommitLazily(ctx), q.AskHold(ctx, ask))
		})
		return err == nil, err
	}
	err = s.tx(ctx, what, func(q *db.Queries) error {
		ok = false
		if err := q.LockPerson(ctx, person); err != nil {
			return err
		}
		held, err := q.CountHolds(ctx, db.CountHoldsParams{Person: person, Ticket: number, Since: now.Add(-claimedFor)})
		if err != nil || held >= limit {
			return err
		}
		ok = true
		return q.AskHold(ctx, ask)
	})
	return ok && err == nil, err
}

// DropAsk takes back AskHold for a take that failed.
func (s *Store) DropAsk(ctx context.Context, person string, number int) error {
	return fail("drop an ask", s.q.DropAsk(ctx, db.DropAskParams{Ticket: number, Person: person}))
}

// Asked returns the numbers of the tickets that somebody is about to take.
func (s *Store) Asked(ctx context.Context) ([]int, error) {
	numbers, err := s.q.AskedHolds(ctx, s.now().Add(-askedFor))
	return numbers, fail("asked tickets", err)
}

// Ticket returns a ticket as its workflow wrote it last; before it wrote, as it
// was submitted. ErrNotFound when there is none.
func (s *Store) Ticket(ctx context.Context, number int) (ticket.Ticket, error) {
	t, _, err := s.Snapshot(ctx, number)
	return t, err
}

// Snapshot returns a ticket and the ids of its last commands.
func (s *Store) Snapshot(ctx context.Context, number int) (ticket.Ticket, []string, error) {
	what := fmt.Sprintf("ticket %d", number)
	if number < 0 || number > math.MaxInt32 {
		return ticket.Ticket{}, nil, fail(what, ErrNotFound)
	}
	row, err := s.q.Ticket(ctx, number)
	if err != nil {
		return ticket.Ticket{}, nil, fail(what, err)
	}
	t, err := decode[ticket.Ticket](row.Doc)
	return t, row.Commands, fail(what, err)
}

// Filter selects tickets; zero fields select all.
type Filter struct {
	Status    []ticket.Status
	Assignee  string
	Requester string
	Cursor    string // from the page before
	Limit     int    // 50 when zero, 200 at most
	Priority  []ticket.Priority
	Group     string
	// Since and Before bound when tickets came in.
	Since, Before time.Time
	// Words are looked for in subjects and bodies, as people type them into a search
	// engine: all of them, "a phrase", one or another, -without.
	Words string
}

// forever is later than anything.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	defaultPage = 50
	maxPage     = 200
)

// ErrCursor says that a filter's cursor is not one of ours.
var ErrCursor = errors.New("unknown cursor")

// Tickets returns tickets, newest first, without their queue, alarms, plan and
// recent lines, and the cursor of the next page, empty on the last.
func (s *Store) Tickets(ctx context.Context, f Filter) (list []ticket.Ticket, next string, err error) {
	limit := pageSize(f.Limit)
	params := db.TicketsParams{Below: math.MaxInt32, Statuses: []string{}, Priorities: []string{}, Assignee: f.Assignee, Requester: f.Requester,
		Grp: f.Group, Words: storable(f.Words), Since: f.Since, Before: f.Before, Max: limit + 1}
	if f.Before.IsZero() {
		params.Before = forever
	}
	if f.Cursor != "" {
		if params.Below, err = strconv.Atoi(f.Cursor); err != nil || params.Below < 1 || params.Below > math.MaxInt32 {
			return nil, "", ErrCursor
		}
	}
	for _, status := range f.Status {
		params.Statuses = append(params.Statuses, string(status))
	}
	for _, p := range f.Priority {
		params.Priorities = append(params.Priorities, string(p))
	}
	docs, err := s.q.Tickets(ctx, params)
	list, err = decodeAll[ticket.Ticket]("tickets", docs, err)
	if len(list) > limit {
		list = list[:limit]
		next = strconv.Itoa(list[limit-1].Number)
	}
	return list, next, err
}

// OpenPlans returns the open tickets with no more than their numbers, priorities, groups
// and plans.
func (s *Store) OpenPlans(ctx context.Context) ([]ticket.Ticket, error) {
	const what = "plans of open tickets"
	rows, err := s.q.OpenPlans(ctx)
	if err != nil {
		return nil, fail(what, err)
	}
	list := make([]ticket.Ticket, len(rows))
	for i, r := range rows {
		list[i] = ticket.Ticket{Number: r.Number, Priority: ticket.Priority(r.Priority), Group: r.Grp}
		if list[i].Plan, err = decode[ticket.Plan](r.Plan); err != nil {
			return nil, fail(what, err)
		}
	}
	return list, nil
}

// Waiting returns the tickets that nobody holds, most urgent first, oldest first
// within, without their bodies, queue, alarms, plan and recent lines.
func (s *Store) Waiting(ctx context.Context, limit int) ([]ticket.Ticket, error) {
	docs, err := s.q.Waiting(ctx, limit)
	return decodeAll[ticket.Ticket]("waiting tickets", docs, err)
}

// Mentionable is what a person may mean when they speak of a ticket. The tickets
// have what that needs: number, status, subject, what they wait for, when they were
// claimed, by when they are promised and whether they are offered to a colleague.
type Mentionable struct {
	Held    []ticket.Ticket // oldest first; empty for who does not work
	Waiting []ticket.Ticket // most urgent first; empty for who does not work
	Own     []ticket.Ticket // that the person asked for, newest first
	Offered []ticket.Ticket // of the given numbers
}

// How much a person is taken to mean.
const (
	mentionableWaiting = 200
	mentionableOwn     = 50
)

// Mentionable returns what a person may mean; offered are the numbers of tickets
// that were offered to them.
func (s *Store) Mentionable(ctx context.Context, person string, works bool, offered []int) (m Mentionable, err error) {
	rows, err := s.q.Mentionable(ctx, db.MentionableParams{Person: person, Works: works, Offered: append([]int{}, offered...), Waiting: mentionableWaiting, Own: mentionableOwn})
	if err != nil {
		return m, fail("tickets that may be meant", err)
	}
	for _, row := range rows {
		t := ticket.Ticket{Number: row.Number, Subject: row.Subject}
		t.Status, t.Waits, t.ClaimedAt = ticket.Status(row.Status), row.Waits, row.ClaimedAt.UTC()
		if row.Passed {
			t.Pass = &ticket.Handover{}
		}
		if row.Promise != nil {
			if err := json.Unmarshal(row.Promise, &t.Promise); err != nil {
				return m, fail("a ticket's promise", err)
			}
		}
		list := [...]*[]ticket.Ticket{&m.Held, &m.Waiting, &m.Own, &m.Offered}[row.Kind-1]
		*list = append(*list, t)
	}
	return m, nil
}

// Counts is how many tickets are open.
type Counts struct {
	New, Assigned, Pending int
	Oldest                 time.Time // submission of the oldest that nobody holds; zero for none
}

// Counts counts the open tickets.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	row, err := s.q.Counts(ctx)
	if err != nil {
		return Counts{}, fail("count tickets", err)
	}
	return Counts{New: row.New, Assigned: row.Assigned, Pending: row.Pending, Oldest: row.Oldest.UTC()}, nil
}

// Timeline returns the events of a ticket, in their order.
func (s *Store) Timeline(ctx context.Context, number int) ([]ticket.Event, error) {
	docs, err := s.q.Timeline(ctx, number)
	return decodeAll[ticket.Event](fmt.Sprintf("timeline of ticket %d", number), docs, err)
}

// PastTickets returns all events of the tickets submitted since a time, ticket by
// ticket in the order of their numbers.
func (s *Store) PastTickets(ctx context.Context, since time.Time) ([][]ticket.Event, error) {
	const what = "past tickets"
	rows, err := s.q.PastEvents(ctx, since)
	if err != nil {
		return nil, fail(what, err)
	}
	var pasts [][]ticket.Event
	for i, row := range rows {
		e, err := decode[ticket.Event](row.Doc)
		if err != nil {
			return nil, fail(what, err)
		}
		if i == 0 || rows[i-1].Ticket != row.Ticket {
			pasts = append(pasts, nil)
		}
		pasts[len(pasts)-1] = append(pasts[len(pasts)-1], e)
	}
	return pasts, nil
}

// NumberedEvent is an event and the ticket it happened to.
type NumberedEvent struct {
	Number int
	Event  ticket.Event
}

// RecentEvents returns the last events of all tickets, newest first, but those of some
// kinds.
func (s *Store) RecentEvents(ctx context.Context, limit int, omitted ...ticket.Kind) ([]NumberedEvent, error) {
	params := db.RecentEventsParams{Omitted: []string{}, Max: limit}
	for _, kind := range omitted {
		params.Omitted = append(params.Omitted, string(kind))
	}
	rows, err := s.q.RecentEvents(ctx, params)
	if err != nil {
		return nil, fail("recent events", err)
	}
	var list []NumberedEvent
	for _, row := range rows {
		e, err := decode[ticket.Event](row.Doc)
		if err != nil {
			return nil, fail("recent events", err)
		}
		list = append(list, NumberedEvent{row.Ticket, e})
	}
	return list, nil
}

func decode[T any](doc []byte) (value T, err error) {
	err = json.Unmarshal(doc, &value)
	return value, err
}

func decodeAll[T any](what string, docs [][]byte, err error) ([]T, error) {
	if err != nil {
		return nil, fail(what, err)
	}
	list := make([]T, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal(doc, &list[i]); err != nil {
			return nil, fail(what, err)
		}
	}
	return list, nil
}
