package policy

import "time"

// Add returns the moment at which d has passed since from: by the clock, or, for
// office, in office hours only.
func (p Policy) Add(office bool, from time.Time, d time.Duration) time.Time {
	if !office {
		return from.Add(d).UTC()
	}
	return p.office.add(from, d)
}
