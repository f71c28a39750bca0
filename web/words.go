package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// reachWords say how somebody is reached now.
var reachWords = map[string]string{"im": "in chat", "sms": "by text message", "": "not reachable"}

var priorityWords = map[ticket.Priority]string{ticket.P1: "urgent", ticket.P2: "high", ticket.P3: "normal", ticket.P4: "low"}

// deeds says what people did; events that are not here are nobody's deed.
var deeds = map[ticket.Kind]string{
	ticket.Opened:        "came in",
	ticket.Declined:      "%s declined",
	ticket.Taken:         "%s took it",
	ticket.Promised:      "%s promised a time",
	ticket.Slipped:       "late: the promised time passed",
	ticket.Breached:      "late: not solved in time",
	ticket.Released:      "%s gave it back",
	ticket.Solved:        "%s solved it",
	ticket.Shut:          "closed",
	ticket.Asked:         "%s asked a question",
	ticket.Told:          "%s sent word",
	ticket.Written:       "%s added something",
	ticket.Answered:      "%s answered",
	ticket.Withdrawn:     "withdrawn",
	ticket.Reopened:      "%s reopened it",
	ticket.Escalated:     "the next person was called",
	ticket.PageFailed:    "a call did not arrive",
	ticket.OfferFailed:   "an offer did not arrive",
	ticket.Raised:        "%s asked for help",
	ticket.PassOffered:   "%s offered it to a colleague",
	ticket.Passed:        "%s took it over",
	ticket.TakenOver:     "%s took it over",
	ticket.Snoozed:       "%s put it aside",
	ticket.Woken:         "is back",
	ticket.Lapsed:        "waits again, no news",
	ticket.Undone:        "%s took that back",
	ticket.AssignedTo:    "%s assigned it",
	ticket.Reprioritised: "%s changed its priority",
	ticket.Replanned:     "%s brought its times up to date",
	ticket.Hushed:        "%s stopped the calls",
	ticket.MergedInto:    "%s merged it",
}

// byRequester are the deeds that may be a requester's, who is not named here.
var byRequester = []ticket.Kind{ticket.Written, ticket.Answered, ticket.Reopened}

func deed(kind ticket.Kind, who string) string {
	words := deeds[kind]
	if strings.Contains(words, "%s") {
		return fmt.Sprintf(words, who)
	}
	return words
}

var statusWords = map[ticket.Status]string{
	ticket.New: "waiting", ticket.Assigned: "claimed", ticket.Pending: "on hold", ticket.Resolved: "solved", ticket.Closed: "closed", ticket.Cancelled: "withdrawn",
}

// decided says what an event of a ticket was, with the people it was about.
func decided(d desk.DecisionView) string {
	who := d.Name
	if d.Requester {
		who = "the requester"
	}
	switch {
	case d.Event == ticket.Offered && len(d.To) == 0:
		return "nobody to ask"
	case d.Event == ticket.Offered:
		return "asked " + list(d.To)
	case d.Event == ticket.Escalated && len(d.To) == 0:
		return "nobody to call"
	case d.Event == ticket.Escalated, d.Event == ticket.PagedAgain:
		return "called " + list(d.To)
	}
	if words := deed(d.Event, who); words != "" {
		return words
	}
	return string(d.Event)
}

// stands is how somebody stood: in chat, and with how many tickets.
func stands(s desk.SeenView) string {
	var facts []string
	if words := map[string]string{"available": "in chat", "away": "away in chat", "busy": "busy in chat"}[s.Presence]; words != "" {
		facts = append(facts, words)
	}
	if s.Holding > 0 {
		facts = append(facts, fmt.Sprintf("on %d", s.Holding))
	}
	if len(facts) == 0 {
		return ""
	}
	return " (" + strings.Join(facts, ", ") + ")"
}

func delivered(f desk.FateView) string {
	words := fmt.Sprintf("%s by %s: %s", f.Name, channelWords(f.Channel), f.State)
	if f.Detail != "" {
		words += ", " + f.Detail
	}
	return words
}

func stepWords(to string) string {
	return map[string]string{"oncall": "on call", "next": "the next on call", "manager": "the manager"}[to]
}

func channelWords(channel string) string {
	if words, ok := map[string]string{"sms": "SMS", "im": "Chat"}[channel]; ok {
		return words
	}
	return channel
}

// age is a length of time in words, rounded down.
func age(d time.Duration) string {
	minutes := int(d.Minutes())
	switch {
	case minutes < 1:
		return "a moment"
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 48*60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	return fmt.Sprintf("%d days", minutes/60/24)
}

// brief is a length of time in few characters: 40 s, 12 min, 3 h 5.
func brief(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d:%02d h", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

const (
	// fewMinutes is what no estimate is finer than: who waits does not count seconds.
	fewMinutes = 5 * time.Minute
	coarse     = 5 * time.Minute
)

// between is a range of waiting time that claims no more than it knows.
func between(low, high time.Duration) string {
	if high <= fewMinutes {
		return "within a few minutes"
	}
	step := func(d time.Duration) time.Duration {
		if d > time.Hour {
			return 3 * coarse
		}
		return coarse
	}
	low, high = low.Round(step(low)), (high + step(high) - 1).Truncate(step(high)) // up: it is a promise
	if low < coarse || low >= high {
		return "within " + span(high)
	}
	if high < time.Hour {
		return fmt.Sprintf("within %d–%d min", int(low.Minutes()), int(high.Minutes()))
	}
	return "within " + span(low) + " to " + span(high)
}

func span(d time.Duration) string {
	switch h, m := int(d.Hours()), int(d.Minutes())%60; {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d h %d min", h, m)
	}
}

// waitWords says how long a new request takes. Who is free takes the first in line.
func waitWords(e desk.Estimate) string {
	switch {
	case len(e.Free) > 0 && len(e.Free) >= e.Place:
		return "usually taken at once: someone is free now"
	case e.High > 0:
		return "usually taken " + between(e.Low, e.High)
	case e.Present == 0:
		return "kept until somebody is at the desk; urgent ones call whoever is on call"
	}
	return "taken in turn"
}

// initials stand for a person in a circle: the first letters of the first and the
// last name.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	first := []rune(words[0])
	out := string(first[0])
	if len(words) > 1 {
		out += string([]rune(words[len(words)-1])[0])
	} else if len(first) > 1 {
		out += string(first[1])
	}
	return strings.ToUpper(out)
}

// list names up to four; of more, three and how many others.
func list(names []string) string {
	if n := len(names); n > 4 {
		names = append(slices.Clone(names[:3]), fmt.Sprintf("%d more", n-3))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// short keeps the start of a subject, on one line.
func short(subject string) string {
	runes := []rune(strings.Join(strings.Fields(subject), " "))
	if len(runes) <= shownSubject {
		return string(runes)
	}
	return string(runes[:shownSubject-1]) + "…"
}
