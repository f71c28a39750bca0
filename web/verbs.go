package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

// verb is a button: what it does, and what somebody with a phone would write for the
// same. Command has the number in place of %d; it is empty where no text does it.
type verb struct {
	Path    string
	Verb    ticket.Verb
	Words   string
	Command string
	Field   string // what the form asks for: text, to, until, priority, number, or nothing
	Hint    string
	Needed  bool // the text must not be empty
}

// verbs are the buttons of those who work here, in the order of the page. The paths
// are those of the REST API.
var verbs = []verb{
	{"claim", ticket.Take, "Take it", "%d", "", "", false},
	{"resolve", ticket.Done, "Solved", "C%d", "text", "How, for the requester", false},
	{"ask", ticket.Ask, "Ask", "ask %d …", "text", "Question to the requester; the ticket waits for the answer", true},
	{"tell", ticket.Tell, "Tell", "tell %d …", "text", "Word to the requester", true},
	{"note", ticket.Note, "Note", "note %d …", "text", "Note that the requester does not see", true},
	{"release", ticket.Drop, "Give back", "R%d", "", "", false},
	{"pass", ticket.Pass, "Pass on", "pass %d …", "to", "Offer it to", true},
	{"takeover", ticket.Takeover, "Take over", "takeover %d", "", "", false},
	{"snooze", ticket.Snooze, "Later", "snooze %d …", "until", "Rest until", true},
	{"up", ticket.Up, "Call the next", "up %d", "", "", false},
	{"undo", ticket.TakeBack, "Undo", "undo %d", "", "", false},
	{"reopen", ticket.Reopen, "Reopen", "reopen %d …", "text", "Why", false},
	{"close", ticket.Close, "Close", "", "", "", false},
	{"assign", ticket.Assign, "Assign", "", "to", "Give it to", true},
	{"reprioritise", ticket.Reprioritise, "Priority", "", "priority", "How urgent", true},
	{"merge", ticket.Merge, "Merge", "", "number", "Number of the ticket that it goes into", true},
	{"cancel-escalation", ticket.Hush, "Stop the calls", "", "", "", false},
}

// requesterVerbs are the buttons of whoever asked.
var requesterVerbs = []verb{
	{"reopen", ticket.Reopen, "Not fixed", "reopen %d …", "text", "What is still wrong", false},
	{"withdraw", ticket.Withdraw, "I no longer need help", "", "", "", false},
}

var writing = verb{"write", ticket.Write, "Send", "%d …", "text", "Add something", true}

// button is a verb on a page.
type button struct {
	verb
	Action, Key string
	Main        bool
	People      []choice
	Until       []moment
	Priorities  []choice
}

// allowed are the verbs that the ticket's rules let somebody use now.
func allowed(list []verb, t ticket.Ticket, who roster.Person, now time.Time) []verb {
	var out []verb
	for _, v := range list {
		if v.Verb == ticket.Takeover && t.Status == ticket.New {
			continue // the same as taking it
		}
		c := ticket.Command{ID: "?", Verb: v.Verb, Actor: ticket.Party{ID: who.ID, Name: who.Name}, Works: who.Works(), Manages: who.Is(roster.Manager) || who.Is(roster.Admin),
			Channel: "web", Text: "?", Confirmed: true, To: ticket.Party{ID: "?"}, Number: t.Number + 1, Priority: t.Priority, Plan: &t.Plan}
		if v.Field == "until" {
			c.Until = now.Add(time.Hour)
		}
		if _, events, err := ticket.Apply(t, c, now); err == nil && len(events) > 0 {
			out = append(out, v)
		}
	}
	return out
}

func (p *pages) buttons(list []verb, base string, s desk.Story, who roster.Person, colleagues []desk.AgentView) []button {
	var out []button
	for _, v := range allowed(list, s.Ticket, who, s.At) {
		if v.Command != "" {
			v.Command = fmt.Sprintf(v.Command, s.Ticket.Number)
		}
		b := button{verb: v, Action: base + "/" + v.Path, Key: rand.Text(), Main: v.Verb == ticket.Take}
		switch v.Field {
		case "to":
			for _, c := range colleagues {
				if c.ID != who.ID || v.Verb != ticket.Pass {
					b.People = append(b.People, choice{ID: c.ID, Words: c.Name})
				}
			}
		case "until":
			b.Until = p.viewer.rests(s.At)
		case "priority":
			b.Priorities = priorities("", s.Ticket.Priority)
		}
		out = append(out, b)
	}
	return out
}

// rests are times until which a ticket may rest.
func (v viewer) rests(now time.Time) []moment {
	local := now.In(v.zone)
	morning := func(days int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+days, 8, 0, 0, 0, v.zone)
	}
	monday := (8 - int(local.Weekday())) % 7
	if monday == 0 {
		monday = 7
	}
	out := []moment{}
	for _, at := range []time.Time{now.Add(time.Hour), now.Add(4 * time.Hour), morning(1), morning(monday), morning(14)} {
		out = append(out, v.when(at, now))
	}
	return out
}

// perform has the form's verb done by somebody. The same form is the same command,
// however often it is sent.
func (p *pages) perform(w http.ResponseWriter, r *http.Request, number int, v verb, who roster.Person) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	a := desk.Act{ID: digest("web", who.ID, v.Path, strconv.Itoa(number), r.FormValue("key")), Person: who, Channel: "web", Number: number, Verb: v.Verb}
	if r.FormValue("key") == "" {
		a.ID = rand.Text()
	}
	switch v.Field {
	case "text":
		a.Text = strings.TrimSpace(r.FormValue("text"))
	case "to", "number":
		a.To = strings.TrimSpace(r.FormValue("to"))
	case "until":
		until, err := time.Parse(time.RFC3339, r.FormValue("until"))
		if err != nil {
			return &desk.InvalidError{Field: "until", Problem: "say until when"}
		}
		a.Until = until
	case "priority":
		a.Priority = ticket.Priority(r.FormValue("priority"))
	}
	_, err := p.desk.Do(r.Context(), a)
	if refusal, ok := ticket.Refused(err); ok && refusal.Harmless() {
		return nil
	}
	return err
}

// wrong is what a page says of what was refused, and its status; nil for what is not
// the visitor's to mend.
func wrong(err error) (status int, said *desk.Explanation) {
	if refusal, ok := ticket.Refused(err); ok {
		return http.StatusConflict, new(desk.Explain(refusal))
	}
	const again = "Please look at it again"
	if invalid, ok := errors.AsType[*desk.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, &desk.Explanation{Title: again, Detail: strings.ToUpper(invalid.Problem[:1]) + invalid.Problem[1:] + "."}
	}
	if _, much := errors.AsType[*http.MaxBytesError](err); much {
		return http.StatusRequestEntityTooLarge, &desk.Explanation{Title: again, Detail: "A file may have 10 MB."}
	}
	if errors.Is(err, desk.ErrUndecided) {
		return http.StatusConflict, &desk.Explanation{Title: "The ticket has not answered yet", Detail: "It is kept and will count once, even if you send it again."}
	}
	return 0, nil
}

func named(list []verb, path string) (verb, bool) {
	i := slices.IndexFunc(list, func(v verb) bool { return v.Path == path })
	if i < 0 {
		return verb{}, false
	}
	return list[i], true
}

// digest names what its parts say together.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
