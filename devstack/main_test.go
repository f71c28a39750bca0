package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// needs skips a test whose program is not installed, visibly, and fails it in CI.
func needs(t *testing.T, err error) {
	t.Helper()
	var missing *MissingError
	if !errors.As(err, &missing) {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("CI must have every server: %v", err)
	}
	t.Skip(err)
}

func temporalBinary(t *testing.T) string {
	t.Helper()
	binary, err := filepath.Abs("../bin/deskbell-temporal")
	if err != nil {
		t.Fatal(err)
	}
	if isMissing(binary) {
		needs(t, &MissingError{Program: binary, Hint: "run: make build"})
	}
	return binary
}

func startPostgres(t *testing.T, c PostgresConfig) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), c)
	needs(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(t, p.Server) })
	return p
}

func stopServer(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// eventually polls a condition for at most 10 s and returns when it holds or time is up.
func eventually(t *testing.T, condition func() bool) bool {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			return false
		}
	}
	return true
}
