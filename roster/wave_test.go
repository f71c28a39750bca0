package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = at("2026-03-03T12:00:00Z")

// somebody is an agent with a phone and a JID, edited.
func somebody(id string, edit ...func(*Member)) Member {
	m := Member{Person: Person{ID: id, Name: id, Roles: Roles{Agent}, Phone: "+4930123456", JID: id + "@example.org"}}
	for _, e := range edit {
		e(&m)
	}
	return m
}

func in(state PresenceState, show string) func(*Member) {
	return func(m *Member) { m.Presence = Presence{State: state, Show: show} }
}
func holding(n ...int) func(*Member) { return func(m *Member) { m.Holding = n } }
func stopped(m *Member)              { m.Stopped = true }
func noJID(m *Member)                { m.JID = "" }
func noPhone(m *Member)              { m.Phone = "" }
func requester(m *Member)            { m.Roles = Roles{Requester} }
func prefers(word string) func(*Member) {
	return func(m *Member) { m.Prefers = word }
}
func asked(ago time.Duration) func(*Member) {
	return func(m *Member) { m.LastAsked = noon.Add(-ago) }
}

func TestWave(t *testing.T) {
	t.Parallel()
	all := []Member{
		somebody("dnd", in(Busy, "dnd")),
		somebody("xa", in(Away, "xa")),
		somebody("away", in(Away, "away")),
		somebody("sms", in(Offline, "")),
		somebody("stopped", in(Offline, ""), stopped),
		somebody("off", in(Available, ""), func(m *Member) { m.AwayUntil = noon.Add(time.Minute) }),
		somebody("free", in(Available, "chat")),
		somebody("holds", in(Available, ""), holding(141)),
		somebody("silent", in(Available, ""), stopped, noPhone),
	}
	tests := map[string]struct {
		members []Member
		asked   []Asked
		size    int
		urgent  bool
		want    []Pick
	}{
		"in order of class": {
			members: all, size: 10,
			want: []Pick{{"free", ViaIM, false}, {"silent", ViaIM, false}, {"holds", ViaIM, false}, {"sms", ViaSMS, false}, {"away", ViaIM, false}},
		},
		"urgent asks dnd and xa, last": {
			members: all, size: 10, urgent: true,
			want: []Pick{{"free", ViaIM, false}, {"silent", ViaIM, false}, {"holds", ViaIM, false}, {"sms", ViaSMS, false}, {"away", ViaIM, false},
				{"dnd", ViaIM, false}, {"xa", ViaIM, false}},
		},
		"no more than the size": {
			members: all, size: 2,
			want: []Pick{{"free", ViaIM, false}, {"silent", ViaIM, false}},
		},
		"no size, nobody": {members: all},
		"asked longest ago first, never asked before all": {
			members: []Member{somebody("a", asked(time.Minute)), somebody("b", asked(time.Hour)), somebody("c")}, size: 3,
			want: []Pick{{"c", ViaSMS, false}, {"b", ViaSMS, false}, {"a", ViaSMS, false}},
		},
		"the next wave asks the others": {
			members: []Member{somebody("a"), somebody("b"), somebody("c")}, size: 2,
			asked: []Asked{{"a", noon, 1, false}, {"b", noon, 1, true}},
			want:  []Pick{{"c", ViaSMS, false}},
		},
		"then reminders, not for who declined": {
			members: []Member{somebody("a"), somebody("b"), somebody("c")}, size: 3,
			asked: []Asked{{"a", noon, 1, false}, {"b", noon, 1, true}, {"c", noon.Add(-time.Minute), 1, false}},
			want:  []Pick{{"c", ViaSMS, true}, {"a", ViaSMS, true}},
		},
		"one reminder only": {
			members: []Member{somebody("a"), somebody("b")}, size: 3,
			asked: []Asked{{"a", noon, 1, false}, {"a", noon, 2, false}, {"b", noon, 1, false}},
			want:  []Pick{{"b", ViaSMS, true}},
		},
		"all were reminded": {
			members: []Member{somebody("a")}, size: 3,
			asked: []Asked{{"a", noon, 1, false}, {"a", noon, 2, false}},
		},
		"who arrives late is asked before the reminders": {
			members: []Member{somebody("a"), somebody("late")}, size: 3,
			asked: []Asked{{"a", noon, 1, false}},
			want:  []Pick{{"late", ViaSMS, false}},
		},
		"presence without a JID is nothing": {
			members: []Member{somebody("a", in(Available, ""), noJID)}, size: 1,
			want: []Pick{{"a", ViaSMS, false}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Wave(tt.members, tt.asked, tt.size, tt.urgent, noon)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func genMembers(t *rapid.T) []Member {
	ids := []string{"a", "b", "c", "d", "e", "f", "g", "h"}[:rapid.IntRange(0, 8).Draw(t, "people")]
	var members []Member
	for _, id := range ids {
		m := somebody(id,
			in(rapid.SampledFrom([]PresenceState{Available, Away, Busy, Offline, Unknown}).Draw(t, "state"),
				rapid.SampledFrom([]string{"", "away", "dnd", "xa"}).Draw(t, "show")),
			asked(time.Duration(rapid.IntRange(0, 3).Draw(t, "asked"))*time.Hour))
		m.Stopped = rapid.Bool().Draw(t, "stopped")
		m.Holding = make([]int, rapid.IntRange(0, 1).Draw(t, "holding"))
		members = append(members, m)
	}
	return members
}

// Waves until nobody is left: the size is kept, each person is asked at most
// once and reminded at most once, reminders start when everybody was asked, and
// the same input gives the same answer whatever the order of what was asked.
func TestWaveProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := genMembers(t)
		size := rapid.IntRange(1, 4).Draw(t, "size")
		urgent := rapid.Bool().Draw(t, "urgent")
		var history []Asked
		rounds := map[string]int{}
		declined := map[string]bool{}
		reminding := false
		for now := noon; ; now = now.Add(time.Minute) {
			picks := Wave(members, history, size, urgent, now)
			backwards := slices.Clone(history)
			slices.Reverse(backwards)
			if diff := cmp.Diff(picks, Wave(members, backwards, size, urgent, now)); diff != "" {
				t.Fatal(diff)
			}
			if len(picks) == 0 {
				break
			}
			if len(picks) > size {
				t.Fatalf("%d picked, size %d", len(picks), size)
			}
			for _, p := range picks {
				rounds[p.ID]++
				want := 1
				if p.Reminder {
					want, reminding = 2, true
				} else if reminding {
					t.Fatalf("%s asked after the reminders began", p.ID)
				}
				if rounds[p.ID] != want || declined[p.ID] {
					t.Fatalf("%+v, asked %d times, declined %v", p, rounds[p.ID], declined[p.ID])
				}
				no := rapid.Bool().Draw(t, "declines")
				declined[p.ID] = no
				history = append(history, Asked{ID: p.ID, At: now, Round: want, Declined: no})
			}
		}
		for _, m := range members {
			reachable := m.now() != "" && (urgent || m.class() != undisturbed)
			if reachable != (rounds[m.ID] > 0) {
				t.Fatalf("%+v: reachable %v, asked %d times", m, reachable, rounds[m.ID])
			}
		}
	})
}

func TestReachAndPageVia(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		member Member
		reach  string
		page   []string
	}{
		"agent there":                {somebody("a", in(Available, "")), ViaIM, []string{ViaSMS, ViaIM}},
		"agent busy":                 {somebody("a", in(Busy, "dnd")), ViaIM, []string{ViaSMS, ViaIM}},
		"agent not there":            {somebody("a", in(Offline, "")), ViaSMS, []string{ViaSMS}},
		"agent unknown":              {somebody("a"), ViaSMS, []string{ViaSMS}},
		"agent stopped, there":       {somebody("a", in(Away, ""), stopped), ViaIM, []string{ViaIM}},
		"agent stopped, not there":   {somebody("a", stopped), ViaIM, nil},
		"agent with a JID only":      {somebody("a", noPhone), ViaIM, nil},
		"agent stopped, no JID":      {somebody("a", stopped, noJID), "", nil},
		"agent with nothing":         {somebody("a", noPhone, noJID), "", nil},
		"agent's prefers is ignored": {somebody("a", prefers("none")), ViaSMS, []string{ViaSMS}},
		"requester there":            {somebody("a", requester, in(Available, "")), ViaSMS, []string{ViaSMS, ViaIM}},
		"requester prefers im":       {somebody("a", requester, prefers("im")), ViaIM, []string{ViaSMS}},
		"requester prefers im, none": {somebody("a", requester, prefers("im"), noJID), ViaSMS, []string{ViaSMS}},
		"requester prefers sms":      {somebody("a", requester, prefers("sms"), noPhone), ViaIM, nil},
		"requester prefers none":     {somebody("a", requester, prefers("none")), "", []string{ViaSMS}},
		"requester stopped":          {somebody("a", requester, stopped), ViaIM, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			via, ok := Reach(tt.member)
			if via != tt.reach || ok != (tt.reach != "") {
				t.Errorf("Reach = %q, %v", via, ok)
			}
			if diff := cmp.Diff(tt.page, PageVia(tt.member)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnDuty(t *testing.T) {
	t.Parallel()
	rota := []Rotation{{Group: "it", Every: "day", Start: at("2026-03-03T00:00:00Z"), People: []string{"a", "b"}}}
	swap := []Override{{Person: "b", Instead: "a", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-04T00:00:00Z")}}
	tests := map[string]struct {
		member    Member
		overrides []Override
		want      bool
	}{
		"in no rotation":              {somebody("x"), nil, true},
		"on shift":                    {somebody("a"), nil, true},
		"not on shift":                {somebody("b"), nil, false},
		"replaced":                    {somebody("a"), swap, false},
		"standing in":                 {somebody("b"), swap, true},
		"requester":                   {somebody("x", requester), nil, false},
		"manager only":                {somebody("x", func(m *Member) { m.Roles = Roles{Manager, OnCallee} }), nil, false},
		"agent and manager":           {somebody("x", func(m *Member) { m.Roles = Roles{Manager, Agent} }), nil, true},
		"AWAY":                        {somebody("x", func(m *Member) { m.AwayUntil = noon.Add(time.Second) }), nil, false},
		"AWAY is over":                {somebody("x", func(m *Member) { m.AwayUntil = noon }), nil, true},
		"texts stopped, IM left":      {somebody("x", stopped), nil, true},
		"stopped on every channel":    {somebody("x", stopped, noJID), nil, false},
		"no channel":                  {somebody("x", noPhone, noJID), nil, false},
		"on shift but AWAY":           {somebody("a", func(m *Member) { m.AwayUntil = noon.Add(time.Hour) }), nil, false},
		"away in IM is still on duty": {somebody("x", in(Away, "xa")), nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := OnDuty(tt.member, rota, tt.overrides, noon); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
