package im

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"sync"

	"github.com/mattn/go-xmpp"
)

// ErrNoArchive says that the account has no message archive (XEP-0313), without
// which messages may be lost.
var ErrNoArchive = errors.New("the account has no message archive")

// Found is what Check found.
type Found struct {
	Contacts []string // bare JIDs whose presence the account gets
	Room     RoomFound
}

// RoomFound is how the team's room is; nothing when none is named.
type RoomFound struct {
	There   bool
	Open    bool // everybody sees who is in it, so that claims can count
	Archive bool // and there is one
}

// Check logs in, asks for the archive, the roster and the room, and leaves. It reads no
// message, does not enter the room, and tells nobody anything beyond a short presence.
// The error is ErrNoArchive, or why the login failed.
func Check(ctx context.Context, c Config) (found Found, err error) {
	t := defaultTiming()
	dialing, cancel := context.WithTimeout(ctx, t.login)
	defer cancel()
	bypassProxy()
	s, err := dial(dialing, c, t)
	if err != nil {
		return found, err
	}
	var goroutines sync.WaitGroup
	goroutines.Go(s.writer)
	goroutines.Go(func() {
		s.read(func(stanza any) {
			switch v := stanza.(type) {
			case xmpp.Chat:
				s.collect(v, bare(c.JID))
			case xmpp.DiscoResult:
				s.disclosed(v)
			case xmpp.IQ:
				if v.Type == "result" || v.Type == "error" {
					s.answered(v)
				}
			}
		})
	})
	found, err = s.examine(dialing, bare(c.Room.JID))
	s.goodbye(dialing)
	s.end(errEnded)
	goroutines.Wait()
	s.relay.close()
	return found, err
}

func (s *session) examine(ctx context.Context, room string) (found Found, err error) {
	if _, err := s.request(ctx, "", "get", archiveForm{}); errors.Is(err, errRefused) {
		return found, fmt.Errorf("%w: %w", ErrNoArchive, err)
	} else if err != nil {
		return found, fmt.Errorf("ask for the archive: %w", err)
	}
	if found.Contacts, err = s.contacts(ctx); err != nil || room == "" {
		return found, err
	}
	if found.Room, _, err = s.find(ctx, room); err != nil {
		return found, fmt.Errorf("ask for the room: %w", err)
	}
	return found, nil
}

func (s *session) contacts(ctx context.Context) (list []string, err error) {
	answer, err := s.request(ctx, "", "get", rosterQuery{})
	if err != nil {
		return nil, fmt.Errorf("fetch roster: %w", err)
	}
	var roster rosterQuery
	if err := xml.Unmarshal(answer.Query, &roster); err != nil {
		return nil, fmt.Errorf("parse roster: %w", err)
	}
	for _, item := range roster.Items {
		if item.Subscription == "to" || item.Subscription == "both" {
			list = append(list, bare(item.JID))
		}
	}
	return list, nil
}
