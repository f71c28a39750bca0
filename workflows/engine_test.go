package workflows_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"

	"deskbell/ticket"
	"deskbell/workflows"
)

// maxToResolved is how many events a ticket may need until it is resolved.
const maxToResolved = 65

// The standard life: two offers, a claim and a solution by SMS, the requester
// told of each, and the close by itself.
func TestEventsOfTheStandardLife(t *testing.T) {
	d := newDesk(t)
	n := d.submit(d.opening(ticket.P3))
	d.told(n, "offer", "bob")
	d.told(n, "offer", "eve")
	d.told(n, "req_created", "ann")
	d.is(n, ticket.New)
	d.signal(n, by("bob", ticket.Take))
	d.told(n, "take_ok", "bob")
	d.told(n, "req_claimed", "ann")
	d.is(n, ticket.Assigned)
	d.signal(n, by("bob", ticket.Done))
	d.told(n, "req_done", "ann")
	d.is(n, ticket.Resolved)
	resolved := len(d.settled(n).Events)
	d.clock(n, 73*time.Hour)
	h := d.history(n, "", true)
	kinds := map[string]int{}
	for _, e := range h.Events[:resolved] {
		kinds[e.GetEventType().String()]++
	}
	t.Logf("%d events to Resolved, %d to the end; to Resolved: %v", resolved, len(h.Events), kinds)
	if resolved > maxToResolved {
		t.Errorf("%d events to Resolved, want at most %d", resolved, maxToResolved)
	}
	if n := kinds["UpsertWorkflowSearchAttributes"]; n != 3 { // targets known, claimed, solved
		t.Errorf("search attributes written %d times", n)
	}
	if last := h.Events[len(h.Events)-1]; last.GetEventType() != enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
		t.Errorf("ends with %v", last.GetEventType())
	}
}

// settled waits until no workflow task and no activity is under way and returns
// the history so far.
func (d *desk) settled(number int) *history.History {
	d.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(20 * time.Second); ; {
		description, err := d.client.DescribeWorkflowExecution(d.Context(), workflows.ID(number), "")
		if err != nil {
			d.Fatal(err)
		}
		if len(description.GetPendingActivities()) == 0 && description.GetPendingWorkflowTask() == nil {
			return d.history(number, "", false)
		}
		select {
		case <-ticker.C:
		case <-deadline:
			d.Fatal("the ticket does not come to rest")
		}
	}
}

// A signal and an update reach a parked ticket in the same workflow task. The
// engine runs the update's coroutine first; the signal was there first and wins.
func TestSignalBeforeUpdateInOneTask(t *testing.T) {
	// On a busy machine the engine hands an update over a task later now and then;
	// its order is then no question, and another round makes up for it.
	const wanted, batch, most = 100, 25, 200
	d := newDesk(t)
	together, rounds := 0, 0
	for ; together < wanted && rounds < most; rounds += batch {
		together += d.signalsAndUpdates(batch)
	}
	if together < wanted {
		t.Errorf("signal and update reached the ticket in one workflow task %d times of %d, want %d", together, rounds, wanted)
	}
}

// signalsAndUpdates sends a signal and an update to each of so many tickets while no
// worker runs, and counts those whom both reached in one workflow task.
func (d *desk) signalsAndUpdates(count int) (together int) {
	d.Helper()
	var tickets []int
	for range count {
		tickets = append(tickets, d.submit(d.opening(ticket.P3)))
	}
	for _, n := range tickets {
		d.told(n, "offer", "bob")
		d.is(n, ticket.New)
		d.settled(n)
	}
	d.stop()
	errs := make([]error, count)
	var updates sync.WaitGroup
	rest := func(c *ticket.Command) { c.Channel = "rest" }
	for i, n := range tickets {
		d.signal(n, by("bob", ticket.Take))
		claim := by("eve", ticket.Take, rest)
		updates.Go(func() { _, errs[i] = d.update(d.Context(), n, claim) })
		d.admitted(n, claim.ID)
	}
	d.work()
	updates.Wait()
	for i, n := range tickets {
		if got := refusedAs(errs[i]); got != "take_lost" {
			d.Errorf("ticket %d: the update is answered %v", n, errs[i])
		}
		d.is(n, ticket.Assigned)
		if tasksBetween(d.history(n, "", false)) == 1 {
			together++
		}
		d.mu.Lock()
		holder := d.snapshots[n].Ticket.Assignee.ID
		d.mu.Unlock()
		if holder != "bob" {
			d.Errorf("ticket %d: %s has it", n, holder)
		}
	}
	return together
}

// tasksBetween counts the workflow tasks completed after the first signal, up to
// the acceptance of the first update.
func tasksBetween(h *history.History) (n int) {
	signalled := false
	for _, e := range h.Events {
		switch e.GetEventType() {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			signalled = true
		case enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			if signalled {
				n++
			}
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			return n
		}
	}
	return -1
}

// A client that gave up does not know the outcome. The update still runs, once,
// and the same id gets its answer later.
func TestUpdateOutlivesItsClient(t *testing.T) {
	d := newDesk(t)
	n := d.submit(d.opening(ticket.P3))
	d.told(n, "offer", "bob")
	d.settled(n)
	d.stop()
	claim := by("bob", ticket.Take, func(c *ticket.Command) { c.Channel = "rest" })
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error, 1)
	go func() { _, err := d.update(ctx, n, claim); outcome <- err }()
	d.admitted(n, claim.ID)
	cancel()
	if err := <-outcome; err == nil {
		t.Fatal("an answer without a worker")
	}
	d.work()
	d.is(n, ticket.Assigned)
	reply, err := d.update(t.Context(), n, claim)
	if err != nil || reply.Ticket.Assignee.ID != "bob" {
		t.Errorf("asked again: %+v, %v", reply, err)
	}
	if taken := d.count(n, ticket.Taken); taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}

// A lookup takes no activity, unless the directory does not answer: then a claim is
// answered nevertheless, and the lookup goes on as an activity until it succeeds.
func TestLookupOutlivesTheDirectory(t *testing.T) {
	d := newDesk(t)
	lookups := func(n int) (activities, markers int) {
		for _, e := range d.settled(n).Events {
			if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "Prepare" {
				activities++
			}
			if e.GetMarkerRecordedEventAttributes().GetMarkerName() == "LocalActivity" {
				markers++
			}
		}
		return activities, markers
	}
	n := d.submit(d.opening(ticket.P1))
	d.told(n, "offer", "bob")
	if activities, markers := lookups(n); activities != 0 || markers != 1 {
		t.Errorf("%d activities and %d markers for the first lookup", activities, markers)
	}

	away := make(chan struct{})
	isAway := func(c chan struct{}) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.away = c
	}
	isAway(away)
	d.clock(n, 16*time.Minute) // calls for whom to call
	d.looksLonger(n)
	reply, err := d.update(t.Context(), n, by("bob", ticket.Note, func(c *ticket.Command) { c.Channel = "rest" }))
	if err != nil || reply.Ticket.Number != n {
		t.Errorf("a note while the directory is away: %+v, %v", reply, err)
	}
	isAway(nil)
	close(away)
	d.told(n, "page", "dana")
	if activities, markers := lookups(n); activities != 1 || markers != 2 {
		t.Errorf("%d activities and %d markers after the directory came back", activities, markers)
	}
	if err := replay(t, d.history(n, "", false)); err != nil {
		t.Error(err)
	}
}

// looksLonger waits until a ticket's lookup goes on as an activity.
func (d *desk) looksLonger(number int) {
	d.Helper()
	events := d.client.GetWorkflowHistory(d.Context(), workflows.ID(number), "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			d.Fatal(err)
		}
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "Prepare" {
			return
		}
	}
	d.Fatal("the ticket ends without it")
}

// Fifty people claim at once, by both doors, on the real server.
func TestFiftyClaimsOnTheServer(t *testing.T) {
	d := newDesk(t)
	n := d.submit(d.opening(ticket.P1))
	d.told(n, "offer", "bob")
	before := len(d.settled(n).Events)
	var updates sync.WaitGroup
	won := make(chan string, 50)
	for i := range 50 {
		c := by(fmt.Sprintf("p%d", i), ticket.Take)
		if i%2 == 0 {
			updates.Go(func() { d.signal(n, c) })
			continue
		}
		c.Channel = "rest"
		updates.Go(func() {
			_, err := d.update(t.Context(), n, c)
			switch {
			case err == nil:
				won <- c.Actor.ID
			case refusedAs(err) != "take_lost":
				t.Errorf("%s: %v", c.Actor.ID, err)
			}
		})
	}
	updates.Wait()
	d.is(n, ticket.Assigned)
	events := len(d.settled(n).Events) - before
	close(won)
	holder := d.snapshots[n].Ticket.Assignee.ID
	for id := range won {
		if id != holder {
			t.Errorf("%s was told that it is theirs, %s has it", id, holder)
		}
	}
	if taken := d.count(n, ticket.Taken); taken != 1 {
		t.Errorf("taken %d times", taken)
	}
	t.Logf("50 claims at once: %d events", events)
}
