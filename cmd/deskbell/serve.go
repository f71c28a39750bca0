package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"deskbell/config"
	"deskbell/store"
)

type serveCmd struct {
	Roles []string `arg:"" optional:"" help:"api, tickets, sms, im; all when none is named."`
}

func (s serveCmd) Run(ctx context.Context, log *slog.Logger) error {
	roles := s.Roles
	if len(roles) == 0 {
		roles = config.Roles()
	}
	c, err := config.Load(os.Getenv, roles)
	if err != nil {
		return err
	}
	p, err := config.Policy(c.PolicyFile)
	if err != nil {
		return fmt.Errorf("DESKBELL_POLICY_FILE: %w", err)
	}
	sys, err := newSystem(ctx, c, roles, p, present(), log)
	if err != nil {
		return err
	}
	defer sys.close()
	if c.PeopleFile != "" {
		people, err := config.People(c.PeopleFile)
		if err != nil {
			return fmt.Errorf("DESKBELL_PEOPLE_FILE: %w", err)
		}
		if err := sys.store.ImportOnce(ctx, people); err != nil {
			return fmt.Errorf("DESKBELL_PEOPLE_FILE: %w", err)
		}
	}
	return sys.run(ctx, nil)
}

type migrateCmd struct{}

// Run migrates the database, and prepares the engine that the environment names.
func (migrateCmd) Run(ctx context.Context, log *slog.Logger) error {
	c, err := config.Load(os.Getenv, nil)
	if err != nil {
		return err
	}
	if err := store.Migrate(ctx, c.Database.Reveal(), log); err != nil {
		return err
	}
	if c.TemporalAddress == "" && os.Getenv("TEMPORAL_CONFIG_FILE") == "" {
		fmt.Fprintln(os.Stderr, "The database is up to date. TEMPORAL_ADDRESS is not set: namespace and search attributes were not looked at.")
		return nil
	}
	e, err := newEngine(ctx, c, log)
	if err != nil {
		return err
	}
	defer e.Close()
	return e.prepare(ctx, log)
}
