package workflows

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"

	"deskbell/ticket"
)

// Task queues. A gateway's queue is polled only while it is bound or logged in.
const (
	Queue    = "deskbell"
	SMSQueue = "deskbell-sms"
	IMQueue  = "deskbell-im"
)

// Names of the Ticket workflow's messages.
const (
	TypeName      = "Ticket"
	CommandSignal = "command" // ticket.Command; for whoever does not wait
	CommandUpdate = "command" // ticket.Command -> Reply; for whoever waits
	SnapshotQuery = "snapshot"
	// ClockSignal moves the workflow's idea of the present by a time.Duration. Tests
	// only: it is ignored unless the workflow was started with Input.TestClock.
	ClockSignal = "clock"
)

// Types of an update's application errors: a refusal, with a ticket.Refusal as
// its details, and a command that the ticket does not understand.
const (
	RefusedType = "refused"
	InvalidType = "invalid"
)

// ID is the id of a ticket's workflow.
func ID(number int) string { return "ticket-" + strconv.Itoa(number) }

// Search attributes. They hold no personal data but the holder's login.
var (
	TicketStatus     = temporal.NewSearchAttributeKeyKeyword("TicketStatus")
	TicketPriority   = temporal.NewSearchAttributeKeyInt64("TicketPriority")
	TicketAssignee   = temporal.NewSearchAttributeKeyKeyword("TicketAssignee")
	TicketGroup      = temporal.NewSearchAttributeKeyKeyword("TicketGroup")
	TicketDue        = temporal.NewSearchAttributeKeyTime("TicketDue")
	TicketEscalation = temporal.NewSearchAttributeKeyInt64("TicketEscalation")
	TicketChannel    = temporal.NewSearchAttributeKeyKeyword("TicketChannel")
)

// SearchAttributes are those that a namespace must know.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{TicketStatus, TicketPriority, TicketAssignee, TicketGroup, TicketDue, TicketEscalation, TicketChannel}
}

// Input starts the workflow of a ticket: with its opening, or, for a ticket whose
// workflow has ended, with its number, or from where an earlier run left off.
type Input struct {
	Opening *ticket.Opening `json:"opening,omitempty"`
	// Found is what the opening's first lookup found, if whoever starts the workflow
	// made it. It saves the ticket an activity, and the people a moment.
	Found  *Found `json:"found,omitempty"`
	Number int    `json:"number,omitempty"`
	State  *State `json:"state,omitempty"`
	// LocalLookups has lookups made within the workflow task that needs them. Tickets
	// whose run began before 0.4 schedule an activity for each.
	LocalLookups bool `json:"local_lookups,omitempty"`
	// TestClock is set where a test may move the clock, with its offset at the
	// start.
	TestClock *time.Duration `json:"test_clock,omitempty"`
}

// Found is a lookup and what it found.
type Found struct {
	Lookup   ticket.Lookup   `json:"lookup"`
	Findings ticket.Findings `json:"findings"`
}

// Reply answers an update.
type Reply struct {
	Ticket ticket.Ticket `json:"ticket"`
}

// State is everything a ticket's workflow knows. It is carried from run to run.
type State struct {
	Ticket ticket.Ticket `json:"ticket"`
	// Commands are the ids of the last commands, the oldest first.
	Commands []string `json:"commands,omitempty"`
	// Unprojected are the events that PostgreSQL does not have yet, Outbox the
	// notices that were not handed to a channel yet.
	Unprojected []ticket.Event  `json:"unprojected,omitempty"`
	Outbox      []ticket.Notice `json:"outbox,omitempty"`
}

// Attributes are a ticket's search attributes.
func Attributes(t ticket.Ticket) []temporal.SearchAttributeUpdate {
	priority, _ := strconv.ParseInt(string(t.Priority[len(t.Priority)-1:]), 10, 64)
	updates := []temporal.SearchAttributeUpdate{
		TicketStatus.ValueSet(string(t.Status)),
		TicketPriority.ValueSet(priority),
		TicketEscalation.ValueSet(int64(t.Reached)),
		keyword(TicketChannel, t.Channel), keyword(TicketAssignee, t.Assignee.ID), keyword(TicketGroup, t.Group),
	}
	if due := t.DueAt(); !due.IsZero() {
		return append(updates, TicketDue.ValueSet(due))
	}
	return append(updates, TicketDue.ValueUnset())
}

func keyword(key temporal.SearchAttributeKeyKeyword, value string) temporal.SearchAttributeUpdate {
	if value == "" {
		return key.ValueUnset()
	}
	return key.ValueSet(value)
}
