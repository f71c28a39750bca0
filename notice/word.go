package notice

import (
	"strconv"
	"strings"
	"time"

	"deskbell/ticket"
)

// Facts are what a notice about a ticket can speak of, besides the notice itself.
type Facts struct {
	Ticket     ticket.Ticket
	Phone, Loc string // the requester's
	Now        time.Time
	Zone       *time.Location
	Language   string // the reader's
	URL        string // of the pages
	Link       string // of the requester's page, below URL; empty when it is not known
	// Waiting are the other tickets that nobody holds, Position is this one's place
	// among all of them from 1; both only when SpeaksOfQueue.
	Waiting  []Item
	Next     ticket.Ticket // the first of Waiting
	Position int
}

// queueTexts speak of what else waits.
var queueTexts = map[ticket.Message]bool{
	"take_lost": true, "done_ok": true, "req_created": true, "req_status_waiting": true,
}

// SpeaksOfQueue tells whether a message needs Facts.Waiting and Facts.Position.
func SpeaksOfQueue(m ticket.Message) bool { return queueTexts[m] }

// SpeaksOfPage tells whether a message needs Facts.Link.
func SpeaksOfPage(m ticket.Message) bool { return m == "req_created" }

// waitsShown is how many other tickets a text names.
const waitsShown = 5

// Word turns a ticket's notice into a message's id and values for Render.
func Word(n ticket.Notice, f Facts) (id string, values map[string]string) {
	t, lang := f.Ticket, f.Language
	at := func(when time.Time) string { return At(when, f.Now, f.Zone, lang) }
	values = map[string]string{
		"n": strconv.Itoa(t.Number), "subj": t.Subject, "prio": Prio(t.Priority, lang), "PRIO": Prefix(t.Priority, lang),
		"from": t.Requester.Name, "phone": f.Phone, "loc": f.Loc, "url": f.URL, "link": f.URL + "/t/" + f.Link,
		"age": Age(f.Now.Sub(t.CreatedAt), lang), "state": State(t.Status, lang), "who": n.Who.Name,
		"time": Clock(n.At, f.Now, f.Zone, lang), "date": at(n.At), "repeat": Window(t.Plan.Repeat, lang), "window": Window(t.Plan.AutoClose, lang),
		"text": n.Text, "lines": firstLines(t.Body), "subj2": n.Text,
		"count": strconv.Itoa(len(f.Waiting)), "list": List(f.Waiting[:min(len(f.Waiting), waitsShown)]...),
		"pos": Ordinal(f.Position, lang), "wait": Wait(f.Position, lang),
	}
	if !n.Until.IsZero() {
		values["date"] = at(n.Until)
	}
	if change, ok := wordings[n.Message]; ok {
		change(values, n, f)
	}
	id = variant(n, f)
	if id == "done_ok_next" {
		values["n2"], values["subj"] = strconv.Itoa(f.Next.Number), f.Next.Subject
		values["prio"], values["PRIO"] = Prio(f.Next.Priority, lang), Prefix(f.Next.Priority, lang)
	}
	return id, values
}

// wordings are the texts whose placeholders mean something else than usual.
var wordings = map[ticket.Message]func(v map[string]string, n ticket.Notice, f Facts){
	"answer_in":    theText,
	"req_question": theText,
	"req_told":     theText,
	"req_done": func(v map[string]string, n ticket.Notice, f Facts) {
		if n.Text != "" {
			v["subj"] = n.Text
		}
	},
	"stale": func(v map[string]string, _ ticket.Notice, f Facts) {
		v["age"] = Age(f.Now.Sub(f.Ticket.ClaimedAt), f.Language)
	},
	"stale_ok": func(v map[string]string, _ ticket.Notice, f Facts) {
		v["age"] = Age(f.Ticket.Plan.Lease, f.Language)
	},
	"req_status_answer": func(v map[string]string, n ticket.Notice, _ Facts) {
		if v["subj2"] = n.Text; n.To.Via == "sms" {
			v["subj"] = n.Text
		}
	},
}

func theText(v map[string]string, n ticket.Notice, _ Facts) {
	if v["subj"] = n.Text; n.Text == "" {
		v["subj"] = "NO"
	}
}

// promised are the texts that have another form, with _by at its end, where the
// holder said by when. Those that tell how a ticket stands have a third, with _late,
// once that has passed.
var promised = map[ticket.Message]bool{"take_ok": true, "req_claimed": true, "req_handed": true, "req_status_claimed": true, "show": true}

// variant is the text that fits the facts best.
func variant(n ticket.Notice, f Facts) string {
	m := n.Message
	switch {
	case (m == "show" || m == "req_status_claimed") && f.Ticket.Late():
		return string(m) + "_late"
	case promised[m] && f.Ticket.Status == ticket.Assigned && !n.Until.IsZero():
		return string(m) + "_by"
	case m == "page_help" && !n.Until.IsZero():
		return "page_help_late"
	case m == "take_lost" && len(f.Waiting) == 0:
		return "take_lost_last"
	case (m == "note_ok" || m == "req_added") && strings.HasSuffix(n.Text, EndMissing):
		return string(m) + "_part"
	case m == "note_ok" && !f.Ticket.Status.Open():
		return "note_ok_closed"
	case m == "req_created" && f.Link != "" && f.URL != "" && (n.To.Via == "im" || browses(f.Ticket)):
		return "req_created_link"
	case m == "done_ok" && len(f.Waiting) > 0:
		return "done_ok_next"
	}
	return string(m)
}

// browses tells whether whoever asked has more than a phone at hand: a text has no
// room for both the way to a page and what can be told without one.
func browses(t ticket.Ticket) bool { return t.Channel == "web" || t.Channel == "rest" }

// EndMissing marks a text whose end never arrived.
const EndMissing = " [the end is missing]"

// firstLines is the beginning of a description, for a chat.
func firstLines(body string) string {
	const lines, length = 5, 400
	all := strings.Split(strings.TrimSpace(body), "\n")
	cut := len(all) > lines
	text := strings.Join(all[:min(len(all), lines)], "\n")
	if r := []rune(text); len(r) > length {
		text, cut = string(r[:length]), true
	}
	if cut {
		text += " ..."
	}
	return orDash(text)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Again is the same message as Render makes, marked as sent once more because
// nobody knows whether the first sending arrived.
func Again(m Message) (Text, error) {
	first, err := Render(m)
	if err != nil {
		return Text{}, err
	}
	return Render(Message{ID: "again", Channel: m.Channel, Language: m.Language, Values: map[string]string{"text": first.Body}})
}

// OpenEnd stands for the end of what has none planned.
func OpenEnd(lang string) string {
	if language(lang) == "de" {
		return "auf Weiteres"
	}
	return "further notice"
}

// Details is a ticket in the Temporal UI: the way to its page, when there is one, and
// the beginning of its description, at most limit bytes together and never cut within
// a character.
func Details(body, page string, limit int) string {
	if page != "" {
		page = "[Ticket page](" + page + ")\n\n"
	}
	if limit -= len(page); len(body) > limit {
		body = strings.ToValidUTF8(body[:limit-3], "") + "..."
	}
	return page + body
}

// Ordinal is a place in line: "3rd".
func Ordinal(n int, lang string) string {
	if language(lang) == "de" {
		return strconv.Itoa(n) + "."
	}
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// Wait says what a requester may expect. It promises no time: a wrong one costs
// more trust than a right one earns.
func Wait(position int, lang string) string {
	de := language(lang) == "de"
	switch {
	case position <= 1 && de:
		return "Sie ist als erste an der Reihe."
	case position <= 1:
		return "It is first in line."
	case de:
		return "Sie ist die " + Ordinal(position, lang) + " in der Reihe."
	}
	return "It is " + Ordinal(position, lang) + " in line."
}

// LateSince is the piece "late since 13:00 " before the subject of a ticket whose
// holder promised it by then.
func LateSince(at, now time.Time, zone *time.Location, lang string) string {
	if language(lang) == "de" {
		return "zu spät seit " + At(at, now, zone, lang) + " "
	}
	return "late since " + At(at, now, zone, lang) + " "
}

// Until is the piece "until 13:00 " of a text about an absence or a promise.
func Until(at, now time.Time, zone *time.Location, lang string) string {
	if language(lang) == "de" {
		return "bis " + At(at, now, zone, lang) + " "
	}
	return "until " + At(at, now, zone, lang) + " "
}
