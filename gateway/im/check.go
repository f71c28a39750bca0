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

// Check logs in, asks for the archive and for the roster, and leaves. It
// reads no message and tells nobody anything beyond a short presence. It returns the
// bare JIDs whose presence the account gets; or ErrNoArchive, or why the login failed.
func Check(ctx context.Context, c Config) (contacts []string, err error) {
	t := defaultTiming()
	dialing, cancel := context.WithTimeout(ctx, t.login)
	defer cancel()
	bypassProxy()
	s, err := dial(dialing, c, t)
	if err != nil {
		return nil, err
	}
	var goroutines sync.WaitGroup
	goroutines.Go(s.writer)
	goroutines.Go(func() {
		s.read(func(stanza any) {
			switch v := stanza.(type) {
			case xmpp.Chat:
				s.collect(v, bare(c.JID))
			case xmpp.IQ:
				if v.Type == "result" || v.Type == "error" {
					s.answered(v)
				}
			}
		})
	})
	if _, err = s.request(dialing, "", "get", archiveForm{}); errors.Is(err, errRefused) {
		err = fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	if err == nil {
		contacts, err = s.contacts(dialing)
	}
	s.goodbye(dialing)
	s.end(errEnded)
	goroutines.Wait()
	s.relay.close()
	return contacts, err
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
