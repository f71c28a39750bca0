// Command deskbell is the helpdesk: its roles, its development desk and its
// command line. This package only wires.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // rotas and office hours need zones, on any machine

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/lmittmann/tint"

	"deskbell/api"
	"deskbell/desk"
)

type cli struct {
	Verbose bool `short:"v" help:"Log what happens, not only what goes wrong."`

	Dev       devCmd       `cmd:"" help:"Run everything, with embedded servers and a demo desk."`
	Serve     serveCmd     `cmd:"" help:"Run roles against the servers that the environment names."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database's schema up to date."`
	Doctor    doctorCmd    `cmd:"" help:"Check everything that the roles need, and say what to do."`
	Replay    replayCmd    `cmd:"" help:"Replay the histories of open tickets with this program, before an upgrade."`
	Healthy   healthyCmd   `cmd:"" help:"Ask the deskbell on this machine whether it is healthy; for containers."`
	Smsc      smscCmd      `cmd:"" help:"Run the development SMSC with its page of phones by itself."`
	Submit    submitCmd    `cmd:"" help:"Submit a ticket."`
	Tickets   ticketsCmd   `cmd:"" aliases:"list" help:"List tickets, or search them."`
	Ticket    ticketCmd    `cmd:"" aliases:"show" help:"Show a ticket and what happened to it."`
	Act       actCmd       `cmd:"" help:"Do something to a ticket: claim, resolve and every other verb of the API."`
	Incidents incidentsCmd `cmd:"" help:"Show the known incidents, announce a ticket as one, join it, or withdraw it."`
	Watch     watchCmd     `cmd:"" help:"Show the open tickets as they change, until Ctrl-C."`
	Say       sayCmd       `cmd:"" help:"Say something as a person, as if it came by text message, and print the answer."`
	People    peopleCmd    `cmd:"" help:"List, import, add and change people."`
	Rota      rotaCmd      `cmd:"" help:"Show who is on call, or have somebody stand in."`
	Backtest  backtestCmd  `cmd:"" help:"Replay past tickets under another policy: messages, waits and missed targets beside the real ones."`
	Rehearse  rehearseCmd  `cmd:"" help:"Show who would be asked and called, and when, if nobody took a ticket."`
	Policy    policyCmd    `cmd:"" help:"Check a policy."`
	Token     tokenCmd     `cmd:"" help:"Make, list and end API tokens."`
	Bench     struct {
		Tickets benchCmd      `cmd:"" default:"withargs" help:"Whole lives of tickets over the real wires, beside a bare workflow."`
		IM      benchIMCmd    `cmd:"" help:"The desk in chat, and its gateway alone, beside a bare echo bot on the same server."`
		SMS     benchSMSCmd   `cmd:"" help:"The SMPP session beside the bare codec, and messages in with their commit."`
		Pages   benchPagesCmd `cmd:"" help:"The pages over a full read model, with many who watch."`
	} `cmd:"" help:"Measure."`
	Completion kongcompletion.Completion `cmd:"" help:"Say how a shell comes to complete commands: bash, zsh or fish."`
}

func main() {
	if err := run(); err != nil {
		for _, line := range lines(err) {
			fmt.Fprintln(os.Stderr, "deskbell: "+line)
		}
		os.Exit(1)
	}
}

func run() error {
	var c cli
	parser := kong.Must(&c, kong.Name("deskbell"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("A helpdesk whose every ticket is a durable workflow, worked from a phone or a chat."),
		kong.Vars{"verbs": strings.Join(api.Verbs(), ","), "scopes": strings.Join(desk.Scopes(), ",")})
	kongcompletion.Register(parser) // answers a shell that completes, and ends
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(logger(c.Verbose))
}

func logger(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	if stat, err := os.Stderr.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		return slog.New(tint.NewTextHandler(os.Stderr, &tint.Options{Level: level}))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// lines is an error as one line for each thing that is wrong.
func lines(err error) []string {
	if many, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		var out []string
		for _, e := range many.Unwrap() {
			out = append(out, lines(e)...)
		}
		return out
	}
	return []string{err.Error()}
}
