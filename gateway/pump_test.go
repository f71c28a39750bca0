package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outbox is an outbox in memory.
type outbox struct {
	mu        sync.Mutex
	rows      []gateway.Delivery
	state     map[int64]gateway.State
	notBefore map[int64]time.Time
	away      int // calls that fail before the store is back
	recovered bool
	settled   chan struct{} // closed and replaced when a row is settled
}

var errAway = errors.New("store is away")

func newOutbox(rows ...gateway.Delivery) *outbox {
	o := &outbox{state: map[int64]gateway.State{}, notBefore: map[int64]time.Time{}, settled: make(chan struct{})}
	for i, d := range rows {
		d.ID = int64(i + 1)
		o.rows = append(o.rows, d)
		o.state[d.ID] = gateway.Due
	}
	return o
}

func (o *outbox) gone() bool {
	o.away--
	return o.away >= 0
}

func (o *outbox) Take(_ context.Context, _ gateway.Channel, limit int) ([]gateway.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone() {
		return nil, errAway
	}
	var first []gateway.Delivery
	busy := map[string]bool{}
	for _, d := range o.rows {
		switch state := o.state[d.ID]; {
		case state == gateway.Sending, state == gateway.Due && busy[d.To]:
			busy[d.To] = true
		case state == gateway.Due:
			busy[d.To] = true
			if !time.Now().Before(o.notBefore[d.ID]) {
				first = append(first, d)
			}
		}
	}
	slices.SortStableFunc(first, func(a, b gateway.Delivery) int {
		switch {
		case a.Urgent == b.Urgent:
			return 0
		case a.Urgent:
			return -1
		}
		return 1
	})
	first = first[:min(limit, len(first))]
	for _, d := range first {
		o.state[d.ID] = gateway.Sending
	}
	return first, nil
}

func (o *outbox) Settle(_ context.Context, id int64, out gateway.Outcome) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone() {
		return errAway
	}
	o.state[id] = out.State
	o.notBefore[id] = time.Now().Add(out.RetryIn)
	close(o.settled)
	o.settled = make(chan struct{})
	return nil
}

// wait returns when no row is due or being sent.
func (o *outbox) wait(t *testing.T) {
	t.Helper()
	for {
		o.mu.Lock()
		settled, open := o.settled, 0
		for _, state := range o.state {
			if state == gateway.Due || state == gateway.Sending {
				open++
			}
		}
		o.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-settled:
		case <-time.After(time.Hour): // of the bubble
			t.Fatalf("%d rows are not settled", open)
		}
	}
}

func (o *outbox) Recover(context.Context, gateway.Channel) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone() {
		return errAway
	}
	o.recovered = true
	for id, state := range o.state {
		if state == gateway.Sending {
			o.state[id] = gateway.Unknown
		}
	}
	return nil
}

func (o *outbox) states() map[int64]gateway.State {
	o.mu.Lock()
	defer o.mu.Unlock()
	states := map[int64]gateway.State{}
	for id, s := range o.state {
		states[id] = s
	}
	return states
}

// sender notes what is sent, in the order of arrival, and how many at once.
type sender struct {
	mu            sync.Mutex
	sent          []int64
	flying, most  int
	took          time.Duration
	first         map[int64]gateway.Outcome // of the first attempt; Sent otherwise
	seenCancelled bool
	begun         chan struct{}
}

func (s *sender) Send(ctx context.Context, d gateway.Delivery) gateway.Outcome {
	s.mu.Lock()
	s.sent = append(s.sent, d.ID)
	s.flying++
	s.most = max(s.most, s.flying)
	o, special := s.first[d.ID]
	delete(s.first, d.ID)
	s.mu.Unlock()
	select {
	case s.begun <- struct{}{}:
	default:
	}
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		s.mu.Lock()
		s.seenCancelled = true
		s.mu.Unlock()
		o, special = gateway.Outcome{State: gateway.Unknown}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	if special {
		return o
	}
	return gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint(d.ID)}}
}

func run(t *testing.T, o *outbox, s *sender, bound int) func() {
	t.Helper()
	p := gateway.NewPump(gateway.SMS, o, s, bound, clock.System{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func to(numbers ...string) []gateway.Delivery {
	var rows []gateway.Delivery
	for _, n := range numbers {
		rows = append(rows, gateway.Delivery{Key: n, To: n})
	}
	return rows
}

func TestPumpKeepsTheOrderOfEachRecipient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(to("a", "a", "b", "a", "b")...)
		s := &sender{took: time.Second}
		stop := run(t, o, s, 0)
		defer stop()
		o.wait(t)
		place := map[int64]int{}
		for i, id := range s.sent {
			place[id] = i
		}
		if len(s.sent) != 5 || place[1] > place[2] || place[2] > place[4] || place[3] > place[5] {
			t.Fatalf("sent %v", s.sent)
		}
		if s.most != 2 {
			t.Fatalf("%d at once, want one per recipient", s.most)
		}
	})
}

func TestPumpBoundsWhatIsOnItsWay(t *testing.T) {
	for bound, want := range map[int]int{0: 32, 3: 3, 300: 32} {
		synctest.Test(t, func(t *testing.T) {
			var rows []gateway.Delivery
			for i := range 100 {
				rows = append(rows, to(fmt.Sprint(i))...)
			}
			s := &sender{took: time.Second}
			o := newOutbox(rows...)
			stop := run(t, o, s, bound)
			defer stop()
			o.wait(t)
			if s.most != want {
				t.Errorf("%d at once, bound %d", s.most, bound)
			}
		})
	}
}

func TestPumpPutsBackWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(to("a")...)
		s := &sender{first: map[int64]gateway.Outcome{1: {State: gateway.Due, RetryIn: 10 * time.Second}}}
		stop := run(t, o, s, 0)
		defer stop()
		began := time.Now()
		o.wait(t)
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second || len(s.sent) != 2 {
			t.Fatalf("sent %v after %s", s.sent, took)
		}
	})
}

func TestPumpOutlivesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(to("a")...)
		o.away = 3 // the recovery fails
		s := &sender{took: time.Second, begun: make(chan struct{}, 1)}
		stop := run(t, o, s, 0)
		defer stop()
		<-s.begun
		o.mu.Lock()
		o.away = 20 // and so does the settling
		o.mu.Unlock()
		o.wait(t)
		if len(s.sent) != 1 || o.states()[1] != gateway.Sent {
			t.Fatalf("sent %v, states %v", s.sent, o.states())
		}
	})
}

func TestPumpRecoversWhatADeadHolderLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(to("a", "b")...)
		o.state[1] = gateway.Sending
		stop := run(t, o, &sender{}, 0)
		defer stop()
		o.wait(t)
		want := map[int64]gateway.State{1: gateway.Unknown, 2: gateway.Sent}
		if diff := cmp.Diff(want, o.states()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPumpStops(t *testing.T) {
	for name, tc := range map[string]struct {
		took      time.Duration
		want      gateway.State
		cancelled bool
	}{
		"waiting for what is answered":       {3 * time.Second, gateway.Sent, false},
		"giving up what is not":              {20 * time.Second, gateway.Unknown, true},
		"at once when nothing is on its way": {0, gateway.Sent, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(to("a", "a")...)
				s := &sender{took: tc.took}
				stop := run(t, o, s, 0)
				synctest.Wait()
				began := time.Now()
				stop()
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("stopping took %s", took)
				}
				if tc.took > 0 && (o.states()[1] != tc.want || s.seenCancelled != tc.cancelled || len(s.sent) != 1) {
					t.Errorf("states %v, sent %v", o.states(), s.sent)
				}
			})
		})
	}
}
