package im

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mattn/go-xmpp"
)

// ErrNoArchive says that the account has no message archive (XEP-0313), without
// which nothing that people write can be read.
var ErrNoArchive = errors.New("the account has no message archive")

// Check logs in, asks the archive for one entry and leaves. It reads nothing and
// tells nobody anything beyond a short presence. It returns ErrNoArchive, or why the
// login failed.
func Check(ctx context.Context, c Config) error {
	t := defaultTiming()
	dialing, cancel := context.WithTimeout(ctx, t.login)
	defer cancel()
	bypassProxy()
	s, err := dial(dialing, c, t)
	if err != nil {
		return err
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
	if _, _, err = s.fetch(dialing, archiveQuery{Set: pageSet{Max: 1, Before: new(string)}}); errors.Is(err, errRefused) {
		err = fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	s.goodbye(dialing)
	s.end(errEnded)
	goroutines.Wait()
	s.relay.close()
	return err
}
