package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"deskbell/ical"
	"deskbell/roster"
)

type rotaCmd struct {
	Show     rotaShowCmd    `cmd:"" default:"withargs" help:"Show who is on call."`
	List     rotaListCmd    `cmd:"" help:"Show the rotations."`
	Set      rotaSetCmd     `cmd:"" help:"Add a rotation, or change one."`
	Remove   rotaRemoveCmd  `cmd:"" help:"End a rotation."`
	Import   rotaImportCmd  `cmd:"" help:"Make a rotation of the shifts in a calendar file."`
	History  rotaHistoryCmd `cmd:"" help:"Show who changed which rotation."`
	Override overrideCmd    `cmd:"" help:"Have one person stand in for another."`
}

type rotaShowCmd struct {
	Days int    `help:"Show the shifts of so many days, and the holes in them."`
	ICal string `name:"ical" placeholder:"PERSON" help:"Print this person's shifts as iCalendar; 90 days unless --days says otherwise."`
	Feed string `placeholder:"PERSON" xor:"feed" help:"Print the address where a calendar finds this person's shifts; it is made when there is none."`
	End  string `name:"end-feed" placeholder:"PERSON" xor:"feed" help:"End that address; the next one is another."`
	API  remote `embed:"" prefix:"api-"`
}

// icalDays is how far a calendar looks ahead: a quarter, which people plan for.
const icalDays = 90

func (c rotaShowCmd) Run(ctx context.Context, log *slog.Logger) error {
	if c.Feed != "" || c.End != "" {
		return c.feed(ctx)
	}
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

func (c rotaShowCmd) feed(ctx context.Context) error {
	const path = "/v1/rota/feeds/"
	if c.End != "" {
		return c.API.call(ctx, "DELETE", path+url.PathEscape(c.End), nil, nil)
	}
	var made struct{ URL string }
	if err := c.API.call(ctx, "PUT", path+url.PathEscape(c.Feed), nil, &made); err != nil || c.API.JSON {
		return err
	}
	fmt.Println(made.URL)
	return nil
}

type rotaListCmd struct {
	remote `embed:""`
}

func (c rotaListCmd) Run(ctx context.Context) error {
	var list []roster.Rotation
	if err := c.call(ctx, "GET", "/v1/rotations", nil, &list); err != nil || c.JSON {
		return err
	}
	return printRotations(list...)
}

type rotaSetCmd struct {
	remote `embed:""`
	Name   string   `arg:"" help:"The rotation's name."`
	People []string `arg:"" help:"Ids of those who take turns, in their order."`
	Group  string   `help:"Whose tickets it serves; every group's by default. A group's rotations are called level by level."`
	Zone   string   `default:"UTC" help:"Zone of the hand-overs, such as Europe/Berlin."`
	Start  string   `required:"" help:"The first hand-over: 2026-03-02 08:00 in the zone, or 2026-03-02T08:00:00+01:00."`
	Every  string   `default:"week" help:"How often it hands over: week, day, 12h, or times such as \"08:00, 20:00\" or \"mon 08:00, fri 17:00\"."`
}

func (c rotaSetCmd) Run(ctx context.Context) error {
	r := roster.Rotation{Group: c.Group, Name: c.Name, Zone: c.Zone, Every: c.Every, People: c.People}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone %q is not known: use a name such as Europe/Berlin", c.Zone)
	}
	if r.Start, err = roster.ParseTime(c.Start, zone); err != nil {
		return fmt.Errorf("--start %w", err)
	}
	return c.set(ctx, r)
}

// set keeps a rotation and shows it.
func (r *remote) set(ctx context.Context, rotation roster.Rotation) error {
	var kept roster.Rotation
	if err := r.call(ctx, "PUT", "/v1/rotations", rotation, &kept); err != nil || r.JSON {
		return err
	}
	return printRotations(kept)
}

type rotaRemoveCmd struct {
	remote `embed:""`
	Name   string `arg:"" help:"The rotation's name."`
	Group  string `help:"The rotation's group."`
}

func (c rotaRemoveCmd) Run(ctx context.Context) error {
	return c.call(ctx, "DELETE", "/v1/rotations?"+url.Values{"group": {c.Group}, "name": {c.Name}}.Encode(), nil, nil)
}

type rotaImportCmd struct {
	remote `embed:""`
	File   *os.File `arg:"" help:"The calendar file (.ics); - for standard input."`
	Name   string   `default:"imported" help:"The rotation that the shifts become, in place of the one of this name."`
	Group  string   `help:"Whose tickets it serves; every group's by default."`
	Zone   string   `default:"Local" help:"Zone of times without one, such as Europe/Berlin; default: this machine's."`
	Days   int      `default:"365" help:"How far ahead events that recur are taken."`
}

// importBehind is how many days of the past an import keeps: the shift that is
// under way, and a week's worth for whoever looks back.
const importBehind = 7

func (c rotaImportCmd) Run(ctx context.Context) error {
	defer c.File.Close()
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone %q is not known: use a name such as Europe/Berlin", c.Zone)
	}
	var agents []ical.Who
	asked := c.remote
	asked.JSON = false
	if err := asked.call(ctx, "GET", "/v1/agents", nil, &agents); err != nil {
		return err
	}
	now := time.Now()
	plan, err := ical.Read(c.File, agents, zone, now.AddDate(0, 0, -importBehind), now.AddDate(0, 0, c.Days))
	if err != nil {
		return errors.Join(err, errors.New("nothing was imported"))
	}
	for _, event := range plan.Cut {
		fmt.Fprintf(os.Stderr, "%s goes on after %s: import it again before\n", visible(event), now.AddDate(0, 0, c.Days).Format("2 Jan 2006"))
	}
	r := roster.Rotation{Group: c.Group, Name: c.Name, Shifts: plan.Shifts}
	if c.Zone != "Local" {
		r.Zone = c.Zone
	}
	return c.set(ctx, r)
}

type rotaHistoryCmd struct {
	remote `embed:""`
}

func (c rotaHistoryCmd) Run(ctx context.Context) error {
	var list []roster.Change
	if err := c.call(ctx, "GET", "/v1/rotations/history", nil, &list); err != nil || c.JSON {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "AT\tBY\tGROUP\tROTATION\tBEFORE\tAFTER")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.At.Local().Format(shiftTime), cmp.Or(c.By, "people file"), visible(c.Group), visible(c.Name), turns(c.Before), turns(c.After))
	}
	return w.Flush()
}

// turns is a rotation in a few words.
func turns(r *roster.Rotation) string {
	switch {
	case r == nil:
		return "-"
	case len(r.Shifts) > 0:
		return fmt.Sprintf("%d shifts until %s", len(r.Shifts), r.Shifts[len(r.Shifts)-1].Until.Local().Format(shiftTime))
	}
	return fmt.Sprintf("%s from %s: %s", r.Every, r.Start.Local().Format(shiftTime), strings.Join(r.People, " "))
}

func printRotations(list ...roster.Rotation) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "GROUP\tROTATION\tZONE\tTURNS")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", visible(r.Group), visible(r.Name), cmp.Or(r.Zone, "UTC"), turns(&r))
	}
	return w.Flush()
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
