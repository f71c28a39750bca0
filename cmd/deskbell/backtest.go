package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"deskbell/config"
	"deskbell/rehearsal"
)

type backtestCmd struct {
	Policy string `required:"" help:"The policy file to try (YAML)." type:"existingfile"`
	Since  string `default:"30d" help:"How far back: 30d, 12h."`
	Out    string `help:"Also write the table and a plot to this file (HTML)." type:"path"`
}

func (c backtestCmd) Run(ctx context.Context, log *slog.Logger) error {
	since, err := c.since()
	if err != nil {
		return err
	}
	p, err := config.Policy(c.Policy)
	if err != nil {
		return err
	}
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	pasts, err := s.PastTickets(ctx, time.Now().Add(-since))
	if err != nil {
		return err
	}
	all, err := rehearsal.Backtest(ctx, s, p, pasts)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no ticket was submitted in the last %s", c.Since)
	}
	if c.Out != "" {
		if err := c.write(all); err != nil {
			return err
		}
	}
	return rehearsal.Write(os.Stdout, all)
}

func (c backtestCmd) write(all []rehearsal.Compared) error {
	file, err := os.Create(c.Out)
	if err != nil {
		return err
	}
	return errors.Join(rehearsal.WriteHTML(file, fmt.Sprintf("%d tickets of the last %s under another policy", len(all), c.Since), all), file.Close())
}

// since is a duration, which may count days.
func (c backtestCmd) since() (time.Duration, error) {
	if days, ok := strings.CutSuffix(c.Since, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(c.Since); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("--since %q is no time span: write 30d or 12h", c.Since)
}
