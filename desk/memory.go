package desk

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"deskbell/activities"
	"deskbell/command"
	"deskbell/ticket"
)

func readMemory(data []byte) (command.Memory, error) {
	var m command.Memory
	if len(data) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read a conversation: %w", err)
	}
	return m, nil
}

// changeMemory is a change of a stored conversation. What is over is forgotten on
// the way.
func changeMemory(now time.Time, change func(*command.Memory)) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		m, err := readMemory(old)
		if err != nil {
			return nil, err
		}
		m.Offers = slices.DeleteFunc(m.Offers, func(o command.Offer) bool { return now.After(o.Until) })
		m.Solved = slices.DeleteFunc(m.Solved, func(s command.Solved) bool { return now.After(s.Until) })
		change(&m)
		return json.Marshal(m)
	}
}

// forever is longer than any conversation.
const forever = 365 * 24 * time.Hour

// undoable are the answers to what UNDO takes back.
var undoable = []ticket.Message{"take_ok", "release_ok", "done_ok", "pass_ok", "snooze_ok", "ask_ok", "note_ok", "tell_ok", "takeover_ok"}

// remembering is what a notice leaves in the conversation of whoever reads it:
// what YES, NO and UNDO will mean.
func remembering(p activities.Post) func(*command.Memory) {
	n, t := p.Notice, p.Ticket
	return func(m *command.Memory) {
		m.Last = t.Number
		ask := func(q command.Question) { m.Question = &q }
		switch n.Message {
		case "offer", "reminder", "pass_offer", "page", "page_help", "mgr_nobody":
			m.Offers = slices.DeleteFunc(m.Offers, func(o command.Offer) bool { return o.Ticket == t.Number })
			m.Offers = append(m.Offers, command.Offer{Ticket: t.Number, At: p.Now, Until: n.Expires, Subject: t.Subject})
		case "stale":
			ask(command.AskLease(t.Number, p.Now, n.Until.Sub(p.Now)))
		case "req_question":
			ask(command.AskAnswer(t.Number, p.Now, forever))
		case "req_too_late":
			ask(command.AskLate(t.Number, n.Text, p.Now))
		case "req_withdraw":
			ask(command.AskConfirm(command.Act{Verb: ticket.Withdraw, Tickets: []int{t.Number}, Text: n.Text}, p.Now))
		case "done_not_taken":
			ask(command.AskConfirm(command.Act{Verb: ticket.Done, Tickets: []int{t.Number}, Text: n.Text}, p.Now))
		case "req_reopened", "req_undone", "req_claimed", "req_handed", "req_withdrawn":
			m.Solved = unsolved(m.Solved, t.Number)
		case "req_done":
			m.Solved = append(unsolved(m.Solved, t.Number), command.Solved{Ticket: t.Number, Until: p.Now.Add(t.Plan.AutoClose), Subject: t.Subject})
		case "take_ok", "decline_ok":
			m.Offers = slices.DeleteFunc(m.Offers, func(o command.Offer) bool { return o.Ticket == t.Number })
		}
		if n.Answers != "" && slices.Contains(undoable, n.Message) {
			m.UndoTicket, m.UndoAt = t.Number, p.Now
		}
	}
}

// unsolved is what NO opens again without this ticket.
func unsolved(solved []command.Solved, number int) []command.Solved {
	return slices.DeleteFunc(solved, func(s command.Solved) bool { return s.Ticket == number })
}
