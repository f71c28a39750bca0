package command

import (
	"slices"
	"strings"
	"unicode"
)

// maxTokens is how many words of a message are looked at one by one; whatever
// follows them can only be argument text.
const maxTokens = 16

// Parse reads one message. It never fails: what it cannot read is Text.
func Parse(text string, s Speaker) Command {
	body, quoted := clean(text)
	c := Command{Body: body, Quoted: quoted}
	switch {
	case body == "":
		c.Verb = Empty
		return c
	case reaction(body):
		c.Verb = Reaction
		return c
	case automatic(body):
		c.Verb = Auto
		return c
	}
	if v, ok := emoji(body); ok {
		c.Verb = v
		return c
	}
	p := parser{Speaker: s, tokens: tokenize(unquote(body)), Command: c}
	p.parse()
	return p.Command
}

// token is one word: where it stands in the body, and what it is compared by.
type token struct {
	from, to int
	num      string // folded, outer punctuation and '#' off
	word     string // num without apostrophes and hyphens
}

type tokens struct {
	body string
	list []token
	more bool // the body goes on after the last token
}

type parser struct {
	Speaker
	Command
	tokens
}

func (p *parser) parse() {
	if len(p.list) == 0 {
		p.Verb, p.Text = Text, p.Body // punctuation only
		if strings.Trim(p.Body, "? ") == "" {
			p.Verb, p.Text = Help, ""
		}
		return
	}
	p.Word = p.body[p.list[0].from:p.list[0].to]
	if p.keypad() || p.subscription() || p.politeness() {
		return
	}
	i := p.skipFillers()
	p.Word = strings.Trim(p.body[p.list[i].from:p.list[i].to], `.,:;!?"'()/@`)
	if p.numberFirst(i) || p.glued(i) || p.verbFirst(i) || p.guess(i) {
		return
	}
	p.free()
}

// free reads the message as free text.
func (p *parser) free() {
	p.Verb, p.Text, p.Numbers, p.Guess, p.Confirm = Text, p.Body, nil, "", false
}

// keypad reads a single digit.
func (p *parser) keypad() bool {
	if len(p.list) != 1 || len(p.list[0].num) != 1 || strings.Contains(p.body, "#") {
		return false
	}
	e := grammar.alone[p.list[0].num]
	if e == nil {
		return false
	}
	p.Verb, p.Keypad = e.Verb, true
	return true
}

// subscription reads the carriers' words, which count only as the whole message
// and only by SMS.
func (p *parser) subscription() bool {
	if p.Channel != "sms" || p.more || len(p.list) > 2 {
		return false
	}
	p.Verb = grammar.carrier[p.join(0, len(p.list))] // "cancel" is theirs before it is ours
	return p.Verb != ""
}

// politeness reads yes, no and thanks, which take no text, or none that says more
// than "yes please"; "no" may go on with what is still wrong.
func (p *parser) politeness() bool {
	e := p.lookup(0, 1)
	if e == nil || e.Verb != Yes && e.Verb != No && e.Verb != Thanks {
		return false
	}
	if p.all(1, "polite") {
		p.Verb = e.Verb
		return true
	}
	if n, next := p.numbers(1, trailing); len(n) > 0 && p.all(next, "polite") {
		p.Numbers = n
		switch {
		case e.Verb == No:
			p.Verb = Decline
		case e.Verb == Yes && !slices.Contains(grammar.Affirm, p.list[0].word):
			p.Verb = Yes
		default: // "ok 142"
			p.Numbers = nil
			return false
		}
		return true
	}
	if e.Verb == No && (grammar.is("after no", p.list[1].word) || strings.ContainsAny(p.body[p.list[0].to-1:p.list[1].from], ".,;:!-\n")) {
		p.Verb, p.Text = No, p.rest(1)
		return true
	}
	return false
}

// skipFillers returns the index of the first word that says something.
func (p *parser) skipFillers() int {
	i := 0
	for i < len(p.list)-1 {
		switch {
		case grammar.is("filler", p.list[i].word):
			i++
		case i < len(p.list)-2 && grammar.is("filler", p.join(i, i+2)):
			i += 2
		default:
			return i
		}
	}
	return i
}

// numberFirst reads "142", "#142 done x", "142 143", "ticket 142", "142 9".
func (p *parser) numberFirst(i int) bool {
	n, next := p.numbers(i, leading)
	if len(n) == 0 {
		return false
	}
	p.Numbers = n
	if p.all(next, "polite") {
		p.Verb = Number
		return true
	}
	p.afterNumber(next)
	if p.Verb == Number && len(n) > 1 {
		p.Numbers, next = p.numbers(i, single)
		p.Text = p.rest(next)
	}
	return true
}

// afterNumber reads what follows a ticket number that came first.
func (p *parser) afterNumber(i int) {
	last := i == len(p.list)-1 && !p.more
	first := p.list[i]
	if last {
		e := grammar.digits[first.num]
		if e == nil {
			e = grammar.letters[first.word]
		}
		if e != nil && (e.Numbers != "" || e.Verb == Yes) {
			p.Verb = e.Verb
			return
		}
	}
	for width := min(3, len(p.list)-i); width > 0; width-- {
		e := p.lookup(i, i+width)
		if e == nil || len(first.word) == 1 && e.Argument != "time" {
			continue
		}
		if p.afterNumberVerb(e, i, i+width) {
			return
		}
	}
	p.Verb, p.Text = Number, p.rest(i)
}

func (p *parser) afterNumberVerb(e *entry, i, next int) bool {
	switch {
	case p.ends(next):
		if e.Numbers == "" && e.Verb != Yes && e.Verb != No {
			return false
		}
		p.Verb = e.Verb
		if e.Verb == No {
			p.Verb = Decline
		}
		return true
	case e.Argument == "text" && e.Numbers != "" && e.loose(p.join(i, next)),
		e.Argument == "time" && e.Numbers != "" && startsWithTime(p.rest(next)):
		p.Verb, p.Text = e.Verb, p.rest(next)
		return true
	}
	return false
}

// glued reads "c142 x" and "142c x".
func (p *parser) glued(i int) bool {
	t := p.list[i].num
	cut := strings.IndexFunc(t, func(r rune) bool { return r < '0' || r > '9' })
	var word string
	var n int
	var ok bool
	if cut > 0 {
		n, ok = ticketNumber(t[:cut])
		word = t[cut:]
		if word == "a" { // "142a" acknowledges in other systems
			word = "ack"
		}
	} else if d := strings.IndexFunc(t, func(r rune) bool { return r >= '0' && r <= '9' }); d > 0 {
		n, ok = ticketNumber(t[d:])
		word = strings.TrimSuffix(t[:d], "#")
	}
	if !ok {
		return false
	}
	e := grammar.letters[word]
	if e == nil {
		e = grammar.word(word, p.Language)
	}
	if e == nil || e.Numbers == "" && e.Verb != Yes {
		return false
	}
	p.Verb, p.Numbers = e.Verb, []int{n}
	if e.Numbers == "many" {
		if more, next := p.numbers(i+1, trailing); len(more) > 0 && p.all(next, "polite") {
			p.Numbers = append(p.Numbers, more...)
			return true
		}
	}
	p.Text = p.rest(i + 1)
	return true
}

// verbFirst reads "done 142 x", "pick up 142", "list", "away 30m lunch".
func (p *parser) verbFirst(i int) bool {
	for width := min(4, len(p.list)-i); width > 0; width-- {
		if e := p.lookup(i, i+width); e != nil && p.verb(e, i, i+width) {
			return true
		}
	}
	return false
}

func (p *parser) verb(e *entry, i, next int) bool {
	p.Verb, p.Numbers, p.Text = e.Verb, nil, ""
	if e.Numbers != "" {
		r := single
		if e.Numbers == "many" {
			r = trailing
		}
		if n, after := p.numbers(next, r); len(n) > 0 {
			p.Numbers, p.Text = n, p.rest(after)
			if e.Argument == "" && p.all(after, "polite") {
				p.Text = ""
			}
			return true
		}
	}
	if p.ends(next) || e.Numbers != "" && p.all(next, "connector") && !e.takesText() {
		return true
	}
	return p.argument(e, p.join(i, next), next)
}

func (e *entry) takesText() bool { return e.Argument == "text" }

// argument reads what follows a verb that has no number.
func (p *parser) argument(e *entry, word string, next int) bool {
	rest := p.rest(next)
	switch e.Argument {
	case "topic":
		if grammar.word(fold(rest), p.Language) == nil {
			return false
		}
	case "page":
		if len(p.list) != next+1 || len(p.list[next].num) != 1 || !strings.Contains("123456789", p.list[next].num) {
			return false
		}
	case "time":
		if !startsWithTime(rest) && !(e.loose(word) && !p.Requester) {
			return false
		}
	case "text":
		if e.Verb == Pass && p.numberLast(next) {
			return true
		}
		if !e.loose(word) || p.Requester && e.Who == "agent" || e.Who == "both" && e.Numbers != "" && !p.Requester {
			return false
		}
	default:
		return false
	}
	p.Text = rest
	return true
}

// numberLast reads "pass bob 142".
func (p *parser) numberLast(next int) bool {
	last := len(p.list) - 1
	n, ok := ticketNumber(p.list[last].num)
	if p.more || last <= next || last > next+3 || !ok {
		return false
	}
	p.Numbers = []int{n}
	p.Text = strings.TrimSpace(p.body[p.list[next].from:p.list[last].from])
	return true
}

// guess reads a misspelt verb that a number or nothing follows.
func (p *parser) guess(i int) bool {
	n, next := p.numbers(i+1, trailing)
	if !p.all(next, "polite") || p.list[i].word == "" {
		return false
	}
	e, word := grammar.closest(p.list[i].word, p.Language)
	if e == nil || len(n) > 0 && e.Numbers == "" {
		return false
	}
	if len(n) > 1 && e.Numbers != "many" {
		return false
	}
	p.Verb, p.Numbers, p.Guess, p.Confirm = e.Verb, n, word, e.Guess == "ask"
	return true
}

// lookup finds the verb that the words from i up to next spell together.
func (p *parser) lookup(i, next int) *entry {
	w := p.join(i, next)
	if e := grammar.letters[w]; e != nil && next == i+1 {
		return e
	}
	return grammar.word(w, p.Language)
}

// reach says how far a run of ticket numbers may go.
type reach int

const (
	single   reach = iota // one number
	trailing              // several, if nothing follows them
	leading               // several, if nothing or a verb follows them
)

// numbers reads ticket numbers from token i on, past words such as "ticket".
// Several count only where they cannot be part of a text, or where "and" joins
// them: "done 142 15 pages lost" closes one ticket.
func (p *parser) numbers(i int, r reach) (n []int, next int) {
	k := i
	for k < len(p.list)-1 && grammar.is("connector", p.list[k].word) {
		k++
	}
	first, end := p.numberToken(k)
	if len(first) == 1 && r == single || len(first) == 0 {
		return first, end
	}
	list, sure := first, len(first) == 1
	k = end
	for k < len(p.list) {
		at, and := k, grammar.is("and", p.list[k].word)
		if and {
			at++
		}
		more, after := p.numberToken(at)
		if len(more) == 0 {
			break
		}
		list, sure, k = append(list, more...), sure && and, after
	}
	switch {
	case r == single:
		return nil, i
	case sure, p.all(k, "polite"), r == leading && k < len(p.list) && p.lookup(k, k+1) != nil:
		return list, k
	case len(first) > 1:
		return nil, i
	}
	return first, end
}

// numberToken reads one token that is a number, or several joined by commas.
func (p *parser) numberToken(k int) (n []int, next int) {
	if k >= len(p.list) {
		return nil, k
	}
	t := p.list[k].num
	if one, ok := ticketNumber(t); ok {
		return []int{one}, k + 1
	}
	if strings.IndexAny(t, ",/+&") < 1 {
		return nil, k
	}
	for part := range strings.FieldsFuncSeq(t, func(r rune) bool { return strings.ContainsRune(",/+&#", r) }) {
		one, ok := ticketNumber(part)
		if !ok {
			return nil, k
		}
		n = append(n, one)
	}
	return n, k + 1
}

// all tells whether every word from i on belongs to the set.
func (p *parser) all(i int, set string) bool {
	if p.more {
		return false
	}
	for ; i < len(p.list); i++ {
		if w := p.list[i].word; w != "" && !grammar.is(set, w) {
			return false
		}
	}
	return true
}

// ends tells whether nothing but politeness and connectors follows.
func (p *parser) ends(i int) bool {
	if p.more {
		return false
	}
	for ; i < len(p.list); i++ {
		w := p.list[i].word
		if w != "" && !grammar.is("polite", w) && !(w == "it" || w == "this" || w == "that") {
			return false
		}
	}
	return true
}

// join spells the words from i up to next as one.
func (p *parser) join(i, next int) string {
	if next == i+1 {
		return p.list[i].word
	}
	var b strings.Builder
	for _, t := range p.list[i:next] {
		b.WriteString(t.word)
	}
	return b.String()
}

// rest is the text from token i on, without the separator before it.
func (t *tokens) rest(i int) string {
	if i == 0 {
		return t.body
	}
	rest := t.body[t.list[i-1].to:]
	if s := strings.TrimLeft(rest, " \t"); len(s) > 1 && strings.IndexByte(":;,.!-", s[0]) >= 0 && (s[1] == ' ' || s[1] == '\n') {
		rest = s[1:]
	}
	return strings.TrimLeft(rest, " \t\n")
}

// tokenize splits a body at white space.
func tokenize(body string) tokens {
	t := tokens{body: body, list: make([]token, 0, min(maxTokens, 1+strings.Count(body, " ")))}
	for at := 0; ; {
		start := strings.IndexFunc(body[at:], notSpace)
		if start < 0 {
			return t
		}
		if len(t.list) == maxTokens {
			t.more = true
			return t
		}
		from := at + start
		to := len(body)
		if end := strings.IndexFunc(body[from:], unicode.IsSpace); end >= 0 {
			to = from + end
		}
		at = to
		if tok := makeToken(body, from, to); tok.num != "" || len(t.list) > 0 {
			t.list = append(t.list, tok)
		}
	}
}

func notSpace(r rune) bool { return !unicode.IsSpace(r) }

// makeToken leaves the punctuation after a word out of the token's reach only as
// far as comparing goes: the argument keeps every byte.
func makeToken(body string, from, to int) token {
	raw := body[from:to]
	if len(raw) > 64 { // no word and no number is that long
		return token{from: from, to: to, num: "...", word: "..."}
	}
	num := strings.TrimFunc(fold(raw), func(r rune) bool {
		return r != '+' && r != '&' && (unicode.IsPunct(r) || r == '`' || r == '<' || r == '>')
	})
	word := num
	if strings.ContainsAny(num, "'’-") {
		word = strings.NewReplacer("'", "", "’", "", "-", "").Replace(num)
	}
	return token{from: from, to: to, num: num, word: word}
}

// unquote takes quotation marks off that stand around the whole message.
func unquote(body string) string {
	for _, q := range [][2]string{{`"`, `"`}, {`'`, `'`}, {"“", "”"}, {"„", "“"}, {"«", "»"}} {
		if len(body) > len(q[0])+len(q[1]) && strings.HasPrefix(body, q[0]) && strings.HasSuffix(body, q[1]) {
			return strings.TrimSpace(body[len(q[0]) : len(body)-len(q[1])])
		}
	}
	return body
}
