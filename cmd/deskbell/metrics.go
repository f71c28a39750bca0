package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"deskbell/gateway"
	"deskbell/gateway/sms"
)

// metrics are what /metrics shows: what this process did, and the state of the desk
// as every process finds it in the database.
type metrics struct {
	registry *prometheus.Registry
	messages *prometheus.CounterVec
	sent     *prometheus.CounterVec
	receipts *prometheus.CounterVec
	smpp
	xmpp        xmpp
	receiptAge  *prometheus.HistogramVec
	unreceipted sentTimes
}

// smpp is what the SMS gateway tells of the wire.
type smpp struct {
	bound, unanswered        *prometheus.GaugeVec
	submits, answers, pauses *prometheus.CounterVec
	submitTime               *prometheus.HistogramVec
}

var _ sms.Watch = smpp{}

func newMetrics(s *system) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		messages: counter("deskbell_messages_in_total", "Messages that came in at this process and were kept; repeats by the network apart.", "channel", "repeat"),
		sent:     counter("deskbell_deliveries_total", "Attempts of this process to send a message, by what they came to: sent, failed, unknown, or due for another attempt.", "channel", "state"),
		receipts: counter("deskbell_receipts_total", "Receipts for sent messages that reached this process.", "channel", "state"),
	}
	m.smpp = smpp{
		bound:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "deskbell_smpp_bound", Help: "1 while this process has this bind."}, []string{"smsc", "bind"}),
		unanswered: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "deskbell_smpp_unanswered", Help: "Submits that wait for the window or for their answer."}, []string{"smsc"}),
		submits:    counter("deskbell_smpp_submits_total", "Segments that this process submitted, by the name of the answer's status, or NOT_SENT or UNKNOWN.", "smsc", "status"),
		answers:    counter("deskbell_smpp_answers_total", "Messages and receipts of the SMSC, by the name of the status they were answered with.", "smsc", "status"),
		pauses:     counter("deskbell_smpp_paused_seconds_total", "How long the SMSC asked this process to wait, by throttling or a full queue.", "smsc"),
		submitTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "deskbell_smpp_submit_seconds", Help: "Time to the answer of a submit.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}}, []string{"smsc"}),
	}
	m.xmpp = newXMPP()
	m.xmpp.register(m.registry)
	m.receiptAge = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "deskbell_receipt_seconds", Help: "Time from the sending of a message to its receipt.",
		Buckets: []float64{.1, .5, 1, 5, 10, 30, 60, 300, 1800, 7200}}, []string{"channel"})
	m.registry.MustRegister(m.messages, m.sent, m.receipts, m.receiptAge, figures{s})
	m.registry.MustRegister(m.bound, m.unanswered, m.submits, m.answers, m.pauses, m.submitTime)
	prometheus.WrapRegistererWithPrefix("deskbell_", m.registry).MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// figures is the state of the desk. Ages go by this desk's clock.
type figures struct{ *system }

// figuresTimeout bounds a scrape.
const figuresTimeout = 2 * time.Second

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("deskbell_"+name, help, labels, nil)
}

var (
	partUp        = gauge("part_up", "1 if what Deskbell stands on answers this process.", "part")
	openTickets   = gauge("tickets", "Tickets that are not over.", "status", "priority")
	oldestWaiting = gauge("oldest_waiting_seconds", "Age of the oldest ticket that nobody has taken; 0 when none waits.")
	unstarted     = gauge("tickets_unstarted", "Tickets that were taken in and whose workflow has not written yet.")
	unfinished    = gauge("inbox_unfinished", "Messages in that have no answer yet.", "channel")
	unfinishedAge = gauge("inbox_oldest_seconds", "Age of the oldest of them; 0 when there is none.", "channel")
	backlog       = gauge("outbox_messages", "Messages out that are due or being sent.", "channel", "state")
	backlogAge    = gauge("outbox_oldest_seconds", "How long the oldest of them is due; 0 when there is none.", "channel")
	held          = gauge("channel_held", "1 if some process holds the channel's lease.", "channel")
	up            = gauge("channel_up", "1 if the holder's bind or login stands.", "channel")
	holder        = gauge("channel_holder", "1 in the process that holds the channel's lease.", "channel")
	troubleAge    = gauge("trouble_seconds", "How long this is wrong with the desk itself; the managers hear of it.", "trouble")
)

func (f figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{partUp, openTickets, oldestWaiting, unstarted, unfinished, unfinishedAge, backlog, backlogAge, held, up, holder, troubleAge} {
		out <- d
	}
}

func (f figures) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), figuresTimeout)
	defer cancel()
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for part, err := range f.desk.Ready(ctx) {
		set(partUp, number(err == nil), part)
	}
	now, err := f.store.Figures(ctx)
	if err != nil {
		f.log.WarnContext(ctx, "no figures for a scrape", slog.Any("error", err))
		return
	}
	age := func(since time.Time) float64 {
		if since.IsZero() {
			return 0
		}
		return max(0, f.clock.Now().Sub(since).Seconds())
	}
	var waiting time.Time
	for _, t := range now.Tickets {
		set(openTickets, float64(t.Count), t.Status, t.Priority)
		if t.Status == "new" && (waiting.IsZero() || t.Oldest.Before(waiting)) {
			waiting = t.Oldest
		}
	}
	set(oldestWaiting, age(waiting))
	set(unstarted, float64(now.Unstarted))
	for _, channel := range []string{"sms", "im"} {
		var count, due, sending int
		var oldest, oldestDue time.Time
		for _, u := range now.Unfinished {
			if u.Channel == channel {
				count, oldest = u.Count, u.Oldest
			}
		}
		for _, u := range now.Unsent {
			if u.Channel != channel {
				continue
			}
			if u.Status == "due" {
				due = u.Count
			} else {
				sending = u.Count
			}
			if oldestDue.IsZero() || u.Oldest.Before(oldestDue) {
				oldestDue = u.Oldest
			}
		}
		set(unfinished, float64(count), channel)
		set(unfinishedAge, age(oldest), channel)
		set(backlog, float64(due), channel, "due")
		set(backlog, float64(sending), channel, "sending")
		set(backlogAge, age(oldestDue), channel)
		var isHeld, isUp, isOurs bool
		for _, t := range now.Tenures {
			if t.Name == channel {
				isHeld, isUp, isOurs = true, !t.UpSince.IsZero(), t.Holder == f.holder
			}
		}
		set(held, number(isHeld), channel)
		set(up, number(isUp), channel)
		set(holder, number(isOurs), channel)
	}
	for _, t := range now.Troubles {
		set(troubleAge, age(t.Since), t.Name)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Bound begins the SMSC's other series too, so that a rate has its zero.
func (w smpp) Bound(smsc, bind string, up bool) {
	w.bound.WithLabelValues(smsc, bind).Set(number(up))
	w.unanswered.WithLabelValues(smsc)
	w.pauses.WithLabelValues(smsc)
	w.submitTime.WithLabelValues(smsc)
}

func (w smpp) Submitting(smsc string, n int) { w.unanswered.WithLabelValues(smsc).Set(float64(n)) }

func (w smpp) Submitted(smsc, status string, took time.Duration) {
	w.submits.WithLabelValues(smsc, status).Inc()
	w.submitTime.WithLabelValues(smsc).Observe(took.Seconds())
}

func (w smpp) Paused(smsc string, wait time.Duration) {
	w.pauses.WithLabelValues(smsc).Add(wait.Seconds())
}

func (w smpp) Answered(smsc, status string) { w.answers.WithLabelValues(smsc, status).Inc() }

// counted counts what an outbox settles.
type counted struct {
	gateway.Outbox
	channel gateway.Channel
	metrics *metrics
}

func (c counted) Settle(ctx context.Context, id int64, o gateway.Outcome) error {
	if o.State == gateway.Sent {
		c.metrics.unreceipted.add(o.WireIDs)
	}
	err := c.Outbox.Settle(ctx, id, o)
	if err == nil {
		c.metrics.sent.WithLabelValues(string(c.channel), string(o.State)).Inc()
	}
	return err
}

// countedReceipts counts receipts and measures their way.
type countedReceipts struct {
	gateway.Receipts
	metrics *metrics
}

func (c countedReceipts) Receipt(ctx context.Context, r gateway.Receipt) error {
	err := c.Receipts.Receipt(ctx, r)
	if err != nil {
		return err
	}
	c.metrics.receipts.WithLabelValues(string(r.Channel), string(r.State)).Inc()
	if took, ok := c.metrics.unreceipted.take(r.WireID); ok {
		c.metrics.receiptAge.WithLabelValues(string(r.Channel)).Observe(took.Seconds())
	}
	return nil
}

// sentTimes knows when messages were sent, by their wire ids, until their receipts
// come. The oldest are forgotten: it is a measurement, not the truth.
type sentTimes struct {
	mu    sync.Mutex
	times map[string]time.Time
	order []string
}

// mostSentTimes is some minutes of the fastest traffic measured, under a megabyte.
const mostSentTimes = 10_000

func (s *sentTimes) add(wires []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[string]time.Time{}
	}
	for _, wire := range wires {
		s.times[wire] = time.Now()
		s.order = append(s.order, wire)
	}
	for len(s.order) > mostSentTimes {
		delete(s.times, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *sentTimes) take(wire string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.times[wire]
	delete(s.times, wire)
	return time.Since(at), ok
}
