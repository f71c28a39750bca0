package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"deskbell/command"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// turn is one message being answered.
type turn struct {
	desk    *Desk
	row     store.Inbound
	person  roster.Person
	context command.Context
}

func (t *turn) run(ctx context.Context, intent command.Intent) error {
	switch i := intent.(type) {
	case command.Act:
		return t.act(ctx, i)
	case command.Do:
		return t.do(ctx, i)
	case command.Query:
		return t.query(ctx, i)
	case command.Ask:
		return t.say(ctx, i.Message, t.listed(i.Values, i.List), func(m *command.Memory) { m.Question = &i.Question })
	case command.Say:
		return t.say(ctx, i.Message, t.listed(i.Values, i.List), settle(i.Settles))
	}
	return t.desk.drop(ctx, t.row, "needs no answer")
}

func settle(settles bool) func(*command.Memory) {
	if !settles {
		return nil
	}
	return func(m *command.Memory) { m.Question = nil }
}

func (t *turn) listed(values map[string]string, list []command.Ticket) map[string]string {
	out := map[string]string{}
	for k, v := range values {
		out[k] = v
	}
	if len(list) > 0 {
		out["list"] = notice.List(items(list)...)
	}
	return out
}

func items(list []command.Ticket) []notice.Item {
	out := make([]notice.Item, len(list))
	for i, t := range list {
		out[i] = notice.Item{Number: t.Number, Subject: t.Subject}
	}
	return out
}

// do is what is not done to a ticket.
func (t *turn) do(ctx context.Context, i command.Do) error {
	switch i.Kind {
	case command.DoNew:
		return t.open(ctx, i)
	case command.DoAway:
		return t.away(ctx, i)
	case command.DoBack:
		return t.back(ctx)
	case command.DoStop:
		return t.stop(ctx)
	case command.DoStart:
		if err := t.desk.Store.SetStopped(ctx, t.person.ID, false); err != nil {
			return err
		}
		return t.say(ctx, "start_ok", t.desk.urls(), nil)
	case command.DoSwap:
		return t.askSwap(ctx, i)
	case command.DoSwapYes, command.DoSwapNo:
		return t.findSwap(ctx, i)
	case command.DoUnreachable:
		return t.unreachable(ctx)
	}
	return fmt.Errorf("unknown deed %q", i.Kind)
}

// open makes a ticket of a text. The ticket's own first notice is the answer.
func (t *turn) open(ctx context.Context, i command.Do) error {
	if err := t.decide(ctx, decision{Open: &i}, i.Settles); err != nil {
		return err
	}
	return t.submit(ctx, i)
}

func (t *turn) submit(ctx context.Context, i command.Do) error {
	subject, body := i.Text, ""
	if r := []rune(subject); len(r) > maxSubject || strings.Contains(subject, "\n") {
		first, _, _ := strings.Cut(subject, "\n")
		subject, body = clip(strings.TrimSpace(first), maxSubject), i.Text
	}
	_, _, err := t.desk.Submit(ctx, Submission{
		Subject: subject, Body: body, Requester: t.person.ID, Group: t.person.Group, Channel: string(t.row.Channel),
		Key: t.row.Key, Scope: "message", Hash: t.row.Key,
	})
	if _, ok := errors.AsType[*InvalidError](err); ok {
		return t.say(ctx, "err_text", map[string]string{"n": "", "guess": "NEW my screen is dark"}, nil)
	}
	return err
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}

// stop is the law: no more texts. Whoever is in the on-call chain is then
// unreachable by text, which the managers must know.
func (t *turn) stop(ctx context.Context) error {
	if err := t.desk.Store.SetStopped(ctx, t.person.ID, true); err != nil {
		return err
	}
	if !t.person.Works() {
		return t.say(ctx, "stop_ok", nil, nil)
	}
	err := t.desk.tellOtherManagers(ctx, "stop/"+t.row.Key, []string{t.person.ID}, func(roster.Person) (string, map[string]string) {
		return "mgr_stop", map[string]string{"who": t.person.Name}
	})
	if err != nil {
		return err
	}
	return t.say(ctx, "stop_ok", nil, nil)
}

// unreachable treats an automatic reply as a decline of everything on offer.
func (t *turn) unreachable(ctx context.Context) error {
	for _, o := range t.context.Offers {
		act := Act{ID: fmt.Sprintf("%s#%d", t.row.Key, o.Ticket), Person: t.person, Channel: string(t.row.Channel), Number: o.Ticket, Verb: ticket.Decline, Quiet: true}
		c, err := t.desk.command(ctx, act)
		if err != nil {
			return err
		}
		if err := t.desk.signal(ctx, c, o.Ticket); err != nil {
			return err
		}
	}
	return t.desk.drop(ctx, t.row, "an automatic reply")
}
