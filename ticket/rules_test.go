package ticket

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// outcome is what a verb does: the refusal, or what happened, where the ticket
// stands then, and who hears what.
type outcome struct {
	Refused Message
	Status  Status
	Events  []Kind
	Heard   []string
}

func no(m Message) outcome { return outcome{Refused: m} }

func ok(status Status, events []Kind, heard ...string) outcome {
	return outcome{Status: status, Events: events, Heard: heard}
}

func did(kinds ...Kind) []Kind { return kinds }

var (
	closedAlready = [3]outcome{no("take_closed"), no("take_closed"), no("take_withdrawn")}
	doneAlready   = [3]outcome{no("done_already"), no("done_already"), no("take_withdrawn")}
	// gone is what those hear who were asked or called when Bob, who was asked
	// too, takes the ticket: Dan was asked by SMS.
	gone = []string{"sms dana page_off", "im eve offer_gone"}
)

func also(first []string, more ...string) []string { return append(slices.Clone(first), more...) }

// line is a row of the table in the design. Its columns are New, Assigned mine,
// Assigned other's, passed to me, Pending mine, Resolved, Closed, Cancelled.
type line struct {
	c     Command
	open  [5]outcome
	after [3]outcome
}

func (l line) outcome(c column) outcome { return slices.Concat(l.open[:], l.after[:])[c] }

func grid() []line {
	bobTook := ok(Assigned, did(Taken), also([]string{"im bob take_ok", "sms ann req_claimed"}, gone...)...)
	passed := ok(Assigned, did(Passed), "im bob take_ok", "im eve pass_done", "sms ann req_handed")
	released := ok(New, did(Released), "im bob release_ok", "sms ann req_released")
	solved := ok(Resolved, did(Solved), "im bob done_ok", "sms ann req_done")
	shut := ok(Closed, did(Solved, Shut), "sms ann req_done")
	noted := func(s Status) outcome { return ok(s, did(Noted), "im bob note_ok") }
	asked := ok(Pending, did(Asked), "im bob ask_ok", "sms ann req_question")
	told := func(s Status) outcome { return ok(s, did(Told), "im bob tell_ok", "sms ann req_told") }
	withdrawn := func(heard ...string) outcome {
		return ok(Cancelled, did(Withdrawn), also([]string{"sms ann req_withdrawn"}, heard...)...)
	}
	cancelled := func(heard ...string) outcome {
		return ok(Cancelled, did(Withdrawn), also([]string{"sms ann req_cancelled"}, heard...)...)
	}
	wrote := func(s Status, k Kind, heard ...string) outcome {
		return ok(s, did(k), also([]string{"sms ann req_added"}, heard...)...)
	}
	reopened := ok(Assigned, did(Reopened), "im bob take_ok", "sms ann req_claimed")
	offered := func(s Status) outcome { return ok(s, did(PassOffered), "im bob pass_ok", "sms dan pass_offer") }
	snoozed := ok(Pending, did(Snoozed), "im bob snooze_ok", "sms ann req_planned")
	assigned := func(heard ...string) outcome {
		return ok(Assigned, did(AssignedTo), also([]string{"sms dan assigned"}, heard...)...)
	}
	all := func(k Kind) [5]outcome {
		return [5]outcome{ok(New, did(k)), ok(Assigned, did(k)), ok(Assigned, did(k)), ok(Assigned, did(k)), ok(Pending, did(k))}
	}
	owned := no("owned")
	return []line{
		{by(bob, Take), [5]outcome{bobTook, no("take_again"), owned, passed, no("take_again")}, closedAlready},
		{by(bob, Take, promising(minutes(30))), [5]outcome{
			bobTook, ok(Assigned, did(Promised), "im bob promise_ok", "sms ann req_claimed"), owned, passed, no("take_again"),
		}, closedAlready},
		{by(bob, Take, promising(minutes(2))), [5]outcome{bobTook, no("take_again"), owned, passed, no("take_again")}, closedAlready},
		{by(bob, Drop), [5]outcome{
			ok(New, did(Declined), "im bob decline_ok"), released, no("release_not_yours"),
			ok(Assigned, did(PassRefused), "im bob decline_ok", "im eve pass_refused"), released,
		}, doneAlready},
		{by(bob, Decline), [5]outcome{
			ok(New, did(Declined), "im bob decline_ok"), no("take_again"), owned, ok(Assigned, did(PassRefused), "im bob decline_ok", "im eve pass_refused"), no("take_again"),
		}, closedAlready},
		{by(bob, Done), [5]outcome{no("done_not_taken"), solved, owned, owned, solved}, doneAlready},
		{by(bob, Done, yes), [5]outcome{
			ok(Resolved, did(Taken, Solved), slices.Concat([]string{"sms ann req_claimed"}, gone, []string{"im bob done_ok", "sms ann req_done"})...),
			solved, owned, owned, solved,
		}, doneAlready},
		{by(bob, Close, via("rest")), [5]outcome{no("done_not_taken"), shut, owned, owned, shut},
			[3]outcome{ok(Closed, did(Shut)), ok(Closed, nil), no("take_withdrawn")}},
		{by(meg, Close), [5]outcome{no("done_not_taken"), shut, shut, ok(Closed, did(Solved, Shut), "sms ann req_done", "im bob offer_gone"), shut},
			[3]outcome{ok(Closed, did(Shut)), ok(Closed, nil), no("take_withdrawn")}},
		{by(bob, Note), [5]outcome{noted(New), noted(Assigned), owned, owned, noted(Pending)}, [3]outcome{noted(Resolved), noted(Closed), noted(Cancelled)}},
		{by(dan, Note), [5]outcome{ok(New, did(Noted), "im dan note_ok"), owned, owned, owned, owned}, closedAlready},
		{by(meg, Note), all(Noted), [3]outcome{ok(Resolved, did(Noted)), ok(Closed, did(Noted)), ok(Cancelled, did(Noted))}},
		{by(bob, Ask), [5]outcome{no("ask_not_taken"), asked, owned, owned, asked}, closedAlready},
		{by(bob, Tell), [5]outcome{no("ask_not_taken"), told(Assigned), owned, owned, told(Pending)}, closedAlready},
		{by(ann, Write), [5]outcome{
			wrote(New, Written), wrote(Assigned, Written, "im bob answer_in"), wrote(Assigned, Written, "im eve answer_in"),
			wrote(Assigned, Written, "im eve answer_in"), wrote(Assigned, Answered, "im bob answer_in"),
		}, [3]outcome{wrote(Resolved, Written, "im bob answer_in"), no("req_too_late"), no("req_too_late")}},
		{by(ann, Withdraw, yes), [5]outcome{
			withdrawn("sms dana take_withdrawn", "im bob take_withdrawn", "im eve take_withdrawn"), withdrawn("im bob withdraw_told"),
			withdrawn("im eve withdraw_told"), withdrawn("im eve withdraw_told", "im bob take_withdrawn"), withdrawn("im bob withdraw_told"),
		}, [3]outcome{ok(Closed, did(Shut), "sms ann req_withdrawn"), no("req_too_late"), no("req_too_late")}},
		{by(ann, Withdraw), [5]outcome{no("req_withdraw"), no("req_withdraw"), no("req_withdraw"), no("req_withdraw"), no("req_withdraw")},
			[3]outcome{no("req_withdraw"), no("req_too_late"), no("req_too_late")}},
		{by(bob, Reopen), [5]outcome{no("open_already"), no("take_again"), no("open_already"), no("open_already"), no("take_again")},
			[3]outcome{reopened, reopened, no("take_withdrawn")}},
		{by(meg, Reopen), [5]outcome{no("open_already"), no("open_already"), no("open_already"), no("open_already"), no("open_already")},
			[3]outcome{ok(Assigned, did(Reopened), "sms ann req_handed"), ok(Assigned, did(Reopened), "sms ann req_handed"), ok(Assigned, did(Reopened), "sms ann req_handed")}},
		{by(ann, Reopen, onDuty(eve, bob)), [5]outcome{no("open_already"), no("open_already"), no("open_already"), no("open_already"), no("open_already")},
			[3]outcome{ok(Assigned, did(Reopened), "sms ann req_reopened", "im bob answer_in"), no("req_too_late"), no("take_withdrawn")}},
		{by(ann, Reopen, onDuty(eve)), [5]outcome{no("open_already"), no("open_already"), no("open_already"), no("open_already"), no("open_already")},
			[3]outcome{ok(New, did(Reopened), "sms ann req_reopened"), no("req_too_late"), no("take_withdrawn")}},
		{by(bob, Up), [5]outcome{ok(New, did(Raised)), ok(Assigned, did(Raised)), owned, owned, ok(Pending, did(Raised))}, closedAlready},
		{by(meg, Up), all(Raised), closedAlready},
		{by(bob, Pass), [5]outcome{no("ask_not_taken"), offered(Assigned), owned, owned, offered(Pending)}, closedAlready},
		{by(bob, Takeover), [5]outcome{
			bobTook, no("take_again"), ok(Assigned, did(TakenOver), "im bob takeover_ok", "im eve takeover_told", "sms ann req_handed"), passed, no("take_again"),
		}, closedAlready},
		{by(bob, Takeover, via("sms")), [5]outcome{
			ok(Assigned, did(Taken), also([]string{"sms bob take_ok", "sms ann req_claimed"}, gone...)...), no("take_again"), no("takeover_urgent"),
			ok(Assigned, did(Passed), "sms bob take_ok", "im eve pass_done", "sms ann req_handed"), no("take_again"),
		}, closedAlready},
		{by(dan, Takeover, via("rest")), [5]outcome{
			ok(Assigned, did(Taken), "sms ann req_claimed", "sms dana page_off", "im bob offer_gone", "im eve offer_gone"),
			ok(Assigned, did(TakenOver), "im bob takeover_told", "sms ann req_handed"),
			ok(Assigned, did(TakenOver), "im eve takeover_told", "sms ann req_handed"),
			ok(Assigned, did(TakenOver), "im eve takeover_told", "sms ann req_handed", "im bob offer_gone"),
			ok(Assigned, did(TakenOver), "im bob takeover_told", "sms ann req_handed"),
		}, closedAlready},
		{by(bob, Snooze), [5]outcome{no("manager_only"), snoozed, owned, owned, snoozed}, closedAlready},
		{by(meg, Snooze), [5]outcome{ok(Pending, did(Snoozed), "sms ann req_planned"), owned, owned, owned, owned}, closedAlready},
		{by(bob, Keep), [5]outcome{no("ask_not_taken"), ok(Assigned, did(Kept), "im bob stale_ok"), owned, owned, ok(Pending, did(Kept), "im bob stale_ok")}, closedAlready},
		{by(meg, Assign), [5]outcome{
			assigned("sms ann req_claimed", "sms dana page_off", "im bob offer_gone", "im eve offer_gone"),
			assigned("im bob takeover_told", "sms ann req_handed"), assigned("im eve takeover_told", "sms ann req_handed"),
			assigned("im eve takeover_told", "sms ann req_handed", "im bob offer_gone"), assigned("im bob takeover_told", "sms ann req_handed"),
		}, closedAlready},
		{by(meg, Reprioritise), all(Reprioritised), closedAlready},
		{by(meg, Replan), all(Replanned), closedAlready},
		{by(meg, Merge), [5]outcome{
			ok(Closed, did(MergedInto), "sms dana page_off", "im bob offer_gone", "im eve offer_gone"), ok(Closed, did(MergedInto)), ok(Closed, did(MergedInto)),
			ok(Closed, did(MergedInto), "im bob offer_gone"), ok(Closed, did(MergedInto)),
		}, closedAlready},
		{by(meg, Cancel), [5]outcome{
			cancelled("sms dana take_withdrawn", "im bob take_withdrawn", "im eve take_withdrawn"), cancelled("im bob withdraw_told"),
			cancelled("im eve withdraw_told"), cancelled("im eve withdraw_told", "im bob take_withdrawn"), cancelled("im bob withdraw_told"),
		}, closedAlready},
		{by(meg, Hush), all(Hushed), closedAlready},
	}
}

func outcomeOf(s *story, c Command, now time.Time) outcome {
	events, err := s.try(c, now)
	if m, refused := says(err); refused {
		return no(m)
	}
	if err != nil {
		s.Fatal(err)
	}
	o := ok(s.Status, nil, s.heard...)
	for _, e := range events {
		o.Events = append(o.Events, e.Kind)
	}
	return o
}

// Every verb in every state, and who hears of it.
func TestRules(t *testing.T) {
	t.Parallel()
	tested := map[Verb]bool{}
	for _, l := range grid() {
		tested[l.c.Verb] = true
		for c := range columns {
			t.Run(fmt.Sprintf("%s by %s, %v, %s, %s", l.c.Verb, l.c.Actor.ID, l.c.Confirmed, l.c.Channel, columnNames[c]), func(t *testing.T) {
				t.Parallel()
				s := in(t, c)
				before := s.Ticket
				got := outcomeOf(s, l.c, when(c))
				if diff := cmp.Diff(l.outcome(c), got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if diff := cmp.Diff(before, s.Ticket, cmpopts.EquateEmpty()); got.Events == nil && diff != "" {
					t.Errorf("changed without an event\n%s", diff)
				}
			})
		}
	}
	for _, r := range rules {
		if !tested[r.Verb] {
			t.Errorf("no test of %s", r.Verb)
		}
	}
}

// Who may not use a verb at all hears so in every state.
func TestClearance(t *testing.T) {
	t.Parallel()
	want := map[clearance]struct {
		actor   Party
		message Message
	}{
		workers:         {ann, "req_agents_only"},
		managers:        {bob, "manager_only"},
		requester:       {bob, "req_not_yours"},
		requesterOrWork: {Party{ID: "joerg"}, "req_not_yours"},
	}
	for _, r := range rules {
		for c := range columns {
			w := want[r.By]
			s := in(t, c)
			_, err := s.try(by(w.actor, r.Verb, func(c *Command) { c.Works = w.actor == bob }), when(c))
			if m, _ := says(err); m != w.message {
				t.Errorf("%s by %s in %s: %v, want %s", r.Verb, w.actor.ID, columnNames[c], err, w.message)
			}
		}
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	back := by(bob, TakeBack)
	tests := map[string]struct {
		from column
		do   []Command
		by   Command
		at   time.Duration // after the last command
		want outcome
		then func(Ticket) bool
	}{
		"of my release: mine again": {isMine, []Command{by(bob, Drop)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok", "sms ann req_claimed"),
			func(t Ticket) bool { return t.Holder("bob") && len(t.Offers) == 0 }},
		"of a take: New": {isNew, []Command{by(bob, Take)}, back, 0, ok(New, did(Undone), "im bob undo_ok", "sms ann req_released"),
			func(t Ticket) bool { return t.Assignee.ID == "" && t.CreatedAt.Equal(noon) && t.Announced == "" }},
		"of a pass: the offer is withdrawn": {isMine, []Command{by(bob, Pass)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok", "sms dan pass_gone"),
			func(t Ticket) bool { return t.Pass == nil && t.alarm(PassAlarm).IsZero() }},
		"of a snooze: Assigned": {isMine, []Command{by(bob, Snooze)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok"),
			func(t Ticket) bool { return t.Holder("bob") && t.Waits == "" }},
		"of an ask: Assigned":        {isMine, []Command{by(bob, Ask)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok"), nil},
		"of done: Assigned":          {isMine, []Command{by(bob, Done)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok", "sms ann req_undone"), nil},
		"of close: Resolved":         {isMine, []Command{by(bob, Close)}, back, 0, ok(Resolved, did(Undone), "im bob undo_ok"), nil},
		"of take and done: the done": {isNew, []Command{by(bob, Done, yes)}, back, 0, ok(Assigned, did(Undone), "im bob undo_ok", "sms ann req_undone"), nil},
		"at ten minutes":             {isMine, []Command{by(bob, Done)}, back, 10 * time.Minute, ok(Assigned, did(Undone), "im bob undo_ok", "sms ann req_undone"), nil},
		"after ten minutes":          {isMine, []Command{by(bob, Done)}, back, 10*time.Minute + 1, no("undo_none"), nil},
		"twice":                      {isMine, []Command{by(bob, Done), back}, back, 0, no("undo_none"), nil},
		"of a note":                  {isMine, []Command{by(bob, Note)}, back, 0, no("undo_none"), nil},
		"of a tell":                  {isMine, []Command{by(bob, Tell)}, back, 0, no("undo_none"), nil},
		"of an escalation":           {isMine, []Command{by(bob, Up)}, back, 0, no("undo_none"), nil},
		"of a colleague's take":      {isOthers, nil, back, 0, no("undo_moved"), nil},
		"somebody took it since":     {isMine, []Command{by(bob, Drop), by(eve, Take)}, back, 0, no("undo_moved"), nil},
		"the requester wrote":        {isMine, []Command{by(bob, Done), by(ann, Write)}, back, 0, no("undo_moved"), nil},
		"the colleague refused":      {isMine, []Command{by(bob, Pass), by(dan, Drop)}, back, 0, no("undo_moved"), nil},
		"by the requester":           {isMine, nil, by(ann, TakeBack), 0, no("req_agents_only"), nil},
		"of a new ticket":            {isNew, nil, by(dan, TakeBack), 0, no("undo_none"), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := in(t, tt.from), when(tt.from)
			for _, c := range tt.do {
				s.do(c, now)
			}
			if diff := cmp.Diff(tt.want, outcomeOf(s, tt.by, now.Add(tt.at)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if tt.then != nil && !tt.then(s.Ticket) {
				t.Errorf("left as %+v", s.Position)
			}
		})
	}
}

// Who declines leaves the ticket as it is: the release before can still be undone.
func TestUndoAfterADecline(t *testing.T) {
	t.Parallel()
	s := in(t, isMine).do(by(bob, Drop), minutes(5)).find(minutes(5), Findings{Wave: []Party{eve}}).do(by(eve, Drop), minutes(6))
	want := ok(Assigned, did(Undone), "im bob undo_ok", "sms ann req_claimed")
	if diff := cmp.Diff(want, outcomeOf(s, by(bob, TakeBack), minutes(7)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestLostRace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verb  Verb
		after time.Duration
		want  Message
	}{
		{Take, 0, "take_lost"}, {Take, 2 * time.Minute, "take_lost"}, {Take, 2*time.Minute + 1, "owned"}, {Done, 0, "owned"}, {Ask, 0, "owned"},
	} {
		s := in(t, isNew).do(by(eve, Take), minutes(3))
		_, err := s.try(by(bob, tt.verb), minutes(3).Add(tt.after))
		r, ok := Refused(err)
		if !ok || r.Message != tt.want || r.Who.ID != "eve" || !r.At.Equal(minutes(3)) {
			t.Errorf("%s %v later: %+v, want %s of eve", tt.verb, tt.after, r, tt.want)
		}
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	t.Run("a decline of somebody who was not asked", func(t *testing.T) {
		s := in(t, isNew)
		if got := outcomeOf(s, by(sam, Drop), minutes(3)); got.Refused != "decline_ok" {
			t.Error(got)
		}
	})
	t.Run("a release turns a pass into an offer", func(t *testing.T) {
		s := in(t, isMine).do(by(bob, Pass), minutes(5)).do(by(bob, Drop), minutes(6))
		if s.Pass != nil || !s.offered("dan") || s.offered("bob") {
			t.Errorf("pass %v, offers %+v", s.Pass, s.Offers)
		}
	})
	t.Run("cancelled while the next step was asked for: one notice, which is the answer", func(t *testing.T) {
		s := in(t, isNew).do(by(bob, Up), minutes(3))
		before := s.Ticket
		events, err := s.try(by(meg, Cancel), minutes(3))
		if err != nil {
			t.Fatal(err)
		}
		toBob := slices.DeleteFunc(Notices(before, s.Ticket, events[0]), func(n Notice) bool { return n.To.ID != bob.ID })
		if len(toBob) != 1 || toBob[0].Message != "take_withdrawn" || toBob[0].Answers != by(bob, Up).ID {
			t.Errorf("%+v", toBob)
		}
	})
	t.Run("closed for more than 30 days", func(t *testing.T) {
		s := in(t, isClosed)
		if got := outcomeOf(s, by(bob, Reopen), minutes(4).Add(30*24*time.Hour+1)); got.Refused != "req_too_late" {
			t.Error(got)
		}
		s.do(by(bob, Reopen), minutes(4).Add(30*24*time.Hour))
	})
	t.Run("a colleague reopens and the requester hears the new name", func(t *testing.T) {
		s := in(t, isResolved).do(by(eve, Reopen), minutes(6))
		if diff := cmp.Diff([]string{"im eve take_ok", "sms ann req_handed"}, s.heard); diff != "" || !s.Holder("eve") || s.Reopened != 1 {
			t.Error(diff)
		}
	})
	t.Run("takeover of an urgent one by SMS with the PIN", func(t *testing.T) {
		in(t, isOthers).do(by(bob, Takeover, via("sms"), yes), minutes(6))
	})
	t.Run("a claim after a release is announced like the first", func(t *testing.T) {
		s := in(t, isMine).do(by(bob, Drop), minutes(5)).do(by(eve, Take), minutes(6))
		if !slices.Contains(s.heard, "sms ann req_claimed") {
			t.Error(s.heard)
		}
		s.do(by(eve, Pass), minutes(7)).do(by(dan, Take), minutes(8))
		if !slices.Contains(s.heard, "sms ann req_handed") {
			t.Error(s.heard)
		}
	})
	t.Run("a manager puts a new ticket off and anybody takes it", func(t *testing.T) {
		s := in(t, isNew).do(by(meg, Snooze), minutes(3)).do(by(dan, Take), minutes(4))
		if !s.Holder("dan") {
			t.Error(s.Position)
		}
	})
	t.Run("the requester cannot be reached", func(t *testing.T) {
		o := opening()
		o.Requester.Via = ""
		s := &story{TB: t}
		s.Ticket, _ = Open(o, noon)
		s.do(by(bob, Take), minutes(1)).do(by(bob, Ask), minutes(2))
		if diff := cmp.Diff([]string{"im bob ask_unreachable"}, s.heard); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a merge points to the other ticket, a reopening does not", func(t *testing.T) {
		s := in(t, isMine).do(by(meg, Merge), minutes(5))
		if s.Merged != 99 {
			t.Error(s.Merged)
		}
		if s.do(by(meg, Reopen), minutes(6)); s.Merged != 0 {
			t.Error(s.Merged)
		}
	})
	t.Run("an incomplete command is an error and no refusal", func(t *testing.T) {
		for _, verb := range []Verb{Pass, Snooze, Assign, Merge, Reprioritise, Replan, "dance"} {
			_, events, err := Apply(in(t, isMine).Ticket, Command{Verb: verb, Actor: bob, Works: true, Manages: true}, minutes(6))
			if _, refused := Refused(err); err == nil || refused || events != nil {
				t.Errorf("%s: %v, %v", verb, events, err)
			}
		}
	})
}

// The web and REST wait for the result themselves, so nothing answers them.
func TestNoAnswerWhereTheCallerWaits(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"rest", "web"} {
		for _, l := range grid() {
			l.c.Channel = channel
			for c := range columns {
				s := in(t, c)
				before := s.Ticket
				after, events, err := Apply(before, l.c, when(c))
				if r, refused := Refused(err); refused && len(Answer(before, l.c, r)) > 0 {
					t.Errorf("%s is answered on %s", l.c.Verb, channel)
				}
				for _, e := range events {
					for _, n := range Notices(before, after, e) {
						if n.Answers != "" {
							t.Errorf("%s is answered on %s: %v", l.c.Verb, channel, n)
						}
					}
				}
			}
		}
	}
}

// On SMS and IM a command gets one answer, at once or, for an escalation, once it
// is known who is called.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	for _, l := range grid() {
		if l.c.Channel == "rest" || l.c.Verb == Up {
			continue
		}
		for c := range columns {
			s := in(t, c)
			before := s.Ticket
			_, events, err := Apply(before, l.c, when(c))
			var answers []Notice
			if r, refused := Refused(err); refused {
				answers = Answer(before, l.c, r)
			}
			for _, e := range events {
				after := Evolve(before, e)
				answers = append(answers, slices.DeleteFunc(Notices(before, after, e), func(n Notice) bool { return n.Answers == "" })...)
				before = after
			}
			if len(answers) != 1 || answers[0].Answers != l.c.ID || answers[0].To.Via != l.c.Channel || answers[0].To.ID != l.c.Actor.ID {
				t.Errorf("%s by %s in %s: %+v", l.c.Verb, l.c.Actor.ID, columnNames[c], answers)
			}
		}
	}
}
