package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"deskbell/clock"
	"deskbell/config"
	"deskbell/devstack"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/store"
)

type devCmd struct {
	State  string `help:"Folder that keeps everything; default: the user's state folder." type:"path"`
	Ports  string `default:"8080" help:"\"auto\" takes free ports, a number is the first of eight."`
	Ready  string `help:"Write addresses and accounts to this file when everything answers." type:"path"`
	Policy string `help:"Policy file; default: a policy that is impatient enough to watch." type:"existingfile"`
	People string `help:"People file; default: a demo desk." type:"existingfile"`
}

// stopIn is how long everything has to stop in order.
const stopIn = 15 * time.Second

// stack is the development desk: servers, and what the roles need to know of them.
type stack struct {
	cmd      devCmd
	log      *slog.Logger
	clock    clock.Clock
	state    *devstack.State
	ports    *devstack.Ports
	people   roster.File
	progress *progress
	config   config.Config
	ready    ready
	noIM     error // why there is no IM

	mu      sync.Mutex
	pages   map[string]http.Handler       // beside the phones
	servers map[string]*devstack.Server   // by name
	stop    []func(context.Context) error // in the order of the starts
}

// ready is the file that tells others where everything is.
type ready struct {
	HTTP              string          `json:"http"`
	Temporal          string          `json:"temporal"`
	TemporalNamespace string          `json:"temporal_namespace"`
	TemporalUI        string          `json:"temporal_ui,omitempty"`
	Phones            string          `json:"phones,omitempty"`
	SMPP              string          `json:"smpp"`
	SMPPSystemID      string          `json:"smpp_system_id"`
	SMPPPassword      string          `json:"smpp_password"`
	XMPP              string          `json:"xmpp,omitempty"`
	XMPPCA            string          `json:"xmpp_ca,omitempty"`
	DatabaseURL       string          `json:"database_url"`
	Token             string          `json:"token"`
	Number            string          `json:"number"`
	Desk              string          `json:"desk,omitempty"` // the desk's JID
	Room              string          `json:"room,omitempty"` // the team's, a JID
	People            []roster.Person `json:"people"`
}

func (c devCmd) Run(ctx context.Context, log *slog.Logger) error {
	dir := c.State
	if dir == "" {
		var err error
		if dir, err = stateFolder(); err != nil {
			return err
		}
	}
	state, err := devstack.OpenState(dir)
	if err != nil {
		return err
	}
	s := &stack{cmd: c, log: log, clock: present(), state: state, progress: newProgress(os.Stdout)}
	defer s.down()
	if s.ports, err = state.Ports(c.Ports); err != nil {
		return err
	}
	return s.run(ctx)
}

// stateFolder follows the XDG rules; root, whose home the servers' users cannot
// enter, keeps it where system services do.
func stateFolder() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "deskbell"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/deskbell", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where is your home folder? name a folder with --state: %w", err)
	}
	return filepath.Join(home, ".local", "state", "deskbell"), nil
}

func (s *stack) run(ctx context.Context) error {
	var err error
	if s.people, err = people(s.cmd.People, s.state.Path("passwords.json")); err != nil {
		return err
	}
	pol := policy.Development()
	if s.cmd.Policy != "" {
		if pol, err = config.Policy(s.cmd.Policy); err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	roles := config.Roles()
	if s.noIM != nil {
		roles = []string{config.API, config.Tickets, config.SMS}
	}
	sys, err := newSystem(ctx, s.config, roles, pol, s.clock, s.log)
	if err != nil {
		return err
	}
	defer sys.close()
	if err := s.settle(ctx, sys); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.config.HTTPAddr)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sys.run(gctx, listener) })
	g.Go(func() error {
		if err := s.await(gctx, sys, roles); err != nil {
			return err
		}
		return s.announce(pol)
	})
	err = g.Wait()
	if ctx.Err() != nil {
		fmt.Println("\nStopping. Tickets stay in", s.state.Dir())
		if errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	return err
}

// settle imports the people and makes the administrator's token.
func (s *stack) settle(ctx context.Context, sys *system) error {
	if err := sys.store.ImportOnce(ctx, s.people); err != nil {
		return fmt.Errorf("import people: %w", err)
	}
	path := s.state.Path("token")
	if data, err := os.ReadFile(path); err == nil {
		if _, _, err := sys.store.Token(ctx, string(data)); err == nil {
			s.ready.Token = string(data)
			return nil
		}
	}
	_, token, err := sys.store.CreateToken(ctx, store.Token{Person: administrator(s.people), Scopes: []string{"admin"}, Name: "development"}, store.Audit{Channel: "cli"})
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	s.ready.Token = token
	return os.WriteFile(path, []byte(token), 0o600)
}

// administrator is the person whom the administrator's token belongs to.
func administrator(f roster.File) string {
	for _, role := range []roster.Role{roster.Admin, roster.Manager, roster.Agent} {
		for _, p := range f.People {
			if p.Is(role) {
				return p.ID
			}
		}
	}
	return f.People[0].ID
}

// await returns when the binds and logins stand.
func (s *stack) await(ctx context.Context, sys *system, roles []string) error {
	defer s.progress.step("Gateways")()
	changes := sys.desk.Watch(ctx)
	want := len(roles) - 2
	for {
		gateways, err := sys.desk.Gateways(ctx)
		if err != nil {
			return err
		}
		up := 0
		for _, g := range gateways {
			if g.Up {
				up++
			}
		}
		if up >= want {
			return nil
		}
		if _, ok := <-changes; !ok {
			return ctx.Err()
		}
	}
}

// announce writes the ready file and the card.
func (s *stack) announce(p policy.Policy) error {
	data, err := json.MarshalIndent(s.ready, "", "  ")
	if err != nil {
		return err
	}
	for _, path := range []string{s.state.Path("ready.json"), s.cmd.Ready} {
		if path == "" {
			continue
		}
		if err := os.WriteFile(path+".part", data, 0o600); err != nil {
			return fmt.Errorf("--ready: %w", err)
		}
		if err := os.Rename(path+".part", path); err != nil {
			return fmt.Errorf("--ready: %w", err)
		}
	}
	return printCard(os.Stdout, s.ready, s.noIM, p, s.state.Dir())
}
