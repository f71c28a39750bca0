package rehearsal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/policy"
	"deskbell/rehearsal"
	"deskbell/roster"
	"deskbell/ticket"
)

// sunday is 03:00 in the office's zone.
var sunday = time.Date(2026, 3, 8, 2, 0, 0, 0, time.UTC)

type directory struct {
	members   []roster.Member
	rota      []roster.Rotation
	overrides []roster.Override
	err       error
	asked     int
}

func (d *directory) Members(context.Context) ([]roster.Member, error) { return d.members, d.err }
func (d *directory) Rota(context.Context) ([]roster.Rotation, []roster.Override, error) {
	return d.rota, d.overrides, d.err
}
func (d *directory) MarkAsked(context.Context, []string, time.Time) error { d.asked++; return d.err }
func (d *directory) People(context.Context) ([]roster.Person, error) {
	var out []roster.Person
	for _, m := range d.members {
		out = append(out, m.Person)
	}
	return out, d.err
}

func member(id string, roles ...roster.Role) roster.Member {
	return roster.Member{Person: roster.Person{ID: id, Name: id, Phone: "+1" + id, Roles: roles}}
}

func mute(m roster.Member) roster.Member { m.Stopped = true; return m }

func TestRun(t *testing.T) {
	t.Parallel()
	bob, dana, sam, meg := member("bob", roster.Agent), member("dana", roster.OnCallee), member("sam", roster.OnCallee), member("meg", roster.Manager)
	// Dana hands over to Sam twenty minutes into the ticket.
	nights := []roster.Rotation{{Name: "nights", Start: sunday.Add(20*time.Minute - 24*time.Hour), Every: "day", People: []string{"dana", "sam"}}}
	tests := map[string]struct {
		directory directory
		priority  ticket.Priority
		want      string
	}{
		"a chain without holes": {directory{members: []roster.Member{bob, dana, sam, meg}}, ticket.P1, `
0s bob sms offer
5m0s bob sms reminder
15m0s dana sms page
20m0s dana sms page
25m0s sam sms page
30m0s sam sms page
35m0s sam sms page
40m0s meg sms mgr_nobody`},
		"nobody on duty": {directory{members: []roster.Member{dana, sam, meg}}, ticket.P1, `
0s HOLE nobody on duty can be asked
15m0s dana sms page
20m0s dana sms page
25m0s sam sms page
30m0s sam sms page
35m0s sam sms page
40m0s meg sms mgr_nobody`},
		"who stopped texts is passed over, then nobody is next": {directory{members: []roster.Member{bob, mute(dana), sam, meg}}, ticket.P1, `
0s bob sms offer
5m0s bob sms reminder
15m0s sam sms page
20m0s sam sms page
25m0s HOLE nobody is next on call
25m0s meg sms mgr_nobody
30m0s sam sms page
35m0s sam sms page
40m0s HOLE nobody is next on call
40m0s meg sms mgr_nobody`},
		"the rota of each moment": {directory{members: []roster.Member{bob, dana, sam, meg}, rota: nights}, ticket.P1, `
0s bob sms offer
5m0s bob sms reminder
15m0s dana sms page
20m0s dana sms page
25m0s sam sms page
30m0s sam sms page
35m0s sam sms page
40m0s meg sms mgr_nobody`},
		"an override": {directory{members: []roster.Member{bob, dana, sam, meg, member("zoe", roster.Manager)}, rota: nights,
			overrides: []roster.Override{{Person: "zoe", Instead: "dana", From: sunday, Until: sunday.Add(16 * time.Minute)}}}, ticket.P1, `
0s bob sms offer
5m0s bob sms reminder
15m0s zoe sms page
20m0s zoe sms page
25m0s sam sms page
30m0s sam sms page
35m0s sam sms page
40m0s meg sms mgr_nobody
40m0s zoe sms mgr_nobody`},
		"office hours: offers at once, nobody is called before Monday": {directory{members: []roster.Member{bob, dana, meg}}, ticket.P3, `
0s bob sms offer
15m0s bob sms reminder`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := rehearsal.Run(t.Context(), &tt.directory, policy.Default(), tt.priority, "", sunday, sunday.Add(40*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, l := range lines {
				fmt.Fprintf(&b, "\n%v ", l.At.Sub(sunday))
				if l.Hole != "" {
					b.WriteString("HOLE " + l.Hole)
					continue
				}
				fmt.Fprintf(&b, "%s %s %s", l.To.ID, l.To.Via, l.Message)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Error(diff)
			}
			if tt.directory.asked > 0 || !tt.directory.members[0].LastAsked.IsZero() {
				t.Error("a rehearsal counts as a real offer")
			}
		})
	}
}

// A gap in the rota is found the evening before, once for each priority that meets it.
func TestAhead(t *testing.T) {
	t.Parallel()
	bob, dana, meg := member("bob", roster.Agent), member("dana", roster.Requester), member("meg", roster.Manager) // Dana is called by the rota alone
	evening := sunday.Add(-8 * time.Hour)
	shifts := []roster.Rotation{{Name: "nights", Shifts: []roster.PlannedShift{
		{Person: "dana", From: evening, Until: sunday}, {Person: "dana", From: sunday.Add(2 * time.Hour), Until: evening.Add(72 * time.Hour)}}}}
	for name, tt := range map[string]struct {
		policy string
		rota   []roster.Rotation
		want   []string
	}{
		"a group that the policy alone names": {"groups: {water: {priorities: {P4: {hours: always, steps: [{after: 1m, to: oncall}]}}}}", shifts, []string{
			"P1 +0s nobody on call can be called", "P2 +0s nobody on call can be called",
			"water P1 +0s nobody on call can be called", "water P2 +0s nobody on call can be called", "water P4 +1m0s nobody on call can be called"}},
		"a gap":  {"", shifts, []string{"P1 +0s nobody on call can be called", "P2 +0s nobody on call can be called"}},
		"no gap": {"", []roster.Rotation{{Name: "nights", Start: evening, Every: "week", People: []string{"dana"}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &directory{members: []roster.Member{bob, dana, meg}, rota: tt.rota}
			missing, err := rehearsal.Ahead(t.Context(), d, load(t, tt.policy), evening, evening.Add(24*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range missing {
				if m.Hole != rehearsal.HoleNext { // Dana is alone
					got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s +%v %s", m.Group, m.Priority, m.At.Sub(sunday), m.Hole)))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || d.asked > 0 {
				t.Error(diff)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	if _, err := rehearsal.Run(t.Context(), &directory{err: away}, policy.Default(), ticket.P1, "", sunday, sunday); !errors.Is(err, away) {
		t.Error(err)
	}
}

// A ticket's last step is that of its policy, and where there is none its submission.
func TestUntil(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 40 * time.Minute, "priorities: {P1: {steps: [{after: 3m, to: next}]}}": 3 * time.Minute, "priorities: {P1: {steps: []}}": 0} {
		if got := rehearsal.Until(load(t, text), ticket.P1, sunday); got.Sub(sunday) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
