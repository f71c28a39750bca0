package policy

import (
	"fmt"
	"strings"
	"time"

	"deskbell/ticket"
)

// String is the policy in plain words, with what it takes from the built-in one:
// a paragraph for each priority, one for all of them and one for the office.
func (p Policy) String() string {
	var b strings.Builder
	p.write(&b, "")
	for _, line := range p.General() {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "Office hours:", p.office)
	for _, name := range p.Groups() {
		fmt.Fprintf(&b, "Group %s:\n", name)
		own := p.groups[name]
		own.write(&b, "  ")
		fmt.Fprintln(&b, "  Office hours:", own.office)
	}
	return b.String()
}

// write writes a paragraph for each priority.
func (p Policy) write(b *strings.Builder, indent string) {
	for _, priority := range priorities() {
		for i, line := range Describe(p.For(priority)) {
			if i == 0 {
				fmt.Fprintf(b, "%s%s: %s\n", indent, priority, line)
			} else {
				fmt.Fprintf(b, "%s  %s\n", indent, line)
			}
		}
	}
}

// General is what counts for all priorities, in sentences.
func (p Policy) General() []string {
	plan := p.For(priorities()[0])
	held := "any number of tickets"
	if p.held > 0 {
		held = "at most " + count(p.held, "ticket", "tickets")
	}
	lines := []string{
		fmt.Sprintf("Every ticket: closed %s after it was solved; the holder hears when the requester does not answer for %s", Spell(plan.AutoClose), Spell(plan.Silence)),
		"Every person: holds " + held,
	}
	if p.budget > 0 {
		lines = append(lines, fmt.Sprintf("Every person: gets at most %s an hour, the rest in a bundle", count(p.budget, "offer", "offers")))
	}
	return lines
}

// Describe is a plan in sentences, the first of which says when its time counts.
func Describe(plan ticket.Plan) []string {
	hours := "around the clock"
	if plan.Office {
		hours = "in office hours"
	}
	lines := []string{
		"its time counts " + hours,
		fmt.Sprintf("to be taken within %s and solved within %s", Spell(plan.Respond), Spell(plan.Resolve)),
		fmt.Sprintf("offered to %s every %s", count(plan.Wave.Size, "person on duty", "people on duty"), Spell(plan.Wave.Every)),
	}
	if q := plan.Quiet; q.From != q.Until {
		lines = append(lines, fmt.Sprintf("not offered from %s to %s: it waits for the morning", clockTime(q.From), clockTime(q.Until)))
	}
	for _, step := range plan.Steps {
		lines = append(lines, fmt.Sprintf("not taken after %s: %s", Spell(step.After), calls[step.To]))
	}
	if len(plan.Steps) == 0 {
		lines = append(lines, "not taken: nobody is called")
	} else {
		lines = append(lines, fmt.Sprintf("whoever was called is called again every %s, and after the last step all start again", Spell(plan.Repeat)))
	}
	if plan.Breach && len(plan.Steps) > 0 {
		lines = append(lines, "taken and not solved in time: the next of them is called to help")
	}
	return append(lines, fmt.Sprintf("taken and nothing heard for %s: the holder is asked", Spell(plan.Lease)))
}

// calls are the words for whom a step calls.
var calls = map[string]string{
	ToOnCall:  "who is on call is called",
	ToNext:    "the next in the rota is called",
	ToManager: "the manager is called",
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// String is "mon, tue 08:00 to 18:00 Europe/Berlin, not on holidays in de".
func (h Hours) String() string {
	if h.always() {
		return "always"
	}
	var days []string
	for i := range dayNames() {
		if day := (i + 1) % len(dayNames()); h.days[day] { // a week of work starts on Monday
			days = append(days, dayNames()[day])
		}
	}
	text := fmt.Sprintf("%s %s to %s %s", strings.Join(days, ", "), h.from, h.to, h.zone)
	if h.holidays != nil {
		text += ", not on holidays in " + h.holidays.Name
	}
	return text
}

func (t clockTime) String() string { return fmt.Sprintf("%02d:%02d", t/60, t%60) }

// Spell writes a duration as a policy file does, to the second: "90s", "15m",
// "1h30m", "2d".
func Spell(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d < 2*time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
