package command

import (
	"slices"
	"time"

	"deskbell/ticket"
)

// Times that a conversation lives by.
const (
	// QuestionLife is how long a question waits for its answer.
	QuestionLife = 15 * time.Minute
	// UndoLife is how long somebody's last action can be taken back.
	UndoLife = 10 * time.Minute
	// offerSettles is how old an offer must be before YES takes it: a YES that
	// crossed it on the way meant something else.
	offerSettles = 5 * time.Second
	// offerEcho is how long after the end of an offer YES may still have meant it.
	offerEcho = 2 * time.Minute
)

// Memory is what a conversation remembers of one person, whatever the channel. It
// is stored as one row per person.
type Memory struct {
	Offers       []Offer   `json:"offers,omitempty"`
	OfferEndedAt time.Time `json:"offer_ended_at,omitzero"` // when an offer last ended without this person's doing
	Question     *Question `json:"question,omitempty"`
	Solved       []Solved  `json:"solved,omitempty"`
	Last         int       `json:"last,omitempty"` // the ticket last spoken of
	UndoTicket   int       `json:"undo_ticket,omitempty"`
	UndoAt       time.Time `json:"undo_at,omitzero"`

	Given   []Given     `json:"given,omitempty"`   // errors and help that the person had lately
	Unknown []time.Time `json:"unknown,omitempty"` // when the person was not understood lately
}

// Given is an answer that somebody had.
type Given struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Context is the state of a conversation, as a value.
type Context struct {
	Memory
	Now      time.Time `json:"now"`
	Works    bool      `json:"works"` // may take tickets and work on them
	Language string    `json:"language,omitempty"`
	Channel  string    `json:"channel,omitempty"` // the one this message came by
	Held     []Ticket  `json:"held,omitempty"`    // tickets that this person holds
	Own      []Ticket  `json:"own,omitempty"`     // tickets that this person asked for, the newest first
	Waiting  []Ticket  `json:"waiting,omitempty"` // tickets that nobody holds, the most urgent first
}

// Ticket is one as the read model knows it: good for words and candidates, not for
// decisions.
type Ticket struct {
	Number  int           `json:"number"`
	Status  ticket.Status `json:"status,omitempty"`
	Subject string        `json:"subject,omitempty"`
	// Asked is set while the ticket waits for its requester's answer.
	Asked bool `json:"asked,omitempty"`
	// Expected is when its holder promised news or the end; zero without a promise.
	Expected time.Time `json:"expected,omitzero"`
	// Late is set once Expected passed without either.
	Late bool `json:"late,omitempty"`
}

// Offer is a ticket that this person was offered, or is paged or passed.
type Offer struct {
	Ticket  int       `json:"ticket"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
	Subject string    `json:"subject,omitempty"`
}

// Solved is a ticket of this person's that NO opens again.
type Solved struct {
	Ticket  int       `json:"ticket"`
	Until   time.Time `json:"until"`
	Subject string    `json:"subject,omitempty"`
}

// QuestionKind tells what an answer to a question means.
type QuestionKind string

// The kinds of questions.
const (
	Confirm QuestionKind = "confirm" // YES runs Act or Do
	Which   QuestionKind = "which"   // a ticket number completes Act
	Missing QuestionKind = "text"    // any text completes Act or Do
	Time    QuestionKind = "time"    // a time completes Act
	Lease   QuestionKind = "lease"   // YES: still on it
	Answer  QuestionKind = "answer"  // any text goes to Ticket
	Similar QuestionKind = "similar" // a number adds Do's text to that ticket, YES runs Do
	Shifts  QuestionKind = "swap"    // YES and NO answer a request to swap shifts
	Late    QuestionKind = "late"    // YES or a text opens a new ticket that follows Ticket
)

// Question is one that waits for its answer. A later one takes its place.
type Question struct {
	Kind   QuestionKind `json:"kind"`
	Ticket int          `json:"ticket,omitempty"`
	At     time.Time    `json:"at"`
	Until  time.Time    `json:"until"`
	Act    *Act         `json:"act,omitempty"`
	Do     *Do          `json:"do,omitempty"`
}

// AskConfirm is the question whose YES runs an act: done_not_taken and its like.
func AskConfirm(act Act, now time.Time) Question {
	act.Confirmed = true
	return Question{Kind: Confirm, At: now, Until: now.Add(QuestionLife), Act: &act}
}

// AskLease is the question of the text stale; it lives as long as the answer is waited for.
func AskLease(number int, now time.Time, wait time.Duration) Question {
	return Question{Kind: Lease, Ticket: number, At: now, Until: now.Add(wait)}
}

// AskAnswer is the question of the text req_question; it lives until the next one,
// or for the policy's requester silence.
func AskAnswer(number int, now time.Time, wait time.Duration) Question {
	return Question{Kind: Answer, Ticket: number, At: now, Until: now.Add(wait)}
}

// AskLate is the question of the text req_too_late. The text is what the requester
// had written, if anything.
func AskLate(number int, text string, now time.Time) Question {
	return Question{Kind: Late, Ticket: number, At: now, Until: now.Add(QuestionLife), Do: &Do{Kind: DoNew, Ticket: number, Text: text}}
}

// AskSwap is the question of the text swap_ask. It never takes the place of another,
// and SWAP YES answers it at any time.
func AskSwap(id int64, now time.Time) Question {
	return Question{Kind: Shifts, At: now, Until: now.Add(QuestionLife), Do: &Do{Kind: DoSwapYes, Swap: id}}
}

func (c Context) question(kinds ...QuestionKind) *Question {
	q := c.Question
	if q == nil || c.Now.After(q.Until) {
		return nil
	}
	for _, k := range kinds {
		if q.Kind == k {
			return q
		}
	}
	return nil
}

func (c Context) liveOffers() []Ticket {
	var live []Ticket
	for _, o := range c.Offers {
		if o.Until.After(c.Now) && !has(c.Held, o.Ticket) {
			live = append(live, Ticket{Number: o.Ticket, Subject: o.Subject, Status: ticket.New})
		}
	}
	return live
}

// hasty tells whether YES might not mean the only offer there is.
func (c Context) hasty(number int) bool {
	for _, o := range c.Offers {
		if o.Ticket == number && c.Now.Sub(o.At) < offerSettles {
			return true
		}
	}
	return !c.OfferEndedAt.IsZero() && c.Now.Sub(c.OfferEndedAt) < offerEcho
}

// solved are the tickets that NO opens again. One that was closed meanwhile counts
// only when no other does: its sender hears then that it is too late.
func (c Context) solved() []Ticket {
	var open, closed []Ticket
	for _, s := range c.Solved {
		t := Ticket{Number: s.Ticket, Subject: s.Subject, Status: ticket.Resolved}
		switch {
		case !s.Until.After(c.Now):
		case c.closed(s.Ticket):
			closed = []Ticket{t}
		default:
			open = append(open, t)
		}
	}
	if len(open) == 0 {
		return closed
	}
	return open
}

func (c Context) closed(number int) bool {
	return slices.ContainsFunc(c.Own, func(t Ticket) bool {
		return t.Number == number && (t.Status == ticket.Closed || t.Status == ticket.Cancelled)
	})
}

func (c Context) ownOpen() []Ticket {
	var open []Ticket
	for _, t := range c.Own {
		if t.Status.Open() {
			open = append(open, t)
		}
	}
	return open
}

// asked is the ticket that waits for this requester's answer, or 0.
func (c Context) asked() int {
	if q := c.question(Answer); q != nil {
		if c.stillAsked(q) {
			return q.Ticket
		}
	} else if c.Question != nil && !c.Now.After(c.Question.Until) {
		return 0 // a later question of ours
	}
	for _, t := range c.Own {
		if t.Asked {
			return t.Number
		}
	}
	return 0
}

// stillAsked tells whether a ticket still waits for the answer to a question, as
// far as the read model knows: it may be a moment behind.
func (c Context) stillAsked(q *Question) bool {
	const behind = time.Minute
	for _, t := range c.Own {
		if t.Number == q.Ticket {
			return t.Asked || t.Status.Open() && c.Now.Sub(q.At) < behind
		}
	}
	return true
}

func has(list []Ticket, number int) bool {
	for _, t := range list {
		if t.Number == number {
			return true
		}
	}
	return false
}
