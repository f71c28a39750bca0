package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// board is what the templates show: a desk.Board in the order and the words of
// the page. It names nobody who asked for help.
type board struct {
	At          moment
	Now         int64 // the same in Unix milliseconds
	Headline    headline
	Wait        string  // how long a new request takes, in words
	Closed      *moment // when the desk opens, while it is closed
	NextCall    *moment
	Incidents   []incident
	Waiting     []waiting
	InLine      int // all who wait, with those that Waiting leaves out
	People      []person
	Working     []working
	InWork      int // as InLine
	OnCall      []string
	OnCallUntil *moment
	Gateways    []gateway
	Recent      []recent
	Wall        wall
}

// wall is what only the wall shows. A level is empty, warn or alarm.
type wall struct {
	WaitingLevel, OldestLevel, CallLevel string
	Oldest, OldestWords                  string
	OnHold                               int
	Call                                 *countdown
	Recent                               []recent
	Clock                                string
	East                                 int // seconds of the zone
}

// countdown is a time that a script counts down to; without one it is a time.
type countdown struct {
	Milli int64
	Text  string
}

type headline struct {
	Urgent, Others int // tickets that wait
	Oldest         string
	Free           []string // names
}

type waiting struct {
	Number        int
	Priority      ticket.Priority
	PriorityWords string
	Subject, Age  string
	Asking        asking
}

// asking is how far the search for a holder is.
type asking struct {
	Asked     []string
	Called    string
	CalledAt  *moment
	Unreached bool
	Nobody    bool
	Next      *call
}

type call struct {
	Whom string
	At   *moment
}

type working struct {
	Number        int
	Priority      ticket.Priority
	PriorityWords string
	Subject       string
	Holder        string
	Since, Until  *moment
	Expected      *moment
	Late          bool
	Question      bool
	PassedTo      string
}

type person struct {
	Name, Initials string
	Channel        string
	State          string // free, working, away, busy
	On             []int
	Since          *moment
	Note           string
}

// gateway is a light: a channel's, or that of each way where it has several.
type gateway struct {
	Name    string
	Up      bool
	Since   *moment
	Backlog int
}

type recent struct {
	Number int
	At     *moment
	Words  string
}

// moment is a time for people and for machines.
type moment struct{ ISO, Text string }

// viewer turns boards into views.
type viewer struct {
	zone  *time.Location
	uiURL string
}

const (
	shownSubject = 120 // characters
	wallRecent   = 5
)

func (v viewer) view(b desk.Board) board {
	out := board{At: v.when(b.At, b.At), Now: b.At.UnixMilli(), OnCallUntil: v.at(b.OnCall.Until, b.At), Wait: waitWords(b.Estimate), InLine: b.InLine, InWork: b.InWork,
		Incidents: v.incidents(b.Incidents, "", joinPath, b.At)}
	if b.Closed {
		out.Closed = v.at(b.Opens, b.At)
	}
	staff := map[string]bool{}
	for _, a := range b.Agents {
		staff[a.ID] = true
	}
	name := func(id string) string { return cmp.Or(b.Names[id], id) }
	claimed := map[int]time.Time{}
	for _, t := range b.Working {
		claimed[t.Number] = t.ClaimedAt
		out.Working = append(out.Working, v.working(t, b.At))
	}
	next := time.Time{}
	for _, t := range b.Waiting {
		out.Waiting = append(out.Waiting, v.waiting(t, b.At))
		if t.Priority == ticket.P1 {
			out.Headline.Urgent++
		}
		if at := alarmAt(t, ticket.StepAlarm); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next, out.NextCall = at, v.at(at, b.At)
		}
	}
	if out.Headline.Others = b.InLine - out.Headline.Urgent; b.InLine > 0 {
		out.Headline.Oldest = age(b.At.Sub(b.Oldest))
	}
	for _, a := range b.Agents {
		if !a.OnDuty && len(a.Holding) == 0 && a.Presence != "away" {
			continue // off duty, or only on call
		}
		p := v.person(a, claimed, b.At)
		out.People = append(out.People, p)
		if p.State == "free" && a.OnDuty {
			out.Headline.Free = append(out.Headline.Free, p.Name)
		}
	}
	for _, id := range b.OnCall.People {
		out.OnCall = append(out.OnCall, name(id))
	}
	for _, g := range b.Gateways {
		light := gateway{channelWords(g.Channel), g.Up, v.at(g.Since, b.At), g.Backlog}
		for _, l := range g.Links {
			out.Gateways = append(out.Gateways, gateway{light.Name + " by " + l.Name, l.Up, v.at(l.Since, b.At), light.Backlog})
			light.Backlog = 0 // told once
		}
		if len(g.Links) == 0 {
			out.Gateways = append(out.Gateways, light)
		}
	}
	for _, e := range b.Recent {
		kind, who := ticket.Kind(e.Line.Event), name(e.Line.Actor)
		if slices.Contains(byRequester, kind) && !staff[e.Line.Actor] {
			who = "the requester"
		}
		if words := deed(kind, who); words != "" {
			out.Recent = append(out.Recent, recent{e.Number, v.at(e.Line.At, b.At), words})
		}
	}
	out.Wall = v.wall(b, out, next)
	return out
}

func (v viewer) wall(b desk.Board, view board, next time.Time) wall {
	_, east := b.At.In(v.zone).Zone()
	w := wall{Clock: b.At.In(v.zone).Format("15:04:05"), East: east, OnHold: b.OnHold, Recent: view.Recent[:min(len(view.Recent), wallRecent)]}
	if view.Headline.Urgent > 0 {
		w.WaitingLevel = "alarm"
	}
	if b.InLine > 0 {
		w.Oldest = brief(b.At.Sub(b.Oldest))
	}
	for _, t := range b.Waiting { // the target makes the colour, and the words beside it
		switch late := !t.RespondBy.IsZero() && !b.At.Before(t.RespondBy); {
		case late:
			w.OldestLevel, w.OldestWords = "alarm", "past its target"
		case w.OldestLevel == "" && !t.RespondBy.IsZero() && b.At.Sub(t.CreatedAt) > t.RespondBy.Sub(b.At):
			w.OldestLevel, w.OldestWords = "warn", "past half of its target"
		}
	}
	if !next.IsZero() {
		w.Call = v.countdown(next, b.At)
		if next.Sub(b.At) < soonCall {
			w.CallLevel = "warn"
		}
	}
	return w
}

// soonCall is how soon a call must be for the wall to warn of it: time to walk over.
const soonCall = 5 * time.Minute

func (v viewer) countdown(at, now time.Time) *countdown {
	if at.IsZero() {
		return nil
	}
	return &countdown{at.UnixMilli(), brief(max(at.Sub(now), 0))}
}

func (v viewer) waiting(t ticket.Ticket, now time.Time) waiting {
	return waiting{Number: t.Number, Priority: t.Priority, PriorityWords: priorityWords[t.Priority],
		Subject: short(t.Subject), Age: age(now.Sub(t.CreatedAt)), Asking: v.asking(t, now)}
}

func (v viewer) asking(t ticket.Ticket, now time.Time) asking {
	a := asking{Nobody: t.Empty > 0}
	for _, o := range t.Offers {
		if !o.Declined && !slices.Contains(a.Asked, o.To.Name) {
			a.Asked = append(a.Asked, o.To.Name)
		}
	}
	if n := len(t.Pages); n > 0 {
		last := t.Pages[n-1]
		a.Called, a.CalledAt, a.Unreached = last.To.Name, v.at(last.At, now), last.Failed
	}
	if at := alarmAt(t, ticket.StepAlarm); !at.IsZero() && t.Step < len(t.Plan.Steps) {
		a.Next = &call{stepWords(t.Plan.Steps[t.Step].To), v.at(at, now)}
	}
	return a
}

func (v viewer) working(t ticket.Ticket, now time.Time) working {
	w := working{Number: t.Number, Priority: t.Priority, PriorityWords: priorityWords[t.Priority], Subject: short(t.Subject),
		Holder: t.Assignee.Name, Since: v.at(t.ClaimedAt, now)}
	if t.Status == ticket.Pending {
		w.Question = t.WaitingFor() == "requester"
		w.Until = v.at(t.Until, now)
	}
	w.Expected, w.Late = v.at(t.ExpectedAt(), now), t.Late()
	if t.Pass != nil {
		w.PassedTo = t.Pass.To.Name
	}
	return w
}

func (v viewer) person(a desk.AgentView, claimed map[int]time.Time, now time.Time) person {
	p := person{Name: a.Name, Initials: initials(a.Name), State: "free", Channel: reachWords[a.Via], Note: a.Reason}
	switch a.Presence {
	case "away":
		p.State, p.Since = "away", v.at(a.Since, now)
	case "busy":
		p.State = "busy"
	}
	if len(a.Holding) == 0 {
		return p
	}
	if p.State == "away" && p.Note == "" {
		p.Note = "away"
	}
	p.State, p.Since = "working", v.at(claimed[a.Holding[0]], now)
	p.On = a.Holding
	return p
}

// workflow is where the Temporal UI shows a ticket; empty without one.
func (v viewer) workflow(number int) string {
	if v.uiURL == "" {
		return ""
	}
	return fmt.Sprintf("%s/namespaces/default/workflows/ticket-%d", strings.TrimRight(v.uiURL, "/"), number)
}

// at is nil for a time that is not known.
func (v viewer) at(at, now time.Time) *moment {
	if at.IsZero() {
		return nil
	}
	return new(v.when(at, now))
}

// when is the time of day, with its day when that is not today's.
func (v viewer) when(at, now time.Time) moment {
	layout := "15:04"
	local, today := at.In(v.zone), now.In(v.zone)
	switch days := local.Sub(today).Abs(); {
	case local.YearDay() == today.YearDay() && local.Year() == today.Year():
	case days < 6*24*time.Hour:
		layout = "Mon 15:04"
	default:
		layout = "2 Jan 15:04"
	}
	return moment{at.UTC().Format(time.RFC3339), local.Format(layout)}
}

func alarmAt(t ticket.Ticket, kind ticket.AlarmKind) time.Time {
	for _, a := range t.Alarms {
		if a.Kind == kind {
			return a.At
		}
	}
	return time.Time{}
}
