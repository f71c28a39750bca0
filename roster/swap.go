package roster

import (
	"slices"
	"time"
)

// SwapState is where a request to swap shifts stands.
type SwapState string

// The states of a swap. Asked is the only one that changes.
const (
	SwapAsked     SwapState = "asked"
	SwapAccepted  SwapState = "accepted"
	SwapDeclined  SwapState = "declined"
	SwapWithdrawn SwapState = "withdrawn"
	SwapExpired   SwapState = "expired"
)

// Swap is one person asking another to take a shift, for one of theirs in return.
type Swap struct {
	ID                  int64
	Group               string
	Asker, Other        string // ids
	From, Until         time.Time
	BackFrom, BackUntil time.Time // the other's shift in return; zero: none
	Expires             time.Time
	State               SwapState
}

// swapAhead is how far ahead people swap: as far as a feed shows them their shifts.
const swapAhead = 90 * 24 * time.Hour

// swapLife is how long a request waits: whoever is asleep reads it in the morning.
const swapLife = 24 * time.Hour

// ProposeSwap finds the shift that somebody would give away and the one that they
// would get for it: the first that begins after now, or on the day, and the other's
// next in that group at another time. Mine is false when the asker has none. It is
// open until the first of them begins, at most for a day.
func ProposeSwap(rota []Rotation, overrides []Override, asker, other string, day, now time.Time) (s Swap, mine bool) {
	// One that begins in that time may be over later, and is not cut.
	ahead := slices.DeleteFunc(Shifts(rota, overrides, nil, now, now.Add(2*swapAhead)), func(s Shift) bool { return !s.From.After(now) || s.From.After(now.Add(swapAhead)) })
	i := slices.IndexFunc(ahead, func(s Shift) bool { return s.Person == asker && (day.IsZero() || sameDay(s.From, day)) })
	if i < 0 { // a long one may only reach into the day
		i = slices.IndexFunc(ahead, func(s Shift) bool { return s.Person == asker && covers(s, day) })
	}
	if i < 0 {
		return Swap{}, false
	}
	give := ahead[i]
	s = Swap{Group: give.Group, Asker: asker, Other: other, From: give.From, Until: give.Until, Expires: earlier(now.Add(swapLife), give.From), State: SwapAsked}
	j := slices.IndexFunc(ahead, func(s Shift) bool {
		return s.Person == other && s.Group == give.Group && (!s.From.Before(give.Until) || !give.From.Before(s.Until))
	})
	if j >= 0 {
		s.BackFrom, s.BackUntil = ahead[j].From, ahead[j].Until
		s.Expires = earlier(s.Expires, s.BackFrom)
	}
	return s, true
}

func sameDay(t, day time.Time) bool {
	t = t.In(day.Location())
	return t.Year() == day.Year() && t.YearDay() == day.YearDay()
}

// covers tells whether a shift is under way at noon of a day.
func covers(s Shift, day time.Time) bool {
	noon := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, day.Location())
	return !noon.Before(s.From) && noon.Before(s.Until)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// overrides are what a swap comes to.
func (s Swap) overrides() []Override {
	list := []Override{{Group: s.Group, Person: s.Other, Instead: s.Asker, From: s.From, Until: s.Until}}
	if !s.BackFrom.IsZero() {
		list = append(list, Override{Group: s.Group, Person: s.Asker, Instead: s.Other, From: s.BackFrom, Until: s.BackUntil})
	}
	return list
}

// Accept returns how the overrides change when a swap is accepted: those that end,
// and those that are added. A shift that somebody has only because they stand in
// for who now takes it goes back. Ok is false when the rota has changed since the
// swap was asked for, and one of them is not on turn any more.
func (s Swap) Accept(rota []Rotation, present []RecordedOverride) (end []int64, add []Override, ok bool) {
	var overrides []Override
	for _, r := range present {
		overrides = append(overrides, r.Override)
	}
	for _, o := range s.overrides() {
		if !has(rota, overrides, o) {
			return nil, nil, false
		}
		back := slices.IndexFunc(present, func(r RecordedOverride) bool {
			return r.Person == o.Instead && r.Instead == o.Person && !r.From.After(o.From) && !r.Until.Before(o.Until)
		})
		if back < 0 {
			add = append(add, o)
			continue
		}
		was := present[back]
		end = append(end, was.ID)
		if before := was.Override; before.From.Before(o.From) {
			before.Until = o.From
			add = append(add, before)
		}
		if after := was.Override; o.Until.Before(after.Until) {
			after.From = o.Until
			add = append(add, after)
		}
	}
	return end, add, true
}

// has tells whether the person who is to be replaced is on turn all that time.
func has(rota []Rotation, overrides []Override, o Override) bool {
	return slices.ContainsFunc(Shifts(rota, overrides, nil, o.From, o.Until), func(s Shift) bool {
		return s.Person == o.Instead && s.Group == o.Group && !s.From.After(o.From) && !s.Until.Before(o.Until)
	})
}
