package desk

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
)

// askSwap asks a colleague to swap shifts. Driven again it asks for the same.
func (t *turn) askSwap(ctx context.Context, i command.Do) error {
	members, err := t.desk.Store.Members(ctx)
	if err != nil {
		return err
	}
	exact, begin := t.named(members, i.Text)
	if len(exact) == 0 {
		exact = begin
	}
	exact = slices.DeleteFunc(exact, func(m roster.Member) bool { _, reached := roster.Reach(m); return !reached })
	switch len(exact) {
	case 0:
		return t.say(ctx, "swap_nobody", map[string]string{"who": i.Text}, nil)
	case 1:
	default:
		return t.say(ctx, "swap_which", map[string]string{"who": i.Text, "list": names(exact)}, nil)
	}
	other := exact[0]
	rota, overrides, err := t.desk.Store.Rota(ctx)
	if err != nil {
		return err
	}
	var day time.Time
	if i.Until != "" {
		day, _, _ = command.When(i.Until, t.context.Now, t.desk.Zone)
	}
	w, mine := roster.ProposeSwap(rota, overrides, t.person.ID, other.ID, day, t.context.Now)
	if !mine {
		return t.say(ctx, "swap_none", map[string]string{"until": i.Until, "list": t.ownShifts(rota, overrides)}, nil)
	}
	open, err := t.desk.Store.OpenSwaps(ctx, t.person.ID)
	if err != nil {
		return err
	}
	if at := slices.IndexFunc(open, func(o roster.Swap) bool { return o.Asker == t.person.ID }); at >= 0 {
		same := open[at]
		if same.Other != other.ID || !same.From.Equal(w.From) {
			return t.swapOpen(ctx, same)
		}
		w = same
	} else if w, err = t.desk.Store.AskSwap(ctx, w); err != nil {
		return err
	}
	err = t.desk.tellSwap(ctx, w, other.ID, t.person, "swap_ask", func(m *command.Memory) {
		if m.Question == nil || t.context.Now.After(m.Question.Until) {
			m.Question = new(command.AskSwap(w.ID, t.context.Now))
		}
	})
	if err != nil {
		return err
	}
	return t.saySwap(ctx, w, other.Person, "swap_sent", i.Settles)
}

// ownShiftsShown is how many shifts of their own somebody is told.
const ownShiftsShown = 3

func (t *turn) ownShifts(rota []roster.Rotation, overrides []roster.Override) string {
	now := t.context.Now
	var own []string
	for _, s := range roster.Shifts(rota, overrides, nil, now, now.AddDate(0, 0, feedAhead)) {
		if s.Person == t.person.ID && s.From.After(now) && len(own) < ownShiftsShown {
			own = append(own, t.desk.span(s.From, s.Until, t.person.Language))
		}
	}
	if own == nil {
		return notice.List()
	}
	return notice.Names(own...)
}

func (t *turn) swapOpen(ctx context.Context, w roster.Swap) error {
	other, err := t.desk.Store.Person(ctx, w.Other)
	if err != nil {
		return err
	}
	return t.saySwap(ctx, w, other, "swap_open", false)
}

// findSwap finds the request that a YES or NO is about. NO is also how the one who
// asked takes it back.
func (t *turn) findSwap(ctx context.Context, i command.Do) error {
	name, pin := splitPIN(i.Text)
	open, err := t.desk.Store.OpenSwaps(ctx, t.person.ID)
	if err != nil {
		return err
	}
	agrees := i.Kind == command.DoSwapYes
	if i.Swap == 0 {
		if open, err = t.swapsAbout(ctx, open, name, agrees); err != nil {
			return err
		}
	} else {
		open = slices.DeleteFunc(open, func(w roster.Swap) bool { return w.ID != i.Swap })
	}
	switch len(open) {
	case 0:
		return t.say(ctx, "swap_nothing", nil, settle(i.Settles))
	case 1:
	default:
		var askers []string
		for _, w := range open {
			p, err := t.desk.Store.Person(ctx, w.Asker)
			if err != nil {
				return err
			}
			askers = append(askers, p.Name)
		}
		return t.say(ctx, "swap_many", map[string]string{"list": notice.Names(askers...)}, settle(i.Settles))
	}
	if agrees {
		if stop, err := t.swapProven(ctx, pin); err != nil || stop {
			return err
		}
	}
	if err := t.decide(ctx, decision{Swap: open[0].ID, Agrees: agrees}, i.Settles); err != nil {
		return err
	}
	return t.answerSwap(ctx, open[0].ID, agrees)
}

// swapsAbout leaves the requests that an answer may be about: those of others, from
// whoever is named; for NO the own one too when there is no other.
func (t *turn) swapsAbout(ctx context.Context, open []roster.Swap, name string, agrees bool) ([]roster.Swap, error) {
	var mine, asked []roster.Swap
	for _, w := range open {
		if w.Asker == t.person.ID {
			mine = append(mine, w)
			continue
		}
		p, err := t.desk.Store.Person(ctx, w.Asker)
		if err != nil {
			return nil, err
		}
		if name == "" || strings.EqualFold(p.ID, name) || strings.HasPrefix(strings.ToLower(p.Name), strings.ToLower(name)) {
			asked = append(asked, w)
		}
	}
	if len(asked) == 0 && !agrees {
		return mine, nil
	}
	return asked, nil
}

// splitPIN takes a PIN from the end of an answer.
func splitPIN(text string) (name, pin string) {
	words := strings.Fields(text)
	if n := len(words); n > 0 && len(words[n-1]) >= 4 && strings.Trim(words[n-1], "0123456789") == "" {
		return strings.Join(words[:n-1], " "), words[n-1]
	}
	return text, ""
}

// swapProven asks for the PIN of whoever has one: the sender of a text may be forged.
func (t *turn) swapProven(ctx context.Context, pin string) (answered bool, err error) {
	if t.row.Channel != gateway.SMS {
		return false, nil
	}
	has, err := t.desk.Store.HasPIN(ctx, t.person.ID)
	if err != nil || !has {
		return false, err
	}
	if pin == "" {
		return true, t.say(ctx, "swap_pin", nil, nil)
	}
	right, err := t.desk.Store.CheckPIN(ctx, t.person.ID, pin)
	if err != nil || right {
		return false, err
	}
	return true, t.say(ctx, "err_pin", nil, nil)
}

// answerSwap ends a request and tells everybody whom it concerns. Driven again it
// finds it ended, and tells the same under the same keys.
func (t *turn) answerSwap(ctx context.Context, id int64, agrees bool) error {
	w, err := t.desk.Store.Swap(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case agrees:
		w, err = t.desk.Store.AcceptSwap(ctx, id, roster.Swap.Accept)
	case w.Asker == t.person.ID:
		w, err = t.desk.Store.EndSwap(ctx, id, roster.SwapWithdrawn)
	default:
		w, err = t.desk.Store.EndSwap(ctx, id, roster.SwapDeclined)
	}
	if err != nil {
		return err
	}
	people, err := t.desk.Store.PeopleByID(ctx, []string{w.Asker, w.Other})
	if err != nil {
		return err
	}
	asker, other := people[w.Asker], people[w.Other]
	switch {
	case w.State == roster.SwapAccepted:
		if err := t.desk.tellSwap(ctx, w, w.Asker, other, "swap_done", nil); err != nil {
			return err
		}
		if err := t.desk.tellManagersOf(ctx, w, asker, other); err != nil {
			return err
		}
		return t.saySwap(ctx, w, asker, "swap_ok", false)
	case w.State == roster.SwapDeclined && agrees:
		if err := t.desk.tellSwap(ctx, w, w.Asker, other, "swap_moved", nil); err != nil {
			return err
		}
		return t.saySwap(ctx, w, asker, "swap_moved", false)
	case w.State == roster.SwapDeclined:
		if err := t.desk.tellSwap(ctx, w, w.Asker, other, "swap_declined", nil); err != nil {
			return err
		}
		return t.saySwap(ctx, w, asker, "swap_no", false)
	case w.State == roster.SwapWithdrawn && w.Asker == t.person.ID:
		if err := t.desk.tellSwap(ctx, w, w.Other, asker, "swap_gone", nil); err != nil {
			return err
		}
		return t.saySwap(ctx, w, other, "swap_back", false)
	}
	return t.saySwap(ctx, w, asker, "swap_gone", false)
}

// expireSwaps ends the requests that nobody answered. Who asked hears of it first:
// nothing can answer them any more.
func (d *Desk) expireSwaps(ctx context.Context) {
	overdue, err := d.Store.OverdueSwaps(ctx)
	for _, w := range overdue {
		if err != nil {
			break
		}
		err = d.expire(ctx, w)
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot end requests to swap", slog.Any("error", err))
	}
}

func (d *Desk) expire(ctx context.Context, w roster.Swap) error {
	people, err := d.Store.PeopleByID(ctx, []string{w.Asker, w.Other})
	if err != nil {
		return err
	}
	if err := d.tellSwap(ctx, w, w.Asker, people[w.Other], "swap_expired", nil); err != nil {
		return err
	}
	if err := d.tellSwap(ctx, w, w.Other, people[w.Asker], "swap_gone", nil); err != nil {
		return err
	}
	_, err = d.Store.EndSwap(ctx, w.ID, roster.SwapExpired)
	return err
}

// swapTexts are those that speak of the shift in return, and have another form when
// there is none.
var swapTexts = []string{"swap_ask", "swap_sent", "swap_ok", "swap_done", "mgr_swap"}

// swapText is a text about a swap, for a reader: shift is the one that the asker
// gives away.
func (d *Desk) swapText(w roster.Swap, about, reader roster.Person, message string) (string, map[string]string) {
	values := map[string]string{
		"who": about.Name, "shift": d.span(w.From, w.Until, reader.Language),
		"time": notice.Clock(w.Expires, d.Clock.Now(), d.Zone, reader.Language),
	}
	if w.BackFrom.IsZero() {
		if slices.Contains(swapTexts, message) {
			message += "_one"
		}
		return message, values
	}
	values["shift2"] = d.span(w.BackFrom, w.BackUntil, reader.Language)
	return message, values
}

// span writes a shift for a reader.
func (d *Desk) span(from, until time.Time, language string) string {
	now := d.Clock.Now()
	return notice.At(from, now, d.Zone, language) + " - " + notice.At(until, now, d.Zone, language)
}

func (t *turn) saySwap(ctx context.Context, w roster.Swap, about roster.Person, message string, settles bool) error {
	message, values := t.desk.swapText(w, about, t.person, message)
	return t.say(ctx, message, values, settle(settles))
}

// tellSwap writes to one of the two, by the channel that reaches them.
func (d *Desk) tellSwap(ctx context.Context, w roster.Swap, to string, about roster.Person, message string, change func(*command.Memory)) error {
	m, err := d.Store.Member(ctx, to)
	if err != nil {
		return err
	}
	via, reached := roster.Reach(m)
	if !reached {
		return nil
	}
	key := fmt.Sprintf("swap/%d/%s/%s", w.ID, message, to)
	message, values := d.swapText(w, about, m.Person, message)
	return d.ask(ctx, m.Person, gateway.Channel(via), message, values, key, change)
}

// tellManagersOf lets them know who is called when.
func (d *Desk) tellManagersOf(ctx context.Context, w roster.Swap, asker, other roster.Person) error {
	return d.tellOtherManagers(ctx, fmt.Sprintf("swap/%d/mgr", w.ID), []string{asker.ID, other.ID}, func(m roster.Person) (string, map[string]string) {
		message, values := d.swapText(w, other, m, "mgr_swap")
		values["who2"] = asker.Name
		return message, values
	})
}

func names(members []roster.Member) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.Name
	}
	return strings.Join(list, ", ")
}
