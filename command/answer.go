package command

import (
	"strconv"
	"strings"

	"deskbell/ticket"
)

// answer resolves a message as the answer to a pending question. It is nil when
// there is none, or when the message is a command of its own: one that names a
// ticket, or one that no answer can be (STOP, HELP, STATUS).
func answer(c Command, ctx Context) Intent {
	switch c.Verb {
	case Stop, Start, Help, Auto, Reaction, Empty, Status, Mine, List, Undo:
		return nil
	}
	if n := ctx.asked(); n != 0 && !explicit(c, ctx) && !ownBusiness(c, ctx) {
		return Act{Verb: ticket.Write, Tickets: []int{n}, Text: c.Body, Settles: true}
	}
	if q := ctx.question(Confirm, Which, Missing, Time, Lease, Similar, Late, Shifts); q != nil {
		if i := questions[q.Kind](*q, c, ctx); i != nil {
			return i
		}
	}
	return notFixed(c, ctx)
}

// explicit tells whether a message names a ticket that its sender may mean.
func explicit(c Command, ctx Context) bool {
	if len(c.Numbers) == 0 {
		return false
	}
	return ctx.Works || c.Verb != Number || has(ctx.Own, c.Numbers[0])
}

// ownBusiness tells whether somebody who works here, and was asked about a request
// of their own, wrote a command and not the answer.
func ownBusiness(c Command, ctx Context) bool {
	if !ctx.Works || c.Verb == Text {
		return false
	}
	answers := c.Verb == Yes || c.Verb == No
	return !answers || len(ctx.liveOffers()) > 0 || len(ctx.Held) > 0
}

var questions = map[QuestionKind]func(Question, Command, Context) Intent{
	Confirm: answerConfirm,
	Which:   answerWhich,
	Missing: answerMissing,
	Time:    answerTime,
	Lease:   answerLease,
	Similar: answerSimilar,
	Late:    answerLate,
	Shifts:  answerShifts,
}

// plain tells whether a message is nothing but this word, or names the question's ticket with it.
func plain(c Command, v Verb, ticket int) bool {
	return c.Verb == v && c.Text == "" && (len(c.Numbers) == 0 || len(c.Numbers) == 1 && c.Numbers[0] == ticket)
}

func answerConfirm(q Question, c Command, _ Context) Intent {
	n := q.Ticket
	if q.Act != nil {
		n = first(q.Act.Tickets)
	}
	switch {
	case plain(c, Yes, n):
		return q.run()
	case plain(c, No, n):
		return Say{Message: "not_done", Settles: true}
	}
	return nil
}

// run is what a question waited to do.
func (q Question) run() Intent {
	if q.Act != nil {
		a := *q.Act
		a.Settles, a.Confirmed = true, true
		return a
	}
	d := *q.Do
	d.Settles = true
	return d
}

func answerWhich(q Question, c Command, ctx Context) Intent {
	switch {
	case c.Verb == Number && c.Text == "":
		if q.Act == nil {
			return Query{Kind: QueryShow, Ticket: c.Numbers[0]}
		}
		a := *q.Act
		a.Tickets, a.Settles = c.Numbers, true
		for _, known := range acts {
			if known.verb == a.Verb && (a.Text != "" || known.text) {
				a.Tickets = a.Tickets[:1]
				return settle(complete(known, a, ctx))
			}
		}
		return a
	case plain(c, No, 0):
		return Say{Message: "not_done", Settles: true}
	}
	return nil
}

func answerMissing(q Question, c Command, ctx Context) Intent {
	if c.Verb != Text {
		return nil
	}
	if q.Do != nil {
		return settle(create(c.Body, ctx))
	}
	a := *q.Act
	a.Text = c.Body
	for _, known := range acts {
		if known.verb == a.Verb {
			return settle(complete(known, a, ctx))
		}
	}
	return nil
}

func answerTime(q Question, c Command, ctx Context) Intent {
	if c.Verb != Text && c.Verb != Number {
		return nil
	}
	a := *q.Act
	until, rest, ok := snoozeTime(c.Body, ctx)
	if !ok {
		return nil
	}
	a.Until, a.Text, a.Settles = until, rest, true
	return a
}

func answerLease(q Question, c Command, ctx Context) Intent {
	release := Act{Verb: ticket.Drop, Tickets: []int{q.Ticket}}
	switch {
	case plain(c, Yes, q.Ticket):
		return Act{Verb: ticket.Keep, Tickets: []int{q.Ticket}, Settles: true}
	case len(c.Numbers) > 0 || c.Text != "":
		return nil
	case c.Verb == No || c.Verb == Decline || c.Verb == Release:
		return Ask{Message: "err_guess", Values: map[string]string{"guess": example("release", q.Ticket)}, Question: AskConfirm(release, ctx.Now)}
	case c.Verb == Done && c.Guess == "":
		return Act{Verb: ticket.Done, Tickets: []int{q.Ticket}, Settles: true}
	}
	return nil
}

func answerSimilar(q Question, c Command, ctx Context) Intent {
	switch {
	case c.Verb == Number && c.Text == "" && has(ctx.Own, c.Numbers[0]):
		return Act{Verb: ticket.Write, Tickets: c.Numbers[:1], Text: q.Do.Text, Settles: true}
	case plain(c, Yes, 0):
		return q.run()
	case plain(c, No, 0):
		return Say{Message: "not_done", Settles: true}
	}
	return nil
}

func answerLate(q Question, c Command, _ Context) Intent {
	switch {
	case plain(c, Yes, q.Ticket):
		return q.run()
	case plain(c, No, q.Ticket):
		return Say{Message: "not_done", Settles: true}
	case c.Verb == Text:
		d := *q.Do
		d.Text, d.Settles = c.Body, true
		return d
	}
	return nil
}

// answerShifts reads YES and NO unless they may mean an offer: one that came later,
// or one that the question crossed on its way.
func answerShifts(q Question, c Command, ctx Context) Intent {
	if ctx.Now.Sub(q.At) < offerSettles {
		return nil
	}
	for _, o := range ctx.Offers {
		if o.Until.After(ctx.Now) && o.At.After(q.At) {
			return nil
		}
	}
	switch {
	case plain(c, Yes, 0):
		return q.run()
	case plain(c, No, 0):
		return Do{Kind: DoSwapNo, Swap: q.Do.Swap, Settles: true}
	}
	return nil
}

// settle marks an intent as the answer to the pending question.
func settle(i Intent) Intent {
	switch i := i.(type) {
	case Act:
		i.Settles = true
		return i
	case Do:
		i.Settles = true
		return i
	}
	return i
}

// notFixed resolves NO to "142 is solved", for as long as that text promised.
func notFixed(c Command, ctx Context) Intent {
	solved := ctx.solved()
	if len(solved) == 0 || len(c.Numbers) > 0 {
		return nil
	}
	text := c.Text
	switch {
	case c.Verb == Text && startsWithNo(c.Body):
		_, text, _ = strings.Cut(c.Body, " ")
	case c.Verb == Reopen, c.Verb == No && !(ctx.Works && len(ctx.liveOffers()) > 0):
	case c.Verb == Yes && !ctx.Works:
		return thanked(ctx)
	default:
		return nil
	}
	a := Act{Verb: ticket.Reopen, Text: strings.TrimSpace(text)}
	if len(solved) > 1 {
		q := Question{Kind: Which, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Act: &a}
		return Ask{Message: "req_which", List: solved, Question: q}
	}
	a.Tickets = []int{solved[0].Number}
	return a
}

// startsWithNo recognises "no paper comes out" where a no was asked for.
func startsWithNo(body string) bool {
	word, _, _ := strings.Cut(body, " ")
	return grammar.words["en"][fold(strings.Trim(word, ",.!;:"))] == grammar.entries[No]
}

// requester resolves what somebody wrote who may only ask for help.
func requester(c Command, ctx Context) Intent {
	if i := common(c, ctx); i != nil {
		return i
	}
	mine := len(c.Numbers) > 0 && has(ctx.Own, c.Numbers[0])
	switch c.Verb {
	case Number:
		switch {
		case mine && c.Text != "":
			return Act{Verb: ticket.Write, Tickets: c.Numbers[:1], Text: c.Text}
		case c.Text != "":
			return freeText(c.Body, ctx)
		}
		return ownStatus(c, ctx)
	case Status, Mine:
		return ownStatus(c, ctx)
	case Reopen:
		if len(c.Numbers) == 0 {
			return freeText(c.Body, ctx)
		}
		if !mine {
			return Say{Message: "req_not_yours", Values: number(c.Numbers[0])}
		}
		return Act{Verb: ticket.Reopen, Tickets: c.Numbers[:1], Text: c.Text}
	case Withdraw, Done:
		return withdraw(c, ctx)
	case Note, AskFor, Tell:
		if mine && c.Text != "" { // "note 142 it is the blue one": the thread is the only note they have
			return Act{Verb: ticket.Write, Tickets: c.Numbers[:1], Text: c.Text}
		}
	case New:
		return create(c.Text, ctx)
	case Who:
		return Query{Kind: QueryWho}
	case Yes, No:
		if len(c.Body) > 40 {
			return freeText(c.Body, ctx)
		}
		return Query{Kind: QueryHelp}
	case Text:
		return freeText(c.Body, ctx)
	}
	if c.Text != "" && !mine {
		return freeText(c.Body, ctx)
	}
	return Say{Message: "req_agents_only"}
}

// ownStatus shows a requester one request, or all of them. Somebody else's and one
// that does not exist get the same answer.
func ownStatus(c Command, ctx Context) Intent {
	n := first(c.Numbers)
	if n != 0 && !has(ctx.Own, n) {
		return Say{Message: "req_not_yours", Values: number(n)}
	}
	return Query{Kind: QueryStatus, Ticket: n}
}

// withdraw asks before a requester's own ticket is closed.
func withdraw(c Command, ctx Context) Intent {
	open := ctx.ownOpen()
	var one Ticket
	switch {
	case len(c.Numbers) > 0:
		for _, t := range ctx.Own {
			if t.Number == c.Numbers[0] {
				one = t
			}
		}
		if one.Number == 0 {
			return Say{Message: "req_not_yours", Values: number(c.Numbers[0])}
		}
	case len(open) == 0:
		return Say{Message: "req_status_none"}
	case len(open) == 1:
		one = open[0]
	default:
		q := Question{Kind: Which, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Act: &Act{Verb: ticket.Withdraw}}
		return Ask{Message: "req_which", List: open, Question: q}
	}
	return Ask{
		Message:  "req_withdraw",
		Values:   map[string]string{"n": strconv.Itoa(one.Number), "subj": one.Subject},
		Question: AskConfirm(Act{Verb: ticket.Withdraw, Tickets: []int{one.Number}, Text: c.Text}, ctx.Now),
	}
}

// freeText resolves what a requester wrote without a command: it belongs to the
// ticket that somebody is working on with them, or it may be a new one.
func freeText(text string, ctx Context) Intent {
	for _, t := range ctx.Own {
		if t.Number == ctx.Last && (t.Status == ticket.Assigned || t.Status == ticket.Pending) {
			return Act{Verb: ticket.Write, Tickets: []int{t.Number}, Text: text}
		}
	}
	if i := create(text, ctx); isAsk(i) {
		return i
	}
	return Ask{Message: "req_confirm_new", Values: map[string]string{"subj": text}, Question: newQuestion(Confirm, text, ctx)}
}

func isAsk(i Intent) bool {
	_, ok := i.(Ask)
	return ok
}

// create opens a ticket, unless the sender has an open one that looks alike.
func create(text string, ctx Context) Intent {
	if text == "" {
		return Ask{Message: "err_text", Values: map[string]string{"guess": "NEW text"}, Question: newQuestion(Missing, "", ctx)}
	}
	if t, ok := similar(text, ctx.ownOpen()); ok {
		q := newQuestion(Similar, text, ctx)
		q.Ticket = t.Number
		return Ask{Message: "req_similar", Values: map[string]string{"n": strconv.Itoa(t.Number), "subj": t.Subject}, Question: q}
	}
	return Do{Kind: DoNew, Text: text}
}

func newQuestion(k QuestionKind, text string, ctx Context) Question {
	return Question{Kind: k, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Do: &Do{Kind: DoNew, Text: text}}
}

// similar finds the open ticket that shares the most significant words with a text.
func similar(text string, open []Ticket) (Ticket, bool) {
	words := stems(text)
	var best Ticket
	most := 0
	for _, t := range open {
		shared := 0
		for w := range stems(t.Subject) {
			if words[w] {
				shared++
			}
		}
		if shared > most {
			best, most = t, shared
		}
	}
	return best, most > 0
}

// stems are the first five letters of the words of five and more that not every
// report has.
func stems(text string) map[string]bool {
	set := map[string]bool{}
	for _, t := range tokenize(text).list {
		if r := []rune(t.word); len(r) >= 5 && !grammar.is("common", t.word) {
			set[string(r[:5])] = true
		}
	}
	return set
}
