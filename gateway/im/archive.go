package im

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

const (
	pageSize = 50       // messages per archive page
	maxText  = 64 << 10 // bytes of one message's text; the rest is cut

	archiveLife = 400 * 24 * time.Hour // the longest that servers are told to keep one
)

// position is the last archive entry that was dealt with.
type position struct {
	known bool
	id    string    // empty: the archive was empty, and is read from stamp on
	stamp time.Time // of that entry
}

// archive is one that is read from where it was left. Whoever reads it owns it.
type archive struct {
	of string // the bare JID of the room whose it is; empty for the account's own
	position
	// sort finds what an entry is: a message to keep, with the receipt it asks for; the
	// fate of a message of ours; or nothing.
	sort func(ctx context.Context, s *session, e archived) (*gateway.Message, *message, error)
}

// Advancer is what an inbox may have beyond gateway.Inbox: it stores the archive
// cursor without a message. The desk's own messages, receipts and the like move it.
// Without Advance they are read again after a restart, which does no harm; but what
// arrives between the first login ever and the first message kept is then lost by a
// restart in that time. Cursor returns what Advance has stored, an empty cursor with
// a stamp too.
type Advancer interface {
	Advance(ctx context.Context, archive, cursor string, stamp time.Time) error
}

// receive reads the archive whenever a live message rings, and every so often
// without. Failures are of the inbox or of one request; the session stays.
func (g *Gateway) receive(ctx context.Context, s *session) {
	read := func(ctx context.Context, s *session) error { return g.drain(ctx, s, g.own) }
	if s.withoutArchive() {
		read = g.keepHeard
	}
	for {
		wait := g.timing.poll
		if err := read(ctx, s); err != nil && ctx.Err() == nil {
			g.log.Error("im: read archive", slog.Any("error", err))
			wait = g.timing.retry
		}
		timer := time.NewTimer(wait)
		bell := s.bell
		if wait == g.timing.retry {
			bell = nil
		}
		select {
		case <-bell:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// drain deals with everything in an archive after the position.
func (g *Gateway) drain(ctx context.Context, s *session, from *archive) error {
	query := archiveQuery{Set: pageSet{After: from.id}}
	if from.id == "" {
		query.Form = since(g.before(from.stamp))
	}
	for {
		asked := g.clock.Now()
		entries, complete, err := s.fetch(ctx, from.of, query)
		switch {
		case err == nil:
			g.config.Watch.Read(len(entries), g.clock.Now().Sub(asked))
		case errors.Is(err, errRefused) && query.Set.After != "" && query.Form == nil:
			g.log.Warn("im: archive cursor is unknown to the server, going back by time")
			query = archiveQuery{Form: since(g.before(from.stamp))}
			continue
		case s.ended() || ctx.Err() != nil:
			return fmt.Errorf("query archive: %w", err)
		case len(entries) > 0: // it cannot send the next one, or was slow
		case query.Set.Max != 1:
			query.Set.Max = 1
			continue
		default:
			if entries, err = s.beyond(ctx, from); err == nil {
				entries, err = g.between(ctx, s, from, entries)
			}
			if err != nil {
				return fmt.Errorf("query archive: %w", err)
			}
			g.log.Error("im: the server cannot send an entry of the archive, passed over", slog.Time("after", from.stamp), slog.Int("read_behind_it", len(entries)))
		}
		if err := g.accept(ctx, s, from, entries); err != nil {
			return err
		}
		if complete || len(entries) == 0 {
			return nil
		}
		query.Set = pageSet{After: from.id}
	}
}

// beyond reads what comes behind the entry that follows a position and that the server
// cannot send: it looks for what it can send from some later time on, and goes back from
// there until it fails again. A query to which it cannot send all is not answered, or is
// refused, but a server that sends entries as it reads them has sent those before.
func (s *session) beyond(ctx context.Context, from *archive) (entries []archived, err error) {
	for step := time.Second; ; step *= 2 {
		entries, _, err = s.fetch(ctx, from.of, archiveQuery{Form: since(from.stamp.Add(step)), Set: pageSet{Max: 1}})
		if err == nil || len(entries) > 0 {
			break
		}
		if s.ended() || ctx.Err() != nil || step > archiveLife {
			return nil, err
		}
	}
	before := func(n int) archiveQuery {
		q := newest(n)
		if len(entries) > 0 {
			*q.Set.Before = entries[0].ID
		}
		return q
	}
	for size := pageSize; ; {
		page, first, err := s.fetch(ctx, from.of, before(size))
		if err == nil {
			behind, reached := from.behind(page)
			if entries = append(behind, entries...); reached || first {
				return entries, nil // it was sent after all
			}
			continue
		}
		if err := s.roundTrip(ctx); err != nil { // slow is not broken
			return nil, err
		}
		if size == 1 {
			break
		}
		size = 1
	}
	backwards := before(pageSize)
	backwards.Flip = &struct{}{}
	last, _, err := s.fetch(ctx, from.of, backwards)
	if err == nil {
		return nil, errors.New("the server sends now what it did not send before")
	}
	slices.Reverse(last)
	behind, _ := from.behind(last)
	return append(behind, entries...), nil
}

// between adds what people wrote between two entries that the server cannot send: asked
// for what one of them wrote, it does not look at the others'.
func (g *Gateway) between(ctx context.Context, s *session, from *archive, entries []archived) ([]archived, error) {
	if from.of != "" || from.id == "" {
		return entries, nil
	}
	people, err := g.directory.JIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list JIDs: %w", err)
	}
	var missed []archived
	for _, jid := range people {
		theirs, _, err := s.fetch(ctx, from.of, archiveQuery{Form: with(jid), Set: pageSet{After: from.id}})
		if s.ended() || ctx.Err() != nil {
			return nil, err
		}
		missed = append(missed, ahead(theirs, entries)...)
	}
	slices.SortStableFunc(missed, func(a, b archived) int { return a.Forwarded.Delay.Stamp.Compare(b.Forwarded.Delay.Stamp) })
	return append(missed, entries...), nil
}

// ahead are those of one person's entries that come before entries that follow one
// another. Stamps are of a second, in which there may be many; so where a person has some
// of the entries, their place says it.
func ahead(theirs, entries []archived) []archived {
	known := func(e archived) bool {
		return slices.ContainsFunc(entries, func(k archived) bool { return k.ID == e.ID })
	}
	if i := slices.IndexFunc(theirs, known); i >= 0 {
		return theirs[:i]
	}
	if len(entries) == 0 {
		return theirs
	}
	last := entries[len(entries)-1].Forwarded.Delay.Stamp
	return slices.DeleteFunc(theirs, func(e archived) bool { return e.Forwarded.Delay.Stamp.After(last) })
}

// behind are the entries of a page that come behind a position, and whether the page
// reaches back to it.
func (p position) behind(page []archived) (entries []archived, reached bool) {
	for i, e := range slices.Backward(page) {
		if e.ID == p.id || e.Forwarded.Delay.Stamp.Before(p.stamp) {
			return page[i+1:], true
		}
	}
	return page, false
}

func (g *Gateway) before(stamp time.Time) time.Time {
	if stamp.IsZero() {
		return stamp
	}
	return stamp.Add(-g.timing.overlap)
}

// findArchive finds the place in the archive, or that there is none. An archive that
// was there before is not given up: without it the desk stays away.
func (g *Gateway) findArchive(ctx context.Context, s *session) error {
	_, err := s.request(ctx, "", "get", archiveForm{})
	if errors.Is(err, errRefused) && !g.own.known {
		g.warnWithoutArchive()
		s.settleArchive(false)
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for the archive: %w", err)
	}
	s.settleArchive(true)
	return g.locate(ctx, s, g.own)
}

// newest asks for the last entries of an archive.
func newest(n int) archiveQuery { return archiveQuery{Set: pageSet{Max: n, Before: new(string)}} }

// locate finds the position: the running process's own, else the inbox's cursor,
// else, at the first login ever, the newest entry. It comes before the login is
// announced, so that nothing written to an announced desk counts as older.
func (g *Gateway) locate(ctx context.Context, s *session, in *archive) error {
	if in.known {
		return nil
	}
	id, stamp, err := g.inbox.Cursor(ctx, in.of)
	if err != nil {
		return fmt.Errorf("read archive cursor: %w", err)
	}
	last, _, err := s.fetch(ctx, in.of, newest(1))
	if err != nil && (s.ended() || errors.Is(err, errRefused)) {
		return fmt.Errorf("find newest archive entry: %w", err)
	}
	switch {
	case id != "" && err == nil && !s.follows(ctx, in.of, id, last):
		g.log.Warn("im: archive cursor is unknown to the server, going back by time")
		id = ""
	case id == "" && stamp.IsZero():
		stamp = g.clock.Now()
		if len(last) > 0 {
			id, stamp = last[0].ID, last[0].Forwarded.Delay.Stamp
		}
		if err := g.advance(ctx, in, id, stamp); err != nil {
			return err
		}
	}
	in.position = position{known: true, id: id, stamp: stamp}
	return nil
}

// follows tells whether the archive, whose last entry is known, goes on after an id. Most
// servers refuse an id that they do not know; ejabberd answers that nothing follows.
func (s *session) follows(ctx context.Context, of, id string, last []archived) bool {
	if len(last) > 0 && last[0].ID == id {
		return true
	}
	next, _, err := s.fetch(ctx, of, archiveQuery{Set: pageSet{After: id, Max: 1}})
	return len(next) > 0 || err != nil // drain deals with errors
}

func (g *Gateway) advance(ctx context.Context, in *archive, id string, stamp time.Time) error {
	store, ok := g.inbox.(Advancer)
	if !ok {
		return nil
	}
	if err := store.Advance(ctx, in.of, id, stamp); err != nil {
		return fmt.Errorf("store archive cursor: %w", err)
	}
	return nil
}

// page is what has come of an archive's page that was asked for.
type page struct {
	of      string // the bare JID whose archive it is
	results []xmpp.XMLElement
}

// fetch asks for one page of an archive, in archive order. An entry that cannot
// be parsed is returned with its id only. With an error come the entries that were
// sent before it.
func (s *session) fetch(ctx context.Context, of string, query archiveQuery) (entries []archived, complete bool, err error) {
	query.QueryID = randomHex(8)
	if query.Set.Max == 0 {
		query.Set.Max = pageSize
	}
	asked := &page{of: of}
	s.mu.Lock()
	s.pages[query.QueryID] = asked
	s.mu.Unlock()
	answer, err := s.request(ctx, of, "set", query)
	s.mu.Lock()
	delete(s.pages, query.QueryID)
	s.mu.Unlock()
	for _, element := range asked.results {
		entry, _ := parseArchived(element) // without its parts it is nobody's message, and passed over
		entries = append(entries, entry)
	}
	if err != nil {
		return entries, false, err
	}
	var end archiveEnd
	if err := xml.Unmarshal(answer.Query, &end); err != nil {
		return entries, false, fmt.Errorf("parse end of archive page: %w", err)
	}
	return entries, end.Complete, nil
}

// collect takes a live stanza that belongs to an archive query under way. Only
// our own account and our room send those.
func (s *session) collect(chat xmpp.Chat, own string) bool {
	for _, e := range chat.OtherElem {
		if e.XMLName.Space != nsArchive || e.XMLName.Local != "result" {
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		from := chat.Remote
		if from == own {
			from = ""
		}
		if p := s.pages[attribute(e, "queryid")]; p != nil && p.of == from && len(p.results) < pageSize {
			p.results = append(p.results, e)
		}
		return true
	}
	return false
}

// accept keeps the people's messages among the entries in one transaction, then
// sends their receipts, then moves the position.
func (g *Gateway) accept(ctx context.Context, s *session, from *archive, entries []archived) error {
	var messages []gateway.Message
	var receipts []message
	for _, e := range entries {
		m, receipt, err := from.sort(ctx, s, e)
		if err != nil {
			return err
		}
		if m != nil {
			messages = append(messages, *m)
		}
		if receipt != nil {
			receipts = append(receipts, *receipt)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	last := entries[len(entries)-1]
	if len(messages) > 0 {
		if _, err := g.inbox.Keep(ctx, messages); err != nil {
			return fmt.Errorf("keep messages: %w", err)
		}
	} else if err := g.advance(ctx, from, last.ID, last.Forwarded.Delay.Stamp); err != nil {
		return err
	}
	from.position = position{known: true, id: last.ID, stamp: last.Forwarded.Delay.Stamp}
	for _, r := range receipts {
		if err := s.write(ctx, r); err != nil {
			return fmt.Errorf("send receipt: %w", err)
		}
	}
	return nil
}

// sort is what an entry of the account's own archive is.
func (g *Gateway) sort(ctx context.Context, s *session, e archived) (*gateway.Message, *message, error) {
	m := &e.Forwarded.Message
	from := bare(m.From)
	switch {
	case from == "":
		g.log.Warn("im: an archive entry cannot be read, passed over")
		return nil, nil, nil
	case from == bare(g.config.JID) || from == g.room.jid || m.Type == "groupchat" || m.Type == "headline":
		return nil, nil, nil
	case m.Type == "error":
		return nil, nil, g.bounced(ctx, e)
	case m.Received != nil && addressedTo(m.Received.ID, from):
		return nil, nil, g.receipt(ctx, gateway.Receipt{
			Channel: gateway.IM, WireID: m.Received.ID, State: gateway.Delivered, At: e.Forwarded.Delay.Stamp,
		})
	}
	text, quotes := m.text(), ""
	if m.Reply != nil {
		quotes = m.Reply.ID
	}
	if text == "" {
		text, quotes = m.reaction()
	}
	if text == "" && !m.encrypted() {
		return nil, nil, nil
	}
	known, err := g.directory.Known(ctx, from)
	if err != nil {
		return nil, nil, fmt.Errorf("look up sender: %w", err)
	}
	if !known {
		allowed, news := g.strangers.allow(from)
		if news {
			g.log.Warn("im: a stranger writes too much, messages dropped")
		}
		if !allowed || m.encrypted() {
			return nil, nil, nil
		}
	}
	if m.encrypted() {
		return nil, &message{To: m.From, Type: "chat", ID: wireID("encrypted/"+e.ID, from), Body: g.config.Encrypted}, nil
	}
	kept := &gateway.Message{
		Channel: gateway.IM,
		Key:     e.ID + "/" + from,
		From:    from,
		ReplyTo: m.From,
		Text:    shorten(text, maxText),
		SentAt:  e.Forwarded.Delay.Stamp,
		Cursor:  e.ID,

		Quotes:   quotes,
		Corrects: m.Replaces != nil,
	}
	if !known {
		return kept, nil, nil
	}
	return kept, acknowledgement(m, s.typist(m.From)), nil
}

// acknowledgement is what a person's client hears at once, if it wants to hear
// anything: that the message is kept, and that an answer is being written.
func acknowledgement(m *received, typist bool) *message {
	heard := &message{To: m.From, Type: m.Type, ID: randomHex(8)}
	if m.Request != nil && m.ID != "" {
		heard.Received = &idRef{m.ID}
	}
	if typist {
		heard.Composing = &struct{}{}
	}
	if heard.Received == nil && heard.Composing == nil {
		return nil
	}
	return heard
}

// bounced reports a message of ours that came back. The live copy hides its id;
// the archive's has it.
func (g *Gateway) bounced(ctx context.Context, e archived) error {
	m := &e.Forwarded.Message
	reason := "returned"
	if m.Error != nil {
		reason = m.Error.condition()
	}
	if !addressedTo(m.ID, m.From) {
		g.log.Debug("im: a message came back that is not ours", slog.String("reason", reason))
		return nil
	}
	g.presence.bounced(bare(m.From))
	return g.receipt(ctx, gateway.Receipt{
		Channel: gateway.IM, WireID: m.ID, State: gateway.Failed, At: e.Forwarded.Delay.Stamp, Reason: reason,
	})
}

func (g *Gateway) receipt(ctx context.Context, r gateway.Receipt) error {
	if err := g.receipts.Receipt(ctx, r); err != nil {
		return fmt.Errorf("store receipt: %w", err)
	}
	return nil
}

// shorten cuts a text to at most limit bytes, at a character.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
