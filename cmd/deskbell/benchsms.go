package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"deskbell/clock"
	"deskbell/devstack"
	"deskbell/gateway/sms/smppbench"
	"deskbell/store"
)

type benchSMSCmd struct {
	JSON bool          `help:"Print one JSON object."`
	Each time.Duration `default:"2s" help:"How long each row is measured."`
}

// Run measures with a PostgreSQL of its own, because the rows stay in the inbox.
func (b benchSMSCmd) Run(ctx context.Context) error {
	return withBenchStore(ctx, b.measure)
}

func (b benchSMSCmd) measure(ctx context.Context, s *store.Store, _ string) error {
	rows, err := smppbench.Run(ctx, s, b.Each)
	if b.JSON {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": rows}))
	}
	fmt.Printf("%-18s %6s %6s %12s %9s %9s %9s %8s\n", "", "window", "procs", "per second", "p50 ms", "p99 ms", "CPU us", "of codec")
	for _, r := range rows {
		fmt.Printf("%-18s %6d %6d %12.0f %9.3f %9.3f %9.1f", r.Path, r.Window, r.Procs, r.PerSecond, r.P50, r.P99, r.CPU)
		if r.OfCodec > 0 {
			fmt.Printf(" %8.2f", r.OfCodec)
		}
		fmt.Println()
	}
	return err
}

// withBenchStore runs a measurement with a PostgreSQL of its own, at this URL.
func withBenchStore(ctx context.Context, measure func(ctx context.Context, s *store.Store, url string) error) (err error) {
	dir, err := os.MkdirTemp("", "deskbell-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL does not run as root
		return err
	}
	postgres, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: filepath.Join(dir, "postgresql")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, postgres.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.EnsureDatabase(ctx, "bench"); err != nil {
		return err
	}
	quiet, url := slog.New(slog.DiscardHandler), postgres.URL("bench")
	if err := store.Migrate(ctx, url, quiet); err != nil {
		return err
	}
	s, err := store.Open(ctx, url, clock.System{}, quiet)
	if err != nil {
		return err
	}
	defer s.Close()
	return measure(ctx, s, url)
}
