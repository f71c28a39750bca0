package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"deskbell/ticket"
)

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func load(t *testing.T, text string) Policy {
	t.Helper()
	p, err := Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// table prints plans the way the specification writes them.
func table(p Policy) string {
	var b strings.Builder
	for _, priority := range priorities() {
		plan := p.For(priority)
		hours := "always"
		if plan.Office {
			hours = "office"
		}
		fmt.Fprintf(&b, "%s %s, %d every %v,", priority, hours, plan.Wave.Size, plan.Wave.Every)
		for _, s := range plan.Steps {
			fmt.Fprintf(&b, " %v %s,", s.After, s.To)
		}
		fmt.Fprintf(&b, " repeat %v, lease %v, close %v, silence %v, respond %v, resolve %v, breach %v, stand-down %v\n",
			plan.Repeat, plan.Lease, plan.AutoClose, plan.Silence, plan.Respond, plan.Resolve, plan.Breach, plan.StandDown)
	}
	return b.String()
}

func TestDefault(t *testing.T) {
	t.Parallel()
	want := `P1 always, 3 every 5m0s, 15m0s oncall, 25m0s next, 40m0s manager, repeat 5m0s, lease 30m0s, close 72h0m0s, silence 48h0m0s, respond 15m0s, resolve 2h0m0s, breach true, stand-down true
P2 always, 3 every 10m0s, 30m0s oncall, 1h0m0s next, 1h30m0s manager, repeat 15m0s, lease 1h0m0s, close 72h0m0s, silence 48h0m0s, respond 30m0s, resolve 8h0m0s, breach true, stand-down true
P3 office, 2 every 15m0s, 4h0m0s oncall, 8h0m0s manager, repeat 4h0m0s, lease 2h0m0s, close 72h0m0s, silence 48h0m0s, respond 4h0m0s, resolve 20h0m0s, breach true, stand-down true
P4 office, 1 every 1h0m0s, 24h0m0s manager, repeat 24h0m0s, lease 8h0m0s, close 72h0m0s, silence 48h0m0s, respond 24h0m0s, resolve 50h0m0s, breach true, stand-down true
`
	if diff := cmp.Diff(want, table(Default())); diff != "" {
		t.Error(diff)
	}
}

func TestDevelopment(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for _, priority := range priorities() {
		fmt.Fprintf(&want, "%s always, 2 every 20s, 1m0s oncall, 1m30s next, 2m0s manager, repeat 30s, lease 30m0s, close 10m0s, silence 10m0s, respond 1m0s, resolve 30m0s, breach true, stand-down true\n", priority)
	}
	if diff := cmp.Diff(want.String(), table(Development())); diff != "" {
		t.Error(diff)
	}
}

func TestForHandsOutCopies(t *testing.T) {
	t.Parallel()
	p := Default()
	p.For(ticket.P1).Steps[0].To = "nobody"
	if to := p.For(ticket.P1).Steps[0].To; to != ToOnCall {
		t.Fatalf("the policy was changed from outside: %q", to)
	}
	if diff := cmp.Diff(p.For(ticket.P3), p.For("")); diff != "" {
		t.Fatal(diff)
	}
}

// A group's tickets have what differs for them, and the rest as everybody's.
func TestGroups(t *testing.T) {
	t.Parallel()
	p := load(t, "groups:\n  water:\n    priorities: {P1: {respond: 5m, steps: [{after: 5m, to: manager}]}}\n    office: {holidays: none, days: mon-sun}\n  it: {office: {from: '06:00'}}\npriorities: {P1: {lease: 1d}, P2: {respond: 3m}}\nheld: 3\n")
	water, all := p.Group("water"), p.Group("garden")
	want := p.For(ticket.P1)
	want.Respond, want.Steps = 5*time.Minute, []ticket.Step{{After: 5 * time.Minute, To: ToManager}}
	if diff := cmp.Diff(want, water.For(ticket.P1)); diff != "" || want.Lease != 24*time.Hour {
		t.Errorf("water's P1: %s", diff)
	}
	if diff := cmp.Diff(p.For(ticket.P2), water.For(ticket.P2)); diff != "" || water.Held() != 3 {
		t.Errorf("water's P2: %s", diff)
	}
	if diff := cmp.Diff(p.For(ticket.P1), all.For(ticket.P1)); diff != "" || all.For(ticket.P1).Respond == 5*time.Minute {
		t.Errorf("everybody else's P1: %s", diff)
	}
	// Saturday, Christmas Day: only water is open; early on Monday only it is.
	christmas, early := time.Date(2027, 12, 25, 11, 0, 0, 0, time.UTC), time.Date(2027, 11, 22, 5, 30, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		p    Policy
		open [2]bool
	}{"water": {water, [2]bool{true, false}}, "it": {p.Group("it"), [2]bool{false, true}}, "garden": {all, [2]bool{false, false}}} {
		if got := [2]bool{tt.p.Office().Open(christmas), tt.p.Office().Open(early)}; got != tt.open {
			t.Errorf("%s is open %v, want %v", name, got, tt.open)
		}
	}
	if got := water.After(true, christmas, time.Hour); !got.Equal(christmas.Add(time.Hour)) {
		t.Errorf("an hour of water's: %v", got)
	}
}

// Every key changes what it names and nothing else.
func TestLoadEveryKey(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want func(*ticket.Plan) // what becomes of P1; the other plans change only with all
		all  bool
	}{
		"nothing":           {"", func(*ticket.Plan) {}, true},
		"a comment":         {"# nothing\n", func(*ticket.Plan) {}, true},
		"respond":           {"priorities: {P1: {respond: 20m}}", func(p *ticket.Plan) { p.Respond = 20 * time.Minute }, false},
		"resolve":           {"priorities: {P1: {resolve: 2d}}", func(p *ticket.Plan) { p.Resolve = 48 * time.Hour }, false},
		"wave.size":         {"priorities: {P1: {wave: {size: 7}}}", func(p *ticket.Plan) { p.Wave.Size = 7 }, false},
		"wave.every":        {"priorities: {P1: {wave: {every: 90s}}}", func(p *ticket.Plan) { p.Wave.Every = 90 * time.Second }, false},
		"repeat":            {"priorities: {P1: {repeat: 1h30m}}", func(p *ticket.Plan) { p.Repeat = 90 * time.Minute }, false},
		"hours":             {"priorities: {P1: {hours: office}}", func(p *ticket.Plan) { p.Office = true }, false},
		"lease":             {"priorities: {P1: {lease: 1d}}", func(p *ticket.Plan) { p.Lease = 24 * time.Hour }, false},
		"breach":            {"priorities: {P1: {breach: none}}", func(p *ticket.Plan) { p.Breach = false }, false},
		"no steps":          {"priorities: {P1: {steps: []}}", func(p *ticket.Plan) { p.Steps = nil }, false},
		"auto_close":        {"auto_close: 3d", func(p *ticket.Plan) { p.AutoClose = 72 * time.Hour }, true},
		"auto_close other":  {"auto_close: 1h", func(p *ticket.Plan) { p.AutoClose = time.Hour }, true},
		"requester_silence": {"requester_silence: 4h", func(p *ticket.Plan) { p.Silence = 4 * time.Hour }, true},
		"steps": {"priorities:\n  P1:\n    steps: [{after: 1m, to: manager}, {after: 2m, to: oncall}, {after: 3m, to: next}]",
			func(p *ticket.Plan) {
				p.Steps = []ticket.Step{{After: time.Minute, To: ToManager}, {After: 2 * time.Minute, To: ToOnCall}, {After: 3 * time.Minute, To: ToNext}}
			}, false},
		"an anchor": {"priorities:\n  P2: {wave: &w {size: 9}}\n  P1: {wave: *w}\n", func(p *ticket.Plan) { p.Wave.Size = 9 }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := load(t, tt.text)
			for _, priority := range priorities() {
				want := Default().For(priority)
				if tt.all || priority == ticket.P1 {
					tt.want(&want)
				}
				if name == "an anchor" && priority == ticket.P2 {
					continue
				}
				if diff := cmp.Diff(want, got.For(priority)); diff != "" {
					t.Errorf("%s: %s", priority, diff)
				}
			}
		})
	}
	if held := load(t, "held: 4").Held(); held != 4 {
		t.Errorf("held: %d", held)
	}
	if held := Default().Held(); held != 0 {
		t.Errorf("held: %d by default", held)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"no YAML":               {"priorities: [", "read policy: yaml: line 1"},
		"held by too many":      {"held: 1001", "use a whole number from 0 to 1000"},
		"too large a wave":      {"priorities: {P1: {wave: {size: 101}}}", "use a whole number from 1 to 100"},
		"a day too long":        {"auto_close: 3651d", "out of range"},
		"an hour too long":      {"auto_close: 87601h", "out of range"},
		"no hours":              {`office: {from: "08:00", to: "08:00"}`, "office: from must be earlier than to"},
		"two documents":         {"held: 1\n---\nheld: 2", "line 2: a second document"},
		"no YAML, second":       {"held: 1\n---\n[", "read policy: yaml: line"},
		"minutes of one digit":  {`office: {to: "12:5"}`, "use a time of day"},
		"a signed hour":         {`office: {from: "-0:30"}`, `office.from: "-0:30": use a time of day`},
		"far too many hours":    {`office: {from: "153722867280912931:00"}`, "use a time of day"},
		"quiet round the clock": {"priorities: {P4: {quiet: 00:00-24:00}}", "priorities.P4.quiet: from and to are the same"},
		"a list":                {"- P1", "line 1: want a section with priorities, auto_close, requester_silence, held, budget, office, groups"},
		"unknown key":           {"held: 1\nautoclose: 72h", "line 2: autoclose: no such key: use priorities, auto_close"},
		"unknown priority":      {"priorities:\n  P5: {}", "line 2: priorities.P5: no such key: use P1, P2, P3, P4"},
		"unknown in plan":       {"priorities:\n  P1:\n    respont: 1m", "line 3: priorities.P1.respont: no such key: use respond, resolve, wave"},
		"unknown in wave":       {"priorities: {P1: {wave: {count: 3}}}", "priorities.P1.wave.count: no such key: use size, every"},
		"unknown in step":       {"priorities: {P1: {steps: [{at: 3m}]}}", "priorities.P1.steps[1].at: no such key: use after, to"},
		"unknown in office":     {"office: {tz: UTC}", "office.tz: no such key: use zone, days, from, to, holidays"},
		"twice":                 {"held: 1\nheld: 2", "line 2: held: given twice"},
		"a section's word":      {"priorities: {P1: urgent}", "priorities.P1: want a section"},
		"a duration's word":     {"auto_close: soon", `auto_close: "soon" is not a duration: use 90s`},
		"a bare number":         {"auto_close: 72", `auto_close: "72" is not a duration`},
		"half days":             {"auto_close: 1.5d", "is not a duration"},
		"a negative duration":   {"auto_close: -1h", "auto_close: \"-1h\" is out of range: use 1s to 3650d"},
		"too many days":         {"auto_close: 999999999d", "out of range"},
		"negative days":         {"auto_close: -1d", "out of range"},
		"a zero wave":           {"priorities: {P1: {wave: {every: 0s}}}", "priorities.P1.wave.every: \"0s\" is out of range"},
		"a duration's list":     {"auto_close: [1h]", "is not a duration"},
		"size":                  {"priorities: {P1: {wave: {size: 0}}}", `priorities.P1.wave.size: "0": use a whole number from 1 to 100`},
		"held":                  {"held: -1", `held: "-1": use a whole number from 0`},
		"hours":                 {"priorities: {P1: {hours: night}}", `priorities.P1.hours: "night": use always, office`},
		"to":                    {"priorities: {P1: {steps: [{after: 3m, to: boss}]}}", `priorities.P1.steps[1].to: "boss": use oncall, next, manager`},
		"breach":                {"priorities: {P1: {breach: panic}}", `priorities.P1.breach: "panic": use escalate, none`},
		"steps":                 {"priorities: {P1: {steps: 3}}", "priorities.P1.steps: want a list"},
		"step without to":       {"priorities: {P1: {steps: [{after: 3m}]}}", "steps[1]: a step needs both after and to"},
		"step without after":    {"priorities: {P1: {steps: [{to: next}]}}", "steps[1]: a step needs both after and to"},
		"steps back":            {"priorities: {P1: {steps: [{after: 3m, to: oncall}, {after: 3m, to: next}]}}", "steps[2]: after must be later than 3m0s"},
		"zone":                  {"office: {zone: Mars/Base}", `office.zone: "Mars/Base" is not a time zone`},
		"zone Local":            {"office: {zone: Local}", `office.zone: "Local" is not a time zone`},
		"days":                  {"office: {days: mon-fry}", `office.days: "mon-fry" is no day: use sun, mon`},
		"no days":               {"office: {days: ''}", `office.days: "" is no day`},
		"from":                  {"office: {from: 8}", `office.from: "8": use a time of day`},
		"to of the day":         {`office: {to: "24:01"}`, `office.to: "24:01": use a time of day`},
		"minutes":               {`office: {to: "12:60"}`, "use a time of day"},
		"backwards":             {`office: {from: "18:00", to: "08:00"}`, "office: from must be earlier than to"},
		"no groups":             {"groups: [it]", "groups: want a section with the names of groups"},
		"a group's key":         {"groups:\n  it:\n    held: 3", "line 3: groups.it.held: no such key: use priorities, office"},
		"a group twice":         {"groups:\n  it: {}\n  it: {}", "line 3: groups.it: given twice"},
		"a group's duration":    {"groups:\n  it:\n    priorities:\n      P1: {lease: soon}", `line 4: groups.it.priorities.P1.lease: "soon" is not a duration`},
		"budget":                {"budget: many", `budget: "many": use a whole number from 0 to 1000`},
		"quiet urgent":          {"priorities: {P2: {quiet: 22:00-07:00}}", "priorities.P2.quiet: only P3 and P4 may wait"},
		"quiet word":            {"priorities: {P4: {quiet: night}}", `priorities.P4.quiet: "night": write two times of day`},
		"quiet always":          {"priorities: {P4: {quiet: 07:00-07:00}}", "priorities.P4.quiet: from and to are the same"},
		"holidays":              {"office: {holidays: xx}", `office.holidays: "xx": use ar, at,`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than a line: %q", err)
			}
		})
	}
}

// The largest and the smallest of everything.
func TestLoadBounds(t *testing.T) {
	t.Parallel()
	p := load(t, `{held: 1000, budget: 1000, auto_close: 3650d, requester_silence: 1s, priorities: {P1: {wave: {size: 100}}, P2: {wave: {size: 1}}}, office: {zone: UTC, days: mon, from: "00:00", to: "00:01", holidays: none}}`)
	got := fmt.Sprint(p.Held(), p.Budget(), p.For(ticket.P1).AutoClose, p.For(ticket.P1).Silence, p.For(ticket.P1).Wave.Size, p.For(ticket.P2).Wave.Size, " ", p.Office())
	if want := "1000 1000 87600h0m0s 1s 100 1 mon 00:00 to 00:01 UTC"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("priorities: {P1: {steps: [{after: 3m, to: oncall}]}}")
	f.Add("office: {zone: UTC, days: sat-mon, from: \"00:00\", to: \"24:00\", holidays: none}")
	f.Add("groups: {it: {priorities: {P1: {lease: 1h}}, office: {days: mon}}}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Load([]byte(text))
		if err != nil {
			return
		}
		now := moment("2026-03-03T10:00:00Z")
		for _, priority := range priorities() {
			plan := p.For(priority)
			if plan.Wave.Size < 1 || plan.Wave.Every < minDuration || plan.Lease < minDuration || plan.Repeat < minDuration {
				t.Fatalf("%q gave %+v", text, plan)
			}
			p.Deadlines(plan, now)
		}
	})
}

func TestOfficeHours(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		office string
		from   string
		d      time.Duration
		want   string
	}{
		"within a day":                {"{}", "2026-03-03T09:00:00+01:00", 4 * time.Hour, "2026-03-03T13:00:00+01:00"},
		"to the last minute":          {"{}", "2026-03-03T09:00:00+01:00", 9 * time.Hour, "2026-03-03T18:00:00+01:00"},
		"over night":                  {"{}", "2026-03-03T16:00:00+01:00", 4 * time.Hour, "2026-03-04T10:00:00+01:00"},
		"over the weekend":            {"{}", "2026-03-06T16:00:00+01:00", 4 * time.Hour, "2026-03-09T10:00:00+01:00"},
		"from the evening":            {"{}", "2026-03-03T20:00:00+01:00", time.Hour, "2026-03-04T09:00:00+01:00"},
		"from the early morning":      {"{}", "2026-03-03T03:00:00+01:00", time.Hour, "2026-03-03T09:00:00+01:00"},
		"no time, closed":             {"{}", "2026-03-07T03:00:00+01:00", 0, "2026-03-09T08:00:00+01:00"},
		"no time, at the closing":     {"{}", "2026-03-03T18:00:00+01:00", 0, "2026-03-04T08:00:00+01:00"},
		"no time, all hours skipped":  {"{days: sun, from: '02:00', to: '03:00'}", "2026-03-28T12:00:00+01:00", 0, "2026-04-05T02:00:00+02:00"},
		"no time, open":               {"{}", "2026-03-03T12:00:00+01:00", 0, "2026-03-03T12:00:00+01:00"},
		"a German holiday":            {"{}", "2026-04-02T17:00:00+02:00", 2 * time.Hour, "2026-04-07T09:00:00+02:00"}, // Good Friday, Easter Monday
		"holidays none":               {"{holidays: none}", "2026-04-02T17:00:00+02:00", 2 * time.Hour, "2026-04-03T09:00:00+02:00"},
		"holidays us":                 {"{holidays: us}", "2026-04-02T17:00:00+02:00", 2 * time.Hour, "2026-04-03T09:00:00+02:00"},
		"Thanksgiving in New York":    {"{zone: America/New_York, holidays: us, from: '09:00', to: '17:00'}", "2026-11-25T16:00:00-05:00", 4 * time.Hour, "2026-11-27T12:00:00-05:00"},
		"a day in lieu":               {"{zone: America/New_York, holidays: us}", "2026-07-02T17:00:00-04:00", 2 * time.Hour, "2026-07-06T09:00:00-04:00"}, // 4 July is a Saturday
		"zone":                        {"{zone: UTC, holidays: none}", "2026-03-03T17:00:00Z", 2 * time.Hour, "2026-03-04T09:00:00Z"},
		"days":                        {"{days: 'sat,sun'}", "2026-03-03T09:00:00+01:00", time.Hour, "2026-03-07T09:00:00+01:00"},
		"days over the week's end":    {"{days: sat-mon}", "2026-03-09T17:00:00+01:00", 2 * time.Hour, "2026-03-14T09:00:00+01:00"},
		"from":                        {"{from: '07:30'}", "2026-03-03T05:00:00+01:00", time.Hour, "2026-03-03T08:30:00+01:00"},
		"to":                          {"{to: '12:00'}", "2026-03-03T11:00:00+01:00", 2 * time.Hour, "2026-03-04T09:00:00+01:00"},
		"round the clock, into DST":   {"{days: sun-sat, from: '00:00', to: '24:00', holidays: none}", "2026-03-28T12:00:00+01:00", 24 * time.Hour, "2026-03-29T13:00:00+02:00"},
		"round the clock, out of DST": {"{days: sun-sat, from: '00:00', to: '24:00', holidays: none}", "2026-10-24T12:00:00+02:00", 24 * time.Hour, "2026-10-25T11:00:00+01:00"},
		"it opens in a skipped hour":  {"{zone: America/New_York, days: sun-sat, from: '02:30', holidays: none}", "2026-03-08T01:45:00-05:00", time.Hour, "2026-03-08T04:30:00-04:00"},
		"it closes in a skipped hour": {"{zone: America/New_York, days: sun-sat, from: '00:00', to: '02:30', holidays: none}", "2026-03-08T01:45:00-05:00", time.Hour, "2026-03-09T00:15:00-04:00"},
		"8 is 8 after the change":     {"{}", "2026-03-27T17:00:00+01:00", 2 * time.Hour, "2026-03-30T09:00:00+02:00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := load(t, "office: "+tt.office)
			got := p.After(true, moment(tt.from), tt.d)
			if !got.Equal(moment(tt.want)) || got.Location() != time.UTC {
				t.Errorf("got %v, want %s in UTC", got, tt.want)
			}
		})
	}
}

// Offers of the night wait for its end, by the office's clock, through both clock
// changes.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ quiet, at, want string }{
		"none":                          {"none", "2026-03-03T03:00:00+01:00", "2026-03-03T03:00:00+01:00"},
		"the evening before":            {"22:00-07:00", "2026-03-03T21:59:59+01:00", "2026-03-03T21:59:59+01:00"},
		"it begins":                     {"22:00-07:00", "2026-03-03T22:00:00+01:00", "2026-03-04T07:00:00+01:00"},
		"after midnight":                {"22:00-07:00", "2026-03-04T00:30:00+01:00", "2026-03-04T07:00:00+01:00"},
		"it ends":                       {"22:00-07:00", "2026-03-04T07:00:00+01:00", "2026-03-04T07:00:00+01:00"},
		"within a day":                  {"12:00-14:00", "2026-03-04T13:00:00+01:00", "2026-03-04T14:00:00+01:00"},
		"around the clock but noon":     {"13:00-12:00", "2026-03-04T12:30:00+01:00", "2026-03-04T12:30:00+01:00"},
		"clocks go ahead":               {"22:00-07:00", "2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"},
		"it ends when 2:30 comes first": {"22:00-02:30", "2026-10-25T02:45:00+02:00", "2026-10-25T02:45:00+02:00"},
		"it ends in a skipped hour":     {"22:00-02:30", "2026-03-29T01:45:00+01:00", "2026-03-29T03:30:00+02:00"},
		"clocks go back":                {"22:00-07:00", "2026-10-25T00:00:00+02:00", "2026-10-25T07:00:00+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := load(t, "priorities: {P4: {quiet: "+tt.quiet+"}}")
			if got := p.Awake(p.For(ticket.P4), moment(tt.at)); !got.Equal(moment(tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if got := p.Awake(p.For(ticket.P3), moment(tt.at)); !got.Equal(moment(tt.at)) {
				t.Errorf("P3 waits until %v", got)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 30, "budget: 0": 0, "budget: 3": 3} {
		if got := load(t, text).Budget(); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := Development().Budget(); got != 0 {
		t.Errorf("in development: %d", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for when, want := range map[string]bool{
		"2026-03-03T07:59:59+01:00": false,
		"2026-03-03T08:00:00+01:00": true,
		"2026-03-03T17:59:59+01:00": true,
		"2026-03-03T18:00:00+01:00": false,
		"2026-03-07T12:00:00+01:00": false,
		"2026-12-25T12:00:00+01:00": false,
	} {
		if got := Default().Office().Open(moment(when)); got != want {
			t.Errorf("%s: open %v", when, got)
		}
	}
	if !(Hours{}).Open(moment("2026-12-25T03:00:00Z")) {
		t.Error("no hours are closed hours")
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	p := Default()
	friday := moment("2026-03-06T17:00:00+01:00")
	got := p.Deadlines(p.For(ticket.P3), friday)
	want := Deadlines{
		Steps:   []time.Time{moment("2026-03-09T10:00:00Z"), moment("2026-03-09T14:00:00Z")},
		Respond: moment("2026-03-09T10:00:00Z"),
		Resolve: moment("2026-03-10T16:00:00Z"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = p.Deadlines(p.For(ticket.P1), friday)
	want = Deadlines{
		Steps:   []time.Time{moment("2026-03-06T16:15:00Z"), moment("2026-03-06T16:25:00Z"), moment("2026-03-06T16:40:00Z")},
		Respond: moment("2026-03-06T16:15:00Z"),
		Resolve: moment("2026-03-06T18:00:00Z"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := p.Deadlines(ticket.Plan{}, friday); !got.Respond.IsZero() || !got.Resolve.IsZero() || got.Steps != nil {
		t.Errorf("deadlines of no plan: %+v", got)
	}
}

// Deadlines are never before the start, grow with what is counted and with the
// start, and office deadlines fall into office hours, the closing included.
func TestDeadlinesProperties(t *testing.T) {
	t.Parallel()
	offices := []Policy{}
	for _, office := range []string{
		"{}", "{zone: UTC, days: sat, holidays: us}", "{zone: America/New_York, from: '00:00', to: '24:00', days: mon-sun, holidays: none}",
		"{zone: Australia/Lord_Howe, from: '01:45', to: '02:15', days: sun, holidays: nz}",
	} {
		offices = append(offices, load(t, "office: "+office))
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(offices).Draw(t, "office")
		plan := ticket.Plan{Office: rapid.Bool().Draw(t, "in office hours")}
		start := moment("2026-01-01T00:00:00Z").Add(time.Duration(rapid.Int64Range(0, 2*365*24*3600).Draw(t, "start")) * time.Second)
		later := start.Add(time.Duration(rapid.Int64Range(0, 10*24*3600).Draw(t, "later")) * time.Second)
		var after time.Duration
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			after += time.Duration(rapid.Int64Range(0, 30*3600).Draw(t, "after")) * time.Second
			plan.Steps = append(plan.Steps, ticket.Step{After: after, To: ToNext})
		}
		d, e := p.Deadlines(plan, start), p.Deadlines(plan, later)
		for i, step := range d.Steps {
			if step.Sub(start) < plan.Steps[i].After {
				t.Fatalf("%v after %v is %v", plan.Steps[i].After, start, step)
			}
			if i > 0 && step.Before(d.Steps[i-1]) || e.Steps[i].Before(step) {
				t.Fatalf("not monotonic: %v, and from %v: %v", d.Steps, later, e.Steps)
			}
			open := p.Office().Open(step) || p.Office().Open(step.Add(-1))
			if plan.Office && !open {
				t.Fatalf("%v is outside the office hours", step)
			}
		}
	})
}

// Every country that can be named has New Year or another holiday within a year.
func TestEveryCountryHasHolidays(t *testing.T) {
	t.Parallel()
	for _, code := range countryCodes() {
		found := 0
		for day := range 365 {
			if _, observed, _ := calendar(code).IsHoliday(time.Date(2026, 1, 1+day, 12, 0, 0, 0, time.UTC)); observed {
				found++
			}
		}
		if found < 5 {
			t.Errorf("%s: %d holidays in 2026", code, found)
		}
	}
}
