package activities

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"deskbell/notice"
	"deskbell/roster"
	"deskbell/ticket"
)

// Addresses finds the way to a person.
type Addresses interface {
	// PeopleByID returns those of these people who are known, by id.
	PeopleByID(ctx context.Context, ids []string) (map[string]roster.Person, error)
	// ReplyTo returns the address that a command came from; empty when the command
	// did not come as a message.
	ReplyTo(ctx context.Context, command string) (string, error)
}

// WaitingList is what else there is to do.
type WaitingList interface {
	Waiting(ctx context.Context, limit int) ([]ticket.Ticket, error)
}

// Links name a ticket to whoever asked for it.
type Links interface {
	Link(ctx context.Context, number int) (string, error)
}

// Outbox takes what goes out. A key that it has already is not taken again.
type Outbox interface {
	Post(ctx context.Context, posts []Post) error
}

// Post is one rendered notice on its way to a channel.
type Post struct {
	Notice  ticket.Notice
	Ticket  ticket.Ticket
	Channel string
	Address string
	Text    string // empty: there is nothing to say on this channel
	Again   string // the text after a sending with an unknown outcome; alerts only
	Now     time.Time
}

// Notices are the activities of a channel's queue, run by whoever holds the
// channel. Notify is idempotent by the notices' keys and safe for concurrent use.
type Notices struct {
	Addresses Addresses
	Waiting   WaitingList
	Links     Links // nil: requesters are told of no page
	Outbox    Outbox
	Zone      *time.Location // in which times are told
	URL       string         // of the pages
	Log       *slog.Logger
}

// NotifyInput is a batch of notices about one ticket, on one channel.
type NotifyInput struct {
	Ticket  ticket.Ticket   `json:"ticket"` // its facts
	Notices []ticket.Notice `json:"notices"`
	Now     time.Time       `json:"now"`
}

// Notify words the notices and puts them into the outbox, from where they are
// sent at once; the result counts what was posted. What came too late is the
// sender's to drop.
func (a *Notices) Notify(ctx context.Context, in NotifyInput) (int, error) {
	ids := []string{in.Ticket.Requester.ID}
	for _, n := range in.Notices {
		ids = append(ids, n.To.ID)
	}
	people, err := a.Addresses.PeopleByID(ctx, ids)
	if err != nil {
		return 0, fmt.Errorf("look up the people: %w", err)
	}
	var posts []Post
	for _, n := range in.Notices {
		post, ok, err := a.post(ctx, in, n, people)
		if err != nil {
			return 0, fmt.Errorf("word %s to %s: %w", n.Message, n.To.ID, err)
		}
		if ok {
			posts = append(posts, post)
		}
	}
	if err := a.Outbox.Post(ctx, posts); err != nil {
		return 0, fmt.Errorf("post notices of ticket %d: %w", in.Ticket.Number, err)
	}
	return len(posts), nil
}

func (a *Notices) post(ctx context.Context, in NotifyInput, n ticket.Notice, people map[string]roster.Person) (_ Post, _ bool, err error) {
	to, requester := people[n.To.ID], people[in.Ticket.Requester.ID]
	address := to.Phone
	if n.To.Via == "im" {
		address = to.JID
	}
	if n.Answers != "" {
		if wrote, err := a.Addresses.ReplyTo(ctx, n.Answers); err != nil {
			return Post{}, false, err
		} else if wrote != "" {
			address = wrote
		}
	}
	facts := notice.Facts{Ticket: in.Ticket, Phone: requester.Phone, Loc: requester.Loc, Now: in.Now, Zone: a.Zone, Language: to.Language, URL: a.URL}
	if notice.SpeaksOfQueue(n.Message) {
		if err = a.waiting(ctx, &facts); err != nil {
			return Post{}, false, err
		}
	}
	if a.Links != nil && notice.SpeaksOfPage(n.Message) {
		if facts.Link, err = a.Links.Link(ctx, in.Ticket.Number); err != nil {
			return Post{}, false, err
		}
	}
	p := Post{Notice: n, Ticket: in.Ticket, Channel: n.To.Via, Address: address, Now: in.Now}
	id, values := notice.Word(n, facts)
	if !notice.Has(id, n.To.Via) || address == "" {
		return p, n.Answers != "", nil // nothing to send, but the message is answered
	}
	m := notice.Message{ID: id, Channel: n.To.Via, Language: to.Language, Values: values}
	text, err := notice.Render(m)
	if err != nil {
		// A defect that trying again does not cure. It must not hold up the others.
		a.Log.ErrorContext(ctx, "a notice cannot be worded", slog.Int("ticket", in.Ticket.Number), slog.String("message", id), slog.Any("error", err))
		return p, n.Answers != "", nil
	}
	p.Text = text.Body
	if n.Alert {
		again, err := notice.Again(m)
		if err != nil {
			return Post{}, false, err
		}
		p.Again = again.Body
	}
	return p, true, nil
}

// waiting adds what waits besides the ticket itself, and the ticket's own place.
// A new ticket that the read model does not have yet is the last.
func (a *Notices) waiting(ctx context.Context, f *notice.Facts) error {
	list, err := a.Waiting.Waiting(ctx, 100)
	if err != nil {
		return err
	}
	f.Position = len(list) + 1
	for i, t := range list {
		if t.Number == f.Ticket.Number {
			f.Position = i + 1
			continue
		}
		if f.Next.Number == 0 {
			f.Next = t
		}
		f.Waiting = append(f.Waiting, notice.Item{Number: t.Number, Subject: t.Subject})
	}
	return nil
}
