package api

import (
	"context"
	"errors"
	"net/http"

	"deskbell/desk"
	"deskbell/roster"
)

type overridesOutput struct {
	Body []roster.RecordedOverride `nullable:"false"`
}

type overrideOutput struct{ Body roster.RecordedOverride }

type addOverrideInput struct{ Body roster.Override }

type overrideInput struct {
	ID int64 `path:"id" minimum:"1" doc:"The override's id." example:"3"`
}

func (s *server) rotaRoutes() {
	route(s, op("overrides", http.MethodGet, "/v1/rota/overrides", "Who stands in for whom, and who said so; removed ones too, the last added first", http.StatusOK, 503), s.overrides)
	route(s, op("add-override", http.MethodPost, "/v1/rota/overrides", "Have one person stand in for another; managers and tokens with the scope admin", http.StatusCreated, 403, 413, 415, 503), s.addOverride)
	route(s, op("remove-override", http.MethodDelete, "/v1/rota/overrides/{id}", "End an override; managers and tokens with the scope admin", http.StatusOK, 403, 404, 503), s.removeOverride)
}

func (s *server) overrides(ctx context.Context, _ *empty) (*overridesOutput, error) {
	list, err := s.desk.Overrides(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &overridesOutput{append([]roster.RecordedOverride{}, list...)}, nil
}

func (s *server) addOverride(ctx context.Context, in *addOverrideInput) (*overrideOutput, error) {
	if !editsRota(caller(ctx)) {
		return nil, onlyManagers()
	}
	r, err := s.desk.AddOverride(ctx, in.Body, caller(ctx).Person.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &overrideOutput{r}, nil
}

func (s *server) removeOverride(ctx context.Context, in *overrideInput) (*overrideOutput, error) {
	if !editsRota(caller(ctx)) {
		return nil, onlyManagers()
	}
	r, err := s.desk.RemoveOverride(ctx, in.ID, caller(ctx).Person.ID)
	if errors.Is(err, desk.ErrNotFound) {
		return nil, named("no_such_override", http.StatusNotFound, "No such override", "There is no such override, or it was removed already.")
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &overrideOutput{r}, nil
}

func editsRota(c desk.Caller) bool { return c.Person.Is(roster.Manager) || mayActForOthers(c) }

func onlyManagers() *Problem {
	return named("manager_only", http.StatusForbidden, "Only a manager may do this", "Only a manager may change the rota.")
}
