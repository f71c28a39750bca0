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

// Timer says in a line what an armed timer waits for.
func Timer(a ticket.Alarm) string {
	return fmt.Sprintf("%s UTC: %s", stamp(a.At), words("en").alarm(a.Kind))
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
	"release_ok": "given back", "done_ok": "closed", "page_off": "stand down", "help_off": "stand down", "mgr_nobody": "call: nobody answered", "page": "call", "page_help": "call for help",
	"offer_gone": "offer is gone", "req_created": "request received", "req_claimed": "who comes", "req_handed": "who comes now", "req_released": "handed back",
	"req_done": "solved", "req_undone": "not solved after all", "req_escalated": "we call the person on call", "req_reopened": "open again", "req_question": "question",
	"req_added": "added", "answer_in": "the requester's words", "note_ok": "noted", "ask_ok": "asked", "stale": "any news?", "stale_ok": "still on it", "promise_ok": "promised", "req_slower": "needs longer", "req_slipped": "late", "target_missed": "should be solved by now", "undo_ok": "undone",
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
	if expected := t.ExpectedAt(); !expected.IsZero() {
		late := ""
		if t.Late() {
			late = ", and late"
		}
		fmt.Fprintf(&b, "- Expected by: %s%s\n", stamp(expected), late)
	}
	fmt.Fprintf(&b, "- Next: %s\n", words("en").next(t, now, stamp))
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
			fmt.Fprintf(&b, "- %s %s\n", stamp(line.At), markdown(words("en").happened(line)))
		}
	}
	b.WriteString("\nTimes are UTC.\n")
	return b.String()
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

// markdown writes people's words so that they stay words.
func markdown(s string) string {
	return escapes.Replace(clean(s, false))
}

var escapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"#", `\#`, "|", `\|`, "!", `\!`, "~", `\~`, "://", ":\u200b//",
)
