package im

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"log/slog"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// maxHeard bounds the live messages that wait for the inbox of an account without an
// archive.
const maxHeard = 1000

// Whether the account has an archive; unknown until it was asked.
const (
	archiveUnknown = iota
	archiveThere
	archiveMissing
)

// remember keeps a live message until it is known whether the archive has it too.
func (s *session) remember(chat xmpp.Chat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.archive == archiveThere || len(s.heard) >= maxHeard {
		return
	}
	s.heard = append(s.heard, chat)
}

// settleArchive says whether there is an archive. With one, what was heard live is in
// it.
func (s *session) settleArchive(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.archive = archiveMissing; there {
		s.archive, s.heard = archiveThere, nil
	}
}

func (s *session) withoutArchive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.archive == archiveMissing
}

// keepHeard keeps the live messages of an account without an archive. The server
// holds them for us while we are away (offline storage), gives each once, and forgets
// it: what it has written into a connection that then breaks is lost, and so is what
// this process has not kept when it is killed.
func (g *Gateway) keepHeard(ctx context.Context, s *session) error {
	s.mu.Lock()
	heard := s.heard
	s.mu.Unlock()
	for i, chat := range heard {
		if err := g.keepLive(ctx, s, chat); err != nil {
			return err
		}
		s.mu.Lock()
		s.heard = s.heard[1:]
		s.mu.Unlock()
		if i == maxHeard-1 {
			g.log.Warn("im: more live messages than can wait, some may be lost")
		}
	}
	return nil
}

func (g *Gateway) keepLive(ctx context.Context, s *session, chat xmpp.Chat) error {
	kept, receipt, err := g.sort(ctx, s, g.asArchived(chat))
	if err != nil {
		return err
	}
	if kept != nil {
		kept.Cursor = ""
		if _, err := g.inbox.Keep(ctx, []gateway.Message{*kept}); err != nil {
			return fmt.Errorf("keep message: %w", err)
		}
	}
	if receipt != nil {
		return s.write(ctx, *receipt)
	}
	return nil
}

// asArchived is a live message in the form of an archive's entry. The library hides
// its id: the origin-id stands for it, which most clients send; without one, two equal
// messages of the same moment are one.
func (g *Gateway) asArchived(chat xmpp.Chat) archived {
	var a archived
	m := &a.Forwarded.Message
	if marks, err := xml.Marshal(chat.OtherElem); err == nil {
		_ = xml.Unmarshal([]byte("<message>"+string(marks)+"</message>"), m) // what cannot be read says nothing
	}
	m.From, m.Type, m.ID, m.Bodies = chat.Remote, chat.Type, chat.OriginID, []body{{Text: chat.Text}}
	m.Occupants = nil // only an archive's count
	if a.Forwarded.Delay.Stamp = chat.Stamp; chat.Stamp.IsZero() {
		a.Forwarded.Delay.Stamp = g.clock.Now()
	}
	name := chat.OriginID
	if name == "" {
		name = a.Forwarded.Delay.Stamp.Format(time.RFC3339Nano) + "/" + chat.Text
	}
	sum := sha256.Sum256([]byte(name))
	a.ID = "live-" + hex.EncodeToString(sum[:12])
	return a
}

func (g *Gateway) warnWithoutArchive() {
	g.log.Warn("im: the account has no message archive (XEP-0313): messages on their way when the connection breaks or this process is killed may be lost, and their time is the sender's word",
		slog.String("do", "switch on the archive for this account; in Prosody it is the module mam"))
}
