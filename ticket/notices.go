package ticket

import (
	"fmt"
	"slices"
	"time"
)

// Notice is one notice that an event brings with it. What it says in words is
// notice's business.
type Notice struct {
	Key     string  `json:"key"` // unique among all notices of all tickets
	To      Party   `json:"to"`
	Message Message `json:"message"`
	Who     Party   `json:"who,omitzero"`
	// At is the time that the notice speaks of, Until the one it announces.
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Text  string    `json:"text,omitempty"`
	// Answers is the id of the command that this is the answer to.
	Answers string `json:"answers,omitempty"`
	// Alert marks what asks somebody to act; it is sent again after an unknown
	// outcome. Page marks a call of the chain.
	Alert   bool      `json:"alert,omitempty"`
	Page    bool      `json:"page,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// Wanted tells whether a notice is still worth sending: an offer or a page that
// somebody has taken is not.
func (t Ticket) Wanted(n Notice) bool {
	if n.Alert || n.Page {
		return t.Status == New || n.Message == "pass_offer" && t.Pass != nil && t.Pass.To.ID == n.To.ID || n.Message == "page_help" && t.Status.Open()
	}
	return true
}

// Notices returns who hears of an event, and what, in the order in which they
// should hear it. before and after are the ticket around the event.
func Notices(before, after Ticket, e Event) []Notice {
	b := briefing{before: before, after: after, e: e}
	b.brief()
	b.passEnds()
	b.raiseEnds()
	return b.notices
}

func noticeKey(number int, e Event, m Message, to Party) string {
	return fmt.Sprintf("%d/%d/%s/%s/%s", number, e.Seq, m, to.ID, to.Via)
}

// AlertKeys are the keys that the notice of an event to one of those whom it asks
// or calls may have.
func AlertKeys(number int, e Event, to Party) []string {
	messages := map[Kind][]Message{
		Offered: {"offer", "reminder"}, PassOffered: {"pass_offer"}, Escalated: {"page", "page_help", "mgr_nobody"}, PagedAgain: {"page", "page_help", "mgr_nobody"},
	}[e.Kind]
	keys := make([]string, len(messages))
	for i, m := range messages {
		keys[i] = noticeKey(number, e, m, to)
	}
	return keys
}

// Answer is the notice of a refusal to whoever wrote the command.
func Answer(t Ticket, c Command, r *Refusal) []Notice {
	if c.Quiet || !answered(c.Channel) {
		return nil
	}
	to := c.Actor
	to.Via = c.Channel
	return []Notice{{Key: fmt.Sprintf("%d/%s/%s", t.Number, c.ID, r.Message), To: to, Message: r.Message, Who: r.Who, At: r.At, Text: c.Text, Answers: c.ID}}
}

// answered tells whether a channel's commands are answered by a message.
func answered(channel string) bool { return channel == "sms" || channel == "im" }

type briefing struct {
	before, after Ticket
	e             Event
	notices       []Notice
}

func (b *briefing) tell(to Party, m Message, change ...func(*Notice)) {
	if to.ID == "" || to.Via == "" || to.ID == System.ID {
		return
	}
	t := Notice{Key: noticeKey(b.after.Number, b.e, m, to), To: to, Message: m, Who: b.e.Actor, At: b.e.At, Text: b.e.Text}
	for _, f := range change {
		f(&t)
	}
	b.notices = append(b.notices, t)
}

// answer tells the actor, on the channel of the command, unless the caller waits
// for the result itself.
func (b *briefing) answer(m Message, change ...func(*Notice)) {
	if b.e.More || b.e.Quiet || !answered(b.e.Channel) {
		return
	}
	to := b.e.Actor
	to.Via = b.e.Channel
	b.tell(to, m, append(change, func(t *Notice) { t.Answers = b.e.Cause })...)
}

func (b *briefing) requester(m Message, change ...func(*Notice)) {
	b.tell(b.after.Requester, m, change...)
}

func who(p Party) func(*Notice)          { return func(t *Notice) { t.Who = p } }
func until(at time.Time) func(*Notice)   { return func(t *Notice) { t.Until = at } }
func text(s string) func(*Notice)        { return func(t *Notice) { t.Text = s } }
func expires(at time.Time) func(*Notice) { return func(t *Notice) { t.Expires = at } }
func alert(t *Notice)                    { t.Alert = true }
func page(t *Notice)                     { t.Page = true }

func (b *briefing) brief() {
	e, before, after := b.e, b.before, b.after
	switch e.Kind {
	case Opened:
		if answered(e.Channel) {
			b.answer("req_created")
		} else {
			b.requester("req_created")
		}
	case Offered:
		m := Message("offer")
		if e.Round == reminderRound {
			m = "reminder"
		}
		for _, p := range e.To {
			b.tell(p, m, alert, until(e.Until), expires(e.Until))
		}
	case Declined:
		b.answer("decline_ok")
	case Taken:
		b.answer("take_ok", until(after.ExpectedAt()))
		b.announce()
		b.standDown("offer_gone", "page_off")
	case Promised:
		b.answer("promise_ok", until(e.Until))
		switch was := before.ExpectedAt(); {
		case was.IsZero():
			b.requester("req_claimed", until(e.Until))
		case e.Until.After(was):
			b.requester("req_slower", until(e.Until))
		}
	case Passed:
		b.answer("take_ok", until(after.ExpectedAt()))
		b.tell(before.Assignee, "pass_done")
		b.announce()
		b.helpEnds("page_off")
	case TakenOver:
		b.answer("takeover_ok", who(before.Assignee))
		b.tell(before.Assignee, "takeover_told")
		b.announce()
		b.helpEnds("page_off")
	case AssignedTo:
		b.tell(e.To[0], "assigned")
		if before.Assignee.ID != "" && before.Assignee.ID != e.To[0].ID {
			b.tell(before.Assignee, "takeover_told", who(e.To[0]))
		}
		b.announce()
		b.standDown("offer_gone", "page_off")
	case Released:
		b.answer("release_ok")
		b.handedBack()
	case Lapsed:
		b.tell(before.Assignee, "lease_over")
		b.handedBack()
	case Solved:
		b.answer("done_ok")
		b.requester("req_done", who(after.Assignee))
		b.helpEnds("help_off")
	case Shut:
		if before.Requester.ID == e.Actor.ID {
			b.answer("req_withdrawn")
		}
		b.helpEnds("help_off")
	case Noted:
		b.answer("note_ok")
	case Asked:
		b.answer(b.reached("ask_ok"), until(after.alarm(AnswerAlarm)))
		b.requester("req_question")
		b.helpEnds("help_off")
	case Told:
		b.answer(b.reached("tell_ok"))
		b.requester("req_told")
	case Written, Answered:
		b.answer("req_added")
		if after.Assignee.ID != e.Actor.ID {
			b.tell(after.Assignee, "answer_in")
		}
	case Withdrawn:
		if e.Actor.ID == after.Requester.ID {
			b.answer("req_withdrawn")
		} else {
			b.requester("req_cancelled")
		}
		b.tell(before.Assignee, "withdraw_told", who(e.Actor))
		b.standDown("take_withdrawn", "take_withdrawn")
	case Reopened:
		b.reopened()
	case Escalated, PagedAgain:
		b.paged()
	case PassOffered:
		b.answer("pass_ok", who(e.To[0]))
		b.tell(e.To[0], "pass_offer", alert, until(e.Until), expires(e.Until))
	case PassRefused:
		if e.Actor != System {
			b.answer("decline_ok")
		}
		b.tell(before.Assignee, "pass_refused", who(before.Pass.To))
	case Snoozed:
		b.answer("snooze_ok", until(e.Until))
		b.requester("req_planned", until(e.Until))
		b.helpEnds("help_off")
	case Woken:
		b.tell(after.Assignee, "snooze_wake")
	case WentStale:
		b.tell(after.Assignee, "stale", until(after.alarm(LapseAlarm)))
	case Slipped:
		if before.alarm(LapseAlarm).IsZero() {
			b.tell(after.Assignee, "stale", until(after.alarm(LapseAlarm)))
		}
		b.requester("req_slipped", who(after.Assignee), until(before.ExpectedAt()))
	case Breached:
		b.tell(after.Assignee, "target_missed", until(after.ResolveBy))
	case Kept:
		b.answer("stale_ok")
	case Unanswered:
		b.tell(after.Assignee, "answer_none", until(before.PendingSince))
	case Undone:
		b.undone()
	case MergedInto:
		b.standDown("offer_gone", "page_off")
	}
}

// announce tells the requester who comes.
func (b *briefing) announce() {
	switch b.before.Announced {
	case b.after.Assignee.Name:
	case "":
		b.requester("req_claimed", who(b.after.Assignee), until(b.after.ExpectedAt()))
	default:
		b.requester("req_handed", who(b.after.Assignee), until(b.after.ExpectedAt()))
	}
}

func (b *briefing) handedBack() {
	if b.before.Announced != "" {
		b.requester("req_released", who(b.before.Assignee))
	}
}

// standDown tells everybody who was asked by IM that the offer is gone, and
// everybody who was called that they need not come, except whoever took it.
func (b *briefing) standDown(offer, pageOff Message) {
	taker := b.after.Assignee
	if taker.ID == "" {
		taker = b.e.Actor
	}
	told := map[string]bool{taker.ID: true}
	for _, p := range b.before.Pages {
		if p.To.ID != taker.ID && !p.Failed {
			told[p.To.ID] = true
			b.tell(p.To, pageOff, who(taker))
		}
	}
	for _, o := range b.before.Offers {
		if o.To.Via == "im" && !o.Declined && o.Until.After(b.e.At) && !told[o.To.ID] {
			told[o.To.ID] = true
			b.tell(o.To, offer, who(taker))
		}
	}
}

// helpEnds tells those who were called to help the holder that they need not come
// any more, except whoever ended it.
func (b *briefing) helpEnds(m Message) {
	if b.before.Status == New || !b.before.Plan.StandDown {
		return
	}
	for _, p := range b.before.Pages {
		if p.To.ID != b.e.Actor.ID && p.To.ID != b.after.Assignee.ID && !p.Failed {
			b.tell(p.To, m, who(b.after.Assignee))
		}
	}
}

// passEnds tells a colleague who was asked to take the ticket over that this is
// no longer so, unless that person ended it or is asked on.
func (b *briefing) passEnds() {
	p := b.before.Pass
	if p == nil || b.after.Pass != nil && b.after.Pass.To.ID == p.To.ID || b.after.Assignee.ID == p.To.ID {
		return
	}
	switch b.e.Kind {
	case PassRefused, Released, Lapsed:
	case Undone, PassOffered:
		b.tell(p.To, "pass_gone", who(b.before.Assignee))
	default:
		m := Message("offer_gone")
		if b.after.Status == Cancelled {
			m = "take_withdrawn"
		}
		if p.To.Via == "im" {
			b.tell(p.To, m)
		}
	}
}

// raiseEnds answers an escalation by hand that something else overtook.
func (b *briefing) raiseEnds() {
	raised := b.before.Raised
	if raised == nil || b.after.Raised != nil || b.e.Kind == Escalated || !answered(raised.By.Via) {
		return
	}
	m := Message("up_nobody")
	switch b.after.Status {
	case Assigned, Pending:
		m = "owned"
	case Resolved, Closed:
		m = "take_closed"
	case Cancelled:
		m = "take_withdrawn"
	}
	key := noticeKey(b.after.Number, b.e, m, raised.By)
	if i := slices.IndexFunc(b.notices, func(n Notice) bool { return n.Key == key }); i >= 0 { // told already
		b.notices[i].Answers = raised.Cause
		return
	}
	b.tell(raised.By, m, func(t *Notice) { t.Answers = raised.Cause })
}

// reached is the answer ok, or that the requester cannot be reached.
func (b *briefing) reached(ok Message) Message {
	if b.after.Requester.Via == "" {
		return "ask_unreachable"
	}
	return ok
}

func (b *briefing) reopened() {
	e, holder := b.e, b.after.Assignee
	if b.before.Status != Resolved || e.Actor.ID != b.after.Requester.ID {
		b.answer("take_ok")
		if before := b.before.Announced; before == "" || before == holder.Name {
			b.requester("req_claimed", who(holder))
		} else {
			b.requester("req_handed", who(holder))
		}
		return
	}
	if holder.ID == "" {
		holder = Party{Name: "the helpdesk"}
	}
	b.answer("req_reopened", who(holder))
	b.tell(b.after.Assignee, "answer_in")
}

func (b *briefing) paged() {
	e, after := b.e, b.after
	m, step := Message("page"), "again"
	if e.Kind == Escalated {
		step = e.Text
	}
	switch {
	case after.Status != New:
		m = "page_help"
	case step == "manager":
		m = "mgr_nobody"
	}
	var missed time.Time
	if raised := b.before.Raised; raised != nil && raised.By == System {
		missed = after.ResolveBy
	}
	for _, p := range e.To {
		b.tell(p, m, alert, page, text(""), expires(e.At.Add(after.Plan.Repeat)), who(after.Assignee), until(missed))
	}
	if e.Kind == PagedAgain {
		return
	}
	if len(b.before.Pages) == 0 && len(e.To) > 0 && step != "manager" && after.Status == New {
		b.requester("req_escalated")
	}
	if raised := b.before.Raised; raised != nil && after.Raised == nil && answered(raised.By.Via) {
		answer := func(t *Notice) { t.Answers = raised.Cause }
		if len(e.To) > 0 {
			b.tell(raised.By, "up_ok", who(e.To[0]), answer)
		} else if n := len(b.before.Pages); n > 0 {
			b.tell(raised.By, "up_top", who(b.before.Pages[n-1].To), func(t *Notice) { t.At = b.before.Pages[n-1].At }, answer)
		} else {
			b.tell(raised.By, "up_nobody", answer)
		}
	}
}

func (b *briefing) undone() {
	b.answer("undo_ok")
	switch {
	case b.before.Status == Resolved:
		b.requester("req_undone", who(b.after.Assignee))
	case b.after.Status == New && b.before.Announced != "":
		b.requester("req_released", who(b.before.Assignee))
	case b.before.Status == New && b.after.Assignee.ID != "":
		b.requester("req_claimed", who(b.after.Assignee), until(b.after.ExpectedAt()))
		b.standDown("offer_gone", "page_off")
	}
}
