package signin

import (
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"deskbell/clock"
)

// Limiter lets each of many through so often. It is safe for concurrent use.
type Limiter struct {
	limit rate.Limit
	burst int
	clock clock.Clock

	mu     sync.Mutex
	since  time.Time
	recent map[string]*rate.Limiter
	before map[string]*rate.Limiter
}

// forget is after how long somebody who did not come again is forgotten, at the
// latest twice that; longer than a burst takes to be had again.
const forget = 10 * time.Minute

// NewLimiter lets each through limit times a second in the long run, burst times at
// once.
func NewLimiter(limit rate.Limit, burst int, c clock.Clock) *Limiter {
	return &Limiter{limit: limit, burst: burst, clock: c, recent: map[string]*rate.Limiter{}}
}

// Wait is 0 for whom it lets through, else how long to wait.
func (l *Limiter) Wait(who string) time.Duration {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since).Abs() > forget {
		l.since, l.before, l.recent = now, l.recent, map[string]*rate.Limiter{}
	}
	one := l.recent[who]
	if one == nil {
		if one = l.before[who]; one == nil {
			one = rate.NewLimiter(l.limit, l.burst)
		}
		l.recent[who] = one
	}
	r := one.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// Seconds is a wait as Retry-After has it.
func Seconds(wait time.Duration) string {
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}
