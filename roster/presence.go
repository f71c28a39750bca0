package roster

import (
	"slices"
	"time"
)

// PresenceState is what a person's IM clients say, all of them together.
type PresenceState string

// The states of presence. Unknown is who never let us see it.
const (
	Available PresenceState = "available"
	Away      PresenceState = "away"
	Busy      PresenceState = "busy"
	Offline   PresenceState = "offline"
	Unknown   PresenceState = "unknown"
)

// Presence is a person's presence in IM.
type Presence struct {
	State    PresenceState `json:"state"`
	Show     string        `json:"show,omitempty"`   // the client's own word: "", chat, away, dnd, xa
	Reason   string        `json:"reason,omitempty"` // its free text
	Since    time.Time     `json:"since,omitzero"`
	LastSeen time.Time     `json:"last_seen,omitzero"`
}

// There tells whether a message sent by IM would be on a screen now.
func (p Presence) There() bool {
	return p.State == Available || p.State == Away || p.State == Busy
}

// undisturbed tells whether the person asked for no ordinary interruption.
func (p Presence) undisturbed() bool { return p.Show == "dnd" || p.Show == "xa" }

// Member is a person together with what is known about them now.
type Member struct {
	Person
	Presence   Presence
	Holding    []int     // numbers of the tickets they hold
	AwayUntil  time.Time // AWAY was said; zero when not
	AwayReason string
	Stopped    bool      // texts to their phone are stopped
	LastAsked  time.Time // the last offer of any ticket; zero when never
}

// Away tells whether the person said AWAY and the time is not over.
func (m Member) Away(at time.Time) bool { return m.AwayUntil.After(at) }

// InIM tells whether an IM would be on a screen of theirs now.
func (m Member) InIM() bool { return m.JID != "" && m.Presence.There() }

// texts tells whether a text may go to their phone.
func (m Member) texts() bool { return m.Phone != "" && !m.Stopped }

// OnDuty tells whether the person may be offered tickets at a time: an agent,
// named in no rotation or on a shift that covers the time, not AWAY, and with a
// channel left that is not stopped.
func OnDuty(m Member, rota []Rotation, overrides []Override, at time.Time) bool {
	if !m.Is(Agent) || m.Away(at) || !m.texts() && m.JID == "" {
		return false
	}
	named := false
	for _, r := range rota {
		if turn, ok := r.onTurn(overrides, at); ok && turn == m.ID {
			return true
		}
		named = named || slices.Contains(r.Members(), m.ID)
	}
	return !named
}
