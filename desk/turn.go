package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/activities"
	"deskbell/command"
	"deskbell/gateway"
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

// say answers the message, unless that would only be noise.
func (t *turn) say(ctx context.Context, message string, values map[string]string, change func(*command.Memory)) error {
	text := message + " " + values["word"] + values["guess"] + values["n"]
	instead, note := guard(t.context.Memory, message, text, t.context.Now)
	changes := func(m *command.Memory) {
		for _, f := range []func(*command.Memory){note, change} {
			if f != nil {
				f(m)
			}
		}
	}
	if instead == "" {
		if err := t.remember(ctx, note); err != nil {
			return err
		}
		return t.desk.drop(ctx, t.row, "an answer too many: "+message)
	}
	return t.desk.say(ctx, t.row, t.person, instead, values, reply{key: "answer/" + t.row.Key, finish: true, change: changes})
}

// remember changes the conversation without an answer.
func (t *turn) remember(ctx context.Context, change func(*command.Memory)) error {
	_, err := t.desk.Store.Write(ctx, store.Write{Contexts: []store.ContextChange{{Person: t.person.ID, Change: changeMemory(t.context.Now, change)}}})
	return err
}

// reply is how a message is answered.
type reply struct {
	key    string // of the delivery
	finish bool   // the message is answered by it
	change func(*command.Memory)
	// bundles are the ids of messages in whose place it is sent.
	bundles []int64
}

// say answers a message, where it came from.
func (d *Desk) say(ctx context.Context, row store.Inbound, to roster.Person, message string, values map[string]string, r reply) error {
	w := store.Write{Tells: row.Key}
	if r.finish {
		w = store.Write{Answers: row.Key}
	}
	w.Bundles = r.bundles
	if to.ID != "" && r.change != nil {
		w.Contexts = []store.ContextChange{{Person: to.ID, Change: changeMemory(d.Clock.Now(), r.change)}}
	}
	if notice.Has(message, string(row.Channel)) {
		text, err := notice.Render(notice.Message{ID: message, Channel: string(row.Channel), Language: to.Language, Values: d.common(values)})
		if err != nil {
			return fmt.Errorf("word %s: %w", message, err)
		}
		w.Outgoing = []store.Outgoing{{Key: r.key, Channel: row.Channel, Person: to.ID, Address: row.ReplyTo, Reason: message, Text: text.Body}}
	}
	if err := d.inRoom(ctx, w.Outgoing); err != nil {
		return err
	}
	if _, err := d.Store.Write(ctx, w); err != nil {
		return err
	}
	if r.finish {
		d.finished(row.Key)
	}
	return nil
}

// tell writes to a person unasked.
func (d *Desk) tell(ctx context.Context, to roster.Person, via gateway.Channel, message string, values map[string]string, key string) error {
	return d.ask(ctx, to, via, message, values, key, nil)
}

// ask writes to a person unasked, and changes the conversation with it.
func (d *Desk) ask(ctx context.Context, to roster.Person, via gateway.Channel, message string, values map[string]string, key string, change func(*command.Memory)) error {
	if !notice.Has(message, string(via)) {
		return nil
	}
	text, err := notice.Render(notice.Message{ID: message, Channel: string(via), Language: to.Language, Values: d.common(values)})
	if err != nil {
		return fmt.Errorf("word %s: %w", message, err)
	}
	address := to.Phone
	if via == gateway.IM {
		address = to.JID
	}
	w := store.Write{Outgoing: []store.Outgoing{{Key: key, Channel: via, Person: to.ID, Address: address, Reason: message, Text: text.Body}}}
	if change != nil {
		w.Contexts = []store.ContextChange{{Person: to.ID, Change: changeMemory(d.Clock.Now(), change), With: key}}
	}
	_, err = d.Store.Write(ctx, w)
	return err
}

func (d *Desk) urls() map[string]string { return map[string]string{"url": d.URL} }

// common adds what any text may speak of.
func (d *Desk) common(values map[string]string) map[string]string {
	out := map[string]string{"url": d.URL, "org": d.Org}
	for k, v := range values {
		out[k] = v
	}
	return out
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
