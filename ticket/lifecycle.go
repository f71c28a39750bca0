package ticket

import (
	"fmt"
	"slices"
	"strings"
)

// Lifecycle prints the rules as a page of Markdown: every verb in every state,
// what undo takes back, and what happens by itself. docs/lifecycle.md is this
// page.
func Lifecycle() string {
	var b strings.Builder
	b.WriteString(lifecycleHead)
	printRow(&b, "verb", columnNames[:]...)
	printRow(&b, "---", slices.Repeat([]string{"---"}, int(columns))...)
	for _, r := range rules {
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, c.String())
		}
		printRow(&b, fmt.Sprintf("**%s** (%s)", r.Verb, r.By), cells...)
	}
	fmt.Fprintf(&b, undoText, undoFor.Minutes(), joinKinds(undoable))
	b.WriteString("## What happens by itself\n\n")
	printRow(&b, "alarm", "armed", "then")
	printRow(&b, "---", "---", "---")
	for _, a := range alarmTable {
		printRow(&b, string(a.kind), a.armed, a.then)
	}
	return b.String()
}

const lifecycleHead = `# The life of a ticket

Printed from the rules in ticket/rules.go by ` + "`go test ./ticket -run Lifecycle -update`" + `; change it there.

A cell holds the events of a verb in a state, as the actor sees the state. A word
in ` + "`code`" + ` is a refusal, by the id of its text: nothing changes. A dash means that
nothing changes and nobody hears. "passed to me" is a colleague's ticket that the
actor was asked to take over. A ticket that a manager put off before anybody held
it counts as New. For a take, ` + "`owned`" + ` is ` + "`take_lost`" + ` within 2 minutes of the
colleague's claim. What the requester writes while an answer is awaited is that
answer (answered).

`

const undoText = `
**undo** takes back the actor's last command on the ticket for %.0f minutes, unless
somebody else acted since (` + "`undo_moved`" + `). It puts back the state before that command;
what was sent stays sent. It takes back: %s. Everything else, and
nothing at all, is ` + "`undo_none`" + `.

`

var alarmTable = []struct {
	kind        AlarmKind
	armed, then string
}{
	{PlanAlarm, "a ticket opens, comes back to the queue or changes its priority", "the targets and the first step are looked up (planned)"},
	{WaveAlarm, "New: at once, then at the end of each wave; longer and longer, up to an hour, while nobody is left to ask", "the next people are asked (offered)"},
	{ReplaceAlarm, "somebody declined, or their offer did not arrive", "one more person is asked at once (offered)"},
	{StepAlarm, "New: the time of the next step; at once when a page failed or somebody escalates by hand", "the next in the chain is called (escalated); a step that finds nobody passes on at once; after the last one the chain starts again"},
	{RepeatAlarm, "New: after a page", "the last person called is called again (paged again)"},
	{PassAlarm, "a hand-over is offered, for 10 minutes", "it stays with its holder (pass refused)"},
	{PromiseAlarm, "Assigned: the time that the holder promised, unless the requester hears before", "the requester is told, and the holder is asked for news unless that is so already (slipped)"},
	{BreachAlarm, "Assigned: the resolve target, where the policy says so", "the holder hears, and the next in the chain is called to help, once (breached)"},
	{StaleAlarm, "Assigned: a lease after the holder's last sign of life", "the holder is asked for news (went stale)"},
	{LapseAlarm, "the holder was asked for news: a quarter of the lease, at least 10 minutes", "the ticket goes back to the queue (lapsed)"},
	{AnswerAlarm, "Pending for an answer: the policy's silence, then daily", "the holder hears that none came (unanswered)"},
	{WakeAlarm, "Pending until a time: at that time", "it is its holder's again, or New (woken)"},
	{CloseAlarm, "Resolved: the policy's auto-close", "it closes, silently (closed)"},
}

func (c clearance) String() string {
	return [...]string{"agents", "managers", "its requester", "its requester, agents"}[c]
}

func (c cell) String() string {
	var parts []string
	switch {
	case c.Note != "" && c.Refuse == "":
		parts = append(parts, c.Note+": "+joinKinds(c.Do))
	case c.Note != "":
		parts = append(parts, c.Note+": "+joinKinds(c.Do), "else `"+string(c.Refuse)+"`")
	case len(c.Do) > 0:
		parts = append(parts, joinKinds(c.Do))
	case c.Refuse != "":
		parts = append(parts, "`"+string(c.Refuse)+"`")
	}
	if len(c.Manager) > 0 {
		parts = append(parts, "manager: "+joinKinds(c.Manager))
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, "; ")
}

func joinKinds(kinds []Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func printRow(b *strings.Builder, head string, cells ...string) {
	fmt.Fprintf(b, "| %s | %s |\n", head, strings.Join(cells, " | "))
}
