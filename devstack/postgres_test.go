package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPostgresKeepsData(t *testing.T) {
	t.Parallel()
	// Closed to everybody else: as root the server's user must still get through.
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "pg")
	began := time.Now()
	p := startPostgres(t, PostgresConfig{Dir: dir})
	t.Logf("cold start %v", time.Since(began).Round(time.Millisecond))

	for range 2 {
		if err := p.EnsureDatabase(t.Context(), `des"k`); err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, p.URL(`des"k`))
	execute(t, conn, "CREATE TABLE ticket (subject text)")
	execute(t, conn, "INSERT INTO ticket VALUES ('Drucker ÄÖ')")
	url := p.URL("postgres")
	stopServer(t, p.Server)
	if p.Pid() != 0 {
		t.Error("a stopped server has a pid")
	}

	began = time.Now()
	p = startPostgres(t, PostgresConfig{Dir: dir})
	t.Logf("warm start %v", time.Since(began).Round(time.Millisecond))
	if p.URL("postgres") == url {
		t.Log("the free port came out the same")
	}
	checkTicket(t, p)

	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("start after kill %v", time.Since(began).Round(time.Millisecond))
	checkTicket(t, p)
	select {
	case err := <-p.Exited():
		t.Errorf("stopping and killing were reported as an accident: %v", err)
	default:
	}
}

func checkTicket(t *testing.T, p *Postgres) {
	t.Helper()
	var lower string
	if err := connect(t, p.URL(`des"k`)).QueryRow(t.Context(), "SELECT lower(subject) FROM ticket").Scan(&lower); err != nil {
		t.Fatal(err)
	}
	if lower != "drucker äö" {
		t.Errorf("subject in lower case: %q", lower)
	}
}

func TestPostgresNeedsItsPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startPostgres(t, PostgresConfig{Dir: dir, Test: true})
	info, err := os.Stat(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the password file has mode %v", info.Mode())
	}
	wrong := strings.Replace(p.URL("postgres"), p.password, "wrong", 1)
	if err := (&postgresCluster{port: p.port, password: "wrong"}).probe(t.Context()); err == nil {
		t.Errorf("%s is let in", wrong)
	}
}

func TestPostgresReportsItsDeath(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, PostgresConfig{Dir: t.TempDir(), Test: true})
	process, err := os.FindProcess(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.Exited():
		if !strings.Contains(err.Error(), "postgres ended (signal: killed)") {
			t.Errorf("reported as %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the death was not reported")
	}
}

func TestPostgresPortTaken(t *testing.T) {
	t.Parallel()
	port := takenPort(t)
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: t.TempDir(), Port: port, Test: true})
	needs(t, err)
	var taken *PortTakenError
	if !errors.As(err, &taken) || taken.Port != port {
		t.Fatalf("got %v", err)
	}
	oneLineError(t, err, strconv.Itoa(port), "postgres")
}

func takenPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func oneLineError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

// A cluster that the installed programs cannot serve is left alone, and so is a folder that
// is no cluster.
func TestPostgresLeavesForeignDataAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		words   []string
	}{
		"older version": {"9", []string{"PostgreSQL 9", "pg_upgrade"}},
		"not a cluster": {"", []string{"is not a PostgreSQL cluster"}},
	} {
		dir := t.TempDir()
		data := filepath.Join(dir, "data")
		marker := filepath.Join(data, "marker")
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(marker, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.version != "" {
			if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(c.version+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Test: true})
		needs(t, err)
		t.Run(name, func(t *testing.T) {
			oneLineError(t, err, c.words...)
			if isMissing(marker) {
				t.Error("the folder's content is gone")
			}
		})
	}
}

func TestPostgresStartsAfterAnInterruptedInitdb(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	startPostgres(t, PostgresConfig{Dir: dir, Test: true})
}

func TestPostgresStartIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := StartPostgres(ctx, PostgresConfig{Dir: t.TempDir(), Test: true})
	needs(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// PostgreSQL refuses to start while the process id in its lock file exists, and a killed
// postmaster exists as a zombie until it is reaped.
func TestPostgresWaitsForAZombie(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startPostgres(t, PostgresConfig{Dir: dir, Test: true})
	stopServer(t, p.Server)

	data := filepath.Join(dir, "data")
	user, err := ordinaryUser(data, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("sleep", "600")
	zombie.SysProcAttr = childAttributes(syscall.SIGKILL, user)
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(data, "postmaster.pid")
	if err := os.WriteFile(lock, fmt.Appendf(nil, "%d\n%s\n", zombie.Process.Pid, data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := user.own(lock); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "postgres.log")
	reaped := make(chan bool)
	go func() {
		refused := eventually(t, func() bool {
			text, err := os.ReadFile(log)
			return err == nil && predecessorAlive(text)
		})
		_ = zombie.Wait()
		reaped <- refused
	}()
	if err := p.Restart(t.Context()); err != nil {
		t.Error(err)
	}
	if !<-reaped {
		t.Error("PostgreSQL did not mind the zombie")
	}
}
