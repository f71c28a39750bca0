package devstack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	postgresUser         = "postgres"
	postgresStartTimeout = time.Minute
	postgresPoll         = 20 * time.Millisecond
	duplicateDatabase    = "42P04"
)

// PostgresConfig says where and how PostgreSQL runs.
type PostgresConfig struct {
	Dir  string // its folder: cluster, password and log; created if need be
	Port int    // on 127.0.0.1; 0 takes a free one
	Test bool   // give up durability for speed
}

// Postgres is a private PostgreSQL server with the system's programs.
type Postgres struct {
	*Server
	port     int
	password string
}

// StartPostgres starts a server on the folder's cluster, which it creates the first time and
// never deletes. It returns when the server answers. Without PostgreSQL 15 or newer the
// error is a *MissingError, with a port in use a *PortTakenError.
func StartPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	cluster := &postgresCluster{dir: dir, data: filepath.Join(dir, "data"), test: c.Test}
	if cluster.user, err = ordinaryUser(cluster.data, "postgres"); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if cluster.bin, err = cluster.findPrograms(); err != nil {
		return nil, err
	}
	if cluster.password, err = secret(filepath.Join(dir, "password")); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := cluster.stopStale(ctx); err != nil {
		return nil, err
	}
	if cluster.port, err = choosePort(PortPostgres, c.Port); err != nil {
		return nil, err
	}
	if err := cluster.create(ctx); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	server, err := newServer(ctx, cluster.launch)
	if err != nil {
		return nil, err
	}
	return &Postgres{Server: server, port: cluster.port, password: cluster.password}, nil
}

// URL of one database, with the password.
func (p *Postgres) URL(database string) string { return postgresURL(p.port, p.password, database) }

func postgresURL(port int, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresUser, password),
		Host:     net.JoinHostPort(localhost, strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// EnsureDatabase creates a database unless it exists.
func (p *Postgres) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var existing *pgconn.PgError
	if err == nil || errors.As(err, &existing) && existing.Code == duplicateDatabase {
		return nil
	}
	return fmt.Errorf("create database %s: %w", name, err)
}

// postgresCluster is what a start needs to know.
type postgresCluster struct {
	dir, data string
	bin       string
	user      *account
	password  string
	port      int
	test      bool
}

// create makes the cluster beside its final place, so that an interrupted initdb leaves
// nothing that looks like one.
func (c *postgresCluster) create(ctx context.Context) error {
	if !isMissing(c.data) {
		return nil
	}
	unfinished := c.data + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	passwordFile := filepath.Join(c.dir, "password.initdb")
	if err := os.WriteFile(passwordFile, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(passwordFile)
	for _, path := range []string{unfinished, passwordFile} {
		if err := c.user.own(path); err != nil {
			return err
		}
	}
	args := []string{
		"--pgdata=" + unfinished, "--username=" + postgresUser, "--pwfile=" + passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=" + postgresLocale, "--no-instructions",
	}
	if c.test {
		args = append(args, "--no-sync")
	}
	initdb, err := startProcess(command{
		name: "initdb", path: filepath.Join(c.bin, "initdb"), args: args, env: c.environment(),
		log: filepath.Join(c.dir, "initdb.log"), user: c.user, stopSignal: syscall.SIGTERM, deathSignal: syscall.SIGTERM,
	})
	if err != nil {
		return err
	}
	select {
	case <-initdb.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), initdb.kill())
	}
	if initdb.err != nil {
		return initdb.exitError()
	}
	return os.Rename(unfinished, c.data)
}

// launch starts the server and returns when it answers. While a predecessor is still
// dying, PostgreSQL refuses to start; that is tried again.
func (c *postgresCluster) launch(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, postgresStartTimeout)
	defer cancel()
	if err := c.stopStale(ctx); err != nil {
		return nil, err
	}
	for stale := time.Now().Add(staleTimeout); ; {
		proc, err := startProcess(command{
			name: "postgres", path: filepath.Join(c.bin, "postgres"), args: c.settings(), env: c.environment(),
			log: filepath.Join(c.dir, "postgres.log"), user: c.user,
			// The "fast" shutdown: ends the connections, then stops in order.
			stopSignal: syscall.SIGINT, deathSignal: syscall.SIGINT,
		})
		if err != nil {
			return nil, err
		}
		err = proc.waitReady(ctx, postgresPoll, c.probe)
		if err == nil {
			return proc, nil
		}
		if !predecessorAlive(proc.output()) || time.Now().After(stale) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * postgresPoll):
		}
	}
}

func (c *postgresCluster) settings() []string {
	settings := []string{
		"listen_addresses=" + localhost,
		"port=" + strconv.Itoa(c.port),
		"unix_socket_directories=",
		"max_connections=200",
		"shared_buffers=64MB",
		"max_wal_size=256MB",
		"timezone=UTC",
		"log_timezone=UTC",
		"logging_collector=off",
	}
	if c.test {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	args := []string{"-D", c.data}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

func (c *postgresCluster) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=" + postgresLocale}
}

func (c *postgresCluster) probe(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, postgresURL(c.port, c.password, "postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stopStale ends a postmaster that a killed parent left on this cluster.
func (c *postgresCluster) stopStale(ctx context.Context) error {
	return stopStale(ctx, filepath.Join(c.data, "postmaster.pid"), c.data, syscall.SIGINT)
}

// predecessorAlive tells whether PostgreSQL gave a dying predecessor as the reason not to start.
func predecessorAlive(log []byte) bool {
	text := string(log)
	return strings.Contains(text, `lock file "postmaster.pid" already exists`) ||
		strings.Contains(text, "is still in use")
}

// secret reads a password from a file that only we may read, and makes one the first time.
func secret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	password := hex.EncodeToString(random)
	return password, writeFile(path, []byte(password+"\n"), 0o600)
}
