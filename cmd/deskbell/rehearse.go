package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"deskbell/command"
	"deskbell/config"
	"deskbell/policy"
	"deskbell/rehearsal"
	"deskbell/roster"
	"deskbell/ticket"
)

type rehearseCmd struct {
	Priority string        `arg:"" enum:"P1,P2,P3,P4" help:"P1 (urgent) to P4 (low)."`
	At       string        `arg:"" optional:"" default:"now" help:"When the ticket comes in: \"Sunday 03:00\", \"2026-03-01 03:00\" or now."`
	Group    string        `help:"The ticket's group."`
	For      time.Duration `help:"How long nobody takes it; default: until the policy's last step."`
	Zone     string        `default:"Local" help:"Zone of the times, such as Europe/Berlin; default: this machine's."`
	Policy   string        `env:"DESKBELL_POLICY_FILE" help:"Policy file; default: the built-in policy, or the development desk's." type:"existingfile"`
}

func (c rehearseCmd) Run(ctx context.Context, log *slog.Logger) error {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone %q is not known: use a name such as Europe/Berlin", c.Zone)
	}
	at, err := c.at(time.Now(), zone)
	if err != nil {
		return err
	}
	p, err := c.policy()
	if err != nil {
		return err
	}
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	until := at.Add(c.For)
	if c.For == 0 {
		until = rehearsal.Until(p.Group(c.Group), ticket.Priority(c.Priority), at)
	}
	lines, err := rehearsal.Run(ctx, s, p, ticket.Priority(c.Priority), c.Group, at, until)
	if err != nil {
		return err
	}
	holes := 0
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, l := range lines {
		when := fmt.Sprintf("%s\t+%s", l.At.In(zone).Format("Mon 2 Jan 15:04:05"), l.At.Sub(at).Round(time.Second))
		if l.Hole != "" {
			holes++
			fmt.Fprintf(w, "%s\tHOLE\t\t%s\n", when, l.Hole)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", when, l.To.ID, l.To.Via, rehearsed[l.Message])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if holes > 0 {
		return fmt.Errorf("holes: %d", holes)
	}
	return nil
}

// rehearsed are the words for what somebody gets.
var rehearsed = map[ticket.Message]string{"offer": "is asked", "reminder": "is asked again", "page": "is called", "mgr_nobody": "is called as manager"}

func (c rehearseCmd) at(now time.Time, zone *time.Location) (time.Time, error) {
	if c.At == "now" {
		return now, nil
	}
	if at, rest, ok := command.When(c.At, now, zone); ok && rest == "" {
		return at, nil
	}
	return roster.ParseTime(c.At, zone)
}

// policy is the desk's: the development desk has its own.
func (c rehearseCmd) policy() (policy.Policy, error) {
	if c.Policy == "" && cmp.Or(os.Getenv("DATABASE_URL"), os.Getenv("DATABASE_URL_FILE")) == "" {
		return policy.Development(), nil
	}
	return config.Policy(c.Policy)
}
