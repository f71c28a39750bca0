package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const temporalStartTimeout = 2 * time.Minute

// TemporalConfig says where and how the embedded Temporal server runs.
type TemporalConfig struct {
	Binary       string // the program built from devstack/temporal
	Dir          string // for its log; created if need be
	Postgres     string // URL of any database on the server that keeps its data, with password
	Port         int    // of the frontend on 127.0.0.1; 0 takes a free one
	UIPort       int    // of the web UI on 127.0.0.1; 0 takes a free one
	TimeSkipping bool   // let clients skip time in workflows, for tests
}

// Temporal is an embedded Temporal server with its web UI.
type Temporal struct {
	*Server
	port, uiPort int
}

// StartTemporal starts the server and returns when its frontend and its UI answer, the
// namespace exists and the search attributes of a ticket are visible.
func StartTemporal(ctx context.Context, c TemporalConfig) (*Temporal, error) {
	if isMissing(c.Binary) {
		return nil, fmt.Errorf("the embedded Temporal server %s is not built: run make build", c.Binary)
	}
	dsn, err := url.Parse(c.Postgres)
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	if c.Port, err = choosePort(PortTemporal, c.Port); err != nil {
		return nil, err
	}
	if c.UIPort, err = choosePort(PortTemporalUI, c.UIPort); err != nil {
		return nil, err
	}
	password, _ := dsn.User.Password()
	dsn.User = url.User(dsn.User.Username())
	args := []string{
		"--postgres", dsn.String(), "--port", strconv.Itoa(c.Port), "--ui-port", strconv.Itoa(c.UIPort),
		"--time-skipping=" + strconv.FormatBool(c.TimeSkipping), "--exit-with-stdin",
	}
	server, err := newServer(ctx, func(ctx context.Context) (*process, error) {
		return launchTemporal(ctx, command{
			name: "temporal", path: c.Binary, args: args,
			env: []string{"PGPASSWORD=" + password, "PATH=" + os.Getenv("PATH")},
			log: filepath.Join(c.Dir, "temporal.log"), stdin: true,
			// Its database dies with us too, so there is nothing that it could still put in order.
			stopSignal: syscall.SIGTERM, deathSignal: syscall.SIGKILL,
		})
	})
	if err != nil {
		return nil, err
	}
	return &Temporal{Server: server, port: c.Port, uiPort: c.UIPort}, nil
}

// launchTemporal starts the program and waits for its ready line.
func launchTemporal(ctx context.Context, c command) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, temporalStartTimeout)
	defer cancel()
	reader, writer := io.Pipe()
	c.stdout = writer
	proc, err := startProcess(c)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go func() {
		output := bufio.NewReader(reader)
		for {
			text, err := output.ReadBytes('\n')
			var line struct{ Ready bool }
			if json.Unmarshal(text, &line) == nil && line.Ready {
				break
			}
			if err != nil {
				return
			}
		}
		close(ready)
		_, _ = io.Copy(io.Discard, output)
	}()
	go func() {
		<-proc.done
		_ = writer.Close()
	}()
	select {
	case <-ready:
		return proc, nil
	case <-proc.done:
		return nil, proc.exitError()
	case <-ctx.Done():
		if err := proc.kill(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("temporal does not answer: %w; its log is %s", ctx.Err(), c.log)
	}
}

// Address of the frontend (gRPC), host:port.
func (t *Temporal) Address() string { return net.JoinHostPort(localhost, strconv.Itoa(t.port)) }

// UIURL of the web UI.
func (t *Temporal) UIURL() string {
	return "http://" + net.JoinHostPort(localhost, strconv.Itoa(t.uiPort))
}
