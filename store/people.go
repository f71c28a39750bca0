package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store/internal/db"
)

func agentsChanged(ctx context.Context, q *db.Queries, rows int64) error {
	if rows == 0 {
		return nil
	}
	return q.Notify(ctx, db.NotifyParams{Channel: changes, Payload: "agent"})
}

// People returns everybody, in the order of the people file, without PINs.
func (s *Store) People(ctx context.Context) ([]roster.Person, error) {
	rows, err := s.q.People(ctx)
	if err != nil {
		return nil, fail("people", err)
	}
	list := make([]roster.Person, len(rows))
	for i, row := range rows {
		list[i] = person(row)
	}
	return list, nil
}

// Person returns one person, or ErrNotFound.
func (s *Store) Person(ctx context.Context, id string) (roster.Person, error) {
	row, err := s.row(ctx, id)
	return person(row), err
}

func (s *Store) row(ctx context.Context, id string) (row db.Person, err error) {
	rows, err := s.q.PeopleByID(ctx, []string{id})
	if err == nil && len(rows) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return row, fail("person "+id, err)
	}
	return rows[0], nil
}

// PeopleByID returns those of these people who are known, by id.
func (s *Store) PeopleByID(ctx context.Context, ids []string) (map[string]roster.Person, error) {
	rows, err := s.q.PeopleByID(ctx, ids)
	if err != nil {
		return nil, fail("people", err)
	}
	known := map[string]roster.Person{}
	for _, row := range rows {
		known[row.ID] = person(row)
	}
	return known, nil
}

// PersonAt returns who has an address: an E.164 number or a bare JID. ErrNotFound
// for a stranger, and for who is deactivated.
func (s *Store) PersonAt(ctx context.Context, channel gateway.Channel, address string) (roster.Person, error) {
	find := s.q.PersonByPhone
	if channel == gateway.IM {
		find = s.q.PersonByJID
	}
	row, err := find(ctx, address)
	if err != nil {
		return roster.Person{}, fail("person at an address", err)
	}
	return person(row), nil
}

// CheckPIN tells whether a PIN is the person's. Who has none has no right one.
func (s *Store) CheckPIN(ctx context.Context, id, pin string) (bool, error) {
	row, err := s.row(ctx, id)
	if err != nil {
		return false, err
	}
	ok, err := matchPIN(row.PinHash, pin)
	return ok, fail("pin of "+id, err)
}

// HasPIN tells whether the person has a PIN.
func (s *Store) HasPIN(ctx context.Context, id string) (bool, error) {
	row, err := s.row(ctx, id)
	return row.PinHash != "", err
}

func person(row db.Person) roster.Person {
	p := roster.Person{ID: row.ID, Name: row.Name, Language: row.Language, Loc: row.Loc, Group: row.Grp, Prefers: row.Prefers, Inactive: row.DeactivatedAt != nil}
	for _, role := range row.Roles {
		p.Roles = append(p.Roles, roster.Role(role))
	}
	if row.Phone != nil {
		p.Phone = *row.Phone
	}
	if row.Jid != nil {
		p.JID = *row.Jid
	}
	return p
}

// Members returns everybody who may work on tickets now, with what is known about
// them now, in the order of the people file.
func (s *Store) Members(ctx context.Context) ([]roster.Member, error) {
	rows, err := s.q.Members(ctx)
	if err != nil {
		return nil, fail("members", err)
	}
	list := make([]roster.Member, len(rows))
	for i, row := range rows {
		list[i] = member(row.Person, row.Holding)
	}
	return list, nil
}

// Member returns anybody with what is known about them now, or ErrNotFound.
func (s *Store) Member(ctx context.Context, id string) (roster.Member, error) {
	row, err := s.q.Member(ctx, id)
	if err != nil {
		return roster.Member{}, fail("member "+id, err)
	}
	return member(row.Person, row.Holding), nil
}

func member(p db.Person, holding []int) roster.Member {
	return roster.Member{
		Person: person(p),
		Presence: roster.Presence{State: roster.PresenceState(p.Presence), Show: p.PresenceShow, Reason: p.PresenceReason,
			Since: moment(p.PresenceSince), LastSeen: moment(p.LastSeen)},
		Holding: holding, AwayUntil: moment(p.AwayUntil), AwayReason: p.AwayReason, Stopped: p.Stopped, LastAsked: moment(p.LastAsked),
	}
}

// MarkAsked notes that people were offered a ticket at a time. A crash of the
// database may forget it: it is about fairness.
func (s *Store) MarkAsked(ctx context.Context, ids []string, at time.Time) error {
	return s.together(ctx, "mark as asked", func(q *db.Queries) error {
		return errors.Join(q.CommitLazily(ctx), q.MarkAsked(ctx, db.MarkAskedParams{At: &at, Ids: ids}))
	})
}

// SetAway notes that a person is away until a time; the zero time says that they
// are back.
func (s *Store) SetAway(ctx context.Context, id string, until time.Time, reason string) error {
	return s.changePerson(ctx, "set away", func(q *db.Queries) (int64, error) {
		return q.SetAway(ctx, db.SetAwayParams{Until: optional(until), Reason: storable(reason), ID: id})
	})
}

// Returners returns who said until when they are away, and is due.
func (s *Store) Returners(ctx context.Context) ([]roster.Member, error) {
	now := s.now()
	rows, err := s.q.Returners(ctx, &now)
	if err != nil {
		return nil, fail("returners", err)
	}
	list := make([]roster.Member, len(rows))
	for i, p := range rows {
		list[i] = member(p, nil)
	}
	return list, nil
}

// SetStopped notes that a person wants no SMS, or wants them again.
func (s *Store) SetStopped(ctx context.Context, id string, stopped bool) error {
	return s.changePerson(ctx, "set stopped", func(q *db.Queries) (int64, error) {
		return q.SetStopped(ctx, db.SetStoppedParams{Stopped: stopped, ID: id})
	})
}

func (s *Store) changePerson(ctx context.Context, what string, change func(*db.Queries) (int64, error)) error {
	return s.tx(ctx, what, func(q *db.Queries) error {
		rows, err := change(q)
		if err != nil {
			return err
		}
		if rows == 0 {
			return ErrNotFound
		}
		return agentsChanged(ctx, q, rows)
	})
}

// Presence takes changes of presence, in their order; those of strangers are
// dropped.
func (s *Store) Presence(ctx context.Context, list []gateway.Presence) error {
	return s.tx(ctx, "presence", func(q *db.Queries) error {
		changed := int64(0)
		for _, p := range list {
			rows, err := q.SetPresence(ctx, db.SetPresenceParams{State: p.State, At: &p.At, Show: storable(p.Show),
				Reason: storable(p.Reason), Address: &p.Address})
			if err != nil {
				return err
			}
			changed += rows
		}
		return agentsChanged(ctx, q, changed)
	})
}
