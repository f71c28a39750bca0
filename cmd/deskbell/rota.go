package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"deskbell/roster"
)

type rotaCmd struct {
	Show     rotaShowCmd `cmd:"" default:"withargs" help:"Show who is on call."`
	Override overrideCmd `cmd:"" help:"Have one person stand in for another."`
}

type rotaShowCmd struct {
	Days int    `help:"Show the shifts of so many days, and the holes in them."`
	ICal string `name:"ical" placeholder:"PERSON" help:"Print this person's shifts as iCalendar; 90 days unless --days says otherwise."`
}

// icalDays is how far a calendar looks ahead: a quarter, which people plan for.
const icalDays = 90

func (c rotaShowCmd) Run(ctx context.Context, log *slog.Logger) error {
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	people, err := s.People(ctx)
	if err != nil {
		return err
	}
	rota, overrides, err := s.Rota(ctx)
	if err != nil {
		return err
	}
	if c.Days > 0 || c.ICal != "" {
		members, err := s.Members(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		shifts := roster.Shifts(rota, overrides, members, now, now.AddDate(0, 0, cmp.Or(c.Days, icalDays)))
		if c.ICal == "" {
			return printShifts(shifts)
		}
		if _, err := s.Person(ctx, c.ICal); err != nil {
			return fmt.Errorf("person %q: %w", c.ICal, err)
		}
		shifts = slices.DeleteFunc(shifts, func(s roster.Shift) bool { return s.Person != c.ICal })
		fmt.Print(roster.Calendar(shifts, now))
		return nil
	}
	chain, until := roster.OnCall(rota, overrides, people, "", time.Now())
	for i, id := range chain {
		fmt.Printf("%d. %s\n", i+1, id)
	}
	if !until.IsZero() {
		fmt.Println("until", until.Local().Format("Mon 2 Jan 15:04"))
	}
	return nil
}

func printShifts(shifts []roster.Shift) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tUNTIL\tGROUP\tROTATION\tPERSON\t")
	for _, s := range shifts {
		note := ""
		if s.Instead != "" {
			note = "for " + s.Instead
		}
		if s.Hole != "" {
			note = strings.TrimSpace(note + " HOLE: " + string(s.Hole))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.From.Local().Format(shiftTime), s.Until.Local().Format(shiftTime),
			visible(s.Group), visible(s.Rotation), cmp.Or(s.Person, "-"), note)
	}
	return w.Flush()
}

type overrideCmd struct {
	Add    overrideAddCmd    `cmd:"" help:"Have one person stand in for another for a while."`
	Remove overrideRemoveCmd `cmd:"" help:"End an override."`
	List   overrideListCmd   `cmd:"" help:"Show who stands in for whom, and who said so."`
}

type overrideAddCmd struct {
	remote  `embed:""`
	Person  string `arg:"" help:"Id of who stands in."`
	Instead string `arg:"" help:"Id of the person whose turns they take."`
	From    string `required:"" help:"When it begins: 2026-03-02 18:00 in the zone, or 2026-03-02T18:00:00+01:00."`
	Until   string `required:"" help:"When it ends."`
	Zone    string `default:"Local" help:"Zone of from and until, such as Europe/Berlin; default: this machine's."`
	Group   string `help:"In this group's rotations only."`
}

func (c overrideAddCmd) Run(ctx context.Context) error {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone %q is not known: use a name such as Europe/Berlin", c.Zone)
	}
	o := roster.Override{Group: c.Group, Person: c.Person, Instead: c.Instead}
	if o.From, err = roster.ParseTime(c.From, zone); err != nil {
		return fmt.Errorf("--from %w", err)
	}
	if o.Until, err = roster.ParseTime(c.Until, zone); err != nil {
		return fmt.Errorf("--until %w", err)
	}
	var r roster.RecordedOverride
	if err := c.call(ctx, "POST", "/v1/rota/overrides", o, &r); err != nil || c.JSON {
		return err
	}
	return printOverrides(r)
}

type overrideRemoveCmd struct {
	remote `embed:""`
	ID     int64 `arg:"" help:"The override's id, as list shows it."`
}

func (c overrideRemoveCmd) Run(ctx context.Context) error {
	var r roster.RecordedOverride
	if err := c.call(ctx, "DELETE", "/v1/rota/overrides/"+strconv.FormatInt(c.ID, 10), nil, &r); err != nil || c.JSON {
		return err
	}
	return printOverrides(r)
}

type overrideListCmd struct {
	remote `embed:""`
}

func (c overrideListCmd) Run(ctx context.Context) error {
	var list []roster.RecordedOverride
	if err := c.call(ctx, "GET", "/v1/rota/overrides", nil, &list); err != nil || c.JSON {
		return err
	}
	return printOverrides(list...)
}

// shiftTime is how a time of the rota is shown, in this machine's zone.
const shiftTime = "Mon 2 Jan 2006 15:04 MST"

func printOverrides(list ...roster.RecordedOverride) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tPERSON\tINSTEAD OF\tGROUP\tFROM\tUNTIL\tADDED BY\tREMOVED BY")
	for _, r := range list {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Person, r.Instead, visible(r.Group),
			r.From.Local().Format(shiftTime), r.Until.Local().Format(shiftTime), r.AddedBy, r.RemovedBy)
	}
	return w.Flush()
}
