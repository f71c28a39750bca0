package desk

import (
	"maps"
	"slices"
	"strings"

	"deskbell/ticket"
)

// Explanation says to whoever waits for an outcome why the rules forbid it.
type Explanation struct {
	Title, Detail string
	Held          bool // the refusal's person is the ticket's holder
	Known         bool // false: these are words that fit any refusal
}

// Explain words a refusal.
func Explain(r *ticket.Refusal) Explanation {
	words, ok := refusals[r.Message]
	if !ok {
		return Explanation{Title: "Not possible now", Detail: "The ticket's rules do not allow this now."}
	}
	who := r.Who.Name
	if who == "" {
		who = "Somebody else"
	}
	words.Detail = strings.ReplaceAll(words.Detail, "{who}", who)
	return words
}

// Refusals are the messages that have words here.
func Refusals() []ticket.Message { return slices.Collect(maps.Keys(refusals)) }

var refusals = map[ticket.Message]Explanation{
	ticket.Changed:      {"The ticket has changed", "This is not the version that If-Match names. Read the ticket again.", false, true},
	"take_lost":         {"Somebody else was faster", "{who} took this ticket first.", true, true},
	"owned":             {"Somebody else has this ticket", "{who} has this ticket.", true, true},
	"take_limit":        {"You hold as many tickets as one may", "Close or give back one first.", false, true},
	"take_again":        {"The ticket is yours already", "You have this ticket already.", true, true},
	"decline_ok":        {"The ticket was not offered to you", "There is nothing to decline.", false, true},
	"take_closed":       {"The ticket is over", "This ticket is solved or closed.", true, true},
	"take_withdrawn":    {"The ticket was withdrawn", "Whoever asked has withdrawn this ticket.", false, true},
	"release_not_yours": {"The ticket is not yours", "{who} has this ticket; only the holder can give it back.", true, true},
	"done_already":      {"The ticket is over", "This ticket is solved or closed already.", true, true},
	"done_not_taken":    {"Nobody has taken this ticket", "Claim the ticket first.", false, true},
	"ask_not_taken":     {"Nobody has taken this ticket", "Claim the ticket first.", false, true},
	"open_already":      {"The ticket is open", "This ticket is open and waits for somebody.", false, true},
	"req_too_late":      {"Too late for this ticket", "This ticket is closed. Submit a new one.", true, true},
	"undo_none":         {"Nothing to undo", "There is nothing of yours here that can still be undone.", false, true},
	"undo_moved":        {"The ticket has moved on", "{who} has done something to this ticket since.", false, true},
	"manager_only":      {"Only a manager may do this", "Only a manager may do this.", false, true},
	"takeover_urgent":   {"Not by text message", "An urgent ticket cannot be taken over by text message.", false, true},
	"req_agents_only":   {"Only agents may do this", "Only people who work on tickets may do this.", false, true},
	"req_not_yours":     {"Not your ticket", "Only whoever asked for help may do this.", false, true},
}
