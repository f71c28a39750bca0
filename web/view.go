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
	Headline    headline
	NextCall    *moment
	Waiting     []waiting
	People      []person
	Working     []working
	OnCall      []string
	OnCallUntil *moment
	Gateways    []gateway
	Recent      []recent
}

type headline struct {
	Urgent, Others int // tickets that wait
	Oldest         string
	Free           []string // names
}

type ref struct {
	Number int
	URL    string
}

type waiting struct {
	Ref           ref
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
	Ref           ref
	Number        int
	Priority      ticket.Priority
	PriorityWords string
	Subject       string
	Holder        string
	Since, Until  *moment
	Question      bool
	PassedTo      string
}

type person struct {
	Name, Channel string
	State         string // free, working, away, busy
	On            []ref
	Since         *moment
	Note          string
}

type gateway struct {
	Name    string
	Up      bool
	Since   *moment
	Backlog int
}

type recent struct {
	Ref   ref
	At    *moment
	Words string
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
	shownRecent  = 8
)

func (v viewer) view(b desk.Board) board {
	out := board{At: v.when(b.At, b.At), OnCallUntil: v.at(b.OnCall.Until, b.At)}
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
	oldest := b.At
	for _, t := range b.Waiting {
		w := v.waiting(t, b.At)
		out.Waiting = append(out.Waiting, w)
		if t.CreatedAt.Before(oldest) {
			oldest = t.CreatedAt
		}
		if t.Priority == ticket.P1 {
			out.Headline.Urgent++
		} else {
			out.Headline.Others++
		}
		if at := alarmAt(t, ticket.StepAlarm); !at.IsZero() && (out.NextCall == nil || v.at(at, b.At).ISO < out.NextCall.ISO) {
			out.NextCall = v.at(at, b.At)
		}
	}
	if len(b.Waiting) > 0 {
		out.Headline.Oldest = age(b.At.Sub(oldest))
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
		out.Gateways = append(out.Gateways, gateway{channelWords(g.Channel), g.Up, v.at(g.Since, b.At), g.Backlog})
	}
	for _, e := range b.Recent {
		kind, who := ticket.Kind(e.Line.Event), name(e.Line.Actor)
		if slices.Contains(byRequester, kind) && !staff[e.Line.Actor] {
			who = "the requester"
		}
		if words := deed(kind, who); words != "" && len(out.Recent) < shownRecent {
			out.Recent = append(out.Recent, recent{v.ref(e.Number), v.at(e.Line.At, b.At), words})
		}
	}
	return out
}

func (v viewer) waiting(t ticket.Ticket, now time.Time) waiting {
	return waiting{Ref: v.ref(t.Number), Number: t.Number, Priority: t.Priority, PriorityWords: priorityWords[t.Priority],
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
	w := working{Ref: v.ref(t.Number), Number: t.Number, Priority: t.Priority, PriorityWords: priorityWords[t.Priority], Subject: short(t.Subject),
		Holder: t.Assignee.Name, Since: v.at(t.ClaimedAt, now)}
	if t.Status == ticket.Pending {
		w.Question = t.WaitingFor() == "requester"
		w.Until = v.at(t.Until, now)
	}
	if t.Pass != nil {
		w.PassedTo = t.Pass.To.Name
	}
	return w
}

func (v viewer) person(a desk.AgentView, claimed map[int]time.Time, now time.Time) person {
	p := person{Name: a.Name, State: "free", Channel: reachWords[a.Via], Note: a.Reason}
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
	for _, n := range a.Holding {
		p.On = append(p.On, v.ref(n))
	}
	return p
}

func (v viewer) ref(number int) ref {
	if v.uiURL == "" {
		return ref{Number: number}
	}
	return ref{number, fmt.Sprintf("%s/namespaces/default/workflows/ticket-%d", strings.TrimRight(v.uiURL, "/"), number)}
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
