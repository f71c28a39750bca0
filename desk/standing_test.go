package desk

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The presence text changes at most every ten seconds, however much happens, and the
// last change is told.
func TestStandingIsToldAtMostEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		changes := make(chan Change, 1)
		var mu sync.Mutex
		waiting := 0
		var told []string
		var at []time.Time
		var desk sync.WaitGroup
		desk.Go(func() {
			_ = (&Desk{}).tellStanding(ctx, changes, func(context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				return fmt.Sprint(waiting, " waiting"), nil
			}, func(text string) { told, at = append(told, text), append(at, time.Now()) })
		})
		for range 100 {
			time.Sleep(700 * time.Millisecond)
			mu.Lock()
			waiting++
			mu.Unlock()
			select {
			case changes <- Change{}:
			default:
			}
		}
		time.Sleep(2 * standingEvery)
		cancel()
		desk.Wait()
		for i := range at[1:] {
			if pause := at[i+1].Sub(at[i]); pause < 10*time.Second {
				t.Errorf("%q after %s", told[i+1], pause)
			}
		}
		if len(told) < 7 || told[len(told)-1] != "100 waiting" {
			t.Errorf("told %q", told)
		}
	})
}
