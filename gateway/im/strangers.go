package im

import (
	"sync"

	"deskbell/clock"

	"golang.org/x/time/rate"
)

// Whoever is not in the directory gets one answer a day; these many messages are
// enough to know them by.
const (
	strangerBurst  = 5
	strangerRefill = rate.Limit(1.0 / 60) // per second
	maxStrangers   = 1024                 // remembered at a time
)

// strangers limits how much of an unknown JID's writing is kept.
type strangers struct {
	clock clock.Clock

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

func newStrangers(now clock.Clock) *strangers {
	return &strangers{clock: now, limiters: map[string]*rate.Limiter{}}
}

func (s *strangers) allow(jid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limiters[jid]
	if l == nil {
		if len(s.limiters) >= maxStrangers {
			clear(s.limiters)
		}
		l = rate.NewLimiter(strangerRefill, strangerBurst)
		s.limiters[jid] = l
	}
	return l.AllowN(s.clock.Now(), 1)
}
