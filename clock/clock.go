// Package clock is the one source of the present. Nothing else in Deskbell reads
// the machine's time for a decision, so a test can move a whole running system
// by an hour without waiting for it. It also knows when the clocks on the wall of a
// zone show a time.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the present, in UTC.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now returns the machine's time in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

// Movable is the machine's clock plus an offset that may change while others
// read it. The zero value has no offset.
type Movable struct {
	offset atomic.Int64
}

// Now returns the machine's time plus the offset, in UTC.
func (m *Movable) Now() time.Time { return time.Now().UTC().Add(m.Offset()) }

// Offset returns the distance to the machine's clock.
func (m *Movable) Offset() time.Duration { return time.Duration(m.offset.Load()) }

// Set replaces the offset.
func (m *Movable) Set(offset time.Duration) { m.offset.Store(int64(offset)) }
