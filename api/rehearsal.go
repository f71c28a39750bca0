package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

type rehearseInput struct {
	Priority ticket.Priority `query:"priority" enum:"P1,P2,P3,P4" default:"P1" doc:"The ticket's priority."`
	Group    string          `query:"group" doc:"The ticket's group." example:"it"`
	At       time.Time       `query:"at" doc:"When it is submitted; now when it is missing." example:"2026-03-01T03:00:00Z"`
}

type rehearseOutput struct{ Body desk.RehearsalView }

func (s *server) rehearsalRoutes() {
	route(s, op("rehearse", http.MethodGet, "/v1/rehearsal", "Who would be asked and called if nobody took a ticket, by the rota of that time and the people of now", http.StatusOK, 503), s.rehearse)
}

func (s *server) rehearse(ctx context.Context, in *rehearseInput) (*rehearseOutput, error) {
	view, err := s.desk.Rehearse(ctx, in.Priority, in.Group, cmp.Or(in.At, s.clock.Now()))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &rehearseOutput{view}, nil
}
