package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

const (
	keyHeader = "Idempotency-Key"
	maxKey    = 200
)

// takesKey tells whether a route's Idempotency-Key is kept here. Tickets and their
// verbs keep theirs with what they do, so that not even a crash does it twice; a file is
// known by what is in it.
func takesKey(method, path string) bool {
	own := path == "/v1/tickets" || strings.HasSuffix(path, "/attachments") || slices.ContainsFunc(verbs, func(v verb) bool {
		return strings.HasSuffix(path, "}/"+v.Name) || strings.HasSuffix(path, ":n/"+v.Name)
	})
	return method != http.MethodGet && method != http.MethodHead && isAPI(path) && !own
}

// keptAnswer is an answer as it is stored.
type keptAnswer struct {
	Type     string `json:"type"`
	Location string `json:"location,omitempty"`
	Body     []byte `json:"body"`
}

// idempotent does a request that carries a key once: whoever sends it again gets the
// first answer, but for a secret, which is told once and kept nowhere.
func (s *server) idempotent(c *gin.Context) {
	ctx, key := c.Request.Context(), c.GetHeader(keyHeader)
	if key == "" || c.FullPath() == "" || !takesKey(c.Request.Method, c.FullPath()) || c.IsAborted() {
		return
	}
	if len(key) > maxKey {
		fail(c, invalid(FieldError{"header." + keyHeader, "longer than 200 characters"}))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxRequest))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		fail(c, newProblem(http.StatusRequestEntityTooLarge, "The request is too large."))
		return
	} else if err != nil {
		fail(c, newProblem(http.StatusBadRequest, "The request ended early."))
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	scope := caller(ctx).Person.ID
	status, stored, done, err := s.desk.ClaimRequest(ctx, scope, key, digest(c.Request.Method, c.Request.URL.RequestURI(), string(body)))
	var answer keptAnswer
	if err == nil && done {
		err = json.Unmarshal(stored, &answer)
	}
	if err != nil {
		fail(c, s.problem(ctx, err))
		return
	}
	if done {
		if answer.Location != "" {
			c.Header("Location", answer.Location)
		}
		c.Data(status, answer.Type, answer.Body)
		c.Abort()
		return
	}
	w := &recorder{ResponseWriter: c.Writer}
	c.Writer = w
	c.Next()
	s.keepAnswer(context.WithoutCancel(ctx), scope, key, w)
}

// keepAnswer stores a final answer. What was refused frees the key, because it changed
// nothing; of what failed nobody knows.
func (s *server) keepAnswer(ctx context.Context, scope, key string, w *recorder) {
	var err error
	switch status := w.Status(); {
	case status < http.StatusMultipleChoices:
		answer := keptAnswer{w.Header().Get("Content-Type"), w.Header().Get("Location"), withoutSecret(w.body.Bytes())}
		err = s.desk.FinishRequest(ctx, scope, key, status, []byte(content(answer)))
	case status < http.StatusInternalServerError:
		err = s.desk.DropRequest(ctx, scope, key)
	}
	if err != nil {
		s.log.WarnContext(ctx, "answer not stored", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
	}
}

// withoutSecret is an answer without its field secret.
func withoutSecret(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields["secret"] == nil {
		return body
	}
	delete(fields, "secret")
	return []byte(content(fields))
}

// recorder remembers what is answered.
type recorder struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}
