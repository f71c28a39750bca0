package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long Listen waits before it connects again, doubled each time.
const (
	listenFirst = 100 * time.Millisecond
	listenMost  = 5 * time.Second
)

// Listen calls f for every notification on the channels, one at a time, until ctx
// ends; the error is then nil. It has its own connection and connects again when
// that is lost. Whenever it starts to hear it calls f(channel, "") for each
// channel: anything may have happened before.
func (s *Store) Listen(ctx context.Context, channels []string, f func(channel, payload string)) error {
	pause := listenFirst
	for {
		heard, err := s.listen(ctx, channels, f)
		if ctx.Err() != nil {
			return nil
		}
		if heard {
			pause = listenFirst
		}
		s.log.WarnContext(ctx, "not listening to the database", slog.Any("error", err), slog.Duration("retry_in", pause))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, listenMost)
	}
}

// listen hears until the connection is lost; heard tells whether it heard at all.
func (s *Store) listen(ctx context.Context, channels []string, f func(channel, payload string)) (heard bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	for _, channel := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return false, err
		}
	}
	for _, channel := range channels {
		f(channel, "")
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true, err
		}
		f(n.Channel, n.Payload)
	}
}
