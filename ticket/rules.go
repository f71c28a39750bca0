package ticket

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Message names a text of notice.
type Message string

// Command is somebody's wish. The desk fills in who the actor is; the ticket
// decides.
type Command struct {
	ID       string    `json:"id"` // the same wish has the same id, however often it arrives
	Verb     Verb      `json:"verb"`
	Actor    Party     `json:"actor"`
	Works    bool      `json:"works,omitempty"`   // the actor may work on tickets
	Manages  bool      `json:"manages,omitempty"` // the actor is a manager
	Channel  string    `json:"channel,omitempty"` // where the command came in
	Text     string    `json:"text,omitempty"`
	To       Party     `json:"to,omitzero"`
	Until    time.Time `json:"until,omitzero"` // a snooze's end; for a take what the actor promises, or zero
	Number   int       `json:"number,omitempty"`
	Priority Priority  `json:"priority,omitempty"`
	Plan     *Plan     `json:"plan,omitempty"`
	// Duty are the people on duty now, for a reopening that looks for its holder.
	Duty []Party `json:"duty,omitempty"`
	// Confirmed says that the actor answered YES to the question the verb asks, or
	// proved who they are where a sender could be forged.
	Confirmed bool `json:"confirmed,omitempty"`
	// Quiet says that somebody else answers the actor.
	Quiet bool `json:"quiet,omitempty"`
	// Version is the ticket's that the actor saw; the command is refused on any
	// other. 0: on all.
	Version int `json:"version,omitempty"`

	Lookup   *Lookup   `json:"-"`
	Findings *Findings `json:"-"`
}

// Changed refuses a command for another version of the ticket.
const Changed Message = "changed"

// Verbs that no person uses.
const (
	tick      Verb = "tick"
	foundVerb Verb = "found"
	LostPage  Verb = "lost-page"  // a page to Command.To did not arrive
	LostOffer Verb = "lost-offer" // an offer to Command.To did not arrive
)

// Tick is the passing of time: whatever is due by now happens.
func Tick() Command { return Command{Verb: tick, Actor: System, Works: true, Manages: true} }

// Found hands back what a Lookup asked for.
func Found(l Lookup, f Findings) Command {
	return Command{Verb: foundVerb, Actor: System, Works: true, Manages: true, Lookup: &l, Findings: &f}
}

// Refusal is why a command changed nothing.
type Refusal struct {
	Message Message   `json:"message"`
	Who     Party     `json:"who,omitzero"`
	At      time.Time `json:"at,omitzero"`
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused: %s", r.Message) }

// Harmless tells that the ticket already is as the actor wished.
func (r *Refusal) Harmless() bool { return r.Message == "take_again" || r.Message == "decline_ok" }

// Forbidden tells that the actor may not do it to any ticket in this state.
func (r *Refusal) Forbidden() bool {
	return r.Message == "req_agents_only" || r.Message == "manager_only" || r.Message == "req_not_yours" || r.Message == "takeover_urgent"
}

// Refused returns the refusal in err, if there is one.
func Refused(err error) (*Refusal, bool) { return errors.AsType[*Refusal](err) }

// column is a state as the actor sees it.
type column int

const (
	isNew column = iota
	isMine
	isOthers
	isOfferedToMe // held by a colleague who asked me to take it
	isPending     // mine
	isResolved
	isClosed
	isCancelled
	columns
)

var columnNames = [columns]string{"New", "Assigned mine", "Assigned other's", "passed to me", "Pending mine", "Resolved", "Closed", "Cancelled"}

// cell is what a verb does in a state. Do is what happens, in order; without it,
// or when the condition in If fails, Refuse is the answer; without that, nothing
// happens. Managers may do what Manager says.
type cell struct {
	Do      []Kind
	If      func(t Ticket, c Command, now time.Time) bool
	Refuse  Message
	Manager []Kind
	Note    string // what the table prints for If
}

func do(kinds ...Kind) cell    { return cell{Do: kinds} }
func say(message Message) cell { return cell{Refuse: message} }

// nothing happens, and nobody hears.
var nothing cell

func (c cell) orManager(kinds ...Kind) cell { c.Manager = kinds; return c }

func (c cell) when(note string, cond func(Ticket, Command, time.Time) bool, otherwise Message) cell {
	c.Note, c.If, c.Refuse = note, cond, otherwise
	return c
}

// clearance is who may use a verb at all.
type clearance int

const (
	workers clearance = iota
	managers
	requester       // of this ticket
	requesterOrWork // the requester of this ticket, or whoever works
)

type rule struct {
	Verb  Verb
	By    clearance
	Cells [columns]cell
}

// over fills the three states of the past.
func over(resolved, closed, cancelled cell) [3]cell { return [3]cell{resolved, closed, cancelled} }

var past = over(say("take_closed"), say("take_closed"), say("take_withdrawn"))

func row(verb Verb, by clearance, fresh, mine, others, offered, pending cell, after [3]cell) rule {
	return rule{verb, by, [columns]cell{fresh, mine, others, offered, pending, after[0], after[1], after[2]}}
}

func confirmed(_ Ticket, c Command, _ time.Time) bool { return c.Confirmed }

func withdraw(kind Kind) cell { return do(kind).when("after YES", confirmed, "req_withdraw") }

// replan changes nothing, silently, where the policy is what it was.
func replan() cell { return do(Replanned).when("another policy than before", replans, "") }

func replans(t Ticket, c Command, _ time.Time) bool {
	a, b := t.Plan, *c.Plan
	if !slices.Equal(a.Steps, b.Steps) {
		return true
	}
	a.Steps, b.Steps = nil, nil
	return !reflect.DeepEqual(a, b)
}

func lastHolder(t Ticket, c Command, _ time.Time) bool {
	return c.Manages || t.Assignee.ID == c.Actor.ID
}

func notForged(t Ticket, c Command, _ time.Time) bool {
	return t.Priority != P1 || c.Channel != "sms" || c.Confirmed
}

// promises tells whether a take says by when, and it is not so already.
func promises(t Ticket, c Command, now time.Time) bool {
	return c.Until.After(now) && !c.Until.Equal(t.ExpectedAt())
}

func within30Days(t Ticket, _ Command, now time.Time) bool { return now.Sub(t.ClosedAt) <= reopenFor }

func isOffered(t Ticket, c Command, _ time.Time) bool { return t.offered(c.Actor.ID) }

// rules is the specification: every verb in every state. docs/lifecycle.md is
// printed from it.
var rules = []rule{
	row(Take, workers, do(Taken), do(Promised).when("with another time", promises, "take_again"), say("owned"), do(Passed), say("take_again"), past),
	row(Drop, workers, do(Declined).when("offered to me", isOffered, "decline_ok"), do(Released), say("release_not_yours"), do(PassRefused), do(Released),
		over(say("done_already"), say("done_already"), say("take_withdrawn"))),
	row(Decline, workers, do(Declined).when("offered to me", isOffered, "decline_ok"), say("take_again"), say("owned"), do(PassRefused), say("take_again"), past),
	row(Done, workers, do(Taken, Solved).when("after YES", confirmed, "done_not_taken"), do(Solved), say("owned"), say("owned"), do(Solved),
		over(say("done_already"), say("done_already"), say("take_withdrawn"))),
	row(Close, workers, say("done_not_taken"), do(Solved, Shut), say("owned").orManager(Solved, Shut), say("owned").orManager(Solved, Shut), do(Solved, Shut),
		over(do(Shut).when("last holder or manager", lastHolder, "done_already"), nothing, say("take_withdrawn"))),
	row(Note, workers, do(Noted), do(Noted), say("owned").orManager(Noted), say("owned").orManager(Noted), do(Noted),
		over(do(Noted).when("last holder or manager", lastHolder, "take_closed"), do(Noted).when("last holder or manager", lastHolder, "take_closed"), do(Noted).when("last holder or manager", lastHolder, "take_withdrawn"))),
	row(Ask, workers, say("ask_not_taken"), do(Asked), say("owned"), say("owned"), do(Asked), past),
	row(Tell, workers, say("ask_not_taken"), do(Told), say("owned"), say("owned"), do(Told), past),
	row(Write, requester, do(Written), do(Written), do(Written), do(Written), do(Written),
		over(do(Written), say("req_too_late"), say("req_too_late"))),
	row(Withdraw, requester, withdraw(Withdrawn), withdraw(Withdrawn), withdraw(Withdrawn), withdraw(Withdrawn), withdraw(Withdrawn),
		over(withdraw(Shut), say("req_too_late"), say("req_too_late"))),
	row(Reopen, requesterOrWork, say("open_already"), say("take_again"), say("open_already"), say("open_already"), say("take_again"),
		over(do(Reopened), do(Reopened).when("agent or manager, within 30 days", func(t Ticket, c Command, now time.Time) bool { return c.Works && within30Days(t, c, now) }, "req_too_late"),
			say("take_withdrawn").orManager(Reopened))),
	row(Up, workers, do(Raised), do(Raised), say("owned").orManager(Raised), say("owned").orManager(Raised), do(Raised), past),
	row(Pass, workers, say("ask_not_taken"), do(PassOffered), say("owned"), say("owned"), do(PassOffered), past),
	row(Takeover, workers, do(Taken), say("take_again"), do(TakenOver).when("a P1 not by SMS without PIN", notForged, "takeover_urgent"), do(Passed), say("take_again"), past),
	row(Snooze, workers, say("manager_only").orManager(Snoozed), do(Snoozed), say("owned"), say("owned"), do(Snoozed), past),
	row(Keep, workers, say("ask_not_taken"), do(Kept), say("owned"), say("owned"), do(Kept), past),
	row(Assign, managers, do(AssignedTo), do(AssignedTo), do(AssignedTo), do(AssignedTo), do(AssignedTo), past),
	row(Reprioritise, managers, do(Reprioritised), do(Reprioritised), do(Reprioritised), do(Reprioritised), do(Reprioritised), past),
	row(Replan, managers, replan(), replan(), replan(), replan(), replan(), past),
	row(Merge, managers, do(MergedInto), do(MergedInto), do(MergedInto), do(MergedInto), do(MergedInto), past),
	row(Cancel, managers, do(Withdrawn), do(Withdrawn), do(Withdrawn), do(Withdrawn), do(Withdrawn), past),
	row(Hush, managers, do(Hushed), do(Hushed), do(Hushed), do(Hushed), do(Hushed), past),
}

// seenBy returns the column that t is in for the actor. A ticket that a manager
// put off before anybody held it is still nobody's.
func seenBy(t Ticket, actor Party) column {
	switch t.Status {
	case New:
		return isNew
	case Resolved:
		return isResolved
	case Closed:
		return isClosed
	case Cancelled:
		return isCancelled
	}
	switch {
	case t.Assignee.ID == "":
		return isNew
	case t.Assignee.ID == actor.ID && t.Status == Pending:
		return isPending
	case t.Assignee.ID == actor.ID:
		return isMine
	case t.Pass != nil && t.Pass.To.ID == actor.ID:
		return isOfferedToMe
	}
	return isOthers
}

// Apply is the only place where a ticket changes. It returns the changed ticket
// and what happened, or the ticket as it was and a *Refusal. A command that
// changes nothing and needs no answer returns no events and no error.
func Apply(t Ticket, c Command, now time.Time) (Ticket, []Event, error) {
	events, err := decide(t, c, now)
	if err != nil {
		return t, nil, err
	}
	for i := range events {
		events[i].Seq = t.Version + 1
		t = Evolve(t, events[i])
	}
	return t, events, nil
}

func decide(t Ticket, c Command, now time.Time) ([]Event, error) {
	if c.Version != 0 && c.Version != t.Version {
		return nil, &Refusal{Message: Changed}
	}
	switch c.Verb {
	case tick:
		return passTime(t, now), nil
	case foundVerb:
		if c.Lookup == nil || c.Findings == nil {
			return nil, errors.New("ticket: found what was not looked up")
		}
		return found(t, c, now), nil
	case LostPage:
		return pageFailed(t, c, now), nil
	case LostOffer:
		return offerFailed(t, c, now), nil
	case TakeBack:
		return undo(t, c, now)
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return r.Verb == c.Verb })
	if i < 0 {
		return nil, fmt.Errorf("ticket: unknown verb %q", c.Verb)
	}
	rule := rules[i]
	if err := rule.allows(t, c); err != nil {
		return nil, err
	}
	cell := rule.Cells[seenBy(t, c.Actor)]
	kinds := cell.Do
	if c.Manages && cell.Manager != nil {
		kinds = cell.Manager
	} else if cell.If != nil && !cell.If(t, c, now) {
		kinds = nil
	}
	if len(kinds) == 0 {
		if cell.Refuse == "" {
			return nil, nil
		}
		return nil, t.refuse(c.Verb, cell.Refuse, now)
	}
	events := make([]Event, len(kinds))
	for i, kind := range kinds {
		events[i] = t.event(kind, c, now)
		events[i].More = i+1 < len(kinds)
	}
	return events, nil
}

// complete tells whether a command says what its verb needs to know.
func (c Command) complete() error {
	missing := ""
	switch {
	case (c.Verb == Pass || c.Verb == Assign) && c.To.ID == "":
		missing = "a person"
	case c.Verb == Snooze && c.Until.IsZero():
		missing = "a time"
	case c.Verb == Reprioritise && c.Priority == "":
		missing = "a priority"
	case c.Verb == Replan && c.Plan == nil:
		missing = "a plan"
	case c.Verb == Merge && c.Number == 0:
		missing = "a ticket"
	}
	if missing != "" {
		return fmt.Errorf("ticket: %s needs %s", c.Verb, missing)
	}
	return nil
}

func (r rule) allows(t Ticket, c Command) error {
	mine := c.Actor.ID == t.Requester.ID
	switch r.By {
	case workers:
		if !c.Works {
			return &Refusal{Message: "req_agents_only"}
		}
	case managers:
		if !c.Manages {
			return &Refusal{Message: "manager_only"}
		}
	case requester:
		if !mine {
			return &Refusal{Message: "req_not_yours"}
		}
	case requesterOrWork:
		if !mine && !c.Works {
			return &Refusal{Message: "req_not_yours"}
		}
	}
	return nil
}

// refuse fills in whom and when the refusal speaks of.
func (t Ticket) refuse(verb Verb, m Message, now time.Time) *Refusal {
	r := &Refusal{Message: m, Who: t.Assignee, At: t.ClaimedAt}
	switch {
	case verb == Take && m == "owned" && now.Sub(t.ClaimedAt) <= justTaken:
		r.Message = "take_lost"
	case t.Status == Resolved:
		r.Who, r.At = t.Assignee, t.ResolvedAt
	case t.Status == Closed || t.Status == Cancelled:
		r.Who, r.At = t.ClosedBy, t.ClosedAt
		if t.Assignee.ID != "" && t.Status == Closed {
			r.Who = t.Assignee
		}
	}
	return r
}

// event is the command as a fact.
func (t Ticket) event(kind Kind, c Command, now time.Time) Event {
	e := Event{At: now, Kind: kind, Actor: c.Actor, Cause: c.ID, Quiet: c.Quiet, Channel: c.Channel, Text: c.Text}
	switch kind {
	case Taken, Passed, Promised:
		if c.Verb == Done {
			e.Text = ""
		}
		if c.Verb == Take && c.Until.After(now) {
			e.Until = c.Until
		}
	case Shut:
		if c.Verb != Withdraw {
			e.Text = ""
		}
	case Written:
		if t.Status == Pending && t.Waits == waitsAnswer {
			e.Kind = Answered
		}
	case AssignedTo:
		e.To = []Party{c.To}
	case PassOffered:
		e.To, e.Until = []Party{c.To}, now.Add(passFor)
	case Snoozed:
		e.Until = c.Until
	case MergedInto:
		e.Number = c.Number
	case Reopened:
		e.To = reopenedTo(t, c)
	case Reprioritised:
		e.Priority, e.Plan = c.Priority, c.Plan
	case Replanned:
		e.Priority, e.Plan = t.Priority, c.Plan
	}
	return e
}

// reopenedTo is the holder after a reopening: the agent who reopens it, or, when
// the requester does, the last holder if that person is on duty; otherwise nobody.
func reopenedTo(t Ticket, c Command) []Party {
	if t.Status != Resolved || c.Actor.ID != t.Requester.ID {
		return []Party{c.Actor}
	}
	for _, p := range c.Duty {
		if p.ID == t.Assignee.ID {
			return []Party{p}
		}
	}
	return nil
}

// passTime is what happens by itself at the earliest due alarm, and at those
// after it.
func passTime(t Ticket, now time.Time) []Event {
	var events []Event
	for range len(t.Alarms) + 1 {
		e, ok := t.overdue(now)
		if !ok {
			break
		}
		events = append(events, e)
		e.Seq = t.Version + 1
		t = Evolve(t, e)
	}
	return events
}

var byItself = []struct {
	alarm AlarmKind
	kind  Kind
}{
	{PassAlarm, PassRefused}, {LapseAlarm, Lapsed}, {BreachAlarm, Breached}, {PromiseAlarm, Slipped}, {StaleAlarm, WentStale}, {AnswerAlarm, Unanswered}, {WakeAlarm, Woken}, {CloseAlarm, Shut},
}

func (t Ticket) overdue(now time.Time) (Event, bool) {
	for _, b := range byItself {
		if t.rings(b.alarm, now) {
			return Event{At: now, Kind: b.kind, Actor: System}, true
		}
	}
	return Event{}, false
}

func pageFailed(t Ticket, c Command, now time.Time) []Event {
	i := slices.IndexFunc(t.Pages, func(p Page) bool { return p.To.ID == c.To.ID && p.To.Via == c.To.Via && !p.Failed })
	if i < 0 || t.Status != New && !(t.Plan.Breach && t.Status == Assigned) {
		return nil
	}
	return []Event{{At: now, Kind: PageFailed, Actor: System, To: []Party{c.To}, Text: c.Text}}
}

// offerFailed is for an offer that somebody waits for an answer to; one whose wave is
// over has had its successors.
func offerFailed(t Ticket, c Command, now time.Time) []Event {
	if t.Status != New || !slices.ContainsFunc(t.Offers, func(o Offer) bool {
		return o.To.ID == c.To.ID && o.To.Via == c.To.Via && !o.Declined && o.Until.After(now)
	}) {
		return nil
	}
	return []Event{{At: now, Kind: OfferFailed, Actor: System, To: []Party{c.To}, Text: c.Text}}
}

// undo takes back the actor's last command. What cannot be taken back, or was
// done too long ago, says so; what somebody else changed since names them.
func undo(t Ticket, c Command, now time.Time) ([]Event, error) {
	if !c.Works {
		return nil, &Refusal{Message: "req_agents_only"}
	}
	u := t.Undo
	switch {
	case u == nil || now.Sub(u.At) > undoFor:
		return nil, &Refusal{Message: "undo_none"}
	case u.Actor.ID != c.Actor.ID:
		return nil, &Refusal{Message: "undo_moved", Who: u.Actor, At: u.At}
	case !slices.Contains(undoable, u.Kind):
		return nil, &Refusal{Message: "undo_none"}
	}
	return []Event{t.event(Undone, c, now)}, nil
}

var undoable = []Kind{Taken, Released, Solved, Shut, PassOffered, Snoozed, Asked}
