package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"deskbell/store/internal/db"
)

// Incident is a ticket that is announced to everybody.
type Incident struct {
	Ticket    int
	Words     string // what everybody reads
	By        string // a person's id
	Since     time.Time
	Requester string   // of the ticket: a person's id
	Affected  []string // ids of others, in the order in which they said so
}

// Count is how many people are affected, with whoever asked first.
func (i Incident) Count() int { return 1 + len(i.Affected) }

// Affects tells whether somebody is among those who are affected.
func (i Incident) Affects(person string) bool {
	return person != "" && (person == i.Requester || slices.Contains(i.Affected, person))
}

// Incidents returns what is known now: what was announced, not withdrawn, and is a ticket
// that is open. The latest is first.
func (s *Store) Incidents(ctx context.Context) ([]Incident, error) {
	list, err := known(ctx, s.q, 0)
	return list, fail("incidents", err)
}

// known are the incidents that are known now; of one ticket unless it is 0.
func known(ctx context.Context, q *db.Queries, ticket int) ([]Incident, error) {
	rows, err := q.KnownIncidents(ctx, ticket)
	list := make([]Incident, len(rows))
	for i, r := range rows {
		list[i] = Incident{Ticket: r.Ticket, Words: r.Words, By: r.AnnouncedBy, Since: r.AnnouncedAt.UTC(), Requester: r.Requester, Affected: r.Affected}
	}
	return list, err
}

// Announce announces a ticket to everybody, or says of one that is announced something
// else. ErrNotFound when there is no such ticket, or it is over.
func (s *Store) Announce(ctx context.Context, ticket int, words string, by Audit) (Incident, error) {
	return s.incident(ctx, "announce an incident", ticket, by, "incident.announced", func(q *db.Queries) error {
		_, err := q.Announce(ctx, db.AnnounceParams{Ticket: ticket, Words: storable(words), AnnouncedBy: by.Actor, Now: s.now()})
		return err
	})
}

// errUnchanged ends a transaction in which there was nothing to do.
var errUnchanged = errors.New("as it was")

// JoinIncident notes that somebody is affected too, once. ErrNotFound when the ticket is
// not known as an incident.
func (s *Store) JoinIncident(ctx context.Context, ticket int, person string, by Audit) (Incident, error) {
	return s.incident(ctx, "join an incident", ticket, by, "incident.joined", func(q *db.Queries) error {
		// From here on nobody reads whom to tell, so that the ticket is looked at as it is.
		if _, err := q.LockIncident(ctx, ticket); err != nil {
			return err
		}
		if now, err := known(ctx, q, ticket); err != nil || len(now) == 0 {
			return errors.Join(err, ErrNotFound)
		}
		added, err := q.JoinIncident(ctx, db.JoinIncidentParams{Ticket: ticket, Person: person})
		if err == nil && added == 0 {
			err = errUnchanged
		}
		return err
	})
}

// WithdrawIncident has a ticket known no more; those who are affected stay so.
// ErrNotFound when it is not known.
func (s *Store) WithdrawIncident(ctx context.Context, ticket int, by Audit) error {
	_, err := s.incident(ctx, "withdraw an incident", ticket, by, "incident.withdrawn", func(q *db.Queries) error {
		withdrawn, err := q.WithdrawIncident(ctx, db.WithdrawIncidentParams{Ticket: ticket, Now: s.now()})
		if err == nil && withdrawn == 0 {
			err = ErrNotFound
		}
		return err
	})
	return err
}

// incident changes one, notes who did it, and returns it as it then is, if it is known.
func (s *Store) incident(ctx context.Context, what string, ticket int, by Audit, act string, change func(*db.Queries) error) (i Incident, err error) {
	err = s.tx(ctx, what, func(q *db.Queries) error {
		switch err := change(q); {
		case errors.Is(err, errUnchanged):
		case err != nil:
			return err
		default:
			by.Act, by.Subject = act, fmt.Sprintf("ticket %d", ticket)
			if err := errors.Join(s.note(ctx, q, by), q.Notify(ctx, db.NotifyParams{Channel: changes, Payload: "ticket:" + strconv.Itoa(ticket)})); err != nil {
				return err
			}
		}
		now, err := known(ctx, q, ticket)
		if len(now) > 0 {
			i = now[0]
		}
		return err
	})
	return i, err
}

// Affected returns what was announced of a ticket, and whom it affects besides whoever
// asked, whether or not it is known still; ErrNotFound when it never was announced. Who is
// added after a ticket is over is refused, so that all who were added before are returned
// once it is.
func (s *Store) Affected(ctx context.Context, ticket int) (words string, people []string, err error) {
	row, err := s.q.Affected(ctx, ticket)
	return row.Words, row.Affected, fail("whom an incident affects", err)
}

// MergeIncident has whoever asked for a merged ticket affected by what is known of the
// other one, and what was announced of the merged one announced of the other.
func (s *Store) MergeIncident(ctx context.Context, merged, into int, requester string) error {
	return s.together(ctx, "merge incidents", func(q *db.Queries) error {
		if err := q.MoveIncident(ctx, db.MoveIncidentParams{Merged: merged, Ticket: into}); err != nil {
			return err
		}
		_, err := q.JoinIncident(ctx, db.JoinIncidentParams{Ticket: into, Person: requester})
		return err
	})
}
