package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/activities"
	"deskbell/command"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// act hands a command to its ticket. The ticket's notices are the answer.
func (t *turn) act(ctx context.Context, a command.Act) error {
	base := Act{Person: t.person, Channel: string(t.row.Channel), Verb: a.Verb, Text: a.Text}
	if a.Until != "" {
		until, _, ok := command.When(a.Until, t.context.Now, t.desk.Zone)
		if !ok {
			return t.say(ctx, "snooze_when", map[string]string{"n": strconv.Itoa(a.Tickets[0])}, nil)
		}
		base.Until = until
	}
	if a.To != "" {
		to, found, err := t.colleague(ctx, a)
		if err != nil || !found {
			return err
		}
		base.To = to
	}
	if len(a.Tickets) > 1 {
		return t.actOnMany(ctx, base, a)
	}
	base.ID, base.Number = t.row.Key, a.Tickets[0]
	tk, known, err := t.known(ctx, base.Number)
	if err != nil || !known {
		return err
	}
	c, err := t.desk.command(ctx, base)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return t.say(ctx, "err_text", map[string]string{"n": strconv.Itoa(base.Number), "guess": invalid.Problem}, nil)
	}
	if err != nil {
		return err
	}
	c.Confirmed = a.Confirmed
	if stop, err := t.proven(ctx, &c); err != nil || stop {
		return err
	}
	if stop, err := t.before(ctx, c, tk); err != nil || stop {
		return err
	}
	if err := t.desk.claim(ctx, c, base.Number); err != nil {
		return t.refused(ctx, tk, c, err)
	}
	if err := t.decide(ctx, decision{Number: base.Number, Command: &c}, a.Settles); err != nil {
		return err
	}
	return t.desk.signal(ctx, c, base.Number)
}

// proven reads the PIN after TAKEOVER by SMS, whose sender may be forged.
func (t *turn) proven(ctx context.Context, c *ticket.Command) (answered bool, err error) {
	if c.Verb != ticket.Takeover || c.Channel != "sms" || c.Text == "" {
		return false, nil
	}
	c.Confirmed, err = t.desk.Store.CheckPIN(ctx, t.person.ID, c.Text)
	c.Text = ""
	if err != nil || c.Confirmed {
		return false, err
	}
	return true, t.say(ctx, "err_pin", nil, nil)
}

// corrected answers a correction of a message that was acted on. One that changed
// nothing may be said again in other words.
func (t *turn) corrected(ctx context.Context) (answered bool, err error) {
	reason, err := t.desk.Store.LastReason(ctx, t.row)
	if err != nil || !slices.Contains(undoable, ticket.Message(reason)) {
		return false, err
	}
	return true, t.say(ctx, "err_edit", nil, nil)
}

// lateMessage is how long a message may travel and still be acted on when its
// ticket has moved meanwhile.
const lateMessage = 15 * time.Minute

// before answers what the ticket cannot know: that the message is old and the
// ticket has moved since it was written.
func (t *turn) before(ctx context.Context, c ticket.Command, tk ticket.Ticket) (answered bool, err error) {
	sent := t.desk.sentAt(t.row)
	travelled := t.row.KeptAt.Sub(sent)
	if n := len(tk.Recent); !sent.IsZero() && travelled > lateMessage && n > 0 && tk.Recent[n-1].At.After(sent) && changes(tk, c, t.context.Now) {
		return true, t.say(ctx, "err_expired", map[string]string{"age": notice.Age(travelled, t.person.Language), "guess": clip(t.row.Text, 40)}, nil)
	}
	return false, nil
}

// refused answers a command that is not handed over.
func (t *turn) refused(ctx context.Context, tk ticket.Ticket, c ticket.Command, err error) error {
	refusal, ok := ticket.Refused(err)
	if !ok {
		return err
	}
	if refusal.Message == "take_limit" {
		return t.full(ctx, tk.Number)
	}
	_, err = t.desk.words.Notify(ctx, activities.NotifyInput{Ticket: tk.Facts(), Notices: ticket.Answer(tk, c, refusal), Now: t.context.Now})
	return err
}

// full says that somebody holds as many tickets as one may.
func (t *turn) full(ctx context.Context, number int) error {
	return t.say(ctx, "take_limit", map[string]string{
		"n": strconv.Itoa(number), "count": strconv.Itoa(max(len(t.context.Held), t.desk.Policy.Held())), "list": notice.List(items(t.context.Held)...),
	}, nil)
}

// changes tells whether a command would, as far as the read model knows.
func changes(t ticket.Ticket, c ticket.Command, now time.Time) bool {
	_, events, err := ticket.Apply(t, c, now)
	return err == nil && len(events) > 0
}

// known returns a ticket, and answers for one that does not exist, or is not the
// requester's: both sound the same.
func (t *turn) known(ctx context.Context, number int) (tk ticket.Ticket, known bool, err error) {
	tk, err = t.desk.Store.Ticket(ctx, number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return tk, false, err
	}
	n := map[string]string{"n": strconv.Itoa(number)}
	if !t.person.Works() && (err != nil || tk.Requester.ID != t.person.ID) {
		return tk, false, t.say(ctx, "req_not_yours", n, nil)
	}
	if err != nil {
		return tk, false, t.say(ctx, "err_number", n, nil)
	}
	return tk, true, nil
}

// colleague finds the person whose name was typed, or says why not.
func (t *turn) colleague(ctx context.Context, a command.Act) (id string, found bool, err error) {
	members, err := t.desk.Store.Members(ctx)
	if err != nil {
		return "", false, err
	}
	exact, begin := t.named(members, a.To)
	if len(exact) == 1 && (len(begin) == 0 || t.askedWhom(a.Tickets[0])) {
		return exact[0].ID, true, nil
	}
	candidates := append(exact, begin...)
	values := map[string]string{"who": a.To, "n": strconv.Itoa(a.Tickets[0])}
	switch len(candidates) {
	case 1:
		return candidates[0].ID, true, nil
	case 0:
		return "", false, t.say(ctx, "pass_nobody", values, nil)
	}
	names := make([]string, len(candidates))
	for i, m := range candidates {
		names[i] = m.Name
	}
	values["list"] = strings.Join(names, ", ")
	q := command.Question{Kind: command.Missing, Ticket: a.Tickets[0], At: t.context.Now, Until: t.context.Now.Add(command.QuestionLife),
		Act: &command.Act{Verb: ticket.Pass, Tickets: a.Tickets}}
	return "", false, t.say(ctx, "pass_which", values, func(m *command.Memory) { m.Question = &q })
}

// named are the colleagues whose name or id this is, and those whose name begins so.
func (t *turn) named(members []roster.Member, name string) (exact, begin []roster.Member) {
	for _, m := range members {
		switch {
		case m.ID == t.person.ID:
		case strings.EqualFold(m.Name, name) || strings.EqualFold(m.ID, name):
			exact = append(exact, m)
		case strings.HasPrefix(strings.ToLower(m.Name), strings.ToLower(name)):
			begin = append(begin, m)
		}
	}
	return exact, begin
}

// askedWhom tells whether the question to whom a ticket is passed is pending: a name
// that others begin with is then that person's.
func (t *turn) askedWhom(number int) bool {
	q := t.context.Question
	return q != nil && q.Act != nil && q.Act.Verb == ticket.Pass && q.Ticket == number && !t.context.Now.After(q.Until)
}

// actOnMany does the same to several tickets and answers once. Each ticket is
// waited for.
func (t *turn) actOnMany(ctx context.Context, base Act, a command.Act) error {
	var done, not []int
	for _, number := range a.Tickets {
		act := base
		act.ID, act.Number = fmt.Sprintf("%s#%d", t.row.Key, number), number
		act.Quiet = true // this turn answers
		switch _, err := t.desk.Do(ctx, act); {
		case err == nil:
			done = append(done, number)
		case errors.Is(err, ErrUndecided) || errors.Is(err, ErrUnavailable):
			return err
		default:
			if r, ok := ticket.Refused(err); ok && r.Harmless() {
				done = append(done, number)
			} else {
				not = append(not, number)
			}
		}
	}
	message := "many_done"
	if a.Verb == ticket.Take {
		message = "take_some"
	}
	switch {
	case len(not) == 0:
		message += "_all"
	case len(done) == 0:
		message += "_none"
	}
	return t.say(ctx, message, map[string]string{"list": notice.Numbers(done...), "list2": notice.Numbers(not...)}, settle(a.Settles))
}
