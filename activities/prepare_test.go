package activities_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// noon is a Tuesday.
var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// directory is people in memory.
type directory struct {
	members   []roster.Member
	rota      []roster.Rotation
	overrides []roster.Override
	err       error
	asked     []string // who was marked as asked
	askedAt   time.Time
}

func (d *directory) Members(context.Context) ([]roster.Member, error) { return d.members, d.err }
func (d *directory) Rota(context.Context) ([]roster.Rotation, []roster.Override, error) {
	return d.rota, d.overrides, d.err
}
func (d *directory) MarkAsked(_ context.Context, ids []string, at time.Time) error {
	d.asked, d.askedAt = append(d.asked, ids...), at
	return d.err
}
func (d *directory) People(context.Context) ([]roster.Person, error) {
	var out []roster.Person
	for _, m := range d.members {
		out = append(out, m.Person)
	}
	return out, d.err
}

func member(id string, roles ...roster.Role) roster.Member {
	return roster.Member{Person: roster.Person{ID: id, Name: strings.ToUpper(id), Phone: "+1" + id, Roles: roles}}
}

func (d *directory) with(id string, change func(*roster.Member)) *directory {
	i := slices.IndexFunc(d.members, func(m roster.Member) bool { return m.ID == id })
	change(&d.members[i])
	return d
}

func stopped(m *roster.Member) { m.Stopped = true }
func there(m *roster.Member)   { m.JID, m.Presence.State = m.ID+"@desk", roster.Available }
func away(m *roster.Member)    { m.AwayUntil = noon.Add(time.Hour) }
func gone(m *roster.Member)    { m.Phone = "" }

// cast is two requesters' desk: Bob, Eve and Dan answer, Dana and Sam are on
// call, Meg manages. Eve may be a requester too.
func cast() *directory {
	return &directory{members: []roster.Member{member("ann", roster.Requester), member("bob", roster.Agent), member("eve", roster.Agent),
		member("dan", roster.Agent), member("dana", roster.OnCallee), member("sam", roster.OnCallee), member("meg", roster.Manager)}}
}

func offered(ids ...string) (offers []ticket.Offer) {
	for _, id := range ids {
		offers = append(offers, ticket.Offer{To: ticket.Party{ID: id}, At: noon.Add(-5 * time.Minute), Round: 1})
	}
	return offers
}

func TestPrepareWave(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		directory *directory
		change    func(*ticket.Lookup)
		want      string // "bob/sms eve/im"
		reminder  bool
	}{
		"the first wave":             {cast(), nil, "bob/sms eve/sms", false},
		"who is there comes first":   {cast().with("dan", there), nil, "dan/im bob/sms", false},
		"the requester is not asked": {cast(), func(l *ticket.Lookup) { l.Requester = "bob" }, "eve/sms dan/sms", false},
		"nor who is away":            {cast().with("eve", away), nil, "bob/sms dan/sms", false},
		"nor who cannot be reached":  {cast().with("bob", stopped).with("eve", gone), nil, "dan/sms", false},
		"nor who was asked":          {cast(), func(l *ticket.Lookup) { l.Offers = offered("bob", "eve") }, "dan/sms", false},
		"nor who declined": {cast(), func(l *ticket.Lookup) {
			l.Offers = offered("bob", "eve", "dan")
			l.Offers[0].Declined = true
		}, "eve/sms dan/sms", true},
		"then come reminders":         {cast(), func(l *ticket.Lookup) { l.Offers = offered("bob", "eve", "dan") }, "bob/sms eve/sms", true},
		"one instead of who declines": {cast(), func(l *ticket.Lookup) { l.Wave, l.Offers = 1, offered("bob") }, "eve/sms", false},
		"nobody is left":              {&directory{members: []roster.Member{member("ann", roster.Requester), member("dana", roster.OnCallee)}}, nil, "", false},
		"who has a shift now": {&directory{
			members: []roster.Member{member("bob", roster.Agent), member("eve", roster.Agent)},
			rota:    []roster.Rotation{{Name: "days", Start: noon.Add(-time.Hour), Every: "12h", People: []string{"eve", "bob"}}},
		}, nil, "eve/sms", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := ticket.Lookup{Number: 142, Priority: ticket.P3, Requester: "ann", At: noon, Wave: 2}
			if test.change != nil {
				test.change(&l)
			}
			a := &activities.Tickets{Directory: test.directory, Policy: policy.Default()}
			f, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: l, Now: noon})
			if err != nil {
				t.Fatal(err)
			}
			if got := said(f.Wave); got != test.want || f.Reminder != test.reminder {
				t.Errorf("asks %q (reminder %t), want %q (%t)", got, f.Reminder, test.want, test.reminder)
			}
			var ids []string
			for _, p := range f.Wave {
				ids = append(ids, p.ID)
				if p.Name != strings.ToUpper(p.ID) {
					t.Errorf("%s is called %q", p.ID, p.Name)
				}
			}
			if !slices.Equal(test.directory.asked, ids) || !test.directory.askedAt.Equal(noon) {
				t.Errorf("marked %v at %v", test.directory.asked, test.directory.askedAt)
			}
		})
	}
}

func said(to []ticket.Party) string {
	var out []string
	for _, p := range to {
		out = append(out, p.ID+"/"+p.Via)
	}
	return strings.Join(out, " ")
}

func TestPreparePage(t *testing.T) {
	t.Parallel()
	week := []roster.Rotation{{Name: "week", Start: noon.Add(-time.Hour), Every: "week", People: []string{"sam", "dana"}}}
	rotated := func() *directory { d := cast(); d.rota = week; return d }
	tests := map[string]struct {
		directory   *directory
		page, paged string // who was called, the last first
		want        string
	}{
		"on call":                               {cast(), "oncall", "", "dana/sms"},
		"by the rota":                           {rotated(), "oncall", "", "sam/sms"},
		"on call and in IM":                     {cast().with("dana", there), "oncall", "", "dana/sms dana/im"},
		"who stopped texts is passed over":      {cast().with("dana", stopped), "oncall", "", "sam/sms"},
		"on call beats AWAY":                    {cast().with("dana", away), "oncall", "", "dana/sms"},
		"the next who is AWAY is called too":    {cast().with("sam", away), "next", "dana", "sam/sms"},
		"unless there in IM":                    {cast().with("dana", there).with("dana", stopped), "oncall", "", "dana/im"},
		"next":                                  {cast(), "next", "dana", "sam/sms"},
		"next by the rota":                      {rotated(), "next", "sam", "dana/sms"},
		"next after the last is nobody":         {cast(), "next", "sam dana", ""},
		"next is who has the shift now":         {rotated(), "next", "dana", "sam/sms"},
		"next after who left the rota":          {cast(), "next", "meg", "dana/sms"},
		"next passes over too":                  {cast().with("sam", gone), "next", "dana", ""},
		"again":                                 {cast(), "again", "dana", "dana/sms"},
		"again to who was a manager":            {cast(), "again", "meg", "meg/sms"},
		"again to who cannot be reached":        {cast().with("dana", stopped), "again", "dana", ""},
		"again to who left":                     {cast(), "again", "zed", ""},
		"the manager":                           {cast(), "manager", "sam", "meg/sms"},
		"the manager cannot be reached":         {cast().with("meg", gone), "manager", "sam", ""},
		"nobody on call":                        {&directory{members: []roster.Member{member("bob", roster.Agent)}}, "oncall", "", ""},
		"a step that the program does not know": {cast(), "president", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &activities.Tickets{Directory: test.directory, Policy: policy.Default()}
			l := ticket.Lookup{Number: 142, Priority: ticket.P1, Requester: "ann", At: noon, Page: test.page, Called: strings.Fields(test.paged)}
			if len(l.Called) > 0 {
				l.Paged = l.Called[0]
			}
			f, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: l, Now: noon})
			if err != nil {
				t.Fatal(err)
			}
			if got := said(f.Page); got != test.want {
				t.Errorf("calls %q, want %q", got, test.want)
			}
			if len(test.directory.asked) > 0 {
				t.Errorf("a page counts as an offer to %v", test.directory.asked)
			}
		})
	}
}

// Several managers are all called.
func TestPreparePagesEveryManager(t *testing.T) {
	t.Parallel()
	d := cast()
	d.members = append(d.members, member("max", roster.Agent, roster.Manager))
	a := &activities.Tickets{Directory: d, Policy: policy.Default()}
	f, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: ticket.Lookup{Page: "manager"}, Now: noon})
	if got := said(f.Page); err != nil || got != "meg/sms max/sms" {
		t.Errorf("calls %q, %v", got, err)
	}
}

// Who has the ticket is not called to help with it.
func TestPrepareDoesNotPageTheHolder(t *testing.T) {
	t.Parallel()
	a := &activities.Tickets{Directory: cast(), Policy: policy.Default()}
	for _, test := range []struct{ page, holder, want string }{{"oncall", "dana", "sam/sms"}, {"next", "dana", "sam/sms"}, {"manager", "meg", ""}} {
		f, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: ticket.Lookup{Page: test.page, Holder: test.holder}, Now: noon})
		if got := said(f.Page); err != nil || got != test.want {
			t.Errorf("%s while %s has it: calls %q, %v", test.page, test.holder, got, err)
		}
	}
}

func TestPrepareTimes(t *testing.T) {
	t.Parallel()
	a := &activities.Tickets{Directory: &directory{err: errors.New("not needed")}, Policy: policy.Default()}
	spans := []ticket.Span{{Name: "respond", From: noon, After: 4 * time.Hour}, {Name: "resolve", From: noon, After: 20 * time.Hour}}
	for office, want := range map[bool][]time.Time{
		false: {noon.Add(4 * time.Hour), noon.Add(20 * time.Hour)},
		// 13:00 to 18:00 on Tuesday in Berlin, then 10 h on Wednesday and 5 on Thursday.
		true: {noon.Add(4 * time.Hour), time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)},
	} {
		f, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: ticket.Lookup{Spans: spans, Office: office}, Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.Times); diff != "" {
			t.Errorf("office %t (-want +got):\n%s", office, diff)
		}
	}
}

// An error is one that the engine tries again.
func TestPrepareFails(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	a := &activities.Tickets{Directory: &directory{err: away}, Policy: policy.Default()}
	for _, l := range []ticket.Lookup{{Wave: 1}, {Page: "oncall"}} {
		if _, err := a.Prepare(t.Context(), activities.PrepareInput{Lookup: l, Now: noon}); !errors.Is(err, away) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}
