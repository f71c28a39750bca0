package roster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OnCall returns whom to call at a time, in order, and until when that order
// holds; a zero until means that no hand-over is ahead.
//
// The first is the one whose turn it is, then those who follow in the rotation.
// A group with several rotations is called level by level: everybody whose turn
// it is, in the order of the rotations, then everybody who follows. People with
// the role oncall who stand in no rotation come last, in the order of the file,
// and are the whole chain when no rotation of the group is running. An empty
// group stands for all rotations, and a rotation without a group serves every
// group. Ids that people does not name are left out, and so is who is
// replaced by an override.
//
// A rotation whose zone or Every is not valid (see File.Validate) is left out.
func OnCall(rota []Rotation, overrides []Override, people []Person, group string, at time.Time) (chain []string, until time.Time) {
	soonest := func(t time.Time) {
		if t.After(at) && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	add := func(id string) {
		known := slices.ContainsFunc(people, func(p Person) bool { return p.ID == id })
		if known && !slices.Contains(chain, id) {
			chain = append(chain, id)
		}
	}

	var lines [][]string
	var replaced []string
	for _, r := range rota {
		if group != "" && r.Group != "" && r.Group != group {
			continue
		}
		line, _, next := r.line(at)
		soonest(next)
		for i, id := range line {
			line[i] = stand(id, r, overrides, at)
			if line[i] != id {
				replaced = append(replaced, id)
			}
		}
		lines = append(lines, line)
		for _, o := range overrides {
			if o.Group == "" || o.Group == r.Group {
				soonest(o.From)
				soonest(o.Until)
			}
		}
	}
	for level := range longest(lines) {
		for _, line := range lines {
			if level < len(line) {
				add(line[level])
			}
		}
	}
	for _, p := range people {
		if p.Is(OnCallee) && !slices.Contains(replaced, p.ID) {
			add(p.ID)
		}
	}
	return chain, until
}

func longest(lines [][]string) int {
	n := 0
	for _, line := range lines {
		n = max(n, len(line))
	}
	return n
}

// onTurn returns whose shift it is; ok is false before the rotation starts.
func (r Rotation) onTurn(overrides []Override, at time.Time) (id string, ok bool) {
	line, _, _ := r.line(at)
	if len(line) == 0 {
		return "", false
	}
	return stand(line[0], r, overrides, at), true
}

// line returns the rotation's people, the one whose turn it is first, and the
// hand-overs before and after. Before the start there is no line and the start is
// next.
func (r Rotation) line(at time.Time) (line []string, begin, next time.Time) {
	hours, err := r.hours()
	zone, zerr := time.LoadLocation(r.Zone)
	if err != nil || zerr != nil || len(r.People) == 0 {
		return nil, time.Time{}, time.Time{}
	}
	if at.Before(r.Start) {
		return nil, time.Time{}, r.Start
	}
	// Hand-overs keep their time on the wall: they are counted on the local
	// calendar, which normalises, and not by adding hours to an instant.
	start := r.Start.In(zone)
	handOver := func(shift int) time.Time {
		if shift == 0 {
			return r.Start
		}
		return time.Date(start.Year(), start.Month(), start.Day(), start.Hour()+shift*hours,
			start.Minute(), start.Second(), start.Nanosecond(), zone)
	}
	shift := int(at.Sub(r.Start) / (time.Duration(hours) * time.Hour))
	for !handOver(shift + 1).After(at) {
		shift++
	}
	for handOver(shift).After(at) {
		shift--
	}
	turn := shift % len(r.People)
	return slices.Concat(r.People[turn:], r.People[:turn]), handOver(shift), handOver(shift + 1)
}

// hours is the length of a shift on the wall clock.
func (r Rotation) hours() (int, error) {
	switch r.Every {
	case "week":
		return 7 * 24, nil
	case "day":
		return 24, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(r.Every, "h"))
	if err != nil || !strings.HasSuffix(r.Every, "h") || n < 1 || n > 24*366 {
		return 0, fmt.Errorf(`every %q: use week, day or whole hours such as "12h"`, r.Every)
	}
	return n, nil
}
