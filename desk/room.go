package desk

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/activities"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// newsLife is how long a line waits for the room: what is older only hides what counts.
const newsLife = time.Hour

// headlines are the events that the room hears of, each in one line. A ticket that
// closes by itself, or that was solved before, is no news.
var headlines = map[ticket.Kind]string{
	ticket.Opened: "room_new",
	ticket.Taken:  "room_taken", ticket.Passed: "room_taken", ticket.TakenOver: "room_taken", ticket.AssignedTo: "room_taken",
	ticket.Released: "room_back", ticket.Lapsed: "room_back",
	ticket.Solved: "room_closed", ticket.Withdrawn: "room_withdrawn", ticket.MergedInto: "room_merged",
	ticket.Reopened: "room_again", ticket.Undone: "room_again",
}

// news words what the room hears of a projection. It is written with the projection,
// under a key of the event's: once, however often the projection is repeated.
func (d *Desk) news(p activities.Projection) (lines []store.Outgoing, err error) {
	if d.Room == "" {
		return nil, nil
	}
	for _, e := range p.Events {
		id, ok := headlines[e.Kind]
		if !ok {
			continue
		}
		who := e.Actor.Name
		if e.Kind == ticket.AssignedTo {
			who = e.To[0].Name
		}
		text, err := notice.Render(notice.Message{ID: id, Channel: string(gateway.IM), Values: map[string]string{
			"n": strconv.Itoa(p.Ticket.Number), "n2": strconv.Itoa(e.Number), "subj": p.Ticket.Subject, "who": who,
			"prio": notice.Prio(p.Ticket.Priority, ""), "state": notice.State(p.Ticket.Status, ""),
		}})
		if err != nil {
			return nil, fmt.Errorf("word %s: %w", id, err)
		}
		lines = append(lines, store.Outgoing{
			Key: fmt.Sprintf("room/%d/%d", p.Ticket.Number, e.Seq), Channel: gateway.IM, Address: d.Room, Reason: id, Ticket: p.Ticket.Number,
			Text: text.Body, Alert: true, Expires: d.Clock.Now().Add(newsLife), // an alert is tried again after an unknown outcome
		})
	}
	return lines, nil
}

// aloud are the answers that the room may hear. Others name a requester's number, want a
// word that counts only in a chat of two, or say what the room hears as news.
var aloud = []string{
	"take_again", "take_closed", "take_withdrawn", "take_some", "take_some_all", "take_some_none",
	"many_done", "many_done_all", "many_done_none", "decline_ok", "release_not_yours", "owned", "done_already", "next_none", "note_ok",
	"err_number", "req_agents_only", "status_agent", "who", "oncall", "oncall_one", "oncall_none", "manager_only", "undo_none", "undo_moved",
}

func (d *Desk) spokenInRoom(replyTo string) bool { return d.Room != "" && replyTo == d.Room }

// inRoom sends answers to what somebody wrote in the room where they belong: there,
// with the person's name before them, or to the person's own chat.
func (d *Desk) inRoom(ctx context.Context, answers []store.Outgoing) error {
	for i, o := range answers {
		if !d.spokenInRoom(o.Address) || o.Person == "" {
			continue
		}
		p, err := d.Store.Person(ctx, o.Person)
		if err != nil {
			return err
		}
		if !slices.Contains(aloud, o.Reason) {
			answers[i].Address = p.JID
			continue
		}
		text, err := notice.Render(notice.Message{ID: "room_answer", Channel: string(gateway.IM), Language: p.Language, Values: map[string]string{"who": p.Name, "text": o.Text}})
		if err != nil {
			return fmt.Errorf("word an answer in the room: %w", err)
		}
		answers[i].Text = text.Body
	}
	return nil
}

// anonymous tells whether a line in the room came from somebody whose JID it hides: its
// sender is then a place in the room.
func (d *Desk) anonymous(row store.Inbound) bool {
	return d.spokenInRoom(row.ReplyTo) && strings.Contains(row.From, "/")
}

// unseen says once a day why nothing is done from the room.
func (d *Desk) unseen(ctx context.Context, row store.Inbound) error {
	first, err := d.Store.Stranger(ctx, row.Channel, d.Room, d.Clock.Now())
	if err != nil {
		return err
	}
	if !first {
		return d.drop(ctx, row, "the room does not show who wrote")
	}
	return d.say(ctx, row, roster.Person{}, "room_anonymous", nil, reply{key: "answer/" + row.Key, finish: true})
}
