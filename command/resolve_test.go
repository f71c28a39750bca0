package command

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"deskbell/ticket"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)

func offer(number int, age time.Duration) Offer {
	return Offer{Ticket: number, At: now.Add(-age), Until: now.Add(15*time.Minute - age), Subject: "Printer on 3rd floor jams"}
}

func one(number int, status ticket.Status) []Ticket {
	return []Ticket{{Number: number, Status: status, Subject: "Printer on 3rd floor jams"}}
}

func promised(until string) Intent {
	return Act{Verb: ticket.Take, Tickets: []int{142}, Until: until}
}

func pending(q Question) *Question { return &q }

var (
	two      = append(one(142, ticket.Assigned), one(150, ticket.Assigned)...)
	lease    = AskLease(142, now.Add(-time.Minute), 30*time.Minute)
	asked    = AskAnswer(142, now.Add(-6*time.Minute), 48*time.Hour)
	late     = AskLate(142, "", now)
	taken    = Act{Verb: ticket.Done, Tickets: []int{142}, Text: "new toner"}
	doneNext = AskConfirm(taken, now)
	solved   = []Solved{{Ticket: 142, Until: now.Add(70 * time.Hour)}}
	soon     = now.Add(QuestionLife)
)

func TestResolveAgent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		ctx        Context
		want       Intent
	}{
		{"bare number", "142", Context{}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"bare number that is mine", "142!!", Context{Held: two}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"several numbers", "142, 143", Context{}, Act{Verb: ticket.Take, Tickets: []int{142, 143}}},
		{"number and words", "142 on my way", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "on my way"}},
		{"number and words on my own request", "142 it is the blue one", Context{Own: one(142, ticket.New)}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "it is the blue one"}},
		{"number and a time", "142 20m", Context{}, promised("20m")},
		{"number and a longer time", "#142 1h30m.", Context{Held: two}, promised("1h30m.")},
		{"number and a time in words", "142 in 20 min", Context{}, promised("in 20 min")},
		{"number and a time of day", "142 until 15:30", Context{}, promised("until 15:30")},
		{"number and a time apart", "142 20 min", Context{}, promised("20 min")},
		{"number and another day", "142 tomorrow 9:00", Context{}, promised("tomorrow 9:00")},
		{"take with a time", "take 142 20m", Context{}, promised("20m")},
		{"take with a time in words", "I'll take 142 in an hour", Context{}, promised("in an hour")},
		{"T and a time", "T142 1h", Context{}, promised("1h")},
		{"number and a time on my own request", "142 20m", Context{Own: one(142, ticket.New)}, promised("20m")},
		{"several and a time", "take 142 and 143 20m", Context{}, Act{Verb: ticket.Take, Tickets: []int{142, 143}, Until: "20m"}},
		{"a time and more is a note", "142 1h downtime for all", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "1h downtime for all"}},
		{"two numbers are no time", "142 20", Context{}, Act{Verb: ticket.Take, Tickets: []int{142, 20}}},
		{"a time that is none", "142 25:00", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "25:00"}},
		{"ack", "ack 142", Context{}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"other system's ack", "142a", Context{}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"other system's close", "142c", Context{}, Act{Verb: ticket.Done, Tickets: []int{142}}},
		{"number first", "#142 done", Context{}, Act{Verb: ticket.Done, Tickets: []int{142}}},
		{"glued with text", "c142 new toner", Context{}, Act{Verb: ticket.Done, Tickets: []int{142}, Text: "new toner"}},
		{"C is the drive here", "142 C drive is full", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "C drive is full"}},
		{"up is no escalation here", "142 up and running", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "up and running"}},
		{"two numbers, one ticket", "done 142 15 pages lost", Context{}, Act{Verb: ticket.Done, Tickets: []int{142}, Text: "15 pages lost"}},
		{"two tickets done", "done 142 and 143", Context{}, Act{Verb: ticket.Done, Tickets: []int{142, 143}}},

		{"ok, one offer", "ok", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"thumb, one offer", "👍🏽", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"take it, one offer", "I'll take it", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"ok, two offers", "ok", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute), offer(143, time.Minute)}}}, Ask{
			Message: "which_offer", List: []Ticket{{Number: 142, Status: ticket.New, Subject: "Printer on 3rd floor jams"}, {Number: 143, Status: ticket.New, Subject: "Printer on 3rd floor jams"}},
			Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Take}},
		}},
		{"ok, offer of three seconds ago", "ok", Context{Memory: Memory{Offers: []Offer{offer(142, 3*time.Second)}}}, Ask{
			Message: "which_offer", List: []Ticket{{Number: 142, Status: ticket.New, Subject: "Printer on 3rd floor jams"}},
			Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Take}},
		}},
		{"1, another offer ended a minute ago", "1", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}, OfferEndedAt: now.Add(-time.Minute)}}, Ask{
			Message: "which_offer", List: []Ticket{{Number: 142, Status: ticket.New, Subject: "Printer on 3rd floor jams"}},
			Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Take}},
		}},
		{"ok, the offer is over", "ok", Context{Memory: Memory{Offers: []Offer{offer(142, time.Hour)}}, Waiting: one(143, ticket.New)}, Say{Message: "no_offer", Values: map[string]string{"count": "1"}}},
		{"ok to a quoted offer", "> New #143 (normal): VPN drops\n> Reply 143 to take it\nok", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute), offer(143, time.Minute)}}}, Act{Verb: ticket.Take, Tickets: []int{143}}},
		{"words to a quoted ticket", "> #142 is yours: Printer\nreplaced the fuser", Context{}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "replaced the fuser"}},
		{"no, one offer", "2", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Act{Verb: ticket.Decline, Tickets: []int{142}}},
		{"R with a number", "r142", Context{Held: two}, Act{Verb: ticket.Drop, Tickets: []int{142}}},
		{"R alone asks", "R", Context{Held: one(142, ticket.Assigned)}, Ask{
			Message: "err_which", Values: map[string]string{"guess": "R 142"}, List: one(142, ticket.Assigned),
			Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Drop}},
		}},

		{"C alone, one held", "C", Context{Held: one(142, ticket.Assigned)}, Act{Verb: ticket.Done, Tickets: []int{142}}},
		{"C alone, two held", "C", Context{Held: two}, Ask{Message: "done_which", List: two, Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Done}}}},
		{"C alone, nothing held", "C", Context{}, Say{Message: "mine_none", Values: map[string]string{"count": "0"}}},
		{"fixed the toner, one held", "fixed the toner", Context{Held: one(142, ticket.Assigned)}, Ask{
			Message: "err_guess", Values: map[string]string{"guess": "CLOSE 142"},
			Question: AskConfirm(Act{Verb: ticket.Done, Tickets: []int{142}, Text: "the toner"}, now),
		}},
		{"number after done_which", "150", Context{Held: two, Memory: Memory{Question: pending(Question{Kind: Which, Until: soon, Act: &Act{Verb: ticket.Done}})}}, Act{Verb: ticket.Done, Tickets: []int{150}, Settles: true}},
		{"yes after done_not_taken", "yes", Context{Memory: Memory{Question: &doneNext}}, Act{Verb: ticket.Done, Tickets: []int{142}, Text: "new toner", Confirmed: true, Settles: true}},
		{"no after done_not_taken", "no", Context{Memory: Memory{Question: &doneNext, Offers: []Offer{offer(143, time.Minute)}}}, Say{Message: "not_done", Settles: true}},
		{"another command after done_not_taken", "143", Context{Memory: Memory{Question: &doneNext}}, Act{Verb: ticket.Take, Tickets: []int{143}}},
		{"ok after a question that has run out", "ok", Context{Memory: Memory{Question: pending(AskConfirm(taken, now.Add(-time.Hour)))}}, Say{Message: "no_offer", Values: map[string]string{"count": "0"}}},

		{"a guess that takes", "claem 142", Context{}, Act{Verb: ticket.Take, Tickets: []int{142}}},
		{"a guess that closes", "clsoe 142", Context{}, Ask{Message: "err_guess", Values: map[string]string{"guess": "CLOSE 142"}, Question: AskConfirm(Act{Verb: ticket.Done, Tickets: []int{142}}, now)}},
		{"a guess that reads", "lits", Context{}, Query{Kind: QueryList, Page: 1}},
		{"a word nobody knows", "frobnicate the thing", Context{}, Say{Message: "err_word", Values: map[string]string{"word": "frobnicate"}}},

		{"note without a ticket", "note", Context{Held: two}, Ask{
			Message: "err_which", Values: map[string]string{"guess": "NOTE 142 text"}, List: two, Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Note}},
		}},
		{"note without a text", "note 142", Context{}, Ask{
			Message: "err_text", Values: map[string]string{"n": "142", "guess": "NOTE 142 text"},
			Question: Question{Kind: Missing, Ticket: 142, At: now, Until: soon, Act: &Act{Verb: ticket.Note, Tickets: []int{142}}},
		}},
		{"the missing text", "replaced the fuser --", Context{Memory: Memory{Question: pending(Question{Kind: Missing, Until: soon, Act: &Act{Verb: ticket.Note, Tickets: []int{142}}})}}, Act{Verb: ticket.Note, Tickets: []int{142}, Text: "replaced the fuser --", Settles: true}},
		{"snooze", "z142 mon 9:00", Context{}, Act{Verb: ticket.Snooze, Tickets: []int{142}, Until: "mon 9:00"}},
		{"snooze without a time", "z142", Context{}, Ask{
			Message: "snooze_when", Values: map[string]string{"n": "142"},
			Question: Question{Kind: Time, Ticket: 142, At: now, Until: soon, Act: &Act{Verb: ticket.Snooze, Tickets: []int{142}}},
		}},
		{"the missing time", "2h", Context{Memory: Memory{Question: pending(Question{Kind: Time, Until: soon, Act: &Act{Verb: ticket.Snooze, Tickets: []int{142}}})}}, Act{Verb: ticket.Snooze, Tickets: []int{142}, Until: "2h", Settles: true}},
		{"pass", "pass 142 to bob ito", Context{}, Act{Verb: ticket.Pass, Tickets: []int{142}, To: "bob ito"}},
		{"pass, number last", "give bob 142", Context{}, Act{Verb: ticket.Pass, Tickets: []int{142}, To: "bob"}},
		{"takeover", "take over 142", Context{}, Act{Verb: ticket.Takeover, Tickets: []int{142}}},
		{"up with a reason", "up 142 vendor needed", Context{}, Act{Verb: ticket.Up, Tickets: []int{142}, Text: "vendor needed"}},
		{"up without a number asks", "up", Context{Held: two}, Ask{
			Message: "err_which", Values: map[string]string{"guess": "UP 142"}, List: two, Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Up}},
		}},

		{"still on it", "OK", Context{Held: one(142, ticket.Assigned), Memory: Memory{Question: &lease}}, Act{Verb: ticket.Keep, Tickets: []int{142}, Settles: true}},
		{"no longer on it", "no", Context{Held: one(142, ticket.Assigned), Memory: Memory{Question: &lease}}, Ask{
			Message: "err_guess", Values: map[string]string{"guess": "RELEASE 142"}, Question: AskConfirm(Act{Verb: ticket.Drop, Tickets: []int{142}}, now),
		}},
		{"asked about the own request, but next is next", "next", Context{Memory: Memory{Question: &asked}}, Query{Kind: QueryNext}},
		{"asked about the own request, but ok is the offer", "ok", Context{Memory: Memory{Question: &asked, Offers: []Offer{offer(143, time.Minute)}}}, Act{Verb: ticket.Take, Tickets: []int{143}}},
		{"asked about the own request, the answer", "the left tray", Context{Memory: Memory{Question: &asked}}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "the left tray", Settles: true}},
		{"undo", "oops", Context{Memory: Memory{UndoTicket: 143, UndoAt: now.Add(-2 * time.Minute)}}, Act{Verb: ticket.TakeBack, Tickets: []int{143}}},
		{"undo too late", "undo", Context{Memory: Memory{UndoTicket: 143, UndoAt: now.Add(-11 * time.Minute)}}, Say{Message: "undo_none"}},
		{"undo of another one", "undo 142", Context{Memory: Memory{UndoTicket: 143, UndoAt: now}}, Say{Message: "undo_none"}},
		{"details of the offer", "3", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Query{Kind: QueryShow, Ticket: 142}},
		{"details of what was spoken of", "d", Context{Memory: Memory{Last: 150}}, Query{Kind: QueryShow, Ticket: 150}},
		{"help", "?", Context{}, Query{Kind: QueryHelp}},
		{"help more", "Help more", Context{}, Query{Kind: QueryHelpMore}},
		{"next", "next", Context{}, Query{Kind: QueryNext}},
		{"why", "why 142", Context{}, Query{Kind: QueryWhy, Ticket: 142}},
		{"list, second page", "list 2", Context{}, Query{Kind: QueryList, Page: 2}},
		{"lunch", "lunch 30m", Context{}, Do{Kind: DoAway, Until: "30m"}},
		{"away with a reason", "AWAY 30m dentist", Context{}, Do{Kind: DoAway, Until: "30m", Text: "dentist"}},
		{"back", "back", Context{}, Do{Kind: DoBack}},
		{"back in 5 is a state", "back in 5", Context{}, Say{Message: "err_word", Values: map[string]string{"word": "back"}}},
		{"cant print is no refusal", "Cant print", Context{Memory: Memory{Offers: []Offer{offer(142, time.Minute)}}}, Say{Message: "err_word", Values: map[string]string{"word": "Cant"}}},
		{"new", "new screen is dark", Context{}, Do{Kind: DoNew, Text: "screen is dark"}},
		{"stop", "Stop", Context{}, Do{Kind: DoStop}},
		{"auto reply", "I'm driving with Do Not Disturb While Driving turned on.", Context{}, Do{Kind: DoUnreachable}},
		{"tapback", "Liked “#142 is yours: Printer”", Context{}, Nothing{}},
		{"picture", "", Context{}, Say{Message: "err_picture"}},
		{"own request solved, and an offer", "no", Context{Memory: Memory{Solved: []Solved{{Ticket: 99, Until: soon}}, Offers: []Offer{offer(142, time.Minute)}}}, Act{Verb: ticket.Decline, Tickets: []int{142}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.ctx.Now, tt.ctx.Works, tt.ctx.Channel = now, true, "sms"
			got := Resolve(Parse(tt.text, Speaker{Channel: "sms"}), tt.ctx)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q: -want +got\n%s", tt.text, diff)
			}
		})
	}
}

func TestResolveRequester(t *testing.T) {
	t.Parallel()
	similarTo := func(text string) Ask {
		return Ask{
			Message: "req_similar", Values: map[string]string{"n": "142", "subj": "Printer on 3rd floor jams"},
			Question: Question{Kind: Similar, Ticket: 142, At: now, Until: soon, Do: &Do{Kind: DoNew, Text: text}},
		}
	}
	confirmNew := func(text string) Ask {
		return Ask{Message: "req_confirm_new", Values: map[string]string{"subj": text}, Question: Question{Kind: Confirm, At: now, Until: soon, Do: &Do{Kind: DoNew, Text: text}}}
	}
	again := "the printer is jammed again it eats everything"
	tests := []struct {
		name, text string
		ctx        Context
		want       Intent
	}{
		{"status", "status", Context{}, Query{Kind: QueryStatus}},
		{"status of one", "where is 142?", Context{Own: one(142, ticket.New)}, Query{Kind: QueryStatus, Ticket: 142}},
		{"somebody else's", "status 142", Context{}, Say{Message: "req_not_yours", Values: map[string]string{"n": "142"}}},
		{"bare number", "142", Context{Own: one(142, ticket.New)}, Query{Kind: QueryStatus, Ticket: 142}},
		{"adds something", "١٤٥ ما زالت المشكلة", Context{Own: one(145, ticket.New)}, Act{Verb: ticket.Write, Tickets: []int{145}, Text: "ما زالت المشكلة"}},
		{"a number that is none", "20 people cannot print", Context{}, confirmNew("20 people cannot print")},
		{"answers 2", "2", Context{Memory: Memory{Question: &asked}}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "2", Settles: true}},
		{"answers with a number", "40 MB, macros", Context{Memory: Memory{Question: &asked}}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "40 MB, macros", Settles: true}},
		{"answers after a restart", "tray 2", Context{Own: []Ticket{{Number: 142, Status: ticket.Pending, Asked: true}}}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "tray 2", Settles: true}},
		{"no longer asked", "VPN drops", Context{Memory: Memory{Question: &asked}, Own: one(142, ticket.Closed)}, confirmNew("VPN drops")},
		{"status while asked", "status", Context{Memory: Memory{Question: &asked}}, Query{Kind: QueryStatus}},
		{"not fixed", "No it jams again!!", Context{Memory: Memory{Solved: solved}}, Act{Verb: ticket.Reopen, Tickets: []int{142}, Text: "it jams again!!"}},
		{"not fixed, in other words", "no paper comes out", Context{Memory: Memory{Solved: solved}}, Act{Verb: ticket.Reopen, Tickets: []int{142}, Text: "paper comes out"}},
		{"not fixed, after the window", "No", Context{Memory: Memory{Solved: []Solved{{Ticket: 142, Until: now.Add(-time.Minute)}}}}, Query{Kind: QueryHelp}},
		{"two solved", "no", Context{Memory: Memory{Solved: append(slices.Clone(solved), Solved{Ticket: 143, Until: soon})}}, Ask{
			Message: "req_which", List: []Ticket{{Number: 142, Status: ticket.Resolved}, {Number: 143, Status: ticket.Resolved}},
			Question: Question{Kind: Which, At: now, Until: soon, Act: &Act{Verb: ticket.Reopen}},
		}},
		{"one solved, one closed since", "not fixed", Context{Own: append(one(142, ticket.Resolved), one(143, ticket.Closed)...), Memory: Memory{Solved: append(slices.Clone(solved), Solved{Ticket: 143, Until: soon})}},
			Act{Verb: ticket.Reopen, Tickets: []int{142}}},
		{"two closed since", "no", Context{Own: append(one(142, ticket.Closed), one(143, ticket.Cancelled)...), Memory: Memory{Solved: append(slices.Clone(solved), Solved{Ticket: 143, Until: soon})}},
			Act{Verb: ticket.Reopen, Tickets: []int{143}}},
		{"thanks", "Thank you!!", Context{Memory: Memory{Solved: solved}}, Nothing{}},
		{"free text, nothing open", "VPN drops", Context{}, confirmNew("VPN drops")},
		{"free text, similar", again, Context{Own: one(142, ticket.New)}, similarTo(again)},
		{"free text, alike in common words only", "cannot print again", Context{Own: []Ticket{{Number: 142, Status: ticket.New, Subject: "Cannot log in again"}}}, confirmNew("cannot print again")},
		{"free text to the holder", "it is the left one", Context{Memory: Memory{Last: 142}, Own: one(142, ticket.Assigned)}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: "it is the left one"}},
		{"adds to the similar one", "142", Context{Own: one(142, ticket.New), Memory: Memory{Question: pending(similarTo(again).Question)}}, Act{Verb: ticket.Write, Tickets: []int{142}, Text: again, Settles: true}},
		{"new one all the same", "yes", Context{Own: one(142, ticket.New), Memory: Memory{Question: pending(similarTo(again).Question)}}, Do{Kind: DoNew, Text: again, Settles: true}},
		{"withdraw", "close 142", Context{Own: one(142, ticket.New)}, Ask{
			Message: "req_withdraw", Values: map[string]string{"n": "142", "subj": "Printer on 3rd floor jams"}, Question: AskConfirm(Act{Verb: ticket.Withdraw, Tickets: []int{142}}, now),
		}},
		{"yes to too late", "yes", Context{Memory: Memory{Question: &late}}, Do{Kind: DoNew, Ticket: 142, Settles: true}},
		{"text to too late", "it jams again", Context{Memory: Memory{Question: &late}}, Do{Kind: DoNew, Ticket: 142, Text: "it jams again", Settles: true}},
		{"agents' verb", "take 142", Context{}, Say{Message: "req_agents_only"}},
		{"agents' verb on the own one", "up 142", Context{Own: one(142, ticket.New)}, Say{Message: "req_agents_only"}},
		{"list", "list", Context{}, Say{Message: "req_agents_only"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.ctx.Now, tt.ctx.Channel = now, "sms"
			got := Resolve(Parse(tt.text, Speaker{Requester: true, Channel: "sms"}), tt.ctx)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q: -want +got\n%s", tt.text, diff)
			}
		})
	}
}

// explicitForms are how one must write to close, give back, pass or escalate.
// They are spelt out here and not taken from the grammar.
var explicitForms = map[ticket.Verb]*regexp.Regexp{
	ticket.Done: regexp.MustCompile(`(?i)(\b|_|\d)(c|9|done|closed?|fix(ed)?|resolved?|solved|completed?|finish(ed)?|fertig|erledigt|gel(ö|o|oe)st|schlie(ß|ss)en|fini|termin[ée]|r[ée]solu|ferm(er|é)|fait|c\W*est\W*fait|réglé|hecho|listo|resuelto|cerr(ar|ado)|terminado|solucionado)(\b|_|#?\d|[^\pL]|$)`),
	ticket.Drop: regexp.MustCompile(`(?i)(\b|_|\d)(r|2|no|nope|nah|non|nein|reject|decline|deny|refuse|skip|not\W*me|can'?t|cannot|release|drop|give\W*back|return|un\W*claim|un\W*take|put\W*back|un\W*assign|ablehnen|nicht|zur(ü|u|ue)ck|freigeben|refuser?|pas\W*moi|rechaz(ar|o)|yo\W*no|rendre|lib[ée]rer|rel[âa]cher|soltar|devolver|devuelvo)(\b|_|#?\d|[^\pL]|$)|👎|❌`),
	ticket.Pass: regexp.MustCompile(`(?i)(\b|_|\d)(p|pass|give|hand\W*over|transfer|forward|weiter|gib|passer|donner|pasar|transf[ée]rer|transferir)(\b|_|#?\d)`),
	ticket.Up:   regexp.MustCompile(`(?i)(\b|_|\d)(u|8|up|escalate|esc|escal|on\W*call\W*now|help\W*me|eskalieren|hoch|escalader|escalar)(\b|_|#?\d)`),
}

var yesForms = regexp.MustCompile(`(?i)\b(1|y|yes|ok|okay|k|sure|yep|yeah|yup|ja|oui|si|sí)\b|👍|👌|✅|🙋`)

// TestNothingDrasticByAccident: whatever anybody writes in whatever conversation,
// a ticket is closed, given back, passed or escalated only when an explicit form
// says so, now or in the question that this answers.
func TestNothingDrasticByAccident(t *testing.T) {
	t.Parallel()
	drastic := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := drawContext(t)
		for range 40 {
			if checkDrastic(t, drawText(t), ctx) {
				drastic++
			}
		}
	})
	if t.Logf("%d drastic acts", drastic); drastic < 20 {
		t.Error("too few: the texts do not try")
	}
}

func checkDrastic(t *rapid.T, text string, ctx Context) bool {
	s := Speaker{Requester: !ctx.Works, Channel: ctx.Channel, Language: ctx.Language}
	act, ok := Resolve(Parse(text, s), ctx).(Act)
	if !ok || act.Verb == ticket.Drop && !heldAny(ctx, act.Tickets) {
		return false
	}
	if act.Verb == ticket.Close {
		t.Fatalf("%q closes for good", text)
	}
	form, isDrastic := explicitForms[act.Verb]
	if !isDrastic {
		return false
	}
	folded := foldUnicode(text)
	if form.MatchString(folded) && !act.Settles && namesTicket(folded, act, ctx) {
		return true
	}
	q := ctx.Question
	if q == nil || ctx.Now.After(q.Until) || !act.Settles {
		t.Fatalf("%q in %+v: %+v", text, ctx, act)
	}
	switch {
	case q.Kind == Confirm && yesForms.MatchString(folded) && q.Act.Verb == act.Verb:
	case q.Kind == Which && q.Act.Verb == act.Verb && strings.Contains(folded, strconv.Itoa(act.Tickets[0])):
	case q.Kind == Missing && q.Act.Verb == act.Verb:
	case q.Kind == Lease && form.MatchString(folded) && act.Tickets[0] == q.Ticket:
	default:
		t.Fatalf("%q answers %+v: %+v", text, q, act)
	}
	return true
}

func heldAny(ctx Context, numbers []int) bool {
	return slices.ContainsFunc(numbers, func(n int) bool { return has(ctx.Held, n) })
}

// namesTicket: the ticket is named, quoted, or the only one held.
func namesTicket(text string, act Act, ctx Context) bool {
	for _, n := range act.Tickets {
		if !strings.Contains(text, strconv.Itoa(n)) && !(len(ctx.Held) == 1 && ctx.Held[0].Number == n) {
			return false
		}
	}
	return true
}

func drawText(t *rapid.T) string {
	var vocabulary []string
	for _, e := range grammar.Verbs {
		vocabulary = append(vocabulary, e.Letter, e.Digit)
		for _, language := range []string{"en", "de", "fr", "es"} {
			vocabulary = append(vocabulary, e.Words[language]...)
		}
	}
	vocabulary = append(vocabulary, "142", "143", "#142", "c142", "142c", "r143", "20", "please", "the", "printer", "is", "and", "bob", "2h", "mon", "9:00", "--", "👍", ">", "\n", "C", "drive", "why", "not", "clsoe", "relase", "esclate", "１４２")
	daring := []string{"done", "c", "C", "close", "fixed", "r", "release", "drop", "not me", "pass", "give", "p", "up", "esc", "u", "9", "8", "2", "yes", "ok", "142", "143", "150", "#142", "142c", "u143", "fertig", "clsoe", "don", "relese"}
	word := rapid.OneOf(rapid.SampledFrom(vocabulary), rapid.SampledFrom(daring), rapid.SampledFrom(daring), rapid.StringN(0, 8, -1))
	words := rapid.SliceOfN(word, 0, 5).Draw(t, "words")
	return strings.Join(words, rapid.SampledFrom([]string{" ", " ", " ", "", ", ", "\n"}).Draw(t, "gap"))
}

func drawContext(t *rapid.T) Context {
	number := rapid.SampledFrom([]int{142, 143, 150})
	tickets := rapid.Custom(func(t *rapid.T) Ticket {
		return Ticket{
			Number: number.Draw(t, "number"), Subject: "Printer on 3rd floor jams", Asked: rapid.Bool().Draw(t, "asked"),
			Status: rapid.SampledFrom([]ticket.Status{ticket.New, ticket.Assigned, ticket.Pending, ticket.Resolved}).Draw(t, "status"),
		}
	})
	offers := rapid.Custom(func(t *rapid.T) Offer {
		return offer(number.Draw(t, "number"), time.Duration(rapid.IntRange(0, 1000).Draw(t, "age"))*time.Second)
	})
	ctx := Context{
		Now: now, Works: rapid.Bool().Draw(t, "works"), Channel: rapid.SampledFrom([]string{"sms", "im"}).Draw(t, "channel"),
		Language: rapid.SampledFrom([]string{"", "de", "de-AT", "fr", "es"}).Draw(t, "language"),
		Held:     rapid.SliceOfN(tickets, 0, 2).Draw(t, "held"), Own: rapid.SliceOfN(tickets, 0, 2).Draw(t, "own"), Waiting: rapid.SliceOfN(tickets, 0, 2).Draw(t, "waiting"),
		Memory: Memory{
			Offers: rapid.SliceOfN(offers, 0, 2).Draw(t, "offers"), Last: rapid.SampledFrom([]int{0, 142}).Draw(t, "last"), UndoTicket: rapid.SampledFrom([]int{0, 143}).Draw(t, "undo"),
			UndoAt: now.Add(-time.Minute),
		},
	}
	if rapid.Bool().Draw(t, "is solved") {
		ctx.Solved = solved
	}
	if rapid.Bool().Draw(t, "question") {
		ctx.Question = drawQuestion(t, number.Draw(t, "number"))
	}
	return ctx
}

func drawQuestion(t *rapid.T, n int) *Question {
	verb := rapid.SampledFrom([]ticket.Verb{ticket.Done, ticket.Drop, ticket.Up, ticket.Pass, ticket.Note, ticket.Withdraw, ticket.Take}).Draw(t, "verb")
	kind := rapid.SampledFrom([]QuestionKind{Confirm, Which, Missing, Time, Lease, Answer, Similar, Late}).Draw(t, "kind")
	q := Question{Kind: kind, Ticket: n, At: now, Until: now.Add(time.Duration(rapid.IntRange(-5, 15).Draw(t, "left")) * time.Minute)}
	switch kind {
	case Confirm, Which:
		q.Act = &Act{Verb: verb, Tickets: []int{n}}
	case Missing:
		q.Act = &Act{Verb: rapid.SampledFrom([]ticket.Verb{ticket.Note, ticket.Ask, ticket.Tell, ticket.Pass}).Draw(t, "missing"), Tickets: []int{n}}
	case Time:
		q.Act = &Act{Verb: ticket.Snooze, Tickets: []int{n}}
	case Similar, Late:
		q.Do = &Do{Kind: DoNew, Text: "printer"}
	}
	return &q
}

// TestMemoryIsARow: what a conversation remembers survives storage.
func TestMemoryIsARow(t *testing.T) {
	t.Parallel()
	want := Memory{
		Offers: []Offer{offer(142, time.Minute)}, OfferEndedAt: now, Question: &doneNext, Solved: solved, Last: 142, UndoTicket: 143, UndoAt: now,
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Memory
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
