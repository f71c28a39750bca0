package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
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

// hub watches the desk once for all who look, and only while somebody does. Whoever
// looks at the same thing gets the same picture, which is drawn once.
type hub struct {
	watch func(context.Context) <-chan desk.Change
	// render draws pictures of these topics; what cannot be drawn is missing.
	render func(ctx context.Context, topics []string) map[string][]byte

	mu  sync.Mutex
	now *round
}

// round is one stretch of time in which somebody looks. mu of the hub guards
// looking.
type round struct {
	looking map[chan []byte]string // at which topic
	stop    context.CancelFunc
	joined  chan struct{} // somebody has come who needs a picture
	ended   chan struct{}
}

// join returns a channel of pictures, of which only the newest is kept for a slow
// reader, and what to call when the reader leaves. The last to leave waits until
// the watch has ended.
func (h *hub) join(ctx context.Context, topic string) (pictures <-chan []byte, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		watching, stop := context.WithCancel(context.WithoutCancel(ctx))
		h.now = &round{looking: map[chan []byte]string{}, stop: stop, joined: make(chan struct{}, 1), ended: make(chan struct{})}
		go h.run(watching, h.now)
	}
	r, mine := h.now, make(chan []byte, 1)
	r.looking[mine] = topic
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

// run draws pictures soon after each change, and at every heartbeat.
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

// draw sends nothing of what cannot be read: the page then says how old it is.
func (h *hub) draw(ctx context.Context, r *round) {
	pictures := h.render(ctx, h.topics(r))
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, topic := range r.looking {
		picture, ok := pictures[topic]
		if !ok {
			continue
		}
		select {
		case <-c:
		default:
		}
		c <- picture
	}
}

func (h *hub) topics(r *round) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	var topics []string
	for _, topic := range r.looking {
		if !seen[topic] {
			seen[topic] = true
			topics = append(topics, topic)
		}
	}
	return topics
}

// boardTopics are the pages that show the board, with the templates of their parts.
var boardTopics = map[string][]string{"": {"headline", "incidents", "board", "side"}, "wall": {"wall"}}

// ticketTopic is one ticket, whose picture is its version.
const ticketTopic = "ticket/"

func (p *pages) render(ctx context.Context, topics []string) map[string][]byte {
	pictures := map[string][]byte{}
	var view *board
	var numbers []int
	for _, topic := range topics {
		if number, ok := strings.CutPrefix(topic, ticketTopic); ok {
			n, _ := strconv.Atoi(number) // written by us
			numbers = append(numbers, n)
			continue
		}
		if topic == "people" {
			if v, err := p.desk.Roster(ctx); err != nil {
				p.log.WarnContext(ctx, "people not read", slog.Any("error", err))
			} else {
				p.frame(ctx, pictures, topic, []string{"people"}, v.At, p.viewer.people(v))
			}
			continue
		}
		if view == nil {
			b, err := p.desk.Board(ctx)
			if err != nil {
				p.log.WarnContext(ctx, "board not read", slog.Any("error", err))
				continue
			}
			view = new(p.viewer.view(b))
		}
		p.frame(ctx, pictures, topic, boardTopics[topic], time.UnixMilli(view.Now), *view)
	}
	if len(numbers) > 0 {
		versions, err := p.desk.Versions(ctx, numbers)
		if err != nil {
			p.log.WarnContext(ctx, "tickets not read", slog.Any("error", err))
		}
		for n, version := range versions {
			pictures[ticketTopic+strconv.Itoa(n)] = []byte(strconv.Itoa(version))
		}
	}
	return pictures
}

// frame renders parts of a page as the events that the page swaps in.
func (p *pages) frame(ctx context.Context, pictures map[string][]byte, topic string, parts []string, at time.Time, view any) {
	var out strings.Builder
	for _, name := range parts {
		var part strings.Builder
		if err := templates.ExecuteTemplate(&part, name, view); err != nil {
			p.log.ErrorContext(ctx, "page not rendered", slog.String("page", name), slog.Any("error", err))
			return
		}
		fmt.Fprintf(&out, "id: %d\nevent: %s\n", at.UnixMilli(), name)
		text := strings.ReplaceAll(strings.TrimSpace(part.String()), "\r", " ") // ends a line in a stream of events
		for line := range strings.SplitSeq(text, "\n") {
			out.WriteString("data: " + line + "\n")
		}
		out.WriteString("\n")
	}
	pictures[topic] = []byte(out.String())
}

// events is the live stream of the board, the wall and the people. Every event is the
// whole picture, so a reader who comes back has missed nothing and Last-Event-ID needs
// no answer.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	topic := r.FormValue("for")
	if _, ok := boardTopics[topic]; !ok && topic != "people" {
		http.NotFound(w, r)
		return
	}
	p.stream(w, r, topic, func(picture []byte) []byte { return picture })
}

// ticketEvents says that a ticket has changed since the reader's page was made, or
// that it has not.
func (p *pages) ticketEvents(w http.ResponseWriter, r *http.Request, number int) {
	shown := r.FormValue("v")
	p.stream(w, r, ticketTopic+strconv.Itoa(number), func(version []byte) []byte {
		if string(version) == shown {
			return fmt.Appendf(nil, "event: beat\ndata: %s\n\n", version)
		}
		shown = string(version)
		return fmt.Appendf(nil, "event: beat\ndata: %[1]s\n\nevent: changed\ndata: %[1]s\n\n", version)
	})
}

func (p *pages) stream(w http.ResponseWriter, r *http.Request, topic string, event func(picture []byte) []byte) {
	control := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	send := func(event []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
			return err
		}
		if _, err := w.Write(event); err != nil {
			return err
		}
		return control.Flush()
	}
	pictures, leave := p.hub.join(r.Context(), topic)
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
			if send(event(picture)) != nil {
				return
			}
		}
	}
}
