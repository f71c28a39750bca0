// Package roster is the people: who they are, who is there, who is on duty and
// who is on call. It is pure: no clock, no store, no network.
package roster

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Role is what a person is to the helpdesk.
type Role string

// The roles. Whoever is agent, on call or manager may work on tickets.
const (
	Requester Role = "requester"
	Agent     Role = "agent"
	OnCallee  Role = "oncall"
	Manager   Role = "manager"
	Admin     Role = "admin"
)

// Roles is one role or several. It reads from "agent" as well as from
// ["agent", "oncall"], and writes the shorter form.
type Roles []Role

// UnmarshalJSON reads one role or a list.
func (r *Roles) UnmarshalJSON(data []byte) error {
	var one Role
	if err := json.Unmarshal(data, &one); err == nil {
		*r = Roles{one}
		return nil
	}
	var many []Role
	if err := json.Unmarshal(data, &many); err != nil {
		return fmt.Errorf("role: want a word or a list of words")
	}
	*r = many
	return nil
}

// MarshalJSON writes one role as a word and several as a list.
func (r Roles) MarshalJSON() ([]byte, error) {
	if len(r) == 1 {
		return json.Marshal(r[0])
	}
	return json.Marshal([]Role(r))
}

// Person is somebody in the directory.
type Person struct {
	ID       string `json:"id"` // login, [a-z0-9-]+
	Name     string `json:"name"`
	Roles    Roles  `json:"role"`
	Phone    string `json:"phone,omitempty"`    // E.164
	JID      string `json:"jid,omitempty"`      // bare, lower case
	Password string `json:"password,omitempty"` // IM account made in development mode; never stored
	Language string `json:"language,omitempty"` // BCP 47; English when empty
	Loc      string `json:"loc,omitempty"`      // where to find them, in their words
	Group    string `json:"group,omitempty"`
	Prefers  string `json:"prefers,omitempty"` // sms, im or none: how a requester is told
	PIN      string `json:"pin,omitempty"`
	// Inactive is who works here no more: they have no role, nothing reaches them, and
	// what they say is a stranger's. No file says so.
	Inactive bool `json:"-"`
}

// Is tells whether the person has the role, and is active.
func (p Person) Is(role Role) bool { return !p.Inactive && slices.Contains(p.Roles, role) }

// Works tells whether the person may take tickets and work on them.
func (p Person) Works() bool { return p.Is(Agent) || p.Is(OnCallee) || p.Is(Manager) }

// Rotation is a turn of people that hands over at regular times, or a plan of
// shifts that were fixed one by one.
type Rotation struct {
	Group  string         `json:"group"`
	Name   string         `json:"name"`
	Zone   string         `json:"zone"`             // IANA name; UTC when empty
	Start  time.Time      `json:"start,omitzero"`   // the first hand-over
	Every  string         `json:"every,omitempty"`  // "week", "day", hours such as "12h", or times such as "mon 08:00, fri 17:00"
	People []string       `json:"people,omitempty"` // ids, in turn
	Shifts []PlannedShift `json:"shifts,omitempty"` // in place of start, every and people; in order of time
}

// PlannedShift is one shift of a plan.
type PlannedShift struct {
	Person string    `json:"person"` // an id
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"` // over at this instant
}

// Change is what somebody changed about a rotation.
type Change struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"` // a person's id; empty for a people file
	Group  string    `json:"group"`
	Name   string    `json:"name"`
	Before *Rotation `json:"before,omitempty"` // nil when it was added
	After  *Rotation `json:"after,omitempty"`  // nil when it was removed
}
