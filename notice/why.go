package notice

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/ticket"
)

// Decision is an event of a ticket with what became of the texts by which it asked
// or called people.
type Decision struct {
	ticket.Event
	Fates []Fate
}

// Fate is what became of a text. State is a delivery's: due, sending, sent,
// delivered, failed, expired, cancelled, bundled or unknown; Why is the network's or the
// desk's word on it, if any.
type Fate struct {
	To         ticket.Party
	State, Why string
}

// How many decisions a text shows, the last ones: what a person reads in a chat
// without scrolling, and what fits into three segments.
const (
	shownInChat = 12
	shownBySMS  = 3
)

// Story makes a value for {lines}: what was decided, when, on which facts, and what
// became of it. By SMS it is shorter.
func Story(decisions []Decision, channel string, now time.Time, zone *time.Location, lang string) string {
	w, shown := words(lang), shownInChat
	if channel == "sms" {
		shown = shownBySMS
	}
	decisions = slices.DeleteFunc(slices.Clone(decisions), func(d Decision) bool { return d.Kind == ticket.Planned })
	lines := make([]string, 0, shown)
	for _, d := range decisions[max(0, len(decisions)-shown):] {
		line := At(d.At, now, zone, lang) + " " + w.decided(d)
		if there := w.there(d.Seen); there != "" && channel != "sms" {
			line += "; " + there
		}
		lines = append(lines, line)
	}
	return Names(lines...)
}

// Decided says in English what an event was: "offered to Bob (sms, delivered)".
func Decided(d Decision) string { return words("en").decided(d) }

// Upcoming makes a value for {next}: what happens by itself, and when.
func Upcoming(t ticket.Ticket, now time.Time, zone *time.Location, lang string) string {
	return words(lang).next(t, now, func(when time.Time) string { return At(when, now, zone, lang) })
}

// decided is an event with the fates of its texts: "called Dana (sms, failed: absent)".
func (w dictionary) decided(d Decision) string {
	line := ticket.Line{At: d.At, Kind: d.Kind, Actor: d.Actor, To: d.To, Text: d.Text}
	if d.Kind == ticket.Escalated || d.Kind == ticket.Opened {
		line.Text = "" // the step's name, and the subject
	}
	for i, p := range line.To {
		for _, f := range d.Fates {
			if f.To != p {
				continue
			}
			state := w.fates[f.State]
			if f.Why != "" {
				state += ": " + cut(clean(f.Why, false), 40)
			}
			line.To = slices.Clone(line.To)
			line.To[i].Name = person(p) + " (" + p.Via + ", " + state + ")"
		}
	}
	return w.happened(line)
}

// there is who was there, and who was not: "there: Bob in chat, Eve on 2; not: Dan away".
func (w dictionary) there(seen []ticket.Seen) string {
	var in, out []string
	for _, s := range seen {
		name := person(ticket.Party{ID: s.ID, Name: s.Name})
		if s.Out != "" {
			out = append(out, name+" "+w.outs[s.Out])
			continue
		}
		if presence := w.presences[s.Presence]; presence != "" {
			name += " " + presence
		}
		if s.Holding > 0 {
			name += " " + strings.ReplaceAll(w.holding, "%s", strconv.Itoa(s.Holding))
		}
		in = append(in, name)
	}
	var parts []string
	if len(in) > 0 {
		parts = append(parts, w.in+strings.Join(in, ", "))
	}
	if len(out) > 0 {
		parts = append(parts, w.notIn+strings.Join(out, ", "))
	}
	return strings.Join(parts, "; ")
}

// next says what happens by itself and when, or who must move.
func (w dictionary) next(t ticket.Ticket, now time.Time, stamp func(time.Time) string) string {
	a, ok := t.Due()
	switch {
	case !ok && (t.Status == ticket.Closed || t.Status == ticket.Cancelled):
		return w.over
	case !ok:
		return w.idle
	}
	when := stamp(a.At)
	if !a.At.After(now) {
		when = w.now
	}
	return when + ": " + w.alarm(a.Kind)
}

// alarm says what happens when an alarm rings.
func (w dictionary) alarm(kind ticket.AlarmKind) string {
	if what, ok := w.alarms[kind]; ok {
		return what
	}
	return string(kind)
}

// happened writes an event as a line: "Bob solved it: new toner".
func (w dictionary) happened(l ticket.Line) string {
	names := make([]string, len(l.To))
	for i, p := range l.To {
		names[i] = person(p)
	}
	to := strings.Join(names, ", ")
	if to == "" {
		to = w.nobody
	}
	deed, ok := w.deeds[l.Kind]
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
