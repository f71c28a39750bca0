package api

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"deskbell/desk"
	"deskbell/signin"
)

type contextKey int

const (
	requestIDKey contextKey = iota
)

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

func caller(ctx context.Context) desk.Caller { return signin.Caller(ctx) }

func keep(c *gin.Context, key contextKey, value any) {
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key, value))
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identify gives the request the id that its problem and its log lines carry: the
// proxy's when it sent a plain one.
func (s *server) identify(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if !plainID.MatchString(id) {
		id = uuid.NewString()
	}
	c.Header("X-Request-Id", id)
	keep(c, requestIDKey, id)
}

// observe counts and times requests by their route, never by their address, and
// logs them at debug without a person's data.
func observe(log *slog.Logger, metrics *prometheus.Registry) gin.HandlerFunc {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "deskbell_http_requests_total", Help: "HTTP requests answered.",
	}, []string{"method", "route", "status"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "deskbell_http_request_seconds", Help: "Time to answer an HTTP request; event streams are not in it.",
		Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route"})
	metrics.MustRegister(requests, duration)
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		took := time.Since(start)
		route, method := routeOf(c), knownMethod(c.Request.Method)
		requests.WithLabelValues(method, route, strconv.Itoa(c.Writer.Status())).Inc()
		if !strings.HasPrefix(c.Writer.Header().Get("Content-Type"), "text/event-stream") {
			duration.WithLabelValues(method, route).Observe(took.Seconds())
		}
		log.DebugContext(c.Request.Context(), "request", slog.String("request_id", requestID(c.Request.Context())),
			slog.String("method", method), slog.String("route", route), slog.Int("status", c.Writer.Status()), slog.Duration("took", took))
	}
}

// routeOf is the pattern that matched: gin's, or that of the pages' own mux.
func routeOf(c *gin.Context) string {
	if route := c.FullPath(); route != "" {
		return route
	}
	if _, route, ok := strings.Cut(c.Request.Pattern, "/"); ok {
		return "/" + route
	}
	return "none"
}

// knownMethod keeps invented methods out of the label values.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

func (s *server) recovered(c *gin.Context, cause any) {
	s.log.ErrorContext(c.Request.Context(), "request panicked", slog.String("request_id", requestID(c.Request.Context())),
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	if c.Writer.Written() {
		c.Abort()
		return
	}
	fail(c, internal())
}

// secure sets what every answer carries. The pages set their own policy over it.
func secure(url string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("X-Content-Type-Options", "nosniff")
		c.Header("Referrer-Policy", "no-referrer")
		c.Header("X-Frame-Options", "DENY")
		c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		c.Header("Cross-Origin-Opener-Policy", "same-origin")
		c.Header("Cross-Origin-Resource-Policy", "same-origin")
		c.Header("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if strings.HasPrefix(url, "https://") {
			c.Header("Strict-Transport-Security", "max-age=31536000") // a year, as browsers' preload lists ask for
		}
		if isAPI(c.Request.URL.Path) {
			c.Header("Cache-Control", "no-store")
		}
	}
}

func isAPI(path string) bool { return path == "/v1" || strings.HasPrefix(path, "/v1/") }

// How often one person may call the API: more than a program of one person needs,
// and less than hurts the others. A token that acts for others is a gateway and has
// no limit.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 200
)

// anonymous are the paths at which it does not matter who asks, so that nobody is
// looked up.
func anonymous(path string) bool {
	return strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/feeds/") || path == "/healthz" || path == "/readyz" || path == "/metrics" || path == "/openapi.yaml"
}

// admit finds out who asks. It lets nobody into the API who is not known, not even to
// learn which addresses exist; the pages decide for themselves.
func (s *server) admit(c *gin.Context) {
	path := c.Request.URL.Path
	if anonymous(path) {
		return
	}
	r, err := s.door.Admit(c.Writer, c.Request)
	if err != nil {
		fail(c, s.problem(c.Request.Context(), err))
		return
	}
	c.Request = r
	who := caller(r.Context())
	switch {
	case !isAPI(path):
	case !who.May(desk.AsRequester):
		fail(c, unauthorized("Send Authorization: Bearer TOKEN, or sign in at /sign-in."))
	case who.ForOthers():
	default:
		if wait := s.rate.Wait(who.Person.ID); wait > 0 {
			fail(c, retry(named("too_many_requests", http.StatusTooManyRequests, "Too many requests", "Nothing was done. Wait, then go on more slowly."), signin.Seconds(wait)))
		}
	}
}
