package desk

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"deskbell/activities"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
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
		d.add(&w, p)
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

// tellOtherManagers tells the managers but some, each by the channel that reaches them,
// in the words for that person. A text with the same key is written once.
func (d *Desk) tellOtherManagers(ctx context.Context, key string, except []string, word func(roster.Person) (message string, values map[string]string)) error {
	members, err := d.Store.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		via, reached := roster.Reach(m)
		if !m.Is(roster.Manager) || !reached || slices.Contains(except, m.ID) {
			continue
		}
		message, values := word(m.Person)
		if err := d.tell(ctx, m.Person, gateway.Channel(via), message, values, key+"/"+m.ID); err != nil {
			return err
		}
	}
	return nil
}

// urgent are the messages that wait behind nothing.
var urgent = []string{"page", "page_help", "mgr_nobody", "page_off", "help_off"}

func (d *Desk) add(w *store.Write, p activities.Post) {
	reason := string(p.Notice.Message)
	out := store.Outgoing{
		Key: p.Notice.Key, Channel: gateway.Channel(p.Channel), Person: p.Notice.To.ID, Address: p.Address, Reason: reason, Ticket: p.Ticket.Number,
		Text: p.Text, Again: p.Again, Alert: p.Notice.Alert, Urgent: slices.Contains(urgent, reason),
	}
	if slices.Contains(offers, reason) {
		own := d.Policy.Group(p.Ticket.Group)
		if p.Ticket.Priority != ticket.P1 {
			out.Budget = own.Budget()
		}
		if awake := own.Awake(p.Ticket.Plan, p.Now); awake.After(p.Now) {
			out.NotBefore = awake
			p.Notice.Expires = later(p.Notice.Expires, awake.Sub(p.Now))
		}
	}
	out.Expires = p.Notice.Expires
	change := store.ContextChange{Person: p.Notice.To.ID, Change: changeMemory(p.Now, remembering(p))}
	if p.Text == "" {
		w.Contexts = append(w.Contexts, change)
		return
	}
	change.With = p.Notice.Key
	w.Contexts = append(w.Contexts, change)
	w.Outgoing = append(w.Outgoing, out)
}

// offers are the messages that may wait for company.
var offers = []string{"offer", "reminder"}

func later(expires time.Time, by time.Duration) time.Time {
	if expires.IsZero() {
		return expires
	}
	return expires.Add(by)
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

// losses are the commands by which a ticket hears that a text did not arrive.
var losses = map[string]ticket.Verb{"page": ticket.LostPage, "page_help": ticket.LostPage, "mgr_nobody": ticket.LostPage, "offer": ticket.LostOffer, "reminder": ticket.LostOffer}

// reportFailures tells tickets of calls and offers that did not arrive.
func (d *Desk) reportFailures(ctx context.Context) {
	failed, err := d.Store.FailedAlerts(ctx, 100)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.WarnContext(ctx, "cannot look for failed alerts", slog.Any("error", err))
		}
		return
	}
	for _, f := range failed {
		if verb, asks := losses[f.Reason]; asks {
			c := ticket.Command{ID: "lost/" + f.Key, Verb: verb, Actor: ticket.System, To: ticket.Party{ID: f.Person, Via: string(f.Channel)}, Text: f.Why}
			if err := d.signal(ctx, c, f.Ticket); err != nil {
				d.Log.WarnContext(ctx, "cannot tell a ticket that a text did not arrive", slog.Int("ticket", f.Ticket), slog.Any("error", err))
				continue
			}
		}
		if err := d.Store.Reported(ctx, f.ID); err != nil {
			d.Log.WarnContext(ctx, "cannot note a failed alert", slog.Any("error", err))
		}
	}
}
