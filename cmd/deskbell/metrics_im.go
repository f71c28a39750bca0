package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deskbell/gateway"
	"deskbell/gateway/im"
)

// xmpp is what the IM gateway tells of the wire.
type xmpp struct {
	loggedIn prometheus.Gauge
	logins   prometheus.Counter
	sendTime *prometheus.HistogramVec
	readTime prometheus.Histogram
	entries  prometheus.Counter
}

var _ im.Watch = heardBy{}

func newXMPP() xmpp {
	wire := []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}
	return xmpp{
		loggedIn: prometheus.NewGauge(prometheus.GaugeOpts{Name: "deskbell_xmpp_logged_in", Help: "1 while this process is logged in as the desk."}),
		logins:   prometheus.NewCounter(prometheus.CounterOpts{Name: "deskbell_xmpp_logins_total", Help: "Logins of this process; each but the first is a lost connection."}),
		sendTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "deskbell_xmpp_send_seconds", Help: "Time from writing a message to the proof that the server has it, by what came of it.", Buckets: wire}, []string{"state"}),
		readTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "deskbell_xmpp_archive_seconds", Help: "Time to the answer of one question to the archive.", Buckets: wire}),
		entries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "deskbell_xmpp_archive_entries_total", Help: "Entries of the archive that this process has read."}),
	}
}

func (x xmpp) register(r prometheus.Registerer) {
	for _, c := range []prometheus.Collector{x.loggedIn, x.logins, x.sendTime, x.readTime, x.entries} {
		r.MustRegister(c)
	}
}

func (x xmpp) LoggedIn(up bool) {
	x.loggedIn.Set(number(up))
	if up {
		x.logins.Inc()
	}
}

func (x xmpp) Sent(state gateway.State, took time.Duration) {
	x.sendTime.WithLabelValues(string(state)).Observe(took.Seconds())
}

func (x xmpp) Read(entries int, took time.Duration) {
	x.entries.Add(float64(entries))
	x.readTime.Observe(took.Seconds())
}

// heardBy notes for the link that the presence stream is alive.
type heardBy struct {
	xmpp
	link *link
}

func (h heardBy) Heard() { h.link.heard.Store(true) }
