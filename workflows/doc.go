// Package workflows is the Ticket workflow: the single writer of a ticket. It is
// a thin driver: commands and the passing of time go into ticket.Apply, events
// come out and become activities. It knows no business hours, no time zones, no
// store and no network.
package workflows
