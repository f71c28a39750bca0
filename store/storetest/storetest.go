// Package storetest gives tests a real PostgreSQL: one server per test package,
// one migrated database per test.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/store"
)

const (
	startTimeout = 30 * time.Second
	template     = "template_deskbell"
	prefix       = "deskbell-pg-"
)

// Server is a PostgreSQL of its own, without durability, for one test package.
type Server struct {
	dir   string
	made  atomic.Int64
	admin *pgx.Conn
	turn  chan struct{} // who may use admin
}

// Run starts a server, runs the tests of a package with it and stops it. It
// returns the code for os.Exit.
func Run(m *testing.M, server **Server) int {
	// The children end with the thread that started them.
	runtime.LockOSThread()
	s, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL for tests:", err)
		return 1
	}
	*server = s
	return s.serve(m)
}

func (s *Server) serve(m *testing.M) (code int) {
	postgres := s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "timezone=Pacific/Chatham")
	defer os.RemoveAll(s.dir)
	if err := postgres.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL for tests:", err)
		return 1
	}
	defer func() {
		_ = postgres.Process.Signal(syscall.SIGINT) // ends the connections, then stops in order
		_ = postgres.Wait()
	}()
	if err := s.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL for tests:", err)
		return 1
	}
	return m.Run()
}

func start() (*Server, error) {
	parent := parentDir()
	sweep(parent)
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, turn: make(chan struct{}, 1)}
	if account := ordinary(); account != nil {
		err = os.Chown(dir, int(account.Uid), int(account.Gid))
	}
	if err == nil {
		var out []byte
		out, err = s.command("initdb", "--pgdata="+filepath.Join(dir, "data"), "--username=postgres", "--auth=trust",
			"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// sweep removes what tests that were killed left behind.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, prefix+"*")) // fails only for a malformed pattern
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(find(program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = childAttributes(ordinary())
	return cmd
}

// find returns the newest PostgreSQL's program, or the name for the path.
func find(program string) string {
	newest, found := 0, program
	matches, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program) // fails only for a malformed pattern
	for _, path := range matches {
		if version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))); version > newest {
			newest, found = version, path
		}
	}
	return found
}

// ordinary is the user for the server when we are root, as whom it does not run.
func ordinary() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return nil
}

// prepare waits for the server and migrates the template.
func (s *Server) prepare() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if s.admin, err = pgx.Connect(ctx, s.URL("postgres")); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	if _, err = s.admin.Exec(ctx, "CREATE DATABASE "+template); err != nil {
		return err
	}
	return store.Migrate(ctx, s.URL(template), slog.New(slog.DiscardHandler))
}

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", database, s.dir)
}

// Database makes a migrated database for a test and returns its url. It goes when
// the server does.
func (s *Server) Database(t testing.TB) string { return s.database(t, template) }

// Empty is a Database without a schema.
func (s *Server) Empty(t testing.TB) string { return s.database(t, "template0") }

func (s *Server) database(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	s.exec(t, t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+from+" STRATEGY file_copy")
	return s.URL(name)
}

// Disconnect ends all connections to a database that url names.
func (s *Server) Disconnect(t testing.TB, url string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", config.Database)
}

func (s *Server) exec(t testing.TB, ctx context.Context, sql string, args ...any) {
	t.Helper()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if _, err := s.admin.Exec(ctx, sql, args...); err != nil {
		t.Fatal(err)
	}
}
