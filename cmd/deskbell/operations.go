package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"deskbell/config"
)

// operations serves /healthz, /readyz and /metrics of a process without the API.
func (s *system) operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"status": "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, word, checks := http.StatusOK, "ok", map[string]string{}
		for name, err := range s.ready(r.Context()) {
			checks[name] = "ok"
			if err != nil {
				s.log.WarnContext(r.Context(), "not ready", slog.String("part", name), slog.Any("error", err))
				status, word, checks[name] = http.StatusServiceUnavailable, "not ready", "failed"
			}
		}
		answer(w, status, map[string]any{"status": word, "checks": checks})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

// ready is what this process stands on; a process that stands by is ready.
func (s *system) ready(ctx context.Context) map[string]error {
	parts := s.desk.Ready(ctx)
	tenures, err := s.store.Tenures(ctx)
	if err != nil {
		return parts
	}
	for _, role := range []string{config.SMS, config.IM} {
		if !slices.Contains(s.roles, role) {
			continue
		}
		parts[role] = nil
		for _, t := range tenures {
			if t.Name == role && t.Holder == s.holder && t.UpSince.IsZero() {
				parts[role] = fmt.Errorf("this process holds %s and its link does not stand", role)
			}
		}
	}
	return parts
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type healthyCmd struct{}

// healthyTimeout is shorter than a container's health check waits.
const healthyTimeout = 3 * time.Second

// Run asks the deskbell of this machine, for a container that has no other program.
func (healthyCmd) Run(ctx context.Context) error {
	addr := os.Getenv("DESKBELL_HTTP_ADDR")
	if addr == "" {
		addr = ":8080"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("DESKBELL_HTTP_ADDR: %w", err)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, healthyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s", response.Status)
	}
	return nil
}
