// Package gateway is what the IM and the SMS gateway have in common: the message
// that comes in, the message that goes out and its fate, and the pump that sends
// what is due. It knows no wire, no ticket, no store and no workflow engine.
package gateway

import (
	"context"
	"time"
)

// Channel names a way to reach a person.
type Channel string

// The channels that carry messages.
const (
	SMS Channel = "sms"
	IM  Channel = "im"
)

// Message is one message that came in, as it is kept before the protocol's
// acknowledgement.
type Message struct {
	Channel Channel
	// Key identifies the message on its channel. For IM it is final: archive id and
	// sender. For SMS it is the hash of what the PDU said; the inbox appends an
	// ordinal, because two people may well send the same word twice.
	Key string
	// From is the sender's E.164 number or bare JID, lower case.
	From string
	// ReplyTo is the address that the answer goes to: the full JID that wrote, or
	// the number itself.
	ReplyTo string
	Text    string
	// SentAt is the network's stamp; zero when the network gives none.
	SentAt time.Time
	// Quotes is the wire id of a message of ours that this one answers, or empty.
	Quotes string
	// Corrects says that this takes the place of the sender's message before.
	Corrects bool
	// Part is set on one part of a concatenated SMS. Text is then empty.
	Part *Part
	// Cursor is the archive id to store in the message's own transaction (IM only).
	Cursor string
	// Archive is whose Cursor it is: a room's bare JID, or empty for the account's own.
	Archive string
}

// Part is one piece of a concatenated SMS. Pieces are decoded together, because
// a character may be cut in two by the sender.
type Part struct {
	Group  string // SMSC, source, destination, reference and total, joined
	Number int    // 1..Total
	Total  int
	Coding byte
	Data   []byte
}

// Kept says what the inbox made of a message.
type Kept struct {
	Key    string // the row's final key
	Repeat bool   // the row was there already and is unconfirmed: the network repeats itself
}

// Inbox keeps messages before they are acknowledged. Implementations are safe
// for concurrent use.
type Inbox interface {
	// Keep commits the messages, in one transaction, and answers in their order.
	// After an error nothing was kept and nothing may be acknowledged.
	Keep(ctx context.Context, messages []Message) ([]Kept, error)
	// Confirm notes that the network is known to have our acknowledgement of these
	// keys: an equal message is a new one from now on.
	Confirm(ctx context.Context, channel Channel, keys []string) error
	// Cursor returns the last id kept of an archive, named as in Message.Archive, and
	// the stamp of its message; empty at the first login.
	Cursor(ctx context.Context, archive string) (string, time.Time, error)
}

// Delivery is one message that goes out: a row of the outbox.
type Delivery struct {
	ID      int64
	Key     string // deterministic: a retry has the same key and the same wire id
	Channel Channel
	To      string // E.164 number, bare JID or full JID
	Text    string
	// Alert marks what is sent once more after an unknown outcome. A confirmation
	// is not.
	Alert bool
	// Urgent is sent before everything else.
	Urgent  bool
	Expires time.Time // zero: no validity limit
	// Replaces is the wire id of a message of ours to the same person that this one
	// takes the place of, or empty (IM only).
	Replaces string
	Attempt  int // 1 for the first
	// Repeated says that the outcome of an earlier attempt is unknown.
	Repeated bool
}

// State is the fate of a delivery.
type State string

// The states of a delivery. Sent, delivered, failed, expired and unknown are
// also the values of a receipt.
const (
	Due       State = "due"
	Sending   State = "sending"
	Sent      State = "sent"
	Delivered State = "delivered"
	Failed    State = "failed"
	Expired   State = "expired"
	Cancelled State = "cancelled"
	Unknown   State = "unknown"
)

// Outcome is what an attempt to send came to.
type Outcome struct {
	// State is Sent, Failed (the network refused for good), Unknown (written, no
	// answer) or Due (not sent: try again after RetryIn).
	State   State
	WireIDs []string      // the network's ids, one per segment; set when Sent
	RetryIn time.Duration // with Due: how long the network wants us to wait
	Reason  string        // plain words and the network's status name; no text, no address
}

// Sender puts a message on the wire. It blocks while the window is full and
// returns within the context's deadline. Safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, d Delivery) Outcome
}

// Receipt is the network's later word on a sent message.
type Receipt struct {
	Channel Channel
	WireID  string
	State   State // Delivered, Failed, Expired or Unknown
	At      time.Time
	Reason  string
}

// Receipts takes receipts, committed when it returns without an error. A receipt
// may come before the outcome of its send was stored.
type Receipts interface {
	Receipt(ctx context.Context, r Receipt) error
}

// Presence is what a person's IM clients say, all of them together.
type Presence struct {
	Address string // bare JID
	State   string // available, away, busy, offline, unknown
	Show    string // the best client's own word: "", chat, away, dnd, xa
	Reason  string // its free text
	At      time.Time
}

// PresenceSink takes presence changes.
type PresenceSink interface {
	Presence(ctx context.Context, changes []Presence) error
}
