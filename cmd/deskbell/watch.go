package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

type watchCmd struct {
	remote `embed:""`
	Group  string `help:"Only of this group."`
	Limit  int    `default:"20" help:"At most so many, the newest; up to 200."`
}

// Times of watch.
const (
	watchEvery   = 2 * time.Second  // how old the picture may be; the API keeps no stream
	watchTimeout = 10 * time.Second // for one answer
)

// Run shows the open tickets until it is interrupted.
func (c watchCmd) Run(ctx context.Context) error {
	now := c.remote
	if err := now.resolve(); err != nil {
		return err
	}
	screen := terminal(os.Stdout) && !c.JSON
	if screen {
		fmt.Print("\x1b[?7l\x1b[2J") // long lines are cut
		defer fmt.Print("\x1b[?7h")
	}
	list := ticketsCmd{remote: c.remote, Group: c.Group, Limit: c.Limit, Status: []string{"new", "assigned", "pending", "resolved"}}
	b := board{out: os.Stdout, screen: screen, colour: colours(os.Stdout), json: c.JSON, every: watchEvery,
		fetch: func(ctx context.Context) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, watchTimeout)
			defer cancel()
			list := list // a development desk that restarts may be elsewhere
			return list.fetch(ctx, "GET", list.path(), nil)
		}}
	return b.watch(ctx)
}

// board draws a page of tickets again and again: over itself on a screen,
// elsewhere after each change.
type board struct {
	out                  io.Writer
	screen, colour, json bool
	every                time.Duration
	fetch                func(context.Context) ([]byte, error)
	last                 []byte // what was drawn
	trouble              string // why last is old
}

// watch ends without an error when ctx does. A server that is away is waited
// for; one that refuses is an error.
func (b *board) watch(ctx context.Context) error {
	ticker := time.NewTicker(b.every)
	defer ticker.Stop()
	for {
		data, err := b.fetch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if no, ok := errors.AsType[*refusal](err); ok && no.Status < http.StatusInternalServerError && no.Status != http.StatusTooManyRequests {
			return err
		}
		if err := b.show(data, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (b *board) show(data []byte, failed error) error {
	trouble := ""
	if failed != nil {
		trouble, data = visible(failed.Error())+"; trying again", b.last
	}
	same := bytes.Equal(data, b.last) && trouble == b.trouble
	b.last, b.trouble = data, trouble
	if same && !b.screen {
		return nil
	}
	if b.json {
		if failed != nil {
			return nil
		}
		_, err := b.out.Write(append(bytes.TrimSpace(data), '\n'))
		return err
	}
	var text strings.Builder
	if len(data) > 0 {
		var page ticketPage
		if err := json.Unmarshal(data, &page); err != nil {
			return err
		}
		if err := page.table(time.Now()).write(&text, b.colour); err != nil {
			return err
		}
	}
	if trouble != "" {
		text.WriteString(trouble + "\n")
	}
	picture := text.String()
	if b.screen { // over the last one, line by line, so that nothing flickers
		picture = "\x1b[H" + strings.ReplaceAll(picture, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := io.WriteString(b.out, picture)
	return err
}
