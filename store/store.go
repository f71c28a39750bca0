// Package store keeps in PostgreSQL what is not a ticket's workflow: the read
// model of the tickets, the people, what comes in, what goes out, and who may do
// what only one process may do. It knows no wire, no HTTP and no workflow engine,
// and it decides nothing about a ticket.
package store

//go:generate go tool -modfile=../tools/go.mod sqlc generate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"deskbell/clock"
	"deskbell/store/internal/db"
)

// Errors that callers branch on.
var (
	ErrNotFound  = errors.New("not found")
	ErrKeyReused = errors.New("the key was used for another request")
	// ErrNoText says that what was given cannot be kept or looked for as text.
	ErrNoText = errors.New("no text: a NUL character, or not UTF-8")
	// ErrUnavailable says that PostgreSQL could not be reached or went away. What
	// was asked for may or may not have happened; everything here may be repeated.
	ErrUnavailable = errors.New("the database cannot be reached")
)

// Store is a database of Deskbell. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	// locks are connections that hold the lock on a sender. They are apart, so that
	// many holders cannot starve the work that they do under their locks.
	locks *pgxpool.Pool
	q     *db.Queries
	clock clock.Clock
	log   *slog.Logger

	// Bundle words several offers as one message. Without it they leave one by one.
	// It is set before the first use.
	Bundle func(Bundle) (string, error)
}

const (
	connsPerCore    = 6 // most statements wait for a disk, not for a core
	lockConns       = 16
	applicationName = "deskbell"
	connectTimeout  = 5 * time.Second

	deadlockDetected = "40P01"
)

// Open connects to the database at url and checks that it answers. It does not
// migrate. Pool settings in the url (pool_max_conns) win over the default.
func Open(ctx context.Context, url string, clk clock.Clock, log *slog.Logger) (*Store, error) {
	config, err := poolConfig(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fail("open", err)
	}
	lockConfig := config.Copy()
	lockConfig.MinConns, lockConfig.MaxConns = 0, lockConns
	locks, err := pgxpool.NewWithConfig(ctx, lockConfig)
	if err != nil {
		pool.Close()
		return nil, fail("open", err)
	}
	s := &Store{pool: pool, locks: locks, q: db.New(pool), clock: clk, log: log}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func poolConfig(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("database url: " + withoutURL(err))
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(8, connsPerCore*runtime.GOMAXPROCS(0)))
	}
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = applicationName
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// withoutURL is what went wrong without the address, which holds a password.
func withoutURL(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return "want postgres://user@host:port/database"
}

// Close waits for what is under way and ends all connections.
func (s *Store) Close() {
	s.locks.Close()
	s.pool.Close()
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error { return fail("ping", s.pool.Ping(ctx)) }

// deadlockTries is how often a transaction runs before a deadlock is its caller's
// to see. PostgreSQL ends one of two that wait for each other, the other goes on.
const deadlockTries = 3

// tx runs f in a transaction, more than once if need be.
func (s *Store) tx(ctx context.Context, what string, f func(q *db.Queries) error) error {
	return s.inTx(ctx, what, func(tx pgx.Tx) error { return f(db.New(tx)) })
}

func (s *Store) inTx(ctx context.Context, what string, f func(tx pgx.Tx) error) error {
	return retried(what, func() error { return pgx.BeginFunc(ctx, s.pool, f) })
}

// together runs statements that return nothing in a transaction of one round trip.
func (s *Store) together(ctx context.Context, what string, f func(q *db.Queries) error) error {
	return retried(what, func() error { return flush(ctx, s.pool, f) })
}

// retried repeats a transaction that a deadlock ended.
func retried(what string, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		var answer *pgconn.PgError
		if try < deadlockTries && errors.As(err, &answer) && answer.Code == deadlockDetected {
			continue
		}
		return fail(what, err)
	}
}

// flush sends statements that return nothing in one round trip. Outside a
// transaction they are one.
func flush(ctx context.Context, to interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}, f func(q *db.Queries) error) error {
	var p pipeline
	if err := f(db.New(&p)); err != nil || p.Len() == 0 {
		return err
	}
	return to.SendBatch(ctx, &p.Batch).Close()
}

// pipeline queues statements. What they would return is lost.
type pipeline struct{ pgx.Batch }

func (p *pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

func (p *pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) { panic(noResults) }
func (p *pipeline) QueryRow(context.Context, string, ...any) pgx.Row        { panic(noResults) }
func (p *pipeline) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults  { panic(noResults) }

const noResults = "a pipeline has no results"

// now is the clock's time in the resolution of the database.
func (s *Store) now() time.Time { return s.clock.Now().UTC().Truncate(time.Microsecond) }

// fail says what could not be done and sorts the cause.
func fail(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case unavailable(err):
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	case noText(err):
		return fmt.Errorf("%s: %w: %w", what, ErrNoText, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// noText tells whether a statement was given what cannot be text here: a NUL character
// or bytes that are not UTF-8 (character_not_in_repertoire, untranslatable_character).
func noText(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (answer.Code == "22021" || answer.Code == "22P05")
}

func unavailable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		// Connection exceptions; insufficient resources, such as a full disk; shutting
		// down or starting up; errors of the system, such as of a disk.
		class := answer.Code[:min(2, len(answer.Code))]
		return class == "08" || class == "53" || class == "58" ||
			answer.Code == "57P01" || answer.Code == "57P02" || answer.Code == "57P03"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// optional is nil for the zero value, which the database keeps as NULL.
func optional[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// moment is the zero time for NULL.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// storable is text that PostgreSQL can keep: valid UTF-8 without NUL.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
