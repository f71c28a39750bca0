// Package api is the REST door: routes, the shapes of requests and answers,
// errors as problem+json, tokens, and the OpenAPI document that describes them.
// It knows HTTP and the desk. It knows no workflow engine and no database.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"deskbell/clock"
	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

// Desk is what the API needs of the desk. Its errors are those of package desk
// and *ticket.Refusal; everything else becomes a 500 whose cause is only logged.
type Desk interface {
	// Submit keeps a new ticket; repeat says that Key brought it before.
	Submit(ctx context.Context, s desk.Submission) (t ticket.Ticket, repeat bool, err error)
	// Do carries out a verb and waits for its outcome.
	Do(ctx context.Context, a desk.Act) (ticket.Ticket, error)
	Ticket(ctx context.Context, number int) (ticket.Ticket, error)
	// Tickets returns one page and the next page's cursor, empty on the last.
	Tickets(ctx context.Context, f desk.Filter) (list []ticket.Ticket, next string, err error)
	Timeline(ctx context.Context, number int) ([]desk.Line, error)
	// Why returns a ticket's decisions with the facts they rested on.
	Why(ctx context.Context, number int) (desk.WhyView, error)
	// Rehearse plays through what would happen to a ticket that nobody takes.
	Rehearse(ctx context.Context, p ticket.Priority, group string, at time.Time) (desk.RehearsalView, error)
	Agents(ctx context.Context) ([]desk.AgentView, error)
	OnCall(ctx context.Context) (desk.OnCallView, error)
	Rotations(ctx context.Context) ([]roster.Rotation, error)
	// SetRotation and RemoveRotation note who did it: by, a person's id.
	SetRotation(ctx context.Context, r roster.Rotation, by string) error
	RemoveRotation(ctx context.Context, group, name, by string) error
	RotaHistory(ctx context.Context) ([]roster.Change, error)
	// Feed returns the address of a person's shifts; it is made when there is none.
	Feed(ctx context.Context, person string) (url string, err error)
	RemoveFeed(ctx context.Context, person string) error
	// FeedCalendar returns what a feed shows, and a version that changes with it.
	FeedCalendar(ctx context.Context, token string) (calendar, version string, err error)
	// Overrides are those that were removed too, the last added first.
	Overrides(ctx context.Context) ([]roster.RecordedOverride, error)
	// AddOverride and RemoveOverride note who did it: by, a person's id.
	AddOverride(ctx context.Context, o roster.Override, by string) (roster.RecordedOverride, error)
	RemoveOverride(ctx context.Context, id int64, by string) (roster.RecordedOverride, error)
	// Person returns desk.ErrNotFound for an unknown id.
	Person(ctx context.Context, id string) (roster.Person, error)
	// BeginRequest returns the stored answer to scope's request with this key, or
	// desk.ErrKeyReused when the key came with another hash.
	BeginRequest(ctx context.Context, scope, key, hash string) (status int, body []byte, stored bool, err error)
	FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error
	// ClaimRequest is BeginRequest that gives desk.ErrBusy while the same request is
	// under way; DropRequest frees the key of one that changed nothing.
	ClaimRequest(ctx context.Context, scope, key, hash string) (status int, body []byte, stored bool, err error)
	DropRequest(ctx context.Context, scope, key string) error
	// CreateToken, Tokens and RevokeToken are for by's own tokens; for everybody's when
	// by is an administrator.
	CreateToken(ctx context.Context, by desk.Caller, t desk.Token) (made desk.Token, secret string, err error)
	Tokens(ctx context.Context, by desk.Caller, person string, below int64) (list []desk.Token, more bool, err error)
	RevokeToken(ctx context.Context, by desk.Caller, id int64) (desk.Token, error)
	// Attach, Attachment and Detach return desk.ErrNoFiles without a folder for files.
	Attach(ctx context.Context, by desk.Caller, number int, name string, content []byte) (desk.Attachment, error)
	Attachments(ctx context.Context, number int) ([]desk.Attachment, error)
	Attachment(ctx context.Context, number int, id string) (a desk.Attachment, content []byte, err error)
	Detach(ctx context.Context, by desk.Caller, number int, id string) error
	// Incidents are the tickets that are announced to everybody as known.
	Incidents(ctx context.Context) ([]desk.Incident, error)
	Announce(ctx context.Context, by desk.Caller, number int, words string) (desk.Incident, error)
	// WithdrawIncident and JoinIncident return desk.ErrNotFound for what is not known.
	WithdrawIncident(ctx context.Context, by desk.Caller, number int) error
	JoinIncident(ctx context.Context, by desk.Caller, number int) (desk.Incident, error)
	Directory(ctx context.Context, f desk.DirectoryFilter) (list []desk.Entry, next string, err error)
	Entry(ctx context.Context, id string) (desk.Entry, error)
	// AddPerson and EditPerson may also return desk.ErrNotAllowed; EditPerson changes
	// version alone, and returns desk.ErrChanged for another, unless it is 0.
	AddPerson(ctx context.Context, by desk.Caller, p roster.Person) (desk.Entry, error)
	EditPerson(ctx context.Context, by desk.Caller, id string, version int, e desk.EntryEdit) (desk.Entry, error)
	// Record returns everything that is kept about a person; Erase forgets them, or
	// returns a *desk.InvalidError that says what keeps them here.
	Record(ctx context.Context, person string) (desk.Record, error)
	Erase(ctx context.Context, by desk.Caller, person string) (name string, err error)
	// CreateWebhook returns the secret that signs what the webhook is told.
	CreateWebhook(ctx context.Context, by desk.Caller, url string, events []ticket.Kind) (w desk.Webhook, secret string, err error)
	Webhooks(ctx context.Context) ([]desk.Webhook, error)
	EndWebhook(ctx context.Context, by desk.Caller, id int64) (desk.Webhook, error)
	WebhookLog(ctx context.Context, id, below int64) (list []desk.WebhookTry, more bool, err error)
	Audit(ctx context.Context, f desk.AuditFilter) (list []desk.Audit, next string, err error)
	// Ready returns what Deskbell stands on by name, nil for what is well.
	Ready(ctx context.Context) map[string]error
}

// Config is what New takes beside the desk. Its zero value works.
type Config struct {
	Log     *slog.Logger         // nothing is logged when nil
	Clock   clock.Clock          // the machine's when nil
	Metrics *prometheus.Registry // what /metrics shows; one of its own when nil
	Pages   http.Handler         // serves what is not the API's; nobody when nil
	URL     string               // how people reach it; with https browsers are told to stay there
	Version string               // of the API document
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	return c
}

type server struct {
	desk  Desk
	clock clock.Clock
	log   *slog.Logger
	api   huma.API
	pages http.Handler
	door  *signin.Door
	rate  *signin.Limiter // by person
}

// New returns the handler of the API, with the pages and the door behind it. It is
// safe for concurrent use and starts nothing.
func New(cfg Config, d Desk, door *signin.Door) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(denyCrossOrigin))
	engine, _ := routes(cfg.withDefaults(), d, door)
	return protection.Handler(engine)
}

func routes(cfg Config, d Desk, door *signin.Door) (*gin.Engine, *huma.OpenAPI) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	s := &server{desk: d, clock: cfg.Clock, log: cfg.Log, pages: cfg.Pages, door: door,
		rate: signin.NewLimiter(requestsPerSecond, requestsAtOnce, cfg.Clock)}
	engine.Use(s.identify, observe(cfg.Log, cfg.Metrics), gin.CustomRecoveryWithWriter(nil, s.recovered), secure(cfg.URL), s.admit, s.idempotent)
	engine.NoRoute(s.elsewhere)
	engine.NoMethod(func(c *gin.Context) {
		fail(c, newProblem(http.StatusMethodNotAllowed, "This address does not take "+c.Request.Method+"; see the Allow header."))
	})

	s.api = humagin.New(engine, describe(cfg.Version, s.problems))
	s.ticketRoutes()
	s.verbRoutes()
	s.peopleRoutes()
	s.rehearsalRoutes()
	s.rotaRoutes(engine)
	s.attachmentRoutes()
	s.incidentRoutes()
	s.tokenRoutes()
	s.webhookRoutes()
	s.operationRoutes(engine, cfg.Metrics)
	exact(s.api.OpenAPI())
	return engine, s.api.OpenAPI()
}

// describe is huma without its defaults: no $schema links made from the Host
// header, no documentation page from a CDN, and errors in our own shape.
func describe(version string, problems huma.Transformer) huma.Config {
	const prefix = "#/components/schemas/"
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Servers: []*huma.Server{{URL: "/"}},
			Info: &huma.Info{
				Title:       "Deskbell",
				Version:     version,
				Description: "A helpdesk whose tickets can be taken from a phone, a chat or here. Times are RFC 3339 in UTC; errors are problem+json (RFC 9457).",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry(prefix, schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "An API token; deskbell token makes one, or POST /v1/tokens."}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{problems},
	}
}

// exact says in the document what Go's types do not: that a list is never null, and
// which types a problem has. Requests are checked by it too.
func exact(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	for _, schema := range schemas {
		neverNull(schema)
	}
	kind := schemas["Problem"].Properties["type"]
	kind.Enum = problemTypes()
	kind.PrecomputeMessages()
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			for _, p := range o.Parameters {
				neverNull(p.Schema)
			}
			for _, r := range o.Responses {
				for _, m := range r.Content {
					neverNull(m.Schema)
				}
			}
		}
	}
}

func neverNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	for _, p := range s.Properties {
		neverNull(p)
	}
	neverNull(s.Items)
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		neverNull(more)
	}
}

const nothingHere = "There is nothing at this address."

// elsewhere answers what no route of the API matches.
func (s *server) elsewhere(c *gin.Context) {
	if s.door.Serves(c.Request.URL.Path) {
		c.Status(http.StatusOK) // gin presets 404
		s.door.ServeHTTP(c.Writer, c.Request)
		return
	}
	if s.pages == nil || isAPI(c.Request.URL.Path) {
		fail(c, newProblem(http.StatusNotFound, nothingHere))
		return
	}
	c.Status(http.StatusOK)
	s.pages.ServeHTTP(c.Writer, c.Request)
}
