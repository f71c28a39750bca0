package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// visible is other people's text in one line of a terminal: control characters
// and those that turn the direction of text are shown, not obeyed.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '\u2400' + r // the picture of the control character
		case r == 0x7f:
			return '\u2421'
		case r < 0xa0 && r > 0x7f, unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// visibleLines is like visible and keeps the ends of lines.
func visibleLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

// columns returns how many columns of a terminal s takes: two for wide
// characters of East Asia and emoji, none for what joins the one before.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			continue
		}
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// cell is a text and its paint: parameters of SGR (ECMA-48), or none.
type cell struct{ text, paint string }

const heading = "1"

var paints = map[string]string{
	"P1": "1;31", "P2": "33",
	"new": "36", "pending": "35", "resolved": "32", "assigned, late": "31", "closed": "2", "cancelled": "2",
}

// table is rows of cells, the first of them the headings.
type table [][]cell

// write aligns the columns by what they take on a terminal. Any text is safe.
func (t table) write(w io.Writer, colour bool) error {
	var wide []int
	for _, row := range t {
		for i, c := range row {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], columns(visible(c.text)))
		}
	}
	var out strings.Builder
	for _, row := range t {
		for i, c := range row {
			text := visible(c.text)
			pad := wide[i] - columns(text) + 2
			if colour && c.paint != "" && text != "" {
				text = "\x1b[" + c.paint + "m" + text + "\x1b[0m"
			}
			out.WriteString(text)
			if i < len(row)-1 {
				out.WriteString(strings.Repeat(" ", pad))
			}
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// colours tells whether f is a terminal whose user has nothing against colours
// (no-color.org).
func colours(f *os.File) bool { return terminal(f) && os.Getenv("NO_COLOR") == "" }

func terminal(f *os.File) bool {
	stat, err := f.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// age is a duration to its largest unit.
func age(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.size {
			return fmt.Sprintf("%d%s", d/u.size, u.name)
		}
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}
