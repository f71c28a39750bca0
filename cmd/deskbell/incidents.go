package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"deskbell/api"
)

type incidentsCmd struct {
	List     incidentsListCmd    `cmd:"" default:"withargs" help:"Show the known incidents, the latest first."`
	Announce incidentAnnounceCmd `cmd:"" help:"Announce an open ticket to everybody as a known incident, or in other words."`
	Join     incidentJoinCmd     `cmd:"" help:"Say that it affects you too: you are told when it is solved."`
	Withdraw incidentWithdrawCmd `cmd:"" help:"Announce it no more; who is affected hears all the same when the ticket is solved."`
}

type incidentsListCmd struct {
	remote `embed:""`
}

func (c incidentsListCmd) Run(ctx context.Context) error {
	var list []api.Incident
	if err := c.call(ctx, "GET", "/v1/incidents", nil, &list); err != nil || c.JSON {
		return err
	}
	return printIncidents(list...)
}

type incidentAnnounceCmd struct {
	remote `embed:""`
	Number int      `arg:"" help:"The ticket's number."`
	Text   []string `arg:"" help:"What everybody reads: a sentence of at most 200 characters."`
}

func (c incidentAnnounceCmd) Run(ctx context.Context) error {
	return c.incident(ctx, "PUT", announcementPath(c.Number), map[string]string{"text": strings.Join(c.Text, " ")})
}

type incidentJoinCmd struct {
	remote `embed:""`
	Number int `arg:"" help:"The number of the ticket that is announced."`
}

func (c incidentJoinCmd) Run(ctx context.Context) error {
	return c.incident(ctx, "POST", fmt.Sprintf("/v1/incidents/%d/affected", c.Number), nil)
}

type incidentWithdrawCmd struct {
	remote `embed:""`
	Number int `arg:"" help:"The number of the ticket that is announced."`
}

func (c incidentWithdrawCmd) Run(ctx context.Context) error {
	return c.call(ctx, "DELETE", announcementPath(c.Number), nil, nil)
}

func announcementPath(number int) string { return fmt.Sprintf("/v1/tickets/%d/incident", number) }

// incident changes an incident and shows it.
func (r *remote) incident(ctx context.Context, method, path string, in any) error {
	var i api.Incident
	if err := r.call(ctx, method, path, in, &i); err != nil || r.JSON {
		return err
	}
	return printIncidents(i)
}

func printIncidents(list ...api.Incident) error {
	t := table{{{"TICKET", heading}, {"SINCE", heading}, {"AFFECTED", heading}, {"TEXT", heading}}}
	for _, i := range list {
		affected := strconv.Itoa(i.Affected)
		if i.Joined {
			affected += ", you too"
		}
		t = append(t, []cell{{"#" + strconv.Itoa(i.Ticket), ""}, {age(time.Since(i.Since)), ""}, {affected, ""}, {i.Text, ""}})
	}
	return t.write(os.Stdout, colours(os.Stdout))
}
