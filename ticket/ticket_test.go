package ticket

import (
	"testing"
	"time"
)

func TestWhoMustMove(t *testing.T) {
	t.Parallel()
	want := [columns]string{"agent", "holder", "holder", "holder", "requester", "requester", "", ""}
	for c := range columns {
		s := in(t, c)
		if got := s.WaitingFor(); got != want[c] {
			t.Errorf("%s waits for %q, want %q", columnNames[c], got, want[c])
		}
		due := map[Status]time.Time{New: s.RespondBy, Assigned: s.ResolveBy}[s.Status]
		if got := s.DueAt(); !got.Equal(due) || s.Status == New && got.IsZero() {
			t.Errorf("%s is due %v, want %v", columnNames[c], got, due)
		}
	}
	if got := in(t, isMine).do(by(bob, Snooze), minutes(5)).WaitingFor(); got != "time" {
		t.Errorf("a snoozed ticket waits for %q", got)
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	s := in(t, isNew)
	f := s.Facts()
	if f.Offers != nil || f.Alarms != nil || f.Undo != nil || f.Reached != 1 || f.Number != 142 || f.Plan.Repeat != s.Plan.Repeat {
		t.Errorf("%+v", f)
	}
	if len(s.Offers) == 0 || len(s.Alarms) == 0 {
		t.Error("the ticket itself lost something")
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for m, want := range map[Message]struct{ harmless, forbidden bool }{
		"take_again": {true, false}, "decline_ok": {true, false}, "owned": {}, "take_lost": {},
		"req_agents_only": {false, true}, "manager_only": {false, true}, "req_not_yours": {false, true}, "takeover_urgent": {false, true},
	} {
		r := &Refusal{Message: m}
		if r.Harmless() != want.harmless || r.Forbidden() != want.forbidden || r.Error() != "refused: "+string(m) {
			t.Errorf("%s: harmless %v, forbidden %v", m, r.Harmless(), r.Forbidden())
		}
	}
}
