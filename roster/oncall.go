package roster

import (
	"slices"
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
// inactive or replaced by an override.
//
// A rotation whose zone or Every is not valid (see File.Validate) is left out.
func OnCall(rota []Rotation, overrides []Override, people []Person, group string, at time.Time) (chain []string, until time.Time) {
	soonest := func(t time.Time) {
		if t.After(at) && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	add := func(id string) {
		known := slices.ContainsFunc(people, func(p Person) bool { return p.ID == id && !p.Inactive })
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
		}
		lines = append(lines, line)
		for _, o := range overrides {
			if o.of(r) {
				soonest(o.From)
				soonest(o.Until)
			}
			if o.covers(r, at) {
				replaced = append(replaced, o.Instead)
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

// OnTurn tells whether a shift of somebody's is under way at a time.
func OnTurn(rota []Rotation, overrides []Override, id string, at time.Time) bool {
	return slices.ContainsFunc(rota, func(r Rotation) bool {
		turn, ok := r.onTurn(overrides, at)
		return ok && turn == id
	})
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
// hand-overs before and after; a zero next means that none is ahead. There is no
// line while it is nobody's turn: before the start, and between the shifts of a
// plan.
func (r Rotation) line(at time.Time) (line []string, begin, next time.Time) {
	if len(r.Shifts) > 0 {
		return r.planned(at)
	}
	zone, err := time.LoadLocation(r.Zone)
	every, err2 := parseCadence(r.Every)
	if err != nil || err2 != nil || len(r.People) == 0 {
		return nil, time.Time{}, time.Time{}
	}
	if at.Before(r.Start) {
		return nil, time.Time{}, r.Start
	}
	handOver := every.handOvers(r.Start, zone)
	shift := int(at.Sub(r.Start) / every.average())
	for !handOver(shift + 1).After(at) {
		shift++
	}
	for handOver(shift).After(at) {
		shift--
	}
	turn := shift % len(r.People)
	return slices.Concat(r.People[turn:], r.People[:turn]), handOver(shift), handOver(shift + 1)
}
