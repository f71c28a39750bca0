package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"deskbell/ticket"
)

// Load reads a policy. Every key is optional and replaces the built-in default;
// a list of steps replaces the whole list. Durations are Go's ("90s", "1h30m")
// or plain days of 24 hours ("1d"). An error names the line, the key and what
// is allowed there.
func Load(data []byte) (Policy, error) {
	p := Default()
	var doc yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	err := documents.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return p, nil
	}
	if err == nil {
		err = p.read(value{node: doc.Content[0]})
	}
	if err == nil {
		err = end(documents)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("read policy: %w", err)
	}
	return p, nil
}

// end is an error where another document follows.
func end(documents *yaml.Decoder) error {
	var another yaml.Node
	switch err := documents.Decode(&another); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return value{node: &another}.errorf("a second document: write all in one")
}

func (p *Policy) read(v value) error {
	// What counts for all priorities is read first, so that the order of the keys
	// in a file does not matter.
	var autoClose, silence *time.Duration
	var plans, groups value
	err := v.section(
		key{"priorities", func(v value) error { plans = v; return nil }},
		key{"auto_close", func(v value) (err error) { autoClose, err = v.durationPtr(); return err }},
		key{"requester_silence", func(v value) (err error) { silence, err = v.durationPtr(); return err }},
		key{"held", func(v value) error { return v.number(&p.held, 0, 1000) }},
		key{"budget", func(v value) error { return v.number(&p.budget, 0, 1000) }},
		key{"office", p.office.read},
		key{"groups", func(v value) error { groups = v; return nil }},
	)
	if err != nil {
		return err
	}
	for _, priority := range priorities() {
		plan := p.plans[priority]
		if autoClose != nil {
			plan.AutoClose = *autoClose
		}
		if silence != nil {
			plan.Silence = *silence
		}
		p.plans[priority] = plan
	}
	if plans.node != nil {
		if err := p.readPlans(plans); err != nil {
			return err
		}
	}
	if groups.node == nil {
		return nil
	}
	p.groups, err = p.readGroups(groups)
	return err
}

func (p *Policy) readPlans(v value) error {
	var keys []key
	for _, priority := range priorities() {
		keys = append(keys, key{string(priority), func(v value) error { return p.readPlan(priority, v) }})
	}
	return v.section(keys...)
}

// readGroups reads what differs for the tickets of some groups. The rest is as for
// all tickets.
func (p Policy) readGroups(v value) (map[string]Policy, error) {
	var keys []key
	groups := map[string]Policy{}
	if v.node.Kind == yaml.MappingNode {
		for i := 0; i < len(v.node.Content); i += 2 {
			name := v.node.Content[i].Value
			keys = append(keys, key{name, func(v value) error {
				own := p
				own.plans = maps.Clone(p.plans)
				err := v.section(key{"priorities", own.readPlans}, key{"office", own.office.read})
				groups[name] = own
				return err
			}})
		}
	}
	if len(keys) == 0 {
		return nil, v.errorf("want a section with the names of groups")
	}
	return groups, v.section(keys...)
}

func (p *Policy) readPlan(priority ticket.Priority, v value) error {
	plan := p.plans[priority]
	err := v.section(
		key{"respond", func(v value) error { return v.duration(&plan.Respond) }},
		key{"resolve", func(v value) error { return v.duration(&plan.Resolve) }},
		key{"wave", func(v value) error {
			return v.section(
				key{"size", func(v value) error { return v.number(&plan.Wave.Size, 1, 100) }},
				key{"every", func(v value) error { return v.duration(&plan.Wave.Every) }},
			)
		}},
		key{"steps", func(v value) (err error) { plan.Steps, err = readSteps(v); return err }},
		key{"repeat", func(v value) error { return v.duration(&plan.Repeat) }},
		key{"hours", func(v value) error {
			word, err := v.word("always", "office")
			plan.Office = word == "office"
			return err
		}},
		key{"lease", func(v value) error { return v.duration(&plan.Lease) }},
		key{"breach", func(v value) error {
			word, err := v.word("escalate", "none")
			plan.Breach = word == "escalate"
			return err
		}},
		key{"quiet", func(v value) error { return readQuiet(v, priority, &plan.Quiet) }},
	)
	p.plans[priority] = plan
	return err
}

// readQuiet reads "22:00-07:00" or none.
func readQuiet(v value, priority ticket.Priority, q *ticket.Quiet) error {
	if v.node.Value == "none" {
		*q = ticket.Quiet{}
		return nil
	}
	if priority == ticket.P1 || priority == ticket.P2 {
		return v.errorf("only P3 and P4 may wait for the morning")
	}
	first, last, _ := strings.Cut(v.node.Value, "-")
	at := func(text string) value {
		return value{&yaml.Node{Value: strings.TrimSpace(text), Line: v.node.Line}, v.path}
	}
	var from, until clockTime
	if err := errors.Join(at(first).clock(&from), at(last).clock(&until)); err != nil {
		return v.errorf(`%q: write two times of day such as "22:00-07:00", or none`, v.node.Value)
	}
	if from%wholeDay == until%wholeDay {
		return v.errorf("from and to are the same: write none for no quiet hours")
	}
	*q = ticket.Quiet{From: int(from), Until: int(until)}
	return nil
}

func readSteps(v value) ([]ticket.Step, error) {
	if v.node.Kind != yaml.SequenceNode {
		return nil, v.errorf("want a list such as [{after: 15m, to: oncall}]")
	}
	var steps []ticket.Step
	for i, item := range v.node.Content {
		step := ticket.Step{}
		at := value{resolve(item), fmt.Sprintf("%s[%d]", v.path, i+1)}
		err := at.section(
			key{"after", func(v value) error { return v.duration(&step.After) }},
			key{"to", func(v value) (err error) { step.To, err = v.word(ToOnCall, ToNext, ToManager); return err }},
		)
		switch {
		case err != nil:
			return nil, err
		case step.After == 0 || step.To == "":
			return nil, at.errorf("a step needs both after and to")
		case i > 0 && step.After <= steps[i-1].After:
			return nil, at.errorf("after must be later than %s, the step before", steps[i-1].After)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (h *Hours) read(v value) error {
	err := v.section(
		key{"zone", func(v value) error {
			zone, err := time.LoadLocation(v.node.Value)
			// "" and "Local" would mean another zone on every machine.
			if err != nil || v.node.Value == "" || v.node.Value == "Local" {
				return v.errorf("%q is not a time zone: use a name such as Europe/Berlin or UTC", v.node.Value)
			}
			h.zone = zone
			return nil
		}},
		key{"days", func(v value) (err error) { h.days, err = readDays(v); return err }},
		key{"from", func(v value) error { return v.clock(&h.from) }},
		key{"to", func(v value) error { return v.clock(&h.to) }},
		key{"holidays", func(v value) error {
			word, err := v.word(append(countryCodes(), noHolidays)...)
			h.holidays = calendar(word)
			return err
		}},
	)
	if err == nil && h.from >= h.to {
		return v.errorf("from must be earlier than to")
	}
	return err
}

func dayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// readDays reads days and ranges of days: "mon-fri", "sun-thu", "mon,wed,sat".
func readDays(v value) (days [7]bool, err error) {
	for part := range strings.SplitSeq(v.node.Value, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(dayNames(), first), slices.Index(dayNames(), last)
		if from < 0 || to < 0 {
			return days, v.errorf("%q is no day: use %s, alone or as mon-fri, separated by commas", part, strings.Join(dayNames(), ", "))
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, nil
}

// value is one place in a policy: what stands there and how to name it.
type value struct {
	node *yaml.Node
	path string
}

// key is one name allowed in a section and what reads its value.
type key struct {
	name string
	read func(value) error
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (v value) errorf(format string, args ...any) error {
	where := fmt.Sprintf("line %d: ", v.node.Line)
	if v.path != "" {
		where += v.path + ": "
	}
	return fmt.Errorf(where+format, args...)
}

// section reads a mapping that has some of the keys, each at most once.
func (v value) section(keys ...key) error {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	if v.node.Kind != yaml.MappingNode {
		return v.errorf("want a section with %s", strings.Join(names, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i < len(v.node.Content); i += 2 {
		name := v.node.Content[i].Value
		at := value{resolve(v.node.Content[i+1]), strings.TrimPrefix(v.path+"."+name, ".")}
		known := slices.Index(names, name)
		if known < 0 {
			at.node = v.node.Content[i]
			return at.errorf("no such key: use %s", strings.Join(names, ", "))
		}
		if seen[name] {
			return at.errorf("given twice: keep one")
		}
		seen[name] = true
		if err := keys[known].read(at); err != nil {
			return err
		}
	}
	return nil
}

// Every time is between a second, so that no timer spins, and ten years.
const (
	minDuration = time.Second
	maxDuration = 3650 * 24 * time.Hour
)

func (v value) duration(d *time.Duration) error {
	text := v.node.Value
	parsed, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		parsed = time.Duration(min(max(n, 0), 10000)) * 24 * time.Hour
	}
	if err != nil || v.node.Kind != yaml.ScalarNode {
		return v.errorf("%q is not a duration: use 90s, 15m, 1h30m or 2d", text)
	}
	if parsed < minDuration || parsed > maxDuration {
		return v.errorf("%q is out of range: use 1s to 3650d", text)
	}
	*d = parsed
	return nil
}

func (v value) durationPtr() (*time.Duration, error) {
	var d time.Duration
	err := v.duration(&d)
	return &d, err
}

func (v value) number(n *int, low, high int) error {
	parsed, err := strconv.Atoi(v.node.Value)
	if err != nil || parsed < low || parsed > high {
		return v.errorf("%q: use a whole number from %d to %d", v.node.Value, low, high)
	}
	*n = parsed
	return nil
}

func (v value) word(allowed ...string) (string, error) {
	if !slices.Contains(allowed, v.node.Value) {
		return "", v.errorf("%q: use %s", v.node.Value, strings.Join(allowed, ", "))
	}
	return v.node.Value, nil
}

// clock reads a time of day, HH:MM, up to 24:00.
func (v value) clock(t *clockTime) error {
	if v.node.Value == "24:00" {
		*t = wholeDay
		return nil
	}
	at, err := time.Parse("15:04", v.node.Value)
	if err != nil {
		return v.errorf(`%q: use a time of day such as "08:00"`, v.node.Value)
	}
	*t = clockTime(at.Hour()*60 + at.Minute())
	return nil
}
