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
	"deskbell/gateway/im/xmppbench"
	"deskbell/store"
)

type benchIMCmd struct {
	JSON bool          `help:"Print one JSON object."`
	Each time.Duration `default:"6s" help:"How long each row is measured, in turns with the others."`
}

// Run measures with a PostgreSQL and a Prosody of its own.
func (b benchIMCmd) Run(ctx context.Context) error {
	return withBenchStore(ctx, func(dir string, s *store.Store) (err error) {
		account := func(name string) xmppbench.Account {
			return xmppbench.Account{JID: name + "@" + devstack.XMPPDomain, Password: "bench"}
		}
		server := xmppbench.Server{Desk: account("helpdesk"), Bot: account("echo"), Person: account("bob")}
		c := devstack.ProsodyConfig{Dir: filepath.Join(dir, "prosody"), Bot: devstack.Account{JID: server.Desk.JID, Password: server.Desk.Password, Name: "Helpdesk"}}
		for _, a := range []xmppbench.Account{server.Bot, server.Person} {
			c.Accounts = append(c.Accounts, devstack.Account{JID: a.JID, Password: a.Password, Name: a.JID})
		}
		prosody, err := devstack.StartProsody(ctx, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, prosody.Stop(context.WithoutCancel(ctx))) }()
		server.Addr, server.CAFile = prosody.Addr(), prosody.CAFile()
		rows, err := xmppbench.Run(ctx, server, s, b.Each)
		if b.JSON {
			return errors.Join(err, json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": rows}))
		}
		fmt.Printf("%-10s %6s %12s %9s %9s %8s\n", "", "window", "per second", "p50 ms", "p99 ms", "of bare")
		bare := map[int]float64{}
		for _, r := range rows {
			if r.Path == "bare" {
				bare[r.Window] = r.P50
			}
			fmt.Printf("%-10s %6d %12.0f %9.2f %9.2f %8.2f\n", r.Path, r.Window, r.PerSecond, r.P50, r.P99, r.P50/bare[r.Window])
		}
		return err
	})
}

// withBenchStore runs a measurement with a PostgreSQL of its own, because the rows stay
// in the inbox; dir goes with it.
func withBenchStore(ctx context.Context, measure func(dir string, s *store.Store) error) (err error) {
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
	quiet := slog.New(slog.DiscardHandler)
	if err := store.Migrate(ctx, postgres.URL("bench"), quiet); err != nil {
		return err
	}
	s, err := store.Open(ctx, postgres.URL("bench"), clock.System{}, quiet)
	if err != nil {
		return err
	}
	defer s.Close()
	return measure(dir, s)
}
