package ticket

import (
	"slices"
	"time"
)

// Lookup is a question to the world: whom to ask, whom to call, and what spans of
// working hours come to. It is a value for an activity's input.
type Lookup struct {
	Number    int         `json:"number"`
	Priority  Priority    `json:"priority"`
	Group     string      `json:"group,omitempty"`
	Requester string      `json:"requester"`
	Holder    string      `json:"holder,omitempty"` // whom nobody calls to help themselves
	At        time.Time   `json:"at"`               // when the question came up
	Alarms    []AlarmKind `json:"alarms"`           // the alarms that this lookup serves
	// Wave is how many people to ask; zero for none.
	Wave   int     `json:"wave,omitempty"`
	Offers []Offer `json:"offers,omitempty"`
	// Page is whom to call: "oncall", "next" (the first who was not Called), "manager",
	// "again" (Paged once more), or empty.
	Page   string   `json:"page,omitempty"`
	Paged  string   `json:"paged,omitempty"`
	Called []string `json:"called,omitempty"` // who was called since the chain began
	Spans  []Span   `json:"spans,omitempty"`
	// Office says that spans count office hours only.
	Office bool `json:"office,omitempty"`
}

// Span is a length of time in the priority's hours, from a moment on.
type Span struct {
	Name  string        `json:"name"` // step, repeat, respond, resolve
	From  time.Time     `json:"from"`
	After time.Duration `json:"after"`
}

// Findings answers a Lookup.
type Findings struct {
	Wave     []Party `json:"wave,omitempty"`
	Reminder bool    `json:"reminder,omitempty"` // the wave is the round of reminders
	// Page holds one party per person and channel.
	Page  []Party     `json:"page,omitempty"`
	Times []time.Time `json:"times,omitempty"` // the ends of Spans, in their order
	// Seen is how those stood among whom the choice was made.
	Seen []Seen `json:"seen,omitempty"`
}

// Seen is how somebody stood when a ticket looked for people.
type Seen struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Presence string `json:"presence,omitempty"` // in IM: available, away, busy, offline, unknown
	Holding  int    `json:"holding,omitempty"`  // how many tickets
	// Out says why they could not be chosen: OutAway, OutOffDuty or OutOfReach.
	Out string `json:"out,omitempty"`
}

// Why somebody could not be chosen.
const (
	OutAway    = "away"        // they said so
	OutOffDuty = "off duty"    // by the rota
	OutOfReach = "unreachable" // no channel is left
)

// Times are looked-up moments; a zero one is unchanged.
type Times struct {
	Step    time.Time `json:"step,omitzero"`
	Repeat  time.Time `json:"repeat,omitzero"`
	Respond time.Time `json:"respond,omitzero"`
	Resolve time.Time `json:"resolve,omitzero"`
}

// Lookup returns what must be looked up now; ok is false when nothing must.
func (t Ticket) Lookup(now time.Time) (l Lookup, ok bool) {
	l = Lookup{Number: t.Number, Priority: t.Priority, Group: t.Group, Requester: t.Requester.ID, Holder: t.Assignee.ID, At: now, Office: t.Plan.Office}
	for _, kind := range lookupAlarms {
		if t.rings(kind, now) {
			l.Alarms = append(l.Alarms, kind)
		}
	}
	if len(l.Alarms) == 0 {
		return Lookup{}, false
	}
	if n := len(t.Pages); n > 0 {
		l.Paged, l.Called = t.Pages[n-1].To.ID, t.called()
	}
	for _, kind := range l.Alarms {
		switch kind {
		case PlanAlarm:
			if t.RespondBy.IsZero() {
				l.span("respond", t.CreatedAt, t.Plan.Respond)
			}
			if t.ResolveBy.IsZero() {
				l.span("resolve", t.CreatedAt, t.Plan.Resolve)
			}
			if t.Status == New && len(t.Plan.Steps) > 0 && !t.rings(StepAlarm, now) {
				t.spanStep(&l, t.Step)
			}
		case WaveAlarm:
			l.Wave, l.Offers = t.Plan.Wave.Size, t.Offers
		case ReplaceAlarm:
			l.Wave, l.Offers = max(l.Wave, 1), t.Offers
		case StepAlarm:
			t.lookupStep(&l, now)
		case RepeatAlarm:
			if l.Page == "" {
				l.Page = "again"
				l.span("repeat", now, t.Plan.Repeat)
			}
		}
	}
	return l, true
}

// called are the people who were called since the chain began last.
func (t Ticket) called() (ids []string) {
	var began time.Time
	for _, p := range t.Pages {
		if p.Step == 1 {
			began = p.At
		}
	}
	for _, p := range t.Pages {
		if !p.At.Before(began) && !slices.Contains(ids, p.To.ID) {
			ids = append(ids, p.To.ID)
		}
	}
	return ids
}

// onTime is how late a step may be and still count as on time: some twenty that are due
// in one instant take two cores half of it.
const onTime = time.Second

// lookupStep asks for the next step: whom it calls and when the one after it is
// due. A step keeps the policy's distance from the one before it, so waking late
// fires one step and not three; from the time of one that came on time, so that what
// steps are late does not add up. After the last step the chain starts again.
func (t Ticket) lookupStep(l *Lookup, now time.Time) {
	if len(t.Plan.Steps) == 0 {
		return
	}
	step := t.Plan.Steps[t.Step]
	l.Page = step.To
	if t.Status != New {
		return
	}
	if t.Step+1 == len(t.Plan.Steps) {
		l.span("step", now, t.Plan.Repeat)
		return
	}
	next, came := t.Plan.Steps[t.Step+1], now
	if due := t.alarm(StepAlarm); now.Sub(due) <= onTime {
		came = due
	}
	l.span("step", t.From, next.After)
	l.span("step", came, next.After-step.After)
	l.span("repeat", now, t.Plan.Repeat)
}

// spanStep asks when a step is due: by its clock, and at its distance from the
// page before it.
func (t Ticket) spanStep(l *Lookup, step int) {
	l.span("step", t.From, t.Plan.Steps[step].After)
	if n := len(t.Pages); n > 0 && step > 0 {
		l.span("step", t.Pages[n-1].At, t.Plan.Steps[step].After-t.Plan.Steps[step-1].After)
	}
}

func (l *Lookup) span(name string, from time.Time, after time.Duration) {
	if after > 0 {
		l.Spans = append(l.Spans, Span{name, from, after})
	}
}

// times reads the findings' moments by name; of two with one name the later
// counts.
func (l Lookup) times(f Findings) Times {
	var out Times
	for i, span := range l.Spans {
		if i >= len(f.Times) {
			break
		}
		var slot *time.Time
		switch span.Name {
		case "step":
			slot = &out.Step
		case "repeat":
			slot = &out.Repeat
		case "respond":
			slot = &out.Respond
		default:
			slot = &out.Resolve
		}
		if f.Times[i].After(*slot) {
			*slot = f.Times[i]
		}
	}
	return out
}

// found turns findings into events. An alarm that was cleared or armed anew since
// the question came up is not served: its answer is out of date.
func found(t Ticket, c Command, now time.Time) []Event {
	l, f := *c.Lookup, *c.Findings
	times := l.times(f)
	event := func(kind Kind) Event { return Event{At: now, Kind: kind, Actor: System} }
	var events []Event
	served := func(kind AlarmKind) bool { return slices.Contains(l.Alarms, kind) && t.rings(kind, l.At) }
	if served(PlanAlarm) {
		e := event(Planned)
		e.Times = &Times{Respond: times.Respond, Resolve: times.Resolve}
		if t.alarm(StepAlarm).IsZero() { // not put off what was raised by hand meanwhile
			e.Times.Step = times.Step
		}
		events = append(events, e)
	}
	if served(WaveAlarm) || served(ReplaceAlarm) {
		e := event(Offered)
		e.To, e.Seen, e.Round, e.Until = f.Wave, f.Seen, 1, now.Add(t.Plan.Wave.Every)
		if f.Reminder {
			e.Round = reminderRound
		}
		if !served(WaveAlarm) {
			e.Step = replacement
			if at := t.alarm(WaveAlarm); !at.IsZero() {
				e.Until = at
			}
		}
		events = append(events, e)
	}
	if served(StepAlarm) {
		e := event(Escalated)
		e.Seen = f.Seen
		e.To, e.Step, e.Times, e.Text = f.Page, t.Step, &Times{Step: times.Step, Repeat: times.Repeat}, l.Page
		if len(f.Page) == 0 && t.Step+1 < len(t.Plan.Steps) {
			e.Times = &Times{Step: now} // nobody to call: the next step at once
		}
		events = append(events, e)
	} else if served(RepeatAlarm) {
		e := event(PagedAgain)
		e.To, e.Times = f.Page, &Times{Repeat: times.Repeat}
		events = append(events, e)
	}
	return events
}

const (
	reminderRound = 2
	replacement   = 1 // Event.Step of an offer that replaces a declined one
)
