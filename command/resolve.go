package command

import (
	"fmt"
	"strconv"
	"strings"

	"deskbell/ticket"
)

// Resolve gives a command its meaning in a conversation. It decides nothing about
// tickets: what an Act comes to is up to the ticket.
func Resolve(c Command, ctx Context) Intent {
	if c.Quoted != 0 && len(c.Numbers) == 0 && grammar.takesNumber(c.Verb) {
		c.Numbers = []int{c.Quoted}
	}
	if c.Quoted != 0 && c.Verb == Text {
		c.Verb, c.Numbers, c.Text = Number, []int{c.Quoted}, c.Body
	}
	if i := answer(c, ctx); i != nil {
		return i
	}
	var i Intent
	if ctx.Works {
		i = agent(c, ctx)
	} else {
		i = requester(c, ctx)
	}
	if c.Guess != "" && c.Confirm {
		return confirmGuess(c, i, ctx)
	}
	return i
}

// takesNumber tells whether a quoted message's ticket can complete a verb.
func (g *lexicon) takesNumber(v Verb) bool {
	e := g.entries[v]
	return e != nil && (e.Numbers != "" || v == Yes || v == No)
}

// confirmGuess puts a YES between a guessed word and what it would change.
func confirmGuess(c Command, i Intent, ctx Context) Intent {
	q := Question{Kind: Confirm, At: ctx.Now, Until: ctx.Now.Add(QuestionLife)}
	switch i := i.(type) {
	case Act:
		i.Confirmed = true
		q.Act = &i
	case Do:
		q.Do = &i
	default:
		return i
	}
	return Ask{Message: "err_guess", Values: map[string]string{"guess": example(c.Guess, c.Numbers...)}, Question: q}
}

// example writes a command as we would: CLOSE 142.
func example(word string, numbers ...int) string {
	s := strings.ToUpper(word)
	for _, n := range numbers {
		s += " " + strconv.Itoa(n)
	}
	return s
}

// agent resolves what somebody wrote who may work on tickets.
func agent(c Command, ctx Context) Intent {
	if i := common(c, ctx); i != nil {
		return i
	}
	if v, ok := acts[c.Verb]; ok {
		return agentAct(v, c, ctx)
	}
	switch c.Verb {
	case Number:
		if c.Text == "" || promise(c.Text, ctx) {
			return Act{Verb: ticket.Take, Tickets: c.Numbers, Until: c.Text}
		}
		if n := c.Numbers[0]; has(ctx.Own, n) && !has(ctx.Held, n) {
			return Act{Verb: ticket.Write, Tickets: c.Numbers, Text: c.Text}
		}
		return Act{Verb: ticket.Note, Tickets: c.Numbers[:1], Text: c.Text}
	case Yes:
		return offered(ticket.Take, c, ctx)
	case No:
		return offered(ticket.Decline, c, ctx)
	case Decline:
		if len(c.Numbers) > 0 { // R142: the ticket knows whether it is an offer or mine
			return Act{Verb: ticket.Drop, Tickets: c.Numbers}
		}
		return offered(ticket.Decline, c, ctx)
	case Take:
		return offered(ticket.Take, c, ctx)
	case Undo:
		n := first(c.Numbers)
		if ctx.UndoTicket == 0 || ctx.Now.Sub(ctx.UndoAt) > UndoLife || n != 0 && n != ctx.UndoTicket {
			return Say{Message: "undo_none"}
		}
		return Act{Verb: ticket.TakeBack, Tickets: []int{ctx.UndoTicket}}
	case List:
		page, _ := strconv.Atoi(fold(c.Text))
		return Query{Kind: QueryList, Page: max(page, 1)}
	case Away:
		d := Do{Kind: DoAway, Text: c.Text}
		if _, rest, ok := When(c.Text, ctx.Now, ctx.Now.Location()); ok {
			d.Until, d.Text = strings.TrimSpace(strings.TrimSuffix(c.Text, rest)), rest
		}
		return d
	case Back:
		return Do{Kind: DoBack}
	case Swap:
		return swapShifts(c.Text, ctx)
	case New:
		return create(c.Text, ctx)
	case Withdraw:
		return requester(c, ctx)
	}
	if q, ok := queries[c.Verb]; ok {
		return Query{Kind: q, Ticket: first(c.Numbers)}
	}
	return Say{Message: "err_word", Values: map[string]string{"word": shorten(c.Word)}}
}

// swapShifts reads "sat sam", "sam sat", "sam", "yes", "yes sam" and "no".
func swapShifts(text string, ctx Context) Intent {
	text = strings.TrimSpace(text)
	if text == "" {
		return Say{Message: "swap_how"}
	}
	word, rest, _ := strings.Cut(text, " ")
	switch Parse(word, Speaker{Language: ctx.Language, Channel: ctx.Channel}).Verb {
	case Yes:
		return Do{Kind: DoSwapYes, Text: strings.TrimSpace(rest)}
	case No, Decline:
		return Do{Kind: DoSwapNo, Text: strings.TrimSpace(rest)}
	}
	if _, rest, ok := When(text, ctx.Now, ctx.Now.Location()); ok && rest != "" {
		return Do{Kind: DoSwap, Text: colleague(rest), Until: strings.TrimSpace(strings.TrimSuffix(text, rest))}
	}
	for i, r := range text {
		if r != ' ' {
			continue
		}
		if _, rest, ok := When(text[i+1:], ctx.Now, ctx.Now.Location()); ok && rest == "" {
			return Do{Kind: DoSwap, Text: colleague(text[:i]), Until: text[i+1:]}
		}
	}
	return Do{Kind: DoSwap, Text: colleague(text)}
}

// queries are the verbs that only read and need no ticket.
var queries = map[Verb]Topic{
	Mine: QueryMine, Status: QueryStatus, Who: QueryWho, Oncall: QueryOncall, Next: QueryNext, Why: QueryWhy,
}

// act is how a verb that changes a ticket is completed when parts of it are missing.
type act struct {
	verb    ticket.Verb
	example string // of the verb with a number
	text    bool   // needs a text
	to      bool   // the text is a colleague's name
	until   bool   // the text is a time
}

var acts = map[Verb]act{
	Release:  {verb: ticket.Drop, example: "R %d"},
	Done:     {verb: ticket.Done, example: "C %d"},
	Reopen:   {verb: ticket.Reopen, example: "REOPEN %d"},
	Note:     {verb: ticket.Note, example: "NOTE %d text", text: true},
	AskFor:   {verb: ticket.Ask, example: "ASK %d text", text: true},
	Tell:     {verb: ticket.Tell, example: "TELL %d text", text: true},
	Pass:     {verb: ticket.Pass, example: "PASS %d bob", text: true, to: true},
	Takeover: {verb: ticket.Takeover, example: "TAKEOVER %d"},
	Up:       {verb: ticket.Up, example: "UP %d"},
	Snooze:   {verb: ticket.Snooze, example: "Z %d 2h", text: true, until: true},
}

func agentAct(a act, c Command, ctx Context) Intent {
	numbers := c.Numbers
	if len(numbers) == 0 {
		n, ask := candidate(a, c, ctx)
		if ask != nil {
			return ask
		}
		numbers = []int{n}
	}
	return complete(a, Act{Verb: a.verb, Tickets: numbers, Text: c.Text}, ctx)
}

// complete asks for what an act still lacks.
func complete(a act, i Act, ctx Context) Intent {
	n := first(i.Tickets)
	q := Question{Kind: Missing, Ticket: n, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Act: &i}
	switch {
	case a.until:
		until, rest, ok := snoozeTime(i.Text, ctx)
		if !ok {
			i.Text = ""
			q.Kind = Time
			return Ask{Message: "snooze_when", Values: number(n), Question: q}
		}
		i.Until, i.Text = until, rest
	case a.text && i.Text == "":
		return Ask{Message: "err_text", Values: map[string]string{"n": strconv.Itoa(n), "guess": fmt.Sprintf(a.example, n)}, Question: q}
	case a.to:
		i.To, i.Text = colleague(i.Text), ""
	}
	return i
}

// promise tells whether a text is a time and nothing else: what follows a number is
// a note otherwise.
func promise(text string, ctx Context) bool {
	_, rest, ok := When(text, ctx.Now, ctx.Now.Location())
	return ok && rest == ""
}

func snoozeTime(text string, ctx Context) (until, rest string, ok bool) {
	_, rest, ok = When(text, ctx.Now, ctx.Now.Location())
	return strings.TrimSpace(strings.TrimSuffix(text, rest)), rest, ok
}

// colleague is a name without the word before it: "to bob".
func colleague(text string) string {
	for _, p := range []string{"to ", "with ", "an ", "mit ", "à ", "avec ", "a ", "con "} {
		if hasPrefixFold(text, p) && len(text) > len(p) {
			return strings.TrimSpace(text[len(p):])
		}
	}
	return text
}

// candidate is the ticket that a verb without a number means, or the question which.
// Only a bare C acts on the one ticket that is held; everything else asks.
func candidate(a act, c Command, ctx Context) (int, Intent) {
	held := ctx.Held
	switch {
	case a.verb == ticket.Done && len(held) == 1:
		if c.Text == "" {
			return held[0].Number, nil
		}
		i := Act{Verb: a.verb, Tickets: []int{held[0].Number}, Text: c.Text}
		return 0, Ask{Message: "err_guess", Values: map[string]string{"guess": example("close", held[0].Number)}, Question: AskConfirm(i, ctx.Now)}
	case a.verb == ticket.Snooze && len(held) == 1 && c.Text != "":
		return held[0].Number, nil
	case len(held) == 0 && (a.verb == ticket.Done || a.verb == ticket.Drop):
		return 0, Say{Message: "mine_none", Values: count(ctx)}
	case len(held) == 0:
		return 0, Say{Message: "err_which_none", Values: map[string]string{"guess": fmt.Sprintf(a.example, 142)}}
	}
	i := Act{Verb: a.verb, Text: c.Text}
	q := Question{Kind: Which, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Act: &i}
	if a.verb == ticket.Done {
		return 0, Ask{Message: "done_which", List: held, Question: q}
	}
	return 0, Ask{Message: "err_which", Values: map[string]string{"guess": fmt.Sprintf(a.example, held[0].Number)}, List: held, Question: q}
}

// offered resolves yes, take, no and decline: they mean an offer.
func offered(v ticket.Verb, c Command, ctx Context) Intent {
	if len(c.Numbers) > 0 {
		if v == ticket.Take && promise(c.Text, ctx) {
			return Act{Verb: v, Tickets: c.Numbers, Until: c.Text}
		}
		return Act{Verb: v, Tickets: c.Numbers, Text: c.Text}
	}
	live := ctx.liveOffers()
	if len(live) == 0 {
		if c.Verb == Decline && len(ctx.Held) > 0 {
			_, ask := candidate(acts[Release], c, ctx)
			return ask
		}
		return Say{Message: "no_offer", Values: count(ctx)}
	}
	if len(live) == 1 && !ctx.hasty(live[0].Number) {
		return Act{Verb: v, Tickets: []int{live[0].Number}}
	}
	q := Question{Kind: Which, At: ctx.Now, Until: ctx.Now.Add(QuestionLife), Act: &Act{Verb: v}}
	return Ask{Message: "which_offer", List: live, Question: q}
}

// common resolves what means the same for everybody.
func common(c Command, ctx Context) Intent {
	switch c.Verb {
	case Reaction:
		return Nothing{}
	case Auto:
		return Do{Kind: DoUnreachable}
	case Empty:
		return Say{Message: "err_picture"}
	case Stop:
		return Do{Kind: DoStop}
	case Start:
		return Do{Kind: DoStart}
	case Help:
		if e := grammar.word(fold(c.Text), ctx.Language); e != nil && e.Verb == Show { // "help more"
			return Query{Kind: QueryHelpMore}
		}
		return Query{Kind: QueryHelp}
	case Thanks:
		return thanked(ctx)
	case Show:
		return show(c, ctx)
	}
	return nil
}

// thanked answers thanks in a chat; by SMS an answer would only cost money.
func thanked(ctx Context) Intent {
	if ctx.Channel == "im" {
		return Say{Message: "req_thanks"}
	}
	return Nothing{}
}

// show finds the ticket that "details" without a number means.
func show(c Command, ctx Context) Intent {
	if !ctx.Works {
		return ownStatus(c, ctx)
	}
	n := first(c.Numbers)
	if n == 0 && ctx.Question != nil && !ctx.Now.After(ctx.Question.Until) {
		n = ctx.Question.Ticket
	}
	if live := ctx.liveOffers(); n == 0 && len(live) == 1 {
		n = live[0].Number
	} else if n == 0 && len(live) > 1 {
		q := Question{Kind: Which, At: ctx.Now, Until: ctx.Now.Add(QuestionLife)}
		return Ask{Message: "err_which", Values: map[string]string{"guess": fmt.Sprintf("D %d", live[0].Number)}, List: live, Question: q}
	}
	if n == 0 {
		n = ctx.Last
	}
	if n == 0 && len(ctx.Held) > 0 {
		n = ctx.Held[0].Number
	}
	if n == 0 {
		return Query{Kind: QueryList, Page: 1}
	}
	return Query{Kind: QueryShow, Ticket: n}
}

func first(numbers []int) int {
	if len(numbers) == 0 {
		return 0
	}
	return numbers[0]
}

func number(n int) map[string]string { return map[string]string{"n": strconv.Itoa(n)} }

func count(ctx Context) map[string]string {
	return map[string]string{"count": strconv.Itoa(len(ctx.Waiting))}
}

// shorten keeps a word that is repeated back to its sender within a text message.
func shorten(word string) string {
	if r := []rune(word); len(r) > 20 {
		return string(r[:20])
	}
	return word
}
