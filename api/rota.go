package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

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

type rotationsOutput struct {
	Body []roster.Rotation `nullable:"false"`
}

type rotationInput struct{ Body roster.Rotation }

type rotationOutput struct{ Body roster.Rotation }

type removeRotationInput struct {
	Group string `query:"group" doc:"The rotation's group; empty for one that serves every group." example:"it"`
	Name  string `query:"name" required:"true" doc:"The rotation's name." example:"primary"`
}

type rotaHistoryOutput struct {
	Body []roster.Change `nullable:"false"`
}

type feedInput struct {
	Person string `path:"person" doc:"A person's id." example:"dana"`
}

type feedOutput struct {
	Body struct {
		URL string `json:"url" doc:"Where a calendar finds the person's shifts. Whoever knows it can read them."`
	}
}

func (s *server) rotaRoutes(engine *gin.Engine) {
	route(s, op("rotations", http.MethodGet, "/v1/rotations", "The rotations, in the order in which their people are called", http.StatusOK, 503), s.rotations)
	route(s, op("set-rotation", http.MethodPut, "/v1/rotations", "Keep a rotation, in place of the one with this group and name if there is one; managers", http.StatusOK, 403, 413, 415, 503), s.setRotation)
	route(s, op("remove-rotation", http.MethodDelete, "/v1/rotations", "End a rotation; managers", http.StatusNoContent, 403, 404, 503), s.removeRotation)
	route(s, op("rota-history", http.MethodGet, "/v1/rotations/history", "Who changed which rotation, the last change first", http.StatusOK, 503), s.rotaHistory)
	route(s, op("feed", http.MethodPut, "/v1/rota/feeds/{person}", "The address of a person's shifts for a calendar, made when there is none; that person and managers", http.StatusOK, 403, 404, 503), s.feed)
	route(s, op("remove-feed", http.MethodDelete, "/v1/rota/feeds/{person}", "End that address; a new one is another; that person and managers", http.StatusNoContent, 403, 404, 503), s.removeFeed)
	engine.GET(feedPath, s.feedCalendar)
	o := plain(s.api.OpenAPI(), "feed-calendar", "/feeds/{token}", "A person's shifts as iCalendar; the address is the secret", "text/calendar")
	o.Parameters = []*huma.Param{{Name: "token", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "The feed's secret, with .ics behind it."}}
	o.Responses["304"] = &huma.Response{Description: "Not Modified"}
	o.Responses["404"] = &huma.Response{Description: "Not Found", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}}}
	route(s, op("overrides", http.MethodGet, "/v1/rota/overrides", "Who stands in for whom, and who said so; removed ones too, the last added first", http.StatusOK, 503), s.overrides)
	route(s, op("add-override", http.MethodPost, "/v1/rota/overrides", "Have one person stand in for another; managers", http.StatusCreated, 403, 413, 415, 503), s.addOverride)
	route(s, op("remove-override", http.MethodDelete, "/v1/rota/overrides/{id}", "End an override; managers", http.StatusOK, 403, 404, 503), s.removeOverride)
}

func (s *server) overrides(ctx context.Context, _ *empty) (*overridesOutput, error) {
	list, err := s.desk.Overrides(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &overridesOutput{append([]roster.RecordedOverride{}, list...)}, nil
}

func (s *server) addOverride(ctx context.Context, in *addOverrideInput) (*overrideOutput, error) {
	r, err := s.desk.AddOverride(ctx, in.Body, caller(ctx).Person.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &overrideOutput{r}, nil
}

func (s *server) removeOverride(ctx context.Context, in *overrideInput) (*overrideOutput, error) {
	r, err := s.desk.RemoveOverride(ctx, in.ID, caller(ctx).Person.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noOverride())
	}
	return &overrideOutput{r}, nil
}

func (s *server) rotations(ctx context.Context, _ *empty) (*rotationsOutput, error) {
	list, err := s.desk.Rotations(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &rotationsOutput{append([]roster.Rotation{}, list...)}, nil
}

func (s *server) setRotation(ctx context.Context, in *rotationInput) (*rotationOutput, error) {
	if err := s.desk.SetRotation(ctx, in.Body, caller(ctx).Person.ID); err != nil {
		return nil, s.problem(ctx, err)
	}
	return &rotationOutput{in.Body}, nil
}

func (s *server) removeRotation(ctx context.Context, in *removeRotationInput) (*empty, error) {
	err := s.desk.RemoveRotation(ctx, in.Group, in.Name, caller(ctx).Person.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noRotation())
	}
	return nil, nil
}

func (s *server) rotaHistory(ctx context.Context, _ *empty) (*rotaHistoryOutput, error) {
	list, err := s.desk.RotaHistory(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &rotaHistoryOutput{append([]roster.Change{}, list...)}, nil
}

func (s *server) feed(ctx context.Context, in *feedInput) (*feedOutput, error) {
	if !caller(ctx).May(desk.AsManager) && caller(ctx).Person.ID != in.Person {
		return nil, foreignFeed()
	}
	url, err := s.desk.Feed(ctx, in.Person)
	if err != nil {
		return nil, s.problem(ctx, err, noFeed())
	}
	out := &feedOutput{}
	out.Body.URL = url
	return out, nil
}

func (s *server) removeFeed(ctx context.Context, in *feedInput) (*empty, error) {
	if !caller(ctx).May(desk.AsManager) && caller(ctx).Person.ID != in.Person {
		return nil, foreignFeed()
	}
	err := s.desk.RemoveFeed(ctx, in.Person)
	if err != nil {
		return nil, s.problem(ctx, err, noFeed())
	}
	return nil, nil
}

func foreignFeed() *Problem {
	return named("not_your_feed", http.StatusForbidden, "Not your feed", "Only the person and a manager may see or end a feed.")
}

func noFeed() *Problem {
	return named("no_such_feed", http.StatusNotFound, "No such feed", "There is nobody with this id, or no feed of theirs.")
}

// feedPath needs no API token: a calendar program sends none, the address is one.
const feedPath = "/feeds/:token"

// feedCalendar answers a calendar program. A token that never was and one that was
// revoked look alike, and like any address at which there is nothing.
func (s *server) feedCalendar(c *gin.Context) {
	token, named := strings.CutSuffix(c.Param("token"), ".ics")
	calendar, version, err := "", "", error(desk.ErrNotFound)
	if named {
		calendar, version, err = s.desk.FeedCalendar(c.Request.Context(), token)
	}
	if errors.Is(err, desk.ErrNotFound) {
		fail(c, newProblem(http.StatusNotFound, nothingHere))
		return
	}
	if err != nil {
		fail(c, s.problem(c.Request.Context(), err))
		return
	}
	tag := `W/"` + version + `"`
	c.Header("ETag", tag)
	c.Header("Cache-Control", "private, no-cache")
	if slices.Contains(strings.FieldsFunc(c.GetHeader("If-None-Match"), func(r rune) bool { return r == ',' || r == ' ' }), tag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, "text/calendar; charset=utf-8", []byte(calendar))
}

func noOverride() *Problem {
	return named("no_such_override", http.StatusNotFound, "No such override", "There is no such override, or it was removed already.")
}

func noRotation() *Problem {
	return named("no_such_rotation", http.StatusNotFound, "No such rotation", "There is no rotation of this name in this group.")
}
