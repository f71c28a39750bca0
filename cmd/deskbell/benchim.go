package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/gateway/im/xmppbench"
	"deskbell/roster"
)

type benchIMCmd struct {
	JSON   bool          `help:"Print one JSON object."`
	Rounds int           `default:"6" help:"How often each path has its turn."`
	Turn   time.Duration `default:"1s" help:"How long a turn lasts."`
}

//go:embed benchim.sql
var benchIMSQL string

// Who is there besides the agents: the bare echo bot, and a gateway without a desk.
const (
	benchEcho    = "echo"
	benchGateway = "gateway"
)

// Run measures a whole desk with servers of its own.
func (b benchIMCmd) Run(ctx context.Context, log *slog.Logger) (err error) {
	people := roster.File{People: []roster.Person{{ID: "req", Name: "Ann", Roles: roster.Roles{roster.Requester}, Phone: "+447700930001"}}}
	for _, id := range []string{benchEcho, benchGateway} {
		people.People = append(people.People, roster.Person{ID: id, Name: id, Roles: roster.Roles{roster.Requester}, JID: id + "@" + demoDomain})
	}
	agents := slices.Max(xmppbench.AtOnce)
	for i := range agents {
		id := fmt.Sprintf("agent-%d", i+1)
		people.People = append(people.People, roster.Person{ID: id, Name: id, Roles: roster.Roles{roster.Agent}, JID: id + "@" + demoDomain})
	}
	return withBenchDesk(ctx, "", people, log, func(s *stack, _ *child) error {
		rows, err := b.measure(ctx, s, agents)
		if b.JSON {
			return errors.Join(err, json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": rows}))
		}
		fmt.Printf("%-8s %6s %12s %9s %9s %9s %20s\n", "", "people", "per second", "p50 ms", "p99 ms", "own ms", "of bare and own time")
		for _, r := range rows {
			fmt.Printf("%-8s %6d %12.0f %9.2f %9.2f %9.2f %20.2f\n", r.Path, r.People, r.PerSecond, r.P50, r.P99, r.Own, r.Ratio)
		}
		return err
	})
}

// measure has each agent write to the bare bot, to the gateway, and notes on a ticket to
// the desk.
func (b benchIMCmd) measure(ctx context.Context, s *stack, agents int) ([]xmppbench.Row, error) {
	server := xmppbench.Server{Addr: s.ready.XMPP, CAFile: s.ready.XMPPCA}
	accounts := map[string]xmppbench.Account{}
	for _, p := range s.people.People {
		accounts[p.ID] = xmppbench.Account{JID: p.JID, Password: p.Password}
	}
	var numbers []int
	for i := range agents {
		id := fmt.Sprintf("agent-%d", i+1)
		server.People = append(server.People, accounts[id])
		n, err := openTicket(ctx, s, id)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	db, err := pgx.Connect(ctx, s.config.Database.Reveal())
	if err != nil {
		return nil, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	quiet, err := xmppbench.Echo(server, accounts[benchEcho])
	if err != nil {
		return nil, err
	}
	defer quiet()
	stop, err := xmppbench.Gateway(ctx, server, accounts[benchGateway])
	if err != nil {
		return nil, err
	}
	defer stop()
	return xmppbench.Run(ctx, server, []xmppbench.Path{
		{Name: "bare", JID: accounts[benchEcho].JID},
		{Name: "gateway", JID: accounts[benchGateway].JID},
		{
			Name: "desk", JID: s.ready.Desk,
			Say: func(person, serial int) string {
				return fmt.Sprintf("note %d tried %d things", numbers[person], serial)
			},
			Answers: func(_, heard string) bool { return strings.HasPrefix(heard, "Noted on #") },
			Own: func(ctx context.Context, since time.Time) (took []time.Duration, err error) {
				rows, err := db.Query(ctx, benchIMSQL, since)
				if err != nil {
					return nil, err
				}
				seconds, err := pgx.CollectRows(rows, pgx.RowTo[float64])
				for _, s := range seconds {
					took = append(took, time.Duration(s*float64(time.Second)))
				}
				return took, err
			},
		},
	}, xmppbench.Config{Rounds: b.Rounds, Turn: b.Turn})
}

// openTicket submits a ticket and has somebody hold it.
func openTicket(ctx context.Context, s *stack, holder string) (int, error) {
	api := remote{URL: s.ready.HTTP, Token: s.ready.Token}
	var opened struct{ Number int }
	if err := api.call(ctx, http.MethodPost, "/v1/tickets", map[string]any{"subject": "The printer jams", "requester": "req"}, &opened); err != nil {
		return 0, err
	}
	return opened.Number, api.call(ctx, http.MethodPost, fmt.Sprintf("/v1/tickets/%d/claim", opened.Number), map[string]any{"as": holder}, nil)
}
