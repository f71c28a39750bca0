package ticket

// Status is where a ticket stands.
type Status string

// The states of a ticket. What people read for them stands in notice.
const (
	New       Status = "new"
	Assigned  Status = "assigned"
	Pending   Status = "pending"
	Resolved  Status = "resolved"
	Closed    Status = "closed"
	Cancelled Status = "cancelled"
)

// Open tells whether somebody may still be asked to work on it.
func (s Status) Open() bool { return s == New || s == Assigned || s == Pending }

// Priority is P1 (urgent) to P4 (low).
type Priority string

// The priorities.
const (
	P1 Priority = "P1"
	P2 Priority = "P2"
	P3 Priority = "P3"
	P4 Priority = "P4"
)

// Verb is what somebody wants done to a ticket.
type Verb string

// The verbs that change a ticket. The words people type for them stand in
// command, the rules for them in the rules table.
const (
	Take         Verb = "take"
	Drop         Verb = "drop"    // R: decline an offer, or give back what is mine
	Decline      Verb = "decline" // an offer only, never what is mine
	Done         Verb = "done"
	Close        Verb = "close"
	Note         Verb = "note"
	Ask          Verb = "ask"
	Tell         Verb = "tell"
	Write        Verb = "write" // the requester adds something
	Withdraw     Verb = "withdraw"
	Reopen       Verb = "reopen"
	Up           Verb = "up"
	Pass         Verb = "pass"
	Takeover     Verb = "takeover"
	Snooze       Verb = "snooze"
	Keep         Verb = "keep" // OK to "you have had it for 2 h without news"
	TakeBack     Verb = "undo"
	Assign       Verb = "assign"
	Reprioritise Verb = "reprioritise"
	Replan       Verb = "replan" // take over the policy of today
	Merge        Verb = "merge"
	Cancel       Verb = "cancel"
	Hush         Verb = "cancel-escalation"
)

// Party is a person as a ticket remembers one.
type Party struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Via is the channel that reaches the person about this ticket: sms, im, or
	// empty when a notice would reach nobody.
	Via string `json:"via,omitempty"`
}
