package desk

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// away notes that somebody gets no offers, for a while or until BACK.
func (t *turn) away(ctx context.Context, i command.Do) error {
	until := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	said := ""
	if i.Until != "" {
		if at, _, ok := command.When(i.Until, t.context.Now, t.desk.Zone); ok {
			until = at
			said = notice.Until(at, t.context.Now, t.desk.Zone, t.person.Language)
		}
	}
	if err := t.desk.Store.SetAway(ctx, t.person.ID, until, i.Text); err != nil {
		return err
	}
	t.desk.watchers.tell(Change{Kind: "agent"})
	rota, overrides, err := t.desk.Store.Rota(ctx)
	if err != nil {
		return err
	}
	message := "away_ok"
	if roster.OnTurn(rota, overrides, t.person.ID, t.context.Now) {
		message = "away_oncall"
	}
	return t.say(ctx, message, map[string]string{"until": said, "list": notice.List(items(t.context.Held)...)}, settle(i.Settles))
}

func (t *turn) back(ctx context.Context) error {
	if err := t.desk.Store.SetAway(ctx, t.person.ID, time.Time{}, ""); err != nil {
		return err
	}
	t.desk.watchers.tell(Change{Kind: "agent"})
	held, err := t.desk.Store.HeldBack(ctx, t.person.ID)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		return t.openStorm(ctx, held)
	}
	message, values, err := t.desk.welcome(ctx, t.person.Language)
	if err != nil {
		return err
	}
	return t.say(ctx, message, values, nil)
}

// openStorm tells somebody who is awake in one text of all that waits in their
// bundle. YES takes it all.
func (t *turn) openStorm(ctx context.Context, held []store.HeldBack) error {
	list := make([]notice.Item, len(held))
	var numbers []int
	var ids []int64
	for i, h := range held {
		list[i] = notice.Item{Number: h.Ticket, Subject: h.Subject}
		numbers, ids = append(numbers, h.Ticket), append(ids, h.Deliveries...)
	}
	q := command.AskConfirm(command.Act{Verb: ticket.Take, Tickets: numbers}, t.context.Now)
	return t.desk.say(ctx, t.row, t.person, "back_storm", map[string]string{"count": strconv.Itoa(len(list)), "list": notice.List(list...), "lines": notice.Lines(list...)},
		reply{key: "answer/" + t.row.Key, finish: true, bundles: ids, change: func(m *command.Memory) { m.Question = &q }})
}

// welcome is what somebody hears who is back.
func (d *Desk) welcome(ctx context.Context, language string) (message string, values map[string]string, err error) {
	counts, err := d.Store.Counts(ctx)
	if err != nil || counts.New == 0 {
		return "next_none", nil, err
	}
	age := notice.Age(d.Clock.Now().Sub(counts.Oldest), language)
	return "back_ok", map[string]string{"count": strconv.Itoa(counts.New), "age": age}, nil
}

// welcomeBack has those back whose absence is over. Several processes may do it at
// once: the key of the message is the absence.
func (d *Desk) welcomeBack(ctx context.Context) {
	back, err := d.Store.Returners(ctx)
	for _, m := range back {
		if err != nil {
			break
		}
		if via, reached := roster.Reach(m); reached {
			var message string
			var values map[string]string
			if message, values, err = d.welcome(ctx, m.Language); err == nil {
				err = d.tell(ctx, m.Person, gateway.Channel(via), message, values, fmt.Sprintf("back/%s/%d", m.ID, m.AwayUntil.Unix()))
			}
		}
		if err == nil {
			err = d.Store.SetAway(ctx, m.ID, time.Time{}, "")
			d.watchers.tell(Change{Kind: "agent"})
		}
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot have people back", slog.Any("error", err))
	}
}
