package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	"deskbell/activities"
	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Incident is a ticket that is announced to everybody as known.
type Incident = store.Incident

// MaxIncident is how many characters may say what is known: a sentence.
const MaxIncident = 200

// Incidents returns what is known now, the latest first: what was announced, not
// withdrawn, and is a ticket that is open.
func (d *Desk) Incidents(ctx context.Context) ([]Incident, error) {
	list, err := d.Store.Incidents(ctx)
	return list, outside(err)
}

// Announce tells everybody in a sentence what a ticket is about, or says of one that is
// announced something else. ErrNotFound when there is no such ticket, a *ticket.Refusal
// when it is over; an *InvalidError names what is wrong.
func (d *Desk) Announce(ctx context.Context, by Caller, number int, words string) (Incident, error) {
	words = strings.Join(strings.Fields(words), " ")
	switch {
	case words == "":
		return Incident{}, &InvalidError{"text", "say in a sentence what is known"}
	case utf8.RuneCountInString(words) > MaxIncident:
		return Incident{}, &InvalidError{"text", fmt.Sprintf("say it in %d characters", MaxIncident)}
	case !utf8.ValidString(words) || strings.ContainsRune(words, 0):
		return Incident{}, &InvalidError{"text", "must be text: no NUL characters, valid UTF-8"}
	}
	i, err := d.Store.Announce(ctx, number, words, Audit{Actor: by.Person.ID, Channel: by.Channel})
	if errors.Is(err, store.ErrNotFound) {
		if _, err := d.Store.Ticket(ctx, number); err != nil {
			return i, outside(err)
		}
		return i, &ticket.Refusal{Message: "take_closed"}
	}
	return i, outside(err)
}

// WithdrawIncident has a ticket announced no more. Who is affected hears all the same when
// it is solved. ErrNotFound when it is not known.
func (d *Desk) WithdrawIncident(ctx context.Context, by Caller, number int) error {
	return outside(d.Store.WithdrawIncident(ctx, number, Audit{Actor: by.Person.ID, Channel: by.Channel}))
}

// JoinIncident notes that the caller is affected too, and is told when it is solved:
// once, however often they say so. ErrNotFound when the ticket is not known.
func (d *Desk) JoinIncident(ctx context.Context, by Caller, number int) (Incident, error) {
	i, err := d.Store.JoinIncident(ctx, number, by.Person.ID, Audit{Actor: by.Person.ID, Channel: by.Channel})
	return i, outside(err)
}

// incidentEnds are the events of a ticket that those whom it affects hear of.
var incidentEnds = map[ticket.Kind]string{ticket.Solved: "incident_solved", ticket.Withdrawn: "incident_dropped"}

// afterwards does what events of a ticket mean for others than the ticket knows, once the
// read model has them. It may be repeated, as a projection may that did not end.
func (d *Desk) afterwards(ctx context.Context, p activities.Projection) error {
	for _, e := range p.Events {
		if e.Kind == ticket.MergedInto {
			if err := d.Store.MergeIncident(ctx, p.Ticket.Number, e.Number, p.Ticket.Requester.ID); err != nil {
				return err
			}
		}
		if message, ends := incidentEnds[e.Kind]; ends && !p.Ticket.Status.Open() {
			if err := d.tellAffected(ctx, p.Ticket, e, message); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellAffected tells everybody whom a ticket affects besides whoever asked, each by the
// channel that reaches them, under a key of the event's: once.
func (d *Desk) tellAffected(ctx context.Context, t ticket.Ticket, e ticket.Event, message string) error {
	words, people, err := d.Store.Affected(ctx, t.Number)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	told := 0
	for _, id := range people {
		m, err := d.Store.Member(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		via, reached := roster.Reach(m)
		if !reached || id == t.Requester.ID {
			continue
		}
		values := map[string]string{"n": strconv.Itoa(t.Number), "subj": cmp.Or(words, t.Subject)}
		if err := d.tell(ctx, m.Person, gateway.Channel(via), message, values, fmt.Sprintf("%s/%d/%d/%s", message, t.Number, e.Seq, id)); err != nil {
			return err
		}
		told++
	}
	if told > 0 {
		d.Log.InfoContext(ctx, "told whom an incident affects", slog.Int("ticket", t.Number), slog.Int("people", told))
	}
	return nil
}
