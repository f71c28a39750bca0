package e2e

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// play is one dialogue being played on a desk that others used before.
type play struct {
	*Desk
	file     dialogues
	dialogue dialogue
	texts    texts
	start    time.Time // the desk's time of +0

	onDuty    map[string]bool
	languages map[string]string
	guests    map[string]*Chat // of strangers
	down      map[string]bool  // servers that are away
	late      *later
	reference uint8

	wires []listener
	heard []heard // everything since the setup, in the order of its discovery
	block int     // of heard: where the present group of steps began
	mark  int     // of heard: when the last in or event took place
	wrong []string
}

// listener is one wire of somebody.
type listener struct {
	who, via, address string
	*Wire
}

// heard is a message that somebody got.
type heard struct {
	who, via, text, reason string
	seen                   bool
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// perform plays a dialogue and returns what was not as it should be.
func perform(t *testing.T, s *server, f dialogues, d dialogue, texts texts) []string {
	t.Helper()
	p := &play{
		Desk: &Desk{server: s, t: t, persons: map[string]*Person{}}, file: f, dialogue: d, texts: texts, start: f.Clock,
		onDuty: map[string]bool{}, languages: map[string]string{}, guests: map[string]*Chat{}, down: map[string]bool{},
	}
	defer p.end()
	p.prepare()
	for i := range d.Steps {
		began := time.Now()
		p.step(i)
		if took := time.Since(began); took > Patience/4 {
			t.Logf("step %d took %s", i+1, took.Round(time.Millisecond))
		}
	}
	p.quiet()
	for _, n := range slices.Sorted(keys(d.Final)) {
		p.finally(n, d.Final[n])
	}
	if len(p.wrong) > 0 {
		p.explain()
	}
	return p.wrong
}

// explain logs what happened, for people.
func (p *play) explain() {
	for _, n := range slices.Sorted(keys(p.dialogue.Final)) {
		if number, err := strconv.Atoi(n); err == nil {
			for _, l := range p.Timeline(number) {
				p.t.Logf("#%s %s %s %s %s %q", n, l.At.Format(time.TimeOnly), l.Actor, l.Event, l.Detail, l.Text)
			}
		}
	}
	for _, h := range p.heard {
		p.t.Logf("%s got %s", h.who, h)
	}
}

// end leaves no server away and nobody in IM.
func (p *play) end() {
	for _, what := range slices.Sorted(keys(p.down)) {
		p.power(what, true)
	}
	p.Faults(map[string]any{"lose_responses": 0})
	for _, who := range p.persons {
		if p.running() {
			who.Leave()
		}
	}
	for _, c := range p.guests {
		c.leave()
	}
	p.quiet()
}

func (p *play) fail(i int, format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf("step %d: %s", i+1, fmt.Sprintf(format, args...)))
}

// bound is how far the clock may go while a step waits: to the next step that has a
// time. The last ones may take five minutes.
func (p *play) bound(i int) time.Time {
	for _, s := range p.dialogue.Steps[i+1:] {
		if s.At != nil && s.moves() {
			return p.at(s)
		}
	}
	return p.now().Add(5 * time.Minute)
}

func (p *play) at(s step) time.Time { return p.start.Add(time.Duration(*s.At)) }

// arrive moves the clock to an in or an event, in one go: the steps between are the
// file's to name. What comes with the time counts as after a wait and as before
// anything else.
func (p *play) arrive(i int) {
	p.t.Helper()
	s := p.dialogue.Steps[i]
	mark := func() {
		if i == 0 || !p.dialogue.Steps[i-1].moves() {
			p.hear()
			p.mark = len(p.heard)
		}
	}
	if s.Do == "wait" {
		mark()
	}
	if s.At != nil && !s.Concurrent && p.now().Before(p.at(s)) {
		p.quiet()
		if l := p.late; l != nil && l.at.Before(p.at(s)) {
			p.moveTo(l.at)
			p.catchUp()
		}
		p.moveTo(p.at(s))
		p.quiet()
	}
	if s.Do != "wait" {
		mark()
	}
}

func (p *play) step(i int) {
	s := p.dialogue.Steps[i]
	if s.At != nil && !s.moves() {
		p.until(p.at(s), func() bool { return !p.now().Before(p.at(s)) })
	}
	switch s.Kind {
	case stepIn, stepEvent:
		p.arrive(i)
		if s.Kind == stepIn {
			p.in(i)
		} else {
			p.event(i)
		}
	case stepOut:
		p.out(i, [][]step{{s}})
	case stepOneOf:
		p.out(i, s.Choices)
	case stepSilence:
		from := len(p.heard)
		if i > 0 && p.dialogue.Steps[i-1].moves() {
			from = p.mark
		}
		bound := p.bound(i).Add(-time.Second)
		if !slices.ContainsFunc(p.dialogue.Steps[i+1:], func(s step) bool { return s.At != nil }) {
			bound = p.now()
		}
		p.until(bound, func() bool { return !p.now().Before(bound) })
		p.hear()
		for _, h := range p.heard[from:] {
			if h.who == s.To && !h.seen {
				p.fail(i, "expected silence for %s, came %s", s.To, h)
			}
		}
	default:
		p.fail(i, "this runner knows no step of kind %q", s.Kind)
	}
	if last := i+1 == len(p.dialogue.Steps); !s.moves() && (last || p.dialogue.Steps[i+1].moves()) {
		p.counts(i)
		if s.Kind != stepSilence {
			p.block = len(p.heard)
		}
	}
}

// in is somebody writing.
func (p *play) in(i int) {
	s := p.dialogue.Steps[i]
	if s.SameMessage && s.Via == "sms" {
		return // the network repeats it: see repeats
	}
	if n := p.repeats(i); n > 0 {
		p.Faults(map[string]any{"lose_responses": n})
	}
	p.say(s)
}

// repeats is how often the network delivers the message of a step again, because it
// never hears our answer.
func (p *play) repeats(i int) (n int) {
	for _, s := range p.dialogue.Steps[i+1:] {
		if !s.SameMessage {
			break
		}
		n++
	}
	return n
}

func (p *play) say(s step) {
	p.t.Helper()
	if s.Text == "" {
		s.Text = " " // a picture without a word
	}
	if s.Via == "im" {
		p.chat(s)
		return
	}
	number := s.Who
	if !strings.HasPrefix(number, "+") {
		number = p.Person(s.Who).Number
	}
	write := func(text string, more map[string]any) {
		body := map[string]any{"text": text}
		maps.Copy(body, more)
		if s.SentAt != nil {
			body["sent_at"] = p.start.Add(time.Duration(*s.SentAt))
		}
		phones := phonesAPI{p.Phones}
		if err := phones.post(phones.path(number, "messages"), body); err != nil {
			p.t.Fatal(err)
		}
	}
	if len(s.UDHParts) == 0 {
		write(s.Text, nil)
		return
	}
	p.reference++
	pieces := cutText(s.Text, len(s.UDHParts))
	for i, part := range s.UDHParts {
		if i > 0 && s.Gap != nil {
			p.quiet()
			p.moveTo(p.now().Add(time.Duration(*s.Gap)))
		}
		order := slices.Index(slices.Sorted(slices.Values(s.UDHParts)), part)
		write(pieces[order], map[string]any{"part": map[string]any{"ref": p.reference, "number": part, "total": len(s.UDHParts) + len(s.Missing)}})
	}
}

// cutText cuts a text into n pieces, the last of which may be short.
func cutText(text string, n int) []string {
	runes := []rune(text)
	each := (len(runes) + n - 1) / n
	pieces := make([]string, n)
	for i := range pieces {
		pieces[i] = string(runes[min(i*each, len(runes)):min((i+1)*each, len(runes))])
	}
	return pieces
}

// chat writes by IM, and quotes what the step replies to.
func (p *play) chat(s step) {
	p.t.Helper()
	c := p.chatOf(s.Who)
	p.listen()
	if s.ReplyTo == "" {
		if err := c.say(s.Text); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	message, number, _ := strings.Cut(s.ReplyTo, " ")
	var key string
	if err := p.db.QueryRow(context.Background(), `SELECT s.wire FROM deliveries d JOIN segments s ON s.delivery = d.id
		WHERE d.person = $1 AND d.reason = $2 AND d.ticket = $3 AND d.channel = 'im' ORDER BY d.id DESC LIMIT 1`, s.Who, message, number).Scan(&key); err != nil {
		p.t.Fatalf("%s has no %s to reply to: %v", s.Who, s.ReplyTo, err)
	}
	var body strings.Builder
	if err := xml.EscapeText(&body, []byte(s.Text)); err != nil {
		p.t.Fatal(err)
	}
	quoted := strings.LastIndex(s.Text, "\n>")
	if quoted >= 0 {
		quoted += strings.Index(s.Text[quoted+1:], "\n") + 2
	}
	c.mu.Lock()
	c.serial++
	id := fmt.Sprintf("reply-%d-%d", time.Now().UnixNano(), c.serial)
	c.messages = append(c.messages, Message{ID: id, Text: s.Text, At: time.Now(), Own: true})
	c.mu.Unlock()
	fallback := ""
	if quoted > 0 {
		fallback = fmt.Sprintf("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='%d'/></fallback>", utf8.RuneCountInString(s.Text[:quoted]))
	}
	if _, err := c.client.SendOrg(fmt.Sprintf("<message to='%s' type='chat' id='%s'><body>%s</body><reply xmlns='urn:xmpp:reply:0' to='%s' id='%s'/>%s</message>",
		c.desk, id, body.String(), c.desk, key, fallback)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) event(i int) {
	s := p.dialogue.Steps[i]
	switch s.Do {
	case "wait":
	case "submit":
		p.submit(given{N: s.Becomes, Subject: s.Subject, Body: s.Body, Priority: s.Priority, Requester: s.By})
	case "down", "up":
		p.power(s.What, s.Do == "up")
		if s.Do == "up" { // what came by the other channels meanwhile is no news of now
			p.quiet()
			p.hear()
			p.mark = len(p.heard)
		}
	case "subscribe":
		c := p.chatOf(s.JID)
		p.listen()
		if _, err := c.client.SendOrg(fmt.Sprintf("<presence to='%s' type='subscribe'/>", c.desk)); err != nil {
			p.t.Fatal(err)
		}
	case "act":
		more := map[string]any{}
		if s.To != "" {
			more["to"] = s.To
		}
		if s.Text != "" {
			more["text"] = s.Text
		}
		verb := s.Verb
		if route, ok := map[string]string{"take": "claim", "done": "resolve"}[verb]; ok {
			verb = route
		}
		if status, answer := p.TryAct(p.Person(s.Who), verb, s.N, more); status != 200 {
			p.fail(i, "expected %s to %s #%d, came %d %v", s.Who, s.Verb, s.N, status, answer)
		}
	default:
		p.fail(i, "this runner knows no event %q", s.Do)
	}
}

// commands are what the servers' processes are called.
var commands = map[string]string{"temporal": "deskbell-temporal", "xmpp": "prosody", "postgres": "postgres"}

// power takes a server away, or gives it back. The SMSC closes its door; the others
// are frozen, which is how a server fails that is hardest to notice.
func (p *play) power(what string, on bool) {
	p.t.Helper()
	if on {
		delete(p.down, what)
	} else {
		p.down[what] = true
	}
	if what == "smsc" {
		p.Faults(map[string]any{"down": map[bool]float64{true: 0, false: 3600}[on]})
	} else {
		name, known := commands[what]
		if !known {
			p.t.Fatalf("this runner knows no server %q", what)
		}
		signal := map[bool]syscall.Signal{true: syscall.SIGCONT, false: syscall.SIGSTOP}[on]
		for _, child := range descendants(p.command.Process.Pid) {
			if strings.Contains(child.command, name) {
				_ = syscall.Kill(child.pid, signal)
			}
		}
	}
	if on {
		p.setOffset(p.offset)
	}
}

// listen watches every phone and every chat from now on; what is watched already is
// watched on.
func (p *play) listen() {
	p.t.Helper()
	known := func(address string) bool {
		return slices.ContainsFunc(p.wires, func(l listener) bool { return l.address == address })
	}
	chat := func(who, jid string, c *Chat) {
		if !known(jid) {
			p.wires = append(p.wires, listener{who, "im", jid, c.Wire})
		}
	}
	phone := func(who, number string) {
		if number == "" || known(number) {
			return
		}
		history := func() ([]Message, error) { return phonesAPI{p.Phones}.messages(number) } // as it is now
		all, err := history()
		if err != nil {
			p.t.Fatal(err)
		}
		p.wires = append(p.wires, listener{who, "sms", number, &Wire{t: p.t, who: who, history: history, seen: map[string]bool{}, before: len(all)}})
	}
	for _, m := range p.file.People {
		person := p.Person(m.id)
		phone(m.id, person.Number)
		if person.chat != nil {
			chat(m.id, person.JID, person.chat)
		}
	}
	for _, s := range p.dialogue.Steps {
		if strings.HasPrefix(s.Who, "+") {
			phone(s.Who, s.Who)
		}
	}
	for jid, c := range p.guests {
		chat(jid, jid, c)
	}
}

// hear notes what came since it last did. What a message is, is what the desk noted
// when it was written; that its text is that message's is checked apart.
func (p *play) hear() {
	p.t.Helper()
	reasons := map[string]string{}
	if !p.down["postgres"] {
		rows, err := p.rows(context.Background(), "SELECT channel || ' ' || split_part(address, '/', 1) || ' ' || text || E'\\x1f' || reason FROM deliveries ORDER BY id")
		if err != nil {
			p.t.Fatal(err)
		}
		again, err := p.rows(context.Background(), "SELECT channel || ' ' || split_part(address, '/', 1) || ' ' || again || E'\\x1f' || reason FROM deliveries WHERE again <> text ORDER BY id")
		if err != nil {
			p.t.Fatal(err)
		}
		for _, row := range append(rows, again...) {
			text, reason, _ := strings.Cut(row, "\x1f")
			reasons[text] = reason
		}
	}
	for _, w := range p.wires {
		for _, m := range w.read() {
			if w.seen[m.ID] {
				continue
			}
			w.seen[m.ID] = true
			p.heard = append(p.heard, heard{who: w.who, via: w.via, text: m.Text, reason: reasons[w.via+" "+w.address+" "+m.Text]})
		}
	}
}

func (h heard) String() string { return fmt.Sprintf("%s by %s %q", h.reason, h.via, h.text) }

// out waits for all messages of one of the choices.
func (p *play) out(i int, choices [][]step) {
	p.t.Helper()
	var found []int
	if p.until(p.bound(i), func() bool {
		p.hear()
		for _, choice := range choices {
			if found = p.all(choice); found != nil {
				return true
			}
		}
		return false
	}) {
		for _, j := range found {
			p.heard[j].seen = true
		}
		return
	}
	var want, came []string
	listeners := map[string]bool{}
	for _, choice := range choices {
		for _, s := range choice {
			want = append(want, s.want())
			listeners[s.To] = true
		}
	}
	for _, h := range p.heard[p.block:] {
		if listeners[h.who] && !h.seen {
			came = append(came, h.who+" "+h.String())
		}
	}
	if came == nil {
		came = []string{"nothing"}
	}
	p.fail(i, "expected %s, came %s", strings.Join(want, " or "), strings.Join(came, "; "))
}

func (s step) want() string {
	return fmt.Sprintf("to %s by %s %s with %q", s.To, s.Via, s.Message, s.Contains)
}

// all finds a message for each step, or none.
func (p *play) all(steps []step) (found []int) {
	for _, s := range steps {
		j := -1
		for k := p.block; k < len(p.heard) && j < 0; k++ {
			if !p.heard[k].seen && !slices.Contains(found, k) && p.is(p.heard[k], s) {
				j = k
			}
		}
		if j < 0 {
			return nil
		}
		found = append(found, j)
	}
	return found
}

func (p *play) is(h heard, s step) bool {
	language := s.Language
	if language == "" {
		language = p.languages[s.To]
	}
	return h.who == s.To && h.via == s.Via && h.reason == s.Message && contains(h.text, s.Contains) && p.texts.says(s.Message, language, s.Via, h.text)
}

// counts checks the numbers of messages that the steps up to this one promise.
func (p *play) counts(i int) {
	p.quiet()
	p.hear()
	for j := i; j >= 0 && !p.dialogue.Steps[j].moves(); j-- {
		s := p.dialogue.Steps[j]
		if s.Exactly == nil {
			continue
		}
		n := 0
		for _, h := range p.heard[p.mark:] {
			if h.who == s.To && h.via == s.Via && h.reason == s.Message {
				n++
			}
		}
		if n != *s.Exactly {
			p.fail(j, "expected exactly %d %s to %s, came %d", *s.Exactly, s.Message, s.To, n)
		}
	}
}

// finally checks how a ticket is in the end.
func (p *play) finally(number string, want final) {
	n, err := strconv.Atoi(number)
	if err != nil {
		p.wrong = append(p.wrong, fmt.Sprintf("%q is no number", number))
		return
	}
	var wrong []string
	if !eventually(2*time.Second, func() bool { wrong = p.differences(n, want); return len(wrong) == 0 }) {
		p.wrong = append(p.wrong, wrong...)
	}
}

func (p *play) differences(n int, want final) (wrong []string) {
	status, data := p.call("GET", fmt.Sprintf("/v1/tickets/%d", n), nil, "")
	var t Ticket
	if err := json.Unmarshal(data, &t); status != 200 || err != nil {
		return []string{fmt.Sprintf("final: #%d: %d %s", n, status, data)}
	}
	lines := p.Timeline(n)
	differ := func(what string, want, got any) {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			wrong = append(wrong, fmt.Sprintf("final: #%d: expected %s %v, came %v", n, what, want, got))
		}
	}
	count := func(kinds ...string) (n int) {
		for _, l := range lines {
			if slices.Contains(kinds, l.Event) {
				n++
			}
		}
		return n
	}
	texts := func(kinds ...string) (list []string) {
		for _, l := range lines {
			if slices.Contains(kinds, l.Event) {
				list = append(list, l.Text)
			}
		}
		return list
	}
	differ("state", statuses[want.State], t.Status)
	if want.Owner != nil {
		differ("owner", *want.Owner, t.Assignee)
	}
	if len(want.OwnerIn) > 0 && !slices.Contains(want.OwnerIn, t.Assignee) {
		differ("owner in", want.OwnerIn, t.Assignee)
	}
	if want.Note != "" && !slices.Contains(texts("noted", "resolved"), want.Note) {
		differ("note", want.Note, texts("noted", "resolved"))
	}
	if want.Thread != nil {
		differ("thread", fmt.Sprintf("%q", want.Thread), fmt.Sprintf("%q", texts("asked", "told", "written", "answered")))
	}
	if want.Subject != nil {
		differ("subject", *want.Subject, t.Subject)
	}
	for _, c := range []struct {
		what string
		want *int
		got  int
	}{
		{"claims", want.Claims, count("taken", "passed", "taken over")}, {"escalation", want.Escalation, t.Escalation},
		{"declined", want.Declined, count("declined")}, {"reopened", want.Reopened, count("reopened")},
	} {
		if c.want != nil {
			differ(c.what, *c.want, c.got)
		}
	}
	return wrong
}
