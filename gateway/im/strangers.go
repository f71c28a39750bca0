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
	limiters map[string]*acquaintance
}

type acquaintance struct {
	*rate.Limiter
	told bool // the log knows that they write too much
}

func newStrangers(now clock.Clock) *strangers {
	return &strangers{clock: now, limiters: map[string]*acquaintance{}}
}

// allow tells whether one more message is kept; news that from now on none is.
func (s *strangers) allow(jid string) (allowed, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limiters[jid]
	if l == nil {
		if len(s.limiters) >= maxStrangers {
			clear(s.limiters)
		}
		l = &acquaintance{Limiter: rate.NewLimiter(strangerRefill, strangerBurst)}
		s.limiters[jid] = l
	}
	allowed = l.AllowN(s.clock.Now(), 1)
	news, l.told = !allowed && !l.told, !allowed
	return allowed, news
}
