package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"deskbell/roster"
)

// patience is how long one step of a life may take before it counts as lost.
const patience = 60 * time.Second

func subject(i int) string { return fmt.Sprintf("Printer %d on the 3rd floor jams", i) }

const body = "It has made a noise since this morning, and now every page comes out in folds. The blue light blinks."

// life is one ticket from its submission until its requester hears that it is
// solved, with the moments that matter.
type life struct {
	number    int
	requester string
	tell      string // the channel on which the requester is told
	holder    string
	submitted time.Time // before the request
	texted    time.Time // the offer at the SMSC
	chatted   time.Time // the confirmation in the chat of a requester who is there
	typed     time.Time // the claim
	answered  time.Time // at the SMSC
}

// desk is the desk under load, as its people see it.
type desk struct {
	Config
	mail   *mail
	phones *phones
	chats  map[string]*chat // by person
	engine client.Client
	byID   map[string]roster.Person
	asking []roster.Person // requesters
}

// submit submits ticket i and returns when its requester knows and somebody was
// asked by text. The colleague in IM is asked too: at once about the first ticket,
// then about all of a minute together, unless they are taken by then.
func (d *desk) submit(ctx context.Context, i int) (*life, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLost)
	defer cancel()
	requester := d.asking[i%len(d.asking)]
	l := &life{requester: requester.ID, tell: cmp.Or(requester.Prefers, "sms"), submitted: time.Now()}
	var answer struct{ Number int }
	err := call(ctx, d.phones.http, "POST", d.API+"/v1/tickets", d.Token, fmt.Sprintf("bench-%d-%d", l.submitted.UnixNano(), i),
		map[string]string{"subject": subject(i), "body": body, "priority": "P3", "requester": l.requester}, &answer)
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	l.number = answer.Number
	text, err := d.mail.await(ctx, 1, l.number, message{kind: offer, channel: "sms"})
	if err != nil {
		return l, err
	}
	l.texted, l.holder = text[0].at, text[0].person
	told, err := d.mail.await(ctx, 1, l.number, message{kind: received, channel: l.tell, person: l.requester})
	if err == nil && l.tell == "im" {
		l.chatted = told[0].at
	}
	return l, err
}

// claim has whoever was texted first take the ticket by SMS, and returns when
// that and the requester's message have come.
func (d *desk) claim(ctx context.Context, l *life) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLost)
	defer cancel()
	if l.typed, err = d.phones.typeOn(ctx, d.byID[l.holder].Phone, fmt.Sprint(l.number)); err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	got, err := d.mail.await(ctx, 1, l.number, message{kind: taken, channel: "sms", person: l.holder})
	if err != nil {
		return err
	}
	l.answered = got[0].at
	_, err = d.mail.await(ctx, 1, l.number, message{kind: onIt, channel: l.tell, person: l.requester})
	return err
}

// finish has the holder say in the chat that it is done, and returns when the
// answer and the requester's message have come.
func (d *desk) finish(ctx context.Context, l *life) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLost)
	defer cancel()
	if err := d.chats[l.holder].say(fmt.Sprintf("done %d new rollers", l.number)); err != nil {
		return fmt.Errorf("done: %w", err)
	}
	if _, err := d.mail.await(ctx, 1, l.number, message{kind: closed, channel: "im", person: l.holder}); err != nil {
		select {
		case ended := <-d.chats[l.holder].ended:
			return errors.Join(err, ended)
		default:
			return err
		}
	}
	_, err := d.mail.await(ctx, 1, l.number, message{kind: solved, channel: l.tell, person: l.requester})
	return err
}

// live is a whole life.
func (d *desk) live(ctx context.Context, i int) (*life, error) {
	l, err := d.submit(ctx, i)
	if err == nil {
		err = d.claim(ctx, l)
	}
	if err == nil {
		err = d.finish(ctx, l)
	}
	return l, err
}

// settle waits until the workflows of tickets have nothing to do, and their read
// model says so.
func (d *desk) settle(ctx context.Context, lives []*life) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLost)
	defer cancel()
	for _, l := range lives {
		for busy := true; busy; {
			run, err := d.engine.DescribeWorkflowExecution(ctx, fmt.Sprintf("ticket-%d", l.number), "")
			if err != nil {
				return fmt.Errorf("settle ticket %d: %w", l.number, err)
			}
			busy = run.PendingWorkflowTask != nil || len(run.PendingActivities) > 0
			if err := pause(ctx, busy); err != nil {
				return fmt.Errorf("ticket %d does not settle: %w", l.number, err)
			}
		}
	}
	return nil
}

// pause is the time between two looks at what cannot be waited for.
func pause(ctx context.Context, needed bool) error {
	if !needed {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// expected are the messages of one whole life, and how often each comes.
func (l *life) expected() map[message]int {
	return map[message]int{
		{kind: offer, channel: "sms"}:                          1,
		{kind: received, channel: l.tell, person: l.requester}: 1,
		{kind: taken, channel: "sms", person: l.holder}:        1,
		{kind: onIt, channel: l.tell, person: l.requester}:     1,
		{kind: closed, channel: "im", person: l.holder}:        1,
		{kind: solved, channel: l.tell, person: l.requester}:   1,
	}
}

// audit counts what did not come, what came twice, and whether two people were
// told that the ticket is theirs.
func (l *life) audit(got []message) (lost, duplicated, doubleClaims int) {
	for want, n := range l.expected() {
		have := 0
		for _, m := range got {
			if m.kind == want.kind && m.channel == want.channel && (want.person == "" || m.person == want.person) {
				have++
			}
		}
		lost += max(0, n-have)
		duplicated += max(0, have-n)
	}
	holders := map[string]bool{}
	for _, m := range got {
		if m.kind == taken {
			holders[m.person] = true
		}
	}
	return lost, duplicated, max(0, len(holders)-1)
}
