package command

import (
	"testing"
	"time"
)

func TestWhen(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tuesday := time.Date(2026, 3, 3, 10, 38, 0, 0, berlin)
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, berlin)
	}
	tests := []struct {
		text, rest string
		want       time.Time
	}{
		{"2h", "", tuesday.Add(2 * time.Hour)},
		{"30m lunch", "lunch", tuesday.Add(30 * time.Minute)},
		{"30 min, back then", "back then", tuesday.Add(30 * time.Minute)},
		{"1h30m", "", tuesday.Add(90 * time.Minute)},
		{"1h30", "", tuesday.Add(90 * time.Minute)},
		{"1h 30m", "", tuesday.Add(90 * time.Minute)},
		{"for 2 hours", "", tuesday.Add(2 * time.Hour)},
		{"in an hour", "", tuesday.Add(time.Hour)},
		{"2 Stunden", "", tuesday.Add(2 * time.Hour)},
		{"1d", "", at(3, 4, 10, 38)},
		{"1 week waiting for parts", "waiting for parts", at(3, 10, 10, 38)},
		{"tomorrow 9:00", "", at(3, 4, 9, 0)},
		{"tomorrow at 9", "", at(3, 4, 9, 0)},
		{"tomorrow", "", at(3, 4, 9, 0)},
		{"morgen 9 Uhr", "", at(3, 4, 9, 0)},
		{"mon", "", at(3, 9, 9, 0)},
		{"mon 9:00", "", at(3, 9, 9, 0)},
		{"mo 14:30 Techniker", "Techniker", at(3, 9, 14, 30)},
		{"on Tuesday", "", at(3, 10, 9, 0)},
		{"tue 12:00", "", at(3, 3, 12, 0)},
		{"9:30", "", at(3, 4, 9, 30)},
		{"14:30", "", at(3, 3, 14, 30)},
		{"until 14:30", "", at(3, 3, 14, 30)},
		{"bis 13 Uhr", "", at(3, 3, 13, 0)},
		{"3pm", "", at(3, 3, 15, 0)},
		{"12 am", "", at(3, 4, 0, 0)},
		{"noon", "", at(3, 3, 12, 0)},
		{"9:00 tomorrow", "", at(3, 4, 9, 0)},
		{"so 10:00", "", at(3, 8, 10, 0)},
		{"mañana 9:00", "", at(3, 4, 9, 0)},
		{"27d", "", at(3, 30, 10, 38).Add(time.Hour)}, // 24 h each, across the change to summer time
		{"٢h", "", tuesday.Add(2 * time.Hour)},
	}
	for _, tt := range tests {
		got, rest, ok := When(tt.text, tuesday, berlin)
		if !ok || !got.Equal(tt.want) || rest != tt.rest {
			t.Errorf("%q: %v %q %v, want %v %q", tt.text, got, rest, ok, tt.want, tt.rest)
		}
	}
	for _, text := range []string{"", "soon", "2", "0h", "25:00", "9:75", "today 9:00", "9999d", "the printer", "13pm", "2x", "tray 2", "at", "2.20", "999999h", "-1h"} {
		if got, _, ok := When(text, tuesday, berlin); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// A time that the clocks skip is as much later, and of one that they show twice it is the
// first, on both sides of Greenwich.
func TestWhenClocksChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, now, text, want string }{
		{"Europe/Berlin", "2026-03-28T12:00:00+01:00", "tomorrow 2:30", "2026-03-29T03:30:00+02:00"},
		{"Europe/Berlin", "2026-10-24T12:00:00+02:00", "tomorrow 2:30", "2026-10-25T02:30:00+02:00"},
		{"America/New_York", "2026-03-07T12:00:00-05:00", "tomorrow 2:30", "2026-03-08T03:30:00-04:00"},
		{"America/New_York", "2026-10-31T12:00:00-04:00", "tomorrow 1:30", "2026-11-01T01:30:00-04:00"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		at, _, ok := When(tt.text, now, zone)
		if got := at.Format(time.RFC3339); !ok || got != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.zone, tt.text, got, tt.want)
		}
	}
}
