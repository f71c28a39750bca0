package command

import "deskbell/ticket"

// Intent is what a message means: an Act, a Do, a Query, an Ask, a Say or Nothing.
type Intent interface{ intent() }

// Act changes tickets.
type Act struct {
	Verb    ticket.Verb `json:"verb"`
	Tickets []int       `json:"tickets,omitempty"`
	Text    string      `json:"text,omitempty"`
	To      string      `json:"to,omitempty"`    // a colleague's name, as it was typed
	Until   string      `json:"until,omitempty"` // a time that When reads, as it was typed: a snooze's end, or what a take promises
	// Confirmed is set when a YES let it run: a ticket that nobody holds is then
	// taken and closed in one.
	Confirmed bool `json:"confirmed,omitempty"`
	// Settles is set when this answers the pending question, which is then forgotten.
	Settles bool `json:"settles,omitempty"`
}

// Deed is something done that is not done to a ticket.
type Deed string

// The deeds.
const (
	DoNew         Deed = "new"         // open a ticket; Ticket is the closed one that it follows, or 0
	DoAway        Deed = "away"        // no offers, until Until (a time that When reads) or until DoBack
	DoBack        Deed = "back"        // offers again
	DoStop        Deed = "stop"        // no more texts
	DoStart       Deed = "start"       // texts again
	DoSwap        Deed = "swap"        // ask the colleague Text to swap shifts, the one on the day Until or the next
	DoSwapYes     Deed = "swap yes"    // agree to a swap: the one asked by Swap, else by who is named in Text
	DoSwapNo      Deed = "swap no"     // decline a swap, or take the own request back
	DoUnreachable Deed = "unreachable" // an automatic reply: whoever was asked is not there; no answer
)

// Do changes what is not a ticket's, or opens one.
type Do struct {
	Kind    Deed   `json:"kind"`
	Text    string `json:"text,omitempty"`
	Until   string `json:"until,omitempty"`
	Ticket  int    `json:"ticket,omitempty"`
	Swap    int64  `json:"swap,omitempty"` // a request to swap shifts
	Settles bool   `json:"settles,omitempty"`
}

// Topic is what a question of a person's is about.
type Topic string

// The topics.
const (
	QueryShow     Topic = "show"
	QueryList     Topic = "list"
	QueryMine     Topic = "mine"
	QueryStatus   Topic = "status" // the queue for agents; the own requests, or Ticket, for requesters
	QueryWho      Topic = "who"
	QueryOncall   Topic = "oncall"
	QueryHelp     Topic = "help"
	QueryHelpMore Topic = "help_more"
	QueryNext     Topic = "next" // takes the first waiting ticket that it can get
	QueryWhy      Topic = "why"
)

// Query reads.
type Query struct {
	Kind   Topic
	Ticket int // 0: none named
	Page   int // of a list, from 1
}

// Ask answers with a question, which is stored and waits for its answer.
type Ask struct {
	Message  string            // an id of notice
	Values   map[string]string // its values, but for {list}
	List     []Ticket          // what {list} shows
	Question Question
}

// Say answers without doing anything.
type Say struct {
	Message string
	Values  map[string]string
	List    []Ticket
	Settles bool
}

// Nothing gets no answer.
type Nothing struct{}

func (Act) intent()     {}
func (Do) intent()      {}
func (Query) intent()   {}
func (Ask) intent()     {}
func (Say) intent()     {}
func (Nothing) intent() {}
