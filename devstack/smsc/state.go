package smsc

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"deskbell/gateway/sms"
)

// Message is one entry on a phone, as the API shows it.
type Message struct {
	ID        string    `json:"id"`
	Direction string    `json:"direction"` // out: sent by the helpdesk; in: typed on the phone
	Text      string    `json:"text"`
	At        time.Time `json:"at"`
	Segments  int       `json:"segments"`
	Encoding  string    `json:"encoding"`
	Receipt   string    `json:"receipt"` // sent, delivered, failed or expired

	from  string
	ref   uint16
	parts []*segment // by number; of a typed message none
	taken map[int]bool
}

// fate is what became of a segment, in the words of a receipt.
type fate string

const (
	sent      fate = "sent"
	delivered fate = "delivered"
	expired   fate = "expired"
	failed    fate = "failed"
)

// segment is one submit_sm of the helpdesk.
type segment struct {
	record
	state     fate
	receipted bool
	answering bool          // its submit_sm_resp is not written yet
	early     chan struct{} // closed when its receipt, sent before that response, is acknowledged
	message   *Message
}

type phone struct {
	Phone
	on       bool
	messages []*Message
}

// item is one deliver_sm that the helpdesk has not acknowledged.
type item struct {
	id    string
	part  int    // of a typed message, from 1; 0 for a receipt
	queue string // what has the same one goes one after the other
	due   time.Time
	busy  bool
	tries int
	short sms.ShortMessage
}

// LedgerRow is the fate of one message id.
type LedgerRow struct {
	ID        string    `json:"id"`
	Direction string    `json:"direction"`
	Phone     string    `json:"phone"`
	Peer      string    `json:"peer"`
	At        time.Time `json:"at"`
	Text      string    `json:"text"`
	State     string    `json:"state"` // out: sent, delivered, failed, expired; in: waiting, taken
	Part      int       `json:"part,omitempty"`
	Parts     int       `json:"parts"`
	Receipted bool      `json:"receipted"` // the helpdesk acknowledged the receipt
	Attempts  int       `json:"attempts"`  // deliver_sm of this id: of the message or its receipt
}

// state is what the records say.
type state struct {
	helpdesk string
	lastID   uint64
	phones   map[string]*phone
	order    []string // numbers, as they became known
	segments map[string]*segment
	typed    map[string]*Message
	waiting  []*segment // no fate yet
	outbox   []*item
	ledger   []*LedgerRow
	rows     map[string]*LedgerRow
}

func newState(helpdesk string, people []Phone) state {
	st := state{
		helpdesk: helpdesk, lastID: 0xFFF, phones: map[string]*phone{},
		segments: map[string]*segment{}, typed: map[string]*Message{}, rows: map[string]*LedgerRow{},
	}
	for _, p := range people {
		st.phone(p.Number).Phone = p
	}
	return st
}

// phone returns the phone of a number, new and switched on if it was unknown.
func (st *state) phone(number string) *phone {
	p := st.phones[number]
	if p == nil {
		p = &phone{Phone: Phone{Number: number}, on: true}
		st.phones[number] = p
		st.order = append(st.order, number)
	}
	return p
}

// nextID returns a message id as SMSCs write them: hexadecimal.
func (st *state) nextID() string { return strconv.FormatUint(st.lastID+1, 16) }

func (st *state) apply(r record) {
	if n, err := strconv.ParseUint(r.ID, 16, 64); err == nil {
		st.lastID = max(st.lastID, n)
	}
	switch r.Op {
	case opSubmitted:
		st.submitted(r)
	case opFate:
		st.decided(r)
	case opReceipted:
		st.receipted(r)
	case opTyped:
		st.write(r)
	case opTaken:
		st.taken(r)
	case opPower:
		st.phone(r.Phone).on = r.On
	}
}

func (st *state) addRow(row *LedgerRow) {
	st.ledger = append(st.ledger, row)
	st.rows[row.ID] = row
}

// submitted takes a segment. Segments of one text are one entry, shown when all
// are there.
func (st *state) submitted(r record) {
	seg := &segment{record: r, state: sent}
	st.segments[r.ID] = seg
	st.waiting = append(st.waiting, seg)
	p := st.phone(r.Phone)
	total := max(r.Total, 1)
	st.addRow(&LedgerRow{
		ID: r.ID, Direction: "out", Phone: r.Phone, Peer: r.Peer, At: r.At, State: string(sent),
		Text: sms.DecodeText(r.Coding, r.Data), Part: r.Number, Parts: total,
	})
	m := p.incomplete(r)
	if m == nil {
		m = &Message{
			ID: r.ID, Direction: "out", At: r.At, Segments: total, Encoding: encodingName(r.Coding), Receipt: string(sent),
			from: r.Peer, ref: r.Ref, parts: make([]*segment, total),
		}
		p.messages = append(p.messages, m)
	}
	seg.message = m
	m.parts[max(r.Number, 1)-1] = seg
	if m.complete() {
		m.Text = m.join()
	}
}

// incomplete finds the latest text that lacks this part.
func (p *phone) incomplete(r record) *Message {
	for i := len(p.messages) - 1; i >= 0 && r.Total > 1; i-- {
		m := p.messages[i]
		if len(m.parts) == r.Total && m.ref == r.Ref && m.from == r.Peer && m.parts[r.Number-1] == nil {
			return m
		}
	}
	return nil
}

func (m *Message) complete() bool {
	for _, part := range m.parts {
		if part == nil {
			return false
		}
	}
	return true
}

// join decodes neighbours of one coding together: a character may be cut in two.
func (m *Message) join() string {
	var text strings.Builder
	var run []byte
	for i, seg := range m.parts {
		run = append(run, seg.Data...)
		if i+1 == len(m.parts) || m.parts[i+1].Coding != seg.Coding {
			text.WriteString(sms.DecodeText(seg.Coding, run))
			run = nil
		}
	}
	return text.String()
}

func encodingName(coding byte) string {
	switch coding {
	case sms.CodingGSM7:
		return "GSM-7"
	case sms.CodingUCS2:
		return "UCS-2"
	case sms.CodingLatin1:
		return "Latin-1"
	}
	return fmt.Sprintf("coding %d", coding)
}

// worst orders the fates of a text's segments.
var worst = map[fate]int{delivered: 0, sent: 1, expired: 2, failed: 3}

func (st *state) decided(r record) {
	seg := st.segments[r.ID]
	if seg == nil || seg.state != sent {
		return
	}
	seg.state = fate(r.State)
	st.rows[r.ID].State = r.State
	for i, other := range st.waiting {
		if other == seg {
			st.waiting = append(st.waiting[:i], st.waiting[i+1:]...)
			break
		}
	}
	whole := delivered
	for _, part := range seg.message.parts {
		if part == nil {
			whole = sent
		} else if worst[part.state] > worst[whole] {
			whole = part.state
		}
	}
	seg.message.Receipt = string(whole)
	if r.Wanted {
		st.outbox = append(st.outbox, &item{id: r.ID, queue: "receipt " + r.ID, due: r.Due, short: receiptMessage(seg, r)})
	}
}

func (st *state) receipted(r record) {
	st.remove(r.ID, 0)
	if seg := st.segments[r.ID]; seg != nil && !seg.receipted {
		seg.receipted = true
		st.rows[r.ID].Receipted = true
		if seg.early != nil {
			close(seg.early)
		}
	}
}

// write takes what somebody typed: as many parts as it needs.
func (st *state) write(r record) {
	text, err := sms.EncodeText(r.Text, byte(st.lastID))
	if err != nil {
		return // refused before it was recorded
	}
	header := text.UDH
	if r.Total > 1 {
		header = func(int) []byte { return sms.ConcatUDH(byte(r.Ref), r.Number, r.Total) }
	}
	m := &Message{
		ID: r.ID, Direction: "in", Text: r.Text, At: r.At, Segments: len(text.Bodies),
		Encoding: encodingName(text.Coding), Receipt: string(sent), taken: map[int]bool{},
	}
	p := st.phone(r.Phone)
	p.messages = append(p.messages, m)
	st.typed[r.ID] = m
	st.addRow(&LedgerRow{
		ID: r.ID, Direction: "in", Phone: r.Phone, Peer: st.helpdesk, At: r.At, Text: r.Text, State: "waiting", Parts: len(text.Bodies),
	})
	for i, body := range text.Bodies {
		st.outbox = append(st.outbox, &item{id: r.ID, part: i + 1, queue: r.Phone, short: typedMessage(r, st.helpdesk, text.Coding, header(i), body)})
	}
	if r.State == reordered {
		for i, j := len(st.outbox)-len(text.Bodies), len(st.outbox)-1; i < j; i, j = i+1, j-1 {
			st.outbox[i], st.outbox[j] = st.outbox[j], st.outbox[i]
		}
	}
}

// reordered marks a typed text whose last part goes first.
const reordered = "reordered"

func (st *state) taken(r record) {
	st.remove(r.ID, r.Number)
	m := st.typed[r.ID]
	if m == nil {
		return
	}
	m.taken[r.Number] = true
	if len(m.taken) == m.Segments {
		m.Receipt = string(delivered)
		st.rows[r.ID].State = "taken"
	}
}

func (st *state) remove(id string, part int) {
	for i, it := range st.outbox {
		if it.id == id && it.part == part {
			st.outbox = append(st.outbox[:i], st.outbox[i+1:]...)
			return
		}
	}
}

// messages returns what a phone shows, oldest first.
func (st *state) messages(number string) []Message {
	shown := []Message{}
	if p := st.phones[number]; p != nil {
		for _, m := range p.messages {
			if m.complete() {
				shown = append(shown, *m)
			}
		}
	}
	return shown
}

// name is what stands on the phone.
func (p *phone) name() string { return cmp.Or(p.Name, p.Number) }
