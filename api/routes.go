package api

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"deskbell/desk"
)

// access is who may use a route at all, by its operation's id: the one place that
// says so, checked before the route's handler. What of others somebody may see or do
// there is the handler's and the ticket's to say.
var access = map[string]desk.Access{
	"healthz": desk.Anybody, "readyz": desk.Anybody,
	"submit": desk.AsRequester, "list": desk.AsRequester, "show": desk.AsRequester, "timeline": desk.AsRequester,
	"why":      desk.AsAgent,
	"rehearse": desk.AsAgent,
	"agents":   desk.AsRequester, "oncall": desk.AsRequester,
	"rotations": desk.AsRequester, "set-rotation": desk.AsManager, "remove-rotation": desk.AsManager, "rota-history": desk.AsRequester,
	"feed": desk.AsRequester, "remove-feed": desk.AsRequester,
	"tokens": desk.AsRequester, "create-token": desk.AsRequester, "revoke-token": desk.AsRequester,
	"audit":  desk.AsAdmin,
	"attach": desk.AsRequester, "attachments": desk.AsRequester, "download": desk.AsRequester, "detach": desk.AsManager,
	"incidents": desk.AsRequester, "join-incident": desk.AsRequester, "announce": desk.AsAgent, "withdraw-incident": desk.AsAgent,
	"people": desk.AsManager, "add-person": desk.AsManager, "person": desk.AsRequester, "edit-person": desk.AsRequester,
	"record": desk.AsRequester, "erase": desk.AsAdmin,
	"webhooks": desk.AsAdmin, "create-webhook": desk.AsAdmin, "end-webhook": desk.AsAdmin, "webhook-log": desk.AsAdmin,
	"overrides": desk.AsRequester, "add-override": desk.AsManager, "remove-override": desk.AsManager,
}

// accessOf is access, and for verbs a requester's: which of them are refused to whom
// is for the ticket's own rules.
func accessOf(id string) desk.Access {
	if a, ok := access[id]; ok {
		return a
	}
	if slices.ContainsFunc(verbs, func(v verb) bool { return v.Name == id }) {
		return desk.AsRequester
	}
	panic("say in access who may use " + id)
}

// op describes one route. Every route of the API can answer 401, 422, 429 and 500 too,
// and 400 if it takes a body.
func op(id, method, path, summary string, status int, errors ...int) huma.Operation {
	o := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Errors: append(errors, http.StatusUnprocessableEntity), MaxBodyBytes: maxRequest}
	if isAPI(path) {
		o.Errors = append(o.Errors, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError)
		if method != http.MethodGet {
			o.Errors = append(o.Errors, http.StatusBadRequest)
		}
		o.Security = []map[string][]string{{"token": {}}}
	}
	if takesKey(method, path) {
		o.Parameters = append(o.Parameters, &huma.Param{Name: keyHeader, In: "header", Schema: &huma.Schema{Type: "string", MaxLength: new(maxKey)},
			Description: "The same key with the same content is the same request, however often it is sent; its answer is kept."})
		o.Errors = append(o.Errors, http.StatusConflict)
	}
	if a := accessOf(id); a > desk.Anybody {
		o.Extensions = map[string]any{"x-access": a.String()}
		if a > desk.AsRequester {
			o.Errors = append(o.Errors, http.StatusForbidden)
		}
		o.Middlewares = huma.Middlewares{require(a)}
	}
	return o
}

// require stops whoever may not use a route.
func require(a desk.Access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if caller(ctx.Context()).May(a) {
			next(ctx)
			return
		}
		fail(humagin.Unwrap(ctx), named("not_allowed", http.StatusForbidden, forbiddenTitles[a], "Your role, or the scope of your token, does not allow this."))
	}
}

var forbiddenTitles = map[desk.Access]string{
	desk.AsAgent: "Only people who work on tickets may do this", desk.AsManager: "Only a manager may do this", desk.AsAdmin: "Only an administrator may do this",
}

// route registers a handler and puts our Problem in place of huma's in the
// description of its errors.
func route[I, O any](s *server, o huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, o, h)
	schemas := s.api.OpenAPI().Components.Schemas
	problem := schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	made := operation(s.api.OpenAPI(), o.Method, o.Path)
	if made.RequestBody != nil && made.RequestBody.Content["application/json"] != nil {
		delete(made.RequestBody.Content, "application/octet-stream") // a RawBody beside it is not another way
	}
	for _, r := range made.Responses {
		if m := r.Content["application/problem+json"]; m != nil {
			m.Schema = problem
		}
	}
}

func operation(doc *huma.OpenAPI, method, path string) *huma.Operation {
	switch item := doc.Paths[path]; method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	default:
		return item.Get
	}
}

// schemaName names a schema after its type; the views of the desk lose the word.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View")
}

type empty struct{}

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

type readyOutput struct {
	Status int
	Body   struct {
		Status string            `json:"status" enum:"ok,not ready"`
		Checks map[string]string `json:"checks" doc:"ok, or failed; the log says why."`
	}
}

// operationRoutes are for machines that look after this one. They need no token.
func (s *server) operationRoutes(engine *gin.Engine, metrics *prometheus.Registry) {
	route(s, op("healthz", http.MethodGet, "/healthz", "The process answers", http.StatusOK), func(context.Context, *empty) (*healthOutput, error) {
		out := &healthOutput{}
		out.Body.Status = "ok"
		return out, nil
	})
	route(s, op("readyz", http.MethodGet, "/readyz", "What it stands on answers too", http.StatusOK), s.ready)
	answers := operation(s.api.OpenAPI(), http.MethodGet, "/readyz").Responses
	answers["503"] = &huma.Response{Description: "Something does not answer", Content: answers["200"].Content}
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})))

	doc := s.api.OpenAPI()
	plain(doc, "metrics", "/metrics", "Counters for Prometheus", "text/plain")
	plain(doc, "openapi", "/openapi.yaml", "This document", "application/yaml")
	written := sync.OnceValues(doc.YAML) // for whoever asks first: it takes as long as all the rest of a start
	engine.GET("/openapi.yaml", func(c *gin.Context) {
		yaml, err := written()
		if err != nil {
			panic(err) // the document is made of our own types
		}
		c.Data(http.StatusOK, "application/yaml; charset=utf-8", yaml)
	})
}

// plain describes a route that huma does not serve.
func plain(doc *huma.OpenAPI, id, path, summary, contentType string) *huma.Operation {
	o := &huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: "string"}}}}}}
	doc.AddOperation(o)
	return o
}

func (s *server) ready(ctx context.Context, _ *empty) (*readyOutput, error) {
	out := &readyOutput{Status: http.StatusOK}
	out.Body.Status, out.Body.Checks = "ok", map[string]string{}
	for name, err := range s.desk.Ready(ctx) {
		out.Body.Checks[name] = "ok"
		if err != nil {
			s.log.WarnContext(ctx, "not ready", slog.String("part", name), slog.Any("error", err))
			out.Status, out.Body.Status, out.Body.Checks[name] = http.StatusServiceUnavailable, "not ready", "failed"
		}
	}
	return out, nil
}
