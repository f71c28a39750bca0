package desk

import (
	"context"
	"errors"
	"slices"
	"strings"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// take reads one message and has done what it says. An error means: again later.
func (d *Desk) take(ctx context.Context, message arrived) error {
	row := message.Inbound
	if slices.Contains(d.Own, row.From) {
		return d.drop(ctx, row, "from ourselves") // or we would answer each other for ever
	}
	if d.anonymous(row) {
		return d.unseen(ctx, row)
	}
	person, err := d.Store.PersonAt(ctx, row.Channel, row.From)
	if errors.Is(err, store.ErrNotFound) && d.spokenInRoom(row.ReplyTo) {
		return d.drop(ctx, row, "a stranger in the room")
	}
	if errors.Is(err, store.ErrNotFound) {
		return d.stranger(ctx, row)
	}
	if err != nil {
		return err
	}
	row.Person = person.ID
	speaker := command.Speaker{Requester: !person.Works(), Language: person.Language, Channel: string(row.Channel)}
	parsed := command.Parse(row.Text, speaker)
	if row.Quotes != "" {
		number, err := d.Store.Quoted(ctx, row.Channel, row.Quotes, person.ID)
		if err != nil {
			return err
		}
		if number != 0 {
			parsed.Quoted = number
		}
	}
	conversation, err := d.conversation(ctx, person, row.Channel)
	if err != nil {
		return err
	}
	t := turn{desk: d, row: row, person: person, context: conversation}
	if row.Decided != nil {
		return t.resume(ctx, row.Decided)
	}
	if row.Corrects {
		if done, err := t.corrected(ctx); err != nil || done {
			return err
		}
	}
	intent := command.Resolve(parsed, conversation)
	if message.gap != nothingMissing {
		intent = incomplete(intent, message, parsed, conversation)
	}
	return t.run(ctx, intent)
}

// drop finishes a message that gets no answer.
func (d *Desk) drop(ctx context.Context, row store.Inbound, why string) error {
	if err := d.Store.Drop(ctx, row.Key, why); err != nil {
		return err
	}
	d.finished(row.Key)
	return nil
}

// stranger answers an unknown address once a day, and never acts.
func (d *Desk) stranger(ctx context.Context, row store.Inbound) error {
	callable := row.Channel == gateway.IM || strings.HasPrefix(row.From, "+")
	if !callable {
		return d.drop(ctx, row, "not an address that can be answered")
	}
	first, err := d.Store.Stranger(ctx, row.Channel, row.From, d.Clock.Now())
	if err != nil {
		return err
	}
	if !first {
		return d.drop(ctx, row, "a stranger who was answered today")
	}
	return d.say(ctx, row, roster.Person{}, "unknown", nil, reply{key: "answer/" + row.Key, finish: true})
}

// conversation is what is known when a person speaks.
func (d *Desk) conversation(ctx context.Context, p roster.Person, channel gateway.Channel) (command.Context, error) {
	c := command.Context{Now: d.Clock.Now().In(d.Zone), Works: p.Works(), Language: p.Language, Channel: string(channel)}
	data, err := d.Store.Conversation(ctx, p.ID)
	if err != nil {
		return c, err
	}
	if c.Memory, err = readMemory(data); err != nil {
		return c, err
	}
	var offered []int
	for _, o := range c.Offers {
		offered = append(offered, o.Ticket)
	}
	m, err := d.Store.Mentionable(ctx, p.ID, p.Works(), offered)
	if err != nil {
		return c, err
	}
	c.Held, c.Waiting, c.Own = brief(m.Held), brief(m.Waiting), brief(m.Own)
	endOffers(&c, m.Offered)
	return c, nil
}

// endOffers leaves out offers of tickets that somebody has taken meanwhile.
func endOffers(c *command.Context, offered []ticket.Ticket) {
	var live []command.Offer
	for _, o := range c.Offers {
		i := slices.IndexFunc(offered, func(t ticket.Ticket) bool { return t.Number == o.Ticket })
		if !o.Until.After(c.Now) || i < 0 {
			continue
		}
		if t := offered[i]; t.Status == ticket.New || t.Pass != nil {
			live = append(live, o)
		} else if ended := t.ClaimedAt; ended.After(c.OfferEndedAt) {
			c.OfferEndedAt = ended
		}
	}
	c.Offers = live
}

func brief(list []ticket.Ticket) []command.Ticket {
	out := make([]command.Ticket, len(list))
	for i, t := range list {
		out[i] = command.Ticket{Number: t.Number, Status: t.Status, Subject: t.Subject, Asked: t.Status == ticket.Pending && t.WaitingFor() == "requester", Expected: t.ExpectedAt(), Late: t.Late()}
	}
	return out
}
