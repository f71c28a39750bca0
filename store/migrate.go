package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

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

// Schema tells which version of the schema the database at url has, and which one
// this program needs. A database that was never migrated has version 0.
func Schema(ctx context.Context, url string) (have, need int64, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, 0, errors.New("database url: " + withoutURL(err))
	}
	files, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return 0, 0, err
	}
	if need, err = goose.NumericComponent(files[len(files)-1].Name()); err != nil {
		return 0, 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, need, fail("schema", err)
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return 0, need, fail("schema", err)
	}
	err = conn.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&have)
	return have, need, fail("schema", err)
}

// Server tells the version of PostgreSQL (as 160004) and its clock.
func (s *Store) Server(ctx context.Context) (version int, now time.Time, err error) {
	err = s.pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::integer, clock_timestamp()").Scan(&version, &now)
	return version, now, fail("server", err)
}
