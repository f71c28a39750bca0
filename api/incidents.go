package api

import (
	"context"
	"net/http"
	"time"

	"deskbell/desk"
)

// Incident is a ticket that is announced to everybody.
type Incident struct {
	Ticket   int       `json:"ticket" doc:"The ticket's number."`
	Text     string    `json:"text" doc:"What everybody reads."`
	Since    time.Time `json:"since" doc:"When it was announced."`
	Affected int       `json:"affected" doc:"How many people are affected, with whoever asked first."`
	Joined   bool      `json:"joined" doc:"The caller is among them."`
}

func (s *server) incidentRoutes() {
	route(s, op("incidents", http.MethodGet, "/v1/incidents", "The incidents that are known now, the latest first", http.StatusOK, 503), s.incidents)
	route(s, op("join-incident", http.MethodPost, "/v1/incidents/{n}/affected", "It affects the caller too, who is told once when it is solved; saying so twice counts once", http.StatusOK, 404, 503), s.joinIncident)
	route(s, op("announce", http.MethodPut, "/v1/tickets/{n}/incident", "Announce an open ticket to everybody as a known incident, or say something else of one that is", http.StatusOK, 404, 409, 413, 415, 503), s.announce)
	route(s, op("withdraw-incident", http.MethodDelete, "/v1/tickets/{n}/incident", "Announce it no more; who is affected hears all the same when it is solved", http.StatusNoContent, 404, 503), s.withdrawIncident)
}

type incidentsOutput struct {
	Body []Incident `nullable:"false"`
}

type announceInput struct {
	Number int `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
	Body   struct {
		Text string `json:"text" minLength:"1" maxLength:"200" doc:"What everybody reads: a sentence." example:"Mail does not arrive in Berlin; we are on it."`
	}
}

type incidentOutput struct{ Body Incident }

func shapeIncident(i desk.Incident, reader string) Incident {
	return Incident{Ticket: i.Ticket, Text: i.Words, Since: i.Since.UTC(), Affected: i.Count(), Joined: i.Affects(reader)}
}

func (s *server) incidents(ctx context.Context, _ *empty) (*incidentsOutput, error) {
	list, err := s.desk.Incidents(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &incidentsOutput{Body: []Incident{}}
	for _, i := range list {
		out.Body = append(out.Body, shapeIncident(i, caller(ctx).Person.ID))
	}
	return out, nil
}

func (s *server) joinIncident(ctx context.Context, in *numberInput) (*incidentOutput, error) {
	who := caller(ctx)
	i, err := s.desk.JoinIncident(ctx, who, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err, noIncident())
	}
	return &incidentOutput{shapeIncident(i, who.Person.ID)}, nil
}

func (s *server) announce(ctx context.Context, in *announceInput) (*incidentOutput, error) {
	who := caller(ctx)
	i, err := s.desk.Announce(ctx, who, in.Number, in.Body.Text)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &incidentOutput{shapeIncident(i, who.Person.ID)}, nil
}

func (s *server) withdrawIncident(ctx context.Context, in *numberInput) (*empty, error) {
	if err := s.desk.WithdrawIncident(ctx, caller(ctx), in.Number); err != nil {
		return nil, s.problem(ctx, err, noIncident())
	}
	return nil, nil
}

func noIncident() *Problem {
	return named("no_such_incident", http.StatusNotFound, "No such incident", "This ticket is not announced as a known incident.")
}
