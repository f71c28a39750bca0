package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"deskbell/api"
	"deskbell/clock"
	"deskbell/desk"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/store"
	"deskbell/ticket"
	"deskbell/web"
)

type benchPagesCmd struct {
	JSON    bool          `help:"Print one JSON object."`
	Tickets int           `default:"100000" help:"Tickets in the read model, of four weeks."`
	Rate    float64       `default:"50" help:"Requests a second, in turn of every page."`
	Watch   int           `default:"500" help:"Browsers that follow the board at the same time."`
	For     time.Duration `default:"30s" help:"How long it is measured."`
}

//go:embed benchpages.sql
var benchPagesSQL string

// pagesResult is what is measured. Latencies count from when a request was due, so
// that one that waits for another is not taken for fast.
type pagesResult struct {
	Pages   []pageResult `json:"pages"`
	All     pageResult   `json:"all"`
	Counted float64      `json:"count_charts_ms"` // all days for the charts, once in the life of a database
	First   float64      `json:"first_charts_ms"` // the charts when nobody had looked for an hour
	Watch   int          `json:"watching"`
	Frames  int64        `json:"frames"` // that those who watch got
	Changes int          `json:"changes"`
}

type pageResult struct {
	Page  string  `json:"page"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Wrong int     `json:"wrong"` // answers that were no page
	took  []time.Duration
}

// Run measures the pages on a PostgreSQL of its own, without an engine: what they
// show is all read from the read model.
func (b benchPagesCmd) Run(ctx context.Context) error {
	return withBenchStore(ctx, func(ctx context.Context, s *store.Store, url string) error {
		if err := b.fill(ctx, url); err != nil {
			return fmt.Errorf("fill the read model: %w", err)
		}
		r, err := b.measure(ctx, s, url)
		if err != nil {
			return err
		}
		return r.print(b.JSON)
	})
}

func (b benchPagesCmd) fill(ctx context.Context, url string) error {
	if err := execute(ctx, url, benchPagesSQL, b.Tickets); err != nil {
		return err
	}
	return execute(ctx, url, "VACUUM ANALYZE")
}

func execute(ctx context.Context, url, statement string, args ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement, args...)
	return err
}

func (b benchPagesCmd) measure(ctx context.Context, s *store.Store, url string) (r pagesResult, err error) {
	people := roster.File{}
	for i := range 12 {
		people.People = append(people.People, roster.Person{ID: fmt.Sprintf("agent-%d", i), Name: fmt.Sprintf("Agent %d", i), Roles: roster.Roles{roster.Agent}, Phone: fmt.Sprintf("+44770090%04d", i)})
	}
	for i := range 400 {
		people.People = append(people.People, roster.Person{ID: fmt.Sprintf("req-%d", i), Name: fmt.Sprintf("Requester %d", i), Roles: roster.Roles{roster.Requester}, Phone: fmt.Sprintf("+44770091%04d", i)})
	}
	if err := s.Import(ctx, people); err != nil {
		return r, err
	}
	quiet := slog.New(slog.DiscardHandler)
	start := time.Now()
	config := desk.Config{Store: s, Policy: policy.Default(), Clock: clock.System{}, Log: quiet, Zone: time.UTC}
	if _, err := desk.New(config).Charts(ctx, desk.ChartFilter{}); err != nil {
		return r, err
	}
	r.Counted = milliseconds(time.Since(start))
	d := desk.New(config)
	ctx, stop := context.WithCancel(ctx)
	pages := web.New(web.Config{Log: quiet, Zone: time.UTC, Open: true, Done: ctx.Done()}, d)
	agent := desk.Caller{Person: people.People[0]}
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		pages.ServeHTTP(w, req.WithContext(signin.As(req.Context(), agent)))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		stop()
		return r, err
	}
	base := "http://" + listener.Addr().String()
	g, ctx := errgroup.WithContext(ctx)
	defer func() { stop(); err = errors.Join(err, g.Wait()) }()
	g.Go(func() error { return d.Run(ctx) })
	g.Go(func() error { return api.Serve(ctx, listener, handler, quiet) })

	link, err := s.Link(ctx, b.Tickets-10)
	if err != nil {
		return r, err
	}
	if err := execute(ctx, url, "UPDATE chart_counts SET counted_at = counted_at - interval '1 hour'"); err != nil {
		return r, err
	}
	start = time.Now()
	if err := fetch(ctx, base+"/charts"); err != nil {
		return r, err
	}
	r.First = milliseconds(time.Since(start))
	var frames atomic.Int64
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	for range b.Watch {
		g.Go(func() error { return follow(watching, base+"/events", &frames) })
	}
	for frames.Load() < int64(b.Watch) { // everybody has the first picture
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		time.Sleep(10 * time.Millisecond)
	}
	frames.Store(0)
	r.Watch = b.Watch
	changing, unchange := context.WithCancel(ctx)
	g.Go(func() error { return change(changing, s, b.Tickets-10, &r.Changes) })
	r.Pages = b.drive(ctx, base, []string{"/", "/tickets", "/tickets?status=all&q=keyboard+%22floor+3%22", "/charts", fmt.Sprintf("/tickets/%d", b.Tickets-10), "/t/" + link, "/people"})
	unchange()
	r.Frames = frames.Load()
	r.All.Page = "all"
	for i := range r.Pages {
		r.All.took, r.All.Wrong = append(r.All.took, r.Pages[i].took...), r.All.Wrong+r.Pages[i].Wrong
		r.Pages[i].sum()
	}
	r.All.sum()
	return r, nil
}

// drive asks for the pages in turn, each when it is due.
func (b benchPagesCmd) drive(ctx context.Context, base string, paths []string) []pageResult {
	results := make([]pageResult, len(paths))
	for i, path := range paths {
		results[i].Page = path
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	begin := time.Now()
	for n := range int(b.Rate * b.For.Seconds()) {
		due := begin.Add(time.Duration(float64(n) / b.Rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			return results
		case <-time.After(time.Until(due)):
		}
		asked.Go(func() {
			err := fetch(ctx, base+paths[n%len(paths)])
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			p := &results[n%len(paths)]
			if p.took = append(p.took, took); err != nil {
				p.Wrong++
			}
		})
	}
	asked.Wait()
	return results
}

var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}

func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := benchClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// follow reads a live stream and counts its pictures until ctx ends.
func follow(ctx context.Context, url string, frames *atomic.Int64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := benchClient.Do(request)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer response.Body.Close()
	for buffer := make([]byte, 64<<10); ; {
		n, err := response.Body.Read(buffer)
		if n > 100 { // more than the greeting
			frames.Add(1)
		}
		if err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// change writes a new version of a ticket every second, which everybody sees who
// watches.
func change(ctx context.Context, s *store.Store, number int, changes *int) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		t, err := s.Ticket(ctx, number)
		if err == nil {
			t.Version++
			t.Status = ticket.New
			err = s.Project(ctx, store.Projection{Ticket: t})
		}
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		*changes++
	}
}

func (p *pageResult) sum() {
	slices.Sort(p.took)
	if p.Count = len(p.took); p.Count == 0 {
		return
	}
	at := func(percent int) float64 { return milliseconds(p.took[(p.Count-1)*percent/100]) }
	p.P50, p.P99 = at(50), at(99)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r pagesResult) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Printf("%-46s %7s %9s %9s %6s\n", "page", "count", "p50 ms", "p99 ms", "wrong")
	for _, p := range append(r.Pages, r.All) {
		fmt.Printf("%-46s %7d %9.1f %9.1f %6d\n", p.Page, p.Count, p.P50, p.P99, p.Wrong)
	}
	_, err := fmt.Printf("%d watched %d changes and got %d frames; the first look at the charts took %.0f ms, the count of all days %.0f ms\n", r.Watch, r.Changes, r.Frames, r.First, r.Counted)
	return err
}
