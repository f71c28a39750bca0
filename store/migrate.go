package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// How a migration waits for another process that migrates: goose counts in whole
// seconds.
const (
	lockPeriod = 1
	lockTries  = 120
)

// Migrate brings the database at url to the newest schema. It may run in several
// processes at once and when there is nothing to do.
func Migrate(ctx context.Context, url string, log *slog.Logger) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return errors.New("database url: " + withoutURL(err))
	}
	conns := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, conns.Close()) }()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conns, files, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fail("migrate", err)
	}
	for _, m := range applied {
		log.InfoContext(ctx, "migrated", slog.Int64("version", m.Source.Version), slog.Duration("took", m.Duration))
	}
	return nil
}
