// Command deskbell-temporal is the workflow engine of development mode and of the
// tests: the Temporal server with its web UI in one process, keeping everything in
// PostgreSQL. It is a module of its own so that the product does not inherit the
// server's dependencies, and it knows nothing of the product except the search
// attributes that a ticket carries.
//
// It listens on 127.0.0.1 only. One JSON line on stdout says that it is ready; logs go
// to stderr.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/temporal"
)

// The longest that starting and stopping may take. The supervisor kills after 5 s, so
// stopping gives up a little sooner and says so.
const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 4500 * time.Millisecond
)

type options struct {
	postgres      *url.URL
	port          int
	uiPort        int
	timeSkipping  bool
	exitWithStdin bool
	logLevel      string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "deskbell-temporal:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var (
		opts options
		dsn  string
	)
	flags := flag.NewFlagSet("deskbell-temporal", flag.ContinueOnError)
	flags.StringVar(&dsn, "postgres", "postgres://postgres@127.0.0.1:5432/postgres",
		"PostgreSQL `URL` without a password (that is read from PGPASSWORD); its database is only used to create ours")
	flags.IntVar(&opts.port, "port", 7233, "port of the frontend (gRPC)")
	flags.IntVar(&opts.uiPort, "ui-port", 8233, "port of the web UI")
	flags.BoolVar(&opts.timeSkipping, "time-skipping", false, "let clients skip time in workflows (tests)")
	flags.BoolVar(&opts.exitWithStdin, "exit-with-stdin", false, "end at once when stdin is closed, for a supervisor that was killed")
	flags.StringVar(&opts.logLevel, "log-level", "warn", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	var err error
	if opts.postgres, err = url.Parse(dsn); err != nil {
		return opts, fmt.Errorf("--postgres: %w", err)
	}
	if _, given := opts.postgres.User.Password(); given {
		return opts, errors.New("--postgres: the password belongs in PGPASSWORD, not on the command line")
	}
	return opts, nil
}

func run(args []string) error {
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if opts.exitWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: opts.logLevel}))

	cfg, hosts, err := serverConfig(opts, os.Getenv("PGPASSWORD"))
	if err != nil {
		return err
	}
	if err := setupStore(ctx, cfg, logger); err != nil {
		return err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithDynamicConfigClient(dynamicConfig(opts.timeSkipping)),
		temporal.WithLogger(logger),
	)
	if err != nil {
		return fmt.Errorf("configure the server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	ui := newUI(opts.port, opts.uiPort)
	go func() { _ = ui.Start() }()
	defer ui.Stop()

	if err := announce(ctx, opts); err != nil {
		return errors.Join(err, stop(server, logger))
	}
	<-ctx.Done()
	return stop(server, logger)
}

// announce waits until frontend and UI answer and then writes the ready line.
func announce(ctx context.Context, opts options) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	frontend := net.JoinHostPort(localhost, strconv.Itoa(opts.port))
	ui := "http://" + net.JoinHostPort(localhost, strconv.Itoa(opts.uiPort))
	if err := waitReady(ctx, frontend, ui); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"ready": true, "address": frontend, "ui": ui, "namespace": namespace, "pid": os.Getpid(),
	})
}

func stop(server temporal.Server, logger log.Logger) error {
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(stopTimeout):
		logger.Warn("the server did not stop in time", tag.NewDurationTag("timeout", stopTimeout))
		return nil
	}
}
