package sms

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

const (
	maxWaiting   = 1000                 // messages that wait for their commit; more are refused for now
	maxBatch     = 100                  // messages of one commit
	collectFor   = 5 * time.Millisecond // how long a commit waits for company
	keepDeadline = 5 * time.Second      // from arrival to the answer; then the SMSC keeps the message
	confirmFor   = 50 * time.Millisecond
)

// inbound takes what comes in on one session. Messages are kept in the order of
// their arrival, by one goroutine, in batches; receipts each on their own.
type inbound struct {
	g     *Gateway
	queue chan arrival
	wake  chan struct{}  // something was proven
	open  sync.WaitGroup // requests not answered yet

	mu      sync.Mutex
	closing bool         // new requests are refused
	waiting map[same]int // PDUs that are not answered yet
	// acked holds, by what the PDU said, the rows whose acknowledgement was given to
	// the network and is not confirmed yet.
	acked map[string][]*ack
}

type arrival struct {
	session *Session
	pdu     PDU
	message gateway.Message
	at      time.Time
}

// same names a PDU: under one number one content is never another message.
type same struct {
	said string
	seq  uint32
}

func (a arrival) same() same { return same{a.message.Key, a.pdu.Seq} }

type ack struct {
	key             string // the row's
	seq             uint32 // of the PDU it answers
	written, proven bool
}

func newInbound(g *Gateway) *inbound {
	return &inbound{
		g: g, queue: make(chan arrival, maxWaiting), wake: make(chan struct{}, 1), waiting: map[same]int{}, acked: map[string][]*ack{},
	}
}

// handle takes a request from the session's reader; it does not block.
func (in *inbound) handle(s *Session, p PDU) {
	if p.ID != pdu.DeliverSMID && p.ID != pdu.DataSMID {
		in.reply(s, p, StatusInvalidID)
		return
	}
	m, err := ParseShortMessage(p)
	if err != nil {
		in.g.log.Warn("unreadable message refused", slog.Any("error", err))
		in.reply(s, p, StatusPermanent)
		return
	}
	if m.ESMClass&(esmReceipt|esmIntermediate) != 0 || hasReceipt(m) {
		in.receipt(s, p, m)
		return
	}
	message := in.g.message(m)
	if message.From == in.g.config.Number {
		in.g.log.Warn("message from our own number ignored")
		in.reply(s, p, StatusOK)
		return
	}
	if !in.begin() {
		in.reply(s, p, StatusTemporary)
		return
	}
	a := arrival{s, p, message, time.Now()}
	in.note(a, 1)
	select {
	case in.queue <- a:
	default:
		in.refuse(a)
	}
}

// refuse leaves a message to the SMSC.
func (in *inbound) refuse(a arrival) {
	in.note(a, -1)
	in.answer(a.session, a.pdu, StatusTemporary)
}

func (in *inbound) note(a arrival, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.waiting[a.same()] += n; in.waiting[a.same()] == 0 {
		delete(in.waiting, a.same())
	}
}

// answer ends a request that was counted as open.
func (in *inbound) answer(s *Session, p PDU, status pdu.Status) {
	defer in.open.Done()
	in.reply(s, p, status)
}

func (in *inbound) reply(s *Session, p PDU, status pdu.Status) {
	in.g.config.Watch.Answered(in.g.config.Addr, StatusName(status))
	_ = s.Reply(p.Response(status))
}

// begin counts a request as open, unless the farewell has begun.
func (in *inbound) begin() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closing {
		in.open.Add(1)
	}
	return !in.closing
}

// drain refuses new requests and waits until every one that came in has its
// answer.
func (in *inbound) drain() {
	in.mu.Lock()
	in.closing = true
	in.mu.Unlock()
	in.open.Wait()
}

// run keeps what comes in until the session has ended. What is then still in the
// queue is not kept: the SMSC has it.
func (in *inbound) run(ctx context.Context, ended <-chan struct{}) {
	defer in.finish()
	var confirming sync.WaitGroup
	defer confirming.Wait()
	confirming.Go(func() { in.confirmProven(ctx, ended) })
	for {
		select {
		case first := <-in.queue:
			in.keep(ctx, in.collect(first))
		case <-ended:
			return
		}
	}
}

// confirmProven confirms beside what is kept meanwhile.
func (in *inbound) confirmProven(ctx context.Context, ended <-chan struct{}) {
	for {
		select {
		case <-in.wake:
			wait(ended, confirmFor)
			_ = in.confirm(ctx, nil) // the next one tries again
		case <-ended:
			return
		}
	}
}

func wait(ended <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	}
}

// finish answers what is left, into the void, and confirms what is proven.
func (in *inbound) finish() {
	for len(in.queue) > 0 {
		in.refuse(<-in.queue)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	in.confirm(ctx, nil)
}

func (in *inbound) collect(first arrival) []arrival {
	batch := []arrival{first}
	timer := time.NewTimer(collectFor)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case a := <-in.queue:
			batch = append(batch, a)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// keep commits a batch and answers it. If the batch fails although there is
// time, each message is tried alone, so that one cannot hold up the others.
func (in *inbound) keep(ctx context.Context, batch []arrival) {
	ctx, cancel := context.WithDeadline(ctx, batch[0].at.Add(keepDeadline))
	defer cancel()
	err := in.tryKeep(ctx, batch)
	switch {
	case err == nil:
	case len(batch) > 1 && ctx.Err() == nil:
		for _, a := range batch {
			in.keep(ctx, []arrival{a})
		}
	default:
		in.g.log.Error("messages not kept, the SMSC keeps them", slog.Int("count", len(batch)), slog.Any("error", err))
		for _, a := range batch {
			in.refuse(a)
		}
	}
}

func (in *inbound) tryKeep(ctx context.Context, batch []arrival) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	said := map[string]bool{}
	messages := make([]gateway.Message, len(batch))
	for i, a := range batch {
		messages[i], said[a.message.Key] = a.message, true
	}
	if err := in.confirm(ctx, said); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	kept, err := in.g.inbox.Keep(ctx, messages)
	if err == nil && len(kept) != len(batch) {
		err = fmt.Errorf("inbox answered %d of %d", len(kept), len(batch))
	}
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	for i, a := range batch {
		in.acknowledge(a, kept[i].Key)
	}
	return nil
}

// acknowledge answers a message that is kept, and remembers its row until the
// SMSC is known to have read the answer.
func (in *inbound) acknowledge(a arrival, key string) {
	defer in.open.Done()
	k := &ack{key: key, seq: a.pdu.Seq}
	in.mu.Lock()
	in.acked[a.message.Key] = append(in.acked[a.message.Key], k)
	in.mu.Unlock()
	in.note(a, -1)
	in.g.config.Watch.Answered(in.g.config.Addr, StatusName(StatusOK))
	_ = a.session.ReplyProven(a.pdu.Response(StatusOK),
		func() { in.mark(&k.written) },
		func() {
			in.mark(&k.proven)
			select {
			case in.wake <- struct{}{}:
			default:
			}
		})
}

func (in *inbound) mark(flag *bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	*flag = true
}

// confirm tells the inbox which acknowledgements the SMSC has: all those that a later
// answer has proven, or, before a batch is kept, only those of what it says again. There
// a written answer is enough, for on one session an SMSC repeats only what it has no
// answer to. Not while the same PDU waits a second time: it came before the proof, and
// is no new message.
func (in *inbound) confirm(ctx context.Context, said map[string]bool) error {
	in.mu.Lock()
	ready := map[*ack]bool{}
	var keys []string
	for what, acks := range in.acked {
		if said != nil && !said[what] {
			continue
		}
		for _, k := range acks {
			if in.waiting[same{what, k.seq}] == 0 && (k.proven || k.written && said[what]) {
				ready[k] = true
				keys = append(keys, k.key)
			}
		}
	}
	in.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	if err := in.g.inbox.Confirm(ctx, gateway.SMS, slices.Compact(keys)); err != nil {
		in.g.log.Warn("acknowledgements not confirmed yet", slog.Int("count", len(keys)), slog.Any("error", err))
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for what, acks := range in.acked {
		left := slices.DeleteFunc(acks, func(k *ack) bool { return ready[k] })
		if in.acked[what] = left; len(left) == 0 {
			delete(in.acked, what)
		}
	}
	return nil
}

// message turns a short message into what the inbox takes.
func (g *Gateway) message(m ShortMessage) gateway.Message {
	switch {
	case m.Coding == CodingIA5 && g.config.GSMAsIA5:
		m.Coding = CodingGSM7
	case m.Coding == CodingGSM7 && g.config.Latin1:
		m.Coding = CodingLatin1
	}
	from, answerable := normalise(m.Source, g.config.Region)
	message := gateway.Message{Channel: gateway.SMS, Key: g.key(m), From: from, SentAt: g.stamp(m)}
	if answerable {
		message.ReplyTo = from
	}
	if ref, number, total, ok := m.Concat(); ok {
		message.Part = &gateway.Part{
			Group:  strings.Join([]string{g.config.Name, m.Source.Digits, m.Dest.Digits, strconv.Itoa(int(ref)), strconv.Itoa(total)}, "|"),
			Number: number, Total: total, Coding: m.Coding, Data: m.Body,
		}
		return message
	}
	message.Text = DecodeText(m.Coding, m.Body)
	return message
}

// key is the hash of what a message said: equal for a repetition, and for an
// equal message.
func (g *Gateway) key(m ShortMessage) string {
	userReference, _ := m.tlv(pdutlv.TagUserMessageReference)
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(g.config.Name), []byte(m.Source.Digits), []byte(m.Dest.Digits),
		{m.Coding, m.ESMClass}, m.UDH, m.Body, userReference,
	} {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (g *Gateway) stamp(m ShortMessage) time.Time {
	if g.config.StampTag == 0 {
		return time.Time{}
	}
	value, ok := m.tlv(pdutlv.Tag(g.config.StampTag))
	if !ok {
		return time.Time{}
	}
	at, err := ParseTime(strings.TrimRight(string(value), "\x00"), g.clock.Now())
	if err != nil {
		g.log.Warn("time stamp cannot be read", slog.Any("error", err))
		return time.Time{}
	}
	return at
}

// receipt hands a receipt over and answers when it is committed.
func (in *inbound) receipt(s *Session, p PDU, m ShortMessage) {
	r, ok := in.g.parseReceipt(m)
	if !ok { // an intermediate word, or nothing we sent
		in.reply(s, p, StatusOK)
		return
	}
	if !in.begin() {
		in.reply(s, p, StatusTemporary)
		return
	}
	select {
	case in.g.receipt <- struct{}{}:
	default:
		in.answer(s, p, StatusTemporary)
		return
	}
	go func() { // drain waits for it, within the deadline
		defer func() { <-in.g.receipt }()
		ctx, cancel := context.WithTimeout(context.Background(), keepDeadline)
		defer cancel()
		status := StatusOK
		if err := in.g.receipts.Receipt(ctx, r); err != nil {
			in.g.log.Error("receipt not kept, the SMSC keeps it", slog.Any("error", err))
			status = StatusTemporary
		}
		in.answer(s, p, status)
	}()
}

func hasReceipt(m ShortMessage) bool {
	_, id := m.tlv(pdutlv.TagReceiptedMessageID)
	_, state := m.tlv(pdutlv.TagMessageStateOption)
	return id && state
}

// Final states, by message_state and by the text's stat field (SMPP 3.4, 5.2.28
// and appendix B; SKIPPED is version 5's). The others are not the last word.
var (
	stateByNumber = map[byte]gateway.State{
		2: gateway.Delivered, 3: gateway.Expired, 4: gateway.Failed, 5: gateway.Failed,
		7: gateway.Unknown, 8: gateway.Failed, 9: gateway.Failed,
	}
	stateByWord = map[string]gateway.State{
		"DELIVRD": gateway.Delivered, "EXPIRED": gateway.Expired, "DELETED": gateway.Failed, "UNDELIV": gateway.Failed,
		"UNKNOWN": gateway.Unknown, "REJECTD": gateway.Failed, "SKIPPED": gateway.Failed,
	}
	receiptID   = regexp.MustCompile(`(?i)\bid:\s*([^\s]+)`)
	receiptStat = regexp.MustCompile(`(?i)\bstat:\s*([a-z]+)`)
	receiptErr  = regexp.MustCompile(`(?i)\berr:\s*([^\s]+)`)
)

// parseReceipt reads the optional parameters first, then the text, whose form is
// every vendor's own.
func (g *Gateway) parseReceipt(m ShortMessage) (gateway.Receipt, bool) {
	text := DecodeText(m.Coding, m.Body)
	id := first(receiptID, text)
	if value, ok := m.tlv(pdutlv.TagReceiptedMessageID); ok {
		id = strings.TrimRight(string(value), "\x00")
	}
	word := strings.ToUpper(first(receiptStat, text))
	state, final := stateByWord[word]
	if value, ok := m.tlv(pdutlv.TagMessageStateOption); ok && len(value) == 1 {
		state, final = stateByNumber[value[0]]
	}
	if id == "" || !final {
		return gateway.Receipt{}, false
	}
	at := g.stamp(m)
	if at.IsZero() {
		at = g.clock.Now()
	}
	reason := word
	if code := first(receiptErr, text); code != "" && strings.Trim(code, "0") != "" {
		reason = strings.TrimSpace(word + " " + code)
	}
	return gateway.Receipt{Channel: gateway.SMS, WireID: g.wireID(g.receiptID(id)), State: state, At: at, Reason: reason}, true
}

// receiptID writes a receipt's id as submit_sm_resp wrote it.
func (g *Gateway) receiptID(id string) string {
	from, to := 10, 10
	switch g.config.ReceiptIDs {
	case "hex":
		from = 16
	case "decimal":
		to = 16
	default:
		return id
	}
	n, err := strconv.ParseUint(strings.TrimSpace(id), from, 64)
	if err != nil {
		return id
	}
	return strconv.FormatUint(n, to)
}

func first(pattern *regexp.Regexp, text string) string {
	if match := pattern.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}
