package roster

import (
	"cmp"
	"slices"
	"time"
)

// How a person is reached.
const (
	ViaSMS = "sms"
	ViaIM  = "im"
)

// Asked is one offer of a ticket that a person was sent.
type Asked struct {
	ID       string
	At       time.Time
	Round    int // 1 for the offer, 2 for the reminder
	Declined bool
}

// Pick is one person to ask, and how.
type Pick struct {
	ID       string
	Via      string // ViaIM or ViaSMS
	Reminder bool   // asked for the second time
}

// The classes of people to ask, first to last.
const (
	free = iota
	available
	notInIM
	awayOrBusy
	undisturbed // dnd and xa: asked about urgent tickets only
)

func (m Member) class() int {
	switch {
	case !m.InIM():
		return notInIM
	case m.Presence.undisturbed():
		return undisturbed
	case m.Presence.State != Available:
		return awayOrBusy
	case len(m.Holding) == 0:
		return free
	}
	return available
}

// Wave chooses at most size people to ask about a ticket. Members are those on
// duty (OnDuty), in the order that settles ties; asked is everybody who was
// asked about this ticket since its search began.
//
// Nobody is chosen twice before everybody who can be asked was. Then come
// reminders, one each, and not for those who declined. Who is AWAY, or cannot be
// reached now, is not chosen. Urgent also asks those who do not want to be
// disturbed.
func Wave(members []Member, asked []Asked, size int, urgent bool, at time.Time) []Pick {
	type candidate struct {
		Member
		via   string
		class int
		last  time.Time
	}
	var fresh, again []candidate
	for _, m := range members {
		via, class := m.now(), m.class()
		if via == "" || m.Away(at) || class == undisturbed && !urgent {
			continue
		}
		h := historyOf(m.ID, asked)
		c := candidate{m, via, class, m.LastAsked}
		if h.last.After(c.last) {
			c.last = h.last
		}
		switch {
		case h.rounds == 0:
			fresh = append(fresh, c)
		case h.rounds == 1 && !h.declined:
			again = append(again, c)
		}
	}

	chosen := fresh
	if len(fresh) == 0 {
		chosen = again
	}
	slices.SortStableFunc(chosen, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.class, b.class), a.last.Compare(b.last))
	})
	var picks []Pick
	for _, c := range chosen[:min(max(size, 0), len(chosen))] {
		picks = append(picks, Pick{ID: c.ID, Via: c.via, Reminder: len(fresh) == 0})
	}
	return picks
}

// history is what a person was asked about one ticket.
type history struct {
	rounds   int
	declined bool
	last     time.Time
}

func historyOf(id string, asked []Asked) (h history) {
	for _, a := range asked {
		if a.ID != id {
			continue
		}
		h.rounds = max(h.rounds, a.Round, 1)
		h.declined = h.declined || a.Declined
		if a.At.After(h.last) {
			h.last = a.At
		}
	}
	return h
}

// now returns the channel that shows the person a message at once, or nothing.
func (m Member) now() string {
	switch {
	case m.InIM():
		return ViaIM
	case m.texts():
		return ViaSMS
	}
	return ""
}

// Reach returns the channel for one notice; ok is false when there is none, or
// none is wanted. People who work on tickets get it where they see it at once,
// else by IM, which keeps it for them. Requesters get it as they prefer, else by
// SMS when they have a number that is not stopped, else by IM. Who is inactive gets
// none.
func Reach(m Member) (via string, ok bool) {
	if m.Inactive {
		return "", false
	}
	if m.Works() {
		via = m.now()
	} else {
		switch {
		case m.Prefers == "none":
			return "", false
		case m.Prefers == ViaIM && m.JID != "":
			via = ViaIM
		case m.texts():
			via = ViaSMS
		}
	}
	if via == "" && m.JID != "" {
		via = ViaIM
	}
	return via, via != ""
}

// PageVia returns the channels of a page: SMS always, and IM too when the person
// is there. It is empty for who is to be passed over.
func PageVia(m Member) []string {
	var via []string
	if m.texts() {
		via = append(via, ViaSMS)
	}
	if m.InIM() {
		via = append(via, ViaIM)
	}
	return via
}
