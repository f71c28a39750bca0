package notice

import (
	"slices"
	"strconv"
	"strings"
)

// Item is one entry of a list: a ticket, or, without a number, a name or a line.
type Item struct {
	Number  int
	Subject string
}

// Separators inside a value that is a list. They are control characters, which no
// value keeps from its author.
const (
	recordMark = "\x1e"
	unitMark   = "\x1f"
)

// List makes a value for {list}, {list2} and {lines}: the one reads as
// "#142 Printer, #143 VPN", the other as a line for each. Without items it reads
// as "nothing".
func List(list ...Item) string {
	var b strings.Builder
	for _, it := range list {
		b.WriteString(recordMark)
		if it.Number != 0 {
			b.WriteString(strconv.Itoa(it.Number))
		}
		b.WriteString(unitMark)
		b.WriteString(strings.NewReplacer(recordMark, " ", unitMark, " ").Replace(it.Subject))
	}
	return b.String()
}

// Numbers makes a list of ticket numbers alone.
func Numbers(numbers ...int) string {
	list := make([]Item, len(numbers))
	for i, n := range numbers {
		list[i].Number = n
	}
	return List(list...)
}

// Names makes a list of names or lines.
func Names(names ...string) string {
	list := make([]Item, len(names))
	for i, n := range names {
		list[i].Subject = n
	}
	return List(list...)
}

type items []Item

// bringsSpace names the values that stand before a word and bring their own space,
// so that nothing is left when they are empty.
func bringsSpace(name string) bool { return name == "PRIO" || name == "until" }

// Lines is List for {lines}.
func Lines(list ...Item) string { return List(list...) }

// flatten writes a value of List that stands within another text.
func flatten(value string) string {
	before, list, ok := strings.Cut(value, recordMark)
	if !ok {
		return value
	}
	return before + split("list", recordMark+list, false).join(", ", unlimited)
}

// split reads a value: a list, lines, or one text.
func split(name, value string, lines bool) items {
	if name == "text" { // a finished text of ours
		return items{{Subject: value}}
	}
	if name == "lines" && strings.Contains(value, "\n") && !strings.Contains(value, recordMark) {
		value = Names(strings.Split(value, "\n")...)
	}
	if !strings.HasPrefix(value, recordMark) {
		value = flatten(value)
		text := clean(value, lines)
		if text == "" {
			return nil
		}
		if bringsSpace(name) {
			text += " "
		}
		return items{{Subject: text}}
	}
	var list items
	for record := range strings.SplitSeq(value[len(recordMark):], recordMark) {
		number, text, _ := strings.Cut(record, unitMark)
		n, _ := strconv.Atoi(number)
		list = append(list, Item{n, clean(text, lines)})
	}
	return list
}

// write lays a value out. With a limit, first the texts in a list get shorter,
// all alike, and then its end goes.
func (l items) write(name string, limit int) string {
	if len(l) == 0 {
		return ""
	}
	gap := ", "
	if name == "lines" {
		gap = "\n"
	}
	isList := len(l) > 1 || l[0].Number != 0
	switch {
	case limit == unlimited || !isFlexible(name):
		return l.join(gap, unlimited)
	case !isList:
		return cut(l[0].Subject, limit)
	}
	for each := 40; each >= 8; each -= 2 {
		if s := l.join(gap, each); width(s) <= limit {
			return s
		}
	}
	for n := len(l); n > 1; n-- {
		s := l[:n].join(gap, 0)
		if n < len(l) {
			s += " ..."
		}
		if width(s) <= limit {
			return s
		}
	}
	return l[:1].join(gap, 0)
}

func isFlexible(name string) bool { return slices.Contains(flexible, name) }

func (l items) join(gap string, each int) string {
	parts := make([]string, len(l))
	for i, it := range l {
		text := it.Subject
		switch {
		case it.Number == 0:
			if each < unlimited {
				text = cut(text, max(each, 8))
			}
			parts[i] = text
		case text == "" || each == 0:
			parts[i] = "#" + strconv.Itoa(it.Number)
		default:
			parts[i] = "#" + strconv.Itoa(it.Number) + " " + cut(text, each)
		}
	}
	return strings.Join(parts, gap)
}
