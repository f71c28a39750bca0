package command

// Verb is what a message asks for, before the conversation gives it a meaning.
type Verb string

// The verbs that people have words for.
const (
	Take     Verb = "take"
	Decline  Verb = "decline"
	Release  Verb = "release"
	Show     Verb = "show"
	Done     Verb = "done"
	Undo     Verb = "undo"
	Reopen   Verb = "reopen"
	Note     Verb = "note"
	AskFor   Verb = "ask"
	Tell     Verb = "tell"
	Pass     Verb = "pass"
	Takeover Verb = "takeover"
	Up       Verb = "up"
	Snooze   Verb = "snooze"
	List     Verb = "list"
	Mine     Verb = "mine"
	Next     Verb = "next"
	Status   Verb = "status"
	Who      Verb = "who"
	Why      Verb = "why"
	Oncall   Verb = "oncall"
	Away     Verb = "away"
	Back     Verb = "back"
	Swap     Verb = "swap"
	New      Verb = "new"
	Withdraw Verb = "withdraw"
	Help     Verb = "help"
	Yes      Verb = "yes"
	No       Verb = "no"
	Thanks   Verb = "thanks"
	Stop     Verb = "stop"
	Start    Verb = "start"
)

// What a message is when it has no verb.
const (
	Number   Verb = "number"   // a ticket number, perhaps with a text
	Text     Verb = "text"     // free text
	Empty    Verb = "empty"    // nothing to read: a picture, only a signature
	Auto     Verb = "auto"     // an automatic reply
	Reaction Verb = "reaction" // a tapback that a phone turned into text
)

// Speaker is what Parse must know about who wrote.
type Speaker struct {
	// Requester is set for people who may not work on tickets.
	Requester bool
	// Language is a BCP 47 tag; English when empty.
	Language string
	// Channel is "sms" or "im". STOP and START are words of SMS only.
	Channel string
}

// Command is a message as it was read.
type Command struct {
	Verb    Verb
	Numbers []int  // ticket numbers, in the order written
	Text    string // the argument, byte for byte
	Body    string // the whole message after cleanup
	Word    string // the first word that is not a politeness, as it was typed
	Guess   string // the word that Word was taken for; empty when nothing was guessed
	Confirm bool   // the guess must not run without a YES
	Keypad  bool   // a single digit
	Quoted  int    // the ticket number in the message that this one quotes, or 0
}
