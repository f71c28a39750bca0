package clock_test

import (
	"testing"
	"time"

	"deskbell/clock"
)

// Both changes of the clock, east and west of Greenwich, by an hour, half of one and
// two; and every quarter of an hour around them is what the wall shows.
func TestWall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, skipped, instead, twice, first string }{
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:30:00+02:00", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00"},
		{"America/New_York", "2026-03-08 02:30", "2026-03-08T03:30:00-04:00", "2026-11-01 01:30", "2026-11-01T01:30:00-04:00"},
		{"America/St_Johns", "2026-03-08 02:00", "2026-03-08T03:00:00-02:30", "2026-11-01 01:00", "2026-11-01T01:00:00-02:30"},
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-04T02:45:00+11:00", "2026-04-05 01:45", "2026-04-05T01:45:00+11:00"},
		{"Antarctica/Troll", "2026-03-29 02:30", "2026-03-29T04:30:00+02:00", "2026-10-25 01:30", "2026-10-25T01:30:00+02:00"},
		{"Asia/Kolkata", "2026-03-29 02:30", "2026-03-29T02:30:00+05:30", "2026-10-25 02:30", "2026-10-25T02:30:00+05:30"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]string{tt.skipped: tt.instead, tt.twice: tt.first} {
			shown, err := time.Parse("2006-01-02 15:04", text)
			if err != nil {
				t.Fatal(err)
			}
			got := clock.Wall(shown, zone)
			if got.Format(time.RFC3339) != want {
				t.Errorf("%s %s: %s, want %s", tt.zone, text, got.Format(time.RFC3339), want)
			}
			last := got.AddDate(0, 0, -2)
			for at := last; at.Before(got.AddDate(0, 0, 2)); at = at.Add(15 * time.Minute) {
				again := clock.Wall(at, zone)
				if again.After(at) || again.Format(time.DateTime) != at.Format(time.DateTime) {
					t.Fatalf("%s: what shows %s is %s", tt.zone, at, again)
				}
			}
		}
	}
}
