// Package desk is the one door to the tickets. SMS, IM, REST, the pages and the
// command line all come in here: it knows who is speaking, which ticket is meant
// and what was meant, and hands it to the ticket's workflow. What is only a
// question it answers itself. It knows no wire and no HTTP.
package desk

import (
	"errors"
	"time"

	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Errors that callers branch on. A *ticket.Refusal says that the rules forbid
// what was asked.
var (
	ErrNotFound = errors.New("no such ticket")
	// ErrUnavailable says that PostgreSQL cannot be reached: nothing was kept.
	ErrUnavailable = errors.New("the helpdesk's database cannot be reached")
	// ErrUndecided says that the command was handed over, or may have been, and its
	// outcome is not known yet. The same command id may be sent again.
	ErrUndecided = errors.New("the ticket has not answered yet")
	// ErrKeyReused says that an idempotency key came with another request before.
	ErrKeyReused = errors.New("this Idempotency-Key was used for another request")
	// ErrUnknownToken says that a token is not known, revoked or expired.
	ErrUnknownToken = errors.New("unknown token")
	// ErrSignedOut says that a session or a link to sign in with is not known, used
	// or expired.
	ErrSignedOut = errors.New("not signed in")
	// ErrChanged says that what was to be changed is not in the version that was seen.
	ErrChanged = errors.New("changed meanwhile")
	// ErrNotAllowed says that the caller may not do this.
	ErrNotAllowed = errors.New("not allowed")
	// ErrBusy says that more was asked for than can be done now; nothing was kept.
	ErrBusy = errors.New("too much at once")
)

// InvalidError is bad input: which field, and what to do.
type InvalidError struct{ Field, Problem string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Problem }

// Submission is a new ticket.
type Submission struct {
	Subject   string          // 1 to 300 characters
	Body      string          // up to 64 kB, may be empty
	Priority  ticket.Priority // P3 when empty
	Requester string          // person id
	Group     string
	Channel   string // rest, web, sms, im
	// Key makes the submission idempotent within Scope; empty for none. Hash
	// identifies the request's content.
	Key, Scope, Hash string
}

// Act is a verb on a ticket by somebody who waits for its outcome.
type Act struct {
	// ID identifies the command: the same id is the same command.
	ID       string
	Person   roster.Person
	Channel  string // rest or web
	Number   int
	Verb     ticket.Verb
	Text     string
	To       string // person id
	Until    time.Time
	Priority ticket.Priority
	// Quiet says that the actor is answered by the caller and not by the ticket.
	Quiet bool
	// By is who acts for Person, by a token that lets them: a person's id, for the
	// audit; empty when it is Person.
	By string
	// Version is the ticket's that the actor saw; the act is refused on any other. 0:
	// on all.
	Version int
}

// Filter selects tickets; zero fields select all.
type Filter = store.Filter

// Token is an API token without its secret.
type Token = store.Token

// Audit is one act; AuditFilter selects some.
type (
	Audit       = store.Audit
	AuditFilter = store.AuditFilter
)

// AgentView is somebody who works on tickets, as others see them.
type AgentView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Presence string    `json:"presence"` // available, away, busy, offline, unknown
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Holding  []int     `json:"holding"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	// Via is the channel that reaches them now: sms, im, or empty. OnDuty says that
	// they are asked when a ticket comes in.
	Via    string `json:"via,omitempty"`
	OnDuty bool   `json:"on_duty"`
}

// OnCallView is who is called, in order, until when.
type OnCallView struct {
	Until  time.Time `json:"until,omitzero"`
	People []string  `json:"people"`
}

// Line is one entry of a ticket's timeline.
type Line struct {
	Seq     int       `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Channel string    `json:"channel,omitempty"`
	Event   string    `json:"event"`
	Text    string    `json:"text,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// Change tells watchers that something on the board changed.
type Change struct {
	Kind   string // "ticket", "agent", "gateway"
	Number int    // the ticket, when Kind is "ticket"
}

// Board is the state of the desk at one moment.
type Board struct {
	At       time.Time
	Waiting  []ticket.Ticket // the first who wait: most urgent first, oldest first within
	Working  []ticket.Ticket // the last who were taken, assigned and pending
	Agents   []AgentView
	OnCall   OnCallView
	Gateways []GatewayView
	Recent   []RecentEvent // the last events of all tickets but the Unheard, newest first
	// Incidents are those that are known now, the latest first.
	Incidents []Incident
	// Estimate is that of a ticket that would come in now.
	Estimate Estimate
	// Closed says that it is outside the office hours of every group; Opens is when
	// the first of them begin.
	Closed bool
	Opens  time.Time
	// Names maps the ids in OnCall to names.
	Names map[string]string
	// InLine, InWork and OnHold (some of those in work) count all, and Oldest is the
	// submission of the oldest in line; zero for none.
	InLine, InWork, OnHold int
	Oldest                 time.Time
}

// GatewayView is the state of a channel.
type GatewayView struct {
	Channel string // sms, im
	Up      bool
	Since   time.Time // when it came up; zero while it is down
	Backlog int       // messages due
	// Links are what the channel's link consists of, where that is several (each SMSC),
	// by name.
	Links []LinkView
}

// LinkView is one of several ways of a channel.
type LinkView struct {
	Name  string
	Up    bool
	Since time.Time // when it came up; zero while it is down
}

// RecentEvent is one line of the board's ticker.
type RecentEvent struct {
	Number int
	Line   Line
}

// RehearsalView is what would happen to a ticket that nobody takes.
type RehearsalView struct {
	Priority ticket.Priority `json:"priority"`
	Group    string          `json:"group,omitempty"`
	At       time.Time       `json:"at"`    // the submission
	Until    time.Time       `json:"until"` // the policy's last step
	Lines    []RehearsedLine `json:"lines"` // in order of time
	Holes    int             `json:"holes"`
}

// RehearsedLine is somebody who would be asked or called, or a hole.
type RehearsedLine struct {
	At      time.Time `json:"at"`
	Person  string    `json:"person,omitempty"` // an id
	Name    string    `json:"name,omitempty"`
	Channel string    `json:"channel,omitempty"` // sms, im
	Message string    `json:"message,omitempty"` // offer, reminder, page, mgr_nobody
	Hole    string    `json:"hole,omitempty"`    // what is missing, in words
}
