package ticket

import (
	"slices"
	"time"
)

// Evolve returns the ticket after an event. It is total: it checks nothing.
func Evolve(t Ticket, e Event) Ticket {
	before := t.Position
	t.Version = e.Seq
	switch e.Kind {
	case Opened:
		o := e.Opening
		t = Ticket{Number: o.Number, Subject: o.Subject, Body: o.Body, Requester: o.Requester, Group: o.Group, Channel: o.Channel,
			CreatedAt: o.CreatedAt, Priority: o.Priority, Plan: o.Plan, Version: e.Seq}
		t.wait(o.CreatedAt, Party{})
		t.enter(e.At)
	case Planned:
		t.plan(e)
	case Offered:
		t.offer(e)
	case Declined:
		t.decline(e.Actor, e.At)
	case OfferFailed:
		t.decline(e.To[0], e.At)
	case Taken, Passed, TakenOver:
		t.hold(e.Actor, e.At)
		t.promise(e)
	case Promised:
		t.promise(e)
	case AssignedTo:
		t.hold(e.To[0], e.At)
	case Released, Lapsed:
		t.wait(e.At, before.Assignee)
	case Solved:
		t.ResolvedAt, t.Resolution = e.At, e.Text
		t.leave(Resolved, e.At)
	case Shut, MergedInto:
		t.end(Closed, e)
		t.Merged = e.Number
	case Withdrawn:
		t.end(Cancelled, e)
	case Reopened:
		t.reopen(e)
	case Asked:
		t.pend(waitsAnswer, e)
		t.Question = e.Text
	case Snoozed:
		t.pend(waitsTime, e)
		t.Until = e.Until
		t.enter(e.At)
	case Answered, Woken:
		t.resume(e.At)
	case PassOffered:
		t.Pass = &Handover{To: e.To[0], Until: e.Until}
		t.set(PassAlarm, e.Until)
	case PassRefused:
		t.Pass = nil
		t.clear(PassAlarm)
	case WentStale:
		t.askForNews(e.At)
	case Slipped:
		t.Promise = &Promise{By: t.Promise.By, Slipped: true}
		t.clear(PromiseAlarm)
		if t.alarm(LapseAlarm).IsZero() {
			t.askForNews(e.At)
		}
	case Unanswered:
		t.set(AnswerAlarm, e.At.Add(askAgain))
	case Escalated, PagedAgain:
		t.page(e)
	case PageFailed:
		t.losePage(e)
	case Raised:
		t.Hushed = false
		t.raise(Raise{By: Party{e.Actor.ID, e.Actor.Name, e.Channel}, Cause: e.Cause}, e.At)
	case Breached:
		t.clear(BreachAlarm)
		if t.Raised == nil {
			t.raise(Raise{By: System}, e.At)
		}
	case Hushed:
		t.Hushed, t.Raised = true, nil
		t.clear(StepAlarm, RepeatAlarm, BreachAlarm)
	case Reprioritised, Replanned:
		t.reprioritise(e)
	case Undone:
		t.undo(e)
	}
	t.hear(e)
	t.remember(before, e)
	return t
}

// hold gives the ticket to p.
func (t *Ticket) hold(p Party, at time.Time) {
	t.resumeClock(at)
	t.Position = Position{Status: Assigned, Assignee: p, ClaimedAt: at}
	t.stopSearch()
	t.enter(at)
	t.Announced = p.Name
}

func (t *Ticket) promise(e Event) {
	if !e.Until.IsZero() {
		t.Promise = &Promise{By: e.Until}
		t.set(PromiseAlarm, e.Until)
	}
}

// raise has the next step of the chain happen now.
func (t *Ticket) raise(r Raise, at time.Time) {
	t.Raised = &r
	t.clear(RepeatAlarm)
	t.set(StepAlarm, at)
}

// askForNews has the holder asked, and the ticket go back when there is no answer.
func (t *Ticket) askForNews(at time.Time) {
	t.clear(StaleAlarm)
	t.set(LapseAlarm, at.Add(max(t.Plan.Lease/4, minLapse)))
}

// wait puts the ticket back into the queue. A colleague who was asked to take it
// over is asked on, like anybody.
func (t *Ticket) wait(at time.Time, except Party) {
	t.resumeClock(at)
	pass := t.Pass
	t.Position = Position{Status: New}
	t.Announced = ""
	t.search(at, except)
	if pass != nil {
		t.Offers = append(t.Offers, Offer{To: pass.To, At: at, Until: at.Add(t.Plan.Wave.Every), Round: 1})
	}
	t.enter(at)
}

// stopSearch forgets who was asked; how far it escalated stays known.
func (t *Ticket) stopSearch() { t.Queue = Queue{Reached: t.Reached} }

func (t *Ticket) end(status Status, e Event) {
	t.ClosedAt, t.ClosedBy = e.At, e.Actor
	t.leave(status, e.At)
}

// leave ends the work on the ticket: nobody waits for anything, nobody is asked.
func (t *Ticket) leave(status Status, at time.Time) {
	t.resumeClock(at)
	t.Status, t.Pass, t.Promise = status, nil, nil
	t.Waits, t.Question, t.PendingSince, t.Until = "", "", time.Time{}, time.Time{}
	t.stopSearch()
	t.enter(at)
}

func (t *Ticket) reopen(e Event) {
	t.Reopened++
	t.Merged = 0
	if len(e.To) > 0 {
		t.hold(e.To[0], e.At)
		return
	}
	t.wait(e.At, Party{})
}

func (t *Ticket) pend(waits string, e Event) {
	if t.Status != Pending {
		t.PendingSince = e.At
	}
	t.Status, t.Waits, t.Question, t.Until, t.Promise = Pending, waits, "", time.Time{}, nil
	t.stopSearch()
	t.enter(e.At)
}

// resume ends a pause: the ticket is its holder's again, or waits when it had
// none.
func (t *Ticket) resume(at time.Time) {
	if t.Assignee.ID == "" {
		t.wait(at, Party{})
		return
	}
	t.resumeClock(at)
	t.Position = Position{Status: Assigned, Assignee: t.Assignee, ClaimedAt: t.ClaimedAt, Pass: t.Pass}
	t.enter(at)
}

// resumeClock moves the resolve target by the time that it stood still.
func (t *Ticket) resumeClock(at time.Time) {
	if t.Status != Pending {
		return
	}
	pause := at.Sub(t.PendingSince)
	t.Paused += pause
	if !t.ResolveBy.IsZero() {
		t.ResolveBy = t.ResolveBy.Add(pause)
	}
}

func (t *Ticket) plan(e Event) {
	t.clear(PlanAlarm)
	if !e.Times.Respond.IsZero() {
		t.RespondBy = e.Times.Respond
	}
	if !e.Times.Resolve.IsZero() {
		t.ResolveBy = e.Times.Resolve.Add(t.Paused)
	}
	if t.Status == New && !t.Hushed && !e.Times.Step.IsZero() {
		t.set(StepAlarm, e.Times.Step)
	}
	if t.Status == Assigned {
		t.watchTarget(e.At)
	}
}

func (t *Ticket) offer(e Event) {
	for _, p := range e.To {
		t.Offers = append(slices.Clip(t.Offers), Offer{To: p, At: e.At, Until: e.Until, Round: e.Round})
	}
	t.clear(ReplaceAlarm)
	if e.Step == replacement {
		return
	}
	every := t.Plan.Wave.Every
	if len(e.To) > 0 {
		t.Empty = 0
	} else {
		// Nobody is left to ask; look again, more and more seldom.
		every = min(every<<min(t.Empty, 10), max(maxEmptyWait, every))
		t.Empty++
	}
	t.clear(WaveAlarm)
	if every > 0 {
		t.set(WaveAlarm, e.At.Add(every))
	}
}

// decline has somebody else asked in place of p.
func (t *Ticket) decline(p Party, at time.Time) {
	t.Offers = slices.Clone(t.Offers)
	for i := range t.Offers {
		if t.Offers[i].To.ID == p.ID {
			t.Offers[i].Declined, t.Offers[i].Until = true, at
		}
	}
	t.set(ReplaceAlarm, at)
}

func (t *Ticket) page(e Event) {
	before := t.Pages
	for _, p := range e.To {
		earlier := func(old Page) bool { return old.To.ID == p.ID && old.To.Via == p.Via }
		step := e.Step + 1
		if i := slices.IndexFunc(before, func(old Page) bool { return old.To.ID == p.ID }); i >= 0 && e.Kind == PagedAgain {
			step = before[i].Step
		}
		t.Pages = append(slices.DeleteFunc(slices.Clone(t.Pages), earlier), Page{To: p, At: e.At, Step: step})
	}
	t.clear(RepeatAlarm)
	if e.Kind == Escalated {
		t.set(StepAlarm, e.Times.Step)
		t.Step = (e.Step + 1) % max(1, len(t.Plan.Steps))
		t.Reached = max(t.Reached, min(e.Step+1, len(t.Plan.Steps)))
		if !e.passedOver() {
			t.Raised = nil
		}
	}
	if t.Status == New {
		t.set(RepeatAlarm, e.Times.Repeat)
	}
}

// passedOver tells whether a step found nobody to call and the next is due at
// once.
func (e Event) passedOver() bool { return len(e.To) == 0 && e.Times.Step.Equal(e.At) }

// losePage marks a page that did not arrive. When nothing of the last call
// arrived, the next step is due at once; after the last step the chain starts
// again no sooner than it would have.
func (t *Ticket) losePage(e Event) {
	t.Pages = slices.Clone(t.Pages)
	for i := range t.Pages {
		if p := &t.Pages[i]; p.To.ID == e.To[0].ID && p.To.Via == e.To[0].Via {
			p.Failed = true
		}
	}
	if t.Step == 0 || t.Hushed {
		return
	}
	last := t.Pages[len(t.Pages)-1].At
	for _, p := range t.Pages {
		if p.At.Equal(last) && !p.Failed {
			return
		}
	}
	t.clear(RepeatAlarm)
	t.set(StepAlarm, e.At)
}

func (t *Ticket) reprioritise(e Event) {
	t.Priority = e.Priority
	if e.Plan != nil {
		t.Plan = *e.Plan
	}
	t.RespondBy, t.ResolveBy = time.Time{}, time.Time{}
	t.Step = min(t.Step, max(0, len(t.Plan.Steps)-1))
	again := t.alarm(RepeatAlarm)
	t.enter(e.At)
	t.set(RepeatAlarm, again)
}

func (t *Ticket) undo(e Event) {
	undone, pass := t.Undo, t.Pass
	if undone.Kind == PassOffered {
		pass = nil
	}
	paused := t.Status == Pending
	if undone.Before.Status != Pending {
		t.resumeClock(e.At)
	}
	t.Position = undone.Before
	if t.Status == Pending && !paused {
		t.PendingSince = undone.At // what came before has moved the target already
	}
	t.Pass = pass
	if t.Status == New {
		t.search(e.At, e.Actor)
	} else {
		t.stopSearch()
	}
	t.enter(e.At)
	t.Undo = nil
	t.Announced = t.Assignee.Name
}

// hear restarts the lease when the holder gives a sign of life. What is told to the
// requester keeps a promise.
func (t *Ticket) hear(e Event) {
	signs := e.Kind == Kept || e.Kind == Noted || e.Kind == Told || e.Kind == PassOffered || e.Kind == Raised || e.Kind == Promised
	if signs && t.Status == Assigned && e.Actor.ID == t.Assignee.ID {
		if e.Kind == Told {
			t.Promise = nil
			t.clear(PromiseAlarm)
		}
		t.clear(LapseAlarm)
		t.set(StaleAlarm, e.At.Add(t.Plan.Lease))
	}
}

// remember keeps what UNDO and the managers' card need.
func (t *Ticket) remember(before Position, e Event) {
	if e.Kind == Planned {
		return
	}
	t.Recent = append(slices.Clone(t.Recent), Line{At: e.At, Kind: e.Kind, Actor: e.Actor, To: e.To, Text: e.Text})
	if n := len(t.Recent); n > recentLines {
		t.Recent = t.Recent[n-recentLines:]
	}
	if e.Kind == Opened || e.Kind == Undone || e.Kind == Declined { // who declines leaves the ticket as it is
		return
	}
	moved := before.Status != t.Status || before.Assignee != t.Assignee
	if moved || e.Actor != System {
		t.Undo = &Undo{Actor: e.Actor, Kind: e.Kind, At: e.At, Before: before}
	}
}

// Open starts a ticket.
func Open(o Opening, now time.Time) (Ticket, []Event) {
	e := Event{Seq: 1, At: now, Kind: Opened, Actor: o.Requester, Cause: o.CommandID, Channel: o.Channel, Text: o.Subject, Opening: &o}
	return Evolve(Ticket{}, e), []Event{e}
}
