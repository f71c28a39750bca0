package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"deskbell/desk"
)

const (
	// coalesce is how long changes are collected; a claim on a phone shows within
	// a second, and a storm of changes is ten pictures a second at most.
	coalesce  = 100 * time.Millisecond
	heartbeat = 15 * time.Second // also refreshes the ages
	sendLimit = 10 * time.Second // for a reader that does not read
)

// hub watches the desk once for all who look, and only while somebody does.
type hub struct {
	watch  func(context.Context) <-chan desk.Change
	render func(context.Context) ([]byte, error)

	mu  sync.Mutex
	now *round
}

// round is one stretch of time in which somebody looks. mu of the hub guards
// looking.
type round struct {
	looking map[chan []byte]bool
	stop    context.CancelFunc
	joined  chan struct{} // somebody has come who needs a picture
	ended   chan struct{}
}

// join returns a channel of pictures, of which only the newest is kept for a slow
// reader, and what to call when the reader leaves. The last to leave waits until
// the watch has ended.
func (h *hub) join(ctx context.Context) (pictures <-chan []byte, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		watching, stop := context.WithCancel(context.WithoutCancel(ctx))
		h.now = &round{looking: map[chan []byte]bool{}, stop: stop, joined: make(chan struct{}, 1), ended: make(chan struct{})}
		go h.run(watching, h.now)
	}
	r, mine := h.now, make(chan []byte, 1)
	r.looking[mine] = true
	select {
	case r.joined <- struct{}{}:
	default:
	}
	return mine, func() { h.leave(r, mine) }
}

func (h *hub) leave(r *round, mine chan []byte) {
	h.mu.Lock()
	delete(r.looking, mine)
	last := len(r.looking) == 0
	if last {
		h.now = nil
	}
	h.mu.Unlock()
	if last {
		r.stop()
		<-r.ended
	}
}

// run draws a picture soon after each change, and at every heartbeat.
func (h *hub) run(ctx context.Context, r *round) {
	defer close(r.ended)
	changes := h.watch(ctx)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changes:
			if !ok {
				changes = nil // the heartbeat goes on
				continue
			}
			if soon == nil {
				soon = time.After(coalesce)
			}
		case <-r.joined:
			if soon == nil {
				soon = time.After(0)
			}
		case <-soon:
			soon = nil
			h.draw(ctx, r)
		case <-beat.C:
			h.draw(ctx, r)
		}
	}
}

// draw sends nothing when the desk cannot be read: the page then says how old it
// is.
func (h *hub) draw(ctx context.Context, r *round) {
	picture, err := h.render(ctx)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range r.looking {
		select {
		case <-c:
		default:
		}
		c <- picture
	}
}

// frame renders the board's parts as the events that the page swaps in.
func (p *pages) frame(ctx context.Context) ([]byte, error) {
	b, err := p.desk.Board(ctx)
	if err != nil {
		p.log.WarnContext(ctx, "board not read", slog.Any("error", err))
		return nil, err
	}
	view := p.viewer.view(b)
	var out bytes.Buffer
	for _, name := range []string{"headline", "board"} {
		var part strings.Builder
		if err := templates.ExecuteTemplate(&part, name, view); err != nil {
			p.log.ErrorContext(ctx, "board not rendered", slog.Any("error", err))
			return nil, err
		}
		fmt.Fprintf(&out, "id: %d\nevent: %s\n", b.At.UnixMilli(), name)
		text := strings.ReplaceAll(strings.TrimSpace(part.String()), "\r", " ") // ends a line in a stream of events
		for line := range strings.SplitSeq(text, "\n") {
			out.WriteString("data: " + line + "\n")
		}
		out.WriteString("\n")
	}
	return out.Bytes(), nil
}

// events is the live stream. Every event is the whole picture, so a reader who
// comes back has missed nothing and Last-Event-ID needs no answer.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	send := func(picture []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
			return err
		}
		if _, err := w.Write(picture); err != nil {
			return err
		}
		return control.Flush()
	}
	pictures, leave := p.hub.join(r.Context())
	defer leave()
	if send([]byte("retry: 1000\n\n")) != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-p.done:
			return
		case picture := <-pictures:
			if send(picture) != nil {
				return
			}
		}
	}
}
