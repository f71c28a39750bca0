package desk_test

import (
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/store"
)

func TestSamePlace(t *testing.T) {
	t.Parallel()
	var h desk.WaitHistory
	for i := range 100 { // the first in line waited 1 to 100 min, the second twice as long
		h.Waits = append(h.Waits, store.Wait{Place: 1, Took: time.Duration(i+1) * time.Minute}, store.Wait{Place: 2, Took: 2 * time.Duration(i+1) * time.Minute})
	}
	for range 20 {
		h.Waits = append(h.Waits, store.Wait{Place: 5, Took: time.Minute})
	}
	for range 19 {
		h.Waits = append(h.Waits, store.Wait{Place: 3, Took: time.Minute})
	}
	for _, c := range []struct {
		place, claims int
		low, high     time.Duration
		ok            bool
	}{
		{1, 0, 20 * time.Minute, 90 * time.Minute, true},
		{2, 6, 40 * time.Minute, 180 * time.Minute, true},
		{1, 1, 20 * time.Minute, 90 * time.Minute, true},
		{1, 60, 20 * time.Minute, 90 * time.Minute, true},
		{5, 1, 1 * time.Minute, 5 * time.Hour, true}, // the fifth at one an hour, whatever it was before
		{3, 60, 0, 0, false},                         // 19 are too few
		{4, 60, 0, 0, false},
	} {
		h.Claims = c.claims
		low, high, ok := desk.SamePlace.Guess(c.place, h)
		if low != c.low || high != c.high || ok != c.ok {
			t.Errorf("place %d, %d claims an hour: %v to %v, %v; want %v to %v, %v", c.place, c.claims, low, high, ok, c.low, c.high, c.ok)
		}
	}
}
