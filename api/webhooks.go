package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// Webhook is a webhook as administrators see it.
type Webhook struct {
	ID        int64         `json:"id"`
	URL       string        `json:"url"`
	Events    []ticket.Kind `json:"events" doc:"As a ticket's timeline names them."`
	CreatedBy string        `json:"created_by"`
	CreatedAt time.Time     `json:"created_at"`
	EndedAt   *time.Time    `json:"ended_at"`
}

func shapeWebhook(w desk.Webhook) Webhook {
	return Webhook{w.ID, w.URL, append([]ticket.Kind{}, w.Events...), w.CreatedBy, w.CreatedAt, moment(w.EndedAt)}
}

type webhooksOutput struct {
	Body []Webhook `nullable:"false"`
}

type createWebhookInput struct {
	Body struct {
		URL    string        `json:"url" minLength:"1" maxLength:"2000" doc:"Where events are posted to." example:"https://example.org/deskbell"`
		Events []ticket.Kind `json:"events,omitempty" maxItems:"50" doc:"Which events, as a ticket's timeline names them; all when absent." example:"[\"opened\",\"taken\"]"`
	}
}

type createWebhookOutput struct {
	Location string `header:"Location"`
	Body     struct {
		Webhook
		Secret string `json:"secret,omitempty" doc:"What signs the events (standardwebhooks.com), told this once."`
	}
}

type webhookInput struct {
	ID int64 `path:"id" minimum:"1" doc:"The webhook's id." example:"3"`
}

type webhookOutput struct{ Body Webhook }

type webhookLogInput struct {
	ID     int64  `path:"id" minimum:"1" doc:"The webhook's id." example:"3"`
	Cursor string `query:"cursor" maxLength:"20" doc:"next of the page before."`
}

type webhookLogOutput struct {
	Body struct {
		Deliveries []desk.WebhookTry `json:"deliveries" doc:"The newest first."`
		Next       *string           `json:"next" doc:"The cursor of the next page; null on the last."`
	}
}

func (s *server) webhookRoutes() {
	route(s, op("webhooks", http.MethodGet, "/v1/webhooks", "Who is told by HTTP what happens to tickets; ended ones too", http.StatusOK, 503), s.webhooks)
	route(s, op("create-webhook", http.MethodPost, "/v1/webhooks", "Have somebody told by HTTP", http.StatusCreated, 413, 415, 503), s.createWebhook)
	route(s, op("end-webhook", http.MethodDelete, "/v1/webhooks/{id}", "Have them told no more", http.StatusOK, 404, 503), s.endWebhook)
	route(s, op("webhook-log", http.MethodGet, "/v1/webhooks/{id}/deliveries", "What they were told, and what became of it", http.StatusOK, 503), s.webhookLog)
}

func (s *server) webhooks(ctx context.Context, _ *empty) (*webhooksOutput, error) {
	list, err := s.desk.Webhooks(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &webhooksOutput{Body: []Webhook{}}
	for _, w := range list {
		out.Body = append(out.Body, shapeWebhook(w))
	}
	return out, nil
}

func (s *server) createWebhook(ctx context.Context, in *createWebhookInput) (*createWebhookOutput, error) {
	w, secret, err := s.desk.CreateWebhook(ctx, caller(ctx), in.Body.URL, in.Body.Events)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &createWebhookOutput{Location: fmt.Sprintf("/v1/webhooks/%d", w.ID)}
	out.Body.Webhook, out.Body.Secret = shapeWebhook(w), secret
	return out, nil
}

func (s *server) endWebhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	w, err := s.desk.EndWebhook(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noWebhook())
	}
	return &webhookOutput{shapeWebhook(w)}, nil
}

func (s *server) webhookLog(ctx context.Context, in *webhookLogInput) (*webhookLogOutput, error) {
	below, wrong := place(in.Cursor)
	if wrong != nil {
		return nil, wrong
	}
	list, more, err := s.desk.WebhookLog(ctx, in.ID, below)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &webhookLogOutput{}
	out.Body.Deliveries = append([]desk.WebhookTry{}, list...)
	if more {
		out.Body.Next = new(strconv.FormatInt(list[len(list)-1].ID, 10))
	}
	return out, nil
}

// place is the id that a cursor names, 0 for none.
func place(cursor string) (int64, *Problem) {
	if cursor == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || id < 1 {
		return 0, invalid(FieldError{"cursor", "want the one that the page before named"})
	}
	return id, nil
}

func noWebhook() *Problem {
	return named("no_such_webhook", http.StatusNotFound, "No such webhook", "There is no such webhook, or it was ended already.")
}
