package notice

import (
	"fmt"
	"strings"
	"time"

	"deskbell/ticket"
)

// maxSummary is what Temporal shows of a summary, in bytes.
const maxSummary = 200

// Summary names a ticket in a list: "#142 Printer on fire - Ann Lee, P2".
func Summary(number int, subject, requester string, p ticket.Priority) string {
	head, tail := fmt.Sprintf("#%d ", number), ""
	if requester = clean(requester, false); requester != "" {
		tail = " - " + cutBytes(requester, 60)
	}
	tail += ", " + string(p)
	return head + cutBytes(clean(subject, false), maxSummary-len(head)-len(tail)) + tail
}

// alarms say what happens when an alarm rings; %s is the time.
var alarms = map[ticket.AlarmKind]string{
	ticket.PlanAlarm:    "work out the targets",
	ticket.WaveAlarm:    "ask the next people",
	ticket.ReplaceAlarm: "ask somebody else",
	ticket.StepAlarm:    "call the next person on call",
	ticket.RepeatAlarm:  "call the last person again",
	ticket.StaleAlarm:   "ask the holder for news",
	ticket.LapseAlarm:   "give it back to the queue, because the holder does not answer",
	ticket.AnswerAlarm:  "tell the holder that no answer came",
	ticket.WakeAlarm:    "wake it",
	ticket.PassAlarm:    "end the hand-over that nobody took",
	ticket.CloseAlarm:   "close it",
}

// Timer says in a line what an armed timer waits for.
func Timer(a ticket.Alarm) string {
	what, ok := alarms[a.Kind]
	if !ok {
		what = string(a.Kind)
	}
	return fmt.Sprintf("%s UTC: %s", stamp(a.At), what)
}

// Activity says in a line who is told what: "offer to Bob by sms, Eve by im".
func Activity(batch []ticket.Notice) string {
	var order []ticket.Message
	to := map[ticket.Message][]string{}
	for _, n := range batch {
		if to[n.Message] == nil {
			order = append(order, n.Message)
		}
		to[n.Message] = append(to[n.Message], person(n.To)+" by "+n.To.Via)
	}
	parts := make([]string, len(order))
	for i, m := range order {
		parts[i] = plainly(m) + " to " + strings.Join(to[m], ", ")
	}
	return cutBytes(strings.Join(parts, "; "), maxSummary)
}

// plain is what the notices are to whoever reads a ticket's history.
var plain = map[ticket.Message]string{
	"take_ok": "it is yours", "take_again": "it is yours already", "take_lost": "too late", "owned": "somebody has it", "decline_ok": "declined",
	"release_ok": "given back", "done_ok": "closed", "page_off": "stand down", "mgr_nobody": "call: nobody answered", "page": "call", "page_help": "call for help",
	"offer_gone": "offer is gone", "req_created": "request received", "req_claimed": "who comes", "req_handed": "who comes now", "req_released": "handed back",
	"req_done": "solved", "req_undone": "not solved after all", "req_escalated": "we call the person on call", "req_reopened": "open again", "req_question": "question",
	"req_added": "added", "answer_in": "the requester's words", "note_ok": "noted", "ask_ok": "asked", "stale": "any news?", "stale_ok": "still on it", "undo_ok": "undone",
}

// plainly names a notice in words.
func plainly(m ticket.Message) string {
	if words, ok := plain[m]; ok {
		return words
	}
	return strings.ReplaceAll(string(m), "_", " ")
}

// Lookup says in a line what is looked up: "find 3 people to ask".
func Lookup(l ticket.Lookup) string {
	var parts []string
	switch {
	case l.Wave == 1:
		parts = append(parts, "find 1 person to ask")
	case l.Wave > 1:
		parts = append(parts, fmt.Sprintf("find %d people to ask", l.Wave))
	}
	switch l.Page {
	case "":
	case "again":
		parts = append(parts, "call the last person again")
	case "manager":
		parts = append(parts, "find the manager to call")
	default:
		parts = append(parts, "find whom to call")
	}
	if len(l.Spans) > 0 {
		parts = append(parts, "work out when the next step is due")
	}
	if len(parts) == 0 {
		return "look up what comes next"
	}
	return strings.Join(parts, ", ")
}

// Card is a ticket's current details in the Temporal UI, in Markdown: its state,
// who holds it, what happens next and when, and its last events.
func Card(t ticket.Ticket, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### #%d %s\n\n", t.Number, markdown(t.Subject))
	fmt.Fprintf(&b, "**%s**, %s (%s), asked for by %s\n\n", State(t.Status, "en"), t.Priority, Prio(t.Priority, "en"), markdown(person(t.Requester)))
	fmt.Fprintf(&b, "- Holder: %s\n", holder(t))
	fmt.Fprintf(&b, "- Next: %s\n", nextStep(t, now, stamp))
	if t.Pass != nil {
		fmt.Fprintf(&b, "- Offered to: %s, until %s\n", markdown(person(t.Pass.To)), stamp(t.Pass.Until))
	}
	if n := len(t.Offers); n > 0 && t.Status == ticket.New {
		fmt.Fprintf(&b, "- Asked: %s\n", markdown(asked(t.Offers)))
	}
	if n := len(t.Pages); n > 0 && t.Status == ticket.New {
		fmt.Fprintf(&b, "- Called: %s\n", markdown(called(t.Pages)))
	}
	if due := t.DueAt(); !due.IsZero() {
		fmt.Fprintf(&b, "- Target: %s\n", stamp(due))
	}
	if len(t.Recent) > 0 {
		b.WriteString("\n")
		for _, line := range t.Recent {
			fmt.Fprintf(&b, "- %s %s\n", stamp(line.At), markdown(happened(line)))
		}
	}
	b.WriteString("\nTimes are UTC.\n")
	return b.String()
}

// upcoming makes a value for {next}: what happens by itself, and when.
func upcoming(t ticket.Ticket, now time.Time, loc *time.Location) string {
	return nextStep(t, now, func(when time.Time) string { return At(when, now, loc, "en") })
}

// Story makes a value for {lines}: the last events of a ticket.
func Story(t ticket.Ticket, now time.Time, loc *time.Location) string {
	list := make([]Item, len(t.Recent))
	for i, line := range t.Recent {
		list[i].Subject = At(line.At, now, loc, "en") + " " + happened(line)
	}
	return List(list...)
}

func person(p ticket.Party) string {
	if name := clean(p.Name, false); name != "" {
		return name
	}
	return p.ID
}

func holder(t ticket.Ticket) string {
	switch {
	case t.Assignee.ID == "":
		return "nobody"
	case t.Status == ticket.Assigned || t.Status == ticket.Pending:
		return fmt.Sprintf("%s, since %s", markdown(person(t.Assignee)), stamp(t.ClaimedAt))
	case t.Status == ticket.New:
		return "nobody"
	}
	return "nobody; last " + markdown(person(t.Assignee))
}

// nextStep says what happens by itself and when, or who must move.
func nextStep(t ticket.Ticket, now time.Time, stamp func(time.Time) string) string {
	a, ok := t.Due()
	if !ok {
		if t.Status == ticket.Closed || t.Status == ticket.Cancelled {
			return "nothing; this is over"
		}
		return "nothing by itself"
	}
	when := stamp(a.At)
	if !a.At.After(now) {
		when = "now"
	}
	what, known := alarms[a.Kind]
	if !known {
		what = string(a.Kind)
	}
	return when + ": " + what
}

// stamp writes a time that is read on any later day, with the seconds where there
// are some.
func stamp(t time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case t.Second() == 0:
		return t.UTC().Format("Mon 2 Jan 15:04")
	}
	return t.UTC().Format("Mon 2 Jan 15:04:05")
}

func asked(offers []ticket.Offer) string {
	parts := make([]string, len(offers))
	for i, o := range offers {
		parts[i] = person(o.To)
		if o.Declined {
			parts[i] += " (declined)"
		}
	}
	return strings.Join(parts, ", ")
}

func called(pages []ticket.Page) string {
	parts := make([]string, len(pages))
	for i, p := range pages {
		parts[i] = fmt.Sprintf("%s by %s at %s", person(p.To), p.To.Via, stamp(p.At))
		if p.Failed {
			parts[i] += " (not delivered)"
		}
	}
	return strings.Join(parts, ", ")
}

// deeds are what somebody did, after their name; a %s takes the names of those it
// was done to.
var deeds = map[ticket.Kind]string{
	ticket.Opened: "asked", ticket.Offered: "offered to %s", ticket.Declined: "declined", ticket.Taken: "took it", ticket.Released: "gave it back",
	ticket.Solved: "solved it", ticket.Shut: "closed it", ticket.Noted: "noted", ticket.Asked: "asked the requester", ticket.Told: "told the requester",
	ticket.Written: "wrote", ticket.Answered: "answered", ticket.Withdrawn: "withdrew it", ticket.Reopened: "opened it again", ticket.Escalated: "called %s",
	ticket.PagedAgain: "called %s again", ticket.PageFailed: "could not reach %s", ticket.Raised: "asked for the next person on call",
	ticket.PassOffered: "offered it to %s", ticket.PassRefused: "hand-over was not taken", ticket.Passed: "took it over as asked", ticket.TakenOver: "took it over",
	ticket.Snoozed: "put it off", ticket.Woken: "is back", ticket.WentStale: "asked the holder for news", ticket.Kept: "is still on it",
	ticket.Lapsed: "no news: back in the queue", ticket.Unanswered: "no answer yet", ticket.Undone: "took the last step back", ticket.AssignedTo: "gave it to %s",
	ticket.Reprioritised: "changed the priority", ticket.MergedInto: "merged it into another", ticket.Hushed: "stopped the escalation",
}

// happened writes an event as a line: "Bob solved it: new toner".
func happened(l ticket.Line) string {
	names := make([]string, len(l.To))
	for i, p := range l.To {
		names[i] = person(p)
	}
	to := strings.Join(names, ", ")
	if to == "" {
		to = "nobody"
	}
	deed, ok := deeds[l.Kind]
	if !ok {
		deed = string(l.Kind)
	}
	line := strings.ReplaceAll(deed, "%s", to)
	if name := person(l.Actor); name != "" && l.Actor.ID != ticket.System.ID {
		line = name + " " + line
	}
	if text := clean(l.Text, false); text != "" {
		line += ": " + cut(text, 120)
	}
	return line
}

// markdown writes people's words so that they stay words.
func markdown(s string) string {
	return escapes.Replace(clean(s, false))
}

var escapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"#", `\#`, "|", `\|`, "!", `\!`, "~", `\~`, "://", ":\u200b//",
)
