package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/roster"
	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// ErrOnRota says that a person cannot be erased because a rotation has them.
var ErrOnRota = errors.New("is in a rotation")

// OpenTicketsError says that a person cannot be erased because tickets that are not
// closed know them.
type OpenTicketsError struct{ Numbers []int }

func (e *OpenTicketsError) Error() string { return fmt.Sprintf("open tickets %v", e.Numbers) }

// Record is everything that is kept about a person.
type Record struct {
	Person   roster.Person     `json:"person"`
	Tickets  []ticket.Ticket   `json:"tickets"`  // that they asked for
	Events   []NumberedEvent   `json:"events"`   // of those tickets, and what they did to others
	Received []RecordedMessage `json:"received"` // messages to them
	Sent     []RecordedMessage `json:"sent"`     // messages from them
	Acts     []Audit           `json:"acts"`     // of theirs, the newest first, a thousand at most
	Tokens   []Token           `json:"tokens"`
	Affected []int             `json:"affected"` // numbers of the incidents that they said affect them too
}

// RecordedMessage is a message to or from a person.
type RecordedMessage struct {
	Channel string    `json:"channel"`
	Reason  string    `json:"reason,omitempty"` // the message's id
	Ticket  int       `json:"ticket,omitempty"`
	Text    string    `json:"text"`
	State   string    `json:"state,omitempty"`
	At      time.Time `json:"at"`
}

// mostActs bounds the acts in a record.
const mostActs = 1000

// Record returns everything that is kept about a person, or ErrNotFound.
func (s *Store) Record(ctx context.Context, id string) (r Record, err error) {
	const what = "record of a person"
	if r.Person, err = s.Person(ctx, id); err != nil {
		return r, err
	}
	docs, err := s.q.DocsOf(ctx, id)
	if r.Tickets, err = decodeAll[ticket.Ticket](what, docs, err); err != nil {
		return r, err
	}
	deeds, err := s.q.DeedsOf(ctx, id)
	if err != nil {
		return r, fail(what, err)
	}
	for _, d := range deeds {
		e, err := decode[ticket.Event](d.Doc)
		if err != nil {
			return r, fail(what, err)
		}
		r.Events = append(r.Events, NumberedEvent{d.Ticket, e})
	}
	to, err := s.q.MessagesTo(ctx, id)
	if err != nil {
		return r, fail(what, err)
	}
	for _, m := range to {
		r.Received = append(r.Received, RecordedMessage{m.Channel, m.Reason, m.Ticket, m.Text, m.State, m.CreatedAt.UTC()})
	}
	from, err := s.q.MessagesFrom(ctx, addresses(r.Person))
	if err != nil {
		return r, fail(what, err)
	}
	for _, m := range from {
		r.Sent = append(r.Sent, RecordedMessage{Channel: m.Channel, Text: m.Text, At: m.KeptAt.UTC()})
	}
	for f := (AuditFilter{Actor: id, Limit: maxPage}); len(r.Acts) < mostActs; {
		acts, next, err := s.Audit(ctx, f)
		if err != nil {
			return r, err
		}
		r.Acts = append(r.Acts, acts...)
		if f.Cursor = next; next == "" {
			break
		}
	}
	if r.Affected, err = s.q.IncidentsOf(ctx, id); err != nil {
		return r, fail(what, err)
	}
	r.Tokens, err = s.Tokens(ctx, id, 0, maxPage)
	return r, err
}

func addresses(p roster.Person) []string {
	return slices.DeleteFunc([]string{p.Phone, p.JID}, func(a string) bool { return a == "" })
}

// NumbersOf returns the tickets that a person asked for. *OpenTicketsError when a ticket
// that knows them is not closed; ErrOnRota when a rotation has them.
func (s *Store) NumbersOf(ctx context.Context, id string) ([]int, error) {
	if _, err := s.Person(ctx, id); err != nil {
		return nil, err
	}
	if err := erasable(ctx, s.q, id); err != nil {
		return nil, fail("tickets of a person", err)
	}
	numbers, err := s.q.NumbersOf(ctx, id)
	return numbers, fail("tickets of a person", err)
}

func erasable(ctx context.Context, q *db.Queries, id string) error {
	open, err := q.OpenOf(ctx, id)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return &OpenTicketsError{open}
	}
	turns, err := q.TurnsOf(ctx, id)
	if err == nil && turns > 0 {
		err = ErrOnRota
	}
	return err
}

// Erase forgets a person, in one transaction: their number, addresses, messages, tokens
// and sessions are deleted; their tickets stay, without words; wherever else they are
// named they become name, of whom nothing is known, and what they wrote there is blank.
// files are the ids of files to delete. Its errors are those of NumbersOf.
func (s *Store) Erase(ctx context.Context, id string, by Audit) (name string, files []string, err error) {
	name = "erased-" + strings.ToLower(rand.Text()[:10])
	err = s.tx(ctx, "erase a person", func(q *db.Queries) error {
		locked, err := q.LockedPeople(ctx, []string{id})
		if err == nil && len(locked) == 0 {
			err = pgx.ErrNoRows
		}
		if err != nil {
			return err
		}
		row := locked[0]
		if err := erasable(ctx, q, id); err != nil {
			return err
		}
		numbers, err := q.NumbersOf(ctx, id)
		if err != nil {
			return err
		}
		if err := rewrite(ctx, q, erasure{id, row.Name, name}); err != nil {
			return err
		}
		if err := q.BlankMentions(ctx, db.BlankMentionsParams{Numbers: append([]int{}, numbers...), KnownAs: row.Name}); err != nil {
			return err
		}
		if files, err = q.ForgetFiles(ctx, numbers); err != nil {
			return err
		}
		err = errors.Join(q.CopyErased(ctx, db.CopyErasedParams{Name: name, Person: id, At: s.now()}),
			q.RenameInOverrides(ctx, db.RenameInOverridesParams{Person: id, Name: name}), q.RenameInRota(ctx, db.RenameInRotaParams{Person: id, Name: name}),
			q.RenameInIncidents(ctx, db.RenameInIncidentsParams{Person: id, Name: name, KnownAs: row.Name}),
			q.RenameInAudit(ctx, db.RenameInAuditParams{Person: id, Name: name}), q.RenameElsewhere(ctx, db.RenameElsewhereParams{Person: id, Name: name}),
			q.ForgetPerson(ctx, db.ForgetPersonParams{Person: id, Addresses: addresses(person(row)), Numbers: append([]int{}, numbers...)}))
		if err != nil {
			return err
		}
		if by.Actor == id {
			by.Actor = name
		}
		by.Act, by.Subject = "person.erased", "person "+name
		return errors.Join(s.note(ctx, q, by), agentsChanged(ctx, q, 1))
	})
	return name, files, err
}

// rewrite takes a person out of the documents of tickets and events.
func rewrite(ctx context.Context, q *db.Queries, p erasure) error {
	tickets, err := q.TicketsNaming(ctx, p.id)
	if err != nil {
		return err
	}
	for _, t := range tickets {
		doc, err := p.without(t.Doc, t.Requester == p.id)
		if err != nil {
			return err
		}
		if err := q.RewriteTicket(ctx, db.RewriteTicketParams{Doc: doc, Person: p.id, Name: p.become, Number: t.Number}); err != nil {
			return err
		}
	}
	events, err := q.TimelinesNaming(ctx, p.id)
	if err != nil {
		return err
	}
	for _, e := range events {
		doc, err := p.without(e.Doc, e.Own)
		if err != nil {
			return err
		}
		if err := q.RewriteTimeline(ctx, db.RewriteTimelineParams{Doc: doc, Ticket: e.Ticket, Seq: e.Seq}); err != nil {
			return err
		}
	}
	return nil
}

// wordsOf are the fields of tickets and events that hold what people wrote.
// The id of the message that was the cause may hold its sender's address.
var wordsOf = []string{"subject", "body", "text", "question", "resolution", "reason", "loc", "cause"}

// erasure is who is forgotten, by id and name, and who they become.
type erasure struct{ id, name, become string }

// without is a document without the person. own blanks every word in it; otherwise only
// what the person wrote is blank.
func (p erasure) without(doc []byte, own bool) ([]byte, error) {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return nil, fmt.Errorf("document of a ticket: %w", err)
	}
	p.rename(v, own)
	return json.Marshal(v)
}

func (p erasure) rename(v any, blank bool) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			p.rename(each, blank)
		}
	case map[string]any:
		if actor, _ := v["actor"].(map[string]any); actor["id"] == p.id {
			blank = true
		}
		if assignee, _ := v["assignee"].(map[string]any); assignee["id"] == p.id && v["resolution"] != nil {
			v["resolution"] = "" // the holder's words
		}
		if v["id"] == p.id {
			v["id"] = p.become
		}
		for field, each := range v {
			switch text, ok := each.(string); {
			case ok && text == p.name:
				v[field] = "Erased"
			case ok && blank && slices.Contains(wordsOf, field):
				v[field] = ""
			}
			p.rename(each, blank)
		}
	}
}
