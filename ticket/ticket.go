package ticket

import (
	"slices"
	"time"
)

// System is the actor of what happens by itself.
var System = Party{ID: "deskbell", Name: "Deskbell"}

// Ticket is one request, from its submission to its end. It is a plain value:
// copies are independent as long as nobody writes into their slices, and this
// package never does.
type Ticket struct {
	Number    int       `json:"number"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body,omitempty"`
	Requester Party     `json:"requester"`
	Group     string    `json:"group,omitempty"`
	Channel   string    `json:"channel,omitempty"` // where it came in: rest, web, sms, im
	CreatedAt time.Time `json:"created_at"`
	Priority  Priority  `json:"priority"`
	Plan      Plan      `json:"plan"`
	// Version counts the events so far; the last event's Seq.
	Version int `json:"version"`

	Position
	Queue
	Alarms []Alarm `json:"alarms,omitempty"` // at most one of a kind

	// RespondBy and ResolveBy are the targets; zero until they were looked up.
	RespondBy time.Time `json:"respond_by,omitzero"`
	ResolveBy time.Time `json:"resolve_by,omitzero"`
	// Paused is how long the clock of the resolve target stood still in all, a pause
	// that still lasts not counted.
	Paused time.Duration `json:"paused,omitempty"`
	// Announced is the name the requester last heard, or empty.
	Announced string `json:"announced,omitempty"`
	Reopened  int    `json:"reopened,omitempty"`
	Merged    int    `json:"merged,omitempty"` // the ticket that this one went into
	Undo      *Undo  `json:"undo,omitempty"`
	Recent    []Line `json:"recent,omitempty"` // the last events, for the card that managers read
}

// Position is what an undo puts back.
type Position struct {
	Status     Status    `json:"status"`
	Assignee   Party     `json:"assignee,omitzero"` // also the last holder of a resolved ticket
	ClaimedAt  time.Time `json:"claimed_at,omitzero"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	ClosedBy   Party     `json:"closed_by,omitzero"`
	Resolution string    `json:"resolution,omitempty"`
	// Waits says what a pending ticket waits for: "answer" or "time".
	Waits        string    `json:"waits,omitempty"`
	Question     string    `json:"question,omitempty"` // what the requester was asked
	PendingSince time.Time `json:"pending_since,omitzero"`
	Until        time.Time `json:"until,omitzero"` // a snooze's end
	Pass         *Handover `json:"pass,omitempty"`
	Promise      *Promise  `json:"promise,omitempty"` // the holder's, of news or the end
}

// Handover is a colleague who was asked to take a held ticket.
type Handover struct {
	To    Party     `json:"to"`
	Until time.Time `json:"until"`
}

// Promise is when the holder said that the requester would hear, or be helped. News
// to the requester and a pause end it. The lease runs besides: whoever promises much
// and is never heard of again must not keep the ticket.
type Promise struct {
	By time.Time `json:"by"`
	// Slipped says that By passed without either, and that the requester was told.
	Slipped bool `json:"slipped,omitempty"`
}

// Queue is the search for a holder: who was asked and who was called.
type Queue struct {
	Offers []Offer `json:"offers,omitempty"`
	// Empty counts the lookups in a row that found nobody to ask.
	Empty int `json:"empty,omitempty"`
	// Pages are the calls, one of a person and channel, the latest last.
	Pages []Page `json:"pages,omitempty"`
	// From is when the clocks of the steps started.
	From time.Time `json:"from,omitzero"`
	// Step is the next step of the plan, an index. Reached is the escalation level
	// so far: 0 for none, 1 for the plan's first step.
	Step    int `json:"step,omitempty"`
	Reached int `json:"reached,omitempty"`
	// Raised is who asked for the next step by hand and awaits its outcome.
	Raised *Raise `json:"raised,omitempty"`
	// Hushed says that a manager stopped the chain for this search.
	Hushed bool `json:"hushed,omitempty"`
}

// Offer is one person who was asked.
type Offer struct {
	To       Party     `json:"to"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Round    int       `json:"round"`
	Declined bool      `json:"declined,omitempty"` // or it did not arrive
}

// Page is one call to somebody in the chain.
type Page struct {
	To     Party     `json:"to"`
	At     time.Time `json:"at"`
	Step   int       `json:"step"` // level, 1 for the first
	Failed bool      `json:"failed,omitempty"`
}

// Undo is how to take back the last command, for a while.
type Undo struct {
	Actor  Party     `json:"actor"`
	Kind   Kind      `json:"kind"`
	At     time.Time `json:"at"`
	Before Position  `json:"before"`
}

// Line is one event in short.
type Line struct {
	At    time.Time `json:"at"`
	Kind  Kind      `json:"kind"`
	Actor Party     `json:"actor,omitzero"`
	To    []Party   `json:"to,omitempty"`
	Text  string    `json:"text,omitempty"`
}

// recentLines is what fits on the card in the Temporal UI without scrolling.
const recentLines = 5

// Raise is an escalation by hand, or by a missed target.
type Raise struct {
	By    Party  `json:"by"`              // System for a missed target
	Cause string `json:"cause,omitempty"` // the command to answer
}

// Plan is a priority's policy, copied into the ticket when it opens.
type Plan struct {
	Wave      Wave          `json:"wave"`
	Steps     []Step        `json:"steps,omitempty"`
	Repeat    time.Duration `json:"repeat"`
	Lease     time.Duration `json:"lease"`
	AutoClose time.Duration `json:"auto_close"`
	Silence   time.Duration `json:"silence"` // a requester's, after a question
	Respond   time.Duration `json:"respond,omitempty"`
	Resolve   time.Duration `json:"resolve,omitempty"`
	// Breach has the next of the chain called to help when the resolve target passes
	// while somebody has the ticket. One that opened before this existed goes on without.
	Breach bool `json:"breach,omitempty"`
	// StandDown has those who were called to help a holder hear when that is over.
	// A ticket that opened before this existed goes on without.
	StandDown bool `json:"stand_down,omitempty"`

	Office bool  `json:"office,omitempty"` // steps, repeats and targets count in office hours
	Quiet  Quiet `json:"quiet,omitzero"`   // offers wait for its end
}

// Quiet are hours of the night, in minutes since midnight by the office's clock; the
// same From and Until are none.
type Quiet struct {
	From  int `json:"from"`
	Until int `json:"until"`
}

// Wave is how many people are asked at once, and how often.
type Wave struct {
	Size  int           `json:"size"`
	Every time.Duration `json:"every"`
}

// Step is one call of the chain, After the start of its clock.
type Step struct {
	After time.Duration `json:"after"`
	To    string        `json:"to"` // oncall, next, manager
}

// How long things last that no policy changes: they are about what people remember
// and how fast they answer, not about a desk's promises.
const (
	passFor      = 10 * time.Minute
	undoFor      = 10 * time.Minute
	justTaken    = 2 * time.Minute // a loser this late was in the race
	minLapse     = 10 * time.Minute
	askAgain     = 24 * time.Hour // about an answer that does not come
	reopenFor    = 30 * 24 * time.Hour
	maxEmptyWait = time.Hour
)

// Event is one change that happened. It carries what Evolve needs, so that a
// ticket can be rebuilt from its events.
type Event struct {
	Seq     int       `json:"seq"`
	At      time.Time `json:"at"`
	Kind    Kind      `json:"kind"`
	Actor   Party     `json:"actor"`
	Cause   string    `json:"cause,omitempty"` // the command's id
	Quiet   bool      `json:"quiet,omitempty"` // nobody awaits an answer from the ticket
	Channel string    `json:"channel,omitempty"`
	Text    string    `json:"text,omitempty"`
	To      []Party   `json:"to,omitempty"`
	Seen    []Seen    `json:"seen,omitempty"` // on what To was chosen
	Until   time.Time `json:"until,omitzero"`
	Step    int       `json:"step,omitempty"`
	Round   int       `json:"round,omitempty"`
	Number  int       `json:"number,omitempty"` // another ticket's
	// More says that the same command goes on with the next event, which brings
	// its answer.
	More bool `json:"more,omitempty"`
	// Priority and Plan are set when they change.
	Priority Priority `json:"priority,omitempty"`
	Plan     *Plan    `json:"plan,omitempty"`
	Times    *Times   `json:"times,omitempty"`
	// Opening is the ticket as submitted, on its first event.
	Opening *Opening `json:"opening,omitempty"`
}

// Opening is what a ticket starts from.
type Opening struct {
	Number    int       `json:"number"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body,omitempty"`
	Requester Party     `json:"requester"`
	Group     string    `json:"group,omitempty"`
	Channel   string    `json:"channel,omitempty"`
	Priority  Priority  `json:"priority"`
	CreatedAt time.Time `json:"created_at"`
	Plan      Plan      `json:"plan"`
	// CommandID identifies the submission.
	CommandID string `json:"command_id,omitempty"`
}

// Kind is what an event says happened.
type Kind string

// RequesterReads tells whether a requester may read of such an event of the own ticket:
// not the notes that agents keep, not who was asked and who declined.
func (k Kind) RequesterReads() bool {
	switch k {
	case Opened, Taken, Promised, Slipped, Released, Lapsed, Solved, Shut, Asked, Told, Written, Answered, Withdrawn, Reopened,
		Passed, TakenOver, AssignedTo, Undone, Reprioritised, MergedInto:
		return true
	}
	return false
}

// The kinds of events.
const (
	Opened        Kind = "opened"
	Planned       Kind = "planned"
	Offered       Kind = "offered"
	Declined      Kind = "declined"
	Taken         Kind = "taken"
	Promised      Kind = "promised"
	Released      Kind = "released"
	Solved        Kind = "resolved"
	Shut          Kind = "closed"
	Noted         Kind = "noted"
	Asked         Kind = "asked"
	Told          Kind = "told"
	Written       Kind = "written"
	Answered      Kind = "answered"
	Withdrawn     Kind = "withdrawn"
	Reopened      Kind = "reopened"
	Escalated     Kind = "escalated"
	PagedAgain    Kind = "paged again"
	PageFailed    Kind = "page failed"
	OfferFailed   Kind = "offer failed"
	Raised        Kind = "raised"
	PassOffered   Kind = "pass offered"
	PassRefused   Kind = "pass refused"
	Passed        Kind = "passed"
	TakenOver     Kind = "taken over"
	Snoozed       Kind = "snoozed"
	Woken         Kind = "woken"
	WentStale     Kind = "went stale"
	Slipped       Kind = "slipped"
	Breached      Kind = "breached"
	Kept          Kind = "kept"
	Lapsed        Kind = "lapsed"
	Unanswered    Kind = "unanswered"
	Undone        Kind = "undone"
	AssignedTo    Kind = "assigned"
	Reprioritised Kind = "reprioritised"
	Replanned     Kind = "replanned"
	Hushed        Kind = "escalation cancelled"
	MergedInto    Kind = "merged"
)

// Holder tells whether id holds the ticket.
func (t Ticket) Holder(id string) bool {
	return (t.Status == Assigned || t.Status == Pending) && t.Assignee.ID == id
}

// DueAt is the target that counts now; zero when none does.
func (t Ticket) DueAt() time.Time {
	switch t.Status {
	case New:
		return t.RespondBy
	case Assigned:
		return t.ResolveBy
	}
	return time.Time{}
}

// ExpectedAt is when the holder promised news or the end; zero without a promise.
func (t Ticket) ExpectedAt() time.Time {
	if t.Promise == nil {
		return time.Time{}
	}
	return t.Promise.By
}

// Late tells whether what the holder promised has not come in time, and the requester
// was told so.
func (t Ticket) Late() bool { return t.Promise != nil && t.Promise.Slipped }

// WaitingFor says in one word who must move: "agent", "holder", "requester",
// "time" or nobody.
func (t Ticket) WaitingFor() string {
	switch t.Status {
	case New:
		return "agent"
	case Assigned:
		return "holder"
	case Pending:
		if t.Waits == waitsAnswer {
			return "requester"
		}
		return "time"
	case Resolved:
		return "requester"
	}
	return ""
}

const (
	waitsAnswer = "answer"
	waitsTime   = "time"
)

// offered tells whether id has an offer that it did not decline.
func (t Ticket) offered(id string) bool {
	return slices.ContainsFunc(t.Offers, func(o Offer) bool { return o.To.ID == id && !o.Declined })
}

// Facts returns what a notice or an answer can speak of: the ticket without its
// body, its search for a holder and its clocks.
func (t Ticket) Facts() Ticket {
	reached := t.Reached
	t.Body, t.Queue, t.Alarms, t.Recent, t.Undo = "", Queue{Reached: reached}, nil, nil, nil
	t.Plan = Plan{Repeat: t.Plan.Repeat, AutoClose: t.Plan.AutoClose, Lease: t.Plan.Lease}
	return t
}
