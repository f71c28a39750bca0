package store

import (
	"context"
	"time"

	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// Notice is a message that was sent about a ticket, or is to be.
type Notice struct {
	Channel, Person, Name string
	Message               string // the message's id
	Text                  string
	State, Why            string
	Repeated              bool      // it was sent once more after an unknown outcome
	At                    time.Time // of the sending; of the plan while it is not sent
}

// Notices returns what was sent about a ticket, the oldest first.
func (s *Store) Notices(ctx context.Context, number int) ([]Notice, error) {
	rows, err := s.q.Notices(ctx, number)
	list := make([]Notice, len(rows))
	for i, r := range rows {
		fate := fateOf(r.State, r.Why)
		list[i] = Notice{Channel: r.Channel, Person: r.Person, Name: r.Name, Message: r.Reason, Text: r.Text, State: string(fate.State), Why: fate.Why, Repeated: r.Repeated, At: r.NotBefore}
		if r.SentAt != nil {
			list[i].At = *r.SentAt
		}
	}
	return list, fail("notices", err)
}

// Link returns what names a ticket to whoever asked for it, and to nobody else.
func (s *Store) Link(ctx context.Context, number int) (string, error) {
	link, err := s.q.LinkOf(ctx, number)
	return link, fail("link", err)
}

// Linked returns the number of the ticket that a link names; ErrNotFound.
func (s *Store) Linked(ctx context.Context, link string) (int, error) {
	number, err := s.q.TicketByLink(ctx, link)
	return number, fail("linked ticket", err)
}

// Versions returns the versions of these tickets by their numbers.
func (s *Store) Versions(ctx context.Context, numbers []int) (map[int]int, error) {
	rows, err := s.q.Versions(ctx, numbers)
	versions := make(map[int]int, len(rows))
	for _, r := range rows {
		versions[r.Number] = r.Version
	}
	return versions, fail("versions", err)
}

// Queue returns the tickets that wait, most urgent first, each with how far the
// search for a holder is.
func (s *Store) Queue(ctx context.Context, limit int) ([]ticket.Ticket, error) {
	docs, err := s.q.Queue(ctx, limit)
	return decodeAll[ticket.Ticket]("queue", docs, err)
}

// Place returns a waiting ticket's place in line, from 1, and how many wait.
func (s *Store) Place(ctx context.Context, number int) (place, waiting int, err error) {
	row, err := s.q.Place(ctx, number)
	return row.Place, row.Waiting, fail("place", err)
}

// Promise is what a requester was told at the start about the wait. High is 0 when
// no number was told.
type Promise struct {
	At        time.Time
	Place     int
	Method    string
	Low, High time.Duration // whole seconds
}

// KeepPromise notes what a requester was told; the first one counts.
func (s *Store) KeepPromise(ctx context.Context, number int, p Promise) error {
	params := db.PromiseParams{Ticket: number, At: p.At, Place: p.Place, Method: p.Method}
	if p.High > 0 {
		params.Low, params.High = new(int(p.Low/time.Second)), new(int(p.High/time.Second))
	}
	return fail("promise", s.q.Promise(ctx, params))
}

// Promised returns what a requester was told; ErrNotFound when that was nothing.
func (s *Store) Promised(ctx context.Context, number int) (Promise, error) {
	row, err := s.q.Promised(ctx, number)
	p := Promise{At: row.At, Place: row.Place, Method: row.Method}
	if row.High != nil {
		p.Low, p.High = time.Duration(*row.Low)*time.Second, time.Duration(*row.High)*time.Second
	}
	return p, fail("promised", err)
}

// Wait is how long a ticket waited that had a place in line.
type Wait struct {
	Place int
	Took  time.Duration
}

// Waits returns those of the last tickets that were taken.
func (s *Store) Waits(ctx context.Context, limit int) ([]Wait, error) {
	rows, err := s.q.Waits(ctx, limit)
	list := make([]Wait, len(rows))
	for i, r := range rows {
		list[i] = Wait{r.Place, time.Duration(r.Seconds * float64(time.Second))}
	}
	return list, fail("waits", err)
}

// Claims counts the claims since a time.
func (s *Store) Claims(ctx context.Context, since time.Time) (int, error) {
	n, err := s.q.Claims(ctx, since)
	return n, fail("claims", err)
}
