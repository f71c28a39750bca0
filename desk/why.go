package desk

import (
	"context"
	"slices"
	"strconv"
	"time"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/ticket"
)

// WhyView is how a ticket got where it is, and what happens next.
type WhyView struct {
	Number    int            `json:"number"`
	Status    ticket.Status  `json:"status"`
	Decisions []DecisionView `json:"decisions" nullable:"false" doc:"The oldest first."`
	Next      string         `json:"next" doc:"What happens by itself, in words."`
	NextAt    *time.Time     `json:"next_at" doc:"When; null for nothing."`
}

// DecisionView is one decision with the facts that it rested on then, and what
// became of its messages.
type DecisionView struct {
	Seq       int         `json:"seq"`
	At        time.Time   `json:"at"`
	Actor     string      `json:"actor" doc:"A person's id; deskbell for what happened by itself."`
	Name      string      `json:"name" doc:"The actor's name."`
	Requester bool        `json:"requester" doc:"The actor is who asked for help."`
	Event     ticket.Kind `json:"event"`
	To        []string    `json:"to,omitempty" nullable:"false" doc:"The names of those it was done to."`
	What      string      `json:"what" doc:"The decision in words."`
	Seen      []SeenView  `json:"seen,omitempty" nullable:"false" doc:"Among whom was chosen, as they stood then."`
	Delivered []FateView  `json:"delivered,omitempty" nullable:"false" doc:"What became of the messages by now."`
}

// SeenView is how somebody stood at a decision.
type SeenView struct {
	Person   string `json:"person"`
	Name     string `json:"name"`
	Presence string `json:"presence,omitempty" doc:"In IM: available, away, busy, offline or unknown."`
	Holding  int    `json:"holding" doc:"How many tickets."`
	Out      string `json:"out,omitempty" doc:"Why this person could not be chosen: away, off duty or unreachable."`
}

// FateView is what became of a message.
type FateView struct {
	Person  string `json:"person"`
	Name    string `json:"name"`
	Channel string `json:"channel"`
	State   string `json:"state" doc:"due, sending, sent, delivered, failed, expired, cancelled, bundled (sent in one message with others) or unknown."`
	Detail  string `json:"detail,omitempty"`
}

// Why tells how a ticket got where it is; ErrNotFound when there is none.
func (d *Desk) Why(ctx context.Context, number int) (WhyView, error) {
	t, err := d.Store.Ticket(ctx, number)
	if err != nil {
		return WhyView{}, outside(err)
	}
	decisions, err := d.decisions(ctx, number)
	if err != nil {
		return WhyView{}, outside(err)
	}
	view := WhyView{Number: number, Status: t.Status, Decisions: make([]DecisionView, len(decisions)), Next: notice.Upcoming(t, d.Clock.Now(), d.Zone, "en")}
	if a, ok := t.Due(); ok {
		view.NextAt = new(a.At.UTC())
	}
	for i, dec := range decisions {
		v := DecisionView{Seq: dec.Seq, At: dec.At.UTC(), Actor: dec.Actor.ID, Name: dec.Actor.Name, Requester: dec.Actor.ID == t.Requester.ID, Event: dec.Kind, What: notice.Decided(dec)}
		for _, p := range dec.To {
			if !slices.Contains(v.To, p.Name) {
				v.To = append(v.To, p.Name)
			}
		}
		for _, s := range dec.Seen {
			v.Seen = append(v.Seen, SeenView{Person: s.ID, Name: s.Name, Presence: s.Presence, Holding: s.Holding, Out: s.Out})
		}
		for _, f := range dec.Fates {
			v.Delivered = append(v.Delivered, FateView{Person: f.To.ID, Name: f.To.Name, Channel: f.To.Via, State: f.State, Detail: f.Why})
		}
		view.Decisions[i] = v
	}
	return view, nil
}

// decisions are a ticket's events with what became of their messages.
func (d *Desk) decisions(ctx context.Context, number int) ([]notice.Decision, error) {
	events, err := d.Store.Timeline(ctx, number)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, e := range events {
		for _, to := range e.To {
			keys = append(keys, ticket.AlertKeys(number, e, to)...)
		}
	}
	fates, err := d.Store.Fates(ctx, keys)
	if err != nil {
		return nil, err
	}
	list := make([]notice.Decision, len(events))
	for i, e := range events {
		list[i].Event = e
		for _, to := range e.To {
			for _, key := range ticket.AlertKeys(number, e, to) {
				if f, ok := fates[key]; ok {
					if f.State == gateway.Delivered {
						f.Why = "" // the network's code for the same
					}
					list[i].Fates = append(list[i].Fates, notice.Fate{To: to, State: string(f.State), Why: f.Why})
				}
			}
		}
	}
	return list, nil
}

// why answers with a ticket's decisions, and what happens next.
func (t *turn) why(ctx context.Context, number int) error {
	if number == 0 {
		number = t.context.Last
	}
	tk, known, err := t.known(ctx, number)
	if err != nil || !known {
		return err
	}
	decisions, err := t.desk.decisions(ctx, number)
	if err != nil {
		return err
	}
	now, zone, lang := t.context.Now, t.desk.Zone, t.person.Language
	return t.say(ctx, "why", map[string]string{
		"n": strconv.Itoa(number), "state": notice.State(tk.Status, lang), "prio": notice.Prio(tk.Priority, lang), "subj": tk.Subject,
		"lines": notice.Story(decisions, string(t.row.Channel), now, zone, lang), "next": notice.Upcoming(tk, now, zone, lang),
	}, func(m *command.Memory) { m.Last = number })
}
