package desk

import (
	"context"
	"slices"
	"strconv"

	"deskbell/activities"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
)

// Person is somebody in the directory; ErrNotFound if there is nobody with this
// id.
func (d *Desk) Person(ctx context.Context, id string) (roster.Person, error) {
	p, err := d.Store.Person(ctx, id)
	return p, outside(err)
}

// PeopleByID returns those of these people who are known, by id.
func (d *Desk) PeopleByID(ctx context.Context, ids []string) (map[string]roster.Person, error) {
	return d.Store.PeopleByID(ctx, ids)
}

// ReplyTo returns where a message came from; empty when the command was none.
func (d *Desk) ReplyTo(ctx context.Context, command string) (string, error) {
	return d.Store.ReplyTo(ctx, command)
}

// Post puts notices into the outbox, each answer together with the end of the
// message that it answers and with what it leaves in the conversation.
func (d *Desk) Post(ctx context.Context, posts []activities.Post) error {
	var unasked store.Write
	for _, p := range posts {
		w := store.Write{Answers: p.Notice.Answers}
		add(&w, p)
		if err := d.inRoom(ctx, w.Outgoing); err != nil {
			return err
		}
		if w.Answers == "" {
			unasked.Outgoing = append(unasked.Outgoing, w.Outgoing...)
			unasked.Contexts = append(unasked.Contexts, w.Contexts...)
			continue
		}
		if _, err := d.Store.Write(ctx, w); err != nil {
			return err
		}
		if slices.Contains(lostClaims, p.Notice.Message) {
			if err := d.unclaim(ctx, p.Notice.To.ID, p.Ticket.Number); err != nil {
				return err
			}
		}
		d.finished(w.Answers)
	}
	if len(unasked.Outgoing) == 0 && len(unasked.Contexts) == 0 {
		return nil
	}
	_, err := d.Store.Write(ctx, unasked)
	return err
}

// urgent are the messages that wait behind nothing.
var urgent = []string{"page", "page_help", "mgr_nobody", "page_off"}

func add(w *store.Write, p activities.Post) {
	change := store.ContextChange{Person: p.Notice.To.ID, Change: changeMemory(p.Now, remembering(p))}
	if p.Text == "" {
		w.Contexts = append(w.Contexts, change)
		return
	}
	change.With = p.Notice.Key
	w.Contexts = append(w.Contexts, change)
	reason := string(p.Notice.Message)
	w.Outgoing = append(w.Outgoing, store.Outgoing{
		Key: p.Notice.Key, Channel: gateway.Channel(p.Channel), Person: p.Notice.To.ID, Address: p.Address, Reason: reason, Ticket: p.Ticket.Number,
		Text: p.Text, Again: p.Again, Alert: p.Notice.Alert, Urgent: slices.Contains(urgent, reason), Expires: p.Notice.Expires,
	})
}

// bundled words several offers as one.
func bundled(b store.Bundle, values map[string]string) (string, error) {
	list := make([]notice.Item, len(b.Tickets))
	for i, n := range b.Tickets {
		list[i] = notice.Item{Number: n, Subject: b.Subjects[i]}
	}
	values["count"], values["list"], values["lines"] = strconv.Itoa(len(list)), notice.List(list...), notice.Lines(list...)
	text, err := notice.Render(notice.Message{ID: "offer_bundle", Channel: string(b.Channel), Language: b.Language, Values: values})
	return text.Body, err
}
