package ticket

import (
	"slices"
	"time"
)

// AlarmKind names what an alarm is for.
type AlarmKind string

// The alarms. The first group needs a lookup, the second changes the ticket by
// itself.
const (
	PlanAlarm    AlarmKind = "plan"    // look up the targets and the first step
	WaveAlarm    AlarmKind = "wave"    // ask the next people
	ReplaceAlarm AlarmKind = "replace" // somebody declined, or cannot be reached: ask one more
	StepAlarm    AlarmKind = "step"    // call the next in the chain
	RepeatAlarm  AlarmKind = "repeat"  // call the last one again

	PromiseAlarm AlarmKind = "promise" // what the holder promised has not come
	BreachAlarm  AlarmKind = "breach"  // the resolve target passes: call somebody to help
	StaleAlarm   AlarmKind = "stale"   // ask the holder for news
	LapseAlarm   AlarmKind = "lapse"   // the holder did not answer: back to the queue
	AnswerAlarm  AlarmKind = "answer"  // no answer from the requester: tell the holder
	WakeAlarm    AlarmKind = "wake"    // a snooze ends
	PassAlarm    AlarmKind = "pass"    // a hand-over was not taken
	CloseAlarm   AlarmKind = "close"   // a resolved ticket closes
)

var lookupAlarms = []AlarmKind{PlanAlarm, WaveAlarm, ReplaceAlarm, StepAlarm, RepeatAlarm}

// Alarm is a time at which something happens by itself.
type Alarm struct {
	Kind AlarmKind `json:"kind"`
	At   time.Time `json:"at"`
}

// Due returns the earliest alarm; ok is false when nothing will happen by itself.
func (t Ticket) Due() (a Alarm, ok bool) {
	for _, b := range t.Alarms {
		if !ok || b.At.Before(a.At) {
			a, ok = b, true
		}
	}
	return a, ok
}

func (t Ticket) alarm(kind AlarmKind) time.Time {
	for _, a := range t.Alarms {
		if a.Kind == kind {
			return a.At
		}
	}
	return time.Time{}
}

func (t Ticket) rings(kind AlarmKind, now time.Time) bool {
	at := t.alarm(kind)
	return !at.IsZero() && !at.After(now)
}

// set arms one alarm; a zero time clears it.
func (t *Ticket) set(kind AlarmKind, at time.Time) {
	t.clear(kind)
	if !at.IsZero() {
		t.Alarms = append(t.Alarms, Alarm{kind, at})
	}
}

func (t *Ticket) clear(kinds ...AlarmKind) {
	t.Alarms = slices.DeleteFunc(slices.Clone(t.Alarms), func(a Alarm) bool { return slices.Contains(kinds, a.Kind) })
}

// enter arms what the state that was just entered brings with it.
func (t *Ticket) enter(now time.Time) {
	t.Alarms = nil
	if t.Status.Open() && (t.Status == New || t.ResolveBy.IsZero() && t.Plan.Resolve > 0) {
		t.set(PlanAlarm, now)
	}
	switch t.Status {
	case New:
		t.set(WaveAlarm, now)
	case Assigned:
		t.set(StaleAlarm, now.Add(t.Plan.Lease))
		if t.Promise != nil && !t.Promise.Slipped {
			t.set(PromiseAlarm, t.Promise.By)
		}
		t.watchTarget(now)
	case Pending:
		if t.Waits == waitsAnswer {
			t.set(AnswerAlarm, now.Add(t.Plan.Silence))
		} else {
			t.set(WakeAlarm, t.Until)
		}
	case Resolved:
		t.set(CloseAlarm, now.Add(t.Plan.AutoClose))
	}
	if t.Pass != nil {
		t.set(PassAlarm, t.Pass.Until)
	}
	if t.Raised != nil {
		t.set(StepAlarm, now)
	}
}

// watchTarget arms the alarm for a resolve target that is still ahead.
func (t *Ticket) watchTarget(now time.Time) {
	if t.Plan.Breach && t.ResolveBy.After(now) {
		t.set(BreachAlarm, t.ResolveBy)
	}
}

// search starts the search for a holder anew: the clocks of the steps start
// again. Whoever is in except is not asked. An escalation by hand that has not
// happened yet still will.
func (t *Ticket) search(now time.Time, except Party) {
	t.Queue = Queue{From: now, Raised: t.Raised}
	if except.ID != "" {
		t.Offers = []Offer{{To: except, At: now, Until: now, Round: 1, Declined: true}}
	}
}
